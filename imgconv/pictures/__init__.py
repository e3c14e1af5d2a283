"""Pictures: files, bytes and streams to pixels and back. The only part of imgconv that knows Pillow."""

from imgconv.pictures.formats import PICTURE_EXTENSIONS, format_for
from imgconv.pictures.modes import from_pil, to_pil
from imgconv.pictures.picture import DEFAULT_MAX_PIXELS, Header, Metadata, Picture
from imgconv.pictures.reading import Pictures, open_pictures, read_header
from imgconv.pictures.stream import read_stream
from imgconv.pictures.writing import check_output, encode

__all__ = [
    "DEFAULT_MAX_PIXELS",
    "PICTURE_EXTENSIONS",
    "Header",
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
