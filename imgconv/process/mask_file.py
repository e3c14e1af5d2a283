"""A mask that is not loaded as a whole: only the rows that are needed are read from its file."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from weakref import finalize

from imgconv.arrays import Array
from imgconv.errors import ImageError
from imgconv.images import ANY_SIZE, Raster, Request, open_frames
from imgconv.images.rows import RowBuffer
from imgconv.process.missing import mask_of

BY_ROWS = Request(max_pixels=None, by_rows=True)
LARGE = 1 << 22  # pixels; a smaller mask is read at once


class MaskFile:
    """The mask (H, W) in an image file; `mask[first:last]` are some of its rows, which are read from top to bottom.

    An image that is read by rows has a mask of its own, by `opened`, since others may be at other rows.
    """

    def __init__(self, path: Path, shape: tuple[int, int]):
        self.shape = shape
        self._path = path
        self._buffer: RowBuffer | None = None
        self._alpha = False

    @classmethod
    def of(cls, path: Path) -> "MaskFile | None":
        """The mask in a file; None where it is small, or cannot be read by rows."""
        with suppress(ImageError, OSError), open_frames(path, BY_ROWS) as frames:
            height, width = frames.header.size
            if height * width >= LARGE and frames.rows() is not None:
                return cls(path.absolute(), (height, width))  # workers of a cluster have other folders
        return None

    def opened(self) -> "MaskFile":
        """The same mask, from its first row on."""
        return MaskFile(self._path, self.shape)

    def __getitem__(self, rows: slice) -> Array:
        first, last, _ = rows.indices(self.shape[0])
        if last - first == self.shape[0]:
            with self._named(), open_frames(self._path, ANY_SIZE) as frames:
                return mask_of(next(iter(frames)))
        with self._named():
            buffer = self._buffer or self._open()
            return mask_of(Raster(buffer.read(first, last), self._alpha))

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_buffer": None}

    def _open(self) -> RowBuffer:
        frames = open_frames(self._path, BY_ROWS)
        finalize(self, frames.close)
        rows = frames.rows()
        if rows is None or frames.header.size != self.shape:
            raise ImageError("it changed during the run; do not modify it until the run ends")
        self._buffer, self._alpha = RowBuffer(rows[0]), frames.header.alpha
        return self._buffer

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Name the mask in errors, which are those of an image otherwise."""
        try:
            yield
        except ImageError as error:
            raise ImageError(f"mask {self._path}: {error}") from None
