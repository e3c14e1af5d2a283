"""DICOM images, read with pydicom, which is the extra `dicom`: values of the modality, with the spacing of pixels."""

import io
import struct
import zlib
from collections.abc import Iterator
from functools import partial
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from imgconv.errors import ImageError, optional_library
from imgconv.images.damage import image_errors
from imgconv.images.decoder import Decoder, Request
from imgconv.images.raster import Header, Metadata, Raster

_INCH = 25.4  # millimetres
_DROPPED = ("DICOM attributes, such as patient and study",)
_MOST_READS = 1 << 18  # each element takes one or two, and 500 bytes of memory
_MOST_INFLATED = 1 << 27  # bytes
_DEFLATED, _PLAIN = b"1.2.840.10008.1.2.1.99", b"1.2.840.10008.1.2.1\0\0\0"  # transfer syntaxes
_JPEG = tuple(f"1.2.840.10008.1.2.4.{number}" for number in (50, 51, 57, 70))
_JPEG_2000 = tuple(f"1.2.840.10008.1.2.4.{number}" for number in (90, 91))
_PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
_META = struct.Struct("<128s4sHH2sHI")  # the beginning of a file up to the length of what follows in group 2


def decoder(file: BinaryIO, request: Request) -> Decoder:
    """Return the decoder of a DICOM file, whose frames are pages. Raises MissingExtra without pydicom.

    Whole numbers without a rescaling stay as they are, others become floats: slope and intercept are applied. The padding value is that
    of missing cells, as are the values up to the limit of its range. Palettes are applied.
    """
    pydicom = _library("pydicom")
    with image_errors("damaged dicom"):
        data = pydicom.dcmread(_Bounded(_inflated(file)))
        if "Rows" not in data or not any(name in data for name in _PIXELS):
            raise ImageError("a DICOM file without pixels is not an image")
        size, count = (int(data.Rows), int(data.Columns)), int(data.get("NumberOfFrames", 1) or 1)
        request.check_size(*size)
        has_palette = data.get("PhotometricInterpretation") == "PALETTE COLOR"
        channels, dtype = 3 if has_palette else int(data.get("SamplesPerPixel", 1)), _dtype_of(data)
        header = Header("dicom", size, channels, dtype.name, frames=count, measured=True, declares_missing="PixelPaddingValue" in data)

    def frames() -> Iterator[Raster]:
        with image_errors("damaged dicom"):
            pixels = _pixels(data, count)
            if not request.salvage:
                _check_parts(data, count)
            if has_palette:
                pixels = _library("pydicom.pixels").apply_color_lut(pixels, data)[..., :channels]
            planes = pixels.reshape(count, *size, channels)
        for plane in planes:
            yield _raster(plane, data, dtype)

    return Decoder(header, frames)


def _pixels(data: Any, count: int) -> NDArray[Any]:
    """Return the stored values; imagecodecs decodes JPEG of other depths and without loss, for which pydicom needs further packages."""
    try:
        pixels: NDArray[Any] = _library("pydicom.pixels").pixel_array(data)
        return pixels
    except RuntimeError:
        if str(data.file_meta.TransferSyntaxUID) not in _JPEG:
            raise
    from imgconv.images.deep import jpeg_samples

    values = np.stack([jpeg_samples(part, salvage=True) for part in _parts(data, count)])
    if not data.PixelRepresentation:
        return values
    unused = 8 * values.itemsize - int(data.BitsStored)
    return (values << unused).view(f"i{values.itemsize}") >> unused  # the sign is the highest bit that is stored


def _check_parts(data: Any, count: int) -> None:
    """Raise DamageError for a part of a JPEG or JPEG 2000, which Pillow takes for all of it where its end was put right."""
    from imgconv.images import deep, jpeg2000

    syntax = str(data.file_meta.TransferSyntaxUID)
    if syntax in _JPEG:
        for part in _parts(data, count):
            deep.jpeg_samples(part)
    elif syntax in _JPEG_2000:
        for part in _parts(data, count):
            jpeg2000.check_complete(part)


def _parts(data: Any, count: int) -> Iterator[bytes]:
    """Return the file that each frame is compressed as, one after the other."""
    parts: Iterator[bytes] = _library("pydicom.encaps").generate_frames(data.PixelData, number_of_frames=count)
    return parts


class _Bounded:
    """A file of which no more elements are read than images have."""

    def __init__(self, file: BinaryIO):
        self._file, self._left = file, _MOST_READS
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int = -1) -> bytes:
        """Read bytes. Raises ImageError after too many calls."""
        self._left -= 1
        if self._left < 0:
            raise ImageError(f"a DICOM file of more than {_MOST_READS // 2} elements is not supported; convert it with another program")
        return self._file.read(size)


def _inflated(file: BinaryIO) -> BinaryIO:
    """Return a file whose elements are deflated as one whose elements are not; any other as it is. Raises ImageError for a large one."""
    file.seek(0)
    start = file.read(_META.size)
    length = _META.unpack(start)[-1] if len(start) == _META.size else 0
    meta = file.read(min(length, 1 << 16))
    if _DEFLATED not in meta:
        file.seek(0)
        return file
    inflating = zlib.decompressobj(-zlib.MAX_WBITS)
    data = inflating.decompress(file.read(), _MOST_INFLATED)
    if not inflating.eof:
        raise ImageError(f"deflated DICOM is damaged, or has more than {_MOST_INFLATED} bytes; convert it with another program")
    return io.BytesIO(start + meta.replace(_DEFLATED, _PLAIN) + data)


def _dtype_of(data: Any) -> np.dtype[Any]:
    if data.get("PhotometricInterpretation") == "PALETTE COLOR":
        return np.dtype(np.uint8 if int(data.RedPaletteColorLookupTableDescriptor[2]) <= 8 else np.uint16)
    if "PixelData" not in data:
        return np.dtype(np.float32 if "FloatPixelData" in data else np.float64)
    signed, bits = int(data.get("PixelRepresentation", 0)), int(data.get("BitsAllocated", 16))
    if _rescaling(data) == (1, 0) and not signed and bits <= 16:
        return np.dtype(np.uint8 if bits <= 8 else np.uint16)
    return np.dtype(np.float32 if bits <= 16 else np.float64)


def _rescaling(data: Any) -> tuple[float, float]:
    return float(data.get("RescaleSlope", 1) or 1), float(data.get("RescaleIntercept", 0) or 0)


def _raster(plane: NDArray[Any], data: Any, dtype: np.dtype[Any]) -> Raster:
    slope, intercept = _rescaling(data)
    padding = data.get("PixelPaddingValue")
    limit, pixels = data.get("PixelPaddingRangeLimit"), plane.astype(dtype)
    if padding is not None and limit is not None:  # all values from one to the other are padding
        is_padding = (plane >= min(padding, limit)) & (plane <= max(padding, limit))
        pixels = np.where(is_padding, np.array(padding).astype(dtype), pixels)
    if dtype.kind == "f":
        pixels = (pixels * slope + intercept).astype(dtype)
    spacing = [float(each) for each in data.get("PixelSpacing") or data.get("ImagerPixelSpacing") or ()]  # down and across
    dpi = (_INCH / spacing[1], _INCH / spacing[0]) if len(spacing) == 2 and min(spacing) > 0 else None
    nodata = None if padding is None else int(padding) * slope + intercept
    return Raster(np.ascontiguousarray(pixels), metadata=Metadata(dpi=dpi, nodata=nodata, dropped=_DROPPED))


_library = partial(optional_library, what="DICOM images", extra="dicom", name="pydicom")
