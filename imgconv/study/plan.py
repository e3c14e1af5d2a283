"""What a recipe will do to a picture of some size: sizes, counts, memory and algorithms of every step. Decodes no pixel."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from imgconv.functional.chosen import multiply_adds_of
from imgconv.functional.correlators import algorithm_of
from imgconv.recipe import Canny, Filter, MapPlan, Network, Pool, Recipe, Shape
from imgconv.study.canny_plan import plan_canny
from imgconv.study.geometry import padding_name, size_formulas
from imgconv.study.network_plan import plan_network
from imgconv.study.planned import PlannedStep

FOLDS = "folds"  # max, min and average: each row of windows is folded from the one before it
MEDIAN = "selection"


@dataclass(frozen=True)
class PicturePlan:
    """A recipe on one picture: its shape (C, H, W), its dtype, and every step."""

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


def plan(recipe: Recipe, shape: Shape, dtype: str = "uint8") -> PicturePlan:
    """The plan of `recipe` for pictures of `shape` and `dtype`. Raises DoesNotFit where a step does not fit.

    >>> from imgconv.recipe import filter_recipe
    >>> plan(filter_recipe(["sobel_x"], stride=2), Shape(9, 12, 3)).steps[0].output
    (3, 5, 6)
    """
    recipe.trace(shape)
    step = recipe.step
    if isinstance(step, Network):
        steps = plan_network(step, (shape.channels - shape.alpha, shape.height, shape.width))
    elif isinstance(step, Pool):
        steps = [*_grey(step, shape, dtype), _pool(step, shape, dtype)]
    elif isinstance(step, Canny):
        steps = [*_grey(step, shape, dtype), *plan_canny(step, shape, dtype)]
    else:
        steps = [*_grey(step, shape, dtype), *(_map(step, plan, shape, dtype) for plan in step.maps)]
    return PicturePlan(_dims(shape), dtype, tuple(steps))


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
    """What a kernel or window gets to see of a picture: grey or colours, with alpha or without."""
    kept = shape.alpha and alpha
    return Shape(shape.height, shape.width, (1 if step.grey else shape.channels - shape.alpha) + kept, kept)


def _map(step: Filter, plan: MapPlan, shape: Shape, dtype: str) -> PlannedStep:
    seen = _seen(step, shape, alpha=step.keeps_alpha(plan))
    window, size = step.window(plan), (shape.height, shape.width)
    kernels, kernel = len(plan.kernels), plan.kernels[0]
    (name, made) = next(each for each in step.trace(shape) if each[0] == plan.name)
    over = len(kernel.taps) if plan.sums_channels else made.channels
    floats = step.range == "raw" or (step.range is None and plan.range == "raw")
    pads, summed = window.pads(size), _summed(step, plan, seen, dtype)
    values = made.height * made.width * (1 if plan.sums_channels else made.channels)
    done = sum(multiply_adds_of(each, window, summed, seen.channels, flip=step.flip) for each in plan.kernels)
    return PlannedStep(
        name if kernels == 1 else f"{name} ({kernels} kernels, {plan.combine})",
        _dims(seen),
        _dims(made),
        size_formulas(window, size, pads),
        padding_name(window, pads),
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
    pads = window.pads(size)
    return PlannedStep(
        f"{step.mode} pool",
        _dims(seen),
        _dims(made),
        size_formulas(window, size, pads),
        padding_name(window, pads),
        receptive_field=(window.span[0], window.span[1]),
        algorithm=MEDIAN if step.mode == "median" else FOLDS,
        input_dtype=dtype,
        output_dtype=dtype,
    )
