"""The files that a command reads, by identity: no output may replace one of them, and none is removed."""

import os
import stat
import sys
from collections.abc import Hashable, Iterable
from pathlib import Path

from imgconv.errors import UsageError

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


def _identity(file: Hashable) -> Identity | None:
    """Return what is the same for all names of a file; None if it is not a regular file."""
    if not isinstance(file, Path):
        return file
    try:
        status = file.stat()
    except (OSError, ValueError):  # ValueError: a NUL character in the name
        return None
    if not status.st_ino:  # some network file systems of Windows
        return os.path.normcase(os.path.realpath(file))
    return (status.st_dev, status.st_ino) if stat.S_ISREG(status.st_mode) else None


def _regular_file(descriptor: int) -> Identity | None:
    try:
        status = os.fstat(descriptor)
    except OSError:
        return None
    return (status.st_dev, status.st_ino) if stat.S_ISREG(status.st_mode) else None
