"""Remote storages, through fsspec: what is there, reading it, and writing it whole or not at all.

Where they are and who may enter is known to their own configuration (AWS_ENDPOINT_URL, AWS_PROFILE, ...); none of it is asked for here.
fsspec is imported once an address was typed.
"""

import posixpath
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from importlib import import_module
from io import BytesIO
from typing import Any, BinaryIO

from imgconv.atomic import PART_SUFFIX
from imgconv.batch.paths import OBJECTS, WEB, Url
from imgconv.errors import ImageError, ImgconvError, MissingExtra, UsageError, reason


def is_folder(url: Url) -> bool:
    """Whether other things lie below `url`. Raises ImageError where nobody answers."""
    if url.protocol in WEB:
        return False
    with _answers():
        files = _files(url)
        return url.means_folder or bool(files.isdir(_path(url)))


def files_below(url: Url, *, recursive: bool = True) -> list[tuple[str, Url]]:
    """All files in a folder, each with its path below it: those of a folder in the order of names, then those of its folders.

    Raises ImageError for a folder that is not there, or where nobody answers.
    """
    with _answers():
        files, root = _files(url), _path(url).rstrip("/")
        found = files.find(root, maxdepth=None if recursive else 1)
        if not found:
            files.info(root)
    below = [path.removeprefix(f"{root}/") for path in found if path.startswith(f"{root}/") and not path.endswith("/")]
    return [(name, Url(url.protocol, f"{url.path.rstrip('/')}/{name}")) for name in sorted(below, key=_folders_last)]


def matches(url: Url) -> list[Url]:
    """The files that a pattern means, in the order of names; hidden ones only where it says so. Buckets and machines have none."""
    fixed = re.split(r"[*?[]", url.path)[0].rpartition("/")[0]
    if not fixed or url.protocol in WEB:
        return []
    with _answers():
        root = _path(Url(url.protocol, fixed)).rstrip("/")
        found = [path.removeprefix(f"{root}/") for path in sorted(_files(url).glob(_path(url)))]
    said = url.path.split("/")
    return [
        Url(url.protocol, f"{fixed}/{path}")
        for path in found
        if not any(part.startswith(".") and part not in said for part in path.split("/"))
    ]


def content(url: Url) -> bytes:
    """All bytes of a file. Raises ImageError."""
    with _answers():
        data: bytes = _files(url).cat_file(_path(url))
    return data


def exists(url: Url) -> bool:
    """Whether a file is there. Raises ImageError where nobody answers."""
    with _answers():
        files, path = _files(url), _path(url)
        files.invalidate_cache(posixpath.dirname(path))  # others write there too
        return bool(files.exists(path))


def check_writable(url: Url) -> None:
    """Raise UsageError for an address that only gives, MissingExtra or UsageError for one that nothing here knows."""
    if url.protocol in WEB:
        raise UsageError(f"{url} cannot be written to; give a folder of your own with -o")
    _library(url.protocol)


@contextmanager
def atomic_write(url: Url, before_sending: Callable[[], None] = lambda: None) -> Iterator[BinaryIO]:
    """A binary stream whose contents take the place of `url` once the block has ended well; otherwise all stays as it was.

    They are sent as a whole at the end, once `before_sending()` was called: as one object, or beside the old file, which they replace.
    """
    stream = BytesIO()
    yield stream
    before_sending()
    with _answers():
        files, path = _files(url), _path(url)
        if url.protocol in OBJECTS:
            files.pipe_file(path, stream.getvalue())
        else:
            _put_beside(files, path, stream.getvalue())


def _put_beside(files: Any, path: str, data: bytes) -> None:
    folder = posixpath.dirname(path)
    part = f"{folder}/.{secrets.token_hex(8)}{PART_SUFFIX}"
    files.makedirs(folder, exist_ok=True)
    try:
        files.pipe_file(part, data)
        files.mv(part, path)
    except BaseException:
        with suppress(OSError):
            files.rm_file(part)
        raise


def _path(url: Url) -> str:
    """What the storage itself calls a place."""
    path: str = _library(url.protocol)._strip_protocol(str(url))
    return path


def _files(url: Url) -> Any:
    """The storage in which a place is; fsspec keeps one for each thread."""
    _library(url.protocol)
    files, _ = import_module("fsspec.core").url_to_fs(url.store)
    return files


@lru_cache
def _library(protocol: str) -> Any:
    """What fsspec knows a protocol by. Raises MissingExtra, which says how to get it, and UsageError for an unknown one."""
    try:
        return import_module("fsspec").get_filesystem_class(protocol)
    except ValueError:
        raise UsageError(f"{protocol}:// is no known kind of address; use s3:// for example, or a path") from None
    except ImportError as error:
        remedy = "pip install 'imgconv[remote]'" if protocol in ("s3", *WEB) or error.name == "fsspec" else reason(error)
        raise MissingExtra(f"{protocol}:// needs another library; to use it: {remedy}") from error


@contextmanager
def _answers() -> Iterator[None]:
    """What storages raise, as ImageErrors of one line."""
    try:
        yield
    except ImgconvError:
        raise
    except FileNotFoundError as error:
        raise ImageError("no such bucket" if "specified bucket" in str(error) else "no such file or directory") from error
    except Exception as error:  # every storage has errors of its own, and not all of them are OSErrors
        raise ImageError(reason(error)) from error


def _folders_last(name: str) -> list[tuple[bool, str]]:
    *folders, last = name.split("/")
    return [*((True, folder) for folder in folders), (False, last)]
