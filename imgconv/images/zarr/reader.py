"""Zarr arrays of versions 2 and 3 and OME-Zarr images, read by chunks with zarr, which is the extra `zarr`."""

import asyncio
import base64
import bz2
import lzma
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import product
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imgconv.errors import ImageError, reason
from imgconv.images import npy
from imgconv.images.damage import DECODER_ERRORS, DamageError
from imgconv.images.decoder import Decoder, Request
from imgconv.images.metadata.source import listed
from imgconv.images.raster import Header, Metadata, Raster
from imgconv.images.rows import RowReader
from imgconv.images.zarr.ome import OLD_AXES, Axis, Grid, Multiscale
from imgconv.images.zarr.store import Store, library
from imgconv.modes import Axes

DESCRIPTION = "imgconv"  # the attribute with the recipe
AXES = "axes"  # the attribute with the axes and sizes of pixels of an array without a group
NAMES = "_ARRAY_DIMENSIONS"  # the attribute with the names of the axes in version 2, as in xarray
NODATA = "_FillValue"  # the attribute with the value of missing cells, as in the CF conventions
_READ = {DESCRIPTION, AXES, NAMES, NODATA}  # other attributes have no place in a result
_CHANNELS = ("c", "channel", "band")
_DAMAGED = "damaged zarr"
_DEFAULT = "zarr.core.codec_pipeline.BatchedCodecPipeline"
_SLACK = 1 << 20  # bytes: checksums, the index of a shard
_PIECE = 1 << 16  # bytes that are expanded at a time
_STREAMS: dict[str, Callable[[], Any]] = {
    "zlib": zlib.decompressobj,
    "gzip": lambda: zlib.decompressobj(zlib.MAX_WBITS | 16),
    "bz2": bz2.BZ2Decompressor,
    "lzma": lzma.LZMADecompressor,
}
_COMPRESSIONS = (*_STREAMS, "blosc", "lz4", "zstd")


@dataclass(frozen=True)
class _Image:
    """An array, and which of its axes are rows, columns, channels and pages. Channels that are colours may end with `alpha`."""

    array: Any
    y: int
    x: int
    channel: int | None
    alpha: bool
    metadata: Metadata
    description: str | None
    note: str | None = None

    @property
    def pages(self) -> tuple[int, ...]:
        """The axes of pages."""
        return tuple(axis for axis in range(self.array.ndim) if axis not in (self.y, self.x, self.channel))

    def header(self) -> Header:
        """Return the header of all pages."""
        shape, dtype = self.array.shape, npy.pixel_dtype(self.array.dtype)
        channels = 1 if self.channel is None else shape[self.channel]
        frames = prod(shape[axis] for axis in self.pages)
        declares_missing = self.metadata.nodata is not None
        return Header(
            "zarr",
            (shape[self.y], shape[self.x]),
            channels,
            dtype.name,
            self.alpha,
            frames,
            description=self.description,
            note=self.note,
            measured=self.metadata.grid is not None or declares_missing,
            declares_missing=declares_missing,
        )

    def indices(self) -> Iterator[tuple[int, ...]]:
        """Yield the index of each page along the axes of pages."""
        yield from product(*(range(self.array.shape[axis]) for axis in self.pages))


def decoder(store: Store, request: Request) -> Decoder:
    """Return the decoder of an array, or of a resolution of an OME-Zarr image. Raises MissingExtra without zarr.

    Pages are the cells of every axis but rows, columns and channels. Axes without names are those of `npy.decoder`.
    """
    with store.errors(_DAMAGED), _limited_expansion():
        image = _described(*_array_of(store, request.level), request)
        header = image.header()
        request.check_size(*header.size)
        request.check_samples(prod((*header.size, header.channels)))
        if 0 in image.array.shape:
            raise ImageError(f"an array of shape {image.array.shape} is empty")

    def rows() -> list[RowReader]:
        return [ZarrRows(store, image, index, salvage=request.salvage) for index in image.indices()]

    def frames() -> Iterator[Raster]:
        for reader in rows():
            yield Raster(reader.read(0, header.size[0]), image.alpha, image.metadata)

    return Decoder(header, frames, rows)


class ZarrRows(RowReader):
    """The rows of a page: the chunks that hold them are decoded on the threads of zarr; chunks that are missing hold the fill value."""

    def __init__(self, store: Store, image: _Image, index: tuple[int, ...], *, salvage: bool):
        self.header, self.metadata = image.header()._replace(frames=1), image.metadata
        self.step = int(image.array.chunks[image.y])
        self._store, self._image, self._index, self._salvage = store, image, index, salvage

    def read(self, first: int, last: int) -> NDArray[Any]:
        left, right = self.columns or (0, self.header.size[1])
        with self._store.errors(_DAMAGED):
            part = self._part((first, last), (left, right))
        if self.columns is None:
            return part
        pixels = np.zeros((last - first, self.header.size[1], part.shape[2]), part.dtype)
        pixels[:, left:right] = part
        return pixels

    def _part(self, rows: tuple[int, int], columns: tuple[int, int]) -> NDArray[Any]:
        """Return some rows and columns as pixels (rows, columns, C)."""
        try:
            return self._selected(rows, columns)
        except DECODER_ERRORS:
            pass
        return self._by_chunks(rows, columns)

    def _by_chunks(self, rows: tuple[int, int], columns: tuple[int, int]) -> NDArray[Any]:
        """Read each chunk by itself: a damaged one is named, or with `salvage` left at the fill value."""
        image, array = self._image, self._image.array
        high, wide = int(array.chunks[image.y]), int(array.chunks[image.x])
        fill = npy.pixels_of(np.full((1, 1, self.header.channels), array.fill_value or 0, array.dtype))
        pixels = np.zeros((rows[1] - rows[0], columns[1] - columns[0], self.header.channels), fill.dtype) + fill
        for i, j in product(range(rows[0] // high, -(-rows[1] // high)), range(columns[0] // wide, -(-columns[1] // wide))):
            top, bottom = max(i * high, rows[0]), min((i + 1) * high, rows[1])
            left, right = max(j * wide, columns[0]), min((j + 1) * wide, columns[1])
            try:
                part = self._selected((top, bottom), (left, right))
            except DECODER_ERRORS as error:
                if self._salvage:
                    continue
                raise DamageError(f"chunk in row {i + 1}, column {j + 1}{self._page()} ({self._key(i, j)}): {reason(error)}") from error
            pixels[top - rows[0] : bottom - rows[0], left - columns[0] : right - columns[0]] = part
        return pixels

    def _selected(self, rows: tuple[int, int], columns: tuple[int, int]) -> NDArray[Any]:
        image = self._image
        selection: list[Any] = [slice(None)] * image.array.ndim
        for axis, number in zip(image.pages, self._index, strict=True):
            selection[axis] = slice(number, number + 1)
        selection[image.y], selection[image.x] = slice(*rows), slice(*columns)
        order = (*image.pages, image.y, image.x, *(() if image.channel is None else (image.channel,)))
        with _limited_expansion():
            part = np.asarray(image.array[tuple(selection)]).transpose(order)
        return npy.pixels_of(part.reshape(rows[1] - rows[0], columns[1] - columns[0], -1))

    def _page(self) -> str:
        return f" of page {', '.join(str(number + 1) for number in self._index)}" if self._index else ""

    def _key(self, row: int, column: int) -> str:
        """Return the name under which the first chunk at a place is stored."""
        image, index = self._image, [0] * self._image.array.ndim
        for axis, number in zip(image.pages, self._index, strict=True):
            index[axis] = number // int(image.array.chunks[axis])
        index[image.y], index[image.x] = row, column
        shards = image.array.shards
        if shards is not None:
            index = [at * chunk // shard for at, chunk, shard in zip(index, image.array.chunks, shards, strict=True)]
        return str(image.array.metadata.encode_chunk_key(tuple(index)))


def _array_of(store: Store, level: int | None) -> tuple[Any, Multiscale | None, int]:
    """Return the array that is read, and the description of the image whose resolution it is."""
    node = _opened(store)
    multiscale = None if hasattr(node, "shape") else Multiscale.of(dict(node.attrs))
    if multiscale is not None:
        return node[multiscale.path_of(level or 0)], multiscale, level or 0
    if level:
        raise ImageError("a Zarr array has no reduced copies; leave out --level")
    return (node if hasattr(node, "shape") else _only_array(node, store, level)), None, 0


def _only_array(group: Any, store: Store, level: int | None) -> Any:
    """Return the array of a group that has no other. Raises ImageError, which names the members of the group."""
    members = sorted(name for name, _ in group.members())
    if len(members) == 1 and hasattr(group[members[0]], "shape"):
        return group[members[0]]
    listed = ", ".join(members[:8]) + (", ..." if len(members) > 8 else "")
    if not members:
        raise ImageError("a Zarr group without arrays is not an image")
    raise ImageError(f"it is a Zarr group of {listed}; give one of them, such as {store.place}/{members[0]}")


def _opened(store: Store) -> Any:
    """Return the array or group of a store. Raises ImageError for a folder without one, and for metadata that zarr does not know."""
    zarr = library()
    try:
        return zarr.open(store.opened(), mode="r")
    except FileNotFoundError as error:
        raise ImageError("holds no zarr.json, .zarray or .zgroup, so it is not a Zarr array or group") from error
    except TypeError as error:
        if "unexpected keyword" not in str(error):
            raise
        raise ImageError("its metadata have fields that are not supported; write it as Zarr of version 2 or 3") from error


def _described(array: Any, multiscale: Multiscale | None, level: int, request: Request) -> _Image:
    """Return an array with the meaning of its axes. Raises ImageError for an array that is not an image."""
    shape, attributes = tuple(array.shape), dict(array.attrs)
    if array.dtype.kind not in "biuf" or len(shape) < 2:
        raise ImageError(f"expected real numbers of two axes or more, got {array.dtype} of shape {shape}")
    text = attributes.get(DESCRIPTION)
    description = text if isinstance(text, str) else None
    others = sorted({*attributes, *(multiscale.others if multiscale else ())} - _READ)
    metadata = Metadata(nodata=_nodata(attributes.get(NODATA)), dropped=(listed("attributes", others),) if others else ())
    if multiscale is not None:
        return _of_axes(array, multiscale, multiscale.axes_of(level, shape), metadata, description)
    names = getattr(array.metadata, "dimension_names", None) or attributes.get(NAMES) or ()
    names = [str(name).lower() for name in names]
    if request.axes is None and len(names) == len(shape) and names.count("y") == names.count("x") == 1:
        channels = [axis for axis, name in enumerate(names) if name in _CHANNELS]
        channel = channels[0] if len(channels) == 1 else None
        is_colour = channel == len(names) - 1 and shape[channel] in (2, 4)
        if attributes.get(AXES):
            axes = [Axis.of(axis, size) for axis, size in zip(attributes[AXES], shape, strict=True)]
            pages = tuple(axis for number, axis in enumerate(axes) if names[number] not in ("y", "x") and number != channel)
            metadata = _with_grid(metadata, Grid(pages, axes[names.index("y")], axes[names.index("x")]))
        return _Image(array, names.index("y"), names.index("x"), channel, is_colour, metadata, description)
    if len(shape) == len(OLD_AXES):
        return _Image(array, 3, 4, None, False, metadata, description)
    if len(shape) > len(OLD_AXES):
        raise ImageError(f"an array of {len(shape)} axes needs their names, with y and x among them")
    order, note = npy.axes_of(shape, request.axes)
    if len(shape) == 2:
        return _Image(array, 0, 1, None, False, metadata, description)
    first = len(shape) - 3
    if order is Axes.HWC:
        return _Image(array, first, first + 1, first + 2, shape[-1] in (2, 4), metadata, description, note)
    return _Image(array, first + 1, first + 2, first, False, metadata, description, note)


def _of_axes(array: Any, image: Multiscale, axes: tuple[Axis, ...], metadata: Metadata, description: str | None) -> _Image:
    """Return an array of an OME-Zarr image: channels that are colours belong together, and others are pages, as in OME-TIFF."""
    names = [axis.name.lower() for axis in axes]
    if names.count("y") != 1 or names.count("x") != 1:
        raise ImageError(f"expected axes with y and x, got {', '.join(names)}")
    y, x, channel = names.index("y"), names.index("x"), names.index("c") if "c" in names else None
    has_colours = channel is not None and image.colours == axes[channel].size
    pages = tuple(axis for number, axis in enumerate(axes) if number not in (y, x) and not (has_colours and number == channel))
    grid = Grid(pages, axes[y], axes[x])
    metadata = _with_grid(metadata, grid)
    return _Image(array, y, x, channel if has_colours else None, has_colours and image.colours in (2, 4), metadata, description)


def _with_grid(metadata: Metadata, grid: Grid) -> Metadata:
    return metadata._replace(grid=grid, dpi=grid.dpi)


def _nodata(value: Any) -> float | None:
    """Return the declared value of missing cells: a number, its text, or the form in which xarray writes floats."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return float(struct.unpack("<d", base64.b64decode(value, validate=True))[0])
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


@contextmanager
def _limited_expansion() -> Iterator[None]:
    """Let zarr check the chunks of arrays that are opened in the block, unless another program has chosen how they are decoded.

    The inner chunks of shards are checked if they are read in the block.
    """
    config, pipeline = library().config, _pipeline()
    name = f"{pipeline.__module__}.{pipeline.__qualname__}"
    if config.get("codec_pipeline.path") not in (_DEFAULT, name):
        yield
        return
    with config.set({"codec_pipeline.path": name}):
        yield


def check_expansion(compression: str, data: bytes, most: int) -> None:
    """Raise ValueError if `data`, a chunk in a compression of zarr, expands to more than `most` bytes.

    >>> check_expansion("zlib", zlib.compress(bytes(1000)), 1000)
    >>> check_expansion("zlib", zlib.compress(bytes(1001)), 1000)
    Traceback (most recent call last):
    ValueError: it expands to more than the 1000 bytes that its shape allows
    """
    if compression in _STREAMS:
        is_larger = _exceeds(_STREAMS[compression], data, most)
    elif compression == "zstd":
        is_larger = _zstd_exceeds(data, most)
    else:
        begin = 4 if compression == "blosc" else 0
        is_larger = int.from_bytes(data[begin : begin + 4], "little") > most
    if is_larger:
        raise ValueError(f"it expands to more than the {most} bytes that its shape allows")


def _exceeds(stream: Callable[[], Any], data: bytes, most: int) -> bool:
    """Whether streams that follow each other expand to more than `most` bytes; those before damage, which decoders report."""
    size, decompressor = 0, stream()
    try:
        while size <= most:
            piece = decompressor.decompress(data, _PIECE)
            size += len(piece)
            data = getattr(decompressor, "unconsumed_tail", b"")
            if decompressor.eof:
                data, decompressor = decompressor.unused_data, stream()
            if not piece and not data:
                return False
    except (*DECODER_ERRORS, lzma.LZMAError):
        return False
    return True


def _zstd_exceeds(data: bytes, most: int) -> bool:
    """Whether a frame expands to more than `most` bytes: by its header, or by decoding it into so many (RFC 8878, section 3.1.1)."""
    descriptor = data[4] if len(data) > 4 else 0
    is_single, kind = descriptor >> 5 & 1, descriptor >> 6
    begin = 5 + (not is_single) + (0, 1, 2, 4)[descriptor & 3]
    length = (is_single, 2, 4, 8)[kind]
    if length:
        return int.from_bytes(data[begin : begin + length], "little") + (256 if length == 2 else 0) > most
    from imagecodecs import ZstdError, zstd_decode

    try:
        zstd_decode(data, out=most)
    except ZstdError as error:
        return "too small" in str(error)
    return False


@cache
def _pipeline() -> Any:
    """Return the class by which zarr decodes chunks, with the check before."""
    base: Any = library("zarr.core.codec_pipeline").BatchedCodecPipeline

    class CheckedPipeline(base):  # type: ignore[misc]
        """The pipeline of zarr, for chunks that do not expand beyond their shape."""

        async def decode_batch(self, chunk_bytes_and_specs: Iterable[tuple[Any, Any]]) -> Any:
            """Decode chunks. Raises ValueError for one that expands too far."""
            chunks = list(chunk_bytes_and_specs)
            for data, spec in chunks:
                if data is not None:
                    await asyncio.to_thread(_check_chunk, self, data, spec)
            return await super().decode_batch(chunks)

    library("zarr.registry").register_pipeline(CheckedPipeline)
    return CheckedPipeline


def _check_chunk(pipeline: Any, data: Any, spec: Any) -> None:
    codec = pipeline.array_bytes_codec
    names = [str(each.to_dict()["name"]).removeprefix("numcodecs.") for each in reversed(pipeline.bytes_bytes_codecs)]
    if hasattr(codec, "compressor"):  # of version 2
        names = [each.codec_id for each in (codec.compressor, *reversed(codec.filters or ())) if each is not None]
    names = [name for name in names if name in _COMPRESSIONS]
    if len(names) > 1:
        raise ValueError(f"it is compressed with {' and '.join(names)}; arrays with several compressions are not supported")
    size = prod(spec.shape) * spec.dtype.to_native_dtype().itemsize
    if names:
        check_expansion(names[0], data.to_bytes(), size + size // 4 + _SLACK)
