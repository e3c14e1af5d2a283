"""Files of object code in the user's cache folder, and which of them can be trusted. Knows nothing of what is in the code.

Object code runs with this user's rights, so an entry is read only from a folder and a file that belong to this user and that nobody
else can write, and only when its checksum holds. Whatever goes wrong with a file costs time and nothing else.
"""

import hashlib
import os
import stat
import time
from contextlib import suppress
from pathlib import Path

_MAGIC = b"imgconv loop 1\n"
_DIGEST = 32
_HEADER = len(_MAGIC) + 2 * _DIGEST  # magic, key, checksum of key and body
_SUFFIX, _UNFINISHED = ".loop", ".part"
_ABANDONED = 3600.0  # seconds after which an unfinished file is taken for the remains of a killed process


def location() -> Path | None:
    """The folder of the entries (which may not exist yet), or None for a user without a home.

    It is `loops` in the folder that the environment variable IMGCONV_CACHE names, otherwise in the user's cache folder.
    """
    named = os.environ.get("IMGCONV_CACHE")
    if named:
        return Path(named).absolute() / "loops"
    from platformdirs import user_cache_path

    try:
        folder = user_cache_path("imgconv", appauthor=False) / "loops"
    except RuntimeError:
        return None
    return folder if folder.is_absolute() else None  # older platformdirs say "~/.cache" to a user without a home


def count() -> int:
    """How many entries there are, stale ones included."""
    folder = location()
    return sum(1 for _ in folder.glob(f"*{_SUFFIX}")) if folder else 0


def read(name: str, key: bytes) -> bytes | None:
    """What was last written under `name` and `key` (32 bytes), or None unless it can be trusted to be just that."""
    folder = location()
    if folder is None:
        return None
    try:
        if not _private(folder.lstat()):
            return None
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        with os.fdopen(os.open(_path(folder, name, key), flags), "rb") as file:
            if not _private(os.fstat(file.fileno())):
                return None
            content = file.read()
    except OSError:
        return None
    body = content[_HEADER:]
    return body if content[:_HEADER] == _header(key, body) else None


def write(name: str, key: bytes, body: bytes) -> bool:
    """Keep `body` under `name` and `key` (32 bytes) for later processes; False where that is impossible.

    The file appears whole or not at all, whoever else writes it at the same time.
    """
    folder = location()
    if folder is None:
        return False
    try:
        if not _made_private(folder):
            return False
        _replace(_path(folder, name, key), _header(key, body) + body)
    except OSError:
        return False
    return True


def _path(folder: Path, name: str, key: bytes) -> Path:
    return folder / f"{name}-{key.hex()[:32]}{_SUFFIX}"


def _header(key: bytes, body: bytes) -> bytes:
    return _MAGIC + key + hashlib.blake2b(key + body, digest_size=_DIGEST).digest()


def _private(status: os.stat_result) -> bool:
    """Whether this is a plain file or folder that only this user can write; Windows keeps others out of a user's cache by itself."""
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
        return False
    return not hasattr(os, "geteuid") or (status.st_uid == os.geteuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH))


def _made_private(folder: Path) -> bool:
    """Make the folder, or empty and close one of this user's that others could write; False for anybody else's."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    status = folder.lstat()
    if _private(status):
        return stat.S_ISDIR(status.st_mode)
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
        return False
    folder.chmod(0o700)
    for entry in folder.glob(f"*{_SUFFIX}"):
        entry.unlink(missing_ok=True)
    return True


def _replace(path: Path, content: bytes) -> None:
    import tempfile

    _sweep(path.parent)
    descriptor, made = tempfile.mkstemp(_UNFINISHED, dir=path.parent)  # made with mode 0600
    unfinished = Path(made)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except BaseException:
        with suppress(OSError):
            unfinished.unlink()
        raise


def _sweep(folder: Path) -> None:
    """Remove what killed processes left unfinished."""
    for unfinished in folder.glob(f"*{_UNFINISHED}"):
        with suppress(FileNotFoundError):  # swept by another process
            if time.time() - unfinished.lstat().st_mtime > _ABANDONED:
                unfinished.unlink()
