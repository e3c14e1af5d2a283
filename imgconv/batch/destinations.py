"""Where results go: output names, what `-o` and `--format` mean, and that no input is written to.

Every reason to refuse output names before any work: outputs that meet, that would replace an input, that leave the output folder.

Outputs that exist already: whether they are whole, and what made them.

Standard output as the place where results go.
"""

import os
import stat
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import BufferedIOBase, BytesIO
from pathlib import Path, PurePath
from typing import Any, BinaryIO, cast

from imgconv.batch import paths
from imgconv.batch.paths import Place, Url, place_of
from imgconv.batch.sources import STDIN, RealFolders, Source
from imgconv.errors import ImageError, ImgconvError, UsageError
from imgconv.images import Header, format_for, open_frames, read_header
from imgconv.images.formats import OUTPUTS

ARRAYS = ("npy", "npz")  # formats that hold all maps of an image in one file
SEVERAL_MAPS = (*ARRAYS, "tiff")

Identity = tuple[int, int] | Url


@dataclass(frozen=True)
class Destination:
    """Where a run writes: a `folder` (None: beside each input), or one `file`, or standard output; always in `format`.

    `suffix` ends derived names. `explicit` says that the format was asked for rather than taken by default.
    """

    format: str
    suffix: str
    folder: Place | None = None
    file: Place | None = None
    stdout: bool = False
    explicit: bool = False

    def outputs(self, source: Source, names: Sequence[str], command: str) -> tuple[Place, ...]:
        """The files that `source` gives, one for each of `names` (or one for all in an array format); none for standard output."""
        if self.stdout:
            return ()
        if self.file is not None:
            return (self.file,)
        folder = _beside(source) if self.folder is None else self.folder / source.relative.parent
        stem = source.relative.stem
        return tuple(folder / f"{stem}{ending}" for ending in self.endings(names, command))

    def endings(self, names: Sequence[str], command: str) -> tuple[str, ...]:
        """What derived names have in place of an input's extension."""
        parts = names if self.format not in ARRAYS else (names[0] if len(names) == 1 else command,)
        return tuple(f".{part}{self.suffix}" for part in parts)

    def adapted(self, header: Header) -> "Destination":
        """The destination for one image, where the format was not asked for.

        Standard output answers PNM with PNM and arrays with arrays; pages and float images, which PNG cannot hold, become TIFF.
        """
        if self.explicit:
            return self
        if self.stdout and header.format in ("pnm", "npy"):
            return replace(self, format=header.format)
        if (header.frames > 1 and not header.animated) or header.dtype.startswith("float"):
            return self.of_pages()
        return self

    def of_pages(self) -> "Destination":
        """The same with the format of images that PNG cannot hold."""
        return replace(self, format="tiff", suffix=".tiff")


def _beside(source: Source) -> Place:
    return Path() if source.path is None else source.path.parent


def destination_for(output: str | None, format: str | None, inputs: Sequence[str], maps: int) -> Destination:
    """The destination that `-o` and `--format` mean for these inputs and this number of maps per image.

    Raises UsageError for an unknown format, a format that contradicts the name, or one file for what does not fit in it.
    """
    asked = format_for(format) if format is not None else None
    if output == "":
        raise UsageError("-o is an empty name; give a file, a folder, or - for standard output")
    if output == STDIN or (output is None and list(inputs) == [STDIN]):
        return Destination(asked or "png", "", stdout=True, explicit=asked is not None)
    if output is None and STDIN in inputs:
        raise UsageError("results of standard input and of files need a common place; give a folder with -o")
    if output is None or _means_folder(output, inputs):
        folder = None if output is None else place_of(output)
        return Destination(asked or "png", _suffix(format), folder=folder, explicit=asked is not None)
    return _one_file(place_of(output), asked, maps)


def _means_folder(output: str, inputs: Sequence[str]) -> bool:
    path = place_of(output)
    is_local = isinstance(path, Path)
    if output.endswith(("/", os.sep)) or (path.is_dir() if isinstance(path, Path) else path.means_folder):
        return True
    many = len(inputs) != 1 or _gives_several(inputs[0])
    if many and ((is_local and paths.exists(path)) or any(path.suffix.lower() in known.extensions for known in OUTPUTS.values())):
        raise UsageError(f"-o {output} is a file, but the inputs give several results; give a folder")
    return many or (path.suffix == "" and not (is_local and paths.exists(path)))


def _gives_several(given: str) -> bool:
    """Whether an input is a folder. What nobody answers for is one file, which will say so."""
    try:
        return paths.is_folder(place_of(given))
    except ImageError:
        return False


def _one_file(path: Place, asked: str | None, maps: int) -> Destination:
    named = format_for(PurePath(path.name)) if path.suffix else asked or "png"
    if asked is not None and asked != named:
        raise UsageError(f"--format {asked} contradicts the name {path}; leave one of them out")
    if maps > 1 and named not in SEVERAL_MAPS:
        raise UsageError(f"{maps} maps do not fit in one {named} file; give a folder with -o, or a name ending in .npz, .npy or .tiff")
    return Destination(named, path.suffix, file=path, explicit=True)


def _suffix(format: str | None) -> str:
    """The ending of derived names: the one that was typed where it is one, else the usual one of the format."""
    usual = OUTPUTS[format_for(format or "png")].extensions
    typed = f".{(format or '').lower().lstrip('.')}"
    return typed if typed in usual else usual[0]


def identities(sources: Iterable[Source]) -> dict[Identity, str]:
    """The inputs that exist, known by device and file number; remote ones by their address."""
    found = ((_identity(source.path), source) for source in sources if source.path is not None)
    return {identity: str(source) for identity, source in found if identity is not None}


def refuse_input(path: Place, inputs: Mapping[Identity, str]) -> None:
    """Raise UsageError when writing `path` would replace one of `inputs` (see `identities`)."""
    identity = _identity(path)
    named = None if identity is None else inputs.get(identity)
    if named is not None:
        raise UsageError(f"output {path} is the input {named}; choose another name with -o")


def _identity(path: Place) -> Identity | None:
    """What tells a file from all others, whatever leads to it; None for what is no file."""
    if isinstance(path, Url):
        return path.plain
    try:
        status = path.stat()
    except OSError:
        return None
    return (status.st_dev, status.st_ino) if stat.S_ISREG(status.st_mode) else None


LONGEST_NAME = 255  # bytes of one name; every common file system's limit


def check_outputs(sources: Sequence[Source], outputs: Iterable[Sequence[Place]], within: Place | None = None) -> None:
    """Refuse, before any work, outputs that meet in one name, would replace an input, or lead out of the folder `within`.

    Names that differ only in case meet, as they do on many disks. Inputs are known by file, whatever link leads to
    them; remote ones by their address.
    """
    inputs = identities(sources)
    real = RealFolders()
    root = None if within is None else _root(within)
    seen: dict[str, Source] = {}
    for source, own in zip(sources, outputs, strict=True):
        for path in own:
            place = os.path.realpath(path) if isinstance(path, Path) and _is_link(path) else real.place(path)
            other = seen.setdefault(place.casefold(), source)
            if other is not source:
                raise UsageError(f"{other} and {source} would both write {path}; give them apart, or rename one")
            if root is not None and not place.startswith(root):
                raise UsageError(f"output {path} would be {place}, outside of {within}; remove the link that leads there")
            refuse_input(path, inputs)


def _root(folder: Place) -> str:
    return (str(folder.plain) if isinstance(folder, Url) else os.path.realpath(folder)).rstrip("/") + "/"


def refuse_long_names(outputs: Iterable[Place]) -> None:
    """Raise ImageError for a name that no file system takes."""
    for path in outputs:
        length = len(os.fsencode(path.name))
        if length > LONGEST_NAME:
            raise ImageError(f"the output's name would have {length} bytes, and {LONGEST_NAME} are allowed; give a shorter one with -o")


class OwnOutputs:
    """Names that a command derives from its inputs, to pass over what an earlier run left in their folders."""

    def __init__(self) -> None:
        self._real = RealFolders()
        self._makers: dict[str, Source] = {}

    def add(self, source: Source, outputs: Iterable[Place]) -> None:
        """Take note of what `source` would give."""
        for path in outputs:
            self._makers.setdefault(self._real.place(path).casefold(), source)

    def has(self, source: Source) -> bool:
        """Whether a source that was found in a folder has a name derived from another one."""
        if source.named or source.path is None:
            return False
        return self._makers.get(self._real.place(source.path).casefold(), source) is not source


def _is_link(path: Path) -> bool:
    try:
        return path.is_symlink()
    except OSError:  # such as a name that is too long, which is that image's own trouble
        return False


PNG_END = b"IEND\xaeB`\x82"


def is_complete(file: Path | bytes) -> bool:
    """Whether a file, or what one holds, is a whole image, or a whole archive of arrays.

    It is read to its end, or for PNG to the mark that ends it.
    """
    from zipfile import is_zipfile  # for what exists alone

    if is_zipfile(BytesIO(file) if isinstance(file, bytes) else file):  # it was found by what stands at its end
        return True
    try:
        with open_frames(file, max_pixels=None) as opened:
            if opened.header.format == "png":
                return _last_bytes(file, len(PNG_END)) == PNG_END
            for _ in opened:
                pass
    except (ImgconvError, OSError):
        return False
    return True


def made_differently(file: Path | bytes, description: str | None) -> bool:
    """Whether an output says that something other than `description` made it; one that says nothing does not count."""
    try:
        made = read_header(file, max_pixels=None).description
    except ImgconvError:
        return False
    return made is not None and made != description


def _last_bytes(file: Path | bytes, count: int) -> bytes:
    if isinstance(file, bytes):
        return file[-count:]
    with file.open("rb") as opened:
        opened.seek(-count, os.SEEK_END)
        return opened.read()


@contextmanager
def standard_output() -> Iterator[BinaryIO]:
    """Standard output, handed on at the end of the block, for a reader that waits for each image."""
    yield cast(BinaryIO, _Pipe())
    sys.stdout.buffer.flush()


class _Pipe(BufferedIOBase):
    """A stream that is only written to: NumPy would write past the buffer of a file, and ask a pipe for its position."""

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        return sys.stdout.buffer.write(data)
