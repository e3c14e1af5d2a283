"""A network: an ordered list of steps, which of their results are written, and the shapes and names of those."""

import zlib
from dataclasses import dataclass, replace
from itertools import pairwise
from math import prod

from imgconv.errors import DoesNotFit, UsageError
from imgconv.modes import MissingMode, MissingRule, Range
from imgconv.platforms import cached_property
from imgconv.recipe.operations import Dims, Operation
from imgconv.recipe.operations.elementwise import Grey
from imgconv.recipe.shape import Shape, Sheet, once_per_shape
from imgconv.recipe.steps import ARRAY_FORMATS, check_raw
from imgconv.window import shape_text

MAX_VALUES = 1 << 31  # 8 GB of float32; more is a typing error
UNKNOWN: Dims = (None, None, None)


@dataclass(frozen=True, eq=False)
class Step:
    """One step of a network: its op, its text in messages, and its operation."""

    op: str
    text: str
    operation: Operation


@dataclass(frozen=True)
class Result:
    """One result that is written: the position of its step, the name of its outputs, its number of maps (0 for a vector), its range.

    A map has all colours of an image where no step has mixed them, else one channel.
    """

    position: int
    name: str
    maps: int
    range: str

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the maps, numbered from 1 where there are several."""
        return tuple(f"{self.name}-{n}" for n in range(1, self.maps + 1)) if self.maps > 1 else (self.name,)


@dataclass(frozen=True, eq=False)
class Network:
    """Steps in their order, on float32 without any rounding in between.

    `keep` are the positions of the steps whose results are written, by default the last one. With `range` None each result has the
    range that its steps leave, see `Operation.range_after`. `sheet` puts all maps into one image; `only` is the index of the one map
    that is written. Raises UsageError for steps that cannot follow each other, whatever the image.
    """

    steps: tuple[Step, ...]
    name: str = "run"
    keep: tuple[int, ...] = ()
    range: str | None = None
    sheet: bool = False
    only: int | None = None
    missing: str = "keep"
    min_valid: float = 0.0

    def __post_init__(self) -> None:
        Range.or_none(self.range), self.rule
        if not self.steps:
            raise UsageError("a recipe needs at least one step, such as -s 'conv laplacian8 padding=1'")
        try:
            self.trace_steps(UNKNOWN)
        except DoesNotFit as error:
            raise UsageError(str(error)) from None
        if self.sheet and self.gives_vectors:
            raise UsageError("a sheet cannot show a vector; keep a step before flatten")
        if self.sheet and self.range == "raw":
            raise UsageError("--sheet needs pixels, which --range raw does not give; use another range")

    @property
    def alpha(self) -> str:
        """The alpha rule: steps have no transparency."""
        return "drop"

    @property
    def rule(self) -> MissingRule:
        """How missing cells are treated."""
        return MissingRule.of(self.missing, self.min_valid)

    @property
    def grey(self) -> bool:
        """Whether only the luma of an image is read."""
        return isinstance(self.steps[0].operation, Grey)

    @property
    def gives_vectors(self) -> bool:
        """Whether a result is a vector of numbers rather than maps."""
        return any(result.maps == 0 for result in self.results)

    @cached_property
    def results(self) -> tuple[Result, ...]:
        """The results that are written, in the order of their steps."""
        return tuple(self._result(position) for position in sorted(set(self.keep)) or [len(self.steps) - 1])

    def _result(self, position: int) -> Result:
        name = f"{self.name}.{position + 1}-{self.steps[position].op}" if self.keep else self.name
        dims = self._passed(UNKNOWN, position)
        if len(dims) == 1:
            return Result(position, name, 0, "raw")
        # where no step has mixed the channels, the number of maps is that of one channel
        channels = dims[0] if dims[0] is not None else self._passed((1, None, None), position)[0]
        range_ = "clip"
        for step in self.steps[: position + 1]:
            range_ = step.operation.range_after(range_)
        return Result(position, name, channels or 1, self.range or range_)

    def _passed(self, dims: Dims, position: int) -> Dims:
        """The shape after the step at `position`, for a shape that fits."""
        for step in self.steps[: position + 1]:
            dims = step.operation.trace(dims)
        return dims

    @property
    def keeps_several(self) -> bool:
        """Whether results of several steps are written, whose maps may differ in size."""
        return len(self.results) > 1

    def names(self, command: str) -> tuple[str, ...]:
        """Names of all outputs, whatever the image: one for each map or vector, or one for the sheet."""
        if self.sheet:
            return (self.name,)
        names = tuple(name for result in self.results for name in result.names)
        return names if self.only is None else (names[self.only],)

    def trace_steps(self, dims: Dims) -> list[Dims]:
        """The shape after each step. Raises DoesNotFit, which names the step, what it got and what it needs."""
        shapes = []
        for number, step in enumerate(self.steps, 1):
            try:
                after = step.operation.trace(dims)
            except DoesNotFit as error:
                shape = shape_text(dims) if len(dims) > 1 else "a vector" if None in dims else f"a vector of {shape_text(dims)}"
                raise DoesNotFit(f"step {number} ({step.text}): got {shape}: {error}") from None
            if None not in after and prod(size or 0 for size in after) > MAX_VALUES:
                raise DoesNotFit(f"step {number} ({step.text}): would make {shape_text(after)} numbers; the limit is {MAX_VALUES}")
            shapes.append(after)
            dims = after
        return shapes

    @once_per_shape
    def shapes(self, shape: Shape) -> list[tuple[int, ...]]:
        """What the first step gets of an image of `shape`, and what each step gives: (C, H, W) or (L,). Raises DoesNotFit."""
        dims = (shape.colours, shape.height, shape.width)
        return [dims, *(tuple(size or 0 for size in after) for after in self.trace_steps(dims))]

    def values_between(self, shape: Shape) -> int:
        """The most values that are in memory at a time: input, output and temporary results of a step, and the results so far.

        >>> from imgconv.recipe import Shape, network_recipe
        >>> network_recipe(["conv_transpose box:size=2 stride=2", "max_pool 2"]).values_between(Shape(10, 10, 1))
        900
        """
        counts = [prod(dims) for dims in self.shapes(shape)]
        written = {result.position for result in self.results}
        most = 2 * counts[0]  # the image is copied into a batch
        results = 0
        for position, (before, after) in enumerate(pairwise(counts)):
            most = max(most, results + before + int((1 + self.steps[position].operation.temporaries) * after))
            results += after if position in written else 0
        return most

    def trace(self, shape: Shape) -> list[tuple[str, Shape]]:
        """Names and shapes of the outputs that an image of `shape` gives; a vector is as many channels of one cell.

        Raises DoesNotFit where a step cannot fit.
        """
        maps = self._maps(shape)
        if self.sheet:
            return [(self.name, Sheet.of([each for _, each in maps]).shape)]
        return maps if self.only is None else [maps[self.only]]

    def _maps(self, shape: Shape) -> list[tuple[str, Shape]]:
        maps = []
        for result in self.results:
            channels, height, width = (*self.shapes(shape)[result.position + 1], 1, 1)[:3]
            maps += [(name, Shape(height, width, channels // max(result.maps, 1))) for name in result.names]
        return maps

    def gives_floats(self, format: str) -> bool:
        """Whether an output in `format` holds unrounded float32 maps, by range raw; never a sheet."""
        return not self.sheet and self.range == "raw"

    def check_format(self, format: str, *, holds_floats: bool) -> None:
        """Raise UsageError where results cannot be held by `format`, whatever the image."""
        check_raw(self.range, holds_floats=holds_floats)
        arrays = format in ARRAY_FORMATS
        if self.gives_vectors and not arrays:
            raise UsageError(f"{format} cannot hold a vector of numbers; use -o NAME.npy, --format npy, or --keep a step before flatten")
        if self.sheet and arrays:
            raise UsageError(f"--sheet makes an image, which {format} is not; leave one of them out")
        if format == "npy" and len(self.results) > 1:
            raise UsageError("maps of several steps differ in size, which one .npy file cannot hold; use .npz, .tiff or images")

    def singles(self) -> tuple["Network", ...]:
        """A network for each output, in order."""
        return (self,) if self.sheet or self.only is not None else tuple(replace(self, only=n) for n, _ in enumerate(self.names(self.name)))

    def describe(self) -> str:
        """The steps as they were typed, with a checksum of weights, since names do not identify them, and the options of the network."""
        words = [_described(step) for step in self.steps]
        words += [f"keep={','.join(str(position + 1) for position in self.keep)}"] if self.keep else []
        words += [f"range={self.range}"] if self.range else []
        words += [f"missing={self.missing}"] if self.rule.mode is not MissingMode.keep else []
        words += [f"min_valid={self.min_valid:g}"] if self.min_valid else []
        return " | ".join(words + (["sheet"] if self.sheet else []))


def _described(step: Step) -> str:
    parameters = step.operation.parameters
    return f"{step.text} [{zlib.crc32(b''.join(array.tobytes() for array in parameters)):08x}]" if parameters else step.text
