"""One output pixel: the cells under its window, and how they give its value, as records of products and stages."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imgconv.images import Raster
from imgconv.process import process
from imgconv.recipe import DECLARED, Filter, MissingData, Recipe
from imgconv.recipe.references import MapPlan
from imgconv.registry import Kernel
from imgconv.window import Window
from imgconv.windows.borders import CONSTANT, Border, PaddedRows

IDENTITY = MapPlan("identity", (Kernel("identity", np.ones((1, 1))),))
LISTED = 25  # products and values that are listed one by one; longer lists are only counted


@dataclass(frozen=True, eq=False)
class Patch:
    """The cells under one window.

    `values` (kh, kw, C) lie at `rows` and `columns` of the input, which may be outside of it; `padded` (kh, kw) marks those cells.
    `used` (kh, kw) marks the cells that a pool reduces.
    """

    values: NDArray[Any]
    rows: tuple[int, ...]
    columns: tuple[int, ...]
    padded: NDArray[np.bool_]
    used: NDArray[np.bool_] | None = None


def filter_input(image: Raster, *, grey: bool, alpha: bool, missing_data: MissingData = DECLARED) -> Raster:
    """Return the pixels that kernels and pools work on: grey if requested, and without `alpha` blended over black.

    Its `valid` cells are None where no cell is missing.

    >>> filter_input(Raster(np.array([[[255, 0, 0]]], np.uint8)), grey=True, alpha=False).pixels
    array([[[76]]], dtype=uint8)
    """
    step = Filter((IDENTITY,), grey=grey, alpha="keep" if alpha else "drop")
    return process(image, Recipe("identity", step, missing_data=missing_data))[0].image


def filter_patch(pixels: NDArray[Any], window: Window, pads: Sequence[tuple[int, int]], border: Border, at: tuple[int, int]) -> Patch:
    """Return the cells of `pixels` (H, W, C) under the window of the output cell `at` (row, column), including padding."""
    height, width, channels = pixels.shape
    rows, columns = window.cells(at, pads)
    top, left = rows[0] + pads[0][0], columns[0] + pads[1][0]
    band = PaddedRows(pixels.reshape(height, -1), pads, border, channels).band(top, top + window.span[0])
    cells = band.reshape(window.span[0], -1, channels)[:: window.dilation[0], left : left + window.span[1] : window.dilation[1]]
    return Patch(cells, rows, columns, _outside(rows, height)[:, None] | _outside(columns, width))


def cell_patch(pixels: NDArray[Any], rows: tuple[int, ...], columns: tuple[int, ...], border: Border) -> Patch:
    """Return the cells of `pixels` (H, W, C) at `rows` and `columns`, some of which may be padding."""
    height, width = pixels.shape[:2]
    axes = zip((rows, columns), (height, width), strict=True)
    down, across = (border.sources(np.array(cells, np.intp), size) for cells, size in axes)
    values = pixels[np.ix_(down, across)]  # CONSTANT is the last cell
    values[(down == CONSTANT)[:, None] | (across == CONSTANT)] = border.value
    return Patch(values, rows, columns, _outside(rows, height)[:, None] | _outside(columns, width))


def pool_patch(
    pixels: NDArray[Any], window: Window, pads: Sequence[tuple[int, int]], at: tuple[int, int], border: Border | None = None
) -> Patch:
    """Return the cells under the window of a pool.

    Without a border, padding has no values. Those cells, and with `ceil_mode` the ones beyond the padding, are 0 and not used.
    """
    height, width = pixels.shape[:2]
    rows, columns = window.cells(at, pads)
    vertical, horizontal = pads if border else ((0, 0), (0, 0))
    down, across = _outside(rows, height, vertical), _outside(columns, width, horizontal)
    beyond = down[:, None] | across
    values = cell_patch(pixels, _or_zero(rows, down), _or_zero(columns, across), border or Border.of("zeros")).values
    values[beyond] = 0
    return Patch(values, rows, columns, _outside(rows, height)[:, None] | _outside(columns, width), mask_of(window) & ~beyond)


def mask_of(window: Window) -> NDArray[np.bool_]:
    """Return the cells (kh, kw) of a window, True where they belong to its shape.

    >>> mask_of(Window.of(2)).all()
    np.True_
    """
    mask = np.zeros(window.kernel_size, bool)
    for row, first, count in window.runs:
        mask[row, first : first + count] = True
    return mask


def _outside(positions: Sequence[int], size: int, pad: tuple[int, int] = (0, 0)) -> NDArray[np.bool_]:
    return np.array([not -pad[0] <= position < size + pad[1] for position in positions], bool)


def _or_zero(positions: Sequence[int], outside: NDArray[np.bool_]) -> tuple[int, ...]:
    return tuple(0 if is_outside else position for position, is_outside in zip(positions, outside, strict=True))


@dataclass(frozen=True)
class Stage:
    """One step of arithmetic: its name, the calculation as text, and its result."""

    name: str
    text: str
    value: float

    def as_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {"name": self.name, "text": self.text, "value": self.value}


@dataclass(frozen=True, eq=False)
class Product:
    """The product of one plane and one kernel: `values` (kh, kw) of `channel`, and the `taps` at those cells.

    `patch` holds the position of the values if they do not lie under the window of their map.
    """

    channel: str
    values: NDArray[Any]
    taps: NDArray[Any]
    patch: Patch | None = None

    @property
    def products(self) -> NDArray[Any]:
        """The products, (kh, kw) float64."""
        with np.errstate(invalid="ignore"):  # 0 times infinity is NaN
            return self.values.astype(np.float64) * self.taps

    @property
    def sum(self) -> float:
        """The sum of the products."""
        return float(self.products.sum())

    def as_json(self) -> dict[str, Any]:
        """Return the fields as JSON values, arrays as lists of rows."""
        arrays = {"values": self.values, "taps": self.taps, "products": self.products}
        position = {} if self.patch is None else {"rows": self.patch.rows, "columns": self.patch.columns}
        return {"channel": self.channel, **position, **{name: array.tolist() for name, array in arrays.items()}, "sum": self.sum}


@dataclass(frozen=True, eq=False)
class Member:
    """The result of one kernel: its products with one channel or with all of them, then divisor, offset and bias as stages."""

    kernel: str
    products: tuple[Product, ...]
    stages: tuple[Stage, ...]

    @property
    def value(self) -> float:
        """The result of the kernel, before any range."""
        return self.stages[-1].value

    def as_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {
            "kernel": self.kernel,
            "products": [product.as_json() for product in self.products],
            "stages": [stage.as_json() for stage in self.stages],
        }


@dataclass(frozen=True, eq=False)
class ChannelValue:
    """One channel of one output pixel and how it is calculated; `written` is the value that the command writes.

    A pool has no members. It has `cells` (kh, kw), and `winners`, the cells that determine the value. `tolerance` is the error of
    float32 where the value is not rounded.
    """

    channel: str
    members: tuple[Member, ...]
    stages: tuple[Stage, ...]
    written: float
    cells: NDArray[Any] | None = None
    winners: NDArray[np.bool_] | None = None
    tolerance: float = 0.0

    @property
    def agrees(self) -> bool:
        """Whether the calculation, which uses float64, gives the written value.

        Filters add fractions in float32. Such a sum can be rounded to the other side of a half.
        """
        value = self.stages[-1].value if self.stages else self.members[0].value
        return (value != value and self.written != self.written) or abs(value - self.written) <= self.tolerance or value == self.written

    def as_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        record: dict[str, Any] = {"channel": self.channel, "members": [member.as_json() for member in self.members]}
        if self.cells is not None and self.winners is not None:
            record |= {"cells": self.cells.tolist(), "winners": self.winners.tolist()}
        return record | {"stages": [stage.as_json() for stage in self.stages], "value": self.written}


@dataclass(frozen=True, eq=False)
class MapValue:
    """One output pixel of one map: the cells under its window, and every channel.

    `overlaid` is the pixel after the map is drawn over the photograph.
    """

    name: str
    patch: Patch
    channels: tuple[ChannelValue, ...]
    overlaid: list[float] | None = None

    @property
    def written(self) -> list[float]:
        """The pixel that the command writes, one value for each channel."""
        return self.overlaid or [channel.written for channel in self.channels]

    def as_json(self) -> dict[str, Any]:
        """Return the fields as JSON values; `padded` marks the cells outside of the image, `used` those that are reduced."""
        position: dict[str, Any] = {"rows": self.patch.rows, "columns": self.patch.columns, "padded": self.patch.padded.tolist()}
        position |= {} if self.patch.used is None else {"used": self.patch.used.tolist()}
        return {"name": self.name, **position, "channels": [channel.as_json() for channel in self.channels], "pixel": self.written}


def channel_names(count: int, *, alpha: bool) -> tuple[str, ...]:
    """Return the names of the channels of an image.

    >>> channel_names(4, alpha=True)
    ('red', 'green', 'blue', 'alpha')
    """
    colours = count - alpha
    names = {1: ("grey",), 3: ("red", "green", "blue")}.get(colours, tuple(f"channel {n}" for n in range(1, colours + 1)))
    return (*names, *(["alpha"] if alpha else []))


def number(value: float) -> str:
    """Return a number as text: integers in full, other numbers with six significant digits.

    >>> number(3.0), number(-0.123456789)
    ('3', '-0.123457')
    """
    return f"{value:.0f}" if value == value and abs(value) < 1e15 and value == int(value) else f"{value:.6g}"


def products_text(product: Product) -> str:
    """Return a sum of products as text, without the products whose tap is 0."""
    pairs = [(float(tap), float(value)) for tap, value in zip(product.taps.ravel(), product.values.ravel(), strict=True) if tap]
    if len(pairs) > LISTED:
        return f"{len(pairs)} products"
    signed = [f"{'-' if tap < 0 else '+'} {number(abs(tap))}*{number(value)}" for tap, value in pairs]
    text = " ".join(signed).removeprefix("+ ")
    return f"-{text[2:]}" if text.startswith("- ") else text or "no tap but 0"


def channel_sums_text(products: Sequence[Product]) -> str:
    """Return the sum of each channel as text, for a sum over channels."""
    if len(products) > LISTED:
        return f"of {len(products)} channels"
    return " + ".join(f"{product.channel} {number(product.sum)}" for product in products)
