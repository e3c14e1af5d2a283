"""Steps of a network without weights or windows: what each makes of a shape, and how its values are best shown.

Data and shapes only; what a step does to numbers is the business of `process`. An axis of unknown size is None, so that a network
can be traced before an image is known.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from imgconv.errors import DoesNotFit
from imgconv.recipe.shape import one_of

Dims = tuple[int | None, ...]  # (C, H, W) of maps, (L,) of a vector; the batch axis is left out

ACTIVATIONS = ("relu", "leaky_relu", "sigmoid", "tanh", "abs")
COMBINATIONS = ("hypot", "max", "sum")


@dataclass(frozen=True)
class Operation:
    """What one step does; by itself, nothing."""

    def trace(self, dims: Dims) -> Dims:
        """The shape that comes out where `dims` go in. Raises DoesNotFit, which says what is needed."""
        return dims

    def range_after(self, before: str) -> str:
        """The range that shows the result best where `before` shows the input best; minmax once values are no longer levels."""
        return before


@dataclass(frozen=True)
class Grey(Operation):
    """Luma of three channels; one channel stays as it is."""

    def trace(self, dims: Dims) -> Dims:
        """(1, H, W) of (1, H, W) or (3, H, W)."""
        channels, height, width = maps_of(dims)
        if channels not in (None, 1, 3):
            raise DoesNotFit("needs 1 or 3 channels; put grey first")
        return 1, height, width


@dataclass(frozen=True)
class Scale(Operation):
    """input * factor."""

    factor: float

    def range_after(self, before: str) -> str:
        """Levels are lost."""
        return "minmax"


@dataclass(frozen=True)
class Normalize(Operation):
    """(input - mean) / std; one number for all channels, or one for each."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def trace(self, dims: Dims) -> Dims:
        """The same shape; as many channels as there are numbers, where there are several."""
        channels, height, width = maps_of(dims)
        needed = max(len(self.mean), len(self.std))
        if needed > 1 and channels not in (None, needed):
            raise DoesNotFit(f"needs {needed} channels; give one number, or one for each channel")
        return (needed if needed > 1 else channels), height, width

    def range_after(self, before: str) -> str:
        """Levels are lost."""
        return "minmax"


@dataclass(frozen=True)
class Activation(Operation):
    """A function of each value on its own, one of ACTIVATIONS."""

    name: str
    negative_slope: float = 0.01

    def range_after(self, before: str) -> str:
        """Levels are lost where values are squeezed."""
        return "minmax" if self.name in ("sigmoid", "tanh") else before


@dataclass(frozen=True)
class Combine(Operation):
    """All maps made one: the root of the sum of squares, or the largest or the sum of absolute values."""

    mode: str = "hypot"

    def __post_init__(self) -> None:
        one_of(self.mode, COMBINATIONS, "combination")

    def trace(self, dims: Dims) -> Dims:
        """(1, H, W) of (C, H, W)."""
        _, height, width = maps_of(dims)
        return 1, height, width


@dataclass(frozen=True)
class Flatten(Operation):
    """A vector of all values, channels outermost, as torch.nn.Flatten gives it."""

    def trace(self, dims: Dims) -> Dims:
        """(C*H*W,) of (C, H, W)."""
        known = [size for size in dims if size is not None]
        return (prod(known) if len(known) == len(dims) else None,)

    def range_after(self, before: str) -> str:
        """A vector is no image."""
        return "minmax"


@dataclass(frozen=True)
class Softmax(Operation):
    """exp(input) over its sum along axis `dim` of (N, C, H, W) or (N, L)."""

    dim: int = 1

    def trace(self, dims: Dims) -> Dims:
        """The same shape."""
        last = len(dims)
        if not (1 <= self.dim <= last or -last <= self.dim <= -1):
            raise DoesNotFit(f"needs a dim from 1 to {last} (0 is the batch), not {self.dim}")
        return dims

    def range_after(self, before: str) -> str:
        """Levels are lost."""
        return "minmax"


def maps_of(dims: Dims) -> tuple[int | None, int | None, int | None]:
    """`dims` as (C, H, W); DoesNotFit for a vector."""
    if len(dims) != 3:
        raise DoesNotFit("needs maps (channels, height, width); put it before flatten")
    channels, height, width = dims
    return channels, height, width


def shape_text(dims: Sequence[int | None]) -> str:
    """Sizes as they are told: `3x480x640`, `?` for what is not known yet.

    >>> shape_text((3, None, None))
    '3x?x?'
    """
    return "x".join("?" if size is None else str(size) for size in dims)
