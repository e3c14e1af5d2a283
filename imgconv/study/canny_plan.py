"""The plan of canny: what each of its stages takes, gives and holds in memory. Most of them exist a band of rows at a time."""

from dataclasses import replace
from math import prod

from imgconv.functional.canny import band_rows
from imgconv.functional.smoothed import IN_REGISTERS, gaussian_taps
from imgconv.recipe import Canny, Pool, Shape
from imgconv.study.geometry import padding_name, size_formulas
from imgconv.study.planned import PlannedStep

SOBEL, RIDGES = 18, 4  # multiply-adds for each pixel: two kernels of 3x3, and two neighbours on either side
ROUNDS = 2  # in which quantiles are counted

Size = tuple[int, int]


def plan_canny(step: Canny, shape: Shape, dtype: str) -> list[PlannedStep]:
    """Every stage on a grey picture of the size of `shape` and of `dtype`.

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
    pads = window.pads(size)
    return PlannedStep(
        name,
        (1, *size),
        (1, *size),
        size_formulas(window, size, pads),
        padding_name(window, pads),
        multiply_adds=taps**2 * prod(size),
        receptive_field=(taps, taps),
    )
