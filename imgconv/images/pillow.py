"""Files that Pillow decodes: their header, and their frames one at a time, upright and as they are shown."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from io import BytesIO
from typing import Any, BinaryIO

from numpy.typing import NDArray
from PIL import ImageFile

from imgconv.errors import ImageError
from imgconv.images import deep, gif, metadata, modes, plugins, png
from imgconv.images.damage import DamageError, image_errors
from imgconv.images.raster import Decoder, Header, Raster, Request

_JPEG_END = b"\xff\xd9"
_QOI_END = b"\0\0\0\0\0\0\0\1"
_ANIMATIONS = ("avif", "gif", "png", "webp")


def decode(file: BinaryIO, name: str, request: Request) -> Decoder:
    """The decoder of a file in the format `name`, which its content was found to have.

    Raises ImageError for a damaged header or too many pixels, MissingExtra where the format or depth needs a library that is not here.
    """
    found = deep.find(file, name, request)
    if found:
        return found
    if name == "jpeg" and request.salvage:
        file = BytesIO(file.read() + _JPEG_END)  # with its end mark, libjpeg gives the rows that it has
    if name == "webp":
        request.check_size(*_webp_canvas(file))
    with plugins.pillows_limit.raised(request.max_pixels):
        image = plugins.open_image(file, name)
    request.check_size(image.height, image.width)
    header = _header(image, name, file)
    return Decoder(header, lambda: _checked_frames(file, image, header, request))


def _header(image: ImageFile.ImageFile, name: str, file: BinaryIO) -> Header:
    with image_errors(f"damaged {name}"):
        channels, dtype, alpha = modes.layout_of(image)
        blocks = gif.read_blocks(file) if name == "gif" else None
        frames = max(blocks.frames, 1) if blocks else getattr(image, "n_frames", 1) - _skipped(image)
    animated = frames > 1 and name in _ANIMATIONS
    if animated and blocks:
        channels, alpha = (3, False) if blocks.opaque else (4, True)
    height, width = image.height, image.width
    if name != "tiff" and metadata.orientation_of(image.info) > 4:
        height, width = width, height
    return Header(
        name, (height, width), channels, dtype, alpha, frames, animated, _plays(image, name) if animated else 0, metadata.of(image)
    )


def _skipped(image: ImageFile.ImageFile) -> int:
    """Frames before the first: the image that an APNG shows where animations are unknown is not one of its frames."""
    return int(getattr(image, "default_image", False) and getattr(image, "n_frames", 1) > 1)


def _plays(image: ImageFile.ImageFile, name: str) -> int:
    loop = image.info.get("loop")
    if name == "gif":  # it counts repeats, and without the block it plays once
        return 1 if loop is None else loop + (loop > 0)
    return int(loop or 0)


def _checked_frames(file: BinaryIO, image: ImageFile.ImageFile, header: Header, request: Request) -> Iterator[Raster]:
    if header.format in _CHECKS and not request.salvage:
        position = file.tell()
        file.seek(0)
        with image_errors(f"damaged {header.format}"):
            _CHECKS[header.format](file)
        file.seek(position)
    luma = request.luma if header.format == "jpeg" and image.mode == "RGB" else "no"
    if luma == "only":
        image.draft("L", image.size)
    for index in range(header.frames):
        try:
            doing = f"damaged {header.format}" + (f", frame {index + 1}" if header.frames > 1 else "")
            with image_errors(doing), plugins.pillows_limit.raised(request.max_pixels):
                raster = _frame(image, index, header, request)
                if luma == "beside":
                    raster = replace(raster, luma=_own_luma(file, request))
        except ImageError:
            if request.salvage and index:
                return
            raise
        if index == header.frames - 1:
            image.close()  # its pixels are in the image, and need not be in memory twice
        yield raster


def _frame(image: Any, index: int, header: Header, request: Request) -> Raster:
    if header.frames > 1:
        image.seek(index + _skipped(image))
        request.check_size(image.height, image.width)
        if header.format == "tiff" and plugins.is_deep_tiff(image.tag_v2):
            raise ImageError("it is deeper than the first page; save it as a file of its own")
    if header.format == "tiff" and not request.salvage:
        from imgconv.images import tiff  # which no other format needs

        tiff.check(image.tag_v2.get, image.fp.seek(0, 2))
    plugins.load(image, request.salvage)
    orientation = 1 if header.format == "tiff" else metadata.orientation_of(image.info)
    pixels, alpha = modes.pixels_of(_shown(image, header))
    duration = float(image.info.get("duration", 0)) if header.animated else None
    return Raster(metadata.upright(pixels, orientation), alpha, metadata.from_info(image.info, orientation), duration)


def _shown(image: Any, header: Header) -> Any:
    """A frame with the channels that its header says: each frame of an animation may have a palette of its own, or none."""
    if header.animated and header.format == "gif":
        return image.convert("RGBA" if header.alpha else "RGB")
    return image.convert("RGBA") if header.animated and header.alpha and image.mode != "LA" else image


def _own_luma(file: BinaryIO, request: Request) -> NDArray[Any]:
    """The Y of a JPEG whose colours have been decoded, upright."""
    image: Any = plugins.open_image(file, "jpeg")
    image.draft("L", image.size)
    plugins.load(image, request.salvage)
    return metadata.upright(modes.pixels_of(image)[0], metadata.orientation_of(image.info))


def _webp_canvas(file: BinaryIO) -> tuple[int, int]:
    """Height and width that a WebP's header says; Pillow opens it by allocating them."""
    head = file.read(30)
    file.seek(0)
    if head[12:16] == b"VP8X":
        return int.from_bytes(head[27:30], "little") + 1, int.from_bytes(head[24:27], "little") + 1
    bits = int.from_bytes(head[21:25] if head[12:16] == b"VP8L" else head[26:30], "little")
    lossless = head[12:16] == b"VP8L"
    return ((bits >> 14) & 0x3FFF) + 1 if lossless else (bits >> 16) & 0x3FFF, (bits & 0x3FFF) + lossless


def _check_qoi(file: BinaryIO) -> None:
    """Raise DamageError for a QOI without its end mark; Pillow does not look for it."""
    file.seek(-len(_QOI_END), 2)
    if file.read() != _QOI_END:
        raise DamageError("it is cut short")


_CHECKS: dict[str, Callable[[BinaryIO], object]] = {"png": png.check, "gif": gif.check, "qoi": _check_qoi}
