"""Where results go: output names, what `-o` and `--format` mean, and that no input is written to."""

import os
import stat
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

from imgconv.batch import places
from imgconv.batch.sources import STDIN, Source
from imgconv.batch.urls import Place, Url, place_of
from imgconv.errors import PictureError, UsageError
from imgconv.pictures import Header, format_for
from imgconv.pictures.formats import OUTPUTS

ARRAYS = ("npy", "npz")  # formats that hold all maps of a picture in one file
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
        """The destination for one picture, where the format was not asked for.

        Standard output answers PNM with PNM and arrays with arrays; pages and float pictures, which PNG cannot hold, become TIFF.
        """
        if self.explicit:
            return self
        if self.stdout and header.format in ("pnm", "npy"):
            return replace(self, format=header.format)
        if (header.frames > 1 and not header.animated) or header.dtype.startswith("float"):
            return self.of_pages()
        return self

    def of_pages(self) -> "Destination":
        """The same with the format of pictures that PNG cannot hold."""
        return replace(self, format="tiff", suffix=".tiff")


def _beside(source: Source) -> Place:
    return Path() if source.path is None else source.path.parent


def destination_for(output: str | None, format: str | None, inputs: Sequence[str], maps: int) -> Destination:
    """The destination that `-o` and `--format` mean for these inputs and this number of maps per picture.

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
    if many and ((is_local and places.exists(path)) or any(path.suffix.lower() in known.extensions for known in OUTPUTS.values())):
        raise UsageError(f"-o {output} is a file, but the inputs give several results; give a folder")
    return many or (path.suffix == "" and not (is_local and places.exists(path)))


def _gives_several(given: str) -> bool:
    """Whether an input is a folder. What nobody answers for is one file, which will say so."""
    try:
        return places.is_folder(place_of(given))
    except PictureError:
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
