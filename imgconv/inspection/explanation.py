"""The explanation of an output pixel: every step of the arithmetic in float64 and the value that is written, as tables, JSON or a page."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np

from imgconv.display.displayable import Displayable
from imgconv.display.parts import Either, heading, numbers, side_by_side, stacked, style_of, table, text
from imgconv.display.words import counted
from imgconv.errors import DoesNotFit, UsageError
from imgconv.images import Raster
from imgconv.inspection.canny_arithmetic import explain_canny
from imgconv.inspection.filter_arithmetic import FilterArithmetic, Matrices, filter_matrices
from imgconv.inspection.network_arithmetic import explain_network
from imgconv.inspection.pixel import ChannelValue, MapValue, Member, Patch, Product, filter_input, number
from imgconv.inspection.pool_arithmetic import explain_pool
from imgconv.process import process, shape_of
from imgconv.process.missing import located
from imgconv.recipe import Canny, Filter, Network, Pool, Recipe

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from imgconv.display.parts import Part
    from imgconv.inspection.page import Page

LARGEST_SHOWN = 11  # cells along a side; a wider table does not fit a terminal
MOST_MAPS, MOST_PLANES = 8, 4  # of a layer
MOST_WINNERS = 2  # the largest and the smallest cell of a range
FEW_COLUMNS = 5  # leave room for a fourth decimal
TINTS = {"red": (1, 0, 0), "green": (0, 1, 0), "blue": (0, 0, 1)}
MAX_VALUES = {"uint8": 255.0, "uint16": 65535.0}


@dataclass(frozen=True, eq=False, repr=False)
class Explanation(Displayable):
    """What `imgconv.explain` returns: one output pixel, `at` (x, y), of every map of a recipe.

    `source` is the name of the image, of which `image` is the first of `frames`. `matrices` are those of each kernel, if requested.
    `is_middle` means that no pixel was chosen, so that it is the middle of the output.
    """

    source: str
    frames: int
    image: Raster
    recipe: Recipe
    at: tuple[int, int]
    maps: tuple[MapValue, ...]
    matrices: tuple[Matrices, ...] = ()
    is_middle: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return the fields as JSON values, without the image."""
        about = {"source": self.source, "frame": 1, "frames": self.frames, "recipe": self.recipe.describe(), "at": self.at}
        matrices = {"matrices": [each.as_json() for each in self.matrices]} if self.matrices else {}
        return {**about, "maps": [each.as_json() for each in self.maps], **matrices}

    def parts(self) -> "Iterator[Part]":
        """Return the tables of all maps, or the matrices."""
        return _parts(self)

    def show(self, *, crop: Sequence[int] | None = None, quiz: bool = False) -> "Page":
        """Return the page that `imgconv explain --html` writes; a notebook shows it in a frame, and its `html` is the text.

        `crop` (x, y, width, height) is the part of the image that is used; `quiz` adds five questions. Raises ValueError for a part
        outside of the image, and for an operation that a page cannot show.
        """
        from imgconv.arguments import python_remedies
        from imgconv.inspection.page import explanation_page, part_of

        with python_remedies():
            part = None if crop is None else part_of(crop)
            at = None if self.is_middle else self.at
            return explanation_page(self.image, self.recipe, source=self.source, frames=self.frames, at=at, crop=part, quiz=quiz)


@np.errstate(all="ignore")  # infinity and NaN are valid results
def explain(
    image: Raster, recipe: Recipe, at: tuple[int, int] | None = None, *, source: str = "", frames: int = 1, matrix: bool = False
) -> Explanation:
    """Explain the output pixel `at` (column, row from zero); the default is the middle one.

    `source` is the name of the image, which is the first of `frames`. `matrix` adds the kernels of a filter as matrices. Of a network the
    last step is explained; its values are those before any range, and a vector is a map of one row. Raises DoesNotFit for a pixel outside
    of the output and for an image that is too small, UsageError for a network that ends in a step without arithmetic.

    >>> from imgconv.recipe import filter_recipe
    >>> step = Raster(np.array([[[50], [50], [200]]], np.uint8))
    >>> [(stage.text, stage.value) for stage in explain(step, filter_recipe(["-1 0 1"]), (1, 0)).maps[0].channels[0].members[0].stages]
    [('-1*50 + 1*200', 150.0)]
    """
    image = located(image, recipe.missing_data)
    pixel, maps = _explained(image, recipe, at)
    matrices = tuple(_matrices_at(image, recipe, pixel)) if matrix else ()
    return Explanation(source, frames, image, recipe, pixel, tuple(maps), matrices, is_middle=at is None)


def _explained(image: Raster, recipe: Recipe, at: tuple[int, int] | None) -> tuple[tuple[int, int], list[MapValue]]:
    if isinstance(recipe.step, Network):
        return _explain_network(image, recipe.step, at)
    traced = recipe.trace(shape_of(image))
    _, first = traced[0]
    column, row = at or (first.width // 2, first.height // 2)
    for name, shape in traced:
        _check_inside((column, row), name, shape.height, shape.width)
    outputs = process(image, replace(recipe, postprocess=replace(recipe.postprocess, overlay=False)))
    if isinstance(recipe.step, Pool):
        maps = [explain_pool(image, recipe.step, outputs[0], (row, column))]
    elif isinstance(recipe.step, Canny):
        maps = [explain_canny(image, recipe.step, recipe.postprocess, outputs[0], (row, column))]
    else:
        maps = [
            FilterArithmetic(image, recipe.step, plan, recipe.postprocess, (row, column)).explained(output)
            for plan, output in zip(recipe.step.maps, outputs, strict=True)
        ]
    if recipe.postprocess.overlay:
        overlays = process(image, recipe)
        maps = [replace(each, overlaid=over.image.pixels[row, column].tolist()) for each, over in zip(maps, overlays, strict=True)]
    return (column, row), maps


def _explain_network(image: Raster, network: Network, at: tuple[int, int] | None) -> tuple[tuple[int, int], list[MapValue]]:
    height, width = (size or 1 for size in (1, *network.shapes(shape_of(image))[-1])[-2:])
    column, row = at or (width // 2, height // 2)
    _check_inside((column, row), network.name, height, width)
    return (column, row), explain_network(image, network, (row, column))


def _matrices_at(image: Raster, recipe: Recipe, at: tuple[int, int]) -> list[Matrices]:
    step, (column, row) = recipe.step, at
    if not isinstance(step, Filter):
        raise UsageError("--matrix shows one filter; give -k, without --size or -s")
    return filter_matrices(filter_input(image, grey=step.grey, alpha=False), step, (row, column))


def _check_inside(at: tuple[int, int], name: str, height: int, width: int) -> None:
    column, row = at
    if not (0 <= column < width and 0 <= row < height):
        raise DoesNotFit(
            f"pixel {column},{row} lies outside the output {name}, which is {width} wide and {height} high; choose another --at"
        )


def _parts(explanation: Explanation) -> "Iterator[Part]":
    """Yield the arithmetic of every map, or the matrices if there are any."""
    if explanation.matrices:
        yield from _matrices(explanation.matrices)
        return
    (column, row), frames = explanation.at, explanation.frames
    source = f"{explanation.source}, frame 1 of {frames}" if frames > 1 else explanation.source
    yield heading(f"{source}, output pixel {column},{row}", explanation.recipe.describe())
    max_value = MAX_VALUES.get(explanation.image.pixels.dtype.name, 1.0)
    for each in explanation.maps[:MOST_MAPS]:
        yield from (text(), *_map(each, explanation.at, max_value))
    if len(explanation.maps) > MOST_MAPS:
        yield from (text(), text(f"{counted(len(explanation.maps) - MOST_MAPS, 'more map')}; --json lists them", style="dim"))


def _map(shown: MapValue, at: tuple[int, int], max_value: float) -> "Iterator[Part]":
    if shown.patch.padded.any():
        yield from (text("(numbers in brackets) lie beyond the edge of the image", style="blue"), text())
    for channel in shown.channels:
        for member in channel.members:
            yield from _member(member, shown.patch, max_value, named=len(channel.members) > 1)
        if channel.cells is not None:
            yield from (text(channel.channel, style="bold"), _cells(channel, shown.patch, max_value))
        yield from (*_ending(channel), text())
    pixel = " ".join(number(value) for value in shown.written) + (" over the photo" if shown.overlaid else "")
    name = f"{shown.name} {at[0]},{at[1]}"
    yield text((name, "bold"), " = ", (pixel, "bold green"), *_swatch(shown.written, max_value))


def _member(member: Member, patch: Patch, max_value: float, *, named: bool) -> "list[Part]":
    parts: list[Part] = []
    for product in member.products[:MOST_PLANES]:
        parts.append(text((product.channel, "bold"), f"   {member.kernel}" if named else ""))
        parts.append(_product(product, patch, max_value))
    if len(member.products) > MOST_PLANES:
        parts.append(text(f"{counted(len(member.products) - MOST_PLANES, 'more channel')}; --json lists them", style="dim"))
    return [*parts, _stages([(stage.name, stage.text, stage.value) for stage in member.stages])]


def _ending(channel: ChannelValue) -> "list[Part]":
    parts: list[Part] = []
    if not channel.members and channel.cells is None:
        parts.append(text(channel.channel, style="bold"))
    parts.append(_stages([(stage.name, stage.text, stage.value) for stage in channel.stages], last=True))
    if not channel.agrees:
        why = f"written: {number(channel.written)}; sums of fractions are float32, and this one is rounded the other way"
        parts.append(text(why, style="yellow"))
    return parts


def _stages(stages: list[tuple[str, str, float]], *, last: bool = False) -> "Part":
    rows = table()
    rows.add_column(style="dim", min_width=12)
    rows.add_column()
    for index, (name, arithmetic, value) in enumerate(stages):
        final = last and index == len(stages) - 1
        rows.add_row(name, text(arithmetic, " = ", (number(value), "bold green" if final else "bold")))
    return rows


def _product(product: Product, patch: Patch, max_value: float) -> "Part":
    """The cells, the kernel and their products: in one row, or below each other where a terminal is narrow."""
    height, width = product.taps.shape
    too_many = text(f"{height}x{width} cells and taps are too many to show; --json lists them", style="dim")
    if max(height, width) > LARGEST_SHOWN:
        return too_many
    taps, products = (numbers(plane, lambda value: _short(value, width), header=True) for plane in (product.taps, product.products))
    cells = _numbered(product.values, product.patch or patch, product.channel, max_value)
    middle, times = "\n" * (height // 2 + 1), "\N{MULTIPLICATION SIGN}"
    below = Either(stacked(cells, text(f"{times} kernel", style="dim"), taps, text("= products", style="dim"), products), too_many)
    return Either(side_by_side(cells, f"{middle}{times}", taps, f"{middle}=", products), below)


def _cells(channel: ChannelValue, patch: Patch, max_value: float) -> "Part":
    cells, winners = channel.cells, channel.winners
    if cells is None or winners is None or max(cells.shape) > LARGEST_SHOWN:
        return text("the cells are too many to show; --json lists them", style="dim")
    marked = winners if winners.sum() <= MOST_WINNERS or channel.members else None
    return _numbered(cells, patch, channel.channel, max_value, winners=marked)


def _numbered(values: "NDArray[Any]", patch: Patch, channel: str, max_value: float, winners: "NDArray[Any] | None" = None) -> "Part":
    """Cells on their own colour with the numbers of their columns and rows; padding in brackets, and cells that are not used empty."""
    rows = table(header=True, padding=(0, 0, 0, 0))
    rows.add_column("", justify="right", style="dim")
    for column in patch.columns:
        rows.add_column(f" {column} ", justify="right", no_wrap=True)
    for row, line, outside in zip(patch.rows, range(len(values)), patch.padded, strict=True):
        texts = []
        for column, value in enumerate(values[line].tolist()):
            wins = winners is not None and winners[line, column]
            used = patch.used is None or patch.used[line, column]
            style = "bold black on yellow" if wins else "blue" if outside[column] or not used else _tinted(value / max_value, channel)
            shown = _short(value, values.shape[1]) if used else " "
            texts.append(text(f"({shown})" if outside[column] else f" {shown} ", style=style))
        rows.add_row(f"{row} ", *texts)
    return rows


def _short(value: float, columns: int) -> str:
    """A number with few decimals, so that the columns fit a terminal."""
    if not isfinite(value) or value == int(value):
        return number(value)
    return f"{value:.1f}" if abs(value) >= 100 else f"{value:.{4 if columns <= FEW_COLUMNS else 3}f}"


def _tinted(share: float, channel: str) -> str:
    """The style of readable text on the colour of a level from 0 to 1."""
    level = min(max(share, 0.0), 1.0) if isfinite(share) else 0.0
    red, green, blue = (round(255 * level * part) for part in TINTS.get(channel, (1, 1, 1)))
    light = 0.299 * red + 0.587 * green + 0.114 * blue
    return f"{'black' if light > 127 else 'white'} on #{red:02x}{green:02x}{blue:02x}"


def _swatch(pixel: list[float], max_value: float) -> "list[str | tuple[str, str] ]":
    """Two blank cells in the colour of the pixel."""
    shares = [min(max(value / max_value, 0.0), 1.0) if isfinite(value) else 0.0 for value in pixel[: 3 if len(pixel) > 2 else 1]]
    red, green, blue = (round(255 * share) for share in (shares * 3)[:3])
    return ["  ", ("    ", f"on #{red:02x}{green:02x}{blue:02x}")]


def _matrices(matrices: Sequence[Matrices]) -> "Iterator[Part]":
    """Yield, for each kernel, the kernel matrix times the cells, and the taps times im2col, which give the same sums."""
    for index, each in enumerate(matrices):
        (height, width), (top, left) = each.cells.shape[1:], each.corner
        where = f"{height}x{width} cells from column {left}, row {top}, of {', '.join(each.channels)}"
        if index:
            yield text()
        yield from (heading(f"kernel matrix of {each.kernel}", f"times {where}"), _matrix(each.kernel_matrix, each.sums), text())
        yield from (heading("im2col", "a column for each window, multiplied by the taps"), _matrix(each.im2col, each.taps, before=True))
        sums = table(padding=(0, 1, 0, 0))
        sums.add_row("=", *(text(number(value), style="bold") for value in each.sums.tolist()))
        yield sums


def _matrix(matrix: "NDArray[Any]", side: "NDArray[Any]", *, before: bool = False) -> "Part":
    """A matrix with dots for zeros, and the taps before its rows or the sums after them."""
    rows = table(padding=(0, 1, 0, 0))
    for _ in range(matrix.shape[1] + 1):
        rows.add_column(justify="right", no_wrap=True)
    for line, value in zip(matrix.tolist(), side.tolist(), strict=True):
        entries = [text("." if entry == 0 else number(entry), style=style_of(entry)) for entry in line]
        at_side = text(f"{number(value)} \N{MULTIPLICATION SIGN} " if before else f"= {number(value)}", style="bold")
        rows.add_row(*([at_side, *entries] if before else [*entries, at_side]))
    height, width = matrix.shape
    return Either(rows, text(f"{height}x{width} numbers are too many for this terminal; --json lists them", style="dim"))
