"""File operations that work on local paths and on URLs; the code for URLs is imported when one is used."""

import os
from collections.abc import Hashable
from pathlib import Path

from imgconv.batch.urls import AnyPath, Url
from imgconv.images.zarr.store import SUFFIX, Readable, holds_zarr
from imgconv.images.zarr.store import is_zarr as is_local_zarr


def path_or_bytes(path: AnyPath, max_pixels: int | None = None) -> Readable:
    """Return what an image is opened from: a local path, the contents of a remote file, or the place of a remote Zarr.

    Raises ImageError, also for contents that are not an image, or larger than one of `max_pixels` can be.
    """
    if isinstance(path, Path):
        return path
    from imgconv.batch import remote

    if is_zarr(path):
        return remote.store(path)
    return remote.read_image(path, max_pixels)


def exists(path: AnyPath) -> bool:
    """Whether a file or folder exists. Raises ImageError if its storage does not respond."""
    if isinstance(path, Path):
        return os.path.exists(path)
    from imgconv.batch import remote

    return remote.exists(path)


def is_zarr(path: AnyPath) -> bool:
    """Whether a path is that of a Zarr array or group; a URL by its name, or as a part of one whose name ends so.

    >>> from imgconv.batch.urls import parse_path
    >>> [is_zarr(parse_path(f"s3://bucket/{name}")) for name in ("a.zarr", "a.zarr/0", "a.zarr/photo.png", "a.png")]
    [True, True, False, False]
    """
    if isinstance(path, Path):
        return is_local_zarr(path)
    return path.suffix.lower() == SUFFIX or (not path.suffix and zarr_root(path) is not path)


def zarr_root(path: AnyPath) -> AnyPath:
    """Return the outermost Zarr around a path, a remote one by its name; the path itself where there is none.

    >>> from imgconv.batch.urls import parse_path
    >>> str(zarr_root(parse_path("s3://bucket/a.zarr/labels/0")))
    's3://bucket/a.zarr'
    """
    root = folder = path
    while folder.name and folder.parent != folder:
        if holds_zarr(folder) if isinstance(folder, Path) else folder.suffix.lower() == SUFFIX:
            root = folder
        folder = folder.parent
    return root


def is_folder(path: AnyPath) -> bool:
    """Whether a folder exists; False for a local path that cannot be looked up. Raises ImageError if its storage does not respond."""
    if isinstance(path, Url):
        from imgconv.batch import remote

        return remote.is_folder(path)
    return os.path.isdir(path)


def identified(path: AnyPath) -> Hashable:
    """Return what `Inputs` identifies a file by."""
    return path.normalised if isinstance(path, Url) else path
