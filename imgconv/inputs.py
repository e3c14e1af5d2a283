"""The files that a command reads, by identity: no output may replace one of them, and none is removed."""

import os
import stat
import sys
from collections.abc import Hashable, Iterable, Iterator
from pathlib import Path

from imgconv.errors import UsageError
from imgconv.platforms import cached_property

_ZARR = ".zarr"  # in the address of a folder that is an image
_FILES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".gif", ".bmp")  # names of many inputs, which are not folders
Identity = tuple[int, int] | Hashable  # device and inode of a local file, the normalised URL of a remote one


class Inputs:
    """Files that must not be written to, whatever name leads to them: links, hard links, other spellings.

    A file is looked up when an output exists, so that a large folder of inputs costs nothing where all outputs are new. A copy that is
    sent to another process looks them up there.

    >>> Inputs([Path(__file__)]).has(Path(__file__).stat())
    True
    """

    def __init__(self, files: Iterable[Hashable] = (), *, reads_stdin: bool = False):
        """Protect paths, the normalised URLs of remote files, and with `reads_stdin` the file that standard input comes from."""
        self.files = tuple(dict.fromkeys(files))
        self._known: dict[Identity, str] | None = None
        self._around: dict[Identity, str] | None = None  # the folders that inputs are in
        self._stdin = _regular_file(0) if reads_stdin else None

    def absolute(self) -> "Inputs":
        """Return the same files with absolute paths."""
        return Inputs(file.absolute() if isinstance(file, Path) else file for file in self.files)

    def has(self, status: os.stat_result) -> bool:
        """Whether a local file is one of the inputs."""
        return status.st_ino != 0 and (status.st_dev, status.st_ino) in self._names()

    def refuse(self, output: Hashable, option: str = "-o") -> None:
        """Raise UsageError, which names `option`, if writing to `output`, a path or a URL, would change an input."""
        identity = _identity(output)
        name = None if identity is None else self._names().get(identity)
        if name is not None:
            raise UsageError(f"output {output} is the input {name}; choose another name with {option}")
        if not self._has_folders:
            return
        for folder in _folders(output):
            identity = _identity(folder)
            name = None if identity is None else self._names().get(identity)
            if name is not None:
                raise UsageError(f"output {output} is inside the input {name}; choose another place with {option}")

    def refuse_folder(self, output: Hashable) -> None:
        """Raise UsageError as `refuse`, and where the folder `output`, which is replaced as a whole, holds an input."""
        self.refuse(output)
        if name := self.below(output):
            raise UsageError(f"output {output} holds the input {name}; choose another name with -o")

    def below(self, folder: Hashable) -> str | None:
        """Return the name of an input in a folder; None without one."""
        identity = _identity(folder)
        if identity is None:
            return None
        if self._around is None:
            places = {_place(file): str(file) for file in self.files}
            around = {folder: name for place, name in places.items() for folder in _folders(place)}
            self._around = {_identity(folder) or folder: name for folder, name in around.items()}
        return self._around.get(identity)

    def refuse_stdout(self) -> None:
        """Raise UsageError if standard output goes to an input, as in `>> photo.png`."""
        identity = None if sys.stdout is None else _regular_file(1)
        name = None if identity is None else self._names().get(identity)
        if name is not None:
            raise UsageError(f"standard output is the input {name}; choose another name")

    def __getstate__(self) -> tuple[Hashable, ...]:
        return self.files

    def __setstate__(self, files: tuple[Hashable, ...]) -> None:
        self.__init__(files)  # type: ignore[misc]

    def _names(self) -> dict[Identity, str]:
        if self._known is None:
            known = {identity: str(file) for file in self.files if (identity := _identity(file)) is not None}
            self._known = known if self._stdin is None else {self._stdin: "standard input", **known}
        return self._known

    @cached_property
    def _has_folders(self) -> bool:
        local = (file for file in self.files if isinstance(file, Path) and file.suffix.lower() not in _FILES)
        remote = (file for file in self.files if not isinstance(file, Path))
        return any(os.path.isdir(file) for file in local) or any(_ZARR in str(file).lower() for file in remote)


def _identity(file: Hashable) -> Identity | None:
    """Return an identity that all names of a file or folder have in common; None if it is neither."""
    if not isinstance(file, Path):
        return str(file)
    try:
        status = file.stat()
    except (OSError, ValueError):  # ValueError: a NUL character in the name
        return None
    if not status.st_ino:  # some network file systems of Windows
        return os.path.normcase(os.path.realpath(file))
    return (status.st_dev, status.st_ino) if stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode) else None


def _place(file: Hashable) -> Hashable:
    """Return a name in the folder that a local file is in, the same for all its files; for a link one in the folder of its target."""
    if not isinstance(file, Path):
        return file
    return (Path(os.path.realpath(file)) if os.path.islink(file) else file).parent / "_"


def _folders(file: Hashable) -> Iterator[Hashable]:
    """Yield the folders that a file is in, the innermost first; those of a URL as text."""
    if isinstance(file, Path):
        yield from Path(os.path.realpath(file)).parents
        return
    text = str(file)
    while "/" in text.partition("://")[2]:
        text = text.rpartition("/")[0]
        yield text


def _regular_file(descriptor: int) -> Identity | None:
    try:
        status = os.fstat(descriptor)
    except OSError:
        return None
    return (status.st_dev, status.st_ino) if stat.S_ISREG(status.st_mode) else None
