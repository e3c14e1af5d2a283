"""Images with more depth than Pillow's modes: JPEG, JPEG 2000, AVIF and HEIC; and JPEG without loss.

imagecodecs decodes JPEG, JPEG 2000 and AVIF, pillow-heif HEIC.
"""

from collections.abc import Callable, Iterator, Sequence
from io import BytesIO
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from imgconv.errors import ImageError
from imgconv.images import jpeg, plugins
from imgconv.images.damage import image_errors
from imgconv.images.decoder import Decoder, Request
from imgconv.images.metadata import pillow_info
from imgconv.images.metadata.source import size_of, upright_raster
from imgconv.images.modes import full_range, white_is_white
from imgconv.images.raster import Header, Raster


def decoder(file: BinaryIO, name: str, request: Request) -> Decoder | None:
    """Return the decoder of a file with more than 8 bits per channel, or of a kind of JPEG that Pillow lacks; None for all others."""
    if name not in _DECODERS:
        return None
    file.seek(0)
    with image_errors(f"damaged {name}"):
        return _DECODERS[name](file, request)


def _jpeg(file: BinaryIO, request: Request) -> Decoder | None:
    frame = jpeg.frame_header(file)
    if frame is not None and jpeg.size_in(file, frame[0])[0] == 0:
        raise ImageError("jpeg images whose height follows the pixels (DNL) are not supported; convert them to .png")
    if frame is None or (frame[1] in jpeg.PILLOWS and frame[2] == 8):
        file.seek(0)
        return None
    position, marker, bits = frame
    if marker not in (*jpeg.PILLOWS, jpeg.LOSSLESS):  # imagecodecs can hang in a JPEG-LS that was cut short (2026.3)
        kind = "JPEG-LS images" if marker == jpeg.JPEG_LS else "hierarchical jpeg images, and lossless ones in arithmetic codes,"
        raise ImageError(f"{kind} are not supported; convert them to .png")
    file.seek(0)
    data = bytearray(file.read())
    data[position + 1], data[position + 4] = jpeg.PILLOWS[0], 8  # for Pillow, which reads the header and metadata
    image = plugins.open_image(BytesIO(data), "jpeg")
    if image.mode not in ("L", "RGB"):
        raise ImageError(f"jpeg images of {image.mode} and {bits} bits are not supported; convert them to RGB")
    if marker == jpeg.LOSSLESS and _is_transformed(image):
        raise ImageError("lossless jpeg images in YCbCr are not supported; convert them to .png")
    form = _Form("uint8" if bits <= 8 else "uint16", len(image.getbands()), alpha=False)
    return _whole_file(
        "jpeg", file, form, request, lambda data, _: white_is_white(jpeg_samples(data, salvage=request.salvage), bits), image=image
    )


def _is_transformed(image: Any) -> bool:
    """Return whether a JPEG without loss has other colours than RGB, which libjpeg takes its components for."""
    steps = {layer[1:3] for layer in image.layer}
    is_by_ffmpeg = image.info.get("comment", b"").startswith(b"Lavc")  # it marks neither YCbCr nor its differences of colours
    declares = "jfif" in image.info or image.info.get("adobe_transform", 0) != 0
    return image.mode == "RGB" and (declares or is_by_ffmpeg or len(steps) > 1)


def jpeg_samples(data: bytes, *, salvage: bool = False) -> NDArray[Any]:
    """Return the samples of a JPEG of any depth. Raises DamageError for a part of one, unless `salvage`."""
    import imagecodecs

    samples: NDArray[Any] = imagecodecs.jpeg8_decode(data)
    if not salvage:
        jpeg.read_structure(data).check_scans()
        jpeg.check_complete(data, samples, imagecodecs.jpeg8_decode)
    return samples


def _jpeg2000(file: BinaryIO, request: Request) -> Decoder | None:
    from imgconv.images import jpeg2000

    layout = jpeg2000.read_layout(file)
    if layout.is_plain:
        return None
    colours, alpha = min(layout.colours, 3), layout.components > layout.colours
    dtype = "uint8" if layout.bits <= 8 else "uint16" if layout.bits <= 16 else "float32"
    form = _Form(dtype, colours + alpha, alpha)
    return _whole_file("jpeg2000", file, form, request, lambda data, _: jpeg2000.decode(data, layout, salvage=request.salvage))


def _avif(file: BinaryIO, request: Request) -> Decoder | None:
    from imgconv.images import boxes

    bits = boxes.av1_bits(file)
    if bits == 8:
        return None

    def decode(data: bytes, index: int) -> NDArray[Any]:
        import imagecodecs

        return full_range(imagecodecs.avif_decode(data, index=index), bits)

    return _whole_file("avif", file, None, request, decode, boxes.durations(file))


def _heif(file: BinaryIO, request: Request) -> Decoder | None:
    if plugins.open_image(file, "heif").info.get("bit_depth", 8) <= 8:
        return None
    heif = plugins.heif_library("pillow_heif")

    def decode(data: bytes, index: int) -> NDArray[Any]:
        opened = heif.open_heif(BytesIO(data), convert_hdr_to_8bit=False)
        return np.array(opened[index])  # copied while it is open: pillow-heif 0.21 frees the pixels with it

    return _whole_file("heif", file, None, request, decode)


_DECODERS: dict[str, Callable[[BinaryIO, Request], Decoder | None]] = {"avif": _avif, "heif": _heif, "jpeg": _jpeg, "jpeg2000": _jpeg2000}


class _Form(NamedTuple):
    """What is decoded: dtype, channels, and whether the last one is alpha."""

    dtype: str
    channels: int
    alpha: bool


def _whole_file(
    name: str,
    file: BinaryIO,
    form: _Form | None,
    request: Request,
    decode: Callable[[bytes, int], NDArray[Any]],
    durations: Sequence[float] = (),
    image: ImageFile.ImageFile | None = None,
) -> Decoder:
    """Return the decoder of a file whose header Pillow reads; `decode` gives the pixels of a frame from the file and an index.

    Without a form, the pixels have 16 bits and the channels of Pillow's mode.
    """
    image = image or plugins.open_image(file, name)
    request.check_size(image.height, image.width)
    if form is None:
        alpha = image.has_transparency_data
        form = _Form("uint16", (1 if image.mode in ("L", "LA", "I;16") else 3) + alpha, alpha)
    header = _header(name, image, form)

    def frames() -> Iterator[Raster]:
        file.seek(0)
        data = file.read()
        for index in range(header.frames):
            with image_errors(f"damaged {name}"):
                pixels = _with_channels(decode(data, index).reshape(image.height, image.width, -1), form)
            duration = durations[index] if header.animated and index < len(durations) else None
            yield upright_raster(file, name, image, pixels, form.alpha, duration)

    return Decoder(header, frames)


def _with_channels(pixels: NDArray[Any], form: _Form) -> NDArray[Any]:
    """Return pixels in the channels of a form: grey as colours, alpha left out where Pillow finds none, or opaque where it is missing."""
    colours = form.channels - form.alpha
    stored = pixels.shape[2] - (pixels.shape[2] in (2, 4))
    parts = [np.broadcast_to(pixels[..., :stored], (*pixels.shape[:2], colours)) if stored == 1 else pixels[..., :colours]]
    if form.alpha:
        opaque = np.full((*pixels.shape[:2], 1), np.iinfo(pixels.dtype).max, pixels.dtype)
        parts.append(pixels[..., stored:] if stored < pixels.shape[2] else opaque)
    return np.ascontiguousarray(np.concatenate(parts, axis=2), form.dtype)


def _header(name: str, image: Image.Image, form: _Form) -> Header:
    size = size_of(image, name)
    frames = getattr(image, "n_frames", 1)
    animated = frames > 1
    text = pillow_info.description_of(image)
    return Header(name, size, form.channels, form.dtype, form.alpha, frames, animated, description=text)
