"""Write folders atomically: a reader sees the old folder or the complete new one.

The new folder is written as a hidden temporary folder next to its destination, with the lock and the clean-up of temporary files. At the
end Linux and macOS exchange it with the old one in one step. Elsewhere the old one is renamed first, to a hidden name that is never
removed by others, so that a kill at that moment loses neither.
"""

import contextlib
import ctypes
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from imgconv import atomic
from imgconv.ahead import in_order
from imgconv.inputs import Inputs
from imgconv.platforms import IS_WINDOWS, reachable

_EXCHANGE = 2  # of renameat2 on Linux and of renamex_np on macOS
_HERE = -100  # AT_FDCWD
_SYNCED = 16  # files that are flushed to disk at once
_HALF_WRITTEN = ".partial"  # of files that a killed process of zarr left


@contextlib.contextmanager
def atomic_folder(path: Path, inputs: Inputs, before_sync: Callable[[], None] | None = None) -> Iterator[Path]:
    """Yield a new hidden folder that replaces `path` when the block ends without an error; otherwise `path` does not change.

    What is at `path` is removed then, whatever it is. `before_sync()` is called before the files are flushed to disk. The target of a
    symbolic link is replaced, not the link. The mode is that of the old folder, or follows the umask.
    Raises UsageError if that would change or remove one of `inputs`, OSError as the file system does.
    """
    inputs.refuse_folder(path)
    target = reachable(Path(os.path.realpath(path)))
    with atomic.naming(path):
        descriptor, part = atomic.create_part(target.parent, inputs, is_folder=True)
    try:
        yield part
        if before_sync is not None:
            before_sync()
        with atomic.naming(path):
            _finish(part)
            part.chmod(target.stat().st_mode & 0o777 if os.path.isdir(target) else _new_mode(target.parent))
            if IS_WINDOWS:  # which renames no folder with an open file
                os.close(descriptor)
                (part / atomic.WINDOWS_LOCK).unlink()
            _replace(part, target)
    finally:
        atomic.remove_part(part)
        with contextlib.suppress(OSError):  # closed above
            os.close(descriptor)


def _finish(folder: Path) -> None:
    """Flush all files of a folder to disk, and remove what killed processes left half written."""
    files = []
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent) / name
            if name.endswith(_HALF_WRITTEN):
                path.unlink()
            elif name != atomic.WINDOWS_LOCK:
                files.append(path)
    for _ in in_order(_sync, files, threads=_SYNCED):
        pass


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDWR if IS_WINDOWS else os.O_RDONLY)
    try:
        atomic.sync(descriptor)
    finally:
        os.close(descriptor)


def _new_mode(parent: Path) -> int:
    """Return the mode of a new folder in `parent`."""
    from imgconv.access import Access

    return Access.of_new_file(parent, 0o777).mode


def _replace(part: Path, target: Path) -> None:
    """Rename a folder; what was at `target` is then at `part`, or gone."""
    if not os.path.lexists(target):
        part.rename(target)
        return
    if _exchanged(part, target):
        return
    old = target.with_name(f".{target.name}.imgconv-old")
    target.rename(old)
    try:
        part.rename(target)
    except OSError:
        old.rename(target)
        raise
    old.rename(part)


def _exchanged(one: Path, other: Path) -> bool:
    """Exchange two names in one step, where the system and the file system can."""
    library = None if IS_WINDOWS else ctypes.CDLL(None, use_errno=True)
    names = os.fsencode(one), os.fsencode(other)
    try:
        if sys.platform == "darwin":
            return bool(library.renamex_np(*names, _EXCHANGE) == 0)
        return library is not None and bool(library.renameat2(_HERE, names[0], _HERE, names[1], _EXCHANGE) == 0)
    except AttributeError:  # an old C library
        return False
