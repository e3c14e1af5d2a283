"""What a decoded image is: pixels, alpha and the metadata that stays true. Knows no file format and no Pillow."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from imgconv.errors import ImageError

DEFAULT_MAX_PIXELS = 2 * 89_478_485  # twice the size at which Pillow warns of a decompression bomb
Luma = Literal["no", "only", "beside"]
DTYPES = ("uint8", "uint16", "float32", "float64")  # the last for arrays in Python alone: files give float32


def is_of_pixels(dtype: np.dtype[Any]) -> bool:
    """Whether a dtype is one of DTYPES, in either byte order; ten times as quick as its name."""
    return dtype.str[1:] in ("u1", "u2", "f4", "f8")


@dataclass(frozen=True)
class Metadata:
    """What is kept beside the pixels: an ICC profile, dots per inch (x, y), and EXIF whose orientation is 1."""

    icc_profile: bytes | None = None
    dpi: tuple[float, float] | None = None
    exif: bytes | None = None


@dataclass(frozen=True, eq=False)
class Raster:
    """One decoded image, upright.

    `pixels` is (H, W, C), C-contiguous, uint8 (0 to 255), uint16 (0 to 65535), float32 or float64 (as stored). C is 1 grey, 2 grey and
    alpha, 3 RGB, 4 RGB and alpha; arrays of maps may have any C. `alpha` says that the last channel is alpha, not premultiplied.
    `luma` is the grey (H, W, 1) that the file itself holds beside its colours, where it was asked for: that of its grey maps.
    `duration` is in milliseconds, for a frame of an animation. Raises ImageError for any other array.

    >>> import numpy as np
    >>> Raster(np.zeros((2, 3, 1), np.uint8)).size
    (2, 3)
    """

    pixels: NDArray[Any]
    alpha: bool = False
    metadata: Metadata = field(default_factory=Metadata)
    duration: float | None = None
    luma: NDArray[Any] | None = None

    def __post_init__(self) -> None:
        if self.pixels.ndim != 3 or 0 in self.pixels.shape or not is_of_pixels(self.pixels.dtype):
            given = f"{self.pixels.dtype} pixels of shape {self.pixels.shape}"
            raise ImageError(f"{given} are no image; give (H, W, C) of {', '.join(DTYPES)}, none of them 0")
        if self.luma is not None and self.luma.shape != (*self.size, 1):
            raise ImageError(f"a luma of shape {self.luma.shape} is not that of pixels of shape {self.pixels.shape}; leave it out")

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.pixels.shape[0], self.pixels.shape[1]

    @property
    def channels(self) -> int:
        """Channels, alpha included."""
        return int(self.pixels.shape[2])


@dataclass(frozen=True)
class Header:
    """What a file says about itself before anything is decoded.

    `size` is (h, w) after orientation, `channels` counts alpha, `dtype` is that of the pixels that will come out.
    `loop` is how often an animation plays, 0 for ever; `description` the text that the writer left, such as a recipe.
    """

    format: str
    size: tuple[int, int]
    channels: int
    dtype: str = "uint8"
    alpha: bool = False
    frames: int = 1
    animated: bool = False
    loop: int = 0
    description: str | None = None


@dataclass(frozen=True)
class Request:
    """How a file is to be decoded; see `open_frames`."""

    luma: Luma = "no"
    max_pixels: int | None = DEFAULT_MAX_PIXELS
    salvage: bool = False

    def check_size(self, height: int, width: int) -> None:
        """Raise ImageError for an image without pixels, or with more than `max_pixels`."""
        if height < 1 or width < 1:
            raise ImageError(f"an image of {width}x{height} has no pixels")
        if self.max_pixels is not None and height * width > self.max_pixels:
            raise ImageError(
                f"{width}x{height} is {height * width} pixels, more than the limit of {self.max_pixels}; raise it with --max-pixels"
            )


@dataclass(frozen=True)
class Decoder:
    """An opened file: its header, and its frames in order, each decoded when it is asked for."""

    header: Header
    frames: Callable[[], Iterator[Raster]]
