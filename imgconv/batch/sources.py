"""Input sources: expand files, folders, patterns, URLs and lists of names into one source per image; read the first images of a few."""

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePath
from typing import NamedTuple

from imgconv.batch import paths
from imgconv.batch.urls import AnyPath, Url, parse_path
from imgconv.errors import ImageError, UsageError, reason
from imgconv.images import ANY_SIZE, Header, Raster, Request, has_image_extension, open_frames, read_header, read_whole
from imgconv.images.formats import FORMATS, SIGNATURE_LENGTH, sniff
from imgconv.images.zarr.store import SUFFIX, Readable, is_zarr
from imgconv.inputs import Inputs
from imgconv.platforms import local_name, reachable

STDIN = "-"
WILDCARDS = "*?["


class Source(NamedTuple):
    """One input: its path (None for standard input), its path below the output folder, and whether it was named explicitly.

    `error` is why a folder cannot be listed; such a source yields only this error. With `keeps_extension` the names of results contain
    the extension, since the name of another file differs only in it.
    """

    path: AnyPath | None
    relative: PurePath
    named: bool = True
    error: str | None = None
    keeps_extension: bool = False

    @property
    def stem(self) -> str:
        """The part of the name with which results begin."""
        return self.relative.name if self.keeps_extension else self.relative.stem

    @property
    def folder(self) -> AnyPath:
        """The folder that holds the input; that of the whole Zarr for a part of one."""
        if self.path is None:
            return Path()
        return (paths.zarr_root(self.path) if self.relative.suffix.lower() == SUFFIX else self.path).parent

    def __str__(self) -> str:
        return "standard input" if self.path is None else str(self.path)


class FileNames(NamedTuple):
    """The files of a run as they are named: inputs, those in lists (`exact`), and where results go.

    Names in `exact` are neither patterns nor standard input. `others` are files besides images that the run reads, such as weights.
    """

    inputs: Sequence[str]
    exact: Sequence[str] = ()
    output: str | None = None
    format: str | None = None
    recursive: bool = True
    others: Sequence[Path] = ()

    def sources(self) -> list[Source]:
        """Return the sources of all inputs, see `list_sources`."""
        return list_sources(self.inputs, recursive=self.recursive, exact=self.exact)

    def no_images(self) -> ImageError:
        """Return the error of a run whose inputs contain no image."""
        return ImageError(f"no images in {', '.join(self.inputs) or 'the list'}; give files, or a folder with images")


def list_sources(inputs: Iterable[str], *, recursive: bool = True, exact: Iterable[str] = ()) -> list[Source]:
    """List all inputs, each file once: files in the order given, the contents of folders and patterns in the order of names.

    In folders only regular files with the extension of an image count, files without an extension whose contents are an image, and the
    folders of Zarr arrays, which are one image each; hidden files and folders, links to folders, FIFOs and devices are skipped. A file that
    does not exist is listed, and fails when it is opened. Names in `exact` are neither patterns nor
    standard input. Raises UsageError for an empty name, or an unknown kind of URL.
    """
    sources: dict[str, Source] = {}
    folders = RealFolders()
    for name, is_exact in [*((name, False) for name in inputs), *((name, True) for name in exact)]:
        if not name:
            raise UsageError("an input is an empty name; give a file, a folder, or - for standard input")
        for source in _expand(name, recursive, is_exact):
            key = STDIN if source.path is None else folders.resolve(source.path)
            if key not in sources:
                sources[key] = source
            elif source.named and not sources[key].named:
                sources[key] = Source(source.path, sources[key].relative)
    return list(sources.values())


def only_file(name: str) -> str:
    """Return the file that a pattern matches which no shell has expanded, and any other name as it is.

    Raises UsageError for a pattern that matches several files.
    """
    path = parse_path(name)
    if isinstance(path, Url) or not _is_pattern(name, path):
        return name
    matches = _glob(path)
    if len(matches) > 1:
        raise UsageError(f"{name} matches {len(matches)} files; name one of them, such as {matches[0]}")
    return str(matches[0]) if matches else name


def inputs_of(sources: Iterable[Source], others: Iterable[Path] = ()) -> Inputs:
    """Return the files of sources, and other files that a command reads."""
    sources = tuple(sources)
    files = (paths.identified(source.path) for source in sources if source.path is not None)
    return Inputs((*files, *others), reads_stdin=any(source.path is None for source in sources))


def first_image(name: str, request: Request) -> Raster:
    """Read the first frame of a path, a URL or `-`. Raises ImageError, which names it, and UsageError if standard output goes to it."""
    return first_frame(name, request)[0]


def first_frame(name: str, request: Request) -> tuple[Raster, int]:
    """Read the first frame of a path, a URL or `-`, and the number of frames. Raises ImageError, which names it."""
    path = None if name == STDIN else parse_path(name)
    Inputs([] if path is None else [paths.identified(path)], reads_stdin=path is None).refuse_stdout()
    try:
        file = _contents(path, request.max_pixels)
        with open_frames(file, request) as opened:
            return next(iter(opened)), opened.header.frames
    except OSError as error:
        text = str(error) if isinstance(error, ImageError) else reason(error)
        raise ImageError(f"{'standard input' if name == STDIN else name}: {text}") from None


def headers(inputs: Sequence[str], request: Request) -> Iterator[tuple[str, Header | ImageError]]:
    """Yield the name and the header, or the error, of every image in `inputs`; nothing is decoded.

    Raises UsageError if standard output goes to one of them.
    """
    sources = list_sources(inputs)
    inputs_of(sources).refuse_stdout()
    for source in sources:
        try:
            yield str(source), read_header(_contents(source.path, request.max_pixels), request)
        except ImageError as error:
            yield str(source), error


class RealFolders:
    """Resolves the paths of many files, and the links of each folder only once."""

    def __init__(self) -> None:
        self._real: dict[str, str] = {}

    def resolve(self, path: PurePath | Url) -> str:
        """Return `path` without links and dots in its folders; its last part does not change."""
        if isinstance(path, Url):
            return str(path.normalised)
        folder, name = os.path.split(path)
        if name in ("", ".."):
            return os.path.realpath(path)
        if folder not in self._real:
            self._real[folder] = os.path.realpath(folder)
        return f"{self._real[folder].rstrip(os.sep)}{os.sep}{name}"


def read_names(file: str) -> list[str]:
    """Read the names in a file, or on standard input for `-`, each ended by a zero byte (optional for the last one).

    Names are decoded as the file system does it. Raises UsageError for a list of another form, ImageError for one that cannot be
    read.
    """
    try:
        data = sys.stdin.buffer.read() if file == STDIN else Path(file).read_bytes()
    except OSError as error:
        raise ImageError(f"--files0-from {file}: {reason(error)}") from None
    if b"\0" not in data and b"\n" in data:
        raise UsageError(f"--files0-from {file} has lines, not names ended by zero bytes; make it with find -print0")
    names = data.split(b"\0")
    if names[-1] == b"":
        names.pop()
    if b"" in names:
        raise UsageError(f"--files0-from {file} has an empty name, number {names.index(b'') + 1}")
    return [os.fsdecode(name) for name in names]


def _expand(name: str, recursive: bool, exact: bool) -> Iterator[Source]:
    path = parse_path(name)
    if name == STDIN and not exact:
        yield Source(None, PurePath("stdin"))
    elif paths.is_zarr(path):
        yield Source(path, _zarr_name(path))
    elif isinstance(path, Url):
        yield from _remote(path, recursive, exact)
    elif paths.is_folder(path):
        yield from _folder(path, recursive)
    elif not exact and _is_pattern(name, path):
        for match in _glob(path) or [path]:
            yield Source(match, PurePath(match.name))
    else:
        yield Source(path, PurePath(path.name))


def _remote(url: Url, recursive: bool, exact: bool) -> Iterator[Source]:
    """Expand a URL by the rules for local folders and patterns."""
    from imgconv.batch import remote

    try:
        if remote.is_folder(url):
            for name, file in remote.list_files(url, recursive=recursive):
                name, path = _whole_zarr(name, file)
                if not f"/{name}".count("/.") and has_image_extension(name):
                    yield Source(path, PurePath(local_name(name)), named=False)
            return
        matches = [] if exact or not any(sign in url.path for sign in WILDCARDS) else remote.glob(url)
    except ImageError as error:
        yield Source(url, PurePath(local_name(url.name)), named=False, error=str(error))
        return
    for match in matches or [url]:
        yield Source(match, PurePath(local_name(match.name)))


def _zarr_name(path: AnyPath) -> PurePath:
    """Return the name from which those of results are derived: for a part of a Zarr that of the Zarr and of the part.

    >>> [str(_zarr_name(parse_path(f"s3://photos/{name}"))) for name in ("a.zarr/0", "a.zarr")]
    ['a-0.zarr', 'a.zarr']
    """
    root = paths.zarr_root(path)
    below = str(path).rstrip("/").removeprefix(str(root)).replace(os.sep, "-").replace("/", "-")
    return PurePath(local_name(f"{PurePath(root.name).stem}{below}{SUFFIX}" if below else path.name))


def _whole_zarr(name: str, file: Url) -> tuple[str, AnyPath]:
    """Return the name and place of the outermost Zarr that a remote file is a part of; its own without one."""
    root = paths.zarr_root(file)
    rest = str(file).removeprefix(str(root))
    return (name.removesuffix(rest), root) if len(rest) < len(name) else (name, file)


def _is_pattern(name: str, path: Path) -> bool:
    """Whether a name has wildcards, and is not that of a file."""
    return any(sign in name.removeprefix(path.anchor) for sign in WILDCARDS) and not os.path.lexists(name)


def _glob(pattern: Path) -> list[Path]:
    """List the files that match a pattern which no shell has expanded; hidden files must be named."""
    matches = Path(pattern.anchor).glob(str(pattern.relative_to(pattern.anchor)))
    return sorted(path for path in matches if not any(part.startswith(".") and part not in pattern.parts for part in path.parts))


def _folder(root: Path, recursive: bool) -> Iterator[Source]:
    remaining = [PurePath()]
    while remaining:
        relative = remaining.pop()
        folder, subfolders = reachable(root / relative), []
        try:
            with os.scandir(folder) as scan:
                entries = sorted(scan, key=lambda entry: entry.name)
        except OSError as error:
            yield Source(folder, relative, named=False, error=reason(error))
            continue
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                if is_zarr(Path(entry.path)):
                    yield Source(reachable(folder / entry.name), relative / entry.name, named=False)
                else:
                    subfolders.append(relative / entry.name)
            elif _is_image(entry):
                yield Source(reachable(folder / entry.name), relative / entry.name, named=False)
        if recursive:
            remaining += reversed(subfolders)


def _is_image(entry: "os.DirEntry[str]") -> bool:
    """Whether an entry of a folder is a regular file with the extension of an image, or one without an extension that holds an image."""
    if "." in entry.name:
        return has_image_extension(entry.name) and _is_regular(entry)
    return _is_regular(entry) and _holds_image(Path(entry.path))


def _holds_image(path: Path) -> bool:
    """Whether a file begins with the signature and the header of an image format."""
    try:
        with path.open("rb") as file:
            format = sniff(file.read(SIGNATURE_LENGTH))
        if format is None or format == "tga" or not FORMATS[format].channels:  # the first bytes of a TGA file could be anything
            return False
        read_header(path, ANY_SIZE)
    except OSError:
        return False
    return True


def _is_regular(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_file()
    except OSError:  # a link to itself, or a folder without access
        return False


def _contents(path: AnyPath | None, max_pixels: int | None) -> Readable:
    if path is not None:
        return paths.path_or_bytes(path, max_pixels)
    if sys.stdin is None:
        raise ImageError("it is closed; give a file, or a pipe")
    return read_whole(sys.stdin.buffer, max_pixels=max_pixels)
