"""Shapes of images, maps and contact sheets."""

from collections.abc import Callable, Iterator, Sequence
from functools import wraps
from math import ceil, sqrt
from typing import Any, NamedTuple, TypeVar

from imgconv.errors import DoesNotFit

Size = int | Sequence[int]
Traced = TypeVar("Traced")
CACHED_SHAPES = 64  # of one recipe: more than images that are processed at a time


class Shape(NamedTuple):
    """Size of an image or map in pixels, its channels (alpha included), and whether the last one is alpha."""

    height: int
    width: int
    channels: int
    alpha: bool = False

    @property
    def colours(self) -> int:
        """Channels without alpha."""
        return self.channels - self.alpha

    def check_luma(self, remedy: str = "use --color") -> None:
        """Raise DoesNotFit for an image whose channels are neither grey nor red, green and blue."""
        if self.colours not in (1, 3):
            raise DoesNotFit(f"an image of {self.colours} channels has no luma; {remedy}")

    def __str__(self) -> str:
        return f"{self.channels}x{self.height}x{self.width}"


def once_per_shape(trace: Callable[[Any, Shape], Traced]) -> Callable[[Any, Shape], Traced]:
    """Cache the results of `trace`, a method of an immutable object that depends on its argument alone."""
    name = f"_{trace.__name__}_per_shape"

    @wraps(trace)
    def cached(self: Any, shape: Shape) -> Traced:
        results: dict[Shape, Traced] = self.__dict__.setdefault(name, {})
        result = results.get(shape)
        if result is None:
            result = trace(self, shape)
            if len(results) >= CACHED_SHAPES:
                results.clear()
            results[shape] = result
        return result

    return cached


GAP = 2  # pixels between tiles


class Sheet(NamedTuple):
    """Equal tiles in rows, as near to a square as they can be, each as large as the largest map; `colours` is 1 or 3."""

    height: int
    width: int
    columns: int
    tiles: int
    colours: int

    @classmethod
    def of(cls, maps: Sequence[Shape]) -> "Sheet":
        """The sheet for maps of these shapes; one of neither 1 nor 3 channels gives a tile for each channel.

        >>> Sheet.of([Shape(4, 6, 1)] * 5).shape
        Shape(height=16, width=14, channels=1, alpha=False)
        """
        tiles = sum(1 if shape.channels == 3 else shape.channels for shape in maps)
        height, width = max(shape.height for shape in maps), max(shape.width for shape in maps)
        columns = min(tiles, max(1, ceil(sqrt(tiles * (height + GAP) / (width + GAP)))))
        return cls(height, width, columns, tiles, 3 if any(shape.channels == 3 for shape in maps) else 1)

    @property
    def shape(self) -> Shape:
        """The size of the whole sheet."""
        rows = -(-self.tiles // self.columns)
        return Shape(rows * (self.height + GAP) - GAP, self.columns * (self.width + GAP) - GAP, self.colours)

    def corners(self) -> Iterator[tuple[int, int]]:
        """(row, column) of the first pixel of each tile, in order."""
        for tile in range(self.tiles):
            row, column = divmod(tile, self.columns)
            yield row * (self.height + GAP), column * (self.width + GAP)
