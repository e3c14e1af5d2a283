"""What is to be done with a picture, decided and traced before any pixel is decoded.

A Recipe is plain data: kernels that are already looked up, windows, names of modes. It knows shapes; it knows nothing of files
or pixels.
"""

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal

from imgconv.errors import DoesNotFit, UsageError
from imgconv.registry import RANGES, Bank, Kernel, Registry, resolve, slug
from imgconv.window import PADDING_MODES, Window

ALPHAS = ("auto", "keep", "drop", "filter")
POOL_MODES = ("max", "avg", "min", "median")
ARRAY_FORMATS = ("npy", "npz")
Size = int | Sequence[int]


@dataclass(frozen=True)
class Shape:
    """Size of a picture or map in pixels, its channels (alpha included), and whether the last one is alpha."""

    height: int
    width: int
    channels: int
    alpha: bool = False

    def __str__(self) -> str:
        return f"{self.channels}x{self.height}x{self.width}"


@dataclass(frozen=True)
class MapPlan:
    """One map to be made: its name in output names, the kernels behind it, and how they combine."""

    name: str
    kernels: tuple[Kernel, ...]
    combine: str = "none"
    subspace: int = 0
    range: str = "clip"

    @property
    def sums_channels(self) -> bool:
        """Whether the kernels are weights across channels, (C, kh, kw)."""
        return self.kernels[0].taps.ndim == 3

    @property
    def zero_sum(self) -> bool:
        """Whether a constant picture gives nothing: such maps leave alpha alone."""
        return self.combine != "none" or abs(self.kernels[0].total) < 1e-9


@dataclass(frozen=True)
class Look:
    """What is done to finished maps: inverted, cut at a threshold (in levels of the output), drawn over the photograph."""

    invert: bool = False
    threshold: float | None = None
    overlay: bool = False


@dataclass(frozen=True)
class Filter:
    """Correlate a picture with kernels; `range` None means each kernel's own."""

    maps: tuple[MapPlan, ...]
    stride: Size = 1
    padding: str | Size = "same"
    padding_mode: str | tuple[str, float] = "replicate"
    dilation: Size = 1
    flip: bool = False
    range: str | None = None
    grey: bool = False
    linear: bool = False
    alpha: str = "auto"

    def __post_init__(self) -> None:
        _one_of(self.range, (None, *RANGES), "range")
        _one_of(self.alpha, ALPHAS, "alpha")
        _one_of(self.padding_mode if isinstance(self.padding_mode, str) else self.padding_mode[0], PADDING_MODES, "padding_mode")
        for plan in self.maps:
            self.window(plan)
            if len({k.taps.shape for k in plan.kernels}) > 1:
                raise UsageError(f"bank {plan.name!r} combines kernels of different sizes; give them one size")

    def window(self, plan: MapPlan) -> Window:
        """Where the kernels of `plan` go."""
        return Window.of(plan.kernels[0].taps.shape[-2:], self.stride, self.padding, self.dilation)

    def trace(self, shape: Shape) -> list[tuple[str, Shape]]:
        """Names and shapes of the maps that a picture of `shape` gives. Raises DoesNotFit where one cannot be made."""
        return [(plan.name, self._trace_map(plan, shape)) for plan in self.maps]

    def _trace_map(self, plan: MapPlan, shape: Shape) -> Shape:
        height, width = self.window(plan).output_size((shape.height, shape.width))
        alpha = shape.alpha and self.keeps_alpha(plan)
        colours = 1 if self.grey else shape.channels - shape.alpha
        if plan.sums_channels:
            needed = plan.kernels[0].taps.shape[0]
            if needed != colours:
                raise DoesNotFit(f"kernel {plan.name} is for {needed} channels, the picture has {colours}; use --grey or --color")
            colours = 1
        return Shape(height, width, colours + alpha, alpha)

    def keeps_alpha(self, plan: MapPlan) -> bool:
        """Whether a map has alpha where the picture has it: grey maps only on demand, sums over channels never."""
        return not plan.sums_channels and (self.alpha in ("keep", "filter") or (self.alpha == "auto" and not self.grey))

    def alpha_rule(self, plan: MapPlan) -> Literal["keep", "filter"]:
        """What becomes of alpha that is kept: zero-sum kernels leave it as it is, others filter it with the colours it weighs."""
        if self.alpha == "filter" and plan.combine == "none" and abs(plan.kernels[0].total) >= 1e-9:
            return "filter"
        return "filter" if self.alpha == "auto" and not plan.zero_sum else "keep"


@dataclass(frozen=True)
class Pool:
    """Reduce every window of a picture to its maximum, average, minimum or median; stride None means the size."""

    size: Size = 2
    mode: str = "max"
    stride: Size | None = None
    padding: str | Size = "valid"
    dilation: Size = 1
    ceil_mode: bool = False
    grey: bool = False
    alpha: str = "auto"

    def __post_init__(self) -> None:
        _one_of(self.mode, POOL_MODES, "mode")
        _one_of(self.alpha, ALPHAS, "alpha")
        window = self.window()
        if isinstance(window.padding, tuple) and any(p >= s for p, s in zip(window.padding, window.span, strict=True)):
            raise UsageError(f"padding {self.padding} leaves windows with nothing in them; use less than the pool's {self.size}")

    def window(self) -> Window:
        """Where the pool's windows go."""
        stride = self.size if self.stride is None else self.stride
        return Window.of(self.size, stride, self.padding, self.dilation, ceil_mode=self.ceil_mode)

    def trace(self, shape: Shape) -> list[tuple[str, Shape]]:
        """The name and shape of the one map that a picture of `shape` gives. Raises DoesNotFit where the window does not fit."""
        height, width = self.window().output_size((shape.height, shape.width))
        alpha = shape.alpha and self.keeps_alpha()
        return [("pool", Shape(height, width, (1 if self.grey else shape.channels - shape.alpha) + alpha, alpha))]

    def keeps_alpha(self) -> bool:
        """Whether the map has alpha where the picture has it."""
        return self.alpha in ("keep", "filter") or (self.alpha == "auto" and not self.grey)


@dataclass(frozen=True)
class Recipe:
    """A step on pictures, what is done to its maps, and the command's name, which goes into output names."""

    command: str
    step: Filter | Pool
    look: Look = field(default_factory=Look)

    def __post_init__(self) -> None:
        if isinstance(self.step, Filter) and self.step.range == "raw" and self.look != Look():
            raise UsageError("--invert, --threshold and --overlay need pixels, which --range raw does not give; use another range")

    def trace(self, shape: Shape) -> list[tuple[str, Shape]]:
        """Names and shapes of all maps that a picture of `shape` gives.

        Raises DoesNotFit where a step cannot fit, or where a map is to be drawn over a photograph of another size.
        """
        maps = self.step.trace(shape)
        if not self.look.overlay:
            return maps
        for name, made in maps:
            if (made.height, made.width) != (shape.height, shape.width):
                raise DoesNotFit(f"map {name} of {made} cannot be drawn over a picture of {shape}; use stride 1 and padding same")
        alpha = shape.alpha and self.step.alpha != "drop"
        return [(name, Shape(made.height, made.width, 3 + alpha, alpha)) for name, made in maps]

    def describe(self) -> str:
        """The recipe in one line, as it is written into outputs: the command and everything that differs from the step's defaults."""
        words = [self.command]
        for part in (self.step, self.look):
            for f in fields(part):
                value = getattr(part, f.name)
                if f.name == "maps":
                    words += [_described(plan) for plan in value]
                elif value != f.default:
                    words.append(f"{f.name}={'x'.join(map(str, value)) if isinstance(value, tuple) else value}")
        return " ".join(words)

    @property
    def needs_luma_only(self) -> bool:
        """Whether the grey of a picture is all that is read, so that a JPEG file's own Y will do."""
        return self.step.grey and not self.look.overlay

    def gives_floats(self, format: str, *, asked_for: bool) -> bool:
        """Whether an output in `format` holds unrounded float32 maps rather than pixels.

        Arrays always do, and so does the TIFF of a filter that was `asked_for` by name: raw unless a range was given for pixels.
        """
        if format in ARRAY_FORMATS:
            return True
        if not isinstance(self.step, Filter):
            return False
        return self.step.range == "raw" or (self.step.range is None and asked_for and format == "tiff")

    def check_format(self, format: str, *, asked_for: bool, holds_floats: bool) -> None:
        """Raise UsageError where the range or the look contradicts an output in `format`."""
        step = self.step
        if not isinstance(step, Filter):
            return
        if step.range == "raw" and not holds_floats:
            raise UsageError("--range raw needs an output that holds floats; use -o NAME.npy, .npz or .tiff, or --format with one of them")
        if self.look != Look() and step.range is None and self.gives_floats(format, asked_for=asked_for):
            raise UsageError(f"--invert, --threshold and --overlay need pixels, and {format} holds raw maps; add --range abs or clip")

    @property
    def names(self) -> tuple[str, ...]:
        """The part of output names that tells the maps apart, in order: `edge`, a kernel's slug, `pool`."""
        if isinstance(self.step, Pool):
            return (self.command,)
        slugs = tuple(plan.name for plan in self.step.maps)
        if self.command != "edge":
            return slugs
        return ("edge",) if len(slugs) == 1 else tuple(f"edge.{s}" for s in slugs)


def filter_recipe(
    kernels: Iterable[str | Kernel | Bank],
    *,
    command: str = "filter",
    registry: Registry | None = None,
    look: Look | None = None,
    **options: Any,
) -> Recipe:
    """A recipe of one Filter; `options` are its fields. The command `edge` makes grey maps of absolute values unless told otherwise."""
    maps = plan_maps(kernels, registry)
    if command == "edge":
        maps = tuple(replace(plan, range="abs") for plan in maps)
        options = {**options, "grey": options.get("grey") is not False}
    return Recipe(command, Filter(maps, **{k: v for k, v in options.items() if v is not None}), look or Look())


def plan_maps(references: Iterable[str | Kernel | Bank], registry: Registry | None = None) -> tuple[MapPlan, ...]:
    """The maps that kernel references ask for; a bank with combine "none" gives one for each member. Names are unique.

    >>> [plan.name for plan in plan_maps(["laplacian8", "gaussian:sigma=2"])]
    ['laplacian8', 'gaussian-sigma-2']
    """
    plans: list[MapPlan] = []
    for reference in references:
        known = resolve(reference, registry) if isinstance(reference, str) else reference
        name = slug(reference) if isinstance(reference, str) else slug(known.name)
        plans += _plans_of(known, name)
    if not plans:
        raise UsageError("no kernel given; use -k NAME, for example -k laplacian8")
    return _with_unique_names(plans)


def _described(plan: MapPlan) -> str:
    """A map's name, and for kernels that no registry describes a checksum of their taps, since the name does not tell them."""
    if all(kernel.description for kernel in plan.kernels):
        return plan.name
    return f"{plan.name}[{zlib.crc32(b''.join(kernel.weights().tobytes() for kernel in plan.kernels)):08x}]"


def _plans_of(known: Kernel | Bank, name: str) -> list[MapPlan]:
    if isinstance(known, Kernel):
        return [MapPlan(name, (known,), range=known.range)]
    if known.combine != "none":
        return [MapPlan(name, known.kernels, known.combine, known.subspace, known.range)]
    return [MapPlan(_member_name(name, kernel), (kernel,), range=kernel.range) for kernel in known.kernels]


def _member_name(bank: str, kernel: Kernel) -> str:
    member = slug(kernel.name)
    return member if member.startswith(bank) else f"{bank}-{member}"


def _with_unique_names(plans: Sequence[MapPlan]) -> tuple[MapPlan, ...]:
    taken: set[str] = set()
    out = []
    for plan in plans:
        name, count = plan.name, 1
        while name.lower() in taken:
            count += 1
            name = f"{plan.name}-{count}"
        taken.add(name.lower())
        out.append(replace(plan, name=name))
    return tuple(out)


def _one_of(value: object, allowed: Sequence[object], name: str) -> None:
    if value not in allowed:
        raise UsageError(f"{name} {value!r} is unknown; use one of {', '.join(str(a) for a in allowed if a is not None)}")
