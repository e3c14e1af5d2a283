"""Write Zarr arrays of versions 2 and 3, and OME-Zarr images with reduced copies, by rows of chunks."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imgconv.errors import ImageError
from imgconv.images.layout import Layout, half
from imgconv.images.raster import Encoding
from imgconv.images.rows import BandedImage, regrouped
from imgconv.images.zarr import ome
from imgconv.images.zarr.ome import Axis, Grid
from imgconv.images.zarr.reader import AXES, DESCRIPTION, NAMES, NODATA
from imgconv.images.zarr.store import Store, library

CHUNK = 512  # pixels a side: 256 KB of grey levels, and less than 60 MB for a row of them across 100,000 pixels
_LEVEL = 1  # of both compressions


@dataclass(frozen=True)
class Output:
    """The arrays of an image that is written, the largest one first: pages, rows and columns, and perhaps channels before or after them.

    It can be sent to other processes, which write other rows of the same arrays.
    """

    store: Store
    paths: tuple[str, ...]
    shape: tuple[int, int, int]
    dtype: np.dtype[Any]
    pages: tuple[int, ...]
    is_channel_first: bool
    chunk: tuple[int, int]
    nodata: float | None = None
    alpha: bool = False

    def array(self, level: int) -> Any:
        """Return the array of a resolution."""
        return library().open_array(self.store.opened(read_only=False), path=self.paths[level], mode="r+")

    def height(self, level: int) -> int:
        """Return the number of rows of a resolution."""
        return self.shape[0] >> level

    def write(self, array: Any, page: int, top: int, rows: NDArray[Any]) -> None:
        """Write rows (H, W, C) of a page from row `top` on; other processes can write at the same time if both have whole chunks."""
        array[self._place(page, top, len(rows))] = self._stored(rows)

    def reduce(self, level: int, page: int, first: int, last: int) -> None:
        """Write rows of a reduced copy as the averages of 2x2 pixels of the resolution before."""
        larger, smaller = self.array(level - 1), self.array(level)
        for top in range(first, last, self.chunk[0]):
            bottom = min(top + self.chunk[0], last)
            values = np.asarray(larger[self._place(page, 2 * top, 2 * (bottom - top))])
            self.write(smaller, page, top, half(self._pixels(values), self.nodata, alpha=self.alpha))

    def _place(self, page: int, top: int, count: int) -> tuple[Any, ...]:
        index = tuple(int(number) for number in np.unravel_index(page, self.pages)) if self.pages else ()
        return (*index, *((slice(None),) if self.is_channel_first else ()), slice(top, top + count))

    def _stored(self, rows: NDArray[Any]) -> NDArray[Any]:
        if self.shape[2] == 1:
            return rows[None, ..., 0] if self.is_channel_first else rows[..., 0]
        return np.ascontiguousarray(rows.transpose(2, 0, 1)) if self.is_channel_first else rows

    def _pixels(self, values: NDArray[Any]) -> NDArray[Any]:
        if self.is_channel_first:
            return values.transpose(1, 2, 0)
        return values[..., None] if self.shape[2] == 1 else values


def encode(pages: Iterable[BandedImage], store: Store, encoding: Encoding) -> None:
    """Write pages as one array, or as the resolutions of an OME-Zarr image if the layout has a pyramid.

    An array is (H, W), or (H, W, C) for colours and alpha, or (C, H, W) for other channels, as in OME-Zarr images; several pages have
    axes before these. Raises ImageError for pages of several shapes.
    """
    output: Output | None = None
    for number, page in enumerate(pages):
        if output is None:
            output = create(store, page, encoding)
        if (page.shape, page.dtype) != (output.shape, output.dtype):
            raise ImageError("pages of several shapes do not fit in one array; write them as .tiff pages")
        array, top = output.array(0), 0
        for rows in regrouped(page.bands, output.chunk[0]):
            output.write(array, number, top, rows)
            top += len(rows)
    if output is None:
        raise ImageError("an output needs at least one image")
    for level in range(1, len(output.paths)):
        for number in range(encoding.pages):
            output.reduce(level, number, 0, output.height(level))


def create(store: Store, page: BandedImage, encoding: Encoding) -> Output:
    """Create the arrays of an image without pixels, from its first page."""
    layout = encoding.layout or Layout()
    (height, width, channels), grid = page.shape, page.metadata.grid or Grid.of_dpi(page.metadata.dpi)
    is_colour = (page.alpha or channels == 3) and not page.are_maps
    is_first = layout.pyramid and channels > 1 if is_colour else channels > 1
    axes = _axes(page, encoding.pages, grid, is_first=is_first, is_ome=layout.pyramid)
    chunk = min((layout.tile or (CHUNK, CHUNK))[0], height), min((layout.tile or (CHUNK, CHUNK))[1], width)
    sizes = _levels((height, width), chunk) if layout.pyramid else [(height, width)]
    page_sizes = tuple(axis.size for axis in axes[: len(axes) - 2 - (channels > 1)])
    paths = tuple(str(level) for level in range(len(sizes))) if layout.pyramid else ("",)
    more: dict[str, Any] = {} if encoding.description is None else {DESCRIPTION: encoding.description}
    if not layout.pyramid and (page.metadata.grid or page.metadata.dpi):
        more[AXES] = [axis.measured() for axis in axes]
    if layout.pyramid:
        colours = (channels - page.alpha) if is_colour else 0
        described = ome.attributes(axes, len(sizes), layout.zarr_format, colours, page.alpha)
        library().create_group(store.opened(read_only=False), zarr_format=layout.zarr_format, attributes=described)
    for path, size in zip(paths, sizes, strict=True):
        resized = tuple(replace(axis, size=dict(zip("yx", size, strict=True)).get(axis.name, axis.size)) for axis in axes)
        _create_array(store, path, page, resized, chunk, layout, more)
    return Output(store, paths, page.shape, page.dtype, page_sizes, is_first, chunk, page.metadata.nodata, page.alpha)


def _axes(page: BandedImage, count: int, grid: Grid, *, is_first: bool, is_ome: bool) -> tuple[Axis, ...]:
    """Return the axes of the largest array. Pages keep those of the input where their number is the same."""
    (height, width, channels) = page.shape
    pages: tuple[Axis, ...] = (Axis("t", "time", size=count) if is_ome else Axis("page", size=count),) if count > 1 else ()
    if grid.pages and grid.page_count == count and not (channels > 1 and any(axis.name == "c" for axis in grid.pages)):
        pages = grid.pages
    channel = (ome.channel_axis(channels),) if channels > 1 else ()
    image = replace(grid.y, name="y", size=height), replace(grid.x, name="x", size=width)
    return (*pages, *channel, *image) if is_first else (*pages, *image, *channel)


def _levels(size: tuple[int, int], chunk: tuple[int, int]) -> list[tuple[int, int]]:
    """Return the size of each resolution, down to one that is a single chunk."""
    sizes = [size]
    while (sizes[-1][0] > chunk[0] or sizes[-1][1] > chunk[1]) and min(sizes[-1]) > 1:
        sizes.append((sizes[-1][0] // 2, sizes[-1][1] // 2))
    return sizes


def _create_array(
    store: Store, path: str, page: BandedImage, axes: Sequence[Axis], chunk: tuple[int, int], layout: Layout, more: dict[str, Any]
) -> None:
    names, nodata = tuple(axis.name for axis in axes), page.metadata.nodata
    side = {"y": chunk[0], "x": chunk[1], "c": page.shape[2]}
    library().create_array(
        store.opened(read_only=False),
        name=path or None,
        shape=tuple(axis.size for axis in axes),
        dtype=page.dtype,
        chunks=tuple(min(side.get(axis.name, 1), axis.size) for axis in axes),
        compressors=_compressor(layout),
        fill_value=_fill_value(nodata, page.dtype),
        zarr_format=layout.zarr_format,
        chunk_key_encoding={"name": "default" if layout.zarr_format == 3 else "v2", "separator": "/"},
        dimension_names=names if layout.zarr_format == 3 else None,
        attributes={
            **more,
            **({NAMES: list(names)} if layout.zarr_format == 2 else {}),
            **({} if nodata is None else {NODATA: nodata if np.isfinite(nodata) else str(nodata)}),
        },
        config={"write_empty_chunks": False},
    )


def _fill_value(nodata: float | None, dtype: np.dtype[Any]) -> Any:
    """Return the value of chunks that are not written: that of missing cells where the array can hold it, else 0."""
    if nodata is None or (dtype.kind == "u" and not (nodata == nodata // 1 and 0 <= nodata <= np.iinfo(dtype).max)):
        return 0
    return dtype.type(nodata)


def _compressor(layout: Layout) -> Any:
    """Return the codec of chunks. The gzip of version 3 writes the time, so that deflate goes there with Blosc around it."""
    match layout.compression:
        case "none":
            return None
        case "deflate" if layout.zarr_format == 2:
            return library("numcodecs").Zlib(_LEVEL)
        case "deflate":
            return library("zarr.codecs").BloscCodec(cname="zlib", clevel=_LEVEL, shuffle="shuffle")
        case "zstd" | None:
            return library("numcodecs").Zstd(_LEVEL) if layout.zarr_format == 2 else library("zarr.codecs").ZstdCodec(level=_LEVEL)
