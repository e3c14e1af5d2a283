"""NIfTI volumes, read with nibabel, which is the extra `nifti`: their slices are pages, with the spacing of pixels."""

import gzip
from collections.abc import Iterator
from io import BytesIO
from itertools import product
from math import prod
from typing import Any, BinaryIO

import numpy as np

from imgconv.errors import ImageError, optional_library
from imgconv.images.damage import DamageError, image_errors
from imgconv.images.decoder import Decoder, Request
from imgconv.images.modes import exact_floats
from imgconv.images.raster import Header, Metadata, Raster

_UNITS = {"mm": 25.4, "meter": 0.0254, "micron": 25400.0, "unknown": 25.4}  # in an inch; volumes without a unit are in millimetres
_LONGEST_HEADER = 1 << 20  # bytes, extensions included
_DROPPED = ("NIfTI header, such as orientation and the thickness of slices",)


def decoder(file: BinaryIO, request: Request) -> Decoder:
    """Return the decoder of a NIfTI file, also of a compressed one. Raises MissingExtra without nibabel.

    A page is a slice of the first two axes, with rows along the second. Slope and intercept are applied.
    """
    nibabel = optional_library("nibabel", "NIfTI images", "nifti")
    with image_errors("damaged nifti"):
        try:
            fields, data = _opened(nibabel, file, request)
            dtype, metadata = _dtype_of(fields), Metadata(dpi=_density(fields), dropped=_DROPPED)
        except nibabel.spatialimages.HeaderDataError as error:
            raise DamageError(str(error)) from error
    width, height, *others = data.shape
    header = Header("nifti", (height, width), 1, dtype.name, frames=prod(others), measured=True)

    def frames() -> Iterator[Raster]:
        with image_errors("damaged nifti"):
            for index in product(*map(range, others)):
                plane = np.asarray(data[(slice(None), slice(None), *index)]).T[..., None]
                pixels = plane.astype(dtype) if dtype.kind == "u" else exact_floats(plane, dtype)
                yield Raster(np.ascontiguousarray(pixels), metadata=metadata)

    return Decoder(header, frames)


def _opened(nibabel: Any, file: BinaryIO, request: Request) -> tuple[Any, Any]:
    """Return the header of a file, and its scaled values, which are read when they are indexed."""
    file.seek(0)
    packed = file.read(2) == b"\x1f\x8b"
    file.seek(0)
    stream = gzip.GzipFile(fileobj=file) if packed else file
    head = stream.read(_LONGEST_HEADER)
    kind = nibabel.Nifti2Header if head[:4] in (b"\x1c\2\0\0", b"\0\0\2\x1c") else nibabel.Nifti1Header
    fields = kind(head[: kind.sizeof_hdr], check=False)  # the checks write to stderr
    if not fields["magic"].item().startswith(b"n+"):
        raise ImageError("a NIfTI or Analyze header whose pixels are in another file is not supported; convert both to one .nii file")
    shape = tuple(int(n) for n in fields.get_data_shape())
    if len(shape) < 2 or min(shape) < 1:
        raise ImageError(f"a NIfTI file of shape {shape} is not an image")
    request.check_size(shape[1], shape[0])
    request.check_frames(Header("nifti", (shape[1], shape[0]), 1, frames=prod(shape[2:])))
    contents = head + stream.read(max(_length(fields) - len(head), 0))  # no more, since what follows can be far longer
    stream.read(1)  # at the end gzip compares the checksum
    return fields, nibabel.arrayproxy.ArrayProxy(BytesIO(contents), fields)


def _length(fields: Any) -> int:
    """Return the bytes of a file, by its header. Raises ImageError for a header of many extensions."""
    offset = int(fields.get_data_offset())
    if offset > _LONGEST_HEADER:
        raise ImageError(f"a NIfTI header of {offset} bytes is not supported; {_LONGEST_HEADER} are allowed")
    return offset + prod(fields.get_data_shape()) * int(fields.get_data_dtype().itemsize)


def _dtype_of(fields: Any) -> np.dtype[Any]:
    stored, (slope, intercept) = fields.get_data_dtype(), fields.get_slope_inter()
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
