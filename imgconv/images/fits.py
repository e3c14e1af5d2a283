"""FITS images, read and written with astropy, which is the extra `fits`."""

import gzip
from collections.abc import Iterable, Iterator
from contextlib import suppress
from io import BytesIO
from itertools import chain
from math import prod
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from imgconv.errors import ImageError
from imgconv.images.damage import DECODER_ERRORS, DamageError, TruncatedError, image_errors
from imgconv.images.decoder import Decoder, Request
from imgconv.images.fits_cards import Cards, library
from imgconv.images.modes import exact_floats
from imgconv.images.raster import DEFAULT_ENCODING, Encoding, Header, Metadata, Raster

_EXTENSION = b"XTENSION"  # the beginning of a header
_CARD, _END = 80, b"END     "
_UNSIGNED = 1 << 63  # BZERO of whole numbers of 64 bits without a sign
_STALE = ("BSCALE", "BZERO", "BLANK", "DATAMIN", "DATAMAX", "CHECKSUM", "DATASUM")  # they describe the stored numbers of the original
_GZIP = b"\x1f\x8b"
_BLOCK = 2880  # bytes
_BEGINNINGS = (b"SIMPLE  =", b"XTENSION=")
_LENGTHS = (b"NAXIS2  =", b"PCOUNT  =")  # those of the rows and of the heap of a table
_MOST_UNITS, _LONGEST_HEADER = 4096, 1 << 20
_TOO_LONG = f"more than {_MOST_UNITS} units, or {_LONGEST_HEADER} bytes of a header, are not supported; save it again"
_MOST_REST, _PART = 1 << 20, 1 << 20  # bytes
_MOST_AXES = 999
_MOST_INFLATED = 1 << 29  # bytes


def decoder(file: BinaryIO, request: Request) -> Decoder:
    """Return the decoder of a FITS file: every extension that is an image is a frame, and the planes of a cube are channels.

    Rows are in the order of the file, as in astropy. Scaled numbers are physical values; BLANK and NaN are missing cells.
    """
    fits = library()
    with image_errors("damaged fits"):
        file = _inflated(file, request)
        _check_header(file, 0)
        _check_header(file, _end_of_first(fits, file))  # astropy reads two headers as soon as it opens a file
        units = list(_units(fits.open(file, memmap=False, do_not_scale_image_data=True), file))
        images = [unit for unit in units if unit.is_image and len(unit.shape) >= 2 and 0 not in unit.shape]
        if not images:
            raise ImageError("a FITS file without an image; tables and spectra are not supported")
        for unit in images:
            _check(unit, request)
        _check_complete(fits, file)
        first = images[0]
        header = Header(
            "fits",
            first.shape[-2:],
            prod(first.shape[:-2]),
            _dtype_of(first).name,
            frames=len(images),
            description=_history(first.header),
            measured=True,
            declares_missing=True,
        )
    primary = None if images[0] is units[0] else units[0].header.tostring(sep="\n")
    tables = ("FITS tables",) if any(not unit.is_image for unit in units) else ()

    def frames() -> Iterator[Raster]:
        for unit in images:
            with image_errors("damaged fits"):
                yield _raster(unit, primary, tables)

    return Decoder(header, frames)


def _check_header(file: BinaryIO, start: int) -> None:
    """Raise ImageError for a header at `start` whose end is farther away than astropy reads in a second."""
    position = file.tell()
    file.seek(start)
    header = file.read(_LONGEST_HEADER + _CARD)
    file.seek(position)
    if len(header) > _LONGEST_HEADER and not any(header.startswith(_END, at) for at in range(0, len(header), _CARD)):
        raise ImageError(_TOO_LONG)


def _end_of_first(fits: Any, file: BinaryIO) -> int:
    """Return where the first unit ends; 0 for a damaged one, which is reported when it is opened."""
    end = 0
    file.seek(0)
    with suppress(*DECODER_ERRORS):
        end = _end(fits.PrimaryHDU.readfrom(file))
    file.seek(0)
    return end


def _end(unit: Any) -> int:
    places = unit.fileinfo()
    return int(places["datLoc"] + places["datSpan"])


def _units(opened: Iterable[Any], file: BinaryIO) -> Iterator[Any]:
    """Yield the units of a file one by one. Raises ImageError for more of them, or longer headers, than astropy reads in a second."""
    for number, unit in enumerate(opened, 1):
        if not hasattr(unit, "fileinfo"):
            raise ImageError("FITS files that do not follow the standard (SIMPLE = F) are not supported; convert them first")
        places = unit.fileinfo()
        if number > _MOST_UNITS or places["datLoc"] - places["hdrLoc"] > _LONGEST_HEADER:
            raise ImageError(_TOO_LONG)
        yield unit
        _check_header(file, _end(unit))


def encode(pages: Iterable[Raster], stream: BinaryIO, encoding: Encoding = DEFAULT_ENCODING) -> None:
    """Write images as the extensions of a FITS file; several channels become the planes of a cube."""
    fits = library()
    remaining = iter(pages)
    first = next(remaining)
    cards = first.metadata.cards
    units = []
    if cards and cards.primary is not None:
        units.append(fits.PrimaryHDU(header=_written(fits, cards.primary, None)))
    for page in chain([first], remaining):
        kind = fits.ImageHDU if units else fits.PrimaryHDU
        text = page.metadata.cards.own if page.metadata.cards else ""
        data, blank = _stored(page)
        unit = kind(data, header=_written(fits, text, encoding.description))
        if blank is not None:
            unit.header["BLANK"] = blank
        units.append(unit)
    try:
        fits.HDUList(units).writeto(stream, output_verify="silentfix")
    except AttributeError as error:  # astropy 8.0 looks up the disk of a full file, and fails at that
        if isinstance(error.__context__, OSError):
            raise error.__context__ from None
        raise


def _check(unit: Any, request: Request) -> None:
    request.check_size(*unit.shape[-2:])
    request.check_samples(prod(unit.shape))


def _check_complete(fits: Any, file: BinaryIO) -> None:
    """Raise DamageError where data or the header of a further unit end early: astropy leaves out a unit whose header is cut."""
    length = file.seek(0, 2)
    file.seek(0)
    unit = list(fits.open(file, memmap=False, disable_image_compression=True))[-1]  # as it is stored
    place = unit.fileinfo()
    file.seek(place["datLoc"] + place["datSpan"])
    rest = file.read(len(_EXTENSION))
    if place["datLoc"] + unit.size > length or (rest and _EXTENSION.startswith(rest)):
        raise DamageError("its data end early")


def _dtype_of(unit: Any) -> np.dtype[Any]:
    """Return the dtype of the pixels: the smallest one that holds every physical value."""
    bits, scale, zero = int(unit.header["BITPIX"]), unit.header.get("BSCALE", 1), unit.header.get("BZERO", 0)
    if scale == 1 and (bits, zero) in ((8, 0), (16, 32768)):
        return np.dtype(np.uint8 if bits == 8 else np.uint16)
    return np.dtype(np.float32 if abs(bits) <= 16 or bits == -32 else np.float64)


def _raster(unit: Any, primary: str | None, dropped: tuple[str, ...]) -> Raster:
    raw, header, dtype = np.asarray(unit.data), unit.header, _dtype_of(unit)
    scale, zero, blank = header.get("BSCALE", 1), header.get("BZERO", 0), header.get("BLANK") if raw.dtype.kind in "iu" else None
    nodata: float | None = float("nan")
    if dtype.kind == "u":
        values = (raw.astype(np.int32) + int(zero)).astype(dtype)
        nodata = None if blank is None else float(blank + zero)
    else:
        stored = raw.astype(raw.dtype.newbyteorder("="))
        if (scale, zero) == (1, _UNSIGNED) and stored.dtype == np.int64:  # the stored numbers themselves may be too large for floats
            stored, zero = stored.view(np.uint64) ^ np.uint64(_UNSIGNED), 0
        values = exact_floats(stored, dtype)
        if (scale, zero) != (1, 0):
            values = (values * float(scale) + float(zero)).astype(dtype)
        if blank is not None:
            values = np.where(raw == blank, dtype.type(np.nan), values)
    planes: NDArray[Any] = values.reshape(-1, *raw.shape[-2:])
    cards = Cards(header.tostring(sep="\n"), primary, raw.shape[:-2])
    return Raster(np.ascontiguousarray(planes.transpose(1, 2, 0)), metadata=Metadata(nodata=nodata, cards=cards, dropped=dropped))


def _stored(page: Raster) -> tuple[NDArray[Any], int | None]:
    """Return the array of an image and the stored number of its missing cells; those of floats become NaN."""
    pixels, nodata, cards = page.pixels.transpose(2, 0, 1), page.metadata.nodata, page.metadata.cards
    blank = None
    if nodata is not None and pixels.dtype.kind == "f" and nodata == nodata:
        pixels = np.where(pixels == pixels.dtype.type(nodata), pixels.dtype.type(np.nan), pixels)
    elif nodata is not None and pixels.dtype.kind == "u":
        blank = int(nodata) - (32768 if pixels.dtype.itemsize == 2 else 0)
    leading = cards.leading if cards and prod(cards.leading) == len(pixels) else (len(pixels),) * (len(pixels) > 1)
    return np.ascontiguousarray(pixels.reshape(*leading, *pixels.shape[1:])), blank


def _written(fits: Any, text: str, description: str | None) -> Any:
    header = fits.Header.fromstring(text, sep="\n") if text else fits.Header()
    for name in _STALE:
        header.remove(name, ignore_missing=True, remove_all=True)
    if description:
        header.add_history(description.encode("ascii", "backslashreplace").decode())
    return header


def _history(header: Any) -> str | None:
    """Return the last line of the history that imgconv wrote, over as many cards as it takes."""
    lines = [str(line) for line in header.get("HISTORY", [])]
    starts = [number for number, line in enumerate(lines) if line.startswith("imgconv ")]
    return "".join(lines[starts[-1] :]) if starts else None


def _inflated(file: BinaryIO, request: Request) -> BinaryIO:
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
        if units > _MOST_UNITS:
            raise ImageError(_TOO_LONG)
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
        if len(blocks) * _BLOCK > _LONGEST_HEADER:
            raise ImageError(_TOO_LONG)
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
