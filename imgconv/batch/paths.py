"""Addresses of images that are in no folder of this machine, as names alone: nothing here asks anybody what is there.

Files wherever they are: each call goes to this machine's disk or, for an address, to its storage, which is imported then.
"""

import posixpath
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import BinaryIO
from urllib.parse import unquote

from imgconv.atomic import atomic_write
from imgconv.errors import UsageError

_URL = re.compile(r"([a-z][a-z0-9+.-]*)://(.*)", re.DOTALL | re.IGNORECASE)
_SAME = {"s3a": "s3", "gcs": "gs", "abfss": "abfs"}
WEB = ("http", "https")  # only read, image by image: nobody says what is in a folder
OBJECTS = ("s3", "gs", "az", "abfs", "oss", "oci", "memory")  # storages in which an object appears whole, or not at all


@dataclass(frozen=True, slots=True)
class Url:
    """A place in a remote storage, with the parts of a Path that names are made of.

    >>> photo = Url("s3", "bucket/photos/a.jpg")
    >>> str(photo.parent / "a.edge.png"), photo.name, photo.suffix
    ('s3://bucket/photos/a.edge.png', 'a.jpg', '.jpg')
    """

    protocol: str
    path: str

    def __str__(self) -> str:
        return f"{self.protocol}://{self.path}"

    def __truediv__(self, below: PurePath | str) -> "Url":
        part = below.as_posix() if isinstance(below, PurePath) else below
        return self if part == "." else Url(self.protocol, f"{self.path.rstrip('/')}/{part}")

    @property
    def parent(self) -> "Url":
        """The folder it lies in."""
        return Url(self.protocol, posixpath.dirname(self.path.rstrip("/")))

    @property
    def name(self) -> str:
        """Its last part; of a web address without what follows a question mark, and with no sign written as a number."""
        last = posixpath.basename(self.path.rstrip("/"))
        return PurePath(unquote(re.split(r"[?#]", last)[0])).name or "image" if self.protocol in WEB else last

    @property
    def suffix(self) -> str:
        """The extension of its name, with the dot."""
        return PurePath(self.name).suffix

    @property
    def store(self) -> str:
        """The bucket, or the machine, as an address."""
        return f"{self.protocol}://{self.path.split('/')[0]}"

    @property
    def means_folder(self) -> bool:
        """Whether it ends as only a folder's name does, or names a whole bucket."""
        return self.path.endswith("/") or (self.protocol != "memory" and "/" not in self.path)

    @property
    def plain(self) -> "Url":
        """The same place without dots and doubled slashes, to compare places by."""
        return Url(self.protocol, posixpath.normpath(self.path))


Place = Path | Url


def place_of(text: str) -> Place:
    """The place that a word of a command line means; `file://` is this machine's own. Raises UsageError for an address without a place.

    >>> place_of("photos/a.jpg"), place_of("s3://bucket/a.jpg"), place_of("file:///photos/a.jpg")
    (PosixPath('photos/a.jpg'), Url(protocol='s3', path='bucket/a.jpg'), PosixPath('/photos/a.jpg'))
    """
    match = _URL.fullmatch(text)
    if match is None:
        return Path(text)
    protocol, path = match[1].lower(), match[2]
    if protocol in ("file", "local"):
        return Path(path)
    protocol = _SAME.get(protocol, protocol)
    if protocol in OBJECTS:
        path = path.lstrip("/")
    if not path.strip("/") and protocol != "memory":
        raise UsageError(f"{text} names no place; write it as s3://BUCKET/FOLDER/")
    return Url(protocol, path)


def readable(place: Place) -> Path | bytes:
    """What images are opened from: a path, or all bytes of a remote file. Raises ImageError."""
    if isinstance(place, Path):
        return place
    from imgconv.batch import remote

    return remote.content(place)


def exists(place: Place) -> bool:
    """Whether something is there."""
    if isinstance(place, Path):
        return place.exists()
    from imgconv.batch import remote

    return remote.exists(place)


def is_folder(place: Place) -> bool:
    """Whether a place is a folder; what cannot be asked for is none, and opening it will say why."""
    if isinstance(place, Url):
        from imgconv.batch import remote

        return remote.is_folder(place)
    try:
        return place.is_dir()
    except OSError:  # such as a name that is too long
        return False


def writing(place: Place, before_sending: Callable[[], None] = lambda: None) -> AbstractContextManager[BinaryIO]:
    """A stream whose contents take the place of a file once they are complete; the folders above it are made. See `atomic_write`."""
    if isinstance(place, Path):
        place.parent.mkdir(parents=True, exist_ok=True)
        return atomic_write(place, before_sending)
    from imgconv.batch import remote

    return remote.atomic_write(place, before_sending)
