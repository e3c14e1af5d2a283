"""Files in remote storage, through fsspec: list, read and write them.

Servers and credentials come from the storages' own configuration (AWS_ENDPOINT_URL, AWS_PROFILE, ...). This module is imported
when a URL is given on the command line.
"""

import posixpath
import re
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from importlib import import_module
from time import monotonic
from typing import Any, BinaryIO, cast

from imgconv.atomic import PART_SUFFIX
from imgconv.batch.urls import OBJECT_STORES, WEB, Url
from imgconv.errors import ImageError, ImgconvError, MissingExtra, UsageError, reason
from imgconv.images import read_whole
from imgconv.images.zarr.store import METADATA, Store

SILENCE = 30.0  # seconds after which a web server that sends nothing has failed
LEAST_BYTES = 1000  # in that time
_IN_MEMORY = 1 << 26  # bytes; a larger output is a temporary file until it is sent
_BLOCK = 1 << 24  # bytes of it that are sent at a time


def is_folder(url: Url) -> bool:
    """Whether `url` is a folder that exists. Raises ImageError if the storage does not respond."""
    if url.protocol in WEB:
        return False
    with _image_errors():
        filesystem = _filesystem(url)
        return url.is_folder_name or bool(filesystem.isdir(_path(url)))


def list_files(url: Url, *, recursive: bool = True) -> list[tuple[str, Url]]:
    """List all files in a folder with their paths below it: the files of a folder in the order of names, then those of its folders.

    Raises ImageError for a folder that does not exist, or if the storage does not respond.
    """
    with _image_errors():
        filesystem, root = _filesystem(url), _path(url).rstrip("/")
        files = filesystem.find(root, maxdepth=None if recursive else 1)
        if not files:
            filesystem.info(root)
    names = [path.removeprefix(f"{root}/") for path in files if path.startswith(f"{root}/") and not path.endswith("/")]
    return [(name, Url(url.protocol, f"{url.path.rstrip('/')}/{name}")) for name in sorted(names, key=_folders_last)]


def glob(url: Url) -> list[Url]:
    """List the files that match a pattern, in the order of names; hidden files must be named. Buckets and hosts cannot be patterns."""
    fixed = re.split(r"[*?[]", url.path)[0].rpartition("/")[0]
    if not fixed or url.protocol in WEB:
        return []
    with _image_errors():
        root = _path(Url(url.protocol, fixed)).rstrip("/")
        names = [path.removeprefix(f"{root}/") for path in sorted(_filesystem(url).glob(_path(url)))]
    parts = url.path.split("/")
    return [
        Url(url.protocol, f"{fixed}/{name}") for name in names if not any(p.startswith(".") and p not in parts for p in name.split("/"))
    ]


def read_image(url: Url, max_pixels: int | None) -> bytes:
    """Read a whole file. Raises ImageError, after its first bytes if it is not an image, and for one that does not end."""
    options = {"block_size": 0, "size": 1} if url.protocol in WEB else {}  # one request, whose answer is read as it arrives
    with _image_errors(), _filesystem(url).open(_path(url), "rb", **options) as stream:
        return read_whole(cast(BinaryIO, _Answer(stream)) if url.protocol in WEB else stream, max_pixels=max_pixels)


class _Answer:
    """The response of a web server. Reading raises ImageError if fewer than LEAST_BYTES arrive in SILENCE seconds."""

    def __init__(self, stream: BinaryIO):
        self._stream = stream
        self._start, self._length = monotonic(), 0

    def read(self, length: int = -1) -> bytes:
        """Return the next bytes, at most `length` of them."""
        data = self._stream.read(length)
        self._length += len(data)
        seconds = monotonic() - self._start
        if seconds > SILENCE:
            if data and self._length < LEAST_BYTES:
                raise ImageError(f"the server sent {self._length} bytes in {seconds:.0f} seconds; try again, or download the file first")
            self._start, self._length = monotonic(), 0
        return data


def exists(url: Url) -> bool:
    """Whether a file exists. Raises ImageError if the storage does not respond."""
    with _image_errors():
        filesystem, path = _filesystem(url), _path(url)
        filesystem.invalidate_cache(posixpath.dirname(path))  # other processes write there too
        return bool(filesystem.exists(path))


def check_writable(url: Url) -> None:
    """Raise UsageError for a read-only or unknown kind of URL, MissingExtra for one that needs another library."""
    if url.protocol in WEB:
        raise UsageError(f"{url} cannot be written to; give a folder of your own with -o")
    _filesystem_class(url.protocol)


@contextmanager
def atomic_write(url: Url, before_sending: Callable[[], None] | None = None) -> Iterator[BinaryIO]:
    """Open a binary stream whose contents replace `url` when the block ends without an error; otherwise `url` does not change.

    The contents are sent at the end, after a call of `before_sending()`: as one object, or as a temporary file that is renamed.
    """
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as stream:
        yield cast(BinaryIO, stream)
        if before_sending is not None:
            before_sending()
        with _image_errors():
            (_send if url.protocol in OBJECT_STORES else _send_and_rename)(_filesystem(url), _path(url), cast(BinaryIO, stream))


def store(url: Url) -> Store:
    """Return the place of a Zarr. Raises MissingExtra, or UsageError for an unknown kind of URL."""
    _filesystem_class(url.protocol)
    return Store(str(url).rstrip("/"))


@contextmanager
def atomic_folder(url: Url, before_sending: Callable[[], None] | None = None) -> Iterator[Store]:
    """Yield the place of a new folder that replaces the one at `url` when the block ends without an error.

    No storage exchanges two folders. When the new one is complete, the metadata of the old one are removed first, so that no program opens
    a part of either; then chunks are copied, and old ones that the new one lacks are removed; the new metadata are copied last. Raises
    ImageError where that fails on the way, with the name of the complete new one.
    """
    part = url.parent / f".{secrets.token_hex(8)}{PART_SUFFIX}"
    with _image_errors():
        filesystem, target, source = _filesystem(url), _path(url).rstrip("/"), _path(part)
    is_complete = False
    try:
        yield store(part)
        if before_sending is not None:
            before_sending()
        is_complete = True
        with _image_errors():
            filesystem.invalidate_cache()  # workers of a cluster have written there
            _replace_folder(filesystem, source, target)
        is_complete = False
    except ImageError as error:
        raise ImageError(f"{error}; the result is complete in {part}, copy it from there") if is_complete else error from None
    finally:
        if not is_complete:
            with suppress(Exception):  # also where the storage does not respond
                filesystem.invalidate_cache()
                filesystem.rm(source, recursive=True)


def _replace_folder(filesystem: Any, source: str, target: str) -> None:
    """Copy the files of a Zarr to the place of another one, see `atomic_folder`."""
    names = {target + name.removeprefix(source): name for name in filesystem.find(source)}
    old = filesystem.find(target) if filesystem.exists(target) else []
    metadata = sorted((name for name in names if _is_metadata(name)), key=lambda name: -name.count("/"))
    _remove(filesystem, [name for name in old if _is_metadata(name)])
    _copy(filesystem, {name: names[name] for name in names if not _is_metadata(name)})
    _remove(filesystem, [name for name in old if name not in names and not _is_metadata(name)])
    for name in metadata:  # those of the whole Zarr last
        _copy(filesystem, {name: names[name]})


def _is_metadata(name: str) -> bool:
    return posixpath.basename(name) in METADATA


def _copy(filesystem: Any, names: dict[str, str]) -> None:
    """Copy files to the names that are the keys."""
    for folder in {posixpath.dirname(name) for name in names}:
        filesystem.makedirs(folder, exist_ok=True)
    if names:
        filesystem.copy(list(names.values()), list(names))


def _remove(filesystem: Any, names: list[str]) -> None:
    if names:
        filesystem.rm(names)


def _send(filesystem: Any, path: str, stream: BinaryIO) -> None:
    """Write the contents of a stream as one object. Large contents are sent in blocks; the object does not exist before the last one."""
    size = stream.seek(0, 2)
    stream.seek(0)
    if size <= _IN_MEMORY:
        filesystem.pipe_file(path, stream.read())
        return
    target = filesystem.open(path, "wb", block_size=_BLOCK)
    try:
        shutil.copyfileobj(stream, target, _BLOCK)
    except BaseException:
        target.closed = True  # else closing it would store the part that was sent as an object
        target.discard()
        raise
    target.close()


def _send_and_rename(filesystem: Any, path: str, stream: BinaryIO) -> None:
    folder = posixpath.dirname(path)
    part = f"{folder}/.{secrets.token_hex(8)}{PART_SUFFIX}"
    filesystem.makedirs(folder, exist_ok=True)
    try:
        _send(filesystem, part, stream)
        filesystem.mv(part, path)
    except BaseException:
        with suppress(OSError):
            filesystem.rm_file(part)
        raise


def _path(url: Url) -> str:
    """Return the path of a file within its storage."""
    path: str = _filesystem_class(url.protocol)._strip_protocol(str(url))
    return path


def _filesystem(url: Url) -> Any:
    """Return the fsspec filesystem of a URL; fsspec caches one per thread."""
    _filesystem_class(url.protocol)
    options = {}
    if url.protocol in WEB:  # other storages have time limits of their own
        timeout = import_module("aiohttp").ClientTimeout(total=None, connect=SILENCE, sock_connect=SILENCE, sock_read=SILENCE)
        options = {"client_kwargs": {"timeout": timeout}}
    filesystem, _ = import_module("fsspec.core").url_to_fs(url.root, **options)
    return filesystem


@lru_cache
def _filesystem_class(protocol: str) -> Any:
    """Return the fsspec class of a protocol. Raises MissingExtra, which names the package to install, or UsageError for an unknown one."""
    try:
        return import_module("fsspec").get_filesystem_class(protocol)
    except ValueError:
        raise UsageError(f"unknown kind of URL, {protocol}://; use s3:// for example, or a path") from None
    except ImportError as error:
        remedy = "pip install 'imgconv[remote]'" if protocol in ("s3", *WEB) or error.name == "fsspec" else reason(error)
        raise MissingExtra(f"{protocol}:// needs another library; to use it: {remedy}") from error


@contextmanager
def _image_errors() -> Iterator[None]:
    """Turn the errors of storages into ImageErrors of one line."""
    try:
        yield
    except ImgconvError:
        raise
    except FileNotFoundError as error:
        raise ImageError("no such bucket" if "specified bucket" in str(error) else "no such file or directory") from error
    except Exception as error:  # every storage has its own error classes, and not all of them are OSErrors
        raise ImageError(reason(error)) from error


def _folders_last(name: str) -> list[tuple[bool, str]]:
    *folders, last = name.split("/")
    return [*((True, folder) for folder in folders), (False, last)]
