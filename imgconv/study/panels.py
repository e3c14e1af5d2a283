"""What a figure shows, as data: panels of pixels or of signed values with their scales, and kernels as numbers. Draws nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imgconv.functional import adaptive_avg_pool2d
from imgconv.functional.light import white
from imgconv.pictures import Picture
from imgconv.registry import Kernel

Array = NDArray[Any]
SHARE = 0.5  # percent of the values that may lie beyond either end of a scale, so that a few do not make all others pale
READ = 11  # taps along a side of a kernel that is drawn as numbers
LONGEST = 1400  # cells along a side that any figure can show


@dataclass(frozen=True)
class Scale:
    """What colours mean: from `low` to `high`, about zero where values are `signed`; whether some lie below or above."""

    low: float
    high: float
    signed: bool
    below: bool = False
    above: bool = False

    @classmethod
    def of(cls, values: Array) -> "Scale":
        """The scale of maps: as far below zero as above it where some values are negative, else from zero.

        >>> Scale.of(np.array([-2.0, 0.0, 1.0]))
        Scale(low=-2.0, high=2.0, signed=True, below=False, above=False)
        """
        finite = values[np.isfinite(values)].astype(np.float64)
        if not finite.size:
            return cls(0.0, 1.0, False)
        low, high = float(finite.min()), float(finite.max())
        signed = low < 0
        most = float(np.percentile(np.abs(finite), 100 - SHARE, method="higher")) or max(-low, high) or 1.0
        return cls(-most if signed else 0.0, most, signed, signed and low < -most, high > most)


@dataclass(frozen=True, eq=False)
class Taps:
    """A kernel as it is laid on a picture: `rows` (kh, kw) of numbers, and its size and what happens to their sum, in words."""

    name: str
    rows: Array
    after: str

    @classmethod
    def of(cls, kernel: Kernel, *, flip: bool = False) -> "Taps":
        """The numbers of a 2-D kernel.

        >>> Taps.of(Kernel("blur", [[1, 2, 1]], divisor=4)).after
        'kernel 1x3, divided by 4'
        """
        height, width = kernel.taps.shape
        words = [f"kernel {height}x{width}"]
        words += [f"largest {number(np.abs(kernel.taps).max())}"] if max(height, width) > READ else []
        words += [f"divided by {kernel.divisor:.6g}"] if kernel.divisor != 1 else []
        words += [f"plus {kernel.offset:.4g}"] if kernel.offset else []
        words += [f"plus {kernel.bias:.4g}"] if kernel.bias else []
        return cls(kernel.name, kernel.taps[::-1, ::-1] if flip else kernel.taps, ", ".join(words))


@dataclass(frozen=True, eq=False)
class Panel:
    """One thing to be seen: `values` (h, w) on a scale, (h, w, 3) from 0 to 1, or (L,) numbers of a vector.

    `size` is the height and width of the map that `values`, made smaller where it is large, stand for.
    """

    title: str
    note: str
    values: Array
    size: tuple[int, int]
    scale: Scale | None = None
    taps: tuple[Taps, ...] = ()


@dataclass(frozen=True, eq=False)
class Group:
    """Panels that belong together: the maps of one step."""

    title: str
    note: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, eq=False)
class Exhibit:
    """A whole figure: one group side by side or as a contact sheet, several below each other. `common`: one scale holds for each group."""

    title: str
    note: str
    groups: tuple[Group, ...]
    common: bool = False


def size_text(size: Sequence[int]) -> str:
    """Height and width in words that no one can confuse.

    >>> size_text((400, 600))
    '600 wide, 400 high'
    """
    return f"{size[1]} wide, {size[0]} high"


def picture_panel(picture: Picture, title: str, note: str = "", taps: tuple[Taps, ...] = ()) -> Panel:
    """A picture without alpha as its pixels look; a grey one with a scale, from black to white where no value lies beyond."""
    pixels, top = picture.pixels, white(picture.pixels.dtype)
    height, width, channels = pixels.shape
    note = note or size_text((height, width))
    if channels == 3:
        return Panel(title, note, np.clip(shrunk(pixels) / np.float32(top), 0, 1), (height, width), taps=taps)
    shown = shrunk(pixels)[..., 0]
    plain = pixels.dtype.kind == "u" or (shown.min() >= 0 and shown.max() <= top)
    return Panel(title, note, shown, (height, width), Scale(0.0, top, False) if plain else Scale.of(shown), taps)


def map_panel(values: Array, title: str, taps: tuple[Taps, ...] = (), longest: int = LONGEST) -> Panel:
    """A map (H, W) of real values, told with its extremes; the scale is that of what is shown."""
    finite = values[np.isfinite(values)]
    told = f"{number(finite.min())} to {number(finite.max())}" if finite.size else "no finite value"
    shown = strongest(values, longest)
    return Panel(title, told, shown, (values.shape[0], values.shape[1]), Scale.of(shown), taps)


def number(value: float) -> str:
    r"""Three digits that matter, and a minus that is as long as a plus.

    >>> number(0.12345), number(1020.0), number(-1) == "\N{MINUS SIGN}1"
    ('0.123', '1020', True)
    """
    text = f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return text.replace("-", "\N{MINUS SIGN}") if float(text) else "0"


def shrunk(pixels: Array, longest: int = LONGEST) -> Array:
    """Pixels (H, W, C) as float32, averaged where a side has more than `longest` cells."""
    height, width = pixels.shape[:2]
    if max(height, width) <= longest:
        return pixels.astype(np.float32)
    factor = longest / max(height, width)
    size = max(1, round(height * factor)), max(1, round(width * factor))
    planes = np.ascontiguousarray(pixels.transpose(2, 0, 1), np.float32)
    return adaptive_avg_pool2d(planes, size).transpose(1, 2, 0)


def strongest(values: Array, longest: int = LONGEST) -> Array:
    """Values (H, W) as float32; where a side has more than `longest`, of each block of cells the one that is furthest from zero.

    An average would let thin lines of opposite signs vanish.

    >>> strongest(np.array([[1, -5, 0, 2]]), longest=2)
    array([[-5.,  2.]], dtype=float32)
    """
    step = -(-max(values.shape) // longest)
    if step == 1:
        return values.astype(np.float32)
    down, across = (min(step, size) for size in values.shape)
    height, width = values.shape[0] // down, values.shape[1] // across
    blocks = values[: height * down, : width * across].reshape(height, down, width, across).swapaxes(1, 2).reshape(height, width, -1)
    places = np.argmax(np.abs(blocks), axis=2)[..., None]
    return np.take_along_axis(blocks, places, axis=2)[..., 0].astype(np.float32)
