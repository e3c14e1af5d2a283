"""DICOM images, read with pydicom, which is the extra `dicom`: values of the modality, with the spacing of pixels."""

import io
import struct
import zlib
from collections.abc import Iterator
from functools import partial
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from imgconv.errors import ImageError, optional_library
from imgconv.images import embedded
from imgconv.images.damage import TruncatedError, image_errors
from imgconv.images.decoder import Decoder, Request
from imgconv.images.raster import Header, Metadata, Raster

_INCH = 25.4  # millimetres
_INVERTED = "MONOCHROME1, in which large values are dark"
_DROPPED = ("DICOM attributes, such as patient and study",)
_MOST_READS = 1 << 18  # each element takes one or two, and 500 bytes of memory
_MOST_INFLATED = 1 << 27  # bytes
_DEFLATED, _PLAIN = b"1.2.840.10008.1.2.1.99", b"1.2.840.10008.1.2.1\0\0\0"  # transfer syntaxes
_JPEG = tuple(f"1.2.840.10008.1.2.4.{number}" for number in (50, 51, 57, 70))
_JPEG_2000 = tuple(f"1.2.840.10008.1.2.4.{number}" for number in (90, 91))
_HTJ2K = tuple(f"1.2.840.10008.1.2.4.{number}" for number in (201, 202, 203))
_YCBCR = ("YBR_FULL", "YBR_FULL_422")
_READ = ("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR", "RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")
_ALLOCATED = (1, 8, 16, 32, 64)
_PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
_PIXEL_TAG = bytes((0xE0, 0x7F, 0x10, 0))
_META = struct.Struct("<128s4sHH2sHI")  # the beginning of a file up to the length of what follows in group 2


class _Modality(NamedTuple):
    """How stored values become those of a modality, such as Hounsfield units: slope and intercept, or a `table` of so many bits.

    `dpi` are the dots per inch of the frame.
    """

    slope: float
    intercept: float
    dpi: tuple[float, float] | None
    table: int = 0

    @property
    def is_identity(self) -> bool:
        """Whether the stored values are those of the modality."""
        return (self.slope, self.intercept) == (1, 0)


def decoder(file: BinaryIO, request: Request) -> Decoder:
    """Return the decoder of a DICOM file, whose frames are pages. Raises MissingExtra without pydicom.

    Whole numbers without a rescaling stay as they are, others become floats: slope and intercept are applied, those of a frame of its own
    to that frame. The padding value is that of missing cells, as are the values up to the limit of its range. Palettes, and tables
    of the values of a modality, are applied.
    """
    pydicom = _library("pydicom")
    with image_errors("damaged dicom"):
        data = pydicom.dcmread(_Bounded(_inflated(file)))
        if "Rows" not in data or not any(name in data for name in _PIXELS):
            file.seek(0)
            if _PIXEL_TAG in file.read():  # pydicom gives an empty file where an item of the pixels ends early
                raise TruncatedError
            raise ImageError("a DICOM file without pixels is not an image")
        _check_supported(data)
        size, count = (int(data.Rows), int(data.Columns)), int(data.get("NumberOfFrames", 1) or 1)
        request.check_size(*size)
        has_palette = data.get("PhotometricInterpretation") == "PALETTE COLOR"
        modalities = [_modality(data, index) for index in range(max(1, len(data.get("PerFrameFunctionalGroupsSequence") or ())))]
        channels, dtype = 3 if has_palette else int(data.get("SamplesPerPixel", 1)), _dtype_of(data, modalities)
        header = Header("dicom", size, channels, dtype.name, frames=count, measured=True, declares_missing="PixelPaddingValue" in data)

    def frames() -> Iterator[Raster]:
        with image_errors("damaged dicom"):
            pixels = _pixels(data, count, salvage=request.salvage)
            if has_palette:
                pixels = _library("pydicom.pixels").apply_color_lut(pixels, data)[..., :channels]
            planes = pixels.reshape(count, *size, channels)
        for index, plane in enumerate(planes):
            yield _raster(plane, data, dtype, modalities[min(index, len(modalities) - 1)])

    return Decoder(header, frames)


def _check_supported(data: Any) -> None:
    """Raise ImageError for colours and places of bits that pydicom takes for others, and for sizes of values that it does not read."""
    colours = data.get("PhotometricInterpretation", _READ[1])
    if colours not in _READ:
        raise ImageError(f"DICOM images of the photometric interpretation {colours} are not supported; convert them to RGB")
    allocated, stored, high = data.get("BitsAllocated", 8), data.get("BitsStored"), data.get("HighBit")
    if allocated not in _ALLOCATED:
        raise ImageError(f"DICOM images with {allocated} bits allocated for a value are not supported; allocate 16")
    if stored and high is not None and high != stored - 1:
        raise ImageError(f"DICOM images of {stored} bits whose highest one is bit {high} are not supported; store them from bit 0 on")
    syntax = data.file_meta.get("TransferSyntaxUID", _PLAIN.decode().rstrip("\0"))
    if not _is_read(syntax) or (syntax in _HTJ2K and colours in _YCBCR):
        name = "HTJ2K of YCbCr colours" if syntax in _HTJ2K else getattr(syntax, "name", syntax)
        raise ImageError(f"DICOM images compressed as {name} are not supported; decompress the file first, with gdcmconv --raw for example")


def _is_read(syntax: str) -> bool:
    """Return whether pixels of a transfer syntax are read, those of JPEG-LS by a plugin of pydicom only."""
    try:
        return syntax in (*_JPEG, *_HTJ2K) or bool(_library("pydicom.pixels").get_decoder(syntax).is_available)
    except NotImplementedError:
        return False


def _pixels(data: Any, count: int, *, salvage: bool) -> NDArray[Any]:
    """Return the stored values. Raises DamageError for a part of a JPEG or JPEG 2000, unless `salvage`.

    imagecodecs decodes JPEG of other depths and without loss, for which pydicom needs further packages, and all grey ones, since only its
    result shows whether they are whole.
    """
    syntax = str(data.file_meta.TransferSyntaxUID)
    is_jpeg = syntax in _JPEG
    if is_jpeg or syntax in (*_JPEG_2000, *_HTJ2K):
        for part in _parts(data, count):
            embedded.check_size("JPEG" if is_jpeg else "JPEG 2000", part, int(data.Rows), int(data.Columns))
    if is_jpeg and data.get("SamplesPerPixel", 1) == 1:
        return _jpeg_values(data, count, salvage=salvage)
    if syntax in _HTJ2K:
        return _htj2k_values(data, count, salvage=salvage)
    try:
        pixels: NDArray[Any] = _library("pydicom.pixels").pixel_array(data)
    except RuntimeError:
        if not is_jpeg:
            raise
        return _jpeg_values(data, count, salvage=salvage)
    if not salvage:
        _check_parts(data, count)
    return pixels


def _jpeg_values(data: Any, count: int, *, salvage: bool) -> NDArray[Any]:
    from imgconv.images.deep import jpeg_samples

    return _signed(np.stack([jpeg_samples(part, salvage=salvage) for part in _parts(data, count)]), data)


def _htj2k_values(data: Any, count: int, *, salvage: bool) -> NDArray[Any]:
    """Return values that OpenJPEG decodes: OpenJPH, imagecodecs' other decoder, can hang in damaged files (2026.3)."""
    import imagecodecs

    from imgconv.images.jpeg2000 import check_complete

    frames = []
    for part in _parts(data, count):
        if not salvage:
            check_complete(part)
        frames.append(imagecodecs.jpeg2k_decode(part))
    return _signed(np.stack(frames), data)


def _signed(values: NDArray[Any], data: Any) -> NDArray[Any]:
    """Return values with the sign that a file declares, whose decoder took them for numbers without one."""
    if not data.PixelRepresentation or values.dtype.kind == "i":
        return values
    unused = 8 * values.itemsize - int(data.BitsStored)
    return (values << unused).view(f"i{values.itemsize}") >> unused  # the sign is the highest bit that is stored


def _check_parts(data: Any, count: int) -> None:
    """Raise DamageError for a part of a colour JPEG or JPEG 2000, which Pillow takes for all of it where its end was put right."""
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


def _modality(data: Any, index: int) -> _Modality:
    """Return how the stored values of a frame become those of its modality: an enhanced DICOM says it for each frame, or once for all."""
    values, places = (_group(data, index, name) for name in ("PixelValueTransformationSequence", "PixelMeasuresSequence"))
    if tables := data.get("ModalityLUTSequence"):
        if "PixelPaddingValue" in data:
            raise ImageError("DICOM images with a table of values and padding are not supported; convert the image with another program")
        return _Modality(1.0, 0.0, _density(places), int(tables[0].LUTDescriptor[2]))
    return _Modality(float(values.get("RescaleSlope", 1) or 1), float(values.get("RescaleIntercept", 0) or 0), _density(places))


def _group(data: Any, index: int, name: str) -> Any:
    """Return the attributes of a functional group of a frame, or those of the file, which has none in other kinds of DICOM."""
    frames, shared = data.get("PerFrameFunctionalGroupsSequence") or (), data.get("SharedFunctionalGroupsSequence") or ()
    for group in (*frames[index : index + 1], *shared[:1]):
        if name in group and group[name].value:
            return group[name].value[0]
    return data


def _density(data: Any) -> tuple[float, float] | None:
    """Return dots per inch (x, y), by the spacing of pixels down and across."""
    spacing = [float(each) for each in data.get("PixelSpacing") or data.get("ImagerPixelSpacing") or ()]
    return (_INCH / spacing[1], _INCH / spacing[0]) if len(spacing) == 2 and min(spacing) > 0 else None


def _dtype_of(data: Any, modalities: list[_Modality]) -> np.dtype[Any]:
    if data.get("PhotometricInterpretation") == "PALETTE COLOR":
        return np.dtype(np.uint8 if int(data.RedPaletteColorLookupTableDescriptor[2]) <= 8 else np.uint16)
    if "PixelData" not in data:
        return np.dtype(np.float32 if "FloatPixelData" in data else np.float64)
    if modalities[0].table:
        return np.dtype(np.uint8 if modalities[0].table <= 8 else np.uint16)
    signed, bits = int(data.get("PixelRepresentation", 0)), int(data.get("BitsAllocated", 16))
    if all(modality.is_identity for modality in modalities) and not signed and bits <= 16:
        return np.dtype(np.uint8 if bits <= 8 else np.uint16)
    return np.dtype(np.float32 if bits <= 16 else np.float64)


def _raster(plane: NDArray[Any], data: Any, dtype: np.dtype[Any], modality: _Modality) -> Raster:
    padding = data.get("PixelPaddingValue")
    if modality.table:
        plane = _library("pydicom.pixels").apply_modality_lut(plane, data)
    limit, pixels = data.get("PixelPaddingRangeLimit"), plane.astype(dtype)
    if padding is not None and limit is not None:  # all values from one to the other are padding
        is_padding = (plane >= min(padding, limit)) & (plane <= max(padding, limit))
        pixels = np.where(is_padding, np.array(padding).astype(dtype), pixels)
    if dtype.kind == "f":
        pixels = (pixels * modality.slope + modality.intercept).astype(dtype)
    nodata = None if padding is None else int(padding) * modality.slope + modality.intercept
    height, width = (float(each) for each in data.get("PixelAspectRatio") or (1, 1))
    aspect = (height, width) if modality.dpi is None and min(height, width) > 0 else None
    dropped = (*_DROPPED, *([_INVERTED] if data.get("PhotometricInterpretation") == "MONOCHROME1" else []))
    return Raster(np.ascontiguousarray(pixels), metadata=Metadata(dpi=modality.dpi, aspect=aspect, nodata=nodata, dropped=dropped))


_library = partial(optional_library, what="DICOM images", extra="dicom", name="pydicom")
