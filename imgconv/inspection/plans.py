"""One step of a plan, as data.

The plan of canny: what each of its stages takes, gives and holds in memory. Most of them exist a band of rows at a time.

The plan of a network: what each step makes of shapes, how much work it is, and how far its cells see.

What a recipe will do to an image of some size: sizes, counts, memory and algorithms of every step. Decodes no pixel.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from itertools import pairwise
from math import ceil, prod
from typing import Any

import numpy as np

from imgconv.filters.algorithms import algorithm_of
from imgconv.filters.canny import band_rows
from imgconv.filters.cost import multiply_adds_of
from imgconv.filters.gaussian import IN_REGISTERS, gaussian_taps
from imgconv.recipe import Canny, Filter, MapPlan, Network, Pool, Recipe, Shape


@dataclass(frozen=True)
class PlannedStep:
    """What one step takes and gives.

    Shapes are (C, H, W) or (L,). `sizes` are the formulas of height and width with their numbers, `padding` its name; both empty where
    nothing slides. `receptive_field` (height, width) is in pixels of the image, through all steps so far. `multiply_adds` are those of
    the definition; `algorithm` names how the work will be done, and `performed` how many that takes, where it is another number.
    `input_rows` and `output_rows` lie in memory at a time, all of them unless given.
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
        """Multiply-adds as they are done."""
        return self.multiply_adds if self.performed is None else self.performed

    @property
    def memory(self) -> int:
        """Bytes of the output."""
        return output_bytes(_held(self.output, self.output_rows), self.output_dtype)

    @property
    def peak_memory(self) -> int:
        """Bytes of input and output together."""
        return output_bytes(_held(self.input, self.input_rows), self.input_dtype) + self.memory

    def as_json(self) -> dict[str, Any]:
        """Its fields, and its memory."""
        return {**asdict(self), "performed": self.work, "memory": self.memory}


def _held(shape: tuple[int, ...], rows: int | None) -> tuple[int, ...]:
    return shape if rows is None else (shape[0], min(rows, shape[1]), *shape[2:])


def output_bytes(shape: Sequence[int], dtype: str) -> int:
    """Bytes of an array of `shape` and `dtype`.

    >>> output_bytes((3, 4, 5), "float32")
    240
    """
    return prod(shape) * np.dtype(dtype).itemsize


SOBEL, RIDGES = 18, 4  # multiply-adds for each pixel: two kernels of 3x3, and two neighbours on either side
ROUNDS = 2  # in which quantiles are counted

Size = tuple[int, int]


def plan_canny(step: Canny, shape: Shape, dtype: str) -> list[PlannedStep]:
    """Every stage on a grey image of the size of `shape` and of `dtype`.

    >>> [stage.name for stage in plan_canny(Canny(), Shape(40, 50, 1), "uint8")]
    ['gaussian sigma=1.4', 'sobel_x, sobel_y, length', 'thin to ridges', 'hysteresis']
    """
    size = (shape.height, shape.width)
    stages = _smoothing(step, size, dtype)
    stages.append(_gradients(stages, size, dtype))
    sees = stages[-1].receptive_field[0] + 2
    if step.percent:
        stages.append(_quantiles(stages, size))
    ridges = PlannedStep("thin to ridges", (3, *size), (1, *size), receptive_field=(sees, sees), algorithm="ridges", input_rows=3)
    stages.append(replace(ridges, multiply_adds=RIDGES * prod(size), output_dtype="uint8"))
    ((_, made),) = step.trace(shape)
    joined = PlannedStep("hysteresis", (1, *size), (made.channels, *size), receptive_field=size, algorithm="followed")
    return [*stages, replace(joined, input_dtype="uint8", output_dtype=dtype)]


def _smoothing(step: Canny, size: Size, dtype: str) -> list[PlannedStep]:
    """The Gaussian, unless it leaves everything as it is."""
    taps = len(gaussian_taps(step.sigma)) if step.sigma else 1
    if taps == 1:
        return []
    named = "product" if taps in IN_REGISTERS else "factors of 1"
    stage = replace(_slid(f"gaussian sigma={step.sigma:g}", taps, size), parameters=taps**2, algorithm=f"{named}, float32")
    return [replace(stage, performed=2 * taps * prod(size), input_dtype=dtype, output_rows=band_rows(size[1]) + 4)]


def _gradients(before: list[PlannedStep], size: Size, dtype: str) -> PlannedStep:
    stage = replace(_slid("sobel_x, sobel_y, length", 3, size), output=(3, *size), output_rows=3, algorithm="gradient, float32")
    stage = replace(stage, parameters=SOBEL, multiply_adds=SOBEL * prod(size))
    if not before:
        return replace(stage, input_dtype=dtype)
    sees = before[0].receptive_field[0] + 2
    return replace(stage, receptive_field=(sees, sees), input_rows=before[0].output_rows)


def _quantiles(before: list[PlannedStep], size: Size) -> PlannedStep:
    """Both thresholds from the lengths of all gradients, for which all stages so far are done again in each round."""
    asked, done = (ROUNDS * sum(counts) for counts in zip(*((stage.multiply_adds, stage.work) for stage in before), strict=True))
    stage = PlannedStep("thresholds", (1, *size), (2,), receptive_field=size, algorithm="counted", input_rows=1)
    return replace(stage, multiply_adds=asked, performed=done)


def _slid(name: str, taps: int, size: Size) -> PlannedStep:
    """A window of `taps` along each side on every pixel of a plane, in float32."""
    window = Pool(taps, stride=1, padding="same").window
    return PlannedStep(
        name,
        (1, *size),
        (1, *size),
        window.size_formulas(size),
        window.padding_text(size),
        multiply_adds=taps**2 * prod(size),
        receptive_field=(taps, taps),
    )


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


def plan_network(network: Network, shape: Shape) -> list[PlannedStep]:
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


FOLDS = "folds"  # max, min and average: each row of windows is folded from the one before it
MEDIAN = "selection"


@dataclass(frozen=True)
class ImagePlan:
    """A recipe on one image: its shape (C, H, W), its dtype, and every step."""

    shape: tuple[int, int, int]
    dtype: str
    steps: tuple[PlannedStep, ...]

    @property
    def parameters(self) -> int:
        """Numbers that a network of these steps learns."""
        return sum(step.parameters for step in self.steps)

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds of all steps, by the definition."""
        return sum(step.multiply_adds for step in self.steps)

    @property
    def work(self) -> int:
        """Multiply-adds of all steps, as they are done."""
        return sum(step.work for step in self.steps)

    @property
    def peak_memory(self) -> int:
        """Bytes of the widest step's input and output together."""
        return max(step.peak_memory for step in self.steps)

    def as_json(self) -> dict[str, Any]:
        """Everything, under the names of its fields."""
        totals = {"parameters": self.parameters, "multiply_adds": self.multiply_adds, "performed": self.work}
        totals["peak_memory"] = self.peak_memory
        return {"shape": self.shape, "dtype": self.dtype, "steps": [step.as_json() for step in self.steps], **totals}


def plan(recipe: Recipe, shape: Shape, dtype: str = "uint8") -> ImagePlan:
    """The plan of `recipe` for images of `shape` and `dtype`. Raises DoesNotFit where a step does not fit.

    >>> from imgconv.recipe import filter_recipe
    >>> plan(filter_recipe(["sobel_x"], stride=2), Shape(9, 12, 3)).steps[0].output
    (3, 5, 6)
    """
    recipe.trace(shape)
    step = recipe.step
    if isinstance(step, Network):
        steps = plan_network(step, shape)
    elif isinstance(step, Pool):
        steps = [*_grey(step, shape, dtype), _pool(step, shape, dtype)]
    elif isinstance(step, Canny):
        steps = [*_grey(step, shape, dtype), *plan_canny(step, shape, dtype)]
    else:
        steps = [*_grey(step, shape, dtype), *(_map(step, plan, shape, dtype) for plan in step.maps)]
    return ImagePlan(_dims(shape), dtype, tuple(steps))


def _dims(shape: Shape) -> tuple[int, int, int]:
    return shape.channels, shape.height, shape.width


def _grey(step: Filter | Pool | Canny, shape: Shape, dtype: str) -> list[PlannedStep]:
    """The step from colours to their luma, where there is one."""
    colours = shape.channels - shape.alpha
    if not step.grey or colours == 1:
        return []
    output = (1, shape.height, shape.width)
    work = colours * shape.height * shape.width
    return [PlannedStep("grey", _dims(shape), output, multiply_adds=work, input_dtype=dtype, output_dtype=dtype)]


def _seen(step: Filter | Pool, shape: Shape, *, alpha: bool) -> Shape:
    """What a kernel or window gets to see of an image: grey or colours, with alpha or without."""
    kept = shape.alpha and alpha
    return Shape(shape.height, shape.width, (1 if step.grey else shape.channels - shape.alpha) + kept, kept)


def _map(step: Filter, plan: MapPlan, shape: Shape, dtype: str) -> PlannedStep:
    seen = _seen(step, shape, alpha=step.keeps_alpha(plan))
    window, size = step.window(plan), (shape.height, shape.width)
    kernels, kernel = len(plan.kernels), plan.kernels[0]
    (name, made) = next(each for each in step.trace(shape) if each[0] == plan.name)
    over = len(kernel.taps) if plan.sums_channels else made.channels
    floats = step.range == "raw" or (step.range is None and plan.range == "raw")
    summed = _summed(step, plan, seen, dtype)
    values = made.height * made.width * (1 if plan.sums_channels else made.channels)
    done = sum(multiply_adds_of(each, window, summed, seen.channels, flip=step.flip) for each in plan.kernels)
    return PlannedStep(
        name if kernels == 1 else f"{name} ({kernels} kernels, {plan.combine})",
        _dims(seen),
        _dims(made),
        window.size_formulas(size),
        window.padding_text(size),
        parameters=sum(each.taps.size + (each.bias != 0) for each in plan.kernels),
        multiply_adds=kernels * over * window.multiply_adds(size),
        performed=round(values * done),
        receptive_field=(window.span[0], window.span[1]),
        algorithm=algorithm_of(kernel, window, summed, seen.channels, flip=step.flip),
        input_dtype=dtype,
        output_dtype="float32" if floats else dtype,
    )


def _summed(step: Filter, plan: MapPlan, seen: Shape, dtype: str) -> np.dtype[Any]:
    """The dtype of what is summed: linear light is no whole number, premultiplied colour needs twice the bits."""
    if seen.alpha and step.alpha_rule(plan) == "filter":
        return np.dtype(np.uint16 if dtype == "uint8" and not step.linear else np.float64)
    return np.dtype(np.float32 if step.linear and dtype != "float64" else dtype)


def _pool(step: Pool, shape: Shape, dtype: str) -> PlannedStep:
    seen = _seen(step, shape, alpha=step.keeps_alpha())
    window, size = step.window, (shape.height, shape.width)
    ((_, made),) = step.trace(shape)
    return PlannedStep(
        f"{step.mode} pool",
        _dims(seen),
        _dims(made),
        window.size_formulas(size),
        window.padding_text(size),
        receptive_field=(window.span[0], window.span[1]),
        algorithm=MEDIAN if step.mode == "median" else FOLDS,
        input_dtype=dtype,
        output_dtype=dtype,
    )
