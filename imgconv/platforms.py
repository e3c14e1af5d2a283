"""What differs between operating systems and versions of Python: paths, names and command lines of Windows, locks, cached properties.

Functions take the system as a parameter, so that each branch can run on any system.
"""

import os
import re
import sys
import threading
from contextlib import suppress
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Literal

IS_WINDOWS = sys.platform == "win32"
LONGEST_PATH = 240  # characters; Windows allows 259 for a file and 247 for a folder, unless the path begins with \\?\
_DEVICE = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])(?=[ .]|$)", re.IGNORECASE)
_FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f]')


def words_of(text: str, windows: bool = IS_WINDOWS) -> list[str]:
    r"""Split a text into words as a shell would; on Windows a backslash is part of a path. Raises ValueError for an open quote.

    >>> words_of(r"conv 'my files\w.npy' padding=1", windows=True)
    ['conv', 'my files\\w.npy', 'padding=1']
    """
    import shlex  # only needed for steps

    lexer = shlex.shlex(text, posix=True, punctuation_chars=False)
    lexer.whitespace_split, lexer.commenters = True, ""
    if windows:
        lexer.escape = ""
    return list(lexer)


def command_of(words: list[str], windows: bool = IS_WINDOWS) -> str:
    r"""Join words to a line that the usual shell of this system splits into the same words.

    >>> command_of(["edge", "my photo.jpg"], windows=False), command_of(["edge", "my photo.jpg"], windows=True)
    ("edge 'my photo.jpg'", 'edge "my photo.jpg"')
    """
    if windows:
        from subprocess import list2cmdline

        return list2cmdline(words)
    from shlex import join

    return join(words)


def path_of_file_url(path: str, windows: bool = IS_WINDOWS) -> str:
    r"""Return the local path that follows `file://`.

    >>> path_of_file_url("/photos/a.jpg", windows=False), path_of_file_url("/C:/photos/a.jpg", windows=True)
    ('/photos/a.jpg', 'C:/photos/a.jpg')
    >>> print(path_of_file_url("server/photos/a.jpg", windows=True))
    //server/photos/a.jpg
    """
    if not windows:
        return path
    if re.match(r"/+[A-Za-z]:", path):
        return path.lstrip("/")
    return path if path.startswith("/") or re.match("[A-Za-z]:", path) else f"//{path}"


def is_device(name: str) -> bool:
    """Whether Windows takes a file name for a device, whatever its extension.

    >>> is_device("con.jpg"), is_device("COM1"), is_device("icon.jpg")
    (True, True, False)
    """
    return _DEVICE.match(name) is not None


def local_name(name: str, windows: bool = IS_WINDOWS) -> str:
    """Return the relative path of a remote file as this system can have it; `/` separates its parts.

    >>> local_name("maps/a:b?.jpg", windows=True), local_name("aux/c. /d.jpg", windows=True), local_name("a:b.jpg", windows=False)
    ('maps/a-b-.jpg', '_aux/c/d.jpg', 'a:b.jpg')
    """
    if not windows:
        return name
    parts = (_FORBIDDEN.sub("-", part).rstrip(". ") or "_" for part in PurePosixPath(name).parts)
    return "/".join(f"_{part}" if is_device(part) else part for part in parts)


def reachable(path: Path, windows: bool = IS_WINDOWS) -> Path:
    r"""Return a path in the form that Windows accepts at any length; other paths as they are.

    >>> reachable(Path("photos/a.jpg"), windows=True) == Path("photos/a.jpg")
    True
    """
    return Path(extended(os.path.abspath(path))) if windows and len(os.path.abspath(path)) >= LONGEST_PATH else path  # noqa: PTH100


def user_folder(kind: Literal["cache", "config"]) -> Path | None:
    """Return this user's folder for files of imgconv, which may not exist, or None for a user without a home folder.

    Its place is that of platformdirs, which takes 4 ms to import and is used where the variables of Linux do not say the place.
    """
    if sys.platform == "linux" and "ANDROID_ROOT" not in os.environ:
        for folder in (Path(os.environ.get(f"XDG_{kind.upper()}_HOME", "")), Path(os.environ.get("HOME", ""), f".{kind}")):
            if folder.is_absolute():
                return folder / "imgconv"
    import platformdirs

    find = platformdirs.user_cache_path if kind == "cache" else platformdirs.user_config_path
    try:
        path = find("imgconv", appauthor=False)
    except RuntimeError:
        return None
    return path if path.is_absolute() else None  # older ones return "~/.cache", which is in the working folder, without a home


def extended(path: str) -> str:
    r"""Return an absolute path of Windows with the prefix that lifts the limit of its length.

    >>> print(extended("C:\\photos\\a.jpg"), extended("\\\\server\\photos\\a.jpg"))
    \\?\C:\photos\a.jpg \\?\UNC\server\photos\a.jpg
    """
    if path.startswith(("\\\\?\\", "\\\\.\\")) or not PureWindowsPath(path).drive:
        return path
    return f"\\\\?\\UNC\\{path[2:]}" if path.startswith("\\\\") else f"\\\\?\\{path}"


class InterruptibleLock:
    """A lock for `with` statements, which a signal handler may leave at any place.

    On CPython 3.14 an exception of a handler may arrive after the lock is taken and before its block begins, and then nothing releases it.
    The thread that has left it so releases it when it enters the next block. Blocks must not be nested.

    >>> lock = InterruptibleLock()
    >>> lock.__enter__()
    >>> with lock:
    ...     pass
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()

    def __enter__(self) -> None:
        with suppress(RuntimeError):  # it is not ours
            while True:
                self._lock.release()
        self._lock.acquire()

    def __exit__(self, *error: object) -> None:
        self._lock.release()


if sys.version_info >= (3, 12):
    from functools import cached_property as cached_property
else:
    from collections.abc import Callable
    from typing import Any, Generic, TypeVar, overload

    Value = TypeVar("Value")

    class cached_property(Generic[Value]):  # noqa: N801  the name of the standard library
        """`functools.cached_property` as it is from Python 3.12 on. That of 3.11 holds a lock, which a forked child may inherit locked."""

        def __init__(self, compute: Callable[[Any], Value]):
            self._compute = compute
            self.__doc__ = compute.__doc__

        def __set_name__(self, owner: type, name: str) -> None:
            self._name = name

        @overload
        def __get__(self, instance: None, owner: type) -> "cached_property[Value]": ...
        @overload
        def __get__(self, instance: object, owner: type) -> Value: ...

        def __get__(self, instance: object | None, owner: type) -> "cached_property[Value] | Value":
            if instance is None:
                return self
            value = self._compute(instance)
            vars(instance)[self._name] = value
            return value
