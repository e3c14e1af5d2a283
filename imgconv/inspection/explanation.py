"""What an explanation consists of, as data that prints as JSON: products, stages, members, channels, maps."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imgconv.inspection.cells import Patch

Numbers = NDArray[Any]
LISTED = 25  # products that are told one by one; more are only counted


@dataclass(frozen=True)
class Stage:
    """One step of arithmetic: its name, the reckoning with its numbers, and the value that comes out."""

    name: str
    told: str
    value: float


@dataclass(frozen=True, eq=False)
class Product:
    """One plane under one kernel: `values` (kh, kw) of `channel`, `taps` as they are laid on them, and the products' sum.

    `patch` says where the values lie, if not under the window of their map.
    """

    channel: str
    values: Numbers
    taps: Numbers
    patch: Patch | None = None

    @property
    def products(self) -> Numbers:
        """(kh, kw) float64."""
        with np.errstate(invalid="ignore"):  # nothing times infinity is no number
            return self.values.astype(np.float64) * self.taps

    @property
    def sum(self) -> float:
        """The sum of the products."""
        return float(self.products.sum())

    def as_json(self) -> dict[str, Any]:
        """Everything as lists of rows."""
        arrays = {"values": self.values, "taps": self.taps, "products": self.products}
        place = {} if self.patch is None else {"rows": self.patch.rows, "columns": self.patch.columns}
        return {"channel": self.channel, **place, **{name: array.tolist() for name, array in arrays.items()}, "sum": self.sum}


@dataclass(frozen=True, eq=False)
class Member:
    """What one kernel makes of one channel, or of all of them for weights across channels: products, then divisor, offset, bias."""

    kernel: str
    products: tuple[Product, ...]
    stages: tuple[Stage, ...]

    @property
    def value(self) -> float:
        """The kernel's answer, before any range."""
        return self.stages[-1].value

    def as_json(self) -> dict[str, Any]:
        """Everything in it."""
        return {"kernel": self.kernel, "products": [each.as_json() for each in self.products], "stages": list(map(vars, self.stages))}


@dataclass(frozen=True, eq=False)
class ChannelValue:
    """How one channel of one output pixel comes about; `written` is what the command writes there.

    A pool has no members but `cells` (kh, kw), and `winners`, those that decided. `tolerance` is what float32 may be off where nothing
    is rounded.
    """

    channel: str
    members: tuple[Member, ...]
    stages: tuple[Stage, ...]
    written: float
    cells: Numbers | None = None
    winners: NDArray[np.bool_] | None = None

    tolerance: float = 0.0

    @property
    def agrees(self) -> bool:
        """Whether the reckoning here, in float64, ends at the written value.

        Sums of fractions, which the filters take in float32, may end at the other side of a half.
        """
        value = self.stages[-1].value if self.stages else self.members[0].value
        return (value != value and self.written != self.written) or abs(value - self.written) <= self.tolerance or value == self.written

    def as_json(self) -> dict[str, Any]:
        """Everything in it."""
        told: dict[str, Any] = {"channel": self.channel, "members": [member.as_json() for member in self.members]}
        if self.cells is not None and self.winners is not None:
            told |= {"cells": self.cells.tolist(), "winners": self.winners.tolist()}
        return told | {"stages": list(map(vars, self.stages)), "value": self.written}


@dataclass(frozen=True, eq=False)
class MapValue:
    """One output pixel of one map: where its window lay, and every channel; `drawn` is the pixel once the map is over the photograph."""

    name: str
    patch: Patch
    channels: tuple[ChannelValue, ...]
    drawn: list[float] | None = None

    @property
    def written(self) -> list[float]:
        """The pixel that the command writes, channel by channel."""
        return self.drawn or [channel.written for channel in self.channels]

    def as_json(self) -> dict[str, Any]:
        """Everything in it; `padded` marks cells that lie beyond the edge."""
        place = {"rows": self.patch.rows, "columns": self.patch.columns, "padded": self.patch.padded.tolist()}
        return {"name": self.name, **place, "channels": [channel.as_json() for channel in self.channels], "pixel": self.written}


def channel_names(count: int, *, alpha: bool) -> tuple[str, ...]:
    """What the channels of an image are called.

    >>> channel_names(4, alpha=True)
    ('red', 'green', 'blue', 'alpha')
    """
    colours = count - alpha
    names = {1: ("grey",), 3: ("red", "green", "blue")}.get(colours, tuple(f"channel {n}" for n in range(1, colours + 1)))
    return (*names, *(["alpha"] if alpha else []))


def number(value: float) -> str:
    """A number as it is told: whole ones plainly, others with the digits that matter.

    >>> number(3.0), number(-0.123456789)
    ('3', '-0.123457')
    """
    return f"{value:.0f}" if value == value and abs(value) < 1e15 and value == int(value) else f"{value:.6g}"


def listed(product: Product) -> str:
    """A sum of products as a person would write it; those with a tap of 0 left out."""
    pairs = [(float(tap), float(value)) for tap, value in zip(product.taps.ravel(), product.values.ravel(), strict=True) if tap]
    if len(pairs) > LISTED:
        return f"{len(pairs)} products"
    signed = [f"{'-' if tap < 0 else '+'} {number(abs(tap))}*{number(value)}" for tap, value in pairs]
    text = " ".join(signed).removeprefix("+ ")
    return f"-{text[2:]}" if text.startswith("- ") else text or "no tap but 0"


def listed_sums(products: Sequence[Product]) -> str:
    """What each channel adds to a sum over channels."""
    if len(products) > LISTED:
        return f"of {len(products)} channels"
    return " + ".join(f"{product.channel} {number(product.sum)}" for product in products)
