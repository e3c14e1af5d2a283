"""The request with which a file is read, its limits, and the decoder of an opened file."""

from collections.abc import Callable, Iterator, Sequence
from typing import Literal, NamedTuple

from imgconv.errors import ImageError
from imgconv.images.raster import Header, Raster
from imgconv.images.rows import RowReader
from imgconv.modes import Axes

DEFAULT_MAX_PIXELS = 2 * 89_478_485  # twice the size at which Pillow warns of a decompression bomb
MOST_SAMPLES = 16  # per pixel that the limit on pixels allows
MOST_STREAMED = 1 << 34  # pixels of an image that is read by rows
Luma = Literal["no", "only", "also"]


class Request(NamedTuple):
    """How an image file is read.

    `luma` selects the Y channel that a JPEG stores, which other formats lack: `only` gives it as one grey channel (the header still
    counts three), `also` gives it in `Raster.luma` with the colours. An image of more than `max_pixels` is refused, None lifts the limit.
    `salvage` uses the readable part of a damaged file. `axes` is the order of the axes of an array of three, which its shape decides
    otherwise. With `by_rows` a format that gives rows may have MOST_STREAMED pixels, which the caller does not hold in memory together.
    `level` is the number of a reduced copy of a TIFF file or an OME-Zarr image, 0 only its first image. With `premultiplied` colours that
    a TIFF file stores multiplied by alpha stay so, since a division would round them.
    """

    luma: Luma = "no"
    max_pixels: int | None = DEFAULT_MAX_PIXELS
    salvage: bool = False
    axes: Axes | None = None
    by_rows: bool = False
    level: int | None = None
    premultiplied: bool = False

    def allows(self, pixels: int) -> bool:
        """Return whether an image may have this number of pixels; the limit is higher if it can be read by rows."""
        return self.max_pixels is None or pixels <= self.max_pixels or (self.by_rows and pixels <= MOST_STREAMED)

    def check_size(self, height: int, width: int) -> None:
        """Raise ImageError for an image without pixels, or with more than `max_pixels`."""
        if height < 1 or width < 1:
            raise ImageError(f"an image of {width}x{height} has no pixels")
        if not self.allows(height * width):
            raise ImageError(
                f"{width}x{height} is {height * width} pixels, more than the limit of {self.max_pixels}; raise it with --max-pixels"
            )

    def check_samples(self, samples: int) -> None:
        """Raise ImageError for an image of more than MOST_SAMPLES numbers for each of `max_pixels`."""
        if not self.allows(-(-samples // MOST_SAMPLES)):
            raise ImageError(f"{samples} samples are more than {MOST_SAMPLES} times the limit on pixels; raise it with --max-pixels")

    def check_frames(self, header: Header) -> None:
        """Raise ImageError for an image whose frames together have more than `max_pixels`."""
        height, width = header.size
        pixels = height * width * header.frames
        if not self.allows(pixels):
            raise ImageError(
                f"{header.frames} frames of {width}x{height} are {pixels} pixels, more than the limit of {self.max_pixels}; "
                "raise it with --max-pixels"
            )


DEFAULT_REQUEST = Request()
ANY_SIZE = Request(max_pixels=None)


class Decoder(NamedTuple):
    """An opened file: its header, and a function that decodes its frames in order, each one when the iterator reaches it.

    `rows` opens the rows of each frame, where they can be read without decoding all of it.
    """

    header: Header
    frames: Callable[[], Iterator[Raster]]
    rows: Callable[[], Sequence[RowReader] | None] | None = None
