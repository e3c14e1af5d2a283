"""Grids of numbered cells drawn into pixel arrays (H, W, 3) uint8, with digits of its own. Knows nothing of what the numbers mean.

A window that moves over a few cells of an image while the output fills up, as frames of an animation.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imgconv.errors import DoesNotFit, UsageError
from imgconv.filters.color import white
from imgconv.filters.weights import pads_of
from imgconv.images import Raster
from imgconv.inspection.cells import filter_input, filter_patch, pool_patch
from imgconv.process import process
from imgconv.recipe import Canny, Filter, Network, Pool, Recipe
from imgconv.window import Window
from imgconv.windows.borders import Border

Pixels = NDArray[np.uint8]
Colour = tuple[int, int, int]

_DIGITS = {  # 3x5 pixels, a row each octal digit
    **{"0": 0o75557, "1": 0o26227, "2": 0o71747, "3": 0o71717, "4": 0o55711, "5": 0o74717, "6": 0o74757, "7": 0o71122},
    **{"8": 0o75757, "9": 0o75717, "-": 0o00700, ".": 0o00002},
}
SCALE = 2  # screen pixels for each pixel of a digit
LETTER = 4 * SCALE  # a digit and the gap behind it
MARGIN = 4


def cell_size(texts: Sequence[str]) -> int:
    """Pixels along a side of square cells that hold each of `texts`.

    >>> cell_size(["255"])
    30
    """
    return max(24, max((len(text) for text in texts), default=1) * LETTER - SCALE + 2 * MARGIN)


def fill(image: Pixels, top: int, left: int, height: int, width: int, colour: Colour) -> None:
    """Paint a rectangle."""
    image[top : top + height, left : left + width] = colour


def frame(image: Pixels, top: int, left: int, height: int, width: int, colour: Colour, thickness: int = 3) -> None:
    """Paint the outline of a rectangle, inside it."""
    for line in (image[top : top + thickness, left : left + width], image[top + height - thickness : top + height, left : left + width]):
        line[...] = colour
    for line in (image[top : top + height, left : left + thickness], image[top : top + height, left + width - thickness : left + width]):
        line[...] = colour


def write(image: Pixels, text: str, top: int, left: int, size: int, colour: Colour) -> None:
    """Write digits in the middle of a square cell of `size` pixels."""
    x = left + (size - len(text) * LETTER + SCALE) // 2
    y = top + (size - 5 * SCALE) // 2
    for letter in text:
        for row in range(5):
            for column in range(3):
                if _DIGITS[letter] >> (14 - 3 * row - column) & 1:
                    at = y + row * SCALE, x + column * SCALE
                    image[at[0] : at[0] + SCALE, at[1] : at[1] + SCALE] = colour
        x += LETTER


def ink(paper: Colour) -> Colour:
    """Black or white, whichever is read better on `paper`.

    >>> ink((200, 200, 200))
    (0, 0, 0)
    """
    red, green, blue = paper
    return (0, 0, 0) if 0.299 * red + 0.587 * green + 0.114 * blue > 127 else (255, 255, 255)


MOST_SPAN = 15  # cells that a window may span and still be seen as cells
MOST_CELLS, MOST_STOPS = 24, 5  # along a side of what is drawn
PAPER: Colour = (250, 250, 248)
EMPTY: Colour = (226, 226, 222)
PADDING: Colour = (184, 206, 242)
WINDOW: Colour = (226, 88, 20)
POSITIVE: Colour = (206, 234, 206)
NEGATIVE: Colour = (244, 210, 206)
MOST_TAPS = 7  # along a side of a kernel that is drawn beside
GREYS = 127  # steps from black to white: with the colours no more than the 256 that a GIF holds
FRAME, LAST_FRAME = 500.0, 2500.0  # milliseconds


@dataclass(frozen=True, eq=False)
class Scene:
    """What is drawn: input `cells`, those that are `padded` marked, and the `output` that they give under `window`, stop by stop.

    `kernel` (kh, kw) is drawn between them, where there is one. `counts` says whether padded cells hold values, as a filter's do and a
    pool's do not. Input and output hold grey levels up to `white`.
    """

    cells: NDArray[Any]
    padded: NDArray[np.bool_]
    window: Window
    output: NDArray[Any]
    white: float
    counts: bool
    kernel: NDArray[Any] | None = None

    @property
    def between(self) -> int:
        """Cells between input and output: two, or the kernel with one on either side."""
        return 2 + (0 if self.kernel is None else self.kernel.shape[1])

    def taps(self, at: tuple[int, int]) -> list[tuple[int, int]]:
        """The cells (row, column) under the window of the output cell `at`."""
        axes = zip(at, self.window.stride, self.window.dilation, self.window.kernel_size, strict=True)
        rows, columns = ([place * stride + tap * dilation for tap in range(taps)] for place, stride, dilation, taps in axes)
        return [(row, column) for row in rows for column in columns]


def animate(image: Raster, recipe: Recipe, at: tuple[int, int] | None = None) -> Iterator[Raster]:
    """The frames, one for each of up to 5x5 output cells around `at` (x, y), of a pool or of a filter's first map, in grey.

    Input cells are those of the image, with its padding where a window leaves it; output cells are those of the whole map. Raises
    DoesNotFit for a window that spans or strides too much to be drawn.
    """
    step = recipe.step
    if isinstance(step, Network | Canny):
        raise UsageError("--animate is for one filter or pool; give -k or --size")
    if isinstance(step, Filter):
        step = replace(step, maps=step.maps[:1])
    recipe = replace(recipe, step=step, postprocess=replace(recipe.postprocess, overlay=False))
    window = step.window if isinstance(step, Pool) else step.window(step.maps[0])
    if max(window.span) > MOST_SPAN or max(span + stride for span, stride in zip(window.span, window.stride, strict=True)) > MOST_CELLS:
        most = f"windows of up to {MOST_SPAN}x{MOST_SPAN} cells, two of them within {MOST_CELLS}"
        raise DoesNotFit(f"--animate draws {most}; use a smaller kernel, or less stride or dilation")
    yield from _frames(_scene(filter_input(image, grey=True, alpha=False), recipe, step, window, at))


def _scene(grey: Raster, recipe: Recipe, step: Filter | Pool, window: Window, at: tuple[int, int] | None) -> Scene:
    output = process(grey, recipe)[0].image.pixels[..., 0]
    height, width = output.shape
    column, row = at or (width // 2, height // 2)
    (top, rows), (left, columns) = (_stops(window, axis, place, output.shape[axis]) for axis, place in enumerate((row, column)))
    reach = [(stops - 1) * stride + span for stops, stride, span in zip((rows, columns), window.stride, window.span, strict=True)]
    all_of_them = Pool((reach[0], reach[1]), stride=window.stride).window
    if isinstance(step, Filter):
        pads = pads_of(step.maps[0].kernels[0], step.window(step.maps[0]), grey.size, flip=step.flip)
        patch = filter_patch(grey.pixels, all_of_them, pads, Border.of(step.padding_mode), (top, left))
    else:
        patch = pool_patch(grey.pixels, all_of_them, window.pads(grey.size), (top, left))
    shown = output[top : top + rows, left : left + columns]
    return Scene(patch.values[..., 0], patch.padded, window, shown, white(grey.pixels.dtype), isinstance(step, Filter), _kernel(recipe))


def _stops(window: Window, axis: int, at: int, size: int) -> tuple[int, int]:
    """The first output cell along an axis that is shown, and how many are: `at` in their middle where the output goes on."""
    count = min(MOST_STOPS, size, (MOST_CELLS - window.span[axis]) // window.stride[axis] + 1)
    return min(max(at - count // 2, 0), size - count), count


def _kernel(recipe: Recipe) -> NDArray[Any] | None:
    """The taps of a filter of one kernel, as they are laid on the cells, if they are few enough to be read."""
    if not isinstance(recipe.step, Filter) or len(recipe.step.maps[0].kernels) > 1:
        return None
    taps = recipe.step.maps[0].kernels[0].taps
    return (taps[::-1, ::-1] if recipe.step.flip else taps) if max(taps.shape) <= MOST_TAPS else None


def _frames(scene: Scene) -> Iterator[Raster]:
    planes = [scene.cells, scene.output, *([] if scene.kernel is None else [scene.kernel])]
    side = cell_size([told(value) for plane in planes for value in plane.ravel().tolist()])
    rows, columns = scene.output.shape
    high = max(plane.shape[0] for plane in planes)
    wide = scene.cells.shape[1] + scene.between + columns
    paper = np.full((high * side + 2 * MARGIN, wide * side + 2 * MARGIN, 3), PAPER, np.uint8)
    _draw_input(paper, scene, side)
    _draw_kernel(paper, scene, side, MARGIN + (high - scene.window.kernel_size[0]) * side // 2)
    top, left = MARGIN + (high - rows) * side // 2, MARGIN + (scene.cells.shape[1] + scene.between) * side
    for row, column in np.ndindex(rows, columns):
        fill(paper, top + row * side, left + column * side, side - 1, side - 1, EMPTY)
    for row, column in np.ndindex(rows, columns):
        at = top + row * side, left + column * side
        _draw_value(paper, at, side, float(scene.output[row, column]), scene.white)
        image = paper.copy()
        for down, across in scene.taps((row, column)):
            frame(image, MARGIN + down * side, MARGIN + across * side, side - 1, side - 1, WINDOW)
        frame(image, *at, side - 1, side - 1, WINDOW)
        yield Raster(image, duration=LAST_FRAME if (row, column) == (rows - 1, columns - 1) else FRAME)


def _draw_kernel(paper: Pixels, scene: Scene, side: int, top: int) -> None:
    if scene.kernel is None:
        return
    left = MARGIN + (scene.cells.shape[1] + 1) * side
    for (row, column), tap in np.ndenumerate(scene.kernel):
        at = top + row * side, left + column * side
        fill(paper, *at, side - 1, side - 1, POSITIVE if tap > 0 else NEGATIVE if tap < 0 else PAPER)
        frame(paper, *at, side - 1, side - 1, WINDOW, thickness=1)
        write(paper, told(float(tap)), *at, side, (0, 0, 0))


def _draw_input(paper: Pixels, scene: Scene, side: int) -> None:
    for row, column in np.ndindex(*scene.cells.shape):
        at = MARGIN + row * side, MARGIN + column * side
        if not scene.padded[row, column]:
            _draw_value(paper, at, side, float(scene.cells[row, column]), scene.white)
            continue
        fill(paper, *at, side - 1, side - 1, PADDING)
        if scene.counts:
            write(paper, told(float(scene.cells[row, column])), *at, side, (40, 70, 130))


def _draw_value(paper: Pixels, at: tuple[int, int], side: int, value: float, top: float) -> None:
    level = round(round(GREYS * min(max(value / top, 0.0), 1.0)) * 255 / GREYS) if np.isfinite(value) else 0
    fill(paper, *at, side - 1, side - 1, (level, level, level))
    write(paper, told(value), *at, side, ink((level, level, level)))


def told(value: float) -> str:
    """A number in the letters that can be drawn.

    >>> told(255.0), told(-0.5), told(float("nan"))
    ('255', '-0.50', '-')
    """
    if not np.isfinite(value):
        return "-"
    return f"{value:.0f}" if value == int(value) or abs(value) >= 100 else f"{value:.2f}"
