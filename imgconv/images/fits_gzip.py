"""FITS files that gzip compressed: they are inflated unit by unit, as far as headers that are allowed explain the bytes."""

import gzip
from io import BytesIO
from math import prod
from typing import BinaryIO

from imgconv.errors import ImageError
from imgconv.images.damage import DamageError, TruncatedError
from imgconv.images.decoder import Request

_GZIP = b"\x1f\x8b"
_BLOCK, _CARD, _END = 2880, 80, b"END     "
_BEGINNINGS = (b"SIMPLE  =", b"XTENSION=")
_LENGTHS = (b"NAXIS2  =", b"PCOUNT  =")  # those of the rows and of the heap of a table
MOST_UNITS, LONGEST_HEADER = 4096, 1 << 20
TOO_LONG = f"more than {MOST_UNITS} units, or {LONGEST_HEADER} bytes of a header, are not supported; save it again"
_MOST_REST, _PART = 1 << 20, 1 << 20  # bytes
_MOST_AXES = 999
_MOST_INFLATED = 1 << 29  # bytes


def inflated(file: BinaryIO, request: Request) -> BinaryIO:
    """Return a file that gzip compressed as one that is not, with tables that have no rows; any other file as it is.

    Raises ImageError for more pixels than the request allows before they are inflated, and for more bytes than units and their limits
    explain.
    """
    file.seek(0)
    is_packed = file.read(len(_GZIP)) == _GZIP
    file.seek(0)
    if not is_packed:
        return file
    stream, result, units, total, pixels = gzip.GzipFile(fileobj=file), BytesIO(), 0, 0, 0
    while (block := stream.read(_BLOCK)).startswith(_BEGINNINGS):
        header = _whole_header(block, stream)
        cards = _cards(header)
        length, shape = _length(cards), _shape(cards)
        units, total = units + 1, total + length
        if units > MOST_UNITS:
            raise ImageError(TOO_LONG)
        if total > _MOST_INFLATED:
            raise ImageError(f"compressed FITS files of more than {_MOST_INFLATED} bytes are not supported; unpack the file with gunzip")
        if shape is None:
            result.write(b"".join(_without_rows(header[at : at + _CARD]) for at in range(0, len(header), _CARD)))
        else:
            pixels += _checked_pixels(shape, pixels, request)
            result.write(header)
        _copy(stream, -(-length // _BLOCK) * _BLOCK, None if shape is None else result)
    rest = block + stream.read(_MOST_REST)
    if len(rest) > _MOST_REST:
        raise ImageError(f"a FITS file with more than {_MOST_REST} bytes after its last unit is not supported; save it again")
    result.write(rest)
    return result


def _whole_header(block: bytes, stream: gzip.GzipFile) -> bytes:
    """Return the blocks of a header, the first of which was read."""
    blocks = [block]
    while not any(blocks[-1].startswith(_END, at) for at in range(0, len(blocks[-1]), _CARD)):
        if len(blocks) * _BLOCK > LONGEST_HEADER:
            raise ImageError(TOO_LONG)
        if len(blocks[-1]) < _BLOCK:
            raise TruncatedError
        blocks.append(stream.read(_BLOCK))
    return b"".join(blocks)


def _cards(header: bytes) -> dict[str, str]:
    """Return the values of a header as text, the first of each name; astropy takes a hundred times as long (2026-11)."""
    cards = []
    for at in range(0, len(header), _CARD):
        if header.startswith(_END, at):
            break
        cards.append(header[at : at + _CARD].decode("latin-1"))
    return {card[:8].rstrip(): card[10:].partition("/")[0].strip(" '") for card in reversed(cards) if card[8:10] == "= "}


def _length(cards: dict[str, str]) -> int:
    """Return the bytes of the data of a unit."""
    axes = [int(cards.get(f"NAXIS{n}", 0)) for n in range(1, min(int(cards.get("NAXIS", 0)), _MOST_AXES) + 1)]
    axes = axes[1:] if axes[:1] == [0] and cards.get("GROUPS") == "T" else axes
    item, groups, more = (int(cards.get(name, usual)) for name, usual in (("BITPIX", 8), ("GCOUNT", 1), ("PCOUNT", 0)))
    length = abs(item) // 8 * groups * (more + prod(axes)) if axes else 0
    if length < 0 or min(axes, default=0) < 0:
        raise DamageError("a unit has a negative size")
    return length


def _shape(cards: dict[str, str]) -> tuple[int, ...] | None:
    """Return the shape of an image, also of one that is a compressed table; None for a table."""
    is_packed = cards.get("ZIMAGE") == "T"
    if not is_packed and cards.get("XTENSION", "IMAGE") != "IMAGE":
        return None
    key = "ZNAXIS" if is_packed else "NAXIS"
    return tuple(int(cards.get(f"{key}{n}", 0)) for n in range(min(int(cards.get(key, 0)), _MOST_AXES), 0, -1))


def _checked_pixels(shape: tuple[int, ...], others: int, request: Request) -> int:
    """Return the pixels of an image; raise ImageError if these and `others` are more than the request allows."""
    if 0 in shape or len(shape) < 2:
        request.check_samples(prod(shape))
        return 0
    request.check_size(*shape[-2:])
    request.check_samples(prod(shape))
    count = shape[-2] * shape[-1]
    if not request.allows(count + others):
        raise ImageError(f"its images have more pixels than the limit of {request.max_pixels}; raise it with --max-pixels")
    return count


def _without_rows(card: bytes) -> bytes:
    return card[: len(_LENGTHS[0])] + b"0".rjust(21).ljust(_CARD - len(_LENGTHS[0])) if card.startswith(_LENGTHS) else card


def _copy(stream: gzip.GzipFile, length: int, target: BinaryIO | None) -> None:
    """Copy bytes as far as there are any; without a target they are skipped."""
    while length and (part := stream.read(min(length, _PART))):
        length -= len(part)
        if target:
            target.write(part)
