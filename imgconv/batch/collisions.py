"""Every reason to refuse output names before any work: outputs that meet, that would replace an input, that leave the output folder."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from imgconv.batch.destinations import identities, refuse_input
from imgconv.batch.sources import RealFolders, Source
from imgconv.batch.urls import Place, Url
from imgconv.errors import PictureError, UsageError

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
    for source, paths in zip(sources, outputs, strict=True):
        for path in paths:
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
    """Raise PictureError for a name that no file system takes."""
    for path in outputs:
        length = len(os.fsencode(path.name))
        if length > LONGEST_NAME:
            raise PictureError(f"the output's name would have {length} bytes, and {LONGEST_NAME} are allowed; give a shorter one with -o")


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
    except OSError:  # such as a name that is too long, which is that picture's own trouble
        return False
