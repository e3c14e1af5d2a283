"""Plans of recipes: sizes, operation counts, memory and algorithm of every step, before any pixel is decoded, as JSON and as tables."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from itertools import pairwise
from math import ceil, prod
from typing import TYPE_CHECKING, Any

import numpy as np

from imgconv.display.displayable import Displayable
from imgconv.display.parts import Either, facts, heading, table, text
from imgconv.display.words import in_bytes, shortened
from imgconv.filters.algorithms import algorithm_of, multiply_adds_of
from imgconv.filters.canny import band_rows, gaussian_algorithm, gaussian_taps
from imgconv.filters.filter2d import summed_dtype
from imgconv.filters.pool2d import pool_algorithm
from imgconv.modes import Range
from imgconv.recipe import Canny, Filter, MapPlan, Network, Pool, Recipe, Shape
from imgconv.window import Window, shape_text

if TYPE_CHECKING:
    from imgconv.display.parts import Part, Table

NARROW = 26  # characters of a step that leave room for its formulas on 80 columns
MEANINGS = {
    "small": "all taps at once, sums in registers",
    "running": "a running sum, whatever the size",
    "product": "columns, then rows, sums in registers",
    "unfolded": "im2col, then one matrix product",
    "factors": "columns, then rows, for each outer product",
    "fourier": "products of Fourier transforms, tile by tile",
    "taps": "all taps at once, a few rows at a time",
    "tiles": "tile after tile, sums in registers over all taps",
    "linear": "a vector times the weights",
    "adjoint": "each input cell adds a scaled kernel to the output",
    "separable": "rows reduced first, then columns",
    "2x2 blocks": "four cells at a time",
    "gradient": "both derivatives and their length, three rows at a time",
    "counted": "a histogram of all gradient lengths, in two rounds",
    "ridges": "each length compared with its two neighbours along the gradient",
    "followed": "from strong ridges to the weak ones that touch them",
    "runs": "rows of neighbouring cells, each shared by all windows over it",
    "cell by cell": "the mean, then the squared differences from it",
    "sorting network": "windows sorted side by side",
    "counting": "bit after bit, by counting the cells below",
    "column histograms": "histograms of columns, added up along the row",
    "histogram": "a histogram that slides along the row",
}
SOBEL, RIDGES = 18, 4  # multiply-adds for each pixel: two kernels of 3x3, and two neighbours on either side
MASKED = ", values and mask; each sum * sum of all taps / sum of the taps over valid cells"
ROUNDS = 2  # in which quantiles are counted

Size = tuple[int, int]


@dataclass(frozen=True)
class PlannedStep:
    """The input, output and cost of one step.

    Shapes are (C, H, W) or (L,). `sizes` are the formulas of height and width with their numbers, `padding` its name; both are empty
    without a window. `receptive_field` (height, width) is in pixels of the image, through all steps so far. `multiply_adds` are those
    of the direct form, `performed` those of the chosen `algorithm` where they differ. `input_rows` and `output_rows` are the rows in
    memory at a time, by default all.
    """

    name: str
    input: tuple[int, ...]
    output: tuple[int, ...]
    sizes: tuple[str, ...] = ()
    padding: str = ""
    parameters: int = 0
    multiply_adds: int = 0
    performed: int | None = None
    receptive_field: tuple[int, int] = (1, 1)
    algorithm: str = ""
    input_dtype: str = "float32"
    output_dtype: str = "float32"
    input_rows: int | None = None
    output_rows: int | None = None

    @property
    def work(self) -> int:
        """Multiply-adds of the chosen algorithm."""
        return self.multiply_adds if self.performed is None else self.performed

    @property
    def memory(self) -> int:
        """Bytes of the output."""
        return _bytes(self.output, self.output_rows, self.output_dtype)

    @property
    def peak_memory(self) -> int:
        """Bytes of input and output together."""
        return _bytes(self.input, self.input_rows, self.input_dtype) + self.memory

    def as_json(self) -> dict[str, Any]:
        """The fields and the memory as JSON values."""
        return {**asdict(self), "performed": self.work, "memory": self.memory}


def _bytes(shape: tuple[int, ...], rows: int | None, dtype: str) -> int:
    """Bytes of an array of `shape` and `dtype`, of which at most `rows` are in memory."""
    in_memory = shape if rows is None else (shape[0], min(rows, shape[1]), *shape[2:])
    return prod(in_memory) * np.dtype(dtype).itemsize


@dataclass(frozen=True, repr=False)
class ImagePlan(Displayable):
    """What `imgconv.plan` returns: a recipe on one image, the image's shape (C, H, W) and dtype, and every step."""

    source: str
    recipe: str
    shape: tuple[int, int, int]
    dtype: str
    steps: tuple[PlannedStep, ...]

    @property
    def parameters(self) -> int:
        """The number of parameters that a network of these steps learns."""
        return sum(step.parameters for step in self.steps)

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds of all steps in direct form."""
        return sum(step.multiply_adds for step in self.steps)

    @property
    def work(self) -> int:
        """Multiply-adds of all steps with the chosen algorithms."""
        return sum(step.work for step in self.steps)

    @property
    def peak_memory(self) -> int:
        """Bytes of the widest step's input and output together."""
        return max(step.peak_memory for step in self.steps)

    def as_json(self) -> dict[str, Any]:
        """The fields and totals as JSON values."""
        totals = {"parameters": self.parameters, "multiply_adds": self.multiply_adds, "performed": self.work}
        totals["peak_memory"] = self.peak_memory
        image = {"source": self.source, "recipe": self.recipe, "shape": self.shape, "dtype": self.dtype}
        return {**image, "steps": [step.as_json() for step in self.steps], **totals}

    def parts(self) -> "Iterator[Part]":
        """The tables of all steps, and the totals."""
        return _parts(self)


def _parts(plan: ImagePlan) -> "Iterator[Part]":
    """Yield what each step takes, returns and costs; how its sizes are computed; and the totals."""
    yield heading(plan.source, f"{shape_text(plan.shape)} {plan.dtype}   {plan.recipe}")
    yield from (text(), _steps(plan), text())
    if any(step.algorithm or step.sizes for step in plan.steps):
        yield from (Either(_details(plan), _details(plan, NARROW)), text())
    work = f"{plan.multiply_adds:,}"
    if plan.work != plan.multiply_adds:
        work += f" direct, {plan.work:,} performed"
    totals = {
        "parameters": f"{plan.parameters:,}",
        "multiply-adds": work,
        "memory": f"at most {in_bytes(plan.peak_memory)}, for input and output of one step",
    }
    yield facts(totals)


def _steps(plan: ImagePlan) -> "Part":
    rows = _table("step")
    for title in ("input", "output"):
        rows.add_column(title, no_wrap=True)
    for title in ("params", "mult-adds", "field", "memory"):
        rows.add_column(title, justify="right", no_wrap=True)
    for step in plan.steps:
        values = (shortened(step.parameters), shortened(step.multiply_adds), shape_text(step.receptive_field), in_bytes(step.memory))
        rows.add_row(text(step.name), shape_text(step.input), shape_text(step.output), *values)
    return rows


def _details(plan: ImagePlan, widest: int | None = None) -> "Part":
    """How the sizes of each step are computed, the name of its padding, and its algorithm."""
    rows = _table("details", widest)
    rows.add_column("", style="dim", no_wrap=True)
    rows.add_column("")
    for step in plan.steps:
        lines = [(axis, _formula(formula)) for axis, formula in zip(("height", "width"), step.sizes, strict=False)]
        lines += [("padding", text(step.padding, style="cyan"))] if step.padding else []
        if step.algorithm:
            meaning = MEANINGS.get(step.algorithm.partition(",")[0].partition(" of ")[0], "")
            performed = f" ({shortened(step.work)} multiply-adds)" if step.work != step.multiply_adds else ""
            lines.append(("method", text((step.algorithm, "cyan"), f": {meaning}{performed}")))
        for number, (name, value) in enumerate(lines):
            rows.add_row(text(step.name if number == 0 else ""), name, value)
    return rows


def _formula(formula: str) -> "Part":
    terms, _, size = formula.rpartition(" = ")
    return text(f"{terms} = ", (size, "bold")) if terms else text(formula)


def _table(first: str, widest: int | None = None) -> "Table":
    """A table whose first column, at most `widest` characters, folds where the terminal is narrow."""
    rows = table(header=True)
    rows.add_column(first, style="bold", overflow="fold", min_width=12, max_width=widest)
    return rows


def plan(recipe: Recipe, shape: Shape, dtype: str = "uint8", source: str = "", *, declares_missing: bool = False) -> ImagePlan:
    """The plan of `recipe` for an image of `shape` and `dtype` that is called `source`, and whose file may declare missing cells.

    Raises DoesNotFit where a step does not fit.

    >>> from imgconv.recipe import filter_recipe
    >>> plan(filter_recipe(["sobel_x"], stride=2), Shape(9, 12, 3)).steps[0].output
    (3, 5, 6)
    """
    recipe.trace(shape)
    step = recipe.step
    if isinstance(step, Network):
        steps = _network(step, shape)
    elif isinstance(step, Pool):
        steps = [*_grey(step, shape, dtype), _pool(step, shape, dtype)]
    elif isinstance(step, Canny):
        steps = [*_grey(step, shape, dtype), *_canny(step, shape, dtype)]
    else:
        normalised = recipe.missing_data.is_given or (declares_missing and recipe.missing_data.is_default)
        steps = [*_grey(step, shape, dtype), *(_map(step, plan, shape, dtype, normalised) for plan in step.maps)]
    return ImagePlan(source or f"an image of {'x'.join(map(str, _dims(shape)))}", recipe.describe(), _dims(shape), dtype, tuple(steps))


def _dims(shape: Shape) -> tuple[int, int, int]:
    return shape.channels, shape.height, shape.width


def _grey(step: Filter | Pool | Canny, shape: Shape, dtype: str) -> list[PlannedStep]:
    """The step from colours to their luma, if there is one."""
    if not step.grey or shape.colours == 1:
        return []
    output = (1, shape.height, shape.width)
    work = shape.colours * shape.height * shape.width
    return [PlannedStep("grey", _dims(shape), output, multiply_adds=work, input_dtype=dtype, output_dtype=dtype)]


def _input(step: Filter | Pool, shape: Shape, *, alpha: bool) -> Shape:
    """The input of a kernel or window: grey or colours, with alpha or without."""
    has_alpha = shape.alpha and alpha
    return Shape(shape.height, shape.width, (1 if step.grey else shape.colours) + has_alpha, has_alpha)


def _map(step: Filter, plan: MapPlan, shape: Shape, dtype: str, normalised: bool) -> PlannedStep:
    input = _input(step, shape, alpha=step.keeps_alpha(plan))
    window, size = step.window(plan), (shape.height, shape.width)
    kernels, kernel = len(plan.kernels), plan.kernels[0]
    (name, output) = next(each for each in step.trace(shape) if each[0] == plan.name)
    summed_channels = len(kernel.taps) if plan.sums_channels else output.channels
    premultiplied = input.alpha and step.alpha_rule(plan) == "filter"
    summed = summed_dtype(np.dtype(dtype), linear=step.linear, premultiplied=premultiplied)
    values = output.height * output.width * (1 if plan.sums_channels else output.channels)
    work = sum(multiply_adds_of(each, window, summed, input.channels, flip=step.flip) for each in plan.kernels)
    algorithm = algorithm_of(kernel, window, summed, input.channels, flip=step.flip)
    if normalised:  # the mask goes through the same loop, and values are divided by the sums of taps
        work, algorithm = 2 * work + 1, f"{algorithm}{MASKED}"
    return _windowed(
        name if kernels == 1 else f"{name} ({kernels} kernels, {plan.combine})",
        (_dims(input), _dims(output)),
        window,
        size,
        parameters=sum(each.taps.size + (each.bias != 0) for each in plan.kernels),
        multiply_adds=kernels * summed_channels * window.multiply_adds(size),
        performed=round(values * work),
        algorithm=algorithm,
        input_dtype=dtype,
        output_dtype="float32" if Range(step.range or plan.range).floats else dtype,
    )


def _pool(step: Pool, shape: Shape, dtype: str) -> PlannedStep:
    input = _input(step, shape, alpha=step.keeps_alpha())
    window, size = step.window, (shape.height, shape.width)
    ((_, output),) = step.trace(shape)
    algorithm = pool_algorithm(step.mode, window, size, np.dtype(dtype), padded=step.padding_mode is not None)
    return _windowed(
        f"{step.mode} pool", (_dims(input), _dims(output)), window, size, algorithm=algorithm, input_dtype=dtype, output_dtype=dtype
    )


def _windowed(name: str, shapes: tuple[tuple[int, ...], tuple[int, ...]], window: Window, size: Size, **facts: Any) -> PlannedStep:
    """A step whose `window` slides over planes of `size`; `shapes` are those of input and output."""
    field = window.span[0], window.span[1]
    return PlannedStep(name, *shapes, window.size_formulas(size), window.padding_text(size), receptive_field=field, **facts)


def _canny(step: Canny, shape: Shape, dtype: str) -> list[PlannedStep]:
    """Every stage on a grey image of the size of `shape` and of `dtype`. Most exist a band of rows at a time."""
    size = (shape.height, shape.width)
    stages = _smoothing(step, size, dtype)
    stages.append(_gradients(stages, size, dtype))
    field = stages[-1].receptive_field[0] + 2
    if step.percent:
        stages.append(_quantiles(stages, size))
    ridges = PlannedStep("thin to ridges", (3, *size), (1, *size), receptive_field=(field, field), algorithm="ridges", input_rows=3)
    stages.append(replace(ridges, multiply_adds=RIDGES * prod(size), output_dtype="uint8"))
    ((_, output),) = step.trace(shape)
    hysteresis = PlannedStep("hysteresis", (1, *size), (output.channels, *size), receptive_field=size, algorithm="followed")
    return [*stages, replace(hysteresis, input_dtype="uint8", output_dtype=dtype)]


def _smoothing(step: Canny, size: Size, dtype: str) -> list[PlannedStep]:
    """The Gaussian, unless it changes nothing."""
    taps = len(gaussian_taps(step.sigma)) if step.sigma else 1
    if taps == 1:
        return []
    algorithm = f"{gaussian_algorithm(taps)}, float32"
    stage = replace(_slid(f"gaussian sigma={step.sigma:g}", taps, size), parameters=taps**2, algorithm=algorithm)
    return [replace(stage, performed=2 * taps * prod(size), input_dtype=dtype, output_rows=band_rows(size[1]) + 4)]


def _gradients(before: list[PlannedStep], size: Size, dtype: str) -> PlannedStep:
    stage = replace(_slid("sobel_x, sobel_y, length", 3, size), output=(3, *size), output_rows=3, algorithm="gradient, float32")
    stage = replace(stage, parameters=SOBEL, multiply_adds=SOBEL * prod(size))
    if not before:
        return replace(stage, input_dtype=dtype)
    field = before[0].receptive_field[0] + 2
    return replace(stage, receptive_field=(field, field), input_rows=before[0].output_rows)


def _quantiles(before: list[PlannedStep], size: Size) -> PlannedStep:
    """Both thresholds from the lengths of all gradients; each round repeats all stages before."""
    direct, performed = (ROUNDS * sum(counts) for counts in zip(*((stage.multiply_adds, stage.work) for stage in before), strict=True))
    stage = PlannedStep("thresholds", (1, *size), (2,), receptive_field=size, algorithm="counted", input_rows=1)
    return replace(stage, multiply_adds=direct, performed=performed)


def _slid(name: str, taps: int, size: Size) -> PlannedStep:
    """A window of `taps` x `taps` on every pixel of a plane, in float32."""
    window = Pool(taps, stride=1, padding="same").window
    return _windowed(name, ((1, *size), (1, *size)), window, size, multiply_adds=taps**2 * prod(size))


def _network(network: Network, shape: Shape) -> list[PlannedStep]:
    """Every step of `network` for images of `shape`, in float32. Raises DoesNotFit where a step does not fit."""
    fields, whole, planned = (ReceptiveField(), ReceptiveField()), False, []
    for step, (input, output) in zip(network.steps, pairwise(network.shapes(shape)), strict=True):
        cost = step.operation.cost(input, output)
        height, width = (field.through(span, stride) for field, span, stride in zip(fields, cost.span, cost.stride, strict=True))
        fields, whole = (height, width), whole or cost.sees_all
        planned.append(
            PlannedStep(
                step.text,
                input,
                output,
                cost.sizes,
                cost.padding,
                sum(array.size for array in step.operation.parameters),
                cost.multiply_adds,
                receptive_field=(shape.height, shape.width) if whole else (ceil(height.cells), ceil(width.cells)),
                algorithm=cost.algorithm,
            )
        )
    return planned


@dataclass(frozen=True)
class ReceptiveField:
    """How many input cells one cell depends on along one axis, and how far apart the fields of neighbours begin."""

    cells: Fraction = Fraction(1)
    jump: Fraction = Fraction(1)

    def through(self, span: int, stride: Fraction | int) -> "ReceptiveField":
        """The receptive field after a window of `span` and `stride`; a transposed convolution has the stride 1/stride.

        >>> ReceptiveField().through(3, 1).through(3, 2).through(3, 1).cells
        Fraction(9, 1)
        """
        return ReceptiveField(self.cells + (span - 1) * self.jump, self.jump * stride)
