"""Every mode, declared once: its name, its help, and the facts that options, completion, checks, plans and explanations read.

This module imports no numpy, so that help and completion start fast. What a mode computes stands next to the loops, in a branch that
ends in `assert_never`: type checking fails until a new mode has one.
"""

from collections.abc import Sequence
from enum import StrEnum
from functools import cache
from typing import NamedTuple, Self

from imgconv.errors import ArgumentTypeError, UsageError
from imgconv.window import as_number


class Mode(StrEnum):
    """Base of the modes: members are their names, with facts as attributes. A call with an unknown name raises UsageError.

    >>> PoolMode("max").help
    'largest value'
    """

    help: str

    def __new__(cls, name: str, help: str = "") -> Self:
        return cls._record(name, help)

    @classmethod
    def _record(cls, name: str, help: str) -> Self:
        member = str.__new__(cls, name)
        member._value_, member.help = name, help
        return member

    @classmethod
    def _missing_(cls, value: object) -> None:
        words = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in cls.__name__).strip()
        raise UsageError(f"{words} {value!r} is unknown; use {cls._instead_of(value)}")

    @classmethod
    def _instead_of(cls, value: object) -> str:
        """The mode that other programs call by a name, or all modes."""
        name = str(value).lower().removeprefix("border_")
        known = next((mode.typed for mode in cls if mode.value in (name, SYNONYMS.get(name))), "")
        return known or f"one of {', '.join(cls.names())}"

    @classmethod
    def or_none(cls, name: str | None) -> Self | None:
        """The mode called `name`, None for None."""
        return None if name is None else cls(name)

    @classmethod
    @cache
    def names(cls) -> tuple[str, ...]:
        """The names of all modes."""
        return tuple(mode.value for mode in cls)

    @property
    def typed(self) -> str:
        """The mode as it is typed on the command line."""
        return self.value

    @classmethod
    def described(cls) -> str:
        """All modes with their help, for the help of an option.

        >>> CombineMode.described().split(",")[0]
        'none (one map for each kernel)'
        """
        return ", ".join(f"{mode.typed} ({mode.help})" for mode in cls)

    @classmethod
    def completed(cls, incomplete: str) -> list[tuple[str, str]]:
        """The modes that begin as typed, each with its help, for shell completion."""
        return [(mode.typed[: mode.typed.find(":") + 1] or mode.typed, mode.help) for mode in cls if mode.typed.startswith(incomplete)]


SYNONYMS = {  # of modes, in numpy, OpenCV, SciPy, Keras and everyday language
    "mean": "avg",
    "average": "avg",
    "maximum": "max",
    "minimum": "min",
    "percentile": "rank",
    "zero": "zeros",
    "edge": "replicate",
    "nearest": "replicate",
    "mirror": "reflect",
    "reflect101": "reflect",
    "reflect_101": "reflect",
    "wrap": "circular",
    "periodic": "circular",
}


class Axes(Mode):
    """The order of the axes of an array of three; read in `imgconv.images.npy`."""

    HWC = "HWC", "height, width, channels"
    CHW = "CHW", "maps, height, width"


class Channels(Mode):
    """How `learn` fits colour channels; read in `imgconv.fitting.learning`."""

    grey = "grey", "one kernel for the luma"
    each = "each", "a kernel for each colour channel"
    all = "all", "weights across all channels"


class PoolMode(Mode):
    """What a window of an image is reduced to; `noun` is how an explanation calls the result.

    `selects`: the result is one of the cells, the one at `place` among all in ascending order. Computed in `imgconv.filters.pool2d`,
    explained in `imgconv.inspection.pool_arithmetic`.
    """

    noun: str
    selects: bool

    def __new__(cls, name: str, help: str = "", noun: str = "", selects: bool = False) -> Self:
        member = cls._record(name, help)
        member.noun, member.selects = noun, selects
        return member

    max = "max", "largest value", "largest", True
    avg = "avg", "average", "average"
    min = "min", "smallest value", "smallest", True
    median = "median", "lower median", "lower median", True
    rank = "rank", "the value above P percent of the window", "ranked value", True
    range = "range", "largest minus smallest value", "range"
    std = "std", "standard deviation", "standard deviation"

    @property
    def typed(self) -> str:
        """The mode as it is typed: `rank` takes a percentage."""
        return "rank:P" if self is PoolMode.rank else self.value

    @classmethod
    def of(cls, mode: str) -> "tuple[PoolMode, float]":
        """The mode and its percentage of "max" or "rank:90"; 0 without one. Raises UsageError for anything else.

        >>> PoolMode.of("rank:90"), PoolMode.of("max")
        ((<PoolMode.rank: 'rank'>, 90.0), (<PoolMode.max: 'max'>, 0.0))
        """
        name, colon, percent = mode.partition(":")
        if name not in cls.names() or (name == "rank") != bool(colon):
            raise UsageError(f"pool mode {mode!r} is unknown; use {cls._instead_of(name)}")
        known = cls(name)
        if not colon:
            return known, 0.0
        try:
            number = float(percent)
        except ValueError:
            number = -1.0
        if not 0 <= number <= 100:
            raise UsageError(f"rank needs a percentage from 0 to 100, such as rank:90, not {mode!r}")
        return known, number

    def place(self, percent: float, cells: int) -> int:
        """The place of the result among `cells` cells in ascending order, for modes that select one. The rule of a rank is SciPy's.

        >>> PoolMode.median.place(0, 9), PoolMode.rank.place(90, 9), PoolMode.rank.place(100, 9)
        (4, 8, 8)
        """
        if self is PoolMode.rank:
            return min(int(cells * percent / 100), cells - 1)
        return 0 if self is PoolMode.min else cells - 1 if self is PoolMode.max else (cells - 1) // 2


class Morphology(Mode):
    """What a window of a step does to every map. Computed in `imgconv.functional.morphology`; `pool` is the mode of a single window.

    `temporaries` are the maps that it needs besides input and output.
    """

    pool: PoolMode | None
    temporaries: int

    def __new__(cls, name: str, help: str = "", pool: PoolMode | None = None, temporaries: int = 0) -> Self:
        member = cls._record(name, help)
        member.pool, member.temporaries = pool, temporaries
        return member

    erode = "erode", "keeps the smallest value under a window", PoolMode.min
    dilate = "dilate", "keeps the largest value under a window", PoolMode.max
    open = "open", "erodes, then dilates, which removes bright parts smaller than the window", None, 1
    close = "close", "dilates, then erodes, which fills dark parts smaller than the window", None, 1
    tophat = "tophat", "subtracts the result of open, which leaves bright parts smaller than the window", None, 1
    blackhat = "blackhat", "subtracts the maps from the result of close, which leaves dark parts smaller than the window", None, 1
    gradient = "gradient", "subtracts the result of erode from that of dilate", None, 2


class PaddingMode(Mode):
    """What lies beyond the edge of an input. Computed in `imgconv.windows.borders`.

    `spare` is how many cells fewer than the input's own a mode can add on each side, None where it can add any number.
    """

    spare: int | None

    def __new__(cls, name: str, help: str = "", spare: int | None = None) -> Self:
        member = cls._record(name, help)
        member.spare = spare
        return member

    zeros = "zeros", "0"
    constant = "constant", "the value V"
    replicate = "replicate", "the nearest cell"
    reflect = "reflect", "a mirror image without the edge", 1
    symmetric = "symmetric", "a mirror image with the edge", 0
    circular = "circular", "the opposite side", 0

    @classmethod
    def of(cls, padding_mode: str | tuple[str, float]) -> "tuple[PaddingMode, float]":
        """The mode and the value of an argument: a name, or ("constant", value). Raises ArgumentTypeError for anything else.

        >>> PaddingMode.of(("constant", 7))
        (<PaddingMode.constant: 'constant'>, 7.0)
        """
        if isinstance(padding_mode, str):
            if padding_mode.startswith("constant:"):  # the command line reads this form before it calls
                raise UsageError(f'padding mode {padding_mode!r} is unknown; use ("constant", value)')
            return cls(padding_mode), 0.0
        if isinstance(padding_mode, Sequence) and len(padding_mode) == 2 and padding_mode[0] == "constant":
            return cls.constant, as_number(padding_mode[1], "the constant of padding_mode")
        raise ArgumentTypeError(f'padding_mode must be a name or ("constant", value), not {padding_mode!r}')

    @property
    def typed(self) -> str:
        """The mode as it is typed on the command line: `constant` takes a value."""
        return "constant:V" if self is PaddingMode.constant else self.value

    @property
    def fills(self) -> bool:
        """Whether padded cells hold a value of their own rather than that of a cell of the input."""
        return self in (PaddingMode.zeros, PaddingMode.constant)

    def most(self, size: int) -> int | None:
        """The most cells that the mode can add on one side of `size` cells, None without a limit.

        >>> PaddingMode.reflect.most(5), PaddingMode.zeros.most(5)
        (4, None)
        """
        if self.spare is None:
            return None if size or self.fills else 0
        return max(size - self.spare, 0)


class RangeArithmetic(NamedTuple):
    """What a range does to each value, in this order: take the absolute value, add 8-bit levels, stretch smallest to largest."""

    absolute: bool = False
    added: int = 0
    stretched: bool = False


class MissingMode(Mode):
    """How missing cells are treated. Computed in `imgconv.filters.missing`."""

    keep = "keep", "missing cells stay missing"
    fill = "fill", "missing cells get an estimate from the valid ones around them"
    propagate = "propagate", "every window with a missing cell gives a missing one"


class MissingRule(NamedTuple):
    """How missing cells are treated, and the share of a window that has to be valid, by the absolute taps that are over it."""

    mode: MissingMode = MissingMode.keep
    min_valid: float = 0.0

    @classmethod
    def of(cls, missing: str, min_valid: float) -> "MissingRule":
        """The rule of the arguments `missing` and `min_valid`. Raises UsageError for others.

        >>> MissingRule.of("fill", 0.5).mode
        <MissingMode.fill: 'fill'>
        """
        if not 0 <= as_number(min_valid, "--min-valid") <= 1:
            raise UsageError(f"--min-valid must be a share from 0 to 1, not {min_valid:g}")
        return cls(MissingMode(missing), min_valid)


class Range(Mode):
    """How signed results become pixels. Computed in `imgconv.filters.output_range`.

    `bounded`: values are levels of the image, so that they are clipped also where nothing is rounded, and linear light becomes sRGB.
    `floats`: results are float32 maps, never pixels.
    """

    arithmetic: RangeArithmetic
    bounded: bool
    floats: bool

    def __new__(
        cls, name: str, help: str = "", arithmetic: RangeArithmetic | None = None, bounded: bool = False, floats: bool = False
    ) -> Self:
        member = cls._record(name, help)
        member.arithmetic, member.bounded, member.floats = arithmetic or RangeArithmetic(), bounded, floats
        return member

    clip = "clip", "negative values become 0", None, True
    abs = "abs", "absolute values", RangeArithmetic(absolute=True)
    offset = "offset", "half of the largest value is added", RangeArithmetic(added=128)
    minmax = "minmax", "stretched from the smallest to the largest value", RangeArithmetic(stretched=True)
    raw = "raw", "unrounded; for outputs that hold floats", None, False, True


class CombineMode(Mode):
    """How the maps of a bank become one. Computed in `imgconv.filters.output_range`."""

    none = "none", "one map for each kernel"
    hypot = "hypot", "root of the sum of squares"
    max = "max", "largest absolute value"
    sum = "sum", "sum of absolute values"
    projection = "projection", "share of the first maps in the sum of squares"


class AlphaRule(Mode):
    """What happens to transparency.

    `in_colour` and `in_grey`: whether colour maps and grey maps have alpha where the image has it. `filtered`: whether alpha is
    filtered with the colours that it weighs, unless the kernel's sum is zero; otherwise it stays as it is.
    """

    in_colour: bool
    in_grey: bool
    filtered: bool

    def __new__(cls, name: str, help: str = "", in_colour: bool = False, in_grey: bool = False, filtered: bool = False) -> Self:
        member = cls._record(name, help)
        member.in_colour, member.in_grey, member.filtered = in_colour, in_grey, filtered
        return member

    auto = "auto", "keep it in colour maps, drop it from grey ones", True, False, True
    keep = "keep", "unchanged", True, True, False
    drop = "drop", "over black", False, False, False
    filter = "filter", "filtered like the colours", True, True, True

    def keeps(self, *, grey: bool) -> bool:
        """Whether a map has alpha where the image has it.

        >>> AlphaRule.auto.keeps(grey=True)
        False
        """
        return self.in_grey if grey else self.in_colour
