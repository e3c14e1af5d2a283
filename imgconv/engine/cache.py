"""Files of object code in the user's cache folder.

Object code runs with this user's rights. An entry is therefore read only from a folder and a file that belong to this user and that
other users cannot write, and only when its checksum holds. The folders above belong to this user or to root, and no other user may
write to them, as ssh requires of its own; in a sticky folder such as /tmp others may, since they cannot replace what is not theirs.
A problem with a file costs time and has no other effect.

Entries that no process has used for UNUSED seconds are removed: a use sets an entry's modification time, at most once a day, and the
folder is swept at most once a day, by a process that writes an entry or sets such a time.
"""

import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from imgconv.access import PRIVATE, Access
from imgconv.atomic import PART_SUFFIX, replace_file, try_lock
from imgconv.inputs import Inputs
from imgconv.platforms import user_folder

try:
    from _blake2 import blake2b  # that of hashlib, which loads OpenSSL
except ImportError:
    from hashlib import blake2b

_MAGIC = b"imgconv loop 1\n"
_DIGEST = 32
_HEADER = len(_MAGIC) + 2 * _DIGEST  # magic, key, checksum of key and body
LOOP, VERDICT = ".loop", ".test"  # suffixes of object code and of results of tests
_LOCK = ".lock"  # suffix of the lock of an entry that a process makes
_SWEPT, _ANNOUNCED = "swept", "announced"  # marker files
_HOUR, DAY = 3600.0, 86400.0
UNUSED = 90 * DAY
PATIENCE = 30.0  # seconds that a process waits for the entry of another one, which may be stopped


def location() -> Path | None:
    """The folder of the entries (which may not exist), or None for a user without a home folder.

    It is `loops` in the folder that the environment variable IMGCONV_CACHE names, otherwise in the user's cache folder.
    """
    named = os.environ.get("IMGCONV_CACHE")
    if named:
        return Path(named).absolute() / "loops"
    folder = user_folder("cache")
    return folder and folder / "loops"


def count() -> int:
    """The number of loops in the cache, stale ones included."""
    folder = location()
    return sum(1 for _ in folder.glob(f"*{LOOP}")) if folder else 0


def read(name: str, key: bytes, suffix: str = LOOP) -> bytes | None:
    """The body that was last written under `name` and `key` (32 bytes), or None if there is none that can be trusted."""
    folder = location()
    if folder is None:
        return None
    try:
        if not _is_private(folder.lstat()) or _unsafe_parent(folder) is not None:
            return None
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        path = _path(folder, name, key, suffix)
        with os.fdopen(os.open(path, flags), "rb") as file:
            status = os.fstat(file.fileno())
            if not _is_private(status):
                return None
            content = file.read()
    except OSError:
        return None
    body = content[_HEADER:]
    if content[:_HEADER] != _header(key, body):
        return None
    if time.time() - status.st_mtime > DAY:
        _mark_used(path)
    return body


def write(name: str, key: bytes, body: bytes, suffix: str = LOOP) -> None:
    """Cache `body` under `name` and `key` (32 bytes) for later processes; OSError, which gives the reason, where that is impossible.

    The file appears whole or not at all, even if other processes write it at the same time.
    """
    folder = location()
    if folder is None:
        raise OSError("this user has no home folder; set IMGCONV_CACHE to a folder")
    _make_private(folder)
    _sweep(folder)
    with replace_file(_path(folder, name, key, suffix), Access(PRIVATE), Inputs()) as stream:
        stream.write(_header(key, body) + body)


@contextmanager
def reserved(name: str, key: bytes) -> Iterator[None]:
    """Let one process at a time make an entry: others wait until the block ends, and then find the entry.

    A process waits for PATIENCE seconds. Where nothing can be locked, the block runs at once.
    """
    folder = location()
    path = folder and _path(folder, name, key, _LOCK)
    descriptor = None if path is None else _open_lock(path)
    if path is None or descriptor is None:
        yield
        return
    try:
        end, pause = time.monotonic() + PATIENCE, 0.001
        while (is_locked := try_lock(descriptor)) is False and time.monotonic() < end:
            time.sleep(pause)
            pause = min(2 * pause, 0.05)
        yield
        if is_locked:
            with suppress(OSError):
                path.unlink()
    finally:
        os.close(descriptor)


def is_first_announcement() -> bool:
    """Whether no process has called this since the cache was last emptied; always True where nothing can be written."""
    folder = location()
    if folder is None:
        return True
    try:
        _make_private(folder)
        os.close(os.open(folder / _ANNOUNCED, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        return False
    except OSError:
        return True
    return True


def digest(data: bytes) -> bytes:
    """The 32 bytes that keys and checksums are."""
    return blake2b(data, digest_size=_DIGEST).digest()


def _open_lock(path: Path) -> int | None:
    with suppress(OSError):
        _make_private(path.parent)
        return os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
    return None


def _path(folder: Path, name: str, key: bytes, suffix: str) -> Path:
    return folder / f"{name}-{key.hex()[:32]}{suffix}"


def _header(key: bytes, body: bytes) -> bytes:
    return _MAGIC + key + digest(key + body)


def _is_private(status: os.stat_result) -> bool:
    """Whether this is a regular file or folder that only this user can write. On Windows a user's cache folder is always private."""
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
        return False
    return not hasattr(os, "geteuid") or (status.st_uid == os.geteuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH))


def _unsafe_parent(folder: Path) -> Path | None:
    """Return a folder above `folder` that other users may write to or own, None if there is none."""
    if not hasattr(os, "geteuid"):
        return None
    trusted = (0, os.geteuid())
    for parent in Path(os.path.realpath(folder)).parents:
        status = parent.lstat()
        may_replace = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not status.st_mode & stat.S_ISVTX
        if status.st_uid not in trusted or may_replace:
            return parent
    return None


def _make_private(folder: Path) -> None:
    """Make the folder. Empty it and deny access to others if it is this user's and others could write; OSError if it is another user's."""
    for each in reversed((folder, *(parent for parent in folder.parents if not os.path.exists(parent)))):
        with suppress(FileExistsError):
            each.mkdir(mode=0o700)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode):
        raise OSError(f"{folder} is not a folder")
    if unsafe := _unsafe_parent(folder):
        raise OSError(f"other users can replace what is in {unsafe}; set IMGCONV_CACHE to a folder that only you can write to")
    if _is_private(status):
        return
    if status.st_uid != os.geteuid():
        raise OSError(f"{folder} belongs to another user")
    folder.chmod(0o700)
    for entry in folder.iterdir():
        if entry.suffix in (LOOP, VERDICT, _LOCK) or entry.name in (_SWEPT, _ANNOUNCED):
            entry.unlink(missing_ok=True)


def _mark_used(path: Path) -> None:
    with suppress(OSError):  # a read-only cache is never swept either
        os.utime(path)
        _sweep(path.parent)


def _sweep(folder: Path) -> None:
    """Remove entries that nothing has used for long, and temporary files that killed processes left behind; once a day at most."""
    marker, now = folder / _SWEPT, time.time()
    with suppress(FileNotFoundError):
        if now - marker.lstat().st_mtime < DAY:
            return
    marker.touch(mode=0o600)
    for path in folder.iterdir():
        limit = {LOOP: UNUSED, VERDICT: UNUSED, _LOCK: _HOUR, PART_SUFFIX: _HOUR}.get(path.suffix)
        with suppress(FileNotFoundError):  # another process removed it
            if limit is not None and now - path.lstat().st_mtime > limit:
                path.unlink()
