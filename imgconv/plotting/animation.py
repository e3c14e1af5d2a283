"""An animation of a window that moves over a few cells of an image while the output fills up."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from textwrap import wrap
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from imgconv.atomic import format_of, output_file
from imgconv.errors import DoesNotFit, UsageError
from imgconv.filters.color import max_value_of
from imgconv.filters.weights import pads_of
from imgconv.images import Encoding, Raster, encode
from imgconv.inputs import Inputs
from imgconv.inspection.pixel import Patch, Product, filter_input, filter_patch, mask_of, number, pool_patch, products_text
from imgconv.process import process
from imgconv.recipe import Canny, Filter, Network, Pool, Recipe
from imgconv.window import Window
from imgconv.windows.borders import Border

Colour = tuple[int, int, int]
Box = tuple[int, int, int, int]

FORMATS = ("gif", "png", "apng", "webp")
MOST_SPAN = 15  # cells that a window may span; more would be too small to read
MOST_CELLS, MOST_STOPS = 24, 5  # input and output cells along a side
MOST_TAPS = 7  # along a side of a kernel that is drawn
FRAME, LAST_FRAME = 500.0, 2500.0  # milliseconds

# Multiples of 17, which _reduced preserves
PAPER: Colour = (255, 255, 255)
INK: Colour = (0, 0, 0)
EMPTY: Colour = (221, 221, 221)
POSITIONS: Colour = (102, 102, 102)
PADDING: Colour = (187, 204, 238)
PADDING_INK: Colour = (34, 68, 136)
WINDOW: Colour = (221, 85, 17)
POSITIVE: Colour = (204, 238, 204)
NEGATIVE: Colour = (238, 204, 204)

CELL_FONT, LABEL_FONT, CAPTION_FONT, POSITION_FONT = 13, 15, 13, 11
MARGIN, HEAD, LINE = 8, 40, 19  # pixels; HEAD is the height of labels above a grid, LINE that of a line of the caption
SIDE, POSITION = 30, 15  # pixels for the numbers of rows, and the height of those of columns
CAPTION_LINES = 4  # at most


@dataclass(frozen=True, eq=False)
class Scene:
    """The data of an animation: the input cells, and the `output` cells of the windows over them.

    `first` is the position (row, column) of the first output cell. `kernel` (kh, kw) is drawn if it is not None. Input and
    output hold grey levels up to `max_value`. The patch of a pool has `used` cells, that of a filter has not.
    """

    patch: Patch
    window: Window
    first: tuple[int, int]
    output: NDArray[Any]
    max_value: float
    name: str
    kernel: NDArray[Any] | None = None

    @property
    def cells(self) -> NDArray[Any]:
        """The input cells (H, W)."""
        return self.patch.values[..., 0]

    def taps(self, output: tuple[int, int]) -> tuple[list[int], list[int]]:
        """The rows and the columns of the input cells under the window of an output cell."""
        axes = zip(output, self.window.stride, self.window.dilation, self.window.kernel_size, strict=True)
        rows, columns = ([cell * stride + tap * dilation for tap in range(taps)] for cell, stride, dilation, taps in axes)
        return rows, columns

    def caption(self, output: tuple[int, int]) -> str:
        """The position of the window, and the arithmetic of an output cell."""
        rows, columns = self.taps(output)
        row, column = (first + cell for first, cell in zip(self.first, output, strict=True))
        top, bottom = (self.patch.rows[each] for each in (rows[0], rows[-1]))
        left, right = (self.patch.columns[each] for each in (columns[0], columns[-1]))
        position = f"output {column},{row}: window over columns {left} to {right}, rows {top} to {bottom}"
        values, value = self.cells[np.ix_(rows, columns)], float(self.output[output])
        if self.patch.used is not None:
            inside = values[mask_of(self.window) & self.patch.used[np.ix_(rows, columns)]]
            return f"{position}\n{self.name} of {', '.join(map(cell_text, inside.tolist()))} = {cell_text(value)}"
        if self.kernel is None:
            return f"{position}\n{self.name}: {cell_text(value)}"
        product = Product("", values, self.kernel)
        written = "" if product.sum == value else f"\nwritten as {cell_text(value)}"
        return f"{position}\n{products_text(product)} = {number(product.sum)}{written}"


def animate(image: Raster, recipe: Recipe, at: tuple[int, int] | None = None) -> Iterator[Raster]:
    """Yield a frame for each of up to 5x5 output cells around `at` (x, y), of a pool or of the first map of a filter, in grey.

    Padding is drawn where a window leaves the image. Raises DoesNotFit for a window that spans or strides too much to be drawn.
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
    yield from _Drawing(_scene(filter_input(image, grey=True, alpha=False), recipe, step, window, at)).frames()


def write_animation(frames: Sequence[Raster], path: Path, inputs: Inputs) -> None:
    """Write frames to a file of one of `FORMATS`. Raises UsageError if it is one of `inputs`, or ImageError, which names it."""
    with output_file(path, inputs) as stream:
        encode(frames, format_of(path, FORMATS, "--animate"), stream, Encoding(animated=True))


def _scene(grey: Raster, recipe: Recipe, step: Filter | Pool, window: Window, at: tuple[int, int] | None) -> Scene:
    output = process(grey, recipe)[0].image.pixels[..., 0]
    height, width = output.shape
    column, row = at or (width // 2, height // 2)
    (top, rows), (left, columns) = (_stops(window, axis, cell, output.shape[axis]) for axis, cell in enumerate((row, column)))
    reach = [(stops - 1) * stride + span for stops, stride, span in zip((rows, columns), window.stride, window.span, strict=True)]
    whole = Pool((reach[0], reach[1]), stride=window.stride).window
    shown, max_value = output[top : top + rows, left : left + columns], max_value_of(grey.pixels.dtype)
    if isinstance(step, Pool):
        border = None if step.padding_mode is None else Border.of(step.padding_mode)
        patch = pool_patch(grey.pixels, whole, window.pads(grey.size), (top, left), border)
        return Scene(patch, window, (top, left), shown, max_value, step.mode)
    pads = pads_of(step.maps[0].kernels[0], window, grey.size, flip=step.flip)
    patch = filter_patch(grey.pixels, whole, pads, Border.of(step.padding_mode), (top, left))
    return Scene(patch, window, (top, left), shown, max_value, step.maps[0].name, _kernel(step))


def _stops(window: Window, axis: int, at: int, size: int) -> tuple[int, int]:
    """The first output cell along an axis, and the number of cells; `at` is in their middle if the output is large enough."""
    count = min(MOST_STOPS, size, (MOST_CELLS - window.span[axis]) // window.stride[axis] + 1)
    return min(max(at - count // 2, 0), size - count), count


def _kernel(step: Filter) -> NDArray[Any] | None:
    """The taps of a filter of one kernel, as they are applied to the cells, if they are few enough to be read."""
    if len(step.maps[0].kernels) > 1:
        return None
    taps = step.maps[0].kernels[0].taps
    return (taps[::-1, ::-1] if step.flip else taps) if max(taps.shape) <= MOST_TAPS else None


class _Drawing:
    """The frames of a scene: grids of cells with labels and the numbers of rows and columns, and a caption below them."""

    def __init__(self, scene: Scene):
        self.scene = scene
        grids = [scene.cells, scene.output, *([] if scene.kernel is None else [scene.kernel])]
        self.side = cell_size([cell_text(value) for grid in grids for value in grid.ravel().tolist()])
        high, between = max(len(grid) for grid in grids), 2 + (0 if scene.kernel is None else scene.kernel.shape[1])
        wide = scene.cells.shape[1] + between + scene.output.shape[1]
        width, self.bottom = wide * self.side + SIDE + 2 * MARGIN, MARGIN + HEAD + high * self.side + MARGIN
        self.captions = [_lines(scene.caption(at), width - 2 * MARGIN) for at in np.ndindex(*scene.output.shape)]
        height = self.bottom + max(map(len, self.captions)) * LINE + MARGIN
        self.image = Image.new("RGB", (width, height), PAPER)
        self.draw = ImageDraw.Draw(self.image)
        self.input_at = MARGIN + SIDE, MARGIN + HEAD
        self.kernel_at = self._corner(scene.cells.shape[1] + 1, high - scene.window.kernel_size[0])
        self.output_at = self._corner(scene.cells.shape[1] + between, high - scene.output.shape[0])

    def _corner(self, column: int, free_rows: int) -> tuple[int, int]:
        """The corner (x, y) of a grid that starts at a column and is centred vertically."""
        return MARGIN + SIDE + column * self.side, MARGIN + HEAD + free_rows * self.side // 2

    def frames(self) -> Iterator[Raster]:
        """Draw the grids, then fill the output cell by cell."""
        scene = self.scene
        self._draw_input()
        self._draw_kernel()
        self._label(self.output_at, "output", *(range(first, first + n) for first, n in zip(scene.first, scene.output.shape, strict=True)))
        for row, column in np.ndindex(scene.output.shape):
            self.draw.rectangle(self._box(self.output_at, row, column), EMPTY)
        for (row, column), lines in zip(np.ndindex(scene.output.shape), self.captions, strict=True):
            self._draw_level(self.output_at, row, column, float(scene.output[row, column]))
            frame = self.image.copy()
            draw = ImageDraw.Draw(frame)
            rows, columns = scene.taps((row, column))
            shape = mask_of(scene.window)
            boxes = [self._box(self.input_at, rows[u], columns[v]) for u, v in np.ndindex(*shape.shape) if shape[u, v]]
            for box in (*boxes, self._box(self.output_at, row, column)):
                draw.rectangle(box, outline=WINDOW, width=3)
            draw.multiline_text((MARGIN, self.bottom), "\n".join(lines), INK, _font(CAPTION_FONT), spacing=5)
            last = (row + 1, column + 1) == scene.output.shape
            yield Raster(_reduced(np.asarray(frame)), duration=LAST_FRAME if last else FRAME)

    def _draw_input(self) -> None:
        scene = self.scene
        label = "input, padding in blue" if scene.patch.padded.any() else "input"
        self._label(self.input_at, label, scene.patch.rows, scene.patch.columns)
        for row, column in np.ndindex(*scene.cells.shape):
            value = float(scene.cells[row, column])
            if scene.patch.padded[row, column]:
                shown = cell_text(value) if scene.patch.used is None or scene.patch.used[row, column] else ""
                self._draw_cell(self.input_at, row, column, shown, PADDING, PADDING_INK)
            else:
                self._draw_level(self.input_at, row, column, value)

    def _draw_kernel(self) -> None:
        if self.scene.kernel is None:
            return
        self._label(self.kernel_at, "kernel")
        for (row, column), tap in np.ndenumerate(self.scene.kernel):
            self._draw_cell(
                self.kernel_at, row, column, cell_text(float(tap)), POSITIVE if tap > 0 else NEGATIVE if tap < 0 else PAPER, INK
            )
            self.draw.rectangle(self._box(self.kernel_at, row, column), outline=WINDOW)

    def _draw_level(self, corner: tuple[int, int], row: int, column: int, value: float) -> None:
        """A cell in the grey of its value."""
        level = round(255 * min(max(value / self.scene.max_value, 0.0), 1.0)) if np.isfinite(value) else 0
        self._draw_cell(corner, row, column, cell_text(value), (level, level, level), INK if level > 127 else PAPER)

    def _draw_cell(self, corner: tuple[int, int], row: int, column: int, text: str, paper: Colour, ink: Colour) -> None:
        box = self._box(corner, row, column)
        self.draw.rectangle(box, paper)
        self.draw.text(((box[0] + box[2] + 1) / 2, (box[1] + box[3] + 1) / 2), text, ink, _font(CELL_FONT), anchor="mm")

    def _box(self, corner: tuple[int, int], row: int, column: int) -> Box:
        """The first and the last pixel of a cell; one pixel between cells stays free."""
        left, top = corner[0] + column * self.side, corner[1] + row * self.side
        return left, top, left + self.side - 2, top + self.side - 2

    def _label(self, corner: tuple[int, int], text: str, rows: Sequence[int] = (), columns: Sequence[int] = ()) -> None:
        """The name of a grid above it, and the positions of its rows and columns in the image."""
        left, top = corner
        self.draw.text((left, top - 5 - (POSITION if columns else 0)), text, INK, _font(LABEL_FONT), anchor="ls")
        for cell, column in enumerate(columns):
            self.draw.text((left + (cell + 0.5) * self.side, top - 4), str(column), POSITIONS, _font(POSITION_FONT), anchor="ms")
        for cell, row in enumerate(rows):
            self.draw.text((left - 5, top + (cell + 0.5) * self.side), str(row), POSITIONS, _font(POSITION_FONT), anchor="rm")


def _lines(caption: str, width: int) -> list[str]:
    """A caption in lines of `width` pixels; long arithmetic is cut."""
    per_character = _font(CAPTION_FONT).getlength(caption.replace("\n", "")) / len(caption)
    lines = [line for part in caption.split("\n") for line in wrap(part, int(0.93 * width / per_character))]
    if len(lines) > CAPTION_LINES:
        lines[CAPTION_LINES - 1 :] = ["... = " + caption.rpartition("= ")[2].replace("\n", ", ")]
    return lines


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def cell_size(texts: list[str]) -> int:
    """Return the pixels along a side of square cells that hold each of `texts`.

    >>> cell_size(["255"]) < cell_size(["-1020.25"])
    True
    """
    return max(26, max(int(_font(CELL_FONT).getlength(text)) for text in ["", *texts]) + 8)


def _reduced(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Pixels with 16 levels for each channel: a GIF holds 256 colours, and fewer make a smaller file."""
    return ((pixels.astype(np.uint16) + 8) // 17 * 17).astype(np.uint8)


def cell_text(value: float) -> str:
    """Return a number as the text of a cell.

    >>> cell_text(255.0), cell_text(-0.5), cell_text(float("nan"))
    ('255', '-0.50', 'nan')
    """
    if not np.isfinite(value):
        return f"{value}"
    return f"{value:.0f}" if value == int(value) or abs(value) >= 100 else f"{value:.2f}"
