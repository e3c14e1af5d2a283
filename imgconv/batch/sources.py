"""Where images come from: files, folders, patterns, addresses, standard input.

Names of inputs that another program lists: `find ... -print0`.
"""

import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath

from imgconv.batch import paths
from imgconv.batch.paths import Place, Url, place_of
from imgconv.errors import ImageError, UsageError, reason

STDIN = "-"
PATTERN_SIGNS = "*?["


@dataclass(frozen=True, slots=True)
class Source:
    """One input: its path or address (None for standard input), its place below the output folder, and whether it was named outright.

    `trouble` says why a folder could not be listed; such a source gives nothing but this error.
    """

    path: Place | None
    relative: PurePath
    named: bool = True
    trouble: str | None = None

    def __str__(self) -> str:
        return "standard input" if self.path is None else str(self.path)


def list_sources(inputs: Iterable[str], extensions: frozenset[str], *, recursive: bool = True, exact: Iterable[str] = ()) -> list[Source]:
    """All inputs in order, each file once: files as named, folders and patterns expanded in the order of names.

    In folders only regular files with one of `extensions` count (lower case, with the dot); hidden files and folders, links to
    folders, FIFOs and devices are passed over. A file that does not exist is kept: opening it will say so. Names that are `exact`
    are neither patterns nor standard input. Raises UsageError for an empty name, or an address of an unknown kind.
    """
    found: dict[str, Source] = {}
    real = RealFolders()
    for given, is_exact in ((given, is_exact) for names, is_exact in ((inputs, False), (exact, True)) for given in names):
        if not given:
            raise UsageError("an input is an empty name; give a file, a folder, or - for standard input")
        for source in _expand(given, extensions, recursive, is_exact):
            key = STDIN if source.path is None else real.place(source.path)
            if key not in found:
                found[key] = source
            elif source.named and not found[key].named:
                found[key] = Source(source.path, found[key].relative)
    return list(found.values())


class RealFolders:
    """The places of many files, with each folder's links followed once."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def place(self, path: PurePath | Url) -> str:
        """`path` without links and dots in its folders; its last part stays as it is."""
        if isinstance(path, Url):
            return str(path.plain)
        folder, name = os.path.split(path)
        if name in ("", ".."):
            return os.path.realpath(path)
        if folder not in self._known:
            self._known[folder] = os.path.realpath(folder)
        return f"{self._known[folder].rstrip(os.sep)}{os.sep}{name}"


def _expand(given: str, extensions: frozenset[str], recursive: bool, exact: bool) -> Iterator[Source]:
    path = place_of(given)
    if given == STDIN and not exact:
        yield Source(None, PurePath("stdin"))
    elif isinstance(path, Url):
        yield from _remote(path, extensions, recursive, exact)
    elif paths.is_folder(path):
        yield from _folder(path, extensions, recursive)
    elif not exact and any(sign in given for sign in PATTERN_SIGNS) and not os.path.lexists(given):
        for match in _matches(path) or [path]:
            yield Source(match, PurePath(match.name))
    else:
        yield Source(path, PurePath(path.name))


def _remote(url: Url, extensions: frozenset[str], recursive: bool, exact: bool) -> Iterator[Source]:
    """What an address stands for, listed as folders and patterns of this machine are."""
    from imgconv.batch import remote

    try:
        if remote.is_folder(url):
            for name, place in remote.files_below(url, recursive=recursive):
                if not f"/{name}".count("/.") and _is_image(name, extensions):
                    yield Source(place, PurePath(name), named=False)
            return
        found = [] if exact or not any(sign in url.path for sign in PATTERN_SIGNS) else remote.matches(url)
    except ImageError as error:
        yield Source(url, PurePath(url.name), named=False, trouble=str(error))
        return
    for place in found or [url]:
        yield Source(place, PurePath(place.name))


def _matches(pattern: Path) -> list[Path]:
    """Files that a pattern means where no shell has expanded it; hidden ones only where the pattern says so."""
    found = Path(pattern.anchor).glob(str(pattern.relative_to(pattern.anchor)))
    return sorted(path for path in found if not any(part.startswith(".") and part not in pattern.parts for part in path.parts))


def _folder(folder: Path, extensions: frozenset[str], recursive: bool) -> Iterator[Source]:
    waiting = [PurePath()]
    while waiting:
        relative = waiting.pop()
        here, deeper = folder / relative, []
        try:
            with os.scandir(here) as entries:
                listed = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            yield Source(here, relative, named=False, trouble=reason(error))
            continue
        for entry in listed:
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                deeper.append(relative / entry.name)
            elif _is_image(entry.name, extensions) and _is_regular(entry):
                yield Source(here / entry.name, relative / entry.name, named=False)
        if recursive:
            waiting += reversed(deeper)


def _is_image(name: str, extensions: frozenset[str]) -> bool:
    return f".{name.rpartition('.')[2].lower()}" in extensions


def _is_regular(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_file()
    except OSError:  # a link that leads to itself, or where we may not look
        return False


def read_names(where: str) -> list[str]:
    """The names in a file, or on standard input for `-`, each ended by a zero byte (the last one's may be missing).

    Names are bytes to the file system and stay so, whatever their encoding. Raises UsageError for a list that is not of that form,
    ImageError for one that cannot be read.
    """
    try:
        data = sys.stdin.buffer.read() if where == STDIN else Path(where).read_bytes()
    except OSError as error:
        raise ImageError(f"--files0-from {where}: {reason(error)}") from None
    if b"\0" not in data and b"\n" in data:
        raise UsageError(f"--files0-from {where} has lines, not names ended by zero bytes; make it with find -print0")
    names = data.split(b"\0")
    if names[-1] == b"":
        names.pop()
    if b"" in names:
        raise UsageError(f"--files0-from {where} has an empty name, number {names.index(b'') + 1}")
    return [_decoded(name) for name in names]


def _decoded(name: bytes) -> str:
    return name.decode(sys.getfilesystemencoding(), sys.getfilesystemencodeerrors())
