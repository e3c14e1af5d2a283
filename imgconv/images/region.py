"""A part of an image: only its rows and columns are read if the format can be read by rows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imgconv.errors import ImageError
from imgconv.images.decoder import Decoder
from imgconv.images.metadata.result import resampled
from imgconv.images.raster import Metadata, Raster
from imgconv.images.rows import RowReader
from imgconv.images.sampling import Sampling


@dataclass(frozen=True)
class Region:
    """The part of an upright image whose first pixel is in row `top` and column `left`."""

    top: int
    left: int
    height: int
    width: int

    def check(self, size: tuple[int, int]) -> None:
        """Raise ImageError for a region that is not inside an image of `size`."""
        if self.top + self.height > size[0] or self.left + self.width > size[1]:
            region = f"region {self.left},{self.top},{self.width}x{self.height}"
            raise ImageError(f"{region} is not inside the image of {size[1]}x{size[0]}; give X,Y,WxH of a part of it")

    def cut(self, pixels: NDArray[Any]) -> NDArray[Any]:
        """Return the pixels of the region of a whole image."""
        return np.ascontiguousarray(pixels[self.top : self.top + self.height, self.left : self.left + self.width])

    def metadata(self, metadata: Metadata, size: tuple[int, int]) -> Metadata:
        """Return the metadata of a whole image of `size` as they hold for the region."""
        return resampled(metadata, Sampling((self.height, self.width), origin=(self.top, self.left)), size)


def decoder_of(whole: Decoder, region: Region) -> Decoder:
    """Return the decoder of a region. Raises ImageError for one that is not inside the image."""
    region.check(whole.header.size)
    header = whole.header._replace(size=(region.height, region.width))

    def opened() -> Sequence[RowReader] | None:
        readers = whole.rows() if whole.rows is not None else None
        return None if readers is None else [_Rows(rows, region) for rows in readers]

    def frames() -> Iterator[Raster]:
        readers = opened()
        if readers is not None:
            for rows in readers:
                pixels, header = rows.read(0, region.height), rows.header
                yield Raster(pixels, header.alpha, rows.metadata, premultiplied=header.premultiplied)
            return
        for frame in whole.frames():
            region.check(frame.size)
            luma = None if frame.luma is None else region.cut(frame.luma)
            yield replace(frame, pixels=region.cut(frame.pixels), luma=luma, metadata=region.metadata(frame.metadata, frame.size))

    return Decoder(header, frames, opened if whole.rows is not None else None)


class _Rows(RowReader):
    """The rows of a region."""

    def __init__(self, rows: RowReader, region: Region):
        region.check(rows.header.size)
        self.header = rows.header._replace(size=(region.height, region.width))
        self.metadata = region.metadata(rows.metadata, rows.header.size)
        self.step, self.forward = rows.step, rows.forward
        self._rows, self._region = rows, region
        rows.columns = region.left, region.left + region.width

    def read(self, first: int, last: int) -> NDArray[Any]:
        region = self._region
        pixels = self._rows.read(region.top + first, region.top + last)
        return np.ascontiguousarray(pixels[:, region.left : region.left + region.width])
