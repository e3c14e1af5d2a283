"""A window that moves over a few padded cells while the output fills up, as frames of an animation."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imgconv.errors import DoesNotFit, UsageError
from imgconv.functional.borders import Border, PaddedRows
from imgconv.functional.light import white
from imgconv.functional.masks import pads_of
from imgconv.pictures import Picture
from imgconv.process import process, shape_of
from imgconv.recipe import Canny, Filter, Network, Pool, Recipe
from imgconv.study import drawing
from imgconv.study.cells import seen
from imgconv.study.crops import crop_around
from imgconv.study.drawing import Colour, Pixels
from imgconv.study.geometry import Sliding

MOST_SPAN = 15  # cells that a window may span and still be seen as cells
PAPER: Colour = (250, 250, 248)
EMPTY: Colour = (226, 226, 222)
PADDING: Colour = (184, 206, 242)
WINDOW: Colour = (226, 88, 20)
POSITIVE: Colour = (206, 234, 206)
NEGATIVE: Colour = (244, 210, 206)
MOST_TAPS = 7  # along a side of a kernel that is drawn beside
FRAME, LAST_FRAME = 500.0, 2500.0  # milliseconds


@dataclass(frozen=True, eq=False)
class Scene:
    """What is drawn: the input `cells` from (-before) on with their padding, and the `output` that they give under `window`.

    `kernel` (kh, kw) is drawn between them, where there is one. `counts` says whether padded cells hold values, as a filter's do and a
    pool's do not. Input and output hold grey levels up to `white`.
    """

    cells: NDArray[Any]
    size: tuple[int, int]
    before: tuple[int, int]
    window: Sliding
    output: NDArray[Any]
    white: float
    counts: bool
    kernel: NDArray[Any] | None = None

    @property
    def between(self) -> int:
        """Cells between input and output: two, or the kernel with one on either side."""
        return 2 + (0 if self.kernel is None else self.kernel.shape[1])

    def is_padding(self, row: int, column: int) -> bool:
        """Whether a cell lies beyond the edge."""
        return not (0 <= row - self.before[0] < self.size[0] and 0 <= column - self.before[1] < self.size[1])

    def taps(self, at: tuple[int, int]) -> list[tuple[int, int]]:
        """The cells (row, column) under the window of the output cell `at`."""
        axes = zip(at, self.window.stride, self.window.dilation, self.window.kernel_size, strict=True)
        rows, columns = ([place * stride + tap * dilation for tap in range(taps)] for place, stride, dilation, taps in axes)
        return [(row, column) for row in rows for column in columns if row < len(self.cells) and column < self.cells.shape[1]]


def animation(picture: Picture, recipe: Recipe, at: tuple[int, int] | None = None) -> Iterator[Picture]:
    """The frames, one for each output cell, of a pool or of a filter's first map, on grey cells around the output pixel `at` (x, y).

    The cells are filtered as a picture of their own, so that its padding shows. Raises DoesNotFit for a window that spans too much.
    """
    if isinstance(recipe.step, Network | Canny):
        raise UsageError("--animate is for one filter or pool; give -k or --size")
    window = recipe.step.window() if isinstance(recipe.step, Pool) else recipe.step.window(recipe.step.maps[0])
    if max(window.span) > MOST_SPAN:
        raise DoesNotFit(f"--animate draws windows of up to {MOST_SPAN}x{MOST_SPAN} cells; use a smaller kernel, or less dilation")
    height, width = (max(5 * stride, span + 2 * min(stride, 2)) for span, stride in zip(window.span, window.stride, strict=True))
    _, shape = recipe.trace(shape_of(picture))[0]
    column, row = at or (shape.width // 2, shape.height // 2)
    crop = seen(crop_around(picture, window, (row, column), (height, width)), grey=True, alpha=False)
    yield from _frames(_scene(crop, recipe, window))


def _scene(crop: Picture, recipe: Recipe, window: Sliding) -> Scene:
    if isinstance(recipe.step, Filter):
        recipe = replace(recipe, step=replace(recipe.step, maps=recipe.step.maps[:1]), look=replace(recipe.look, overlay=False))
    output = process(crop, recipe)[0].picture.pixels[..., 0]
    pads = window.pads(crop.size) if isinstance(recipe.step, Pool) else _mask_pads(crop, recipe)
    hanging = [(n - 1) * s + span for n, s, span in zip(output.shape, window.stride, window.span, strict=True)]
    pads = tuple((before, max(after, need - size - before)) for (before, after), need, size in zip(pads, hanging, crop.size, strict=True))
    border = Border.of(recipe.step.padding_mode) if isinstance(recipe.step, Filter) else Border.of("zeros")
    padded = PaddedRows(crop.pixels[..., 0], pads, border)
    counts = isinstance(recipe.step, Filter)
    cells, top = padded.band(0, padded.shape[0]), white(crop.pixels.dtype)
    return Scene(cells, crop.size, (pads[0][0], pads[1][0]), window, output, top, counts, _kernel(recipe))


def _kernel(recipe: Recipe) -> NDArray[Any] | None:
    """The taps of a filter of one kernel, as they are laid on the cells, if they are few enough to be read."""
    if not isinstance(recipe.step, Filter) or len(recipe.step.maps[0].kernels) > 1:
        return None
    taps = recipe.step.maps[0].kernels[0].taps
    return (taps[::-1, ::-1] if recipe.step.flip else taps) if max(taps.shape) <= MOST_TAPS else None


def _mask_pads(crop: Picture, recipe: Recipe) -> tuple[tuple[int, int], ...]:
    if not isinstance(recipe.step, Filter):
        return ()
    plan = recipe.step.maps[0]
    return pads_of(plan.kernels[0], recipe.step.window(plan), crop.size, flip=recipe.step.flip)


def _frames(scene: Scene) -> Iterator[Picture]:
    planes = [scene.cells, scene.output, *([] if scene.kernel is None else [scene.kernel])]
    side = drawing.cell_size([told(value) for plane in planes for value in plane.ravel().tolist()])
    rows, columns = scene.output.shape
    high = max(plane.shape[0] for plane in planes)
    wide = scene.cells.shape[1] + scene.between + columns
    paper = np.full((high * side + 2 * drawing.MARGIN, wide * side + 2 * drawing.MARGIN, 3), PAPER, np.uint8)
    _draw_input(paper, scene, side)
    _draw_kernel(paper, scene, side, drawing.MARGIN + (high - scene.window.kernel_size[0]) * side // 2)
    top, left = drawing.MARGIN + (high - rows) * side // 2, drawing.MARGIN + (scene.cells.shape[1] + scene.between) * side
    for row, column in np.ndindex(rows, columns):
        drawing.fill(paper, top + row * side, left + column * side, side - 1, side - 1, EMPTY)
    for row, column in np.ndindex(rows, columns):
        at = top + row * side, left + column * side
        _draw_value(paper, at, side, float(scene.output[row, column]), scene.white)
        image = paper.copy()
        for down, across in scene.taps((row, column)):
            drawing.frame(image, drawing.MARGIN + down * side, drawing.MARGIN + across * side, side - 1, side - 1, WINDOW)
        drawing.frame(image, *at, side - 1, side - 1, WINDOW)
        yield Picture(image, duration=LAST_FRAME if (row, column) == (rows - 1, columns - 1) else FRAME)


def _draw_kernel(paper: Pixels, scene: Scene, side: int, top: int) -> None:
    if scene.kernel is None:
        return
    left = drawing.MARGIN + (scene.cells.shape[1] + 1) * side
    for (row, column), tap in np.ndenumerate(scene.kernel):
        at = top + row * side, left + column * side
        drawing.fill(paper, *at, side - 1, side - 1, POSITIVE if tap > 0 else NEGATIVE if tap < 0 else PAPER)
        drawing.frame(paper, *at, side - 1, side - 1, WINDOW, thickness=1)
        drawing.write(paper, told(float(tap)), *at, side, (0, 0, 0))


def _draw_input(paper: Pixels, scene: Scene, side: int) -> None:
    for row, column in np.ndindex(*scene.cells.shape):
        at = drawing.MARGIN + row * side, drawing.MARGIN + column * side
        if not scene.is_padding(row, column):
            _draw_value(paper, at, side, float(scene.cells[row, column]), scene.white)
            continue
        drawing.fill(paper, *at, side - 1, side - 1, PADDING)
        if scene.counts:
            drawing.write(paper, told(float(scene.cells[row, column])), *at, side, (40, 70, 130))


def _draw_value(paper: Pixels, at: tuple[int, int], side: int, value: float, top: float) -> None:
    level = round(255 * min(max(value / top, 0.0), 1.0)) if np.isfinite(value) else 0
    drawing.fill(paper, *at, side - 1, side - 1, (level, level, level))
    drawing.write(paper, told(value), *at, side, drawing.ink((level, level, level)))


def told(value: float) -> str:
    """A number in the letters that can be drawn.

    >>> told(255.0), told(-0.5), told(float("nan"))
    ('255', '-0.50', '-')
    """
    if not np.isfinite(value):
        return "-"
    return f"{value:.0f}" if value == int(value) or abs(value) >= 100 else f"{value:.2f}"
