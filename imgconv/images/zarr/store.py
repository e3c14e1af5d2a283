"""The places of Zarr arrays: local folders and addresses of remote storages, opened with zarr, which is the extra `zarr`."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from imgconv.errors import ImageError, ImgconvError, optional_library, reason
from imgconv.images.damage import image_errors

SUFFIX = ".zarr"
METADATA = ("zarr.json", ".zgroup", ".zarray", ".zattrs")  # files of an array or a group


class Store(NamedTuple):
    """A Zarr array or group: its folder, or its address in a storage of fsspec."""

    place: Path | str

    def opened(self, *, read_only: bool = True) -> Any:
        """Return the store of zarr. Raises MissingExtra without zarr, RuntimeError where it could not start its thread."""
        _start_thread()
        storage = library("zarr.storage")
        if isinstance(self.place, Path):
            return storage.LocalStore(self.place, read_only=read_only)
        return storage.FsspecStore.from_url(self.place, read_only=read_only)

    def wait(self) -> None:
        """Wait for the chunks that zarr still writes on its threads after an error, so that none appears after its folder is removed."""
        import asyncio  # 90 ms

        async def others() -> None:
            await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()}, return_exceptions=True)

        (loop,) = library("zarr.core.sync").loop
        if loop is not None:  # it has started
            asyncio.run_coroutine_threadsafe(others(), loop).result()

    @contextmanager
    def errors(self, prefix: str) -> Iterator[None]:
        """Turn errors into ImageErrors of one line, see `image_errors`."""
        try:
            with image_errors(prefix):
                yield
        except ImgconvError:
            raise
        except Exception as error:  # every storage has its own error classes, and not all of them are OSErrors
            if isinstance(self.place, Path):
                raise
            raise ImageError(reason(error)) from error


Readable = Path | bytes | Store  # what an image is opened from
Writable = BinaryIO | Store  # what an image is written into


def _start_thread() -> None:
    """Start the thread that zarr works on. Raises RuntimeError where none can be started.

    After a failure of its own zarr would wait for that thread, also when the process ends.
    """
    synchronous = library("zarr.core.sync")

    async def nothing() -> None:
        pass

    task = nothing()
    try:
        synchronous.sync(task)
    except RuntimeError:
        task.close()
        loop, synchronous.loop[0] = synchronous.loop[0], None
        loop.close()
        raise


def library(name: str = "zarr") -> Any:
    """Return a module of zarr. Raises MissingExtra without zarr."""
    return optional_library(name, "Zarr arrays", "zarr", "zarr")


def is_zarr(folder: Path) -> bool:
    """Whether a local path is the folder of an array or a group, or has the name of one."""
    return os.path.isdir(folder) and (folder.suffix.lower() == SUFFIX or holds_zarr(folder))


def holds_zarr(folder: Path) -> bool:
    """Whether a local folder is that of an array or a group."""
    return any(os.path.isfile(folder / name) for name in METADATA[:3])


def newest(folder: Path) -> int:
    """Return the time in nanoseconds at which a file in a folder was written last."""
    latest = folder.stat().st_mtime_ns
    for parent, _, names in os.walk(folder):
        latest = max(latest, *((Path(parent) / name).stat().st_mtime_ns for name in names), latest)
    return latest
