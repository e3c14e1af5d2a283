"""Where results go: output names, what `-o` and `--format` mean, and that no input is written to."""

import os
import stat
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from imgconv.batch.sources import STDIN, Source
from imgconv.errors import UsageError
from imgconv.pictures import Header, format_for
from imgconv.pictures.formats import OUTPUTS

ARRAYS = ("npy", "npz")  # formats that hold all maps of a picture in one file
SEVERAL_MAPS = (*ARRAYS, "tiff")

Identity = tuple[int, int]


@dataclass(frozen=True)
class Destination:
    """Where a run writes: a `folder` (None: beside each input), or one `file`, or standard output; always in `format`.

    `suffix` ends derived names. `explicit` says that the format was asked for rather than taken by default.
    """

    format: str
    suffix: str
    folder: Path | None = None
    file: Path | None = None
    stdout: bool = False
    explicit: bool = False

    def outputs(self, source: Source, names: Sequence[str], command: str) -> tuple[Path, ...]:
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


def _beside(source: Source) -> Path:
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
        folder = None if output is None else Path(output)
        return Destination(asked or "png", _suffix(format), folder=folder, explicit=asked is not None)
    return _one_file(Path(output), asked, maps)


def _means_folder(output: str, inputs: Sequence[str]) -> bool:
    path = Path(output)
    if path.is_dir() or output.endswith(("/", os.sep)):
        return True
    many = len(inputs) != 1 or Path(inputs[0]).is_dir()
    if many and (path.exists() or any(path.suffix.lower() in known.extensions for known in OUTPUTS.values())):
        raise UsageError(f"-o {output} is a file, but the inputs give several results; give a folder")
    return many or (path.suffix == "" and not path.exists())


def _one_file(path: Path, asked: str | None, maps: int) -> Destination:
    named = format_for(path) if path.suffix else asked or "png"
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
    """The inputs that exist, known by device and file number."""
    found = ((_status(source.path), source) for source in sources if source.path is not None)
    return {(status.st_dev, status.st_ino): str(source) for status, source in found if status is not None}


def refuse_input(path: Path, inputs: Mapping[Identity, str]) -> None:
    """Raise UsageError when writing `path` would replace one of `inputs` (see `identities`)."""
    status = _status(path)
    if status is None or not stat.S_ISREG(status.st_mode):
        return
    named = inputs.get((status.st_dev, status.st_ino))
    if named is not None:
        raise UsageError(f"output {path} is the input {named}; choose another name with -o")


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None
