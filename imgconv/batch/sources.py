"""Where pictures come from: files, folders, patterns, standard input."""

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath

STDIN = "-"
PATTERN_SIGNS = "*?["


@dataclass(frozen=True)
class Source:
    """One input: its path (None for standard input), its place below the output folder, and whether it was named outright."""

    path: Path | None
    relative: PurePath
    named: bool = True

    def __str__(self) -> str:
        return "standard input" if self.path is None else str(self.path)


def list_sources(inputs: Iterable[str], extensions: frozenset[str], *, recursive: bool = True) -> list[Source]:
    """All inputs in order, each file once: files as named, folders and patterns expanded in the order of names.

    In folders only regular files with one of `extensions` count (lower case, with the dot); hidden files and folders, links to
    folders, FIFOs and devices are passed over. A file that does not exist is kept: opening it will say so.
    """
    found: dict[str, Source] = {}
    for given in inputs:
        for source in _expand(given, extensions, recursive):
            key = STDIN if source.path is None else str(source.path.parent.resolve() / source.path.name)
            if key not in found or source.named:
                found.setdefault(key, source)
    return list(found.values())


def _expand(given: str, extensions: frozenset[str], recursive: bool) -> Iterator[Source]:
    path = Path(given)
    if given == STDIN:
        yield Source(None, PurePath("stdin"))
    elif path.is_dir():
        yield from _folder(path, extensions, recursive)
    elif not path.exists() and any(sign in given for sign in PATTERN_SIGNS):
        for match in _matches(path) or [path]:
            yield Source(match, PurePath(match.name))
    else:
        yield Source(path, PurePath(path.name))


def _matches(pattern: Path) -> list[Path]:
    """Files that a pattern means where no shell has expanded it; hidden ones only where the pattern says so."""
    found = Path(pattern.anchor).glob(str(pattern.relative_to(pattern.anchor)))
    return sorted(path for path in found if not any(part.startswith(".") and part not in pattern.parts for part in path.parts))


def _folder(folder: Path, extensions: frozenset[str], recursive: bool) -> Iterator[Source]:
    for current, folders, files in os.walk(folder):
        folders[:] = sorted(f for f in folders if not f.startswith(".")) if recursive else []
        for name in sorted(files):
            path = Path(current, name)
            if not name.startswith(".") and path.suffix.lower() in extensions and _is_regular(path):
                yield Source(path, path.relative_to(folder), named=False)


def _is_regular(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return False
