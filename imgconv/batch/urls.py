"""Local paths and URLs of remote files as one type. A URL is only a name here; nothing is opened."""

import posixpath
import re
from pathlib import Path, PurePath
from typing import NamedTuple
from urllib.parse import unquote

from imgconv.errors import UsageError
from imgconv.platforms import path_of_file_url, reachable

_URL = re.compile(r"([a-z][a-z0-9+.-]+)://(.*)", re.DOTALL | re.IGNORECASE)
_ALIASES = {"s3a": "s3", "gcs": "gs", "abfss": "abfs"}
WEB = ("http", "https")  # read-only, and without folders that can be listed
OBJECT_STORES = ("s3", "gs", "az", "abfs", "oss", "oci", "memory")  # these write an object completely or not at all


class Url(NamedTuple):
    """The URL of a remote file or folder, with the attributes of a Path that output names need.

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
        """The folder of the file."""
        return Url(self.protocol, posixpath.dirname(self.path.rstrip("/")))

    @property
    def name(self) -> str:
        """The last part; for a web address without query and fragment, and with percent escapes decoded."""
        last = posixpath.basename(self.path.rstrip("/"))
        return PurePath(unquote(re.split(r"[?#]", last)[0])).name or "image" if self.protocol in WEB else last

    @property
    def suffix(self) -> str:
        """The extension of the name, with the dot."""
        return PurePath(self.name).suffix

    @property
    def root(self) -> str:
        """The bucket or host, as an address."""
        return f"{self.protocol}://{self.path.split('/')[0]}"

    @property
    def is_folder_name(self) -> bool:
        """Whether it ends with a slash or is a whole bucket."""
        return self.path.endswith("/") or (self.protocol != "memory" and "/" not in self.path)

    @property
    def normalised(self) -> "Url":
        """The same URL without dots and doubled slashes, for comparisons."""
        return Url(self.protocol, posixpath.normpath(self.path))


AnyPath = Path | Url


def parse_path(text: str) -> AnyPath:
    """Parse a command-line argument as a path or URL; a `file://` URL becomes a path. Raises UsageError for a URL without a path.

    >>> parse_path("photos/a.jpg"), parse_path("s3://bucket/a.jpg"), parse_path("file:///photos/a.jpg")
    (PosixPath('photos/a.jpg'), Url(protocol='s3', path='bucket/a.jpg'), PosixPath('/photos/a.jpg'))
    """
    match = _URL.fullmatch(text)
    if match is None:
        return reachable(Path(text))
    protocol, path = match[1].lower(), match[2]
    if protocol in ("file", "local"):
        return reachable(Path(path_of_file_url(path)))
    protocol = _ALIASES.get(protocol, protocol)
    if protocol in OBJECT_STORES:
        path = path.lstrip("/")
    if not path.strip("/") and protocol != "memory":
        raise UsageError(f"expected a bucket or file in {text}; write it as s3://BUCKET/FOLDER/")
    return Url(protocol, path)
