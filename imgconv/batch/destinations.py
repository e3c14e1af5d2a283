"""Destinations of a run: what `-o` and `--format` mean, output names, and the checks that no input and no other output is overwritten."""

import os
import stat
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import BufferedIOBase, BytesIO
from pathlib import Path, PurePath
from typing import Any, BinaryIO, cast

from imgconv.batch import paths
from imgconv.batch.paths import AnyPath, Url, parse_path
from imgconv.batch.sources import STDIN, RealFolders, Source
from imgconv.errors import ImageError, ImgconvError, UsageError
from imgconv.images import Header, format_for, open_frames, read_header
from imgconv.images.formats import OUTPUTS

ARRAYS = ("npy", "npz")  # formats that hold all maps of an image in one file
SEVERAL_MAPS = (*ARRAYS, "tiff")
LONGEST_NAME = 255  # bytes of one name on every common file system
PNG_END = b"IEND\xaeB`\x82"

Identity = tuple[int, int] | Url  # device and inode of a local file


@dataclass(frozen=True)
class Destination:
    """Where a run writes: to a `folder` (None: next to each input), to one `file`, or to standard output; always in `format`.

    `suffix` ends derived names. `explicit` means that the user chose the format.
    """

    format: str
    suffix: str
    folder: AnyPath | None = None
    file: AnyPath | None = None
    stdout: bool = False
    explicit: bool = False

    def outputs(self, source: Source, names: Sequence[str], command: str) -> tuple[AnyPath, ...]:
        """Return the output files of `source`: one per map in `names`, one for all in an array format, none for standard output."""
        if self.stdout:
            return ()
        if self.file is not None:
            return (self.file,)
        folder = self.folder / source.relative.parent if self.folder is not None else source.path.parent if source.path else Path()
        return tuple(folder / f"{source.relative.stem}{ending}" for ending in self.endings(names, command))

    def endings(self, names: Sequence[str], command: str) -> tuple[str, ...]:
        """Return what replaces an input's extension in derived names."""
        parts = names if self.format not in ARRAYS else (names[0] if len(names) == 1 else command,)
        return tuple(f".{part}{self.suffix}" for part in parts)

    def adapted(self, header: Header) -> "Destination":
        """Return the destination for one image, if the user did not choose the format.

        PNM and arrays are written to standard output in their own format. Pages and float images, which PNG cannot hold, become TIFF.
        """
        if self.explicit:
            return self
        if self.stdout and header.format in ("pnm", "npy"):
            return replace(self, format=header.format)
        if (header.frames > 1 and not header.animated) or header.dtype.startswith("float"):
            return self.as_tiff()
        return self

    def as_tiff(self) -> "Destination":
        """Return the destination for images that PNG cannot hold."""
        return replace(self, format="tiff", suffix=".tiff")


def destination_for(output: str | None, format: str | None, inputs: Sequence[str], maps: int) -> Destination:
    """Return the destination that `-o` and `--format` mean for these inputs and this number of maps per image.

    Raises UsageError for an unknown format, a format that contradicts the name, or one file for several results.
    """
    chosen = format_for(format) if format is not None else None
    if output == "":
        raise UsageError("-o is an empty name; give a file, a folder, or - for standard output")
    if output == STDIN or (output is None and list(inputs) == [STDIN]):
        return Destination(chosen or "png", "", stdout=True, explicit=chosen is not None)
    if output is None and STDIN in inputs:
        raise UsageError("results of standard input and of files need a common folder; give one with -o")
    if output is None or _is_folder_name(output, inputs):
        folder = None if output is None else parse_path(output)
        return Destination(chosen or "png", _suffix(format), folder=folder, explicit=chosen is not None)
    return _one_file(parse_path(output), chosen, maps)


def _is_folder_name(output: str, inputs: Sequence[str]) -> bool:
    path = parse_path(output)
    if output.endswith(("/", os.sep)) or (path.is_dir() if isinstance(path, Path) else path.is_folder_name):
        return True
    is_file = isinstance(path, Path) and paths.exists(path)
    several = len(inputs) != 1 or _is_input_folder(inputs[0])
    if several and (is_file or any(path.suffix.lower() in known.extensions for known in OUTPUTS.values())):
        raise UsageError(f"-o {output} is a file, but the inputs give several results; give a folder")
    return several or (path.suffix == "" and not is_file)


def _is_input_folder(name: str) -> bool:
    try:
        return paths.is_folder(parse_path(name))
    except ImageError:  # a storage that does not respond: opening the file reports it
        return False


def _one_file(path: AnyPath, chosen: str | None, maps: int) -> Destination:
    format = format_for(PurePath(path.name)) if path.suffix else chosen or "png"
    if chosen is not None and chosen != format:
        raise UsageError(f"--format {chosen} contradicts the name {path}; leave one of them out")
    if maps > 1 and format not in SEVERAL_MAPS:
        raise UsageError(f"{maps} maps do not fit in one {format} file; give a folder with -o, or a name ending in .npz, .npy or .tiff")
    return Destination(format, path.suffix, file=path, explicit=True)


def _suffix(format: str | None) -> str:
    """Return the extension of derived names: the one given as the format, or else the usual one of the format."""
    extensions = OUTPUTS[format_for(format or "png")].extensions
    given = f".{(format or '').lower().lstrip('.')}"
    return given if given in extensions else extensions[0]


def identities(sources: Iterable[Source]) -> dict[Identity, str]:
    """Map the identity of every input that exists to its name: device and inode of a local file, the URL of a remote one."""
    known = ((_identity(source.path), source) for source in sources if source.path is not None)
    return {identity: str(source) for identity, source in known if identity is not None}


def refuse_input(path: AnyPath, inputs: Mapping[Identity, str]) -> None:
    """Raise UsageError if writing `path` would replace one of `inputs` (see `identities`)."""
    identity = _identity(path)
    name = None if identity is None else inputs.get(identity)
    if name is not None:
        raise UsageError(f"output {path} is the input {name}; choose another name with -o")


def _identity(path: AnyPath) -> Identity | None:
    """Return what is the same for all names of a file; None if it is not a regular file."""
    if isinstance(path, Url):
        return path.normalised
    try:
        status = path.stat()
    except OSError:
        return None
    return (status.st_dev, status.st_ino) if stat.S_ISREG(status.st_mode) else None


def check_outputs(sources: Sequence[Source], outputs: Iterable[Sequence[AnyPath]], within: AnyPath | None = None) -> None:
    """Refuse, before any work, outputs with the same name, outputs that are inputs, and outputs outside of the folder `within`.

    Names that differ only in case or Unicode normal form count as the same, as on many disks.
    """
    inputs = identities(sources)
    folders = RealFolders()
    root = None if within is None else (str(within.normalised) if isinstance(within, Url) else os.path.realpath(within)).rstrip("/") + "/"
    writers: dict[str, Source] = {}
    for source, own in zip(sources, outputs, strict=True):
        for path in own:
            real = os.path.realpath(path) if isinstance(path, Path) and _is_link(path) else folders.resolve(path)
            other = writers.setdefault(fold_case(real), source)
            if other is not source:
                raise UsageError(f"{other} and {source} would both write {path}; process them separately, or rename one")
            if root is not None and not real.startswith(root):
                raise UsageError(f"output {path} would be {real}, outside of {within}; remove the link that leads there")
            refuse_input(path, inputs)


def fold_case(name: str) -> str:
    """Return a form of a file name that is equal for names which a file system may take for the same.

    Each character is folded to one character: file systems keep "ß" and "ss" apart.

    >>> fold_case("Ä.PNG") == fold_case("a\\u0308.png"), fold_case("straße") == fold_case("strasse")
    (True, False)
    """
    if name.isascii():
        return name.lower()
    return "".join(folded if len(folded := c.casefold()) == 1 else c.lower() for c in unicodedata.normalize("NFC", name))


def refuse_long_names(outputs: Iterable[AnyPath]) -> None:
    """Raise ImageError for a name that is too long for every file system."""
    for path in outputs:
        length = len(os.fsencode(path.name))
        if length > LONGEST_NAME:
            raise ImageError(f"the output's name would have {length} bytes, and {LONGEST_NAME} are allowed; give a shorter one with -o")


class OwnOutputs:
    """Output names that a command derives from its inputs, to skip the results of an earlier run in the same folders."""

    def __init__(self) -> None:
        self._folders = RealFolders()
        self._sources: dict[str, Source] = {}

    def add(self, source: Source, outputs: Iterable[AnyPath]) -> None:
        """Add the outputs of `source`."""
        for path in outputs:
            self._sources.setdefault(fold_case(self._folders.resolve(path)), source)

    def has(self, source: Source) -> bool:
        """Whether a source that was listed from a folder has the name of another source's output."""
        if source.named or source.path is None:
            return False
        return self._sources.get(fold_case(self._folders.resolve(source.path)), source) is not source


def _is_link(path: Path) -> bool:
    try:
        return path.is_symlink()
    except OSError:  # for example a name that is too long, which is reported when the image is written
        return False


def is_complete(file: Path | bytes) -> bool:
    """Whether a file, or its contents, is a complete image or archive of arrays: it is decoded to its end, or for PNG to its end mark."""
    from zipfile import is_zipfile  # only needed if an output exists

    if is_zipfile(BytesIO(file) if isinstance(file, bytes) else file):  # its directory is at its end
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


def has_other_description(file: Path | bytes, description: str | None) -> bool:
    """Whether the metadata of an output describe another recipe or version than `description`; False without a description."""
    try:
        found = read_header(file, max_pixels=None).description
    except ImgconvError:
        return False
    return found is not None and found != description


def _last_bytes(file: Path | bytes, count: int) -> bytes:
    if isinstance(file, bytes):
        return file[-count:]
    with file.open("rb") as opened:
        opened.seek(-count, os.SEEK_END)
        return opened.read()


@contextmanager
def standard_output() -> Iterator[BinaryIO]:
    """Yield standard output, and flush it at the end of the block, so that its reader gets each image when it is complete."""
    yield cast(BinaryIO, _Pipe())
    sys.stdout.buffer.flush()


class _Pipe(BufferedIOBase):
    """A write-only stream on standard output. NumPy would write past the buffer of a file object, and query the position of a pipe."""

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        return sys.stdout.buffer.write(data)
