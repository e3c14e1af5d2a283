"""Arrays in .npy and .npz files as images: (H, W), colour images (H, W, C), or maps (M, H, W). Pickles are never loaded."""

import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from math import prod
from typing import Any, BinaryIO, Literal, assert_never, cast

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from imgconv.errors import ImageError
from imgconv.images.damage import DamageError, image_errors, read_exactly
from imgconv.images.decoder import Decoder, Request
from imgconv.images.modes import exact_floats
from imgconv.images.raster import DEFAULT_ENCODING, DTYPES, Encoding, Header, Raster
from imgconv.images.rows import BandedImage, RowReader
from imgconv.modes import Axes

_COLOURS = (3, 4)  # last axis of a colour image; the fourth channel is alpha
_FEW = (1, 2, 3, 4)  # lengths of an axis that can be channels
_SUFFIX = ".npy"
_LONGEST_HEADER = 10_000  # bytes, as in numpy
_MOST_ARRAYS = 65_535  # of an archive without the extension of ZIP for more


@dataclass(frozen=True)
class _Layout:
    """How an array is stored, and which of its axes are which."""

    shape: tuple[int, ...]
    fortran: bool
    stored: np.dtype[Any]
    axes: Axes
    note: str | None

    @property
    def frames(self) -> int:
        return self.shape[0] if len(self.shape) == 4 else 1

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return (self.shape[-3], self.shape[-2]) if self._channels_last else (self.shape[-2], self.shape[-1])

    @property
    def channels(self) -> int:
        return self.shape[-1 if self._channels_last else -3] if len(self.shape) > 2 else 1

    @property
    def alpha(self) -> bool:
        return self._channels_last and self.channels in (2, 4)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the pixels."""
        return pixel_dtype(self.stored)

    @property
    def _channels_last(self) -> bool:
        return len(self.shape) > 2 and self.axes is Axes.HWC

    def header(self, format: str, frames: int) -> Header:
        return Header(format, self.size, self.channels, self.dtype.name, self.alpha, frames, note=self.note)

    def rows(self, array: NDArray[Any], first: int, last: int) -> NDArray[Any]:
        """Return some rows of the array of one image."""
        return array[..., first:last, :] if len(self.shape) == 2 or not self._channels_last else array[first:last]

    def pixels(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return one frame, or some rows of it, as (H, W, C)."""
        if array.ndim == 2:
            array = array[..., None]
        elif not self._channels_last:
            array = array.transpose(1, 2, 0)
        return pixels_of(array)


def decoder(file: BinaryIO, request: Request) -> Decoder:
    """Return the decoder of the .npy array at the position of `file`.

    uint8, uint16, float32 and float64 stay as they are, bool becomes 0 and 255, half floats and small integers become float32, other
    integers float64, which must hold them. An array of three axes is a colour image (H, W, C) where the last axis has 3 or 4 cells, else
    maps (M, H, W), unless the request states its axes; a fourth axis before them counts frames. Raises ImageError for other arrays.
    """
    with image_errors("damaged npy"):
        layout = _read_layout(file, request)
    rows = (lambda: [_Rows(file, layout)]) if layout.frames == 1 else None
    return Decoder(layout.header("npy", layout.frames), lambda: _frames(file, layout, "npy"), rows)


class _Rows(RowReader):
    """The rows of an array in a file, which is mapped into memory for each call, so that no more of it stays there."""

    def __init__(self, file: BinaryIO, layout: _Layout):
        self.header = layout.header("npy", 1)
        self._file, self._layout, self._start = file, layout, file.tell()
        if file.seek(0, 2) - self._start < prod(layout.shape) * layout.stored.itemsize:
            raise ImageError("damaged npy: unexpected end of data")

    def read(self, first: int, last: int) -> NDArray[Any]:
        layout = self._layout
        order: Literal["F", "C"] = "F" if layout.fortran else "C"
        if isinstance(self._file, BytesIO):
            array: NDArray[Any] = np.frombuffer(self._file.getvalue(), layout.stored, prod(layout.shape), self._start)
            array = array.reshape(layout.shape, order=order)
        else:
            array = np.memmap(cast(Any, self._file), layout.stored, "r", self._start, layout.shape, order)
        with image_errors("damaged npy"):
            return np.array(layout.pixels(layout.rows(array, first, last)))


def archive_decoder(file: BinaryIO, request: Request) -> Decoder:
    """Return the decoder of an .npz archive, of which each array is a page. Raises ImageError for an archive of anything else."""
    with image_errors("damaged npz"), _zip_errors():
        archive = zipfile.ZipFile(file)
        names = [name for name in archive.namelist() if name.endswith(_SUFFIX)]
        if len(names) < len(archive.namelist()) or len(names) > _MOST_ARRAYS:
            raise ImageError("a ZIP archive of something other than NumPy arrays is not an image")
        with archive.open(names[0]) as member:
            layout = _read_layout(cast(BinaryIO, member), request)
    frames = len(names) if len(names) > 1 else layout.frames
    return Decoder(layout.header("npz", frames), lambda: _archived(archive, names, request))


def encode(frames: Iterable[Raster], stream: BinaryIO, encoding: Encoding = DEFAULT_ENCODING) -> None:
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


def encode_rows(image: BandedImage, stream: BinaryIO, encoding: Encoding = DEFAULT_ENCODING) -> None:
    """Write the channels of an image as maps (M, H, W), the rows as they arrive, each channel into its place."""
    height, width, channels = image.shape
    header = {"descr": npy_format.dtype_to_descr(image.dtype), "fortran_order": False, "shape": (channels, height, width)}
    npy_format.write_array_header_1_0(stream, header)
    start, row, rows = stream.tell(), width * image.dtype.itemsize, 0
    for band in image.bands:
        for channel in range(channels):
            stream.seek(start + (channel * height + rows) * row)
            stream.write(np.ascontiguousarray(band[..., channel]).data)
        rows += len(band)


def pixel_dtype(stored: np.dtype[Any]) -> np.dtype[Any]:
    """Return the dtype of the pixels: the smallest of `DTYPES` that holds every value, float64 for whole numbers of 32 bits and more."""
    kind, size = stored.kind, stored.itemsize
    if kind == "b":
        return np.dtype(np.uint8)
    if kind == "u" and size <= 2:
        return stored.newbyteorder("=")
    return np.dtype(np.float32 if size <= (4 if kind == "f" else 2) else np.float64)


def pixels_of(array: NDArray[Any]) -> NDArray[Any]:
    """Return stored values (H, W, C) as pixels, see `pixel_dtype`. Raises ImageError for whole numbers that no float holds."""
    dtype = pixel_dtype(array.dtype)
    if array.dtype.kind == "b":
        return np.ascontiguousarray(array * np.uint8(255))
    return np.ascontiguousarray(array, dtype) if dtype.kind == "u" else exact_floats(array, dtype)


def _read_layout(file: BinaryIO, request: Request) -> _Layout:
    shape, fortran, dtype = _read_head(file)
    if dtype.kind not in "biuf" or not 2 <= len(shape) <= 4:
        expected = "expected real numbers of shape (H, W), (H, W, C), (M, H, W), (F, H, W, C) or (F, M, H, W)"
        raise ImageError(f"{expected}, got {dtype} of shape {shape}")
    axes, note = axes_of(shape, request.axes)
    layout = _Layout(shape, fortran, dtype, axes, note)
    request.check_size(*layout.size)
    if 0 in shape:
        raise ImageError(f"an array of shape {shape} is empty")
    return layout


def axes_of(shape: tuple[int, ...], option: Axes | None) -> tuple[Axes, str | None]:
    """Return the order of the axes of an array, by `option` or its shape, and a note if its shape fits both orders."""
    if option is not None or len(shape) < 3:
        return option or Axes.CHW, None
    first, _, last = shape[-3:]
    axes = Axes.HWC if last in _COLOURS else Axes.CHW
    if not (last in _FEW and (first in _FEW or last not in _COLOURS)):
        return axes, None
    match axes:
        case Axes.HWC:
            return axes, f"read as a colour image (H, W, {last}); --axes CHW reads {first} maps"
        case Axes.CHW:
            return axes, f"read as {first} maps (M, H, W); --axes HWC reads an image of {last} {'channel' if last == 1 else 'channels'}"
    assert_never(axes)


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


def _frames(file: BinaryIO, layout: _Layout, format: str) -> Iterator[Raster]:
    shape = (layout.frames, *layout.shape[-3:]) if len(layout.shape) > 2 else (1, *layout.shape)
    if not layout.fortran:
        for _ in range(layout.frames):
            yield Raster(_frame(file, (1, *shape[1:]), layout, format), layout.alpha)
        return
    with image_errors(f"damaged {format}"):
        stored = _read_array(file, shape, layout)
    for each in stored:
        yield Raster(layout.pixels(each), layout.alpha)


def _frame(file: BinaryIO, shape: tuple[int, ...], layout: _Layout, format: str) -> NDArray[Any]:
    """Read and return the pixels of one frame; what was read is freed where the pixels are a copy of it."""
    with image_errors(f"damaged {format}"):
        return layout.pixels(_read_array(file, shape, layout)[0])


def _read_array(file: BinaryIO, shape: tuple[int, ...], layout: _Layout) -> NDArray[Any]:
    data = read_exactly(file, prod(shape) * layout.stored.itemsize)
    if not layout.fortran:
        return np.frombuffer(data, layout.stored).reshape(shape)
    return np.frombuffer(data, layout.stored).reshape(layout.shape, order="F").reshape(shape)


def _archived(archive: zipfile.ZipFile, names: list[str], request: Request) -> Iterator[Raster]:
    deepest = 0
    for number, name in enumerate(names, 1):
        prefix = f"damaged npz, array {number}" if len(names) > 1 else "damaged npz"
        with image_errors(prefix), _zip_errors(), archive.open(name) as opened:
            member = cast(BinaryIO, opened)
            layout = _read_layout(member, request)
            depth = DTYPES.index(layout.dtype.name)
            deepest = depth if number == 1 else deepest
            if depth > deepest or (layout.frames > 1 and len(names) > 1):
                kind = "is deeper than the first one" if depth > deepest else "has frames"
                raise ImageError(f"array {number} {kind}; save it as a file of its own")
            rasters = list(_frames(member, layout, "npz"))
            member.read(1)  # at the end zipfile compares the checksum
        yield from rasters


@contextmanager
def _zip_errors() -> Iterator[None]:
    try:
        yield
    except zipfile.BadZipFile as error:
        raise DamageError(str(error)) from error
