"""Protection of files: no output replaces an input or another result of the same run, local or remote."""

import os
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import BinaryIO

from imgconv.atomic import atomic_write
from imgconv.batch.paths import identified
from imgconv.batch.sources import RealFolders, Source
from imgconv.batch.urls import AnyPath, Url
from imgconv.errors import ImgconvError, UsageError
from imgconv.images.zarr.store import SUFFIX, Store, holds_zarr
from imgconv.inputs import Inputs
from imgconv.platforms import reachable

SEPARATORS = f"/{os.sep}"


def open_output(path: AnyPath, inputs: Inputs, before_sending: Callable[[], None] | None = None) -> AbstractContextManager[BinaryIO]:
    """Open a stream whose contents replace a file once they are complete, and create its folders; see `atomic_write`.

    Raises UsageError if `path` is one of `inputs`.
    """
    inputs.refuse(identified(path))
    if isinstance(path, Path):
        reachable(path.parent).mkdir(parents=True, exist_ok=True)
        return atomic_write(path, inputs, before_sending)
    from imgconv.batch import remote

    return remote.atomic_write(path, before_sending)


def open_store(path: AnyPath, inputs: Inputs, before_sending: Callable[[], None] | None = None) -> AbstractContextManager[Store]:
    """Open a place for a Zarr that replaces the one at `path` once it is complete, and create its folders.

    Raises UsageError if `path` is or holds one of `inputs`, and if it is a folder of anything else than a Zarr.
    """
    inputs.refuse_folder(identified(path))
    if isinstance(path, Path):
        folder = reachable(path)
        if os.path.isdir(folder) and not holds_zarr(folder) and any(folder.iterdir()):
            raise UsageError(f"output {path} is a folder with other files than a Zarr; choose another name with -o")
        reachable(path.parent).mkdir(parents=True, exist_ok=True)
        return _local_store(path, inputs, before_sending)
    from imgconv.batch import remote

    return remote.atomic_folder(path, before_sending)


@contextmanager
def _local_store(path: Path, inputs: Inputs, before_sending: Callable[[], None] | None) -> Iterator[Store]:
    from imgconv.folders import atomic_folder

    with atomic_folder(path, inputs, before_sending) as folder:
        store = Store(folder)
        try:
            yield store
        except (ImgconvError, OSError):
            store.wait()
            raise


class OutputNames:
    """The names of results, and the source of each. Names that a file system may take for the same count as the same."""

    def __init__(self, folders: RealFolders | None = None) -> None:
        self._folders = folders or RealFolders()
        self._sources: dict[str, Source] = {}

    def add(self, path: AnyPath, source: Source) -> Source:
        """Add a result, and return the first source that has it."""
        return self._sources.setdefault(self._key(path), source)

    def add_new(self, path: AnyPath, source: Source) -> None:
        """Add a result. Raises UsageError if it is also that of another source."""
        other = self.add(path, source)
        if other is not source:
            raise UsageError(f"{other} and {source} would both write {path}; process them separately, or rename one")

    def source_of(self, path: AnyPath) -> Source | None:
        """Return the source whose result has this name."""
        return self._sources.get(self._key(path))

    def _key(self, path: AnyPath) -> str:
        return fold_case(real_path(path, self._folders))


def check_outputs(
    sources: Sequence[Source], outputs: Iterable[Sequence[AnyPath]], inputs: Inputs, within: AnyPath | None = None
) -> OutputNames:
    """Refuse, before any work, outputs with the same name, outputs that are inputs, and outputs outside of the folder `within`.

    Names that differ only in case or Unicode normal form count as the same, as on many disks.
    """
    folders = RealFolders()
    names = OutputNames(folders)
    root = None if within is None else (str(within.normalised) if isinstance(within, Url) else os.path.realpath(within)).rstrip(SEPARATORS)
    for source, own in zip(sources, outputs, strict=True):
        for path in own:
            names.add_new(path, source)
            if root is not None and not _is_below(real := real_path(path, folders), root):
                raise UsageError(f"output {path} would be {real}, outside of {within}; remove the link that leads there")
            refuse = inputs.refuse_folder if path.suffix.lower() == SUFFIX else inputs.refuse
            refuse(identified(path))
    return names


def real_path(path: AnyPath, folders: RealFolders) -> str:
    """Return the name of the file that is written for `path`."""
    return os.path.realpath(path) if isinstance(path, Path) and os.path.islink(path) else folders.resolve(path)


def _is_below(path: str, root: str) -> bool:
    return path.startswith(root) and path[len(root) :].startswith(tuple(SEPARATORS))


def fold_case(name: str) -> str:
    """Return a form of a file name that is equal for names which a file system may take for the same.

    Each character is folded to one character: file systems keep "ß" and "ss" apart.

    >>> fold_case("Ä.PNG") == fold_case("a\\u0308.png"), fold_case("straße") == fold_case("strasse")
    (True, False)
    """
    if name.isascii():
        return name.lower()
    return "".join(folded if len(folded := c.casefold()) == 1 else c.lower() for c in unicodedata.normalize("NFC", name))
