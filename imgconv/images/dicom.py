"""DICOM images, read with pydicom, which is the extra `dicom`: values of the modality, with the spacing of pixels."""

from collections.abc import Iterator
from importlib import import_module
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from imgconv.errors import ImageError, MissingExtra
from imgconv.images.damage import image_errors
from imgconv.images.raster import Decoder, Header, Metadata, Raster, Request

_INCH = 25.4  # millimetres
_DROPPED = ("DICOM attributes, such as patient and study",)


def decoder(file: BinaryIO, request: Request) -> Decoder:
    """Return the decoder of a DICOM file, whose frames are pages. Raises MissingExtra without pydicom.

    Whole numbers without a rescaling stay as they are, others become floats: slope and intercept are applied. The padding value is that
    of missing cells.
    """
    pydicom = _library()
    with image_errors("damaged dicom"):
        file.seek(0)
        data = pydicom.dcmread(file)
        if "PixelData" not in data:
            raise ImageError("a DICOM file without pixels is not an image")
        size, count = (int(data.Rows), int(data.Columns)), int(data.get("NumberOfFrames", 1) or 1)
        request.check_size(*size)
        channels, dtype = int(data.get("SamplesPerPixel", 1)), _dtype_of(data)
        header = Header("dicom", size, channels, dtype.name, frames=count, measured=True)

    def frames() -> Iterator[Raster]:
        with image_errors("damaged dicom"):
            pixels = _library("pydicom.pixels").pixel_array(data)
            planes = pixels.reshape(count, *size, channels)
        for plane in planes:
            yield _raster(plane, data, dtype)

    return Decoder(header, frames)


def _dtype_of(data: Any) -> np.dtype[Any]:
    signed, bits = int(data.get("PixelRepresentation", 0)), int(data.get("BitsAllocated", 16))
    if _rescaling(data) == (1, 0) and not signed and bits <= 16:
        return np.dtype(np.uint8 if bits <= 8 else np.uint16)
    return np.dtype(np.float32 if bits <= 16 else np.float64)


def _rescaling(data: Any) -> tuple[float, float]:
    return float(data.get("RescaleSlope", 1) or 1), float(data.get("RescaleIntercept", 0) or 0)


def _raster(plane: NDArray[Any], data: Any, dtype: np.dtype[Any]) -> Raster:
    slope, intercept = _rescaling(data)
    pixels = plane.astype(dtype)
    if dtype.kind == "f":
        pixels = (pixels * slope + intercept).astype(dtype)
    padding = data.get("PixelPaddingValue")
    spacing = [float(each) for each in data.get("PixelSpacing") or data.get("ImagerPixelSpacing") or ()]  # down and across
    dpi = (_INCH / spacing[1], _INCH / spacing[0]) if len(spacing) == 2 and min(spacing) > 0 else None
    nodata = None if padding is None else int(padding) * slope + intercept
    return Raster(np.ascontiguousarray(pixels), metadata=Metadata(dpi=dpi, nodata=nodata, dropped=_DROPPED))


def _library(name: str = "pydicom") -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise MissingExtra("DICOM images need pydicom; install it: pip install 'imgconv[dicom]'") from error
