"""Outputs that exist already: whether they are whole, and what made them."""

import os
from pathlib import Path
from zipfile import is_zipfile

from imgconv.errors import ImgconvError
from imgconv.pictures import open_pictures, read_header

PNG_END = b"IEND\xaeB`\x82"


def is_complete(path: Path) -> bool:
    """Whether a file is a whole picture, or a whole archive of arrays: read to its end, or for PNG to the mark that ends it."""
    if is_zipfile(path):  # it was found by what stands at its end
        return True
    try:
        with open_pictures(path, max_pixels=None) as opened:
            if opened.header.format == "png":
                return _last_bytes(path, len(PNG_END)) == PNG_END
            for _ in opened:
                pass
    except (ImgconvError, OSError):
        return False
    return True


def made_differently(path: Path, description: str | None) -> bool:
    """Whether an output says that something other than `description` made it; one that says nothing does not count."""
    try:
        made = read_header(path, max_pixels=None).description
    except ImgconvError:
        return False
    return made is not None and made != description


def _last_bytes(path: Path, count: int) -> bytes:
    with path.open("rb") as file:
        file.seek(-count, os.SEEK_END)
        return file.read()
