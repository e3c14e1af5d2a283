"""Pictures: files, bytes and streams to pixels and back. The only part of imgconv that knows Pillow.

`read_stream` is imported on first use: files do without it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from imgconv.pictures.formats import PICTURE_EXTENSIONS, format_for
from imgconv.pictures.modes import from_pil, to_pil
from imgconv.pictures.picture import DEFAULT_MAX_PIXELS, Header, Luma, Metadata, Picture
from imgconv.pictures.reading import Pictures, open_pictures, read_header
from imgconv.pictures.writing import check_output, encode

if TYPE_CHECKING:
    from imgconv.pictures.stream import read_stream

__all__ = [
    "DEFAULT_MAX_PIXELS",
    "PICTURE_EXTENSIONS",
    "Header",
    "Luma",
    "Metadata",
    "Picture",
    "Pictures",
    "check_output",
    "encode",
    "format_for",
    "from_pil",
    "open_pictures",
    "read_header",
    "read_stream",
    "to_pil",
]


def __getattr__(name: str) -> Any:
    if name == "read_stream":
        return import_module("imgconv.pictures.stream").read_stream
    raise AttributeError(f"module 'imgconv.pictures' has no attribute {name!r}")
