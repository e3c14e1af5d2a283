"""Results of earlier runs in a folder, and the inputs that they were made of, found again by their names.

A result says in its metadata what made it, but not what it was made of: where somebody keeps photographs is nobody else's business.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePath

from imgconv.batch.sources import Source, list_sources
from imgconv.errors import ImageError, ImgconvError, UsageError
from imgconv.images import IMAGE_EXTENSIONS, read_header

WRITTEN_BY = "imgconv "  # how descriptions begin
WITHOUT_DESCRIPTION = ("bmp", "pnm", "qoi", "tga")  # formats that cannot say what made them


@dataclass(frozen=True)
class Result:
    """An image in a folder of results: what made it, the input that it was made of where one is found, or why it cannot be read."""

    path: Path
    before: Path | None = None
    description: str | None = None
    trouble: str | None = None


@dataclass(frozen=True)
class Results:
    """The results in a folder, in the order of their names, and the folder in which inputs were found (None: nowhere, or in several)."""

    found: tuple[Result, ...]
    inputs: Path | None


def find_results(folder: Path, inputs: Path | None = None, *, recursive: bool = True) -> Results:
    """The images in `folder` that imgconv made, each with the input in the folder `inputs` that has the name it was derived from.

    Without `inputs`, they are looked for in `folder` itself, beside it, and in the working directory; of these places the one counts that
    has an input for most results, and none where two of them have as many. Images that do not say what made them are passed over, but
    for those that have an input and a format without a place for it. Raises UsageError for what is no folder, ImageError without
    results.
    """
    for given in (folder, inputs):
        if given is not None and not given.is_dir():
            raise UsageError(f"{given} is no folder; give the folder that a run wrote to, or took its inputs from")
    read = [_read(source) for source in list_sources([], IMAGE_EXTENSIONS, recursive=recursive, exact=[str(folder)])]
    made = [each for each in read if each.may_be_result]
    place = _Place(inputs) if inputs is not None else _fullest(folder, [each.relative for each in made])
    found = [each.as_result(place) for each in made]
    results = tuple(each for each in found if each.before or each.description or each.trouble)
    if not results:
        raise ImageError(f"no images that imgconv made in {folder}; give the folder that a run wrote to")
    return Results(results, None if place is None else place.folder)


@dataclass(frozen=True)
class _Read:
    """What the header of an image says."""

    path: Path
    relative: PurePath
    format: str | None = None
    description: str | None = None
    trouble: str | None = None

    @property
    def may_be_result(self) -> bool:
        return self.description is not None or self.trouble is not None or self.format in WITHOUT_DESCRIPTION

    def as_result(self, place: "_Place | None") -> Result:
        return Result(self.path, None if place is None else place.input_of(self.relative), self.description, self.trouble)


def _read(source: Source) -> _Read:
    path = Path(str(source))
    if source.trouble:
        return _Read(path, source.relative, trouble=source.trouble)
    try:
        header = read_header(path, max_pixels=None)
    except ImgconvError as error:
        return _Read(path, source.relative, trouble=str(error))
    said = header.description
    return _Read(path, source.relative, header.format, said if said and said.startswith(WRITTEN_BY) else None)


class _Place:
    """A folder, with those in it, in which inputs are looked up by the names of what was made of them."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._listed: dict[PurePath, dict[str, list[str]]] = {}

    def input_of(self, result: PurePath) -> Path | None:
        """The one image that `result`, a path below the folder of results, is named after; None where none is, or several are."""
        names = self._names(result.parent)
        stem = result.stem
        while "." in stem.lstrip("."):
            stem = stem.rpartition(".")[0]
            if stem in names:
                return self.folder / result.parent / names[stem][0] if len(names[stem]) == 1 else None
        return None

    def _names(self, below: PurePath) -> dict[str, list[str]]:
        """The names of the images in a folder by their stems, each folder listed once."""
        if below not in self._listed:
            names = self._listed[below] = {}
            with suppress(OSError), os.scandir(self.folder / below) as entries:  # a place that is not there holds nothing
                for name in (entry.name for entry in entries):
                    if PurePath(name).suffix.lower() in IMAGE_EXTENSIONS:
                        names.setdefault(PurePath(name).stem, []).append(name)
        return self._listed[below]


def _fullest(folder: Path, results: Sequence[PurePath]) -> _Place | None:
    """The place that has an input for most results: `folder` itself where no other has more, else the one that has more than all others."""
    own, *others = (_Place(path) for path in _places(folder))
    counts = [(sum(place.input_of(result) is not None for result in results), place) for place in (own, *others)]
    most = max(count for count, _ in counts)
    fullest = [place for count, place in counts if count == most]
    return fullest[0] if most and (len(fullest) == 1 or fullest[0] is own) else None


def _places(folder: Path) -> Iterator[Path]:
    """`folder`, the folder that it lies in and all in that one, and the same of the working directory; each once."""
    seen = set()
    around = folder / ".." if folder.name in ("", "..") else folder.parent
    for path in (folder, *_with_folders_in(around), *_with_folders_in(Path())):
        real = os.path.realpath(path)
        if real not in seen:
            seen.add(real)
            yield path


def _with_folders_in(folder: Path) -> list[Path]:
    found = [folder]
    with suppress(OSError), os.scandir(folder) as entries:
        found += sorted(folder / entry.name for entry in entries if not entry.name.startswith(".") and entry.is_dir())
    return found
