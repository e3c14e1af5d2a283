"""Files wherever they are: each call goes to this machine's disk or, for an address, to its storage, which is imported then."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO

from imgconv.batch.replacing import replacing
from imgconv.batch.urls import Place, Url


def readable(place: Place) -> Path | bytes:
    """What pictures are opened from: a path, or all bytes of a remote file. Raises PictureError."""
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
    """A stream whose contents take the place of a file once they are complete; the folders above it are made. See `replacing`."""
    if isinstance(place, Path):
        place.parent.mkdir(parents=True, exist_ok=True)
        return replacing(place, before_sending)
    from imgconv.batch import remote

    return remote.replacing(place, before_sending)
