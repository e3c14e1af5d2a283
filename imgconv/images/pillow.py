"""Files that Pillow decodes: their header, and their frames one at a time, upright and composed as they are shown."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from io import BytesIO
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from imgconv.errors import ImageError
from imgconv.images import boxes, deep, jpeg, modes, plugins, webp
from imgconv.images.damage import DECODER_ERRORS, DamageError, TruncatedError, image_errors
from imgconv.images.decoder import Decoder, Request
from imgconv.images.metadata import pillow_info
from imgconv.images.metadata.source import orientation_of, size_of, upright, upright_raster
from imgconv.images.raster import Header, Raster

_QOI_END = b"\0\0\0\0\0\0\0\1"
_ANIMATIONS = ("avif", "webp")
_NAMED_TRAILERS = {"further images (MPF)", "motion photo"}


def decoder(file: BinaryIO, name: str, request: Request) -> Decoder:
    """Return the decoder of a file whose content has the format `name`.

    Raises ImageError for a damaged header or too many pixels, MissingExtra where the format needs a library that is not installed.
    """
    of_deep_image = deep.decoder(file, name, request)
    if of_deep_image:
        return of_deep_image
    if name == "jpeg" and request.salvage:
        file = jpeg.WholeFile(file.read() + jpeg.END)  # with an end mark, libjpeg returns the rows that are there
    if name == "webp":
        height, width = webp.canvas(file)
        request.check_size(height, width)
        if Image.MAX_IMAGE_PIXELS and height * width > 2 * Image.MAX_IMAGE_PIXELS:  # Pillow refuses it, and the program may set its limit
            raise ImageError(f"webp images of {width}x{height} pixels are not supported; convert the image to .png or .tiff")
        file = webp.with_open_canvas(file, height, width)
    image = plugins.open_image(file, name)
    request.check_size(image.height, image.width)
    header = _header(image, name, file)
    return Decoder(header, lambda: _checked_frames(file, image, header, request))


def _header(image: ImageFile.ImageFile, name: str, file: BinaryIO) -> Header:
    with image_errors(f"damaged {name}"):
        channels, dtype, alpha = modes.layout_of(image)
        frames = getattr(image, "n_frames", 1)
    animated = frames > 1 and name in _ANIMATIONS
    loop = int(image.info.get("loop") or 0) if animated else 0
    description = pillow_info.description_of(image)
    return Header(
        name,
        size_of(image, name),
        channels,
        dtype,
        alpha,
        frames,
        animated,
        loop,
        description,
        conversion=_conversion(image, name),
    )


def _conversion(image: ImageFile.ImageFile, name: str) -> float:
    """Return the bytes for each pixel that an image takes in a mode that no raster has, and while it is turned upright."""
    turned = len(image.getbands()) if orientation_of(image.info, name) > 1 else 0
    return turned + (5.0 if image.mode in ("CMYK", "YCbCr", "LAB", "HSV") else 0)


def _checked_frames(file: BinaryIO, image: ImageFile.ImageFile, header: Header, request: Request) -> Iterator[Raster]:
    """Yield the frames of a file whose container has been checked for damage."""
    if header.format in _CHECKS and not request.salvage:
        position = file.tell()
        file.seek(0)
        with image_errors(f"damaged {header.format}"):
            _CHECKS[header.format](file)
        file.seek(position)
    if header.format == "jpeg":
        yield _photograph(file, request)
        return
    durations = boxes.durations(file) if header.format == "avif" and header.animated else ()  # Pillow rounds them
    for index in range(header.frames):
        prefix = f"damaged {header.format}" + (f", frame {index + 1}" if header.frames > 1 else "")
        try:
            with image_errors(prefix):
                raster = _frame(file, image, index, header, request)
                if index == header.frames - 1 and not request.salvage:
                    _check_last_frame(file, raster, header, request)
                if index < len(durations):
                    raster = replace(raster, duration=durations[index])
        except ImageError:
            if request.salvage and index:
                return
            raise
        if index == header.frames - 1:
            image.close()  # frees Pillow's copy of the pixels
        yield raster


def _photograph(file: BinaryIO, request: Request) -> Raster:
    """Decode a JPEG. Raises ImageError if any of its rows are missing, unless the request salvages."""
    with image_errors("damaged jpeg"):
        if request.salvage:
            return _jpeg(file, file, request)
        file.seek(0)
        data = file.read()
        structure = jpeg.read_structure(data)
        source = jpeg.StrictFile(data, structure)
        raster = _jpeg(source, file, request)
        if source.has_unused:  # sound only if zeros follow an image that is whole without them
            source = jpeg.StrictFile(data, structure, padded=True)
            raster = _jpeg(source, file, request)
            if source.has_unused and structure.is_closed(data):
                raise DamageError("data follow the last pixel")
        again = jpeg.with_other_end(data, structure)
        if again and not np.array_equal(_jpeg(again, file, request).pixels, raster.pixels):
            raise TruncatedError
        structure.check_restarts(data)
        if data[structure.end :].strip(b"\0\xff") and not _NAMED_TRAILERS & set(raster.metadata.dropped):
            described = raster.metadata._replace(dropped=(*raster.metadata.dropped, "data after the image"))
            raster = replace(raster, metadata=described)
        return raster


def _jpeg(source: BinaryIO, file: BinaryIO, request: Request) -> Raster:
    """Decode the JPEG in `source`, with the metadata of `file`."""
    image: Any = plugins.open_image(source, "jpeg")
    luma = request.luma if image.mode == "RGB" else "no"
    if luma == "only":
        image.draft("L", image.size)
    plugins.load(image, request.salvage)
    raster = upright_raster(file, "jpeg", image, *modes.pixels_of(image))
    return replace(raster, luma=_luma(source, request)) if luma == "also" else raster


def _frame(file: BinaryIO, image: Any, index: int, header: Header, request: Request) -> Raster:
    if header.frames > 1:
        image.seek(index)
        request.check_size(image.height, image.width)
    plugins.load(image, request.salvage)
    duration = float(image.info.get("duration", 0)) if header.animated else None
    return upright_raster(file, header.format, image, *modes.pixels_of(_composed(image, header)), duration)


def _check_last_frame(file: BinaryIO, raster: Raster, header: Header, request: Request) -> None:
    """Raise TruncatedError for a last frame that lacks its end: zeros take its place, and are more than its pixels need."""
    if header.format not in _OTHER_ENDS:
        return
    file.seek(0)
    other = _OTHER_ENDS[header.format](file.read())
    if other is None:
        return
    try:
        source = BytesIO(other)
        again = _frame(source, plugins.open_image(source, header.format), header.frames - 1, header, request)
    except (*DECODER_ERRORS, ImageError):  # the other data are damage where they are pixels
        return
    if np.array_equal(again.pixels, raster.pixels) and again.metadata == raster.metadata:
        raise TruncatedError


def _composed(image: Any, header: Header) -> Any:
    """Return a frame with the channels of the header."""
    return image.convert("RGBA") if header.animated and header.alpha and image.mode != "LA" else image


def _luma(file: BinaryIO, request: Request) -> NDArray[Any]:
    """Return the luma of a JPEG whose colours are decoded already, upright."""
    image: Any = plugins.open_image(file, "jpeg")
    image.draft("L", image.size)
    plugins.load(image, request.salvage)
    return upright(modes.pixels_of(image)[0], orientation_of(image.info))


def _check_qoi(file: BinaryIO) -> None:
    """Raise TruncatedError for a QOI without its end mark, which Pillow does not check."""
    file.seek(-len(_QOI_END), 2)
    if file.read() != _QOI_END:
        raise TruncatedError


def _check_jpeg2000(file: BinaryIO) -> None:
    from imgconv.images import jpeg2000

    file.seek(0)
    jpeg2000.check_complete(file.read())


_OTHER_ENDS: dict[str, Callable[[bytes], bytes | None]] = {"webp": webp.with_other_end, "avif": boxes.with_other_end}
_CHECKS: dict[str, Callable[[BinaryIO], object]] = {"qoi": _check_qoi, "jpeg2000": _check_jpeg2000}
