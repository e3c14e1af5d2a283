"""Destinations of a run: what `-o` and `--format` mean, and the names of outputs."""

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path, PurePath
from typing import BinaryIO, NamedTuple

from imgconv.atomic import is_stdout
from imgconv.batch import paths
from imgconv.batch.sources import STDIN, Source
from imgconv.batch.urls import AnyPath, parse_path
from imgconv.errors import ImageError, ImgconvError, UsageError
from imgconv.images import ANY_SIZE, Header, format_for, open_frames, read_header
from imgconv.images.formats import OUTPUTS
from imgconv.images.zarr.store import SUFFIX, Readable, Store, is_zarr
from imgconv.recipe import Recipe

ARRAYS = ("npy", "npz")  # formats that hold all maps of an image in one file
SEVERAL_MAPS = (*ARRAYS, "tiff", "zarr")
LONGEST_NAME = 255  # bytes of one name on every common file system
PNG_END = b"IEND\xaeB`\x82"


class Destination(NamedTuple):
    """Where a run writes: to a `folder` (None: next to each input), to one `file`, or to standard output; always in `format`.

    `suffix` ends derived names. `explicit` means that the user chose the format.
    """

    format: str
    suffix: str
    folder: AnyPath | None = None
    file: AnyPath | None = None
    stdout: bool = False
    explicit: bool = False

    def outputs(self, source: Source, recipe: Recipe) -> tuple[AnyPath, ...]:
        """Return the output files of `source`: one per map of the recipe, one for all in an array format, none for standard output."""
        if self.stdout:
            return ()
        if self.file is not None:
            return (self.file,)
        folder = self.folder / source.relative.parent if self.folder is not None else source.folder
        return tuple(folder / f"{source.stem}{ending}" for ending in self.endings(recipe))

    def endings(self, recipe: Recipe) -> tuple[str, ...]:
        """Return what replaces an input's extension in derived names."""
        names = recipe.names
        parts = names if self.format not in ARRAYS else (names[0] if len(names) == 1 else recipe.command,)
        return tuple(f".{part}{self.suffix}" for part in parts)

    def adapted(self, header: Header) -> "Destination":
        """Return the destination for one image, if the user did not choose the format.

        PNM and arrays are written to standard output in their own format. Files that are measurements keep theirs. Pages, float images
        and those of many bands, which PNG cannot hold, become TIFF.
        """
        if self.explicit:
            return self
        if self.stdout and header.format in ("pnm", "npy"):
            return self._replace(format=header.format)
        if header.measured:
            return self.as_format(header.format) if OUTPUTS.get(header.format) else self.as_tiff()
        is_float, has_pages = header.dtype.startswith("float"), header.frames > 1 and not header.animated
        if is_float or has_pages or header.channels > max(OUTPUTS["png"].channels):
            return self.as_tiff()
        return self

    def possible(self) -> "tuple[Destination, ...]":
        """Return every destination that `adapted` may return for an image that PNG cannot hold, and this one."""
        return (self,) if self.explicit else (self, self.as_tiff(), self.as_format("fits"), self.as_format("zarr"))

    def as_tiff(self) -> "Destination":
        """Return the destination for images that PNG cannot hold."""
        return self.as_format("tiff")

    def as_format(self, name: str) -> "Destination":
        """Return the destination for images in another format."""
        return self._replace(format=name, suffix=".tiff" if name == "tiff" else OUTPUTS[name].extensions[0])


def destination_for(output: str | None, format: str | None, inputs: Sequence[str], maps: int) -> Destination:
    """Return the destination that `-o` and `--format` mean for these inputs and this number of maps per image.

    Raises UsageError for an unknown format, a format that contradicts the name, or one file for several results.
    """
    format_name = format_for(format) if format is not None else None
    if output == "":
        raise UsageError("-o is an empty name; give a file, a folder, or - for standard output")
    if is_standard_output(output, inputs):
        if format_name == "zarr":
            raise UsageError("a Zarr is a folder, which standard output cannot hold; give its name with -o")
        return Destination(format_name or "png", "", stdout=True, explicit=format_name is not None)
    if output is None and STDIN in inputs:
        raise UsageError("results of standard input and of files need a common folder; give one with -o")
    if output is None or _is_folder_name(output, inputs):
        folder = None if output is None else parse_path(output)
        return Destination(format_name or "png", _suffix(format), folder=folder, explicit=format_name is not None)
    return _one_file(parse_path(output), format_name, maps)


def is_standard_output(output: str | None, inputs: Sequence[str]) -> bool:
    """Whether results go to standard output: by its name, or because there is no other name and standard input is the only input."""
    if output is None:
        return list(inputs) == [STDIN]
    path = parse_path(output)
    return output == STDIN or (isinstance(path, Path) and is_stdout(path))


def _is_folder_name(output: str, inputs: Sequence[str]) -> bool:
    path = parse_path(output)
    if len(inputs) == 1 and path.suffix.lower() == SUFFIX and not _is_input_folder(inputs[0]):
        return False  # the folder of one image
    if output.endswith(("/", os.sep)) or (os.path.isdir(path) if isinstance(path, Path) else path.is_folder_name):
        return True
    is_file = isinstance(path, Path) and paths.exists(path)
    several = len(inputs) != 1 or _is_input_folder(inputs[0])
    if several and (is_file or any(path.suffix.lower() in known.extensions for known in OUTPUTS.values())):
        raise UsageError(f"-o {output} is a file, but the inputs give several results; give a folder")
    return several or (path.suffix == "" and not is_file)


def _is_input_folder(name: str) -> bool:
    try:
        path = parse_path(name)
        return not paths.is_zarr(path) and paths.is_folder(path)
    except ImageError:  # a storage that does not respond: opening the file reports it
        return False


def _one_file(path: AnyPath, format_name: str | None, maps: int) -> Destination:
    format = format_for(PurePath(path.name)) if path.suffix else format_name or "png"
    if format_name is not None and format_name != format:
        raise UsageError(f"--format {format_name} contradicts the name {path}; leave one of them out")
    if maps > 1 and format not in SEVERAL_MAPS:
        raise UsageError(f"{maps} maps do not fit in one {format} file; give a folder with -o, or a name ending in .npz, .npy or .tiff")
    return Destination(format, path.suffix, file=path, explicit=True)


def _suffix(format: str | None) -> str:
    """Return the extension of derived names: the one given as the format, or else the usual one of the format."""
    extensions = OUTPUTS[format_for(format or "png")].extensions
    extension = f".{(format or '').lower().lstrip('.')}"
    return extension if extension in extensions else extensions[0]


def refuse_long_names(outputs: Iterable[AnyPath]) -> None:
    """Raise ImageError for a name that is too long for every file system."""
    for path in outputs:
        length = len(os.fsencode(path.name))
        if length > LONGEST_NAME:
            raise ImageError(f"the output's name would have {length} bytes, and {LONGEST_NAME} are allowed; give a shorter one with -o")


def is_complete(file: Readable) -> bool:
    """Whether a file, or its contents, is a complete image or archive of arrays: it is decoded to its end, or for PNG to its end mark.

    A Zarr gets its name, or its metadata in a storage, when it is complete.
    """
    from zipfile import is_zipfile  # only needed if an output exists

    try:
        if isinstance(file, Store) or (isinstance(file, Path) and is_zarr(file)):
            read_header(file, ANY_SIZE)
            return True
        if is_zipfile(BytesIO(file) if isinstance(file, bytes) else file):  # its directory is at its end
            return True
        with open_frames(file, ANY_SIZE) as opened:
            if opened.header.format == "png":
                return _last_bytes(file, len(PNG_END)) == PNG_END
            for _ in opened:
                pass
    except (ImgconvError, OSError):
        return False
    return True


def has_other_description(file: Readable, description: str | None) -> bool:
    """Whether the metadata of an output describe another recipe or version than `description`; False without a description."""
    try:
        stored = read_header(file, ANY_SIZE).description
    except ImgconvError:
        return False
    return stored is not None and stored != description


def _last_bytes(file: Path | bytes, count: int) -> bytes:
    if isinstance(file, bytes):
        return file[-count:]
    with file.open("rb") as opened:
        opened.seek(-count, os.SEEK_END)
        return opened.read()


@contextmanager
def standard_output() -> Iterator[BinaryIO]:
    """Yield a stream whose contents go to standard output when the block ends without an error, so that no half image does."""
    contents = BytesIO()
    yield contents
    sys.stdout.buffer.write(contents.getvalue())
    sys.stdout.buffer.flush()
