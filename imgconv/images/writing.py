"""Write images into a binary stream. An image that a format cannot hold is refused, never narrowed."""

import struct
from collections.abc import Iterable, Iterator
from importlib import import_module
from io import BytesIO
from itertools import chain, islice
from typing import Any, BinaryIO

from imgconv.errors import ImageError, UsageError
from imgconv.images.damage import image_errors
from imgconv.images.formats import OUTPUTS, format_for
from imgconv.images.metadata import iptc
from imgconv.images.metadata.result import fitted
from imgconv.images.modes import info_of, to_pil
from imgconv.images.raster import DEFAULT_ENCODING, Encoding, Metadata, Raster
from imgconv.images.rows import BandedImage
from imgconv.images.zarr.store import Store, Writable

BY_ROWS = ("png", "tiff", "pnm", "npy", "zarr")  # formats that are written row by row

_NOT_IMAGES = "an .npz file holds one array for each kernel, not images; write .npy"
_LONGEST_DELAY = (1 << 24) - 1  # milliseconds, in WebP
_JFIF_DENSITY = 13  # offset of unit and density in the first segment of a JPEG


def encode(frames: Iterable[Raster], name: str, stream: Writable, encoding: Encoding = DEFAULT_ENCODING) -> None:
    """Write one image, or the frames of an animation or pages, in the format `name` (see `format_for`).

    Metadata is written where it applies (see `fitted`). Raises ImageError for an image that the format cannot hold, or several where it
    holds one, and UsageError for a quality that the format does not have.

    >>> import io
    >>> import numpy as np
    >>> file = io.BytesIO()
    >>> encode([Raster(np.zeros((4, 5, 3), np.uint8))], "png", file)
    >>> file.getvalue()[1:4]
    b'PNG'
    """
    name = format_for(name)
    output, quality = OUTPUTS[name], encoding.quality
    if quality is not None and not (output.lossy and 0 <= quality <= 100):
        lossy = ", ".join(each for each, its in OUTPUTS.items() if its.lossy)
        raise UsageError(f"quality {quality} is not possible for {name}; use 0 to 100 with {lossy}")
    with image_errors(f"cannot write {name}"):
        rasters = _checked(frames, name, encoding.animated)
        if isinstance(stream, Store) or output.writer == "tiff.writer":
            _write_pages(map(BandedImage.of, rasters), stream, encoding)
        elif output.writer is None:
            raise ImageError(_NOT_IMAGES)
        elif output.writer == "zarr.writer":
            raise ImageError("a Zarr is a folder, which a stream cannot hold; give the name of one")
        elif output.writer == "pillow":
            _save(list(rasters), name, stream, encoding)
        else:  # most runs write PNG only, and each of these modules takes time to import
            import_module(f"imgconv.images.{output.writer}").encode(rasters, stream, encoding)


def encode_bands(pages: Iterable[BandedImage], name: str, stream: Writable, encoding: Encoding = DEFAULT_ENCODING) -> None:
    """Write one image, or the pages of a TIFF, a Zarr or PNM images, in one of the formats BY_ROWS, each row when it is available.

    The bytes are those that `encode` writes. `stream` can be read and positioned.
    """
    with image_errors(f"cannot write {name}"):
        if isinstance(stream, Store) or name == "tiff":
            _write_pages(pages, stream, encoding)
            return
        for number, page in enumerate(pages):
            if number and name != "pnm":
                raise ImageError(f"{name} holds one image; write .tiff")
            import_module(f"imgconv.images.{OUTPUTS[name].writer}").encode_rows(page, stream, encoding)


def _write_pages(pages: Iterable[BandedImage], stream: Writable, encoding: Encoding) -> None:
    """Write a Zarr, or a TIFF file into any other stream."""
    if isinstance(stream, Store):
        from imgconv.images.zarr import writer as zarr_writer

        zarr_writer.encode(pages, stream, encoding)
    else:
        from imgconv.images.tiff import writer as tiff_writer

        tiff_writer.encode(pages, stream, encoding)


def check_output(name: str, channels: int, dtype: str, alpha: bool, frames: int = 1, animated: bool = False) -> None:
    """Raise ImageError with a remedy unless the format `name` holds such images. Decodes and writes nothing.

    >>> check_output("jpeg", 3, "uint16", alpha=False)
    Traceback (most recent call last):
    imgconv.errors.ImageError: jpeg cannot hold 16 bits a channel; write .png, .tiff or .npy
    """
    output = OUTPUTS[name]
    if name == "npz":
        raise ImageError(_NOT_IMAGES)
    if frames > 1 and not (output.animation if animated else output.pages):
        instead = ".png, .webp or .gif" if animated else ".tiff or .npy"
        raise ImageError(f"{name} cannot hold {'an animation' if animated else 'several pages'}; write {instead}")
    if dtype not in output.dtypes:
        depth = {"uint16": "16 bits a channel", "float32": "floats", "float64": "floats of 64 bits"}[dtype]
        instead = ".tiff or .npy" if dtype != "uint16" else ".png, .tiff or .npy"
        raise ImageError(f"{name} cannot hold {depth}; write {instead}")
    if output.bands and not (alpha and output.channels == (1, 3)):
        return
    if channels not in ((2, 4) if alpha else (1, 3)):
        raise ImageError(f"{name} cannot hold {channels} channels; write .tiff or .npy")
    if channels not in output.channels:
        if alpha:
            raise ImageError(f"{name} cannot hold transparency; drop it with --alpha drop, or write .png, .tiff or .webp")
        raise ImageError(f"{name} cannot hold grey images; write .png")
    if name == "jpeg2000" and dtype == "uint16" and channels != 1:
        raise ImageError("16-bit colour cannot be written as jpeg2000; write .png, .tiff or .npy")
    if name == "pnm" and dtype == "float32" and alpha:
        raise ImageError("pnm cannot hold floats with transparency; drop it with --alpha drop, or write .tiff or .npy")


def _checked(frames: Iterable[Raster], name: str, animated: bool) -> Iterator[Raster]:
    """Yield the frames, each checked against the format, after it is known whether there are several."""
    remaining = iter(frames)
    first = list(islice(remaining, 2))
    if not first:
        raise ImageError("an output needs at least one image")
    for raster in chain(first, remaining):
        check_output(name, raster.channels, raster.pixels.dtype.name, raster.alpha, len(first), animated)
        if max(raster.size) > OUTPUTS[name].longest:
            raise ImageError(f"{name} holds at most {OUTPUTS[name].longest} pixels a side; write .png, .tiff or .npy")
        yield raster


def _options(name: str, quality: int | None) -> dict[str, Any]:
    quality = OUTPUTS[name].quality if quality is None else quality
    if name == "jpeg":
        return {"quality": quality, "subsampling": "4:4:4" if quality is not None and quality >= 90 else "4:2:0"}
    if name == "avif":
        return {"quality": quality, "subsampling": "4:4:4"}
    if name == "webp":
        return {"quality": quality} if quality is not None else {"lossless": True, "exact": True, "quality": 50}
    if name == "jpeg2000" and quality is not None:
        return {"irreversible": True, "quality_mode": "dB", "quality_layers": [20 + quality * 0.4]}
    return {}


def _save(rasters: list[Raster], name: str, stream: BinaryIO, encoding: Encoding) -> None:
    """Write images with Pillow, without metadata that it would inherit from their source."""
    images = [to_pil(raster) for raster in rasters]
    for image in images:
        image.info = {}
    metadata = fitted(rasters[0].metadata, name, rasters[0].channels)
    options = _options(name, encoding.quality) | info_of(metadata, rasters[0].channels, name)
    if metadata.iptc:
        options["extra"] = iptc.segments(metadata.iptc)
    if encoding.description:
        options |= _description(name, encoding.description, metadata.xmp)
    if len(images) > 1:
        from imgconv.images.animation import WholeUnits

        units = WholeUnits(1, _LONGEST_DELAY)
        durations = [units.next(raster.duration) for raster in rasters]
        options |= {"save_all": True, "append_images": images[1:], "duration": durations, "loop": encoding.loop}
    encoded = BytesIO()  # Pillow's JPEG 2000 encoder never ends if the file is full
    images[0].save(encoded, name, **options)
    if name == "jpeg" and metadata.aspect:
        encoded.seek(_JFIF_DENSITY)
        encoded.write(struct.pack(">BHH", 0, *(round(density) for density in metadata.aspect)))
    stream.write(_with_boxes(encoded.getvalue(), name, metadata))


def _with_boxes(data: bytes, name: str, metadata: Metadata) -> bytes:
    """Return a file with metadata in the boxes that Pillow does not write."""
    if name == "jpeg2000" and metadata != Metadata():
        from imgconv.images import jpeg2000

        return jpeg2000.with_metadata(data, metadata)
    if name == "avif" and metadata.colour:
        from imgconv.images import boxes

        return boxes.with_colour_codes(data, dict(metadata.colour)[b"cICP"])
    return data


def _description(name: str, text: str, packet: bytes | None) -> dict[str, Any]:
    """Return the keyword arguments of Pillow's `save` that write a description; empty for a format that stores no text."""
    if name in ("jpeg", "jpeg2000"):
        return {"comment": text.encode()}
    if name in ("webp", "avif"):
        from imgconv.images.metadata import xmp

        return {"xmp": xmp.with_description(packet, text) or packet}
    return {}
