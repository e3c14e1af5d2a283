"""How one output pixel is calculated, as records: the products and stages of each kernel, of each channel and of each map."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imgconv.inspection.cells import Patch

LISTED = 25  # products and values that are listed one by one; longer lists are only counted


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
