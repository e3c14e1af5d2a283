"""Images: files, bytes and streams to pixels and back. The only part of imgconv that knows Pillow.

`read_stream` is imported on first use: files do without it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from imgconv.images.formats import IMAGE_EXTENSIONS, format_for
from imgconv.images.modes import from_pil, to_pil
from imgconv.images.raster import DEFAULT_MAX_PIXELS, Header, Luma, Metadata, Raster
from imgconv.images.reading import Frames, open_frames, read_header
from imgconv.images.writing import check_output, encode

if TYPE_CHECKING:
    from imgconv.images.reading import read_stream

__all__ = [
    "DEFAULT_MAX_PIXELS",
    "IMAGE_EXTENSIONS",
    "Frames",
    "Header",
    "Luma",
    "Metadata",
    "Raster",
    "check_output",
    "encode",
    "format_for",
    "from_pil",
    "open_frames",
    "read_header",
    "read_stream",
    "to_pil",
]


def __getattr__(name: str) -> Any:
    if name == "read_stream":
        return import_module("imgconv.images.reading").read_stream
    raise AttributeError(f"module 'imgconv.images' has no attribute {name!r}")
