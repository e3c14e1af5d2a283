"""NIfTI volumes, read with nibabel, which is the extra `nifti`: their slices are pages, with the spacing of pixels."""

import gzip
from collections.abc import Iterator
from importlib import import_module
from itertools import product
from math import prod
from typing import Any, BinaryIO

import numpy as np

from imgconv.errors import ImageError, MissingExtra
from imgconv.images.damage import image_errors
from imgconv.images.modes import exact_floats
from imgconv.images.raster import Decoder, Header, Metadata, Raster, Request

_UNITS = {"mm": 25.4, "meter": 0.0254, "micron": 25400.0}  # in an inch
_DROPPED = ("NIfTI header, such as orientation and the thickness of slices",)


def decoder(file: BinaryIO, request: Request) -> Decoder:
    """Return the decoder of a NIfTI file, also of a compressed one. Raises MissingExtra without nibabel.

    A page is a slice of the first two axes, with rows along the second. Slope and intercept are applied.
    """
    nibabel = _library()
    with image_errors("damaged nifti"):
        file.seek(0)
        most = None if request.max_pixels is None else 16 * request.max_pixels + (1 << 20)
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        contents = gzip.GzipFile(fileobj=file).read(-1 if most is None else most) if packed else file.read()
        kind = nibabel.Nifti2Image if contents[:4] in (b"\x1c\2\0\0", b"\0\0\2\x1c") else nibabel.Nifti1Image
        image = kind.from_bytes(contents)
        shape = tuple(int(n) for n in image.shape)
        if len(shape) < 2:
            raise ImageError("a NIfTI file of one axis is not an image")
        request.check_size(shape[1], shape[0])
        dtype = _dtype_of(image)
        header = Header("nifti", (shape[1], shape[0]), 1, dtype.name, frames=prod(shape[2:]), measured=True)

    def frames() -> Iterator[Raster]:
        with image_errors("damaged nifti"):
            metadata = Metadata(dpi=_density(image.header), dropped=_DROPPED)
            for index in product(*map(range, shape[2:])):
                plane = np.asarray(image.dataobj[(slice(None), slice(None), *index)]).T[..., None]
                pixels = plane.astype(dtype) if dtype.kind == "u" else exact_floats(plane, dtype)
                yield Raster(np.ascontiguousarray(pixels), metadata=metadata)

    return Decoder(header, frames)


def _dtype_of(image: Any) -> np.dtype[Any]:
    stored, (slope, intercept) = image.get_data_dtype(), image.header.get_slope_inter()
    if stored.kind not in "iuf" or stored.itemsize > 8:
        raise ImageError(f"NIfTI images of {stored} are not supported; convert them to floats")
    plain = (slope in (None, 1)) and not intercept
    if plain and stored.kind == "u" and stored.itemsize <= 2:
        return np.dtype(np.uint8 if stored.itemsize == 1 else np.uint16)
    return np.dtype(np.float32 if stored.itemsize <= (4 if stored.kind == "f" else 2) else np.float64)


def _density(header: Any) -> tuple[float, float] | None:
    inch = _UNITS.get(header.get_xyzt_units()[0])
    across, down = (float(size) for size in header.get_zooms()[:2])
    return (inch / across, inch / down) if inch and across > 0 and down > 0 else None


def _library() -> Any:
    try:
        return import_module("nibabel")
    except ImportError as error:
        raise MissingExtra("NIfTI images need nibabel; install it: pip install 'imgconv[nifti]'") from error
