"""The command `imgconv explain`: the arithmetic of one output pixel as coloured tables, matrices, JSON or an animation."""

import re
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from imgconv.cli.options import MAX_PIXELS, TELL, WHAT, AxesOrder, Input, MaxPixels, Salvage, limit, option
from imgconv.cli.outputs import check_output, format_of
from imgconv.cli.selection import Selection
from imgconv.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from rich.console import RenderableType
    from rich.table import Table
    from rich.text import Text

    from imgconv.images import Raster
    from imgconv.inspection.cells import Patch
    from imgconv.inspection.explanation import ChannelValue, Explanation, MapValue, Member, Product
    from imgconv.inspection.matrices import Matrices
    from imgconv.recipe import Recipe

EXAMPLES = """
imgconv explain photo.jpg -k laplacian8 --at 120,80
imgconv explain photo.jpg --size 3 --stride 2 --animate pool.gif
"""
ANIMATIONS = ("gif", "png", "apng", "webp")
LARGEST_SHOWN = 11  # cells along a side; a wider table does not fit a terminal
MOST_MAPS, MOST_PLANES = 8, 4  # of a layer
FEW_COLUMNS = 5  # leave room for a fourth decimal
TINTS = {"red": (1, 0, 0), "green": (0, 1, 0), "blue": (0, 0, 1)}
MAX_VALUES = {"uint8": 255.0, "uint16": 65535.0}


def command(
    source: Input,
    what: Selection,
    at: Annotated[
        str | None,
        option(WHAT, "--at", metavar="X,Y", help="Output pixel as column,row, counted from zero. Defaults to the middle of the output."),
    ] = None,
    matrix: Annotated[
        bool, option(TELL, "--matrix", help="Show the kernel as a matrix, and im2col, for a few cells around the pixel.")
    ] = False,
    animate: Annotated[
        Path | None,
        option(TELL, "--animate", metavar="FILE.gif", help="Draw the window as it moves over a few cells around the pixel."),
    ] = None,
    json: Annotated[bool, option(TELL, "--json", help="Write one JSON object to standard output.")] = False,
    max_pixels: MaxPixels = MAX_PIXELS,
    salvage: Salvage = False,
    axes: AxesOrder = None,
) -> None:
    """Show the arithmetic behind one output pixel.

    Select a filter with -k, a pool with --size or --mode, canny with --canny, or a network, whose last step is explained, with -s or
    --recipe. The default is the filter of `imgconv edge`. With -k each colour is explained on its own, as `imgconv filter` computes it; add
    --grey for the luma, which `imgconv edge` uses.
    """
    from imgconv.batch.inputs import first_frame, write_animation
    from imgconv.cli.console import counted, write_json, write_message
    from imgconv.inspection.arithmetic import explain
    from imgconv.plotting.animation import animate as frames_of

    recipe, pixel = what.to_recipe(), None if at is None else _pixel(at)
    format = "" if animate is None else format_of(animate, ANIMATIONS, "--animate")
    inputs = None if animate is None else check_output(animate, [source], "--animate")
    image, frames = first_frame(source, luma=recipe.luma, max_pixels=limit(max_pixels), salvage=salvage, axes=axes)
    explanation = explain(image, recipe, pixel)
    matrices = _matrices(image, recipe, explanation.at) if matrix else []
    drawn = list(frames_of(image, recipe, explanation.at)) if animate is not None else []
    if what.kernel and what.grey is None and image.channels - image.alpha > 1 and not json:
        write_message("each colour on its own, as imgconv filter computes it; imgconv edge uses the luma, which --grey explains")
    if json:
        value: dict[str, Any] = {"source": source, "frame": 1, "frames": frames, "recipe": recipe.describe(), **explanation.as_json()}
        write_json(value | ({"matrices": [each.as_json() for each in matrices]} if matrix else {}))
    elif matrix:
        _print_matrices(matrices)
    else:
        _print_explanation(f"{source}, frame 1 of {frames}" if frames > 1 else source, recipe, image, explanation)
    if animate is not None and inputs is not None:
        write_animation(drawn, animate, format, inputs)
        write_message(f"{animate}: {counted(len(drawn), 'frame')}")


def _pixel(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"\s*(\d{1,9})\s*,\s*(\d{1,9})\s*", text, re.ASCII)
    if match is None:
        raise UsageError(f"--at: expected X,Y counted from zero, such as 120,80, got {text!r}")
    return int(match[1]), int(match[2])


def _matrices(image: "Raster", recipe: "Recipe", at: tuple[int, int]) -> "list[Matrices]":
    from imgconv.inspection.cells import filter_input
    from imgconv.inspection.matrices import filter_matrices
    from imgconv.recipe import Filter

    step, (column, row) = recipe.step, at
    if not isinstance(step, Filter):
        raise UsageError("--matrix shows one filter; give -k, without --size or -s")
    return filter_matrices(filter_input(image, grey=step.grey, alpha=False), step, (row, column))


def _print_explanation(source: str, recipe: "Recipe", image: "Raster", explanation: "Explanation") -> None:
    from imgconv.cli.console import counted, heading, print_parts, text

    column, row = explanation.at
    print_parts(heading(f"{source}, output pixel {column},{row}", recipe.describe()), text())
    max_value = MAX_VALUES.get(image.pixels.dtype.name, 1.0)
    for each in explanation.maps[:MOST_MAPS]:
        _print_map(each, explanation.at, max_value)
    if len(explanation.maps) > MOST_MAPS:
        print_parts(text(f"{counted(len(explanation.maps) - MOST_MAPS, 'more map')}; --json lists them", style="dim"))


def _print_map(shown: "MapValue", at: tuple[int, int], max_value: float) -> None:
    from imgconv.cli.console import print_parts, text
    from imgconv.inspection.explanation import number

    if shown.patch.padded.any():
        print_parts(text("(numbers in brackets) lie beyond the edge of the image", style="blue"), text())
    for channel in shown.channels:
        for member in channel.members:
            print_parts(*_member(member, shown.patch, max_value, named=len(channel.members) > 1))
        if channel.cells is not None:
            print_parts(text(channel.channel, style="bold"), _cells(channel, shown.patch, max_value))
        print_parts(*_ending(channel), text())
    pixel = " ".join(number(value) for value in shown.written) + (" over the photo" if shown.overlaid else "")
    name = f"{shown.name} {at[0]},{at[1]}"
    print_parts(text((name, "bold"), " = ", (pixel, "bold green"), *_swatch(shown.written, max_value)), text())


def _member(member: "Member", patch: "Patch", max_value: float, *, named: bool) -> "list[RenderableType]":
    from imgconv.cli.console import counted, text

    parts: list[RenderableType] = []
    for product in member.products[:MOST_PLANES]:
        parts.append(text((product.channel, "bold"), f"   {member.kernel}" if named else ""))
        parts.append(_product(product, patch, max_value))
    if len(member.products) > MOST_PLANES:
        parts.append(text(f"{counted(len(member.products) - MOST_PLANES, 'more channel')}; --json lists them", style="dim"))
    return [*parts, _stages([(stage.name, stage.text, stage.value) for stage in member.stages])]


def _ending(channel: "ChannelValue") -> "list[RenderableType]":
    from imgconv.cli.console import text
    from imgconv.inspection.explanation import number

    parts: list[RenderableType] = []
    if not channel.members and channel.cells is None:
        parts.append(text(channel.channel, style="bold"))
    parts.append(_stages([(stage.name, stage.text, stage.value) for stage in channel.stages], last=True))
    if not channel.agrees:
        why = f"written: {number(channel.written)}; sums of fractions are float32, and this one is rounded the other way"
        parts.append(text(why, style="yellow"))
    return parts


def _stages(stages: list[tuple[str, str, float]], *, last: bool = False) -> "Table":
    from imgconv.cli.console import table, text
    from imgconv.inspection.explanation import number

    rows = table()
    rows.add_column(style="dim", min_width=12)
    rows.add_column()
    for index, (name, arithmetic, value) in enumerate(stages):
        final = last and index == len(stages) - 1
        rows.add_row(name, text(arithmetic, " = ", (number(value), "bold green" if final else "bold")))
    return rows


def _product(product: "Product", patch: "Patch", max_value: float) -> "RenderableType":
    """The cells, the kernel and their products: in one row, or below each other where a terminal is narrow."""
    from imgconv.cli.console import fits, numbers, side_by_side, text

    height, width = product.taps.shape
    if max(height, width) <= LARGEST_SHOWN:
        taps, products = (numbers(plane, lambda value: _short(value, width), header=True) for plane in (product.taps, product.products))
        if fits(taps) and fits(products):
            cells = _numbered(product.values, product.patch or patch, product.channel, max_value)
            middle, times = "\n" * (height // 2 + 1), "\N{MULTIPLICATION SIGN}"
            below: list[RenderableType] = [cells, text(f"{times} kernel", style="dim"), taps, text("= products", style="dim"), products]
            return side_by_side(cells, f"{middle}{times}", taps, f"{middle}=", products, otherwise=below)
    return text(f"{height}x{width} cells and taps are too many to show; --json lists them", style="dim")


def _cells(channel: "ChannelValue", patch: "Patch", max_value: float) -> "RenderableType":
    from imgconv.cli.console import text

    cells, winners = channel.cells, channel.winners
    if cells is None or winners is None or max(cells.shape) > LARGEST_SHOWN:
        return text("the cells are too many to show; --json lists them", style="dim")
    alone = winners if winners.sum() == 1 or channel.members else None
    return _numbered(cells, patch, channel.channel, max_value, pads=False, winners=alone)


def _numbered(
    values: "NDArray[Any]", patch: "Patch", channel: str, max_value: float, *, pads: bool = True, winners: "NDArray[Any] | None" = None
) -> "Table":
    """Cells on their own colour with the numbers of their columns and rows; padding in brackets, or empty without `pads`."""
    from imgconv.cli.console import table, text

    rows = table(header=True, padding=(0, 0, 0, 0))
    rows.add_column("", justify="right", style="dim")
    for column in patch.columns:
        rows.add_column(f" {column} ", justify="right", no_wrap=True)
    for row, line, outside in zip(patch.rows, range(len(values)), patch.padded, strict=True):
        texts = []
        for column, value in enumerate(values[line].tolist()):
            wins = winners is not None and winners[line, column]
            style = "bold black on yellow" if wins else "blue" if outside[column] else _tinted(value / max_value, channel)
            shown = _short(value, values.shape[1]) if pads or not outside[column] else " "
            texts.append(text(f"({shown})" if outside[column] else f" {shown} ", style=style))
        rows.add_row(f"{row} ", *texts)
    return rows


def _short(value: float, columns: int) -> str:
    """A number with few decimals, so that the columns fit a terminal."""
    from imgconv.inspection.explanation import number

    if not isfinite(value) or value == int(value):
        return number(value)
    return f"{value:.1f}" if abs(value) >= 100 else f"{value:.{4 if columns <= FEW_COLUMNS else 3}f}"


def _tinted(share: float, channel: str) -> str:
    """The style of readable text on the colour of a level from 0 to 1."""
    level = min(max(share, 0.0), 1.0) if isfinite(share) else 0.0
    red, green, blue = (round(255 * level * part) for part in TINTS.get(channel, (1, 1, 1)))
    light = 0.299 * red + 0.587 * green + 0.114 * blue
    return f"{'black' if light > 127 else 'white'} on #{red:02x}{green:02x}{blue:02x}"


def _swatch(pixel: list[float], max_value: float) -> "list[str | tuple[str, str] | Text]":
    """Two blank cells in the colour of the pixel."""
    shares = [min(max(value / max_value, 0.0), 1.0) if isfinite(value) else 0.0 for value in pixel[: 3 if len(pixel) > 2 else 1]]
    red, green, blue = (round(255 * share) for share in (shares * 3)[:3])
    return ["  ", ("    ", f"on #{red:02x}{green:02x}{blue:02x}")]


def _print_matrices(matrices: "list[Matrices]") -> None:
    """Print, for each kernel, the kernel matrix times the cells, and the taps times im2col, which give the same sums."""
    from imgconv.cli.console import heading, print_parts, table, text
    from imgconv.inspection.explanation import number

    for each in matrices:
        (height, width), (top, left) = each.cells.shape[1:], each.corner
        where = f"{height}x{width} cells from column {left}, row {top}, of {', '.join(each.channels)}"
        print_parts(heading(f"kernel matrix of {each.kernel}", f"times {where}"), _matrix(each.kernel_matrix, each.sums), text())
        print_parts(heading("im2col", "a column for each window, multiplied by the taps"), _matrix(each.im2col, each.taps, before=True))
        sums = table(padding=(0, 1, 0, 0))
        sums.add_row("=", *(text(number(value), style="bold") for value in each.sums.tolist()))
        print_parts(sums, text())


def _matrix(matrix: "NDArray[Any]", side: "NDArray[Any]", *, before: bool = False) -> "RenderableType":
    """A matrix with dots for zeros, and the taps before its rows or the sums after them."""
    from imgconv.cli.console import fits, style_of, table, text
    from imgconv.inspection.explanation import number

    rows = table(padding=(0, 1, 0, 0))
    for _ in range(matrix.shape[1] + 1):
        rows.add_column(justify="right", no_wrap=True)
    for line, value in zip(matrix.tolist(), side.tolist(), strict=True):
        entries = [text("." if entry == 0 else number(entry), style=style_of(entry)) for entry in line]
        at_side = text(f"{number(value)} \N{MULTIPLICATION SIGN} " if before else f"= {number(value)}", style="bold")
        rows.add_row(*([at_side, *entries] if before else [*entries, at_side]))
    height, width = matrix.shape
    return rows if fits(rows) else text(f"{height}x{width} numbers are too many for this terminal; --json lists them", style="dim")
