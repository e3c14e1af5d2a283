"""Find the results of earlier runs in a folder, and the input of each, by their names.

The metadata of a result name the recipe but not the input, because the path of an input may be private.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePath

from imgconv.batch.sources import Source, list_sources
from imgconv.errors import ImageError, ImgconvError, UsageError
from imgconv.images import ANY_SIZE, has_image_extension, read_header

DESCRIPTION_PREFIX = "imgconv "
WITHOUT_DESCRIPTION = ("bmp", "pnm", "qoi", "tga")  # formats without metadata


@dataclass(frozen=True)
class Result:
    """One result: its path, its input if one is found, its description, or the error of an image that cannot be read."""

    path: Path
    input: Path | None = None
    description: str | None = None
    error: str | None = None


@dataclass(frozen=True)
class Results:
    """All results in a folder, in the order of their names, and the folder of their inputs (None: not found, or ambiguous).

    `read` are all files that were opened to find them, and the inputs.
    """

    results: tuple[Result, ...]
    inputs: Path | None
    read: tuple[Path, ...] = ()


def find_results(folder: Path, inputs: Path | None = None, *, recursive: bool = True) -> Results:
    """Find the images in `folder` that imgconv made, and for each the input in the folder `inputs` from which its name is derived.

    Without `inputs`, the folder with inputs for most results is chosen among `folder` itself, the folders next to it, and those in
    the working directory; none of them if two have equally many. Images without a description are skipped unless their format has
    no metadata and their input is found. Raises UsageError for a path that is not a folder, ImageError for a folder without results.
    """
    for path in (folder, inputs):
        if path is not None and not os.path.isdir(path):
            raise UsageError(f"expected a folder, got {path}; give the folder that a run wrote to, or the one with its inputs")
    sources = list_sources([], recursive=recursive, exact=[str(folder)])
    candidates = [(source.relative, result) for source in sources if (result := _read(source)) is not None]
    names = [name for name, _ in candidates]
    input_folder = InputFolder(inputs) if inputs is not None else _best_folder(folder, names)
    results = tuple(
        Result(result.path, input_file, result.description, result.error)
        for name, result in candidates
        if (input_file := input_folder.input_of(name) if input_folder else None) or result.description or result.error
    )
    if not results:
        raise ImageError(f"no images made by imgconv in {folder}; give the folder that a run wrote to")
    opened = [*(Path(str(source)) for source in sources), *(result.input for result in results if result.input is not None)]
    return Results(results, input_folder.folder if input_folder else None, tuple(opened))


def _read(source: Source) -> Result | None:
    """Read the header of an image; None if imgconv did not make it."""
    path = Path(str(source))
    if source.error:
        return Result(path, error=source.error)
    try:
        header = read_header(path, ANY_SIZE)
    except ImgconvError as error:
        return Result(path, error=str(error))
    if header.description and header.description.startswith(DESCRIPTION_PREFIX):
        return Result(path, description=header.description)
    return Result(path) if header.format in WITHOUT_DESCRIPTION else None


class InputFolder:
    """A folder, with its subfolders, in which inputs are looked up by the names of results."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._names: dict[PurePath, dict[str, list[str]]] = {}

    def input_of(self, result: PurePath) -> Path | None:
        """Return the image whose name begins the name of `result`, a path below the folder of results; None if it is not unique."""
        names = self._names_by_stem(result.parent)
        stem = result.stem
        while "." in stem.lstrip("."):
            stem = stem.rpartition(".")[0]
            if stem in names:
                return self.folder / result.parent / names[stem][0] if len(names[stem]) == 1 else None
        return None

    def _names_by_stem(self, subfolder: PurePath) -> dict[str, list[str]]:
        """List the images in a subfolder, once."""
        if subfolder not in self._names:
            names = self._names[subfolder] = {}
            with suppress(OSError), os.scandir(self.folder / subfolder) as entries:  # it may not exist
                for name in (entry.name for entry in entries):
                    if has_image_extension(name):
                        names.setdefault(PurePath(name).stem, []).append(name)
        return self._names[subfolder]


def _best_folder(folder: Path, results: Sequence[PurePath]) -> InputFolder | None:
    """Return `folder` itself if no other folder has inputs for more results, or else the only folder with the most."""
    own, *others = (InputFolder(path) for path in _candidate_folders(folder))
    counts = [(sum(each.input_of(result) is not None for result in results), each) for each in (own, *others)]
    most = max(count for count, _ in counts)
    best = [each for count, each in counts if count == most]
    return best[0] if most and (len(best) == 1 or best[0] is own) else None


def _candidate_folders(folder: Path) -> Iterator[Path]:
    """Yield `folder`, its parent and the parent's subfolders, the working directory and its subfolders; each once."""
    known = set()
    parent = folder / ".." if folder.name in ("", "..") else folder.parent
    for path in (folder, *_with_subfolders(parent), *_with_subfolders(Path())):
        real = os.path.realpath(path)
        if real not in known:
            known.add(real)
            yield path


def _with_subfolders(folder: Path) -> list[Path]:
    folders = [folder]
    with suppress(OSError), os.scandir(folder) as entries:
        folders += sorted(folder / entry.name for entry in entries if not entry.name.startswith(".") and entry.is_dir())
    return folders
