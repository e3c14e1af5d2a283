"""Arrays in .npy files as images: (H, W), or maps (M, H, W), or frames of maps (F, M, H, W). Pickles are never loaded."""

from collections.abc import Iterable, Iterator
from io import BytesIO
from math import prod
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from imgconv.errors import ImageError
from imgconv.images.damage import DamageError, image_errors, read_exactly
from imgconv.images.modes import exact_float32
from imgconv.images.raster import Decoder, Header, Raster, Request

_LONGEST_HEADER = 1 << 16  # bytes
_EXACT = ("uint8", "uint16", "float32")


def decoder(file: BinaryIO, request: Request) -> Decoder:
    """Return the decoder of the .npy array at the position of `file`. uint8, uint16 and float32 stay as they are, bool becomes 0 and 255.

    Other floats are rounded to float32, other integers must be exact in it. Raises ImageError for other arrays.
    """
    with image_errors("damaged npy"):
        shape, fortran, dtype = _read_head(file)
    if dtype.kind not in "biuf" or not 2 <= len(shape) <= 4:
        raise ImageError(f"expected real numbers of shape (H, W), (M, H, W) or (F, M, H, W), got {dtype} of shape {shape}")
    frames, channels, height, width = (1, 1, *shape)[-4:] if len(shape) < 4 else shape
    request.check_size(height, width)
    if frames * channels < 1:
        raise ImageError(f"an array of shape {shape} is empty")
    name = "uint8" if dtype.kind == "b" else dtype.name if dtype.name in _EXACT else "float32"
    header = Header("npy", (height, width), channels, name, frames=frames)
    return Decoder(header, lambda: _frames(file, (frames, channels, height, width), fortran, dtype))


def encode(frames: Iterable[Raster], stream: BinaryIO) -> None:
    """Write one image as (H, W) if it is grey, else as maps (M, H, W); several as (F, M, H, W).

    >>> import io
    >>> file = io.BytesIO()
    >>> encode([Raster(np.zeros((2, 5, 3), np.float32))], file)
    >>> np.load(io.BytesIO(file.getvalue())).shape
    (3, 2, 5)
    """
    arrays = [np.ascontiguousarray(frame.pixels.transpose(2, 0, 1)) for frame in frames]
    if len({array.shape for array in arrays}) != 1:
        raise ImageError("frames in one .npy file must have one size; write them as .tiff pages")
    maps = np.stack(arrays) if len(arrays) > 1 else arrays[0]
    npy_format.write_array(stream, maps[0] if maps.ndim == 3 and len(maps) == 1 else maps, version=(1, 0), allow_pickle=False)


def _read_head(file: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = npy_format.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise ImageError(f"npy version {version[0]}.{version[1]} is not supported; save the array again with numpy.save")
    length = read_exactly(file, 2 if version == (1, 0) else 4)
    count = int.from_bytes(length, "little")
    if count > _LONGEST_HEADER:
        raise DamageError(f"the header claims {count} bytes")
    read = npy_format.read_array_header_1_0 if version == (1, 0) else npy_format.read_array_header_2_0
    return read(BytesIO(length + read_exactly(file, count)))


def _frames(file: BinaryIO, shape: tuple[int, int, int, int], fortran: bool, dtype: np.dtype[Any]) -> Iterator[Raster]:
    count = 1 if fortran else shape[0]
    for _ in range(count):
        with image_errors("damaged npy"):
            maps = _read_maps(file, shape if fortran else (1, *shape[1:]), fortran, dtype)
        for each in maps:
            yield Raster(_pixels(each.transpose(1, 2, 0)))


def _read_maps(file: BinaryIO, shape: tuple[int, ...], fortran: bool, dtype: np.dtype[Any]) -> NDArray[Any]:
    data = read_exactly(file, prod(shape) * dtype.itemsize)
    return np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C")


def _pixels(maps: NDArray[Any]) -> NDArray[Any]:
    if maps.dtype.kind == "b":
        return np.ascontiguousarray(maps * np.uint8(255))
    if maps.dtype.name in _EXACT:
        return np.ascontiguousarray(maps, dtype=maps.dtype.newbyteorder("="))
    return exact_float32(maps)
