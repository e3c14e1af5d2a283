"""FITS images, read and written with astropy, which is the extra `fits`."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import chain
from math import prod
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from imgconv.errors import ImageError
from imgconv.images.damage import DECODER_ERRORS, DamageError, image_errors
from imgconv.images.decoder import Decoder, Request
from imgconv.images.fits_cards import Cards, library
from imgconv.images.fits_gzip import LONGEST_HEADER, MOST_UNITS, TOO_LONG, inflated
from imgconv.images.modes import exact_floats
from imgconv.images.raster import DEFAULT_ENCODING, Encoding, Header, Metadata, Raster

_EXTENSION = b"XTENSION"  # the beginning of a header
_CARD, _END = 80, b"END     "
_UNSIGNED = 1 << 63  # BZERO of whole numbers of 64 bits without a sign
_STALE = ("BSCALE", "BZERO", "BLANK", "DATAMIN", "DATAMAX", "CHECKSUM", "DATASUM")  # they describe the stored numbers of the original


def decoder(file: BinaryIO, request: Request) -> Decoder:
    """Return the decoder of a FITS file: every extension that is an image is a frame, and the planes of a cube are channels.

    Rows are in the order of the file, as in astropy. Scaled numbers are physical values; BLANK and NaN are missing cells.
    """
    fits = library()
    with image_errors("damaged fits"):
        file = inflated(file, request)
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
    header = file.read(LONGEST_HEADER + _CARD)
    file.seek(position)
    if len(header) > LONGEST_HEADER and not any(header.startswith(_END, at) for at in range(0, len(header), _CARD)):
        raise ImageError(TOO_LONG)


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
        if number > MOST_UNITS or places["datLoc"] - places["hdrLoc"] > LONGEST_HEADER:
            raise ImageError(TOO_LONG)
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
