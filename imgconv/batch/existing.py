"""Outputs that exist already: whether they are whole, and what made them."""

import os
from io import BytesIO
from pathlib import Path

from imgconv.errors import ImgconvError
from imgconv.pictures import open_pictures, read_header

PNG_END = b"IEND\xaeB`\x82"


def is_complete(file: Path | bytes) -> bool:
    """Whether a file, or what one holds, is a whole picture, or a whole archive of arrays.

    It is read to its end, or for PNG to the mark that ends it.
    """
    from zipfile import is_zipfile  # for what exists alone

    if is_zipfile(BytesIO(file) if isinstance(file, bytes) else file):  # it was found by what stands at its end
        return True
    try:
        with open_pictures(file, max_pixels=None) as opened:
            if opened.header.format == "png":
                return _last_bytes(file, len(PNG_END)) == PNG_END
            for _ in opened:
                pass
    except (ImgconvError, OSError):
        return False
    return True


def made_differently(file: Path | bytes, description: str | None) -> bool:
    """Whether an output says that something other than `description` made it; one that says nothing does not count."""
    try:
        made = read_header(file, max_pixels=None).description
    except ImgconvError:
        return False
    return made is not None and made != description


def _last_bytes(file: Path | bytes, count: int) -> bytes:
    if isinstance(file, bytes):
        return file[-count:]
    with file.open("rb") as opened:
        opened.seek(-count, os.SEEK_END)
        return opened.read()
