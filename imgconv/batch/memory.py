"""The memory that an image takes: while it is decoded, while its maps are computed, or while they are encoded, whichever is most.

The factors were measured with `tests/load/memory.py` (2026-11, Pillow 13.0, imagecodecs 2026.3).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from imgconv.images import Header
from imgconv.process import shape_of
from imgconv.recipe import Pool, Recipe, Shape

FLOAT, DOUBLE = 4, 8  # bytes of a float32 and a float64
SCRATCH = 6 << 20  # bytes: the bands of rows that threads compute at a time


class Factors(NamedTuple):
    """Bytes that a decoder or encoder takes besides an image's own: for each pixel, and for each byte of the image.

    `retained` bytes for each pixel stay in memory while the maps of a decoded frame are computed.
    """

    per_pixel: float = 0.0
    per_byte: float = 0.0
    retained: float = 0.0


_DECODERS = {
    "png": Factors(1.0, 1.0),
    "jpeg": Factors(1.9, 1.0, retained=0.9),  # the bytes of the file, twice
    "tiff": Factors(0.0, 0.8),
    "webp": Factors(13.2, retained=8.2),
    "gif": Factors(5.0),
    "bmp": Factors(1.0, 1.0),
    "pnm": Factors(0.0, 0.2),
    "jpeg2000": Factors(1.0, 5.0),
    "jpegxl": Factors(0.0, 1.0),
    "avif": Factors(3.2, 1.0, retained=3.0),
    "tga": Factors(1.0, 1.0),
    "qoi": Factors(1.0, 1.0),
    "heif": Factors(3.0, 0.7),
    "npy": Factors(0.0, 0.5),
    "zarr": Factors(0.0, 1.0),
    "npz": Factors(0.0, 1.0),
    "raw": Factors(8.0, 1.0),
    "fits": Factors(0.0, 2.0, retained=1.0),
    "dicom": Factors(0.0, 2.0, retained=1.0),
    "nifti": Factors(0.0, 2.0, retained=1.0),
}
# Of animations: the canvas, the area that a frame replaces, and the frame, with alpha.
_ANIMATED = {"png": Factors(20.0, 1.0), "webp": Factors(50.0), "avif": Factors(45.0), "gif": Factors(17.0)}
_DEEP_DECODERS = {"png": Factors(0.3, 1.6), "jpeg2000": Factors(1.0, 2.4), "jpegxl": Factors(0.0, 2.0)}  # of 16 bits
_ENCODERS = {
    "png": Factors(0.0, 1.2),
    "pnm": Factors(0.0, 1.5),
    "jpeg": Factors(0.0, 1.4),
    "webp": Factors(34.0, 1.0),
    "gif": Factors(1.5),
    "bmp": Factors(0.0, 2.7),
    "jpeg2000": Factors(0.0, 13.6),
    "jpegxl": Factors(4.4, 4.3),
    "avif": Factors(20.0, 7.0),
    "tga": Factors(0.0, 2.6),
    "qoi": Factors(0.0, 2.4),
    "fits": Factors(0.0, 2.0),
}
# The same for all frames of an animation together; of these formats, only the encoded frames are in memory.
_FRAMES = {"png": Factors(0.0, 0.55), "gif": Factors(0.0, 2.6)}
_ALL_FRAMES = {"webp": Factors(0.0, 1.6), "avif": Factors(20.0, 1.3)}
_WEBP_FRAME = 34.0  # bytes for each pixel of the frame that is encoded
_PAGES = ("tiff", "pnm", "zarr")  # pages are written one by one


def estimated_bytes(header: Header, recipe: Recipe, maps: Sequence[Shape], format: str, *, floats: bool) -> int:
    """Estimate the bytes that an image takes at most, beyond those of the process, from its header and the shapes of its maps.

    `format` is that of the output, and `floats` whether it holds unrounded maps. A measured run takes between 1/1.3 and 1.3 times as
    much where the image has 12 megapixels or more.
    """
    item, pixels = np.dtype(header.dtype).itemsize, header.size[0] * header.size[1]
    luma = recipe.luma if header.format == "jpeg" else "no"
    channels = 1 if luma == "only" else header.channels
    raster = pixels * item * channels + (pixels if luma == "also" else 0)
    decoder = _ANIMATED.get(header.format if header.animated else "") or _decoder(header.format, channels, item)
    decoding = raster + (decoder.per_pixel + header.conversion) * pixels + decoder.per_byte * raster
    output = sum(shape.height * shape.width * shape.channels for shape in maps) * (FLOAT if floats else item)
    computing = raster + decoder.retained * pixels + output + _temporaries(header, recipe, maps)
    encoding = _encoding(header, maps, output, format, floats=floats)
    if header.frames == 1:
        return int(max(decoding, computing, encoding)) + SCRATCH
    if floats:
        return int(max(decoding, computing, encoding)) + SCRATCH
    frame = _WEBP_FRAME * max(shape.height * shape.width for shape in maps) if format == "webp" else 0
    return int(max(decoding, computing, frame) + encoding) + SCRATCH


def _temporaries(header: Header, recipe: Recipe, maps: Sequence[Shape]) -> int:
    """Return the bytes that computing the maps takes besides the decoded image and the maps."""
    item, pixels = np.dtype(header.dtype).itemsize, header.size[0] * header.size[1]
    between = FLOAT * recipe.values_between(shape_of(header))
    if between:
        return between
    largest = max(shape.height * shape.width * shape.channels for shape in maps) * item
    total = 0
    if recipe.step.grey and header.channels > 1 and header.format != "jpeg":
        total += pixels * item  # the luma
    elif header.alpha and not maps[0].alpha:
        total += pixels * item * (header.channels - 1)  # the colours over black
    if header.premultiplied and isinstance(recipe.step, Pool):
        total += (pixels + largest // item) * header.channels * DOUBLE  # the straight colours, and what is made of them
    if recipe.command == "canny" and item > 1:
        total += pixels  # the marks
    if recipe.postprocess.threshold is not None:
        total += largest + largest // item
    if recipe.postprocess.overlay:
        total += pixels * item
    return total


def _decoder(format: str, channels: int, item: int) -> Factors:
    factors = _DECODERS[format]
    if channels == 1 and format in ("png", "jpeg", "bmp", "tga", "qoi"):
        # Pillow stores colour as 4 bytes a pixel, and grey as one
        return Factors(factors.retained, 1.0 if item == 1 else 1.8, factors.retained)
    if format == "fits" and item == 1:
        return Factors(0.0, 7.0, retained=1.0)  # astropy computes floats
    return _DEEP_DECODERS.get(format, factors) if item == 2 else factors


def _encoding(header: Header, maps: Sequence[Shape], output: float, format: str, *, floats: bool) -> float:
    """Return the bytes that the finished maps and the encoder take; of an animation, what grows with its frames."""
    frames, largest = header.frames, max(shape.height * shape.width for shape in maps)
    byte = output / len(maps)
    if floats:
        single = frames == 1 and all(shape.channels == 1 for shape in maps)
        if format in ("npy", "npz"):
            return output * frames * (2.1 if single else 3.05)
        return output * frames * (1 if all(shape.channels == 1 for shape in maps) else 2)
    if frames > 1:
        if format in _PAGES:
            return 0.0
        if format in _FRAMES:
            return _FRAMES[format].per_byte * byte * frames
        of_all = _ALL_FRAMES.get(format, Factors())
        return frames * (byte * (1 + of_all.per_byte) + of_all.per_pixel * largest)
    encoder = _ENCODERS.get(format, Factors())
    return output + encoder.per_pixel * largest + encoder.per_byte * byte
