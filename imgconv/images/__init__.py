"""Image files, bytes and streams to rasters and back. The only package that uses Pillow, tifffile and imagecodecs."""

from imgconv.images.decoder import ANY_SIZE, DEFAULT_MAX_PIXELS, DEFAULT_REQUEST, Luma, Request
from imgconv.images.formats import IMAGE_EXTENSIONS, format_for, has_image_extension
from imgconv.images.metadata.result import fitted, resampled, transfer_of
from imgconv.images.modes import from_pil, to_pil
from imgconv.images.raster import DEFAULT_ENCODING, Encoding, Header, Metadata, Raster
from imgconv.images.reading import Frames, check_size, open_frames, read_header, read_stream, read_whole
from imgconv.images.sampling import Sampling
from imgconv.images.writing import check_output, encode

__all__ = [
    "ANY_SIZE",
    "DEFAULT_ENCODING",
    "DEFAULT_MAX_PIXELS",
    "DEFAULT_REQUEST",
    "IMAGE_EXTENSIONS",
    "Encoding",
    "Frames",
    "Header",
    "Luma",
    "Metadata",
    "Raster",
    "Request",
    "Sampling",
    "check_output",
    "check_size",
    "encode",
    "fitted",
    "format_for",
    "from_pil",
    "has_image_extension",
    "open_frames",
    "read_header",
    "read_stream",
    "read_whole",
    "resampled",
    "to_pil",
    "transfer_of",
]
