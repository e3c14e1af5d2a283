"""A decoded image: pixels, alpha and metadata; the description of a file before it is decoded, and how one is written."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from imgconv.errors import ImageError

if TYPE_CHECKING:
    from imgconv.images.fits_cards import Cards
    from imgconv.images.layout import Layout
    from imgconv.images.metadata.exif import Exif
    from imgconv.images.tiff.geotiff import Bands, Ground
    from imgconv.images.tiff.stacks import Stack
    from imgconv.images.zarr.ome import Grid

DTYPES = ("uint8", "uint16", "float32", "float64")


def is_pixel_dtype(dtype: np.dtype[Any]) -> bool:
    """Return whether a dtype is one of DTYPES, in either byte order; ten times as fast as comparing names.

    >>> is_pixel_dtype(np.dtype(">u2")), is_pixel_dtype(np.dtype("int16"))
    (True, False)
    """
    return dtype.str[1:] in ("u1", "u2", "f4", "f8")


class Metadata(NamedTuple):
    """Metadata of an upright image, right for its size.

    `icc_profile`, `xmp` and `iptc` are the bytes of the file. `dpi` are dots per inch (x, y); `aspect` are dots per unit (x, y) where the
    unit is unknown, so that only their ratio counts. `colour` are the PNG chunks that describe colours, name and data, and `texts` the
    keywords and texts of a PNG. `nodata` is the declared value of missing cells, `ground` the place of the pixels, and `bands` what is said
    about the channels, `cards` the header of a FITS image, `stack` the axes of a stack, `grid` those of an OME-Zarr image. `rgb_bands` is
    the number of channels if the first three of more colours are red, green and blue, and 0 if three or more are no colours. `dropped`
    names what the file had that does not hold for its pixels any more, or has no place in the output.
    """

    icc_profile: bytes | None = None
    dpi: tuple[float, float] | None = None
    aspect: tuple[float, float] | None = None
    exif: "Exif | None" = None
    xmp: bytes | None = None
    iptc: bytes | None = None
    colour: tuple[tuple[bytes, bytes], ...] = ()
    texts: tuple[tuple[str, str], ...] = ()
    nodata: float | None = None
    ground: "Ground | None" = None
    bands: "Bands | None" = None
    cards: "Cards | None" = None
    stack: "Stack | None" = None
    grid: "Grid | None" = None
    rgb_bands: int | None = None
    dropped: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Raster:
    """One decoded image, upright.

    `pixels` is (H, W, C), C-contiguous, uint8 (0 to 255), uint16 (0 to 65535), float32 or float64 (as stored). C is 1 for grey, 2 for grey
    and alpha, 3 for RGB, 4 for RGB and alpha; maps and images of several bands can have any C. `alpha` means that the last channel is
    alpha, and `premultiplied` that the colours are multiplied by it. `luma` is the luma (H, W, 1) that a JPEG file itself stores, if it was
    requested. `duration` is the time that a frame of an animation is shown, in milliseconds. `valid`, of the shape of `pixels`, is 1 in
    valid and 0 in missing cells, whose pixels are 0 before they are filtered; None where no cell is missing. Raises ImageError for any
    other array.

    >>> Raster(np.zeros((2, 3, 1), np.uint8)).size
    (2, 3)
    """

    pixels: NDArray[Any]
    alpha: bool = False
    metadata: Metadata = field(default_factory=Metadata)
    duration: float | None = None
    luma: NDArray[Any] | None = None
    valid: NDArray[np.uint8] | None = None
    premultiplied: bool = False

    def __post_init__(self) -> None:
        if self.pixels.ndim != 3 or 0 in self.pixels.shape or not is_pixel_dtype(self.pixels.dtype):
            expected = f"expected pixels of shape (H, W, C), none of them 0, and dtype {', '.join(DTYPES)}"
            raise ImageError(f"{expected}; got {self.pixels.dtype} of shape {self.pixels.shape}")
        if self.luma is not None and self.luma.shape != (*self.size, 1):
            raise ImageError(f"expected luma of shape {(*self.size, 1)} for pixels of shape {self.pixels.shape}, got {self.luma.shape}")
        if self.valid is not None and self.valid.shape != self.pixels.shape:
            raise ImageError(f"expected valid cells of shape {self.pixels.shape}, got {self.valid.shape}")

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.pixels.shape[0], self.pixels.shape[1]

    @property
    def colours(self) -> NDArray[Any]:
        """The pixels without alpha."""
        return self.pixels[..., :-1] if self.alpha else self.pixels

    @property
    def missing(self) -> int:
        """Number of missing cells, each channel counted, without alpha."""
        if self.valid is None:
            return 0
        valid = self.valid[..., :-1] if self.alpha else self.valid
        distinct = valid[..., :1] if valid.strides[2] == 0 else valid  # channels that share cells are counted 16 times as fast
        return int(distinct.size - np.count_nonzero(distinct)) * (valid.shape[2] // distinct.shape[2])

    @property
    def channels(self) -> int:
        """Number of channels, alpha included."""
        return int(self.pixels.shape[2])


class Header(NamedTuple):
    """The description of an image file, available before its pixels are decoded.

    `size` is (H, W) after orientation, `channels` counts alpha, `dtype` is that of the decoded pixels. `loop` is the number of times an
    animation plays, 0 for ever; `description` is the text that the writer of the file left, such as a recipe. `warning` names what of the
    file is left out, such as a damaged animation around a still image that is whole; `note` describes how an array was read whose shape has
    two meanings. `measured` is true of files that are written in their own format, since no other has a place for what they declare;
    `declares_missing` of those that name the value of missing cells, `premultiplied` of colours that are multiplied by alpha.
    `conversion` is how many bytes for each pixel the decoder needs besides what it usually needs for these channels, as for CMYK.
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
    warning: str | None = None
    conversion: float = 0.0
    note: str | None = None
    measured: bool = False
    declares_missing: bool = False
    premultiplied: bool = False


class Encoding(NamedTuple):
    """How images are written.

    `quality`, 0 to 100, is for jpeg (default 92), avif (90), webp, jpeg2000 and jpegxl (default lossless). `description` is written where
    the format has a place for it. `layout` is that of a TIFF or a Zarr, and `pages` the number of images that a Zarr gets. Several images
    are an animation if `animated`, which plays `loop` times, 0 for ever, else pages.
    """

    quality: int | None = None
    description: str | None = None
    layout: "Layout | None" = None
    pages: int = 1
    animated: bool = False
    loop: int = 0


DEFAULT_ENCODING = Encoding()
