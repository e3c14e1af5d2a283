"""An explanation on standard output, as coloured tables: cells, kernel, products, and every stage down to the pixel."""

from math import isfinite
from typing import TYPE_CHECKING, Any

from imgconv.cli.lines import counted
from imgconv.cli.tables import fits, heading, print_parts
from imgconv.inspection.explanation import ChannelValue, MapValue, Member, Product, number

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from rich.console import RenderableType
    from rich.table import Table
    from rich.text import Text

    from imgconv.images import Raster
    from imgconv.inspection.cells import Patch
    from imgconv.inspection.explanation import Explanation
    from imgconv.recipe import Recipe

LARGEST_SHOWN = 11  # cells along a side; a wider table fits no terminal
MOST_MAPS, MOST_PLANES = 8, 4  # what a person reads of a layer
ROOMY = 5  # columns that leave room for a fourth decimal
TINTS = {"red": (1, 0, 0), "green": (0, 1, 0), "blue": (0, 0, 1)}
WHITE = {"uint8": 255.0, "uint16": 65535.0}


def print_explanation(source: str, recipe: "Recipe", image: "Raster", explanation: "Explanation") -> None:
    """Every map, channel by channel."""
    from rich.text import Text

    column, row = explanation.at
    print_parts(heading(f"{source}, output pixel {column},{row}", recipe.describe()), Text())
    top = WHITE.get(image.pixels.dtype.name, 1.0)
    for each in explanation.maps[:MOST_MAPS]:
        _print_map(each, explanation.at, top)
    if len(explanation.maps) > MOST_MAPS:
        print_parts(Text(f"{counted(len(explanation.maps) - MOST_MAPS, 'more map')}; --json has them", style="dim"))


def _print_map(told: MapValue, at: tuple[int, int], top: float) -> None:
    from rich.text import Text

    if told.patch.padded.any():
        print_parts(Text("(numbers in brackets) lie beyond the edge of the image", style="blue"), Text())
    for channel in told.channels:
        for member in channel.members:
            print_parts(*_member(member, told.patch, top, named=len(channel.members) > 1))
        if channel.cells is not None:
            print_parts(Text(channel.channel, style="bold"), _cells(channel, told.patch, top))
        print_parts(*_ending(channel), Text())
    pixel = " ".join(number(value) for value in told.written) + (" over the photograph" if told.overlaid else "")
    print_parts(Text.assemble((f"{told.name} {at[0]},{at[1]}", "bold"), " = ", (pixel, "bold green"), *_swatch(told.written, top)), Text())


def _member(member: Member, patch: "Patch", top: float, *, named: bool) -> "list[RenderableType]":
    from rich.text import Text

    parts: list[RenderableType] = []
    for product in member.products[:MOST_PLANES]:
        parts.append(Text.assemble((product.channel, "bold"), f"   {member.kernel}" if named else ""))
        parts.append(_side_by_side(product, patch, top))
    if len(member.products) > MOST_PLANES:
        parts.append(Text(f"{counted(len(member.products) - MOST_PLANES, 'more channel')}; --json has them", style="dim"))
    return [*parts, _stages([(stage.name, stage.text, stage.value) for stage in member.stages])]


def _ending(channel: ChannelValue) -> "list[RenderableType]":
    from rich.text import Text

    parts: list[RenderableType] = []
    if not channel.members and channel.cells is None:
        parts.append(Text(channel.channel, style="bold"))
    parts.append(_stages([(stage.name, stage.text, stage.value) for stage in channel.stages], last=True))
    if not channel.agrees:
        why = f"written: {number(channel.written)}; sums of fractions are taken in float32, and this one falls on the other side of a half"
        parts.append(Text(why, style="yellow"))
    return parts


def _stages(stages: list[tuple[str, str, float]], *, last: bool = False) -> "Table":
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim", min_width=12)
    table.add_column()
    for index, (name, told, value) in enumerate(stages):
        final = last and index == len(stages) - 1
        table.add_row(name, Text.assemble(told, " = ", (number(value), "bold green" if final else "bold")))
    return table


def _side_by_side(product: Product, patch: "Patch", top: float) -> "RenderableType":
    """The cells, the kernel and their products, below each other where a terminal is narrow; words for what is too large to read."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    height, width = product.taps.shape
    planes = [] if max(height, width) > LARGEST_SHOWN else [_plane(product.taps), _plane(product.products)]
    if not planes or not all(map(fits, planes)):
        return Text(f"{height}x{width} cells and taps are too many to show; --json lists them", style="dim")
    cells = _numbered(product.values, product.patch or patch, product.channel, top)
    grid = Table.grid(padding=(0, 1))
    middle = "\n" * (height // 2 + 1)
    grid.add_row(cells, f"{middle}\N{MULTIPLICATION SIGN}", planes[0], f"{middle}=", planes[1])
    times, equals = Text("\N{MULTIPLICATION SIGN} kernel", style="dim"), Text("= products", style="dim")
    return grid if fits(grid) else Group(cells, times, planes[0], equals, planes[1])


def _cells(channel: ChannelValue, patch: "Patch", top: float) -> "RenderableType":
    from rich.text import Text

    cells, winners = channel.cells, channel.winners
    if cells is None or winners is None or max(cells.shape) > LARGEST_SHOWN:
        return Text("the cells are too many to show; --json lists them", style="dim")
    alone = winners if winners.sum() == 1 or channel.members else None
    return _numbered(cells, patch, channel.channel, top, pads=False, winners=alone)


def _numbered(
    values: "NDArray[Any]", patch: "Patch", channel: str, top: float, *, pads: bool = True, winners: "NDArray[Any] | None" = None
) -> "Table":
    """Cells on their own colour, with column numbers above and row numbers before them; padding in brackets, empty without `pads`."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 0), pad_edge=False, header_style="dim")
    table.add_column("", justify="right", style="dim")
    for column in patch.columns:
        table.add_column(f" {column} ", justify="right", no_wrap=True)
    for row, line, outside in zip(patch.rows, range(len(values)), patch.padded, strict=True):
        texts = []
        for column, value in enumerate(values[line].tolist()):
            won = winners is not None and winners[line, column]
            style = "bold black on yellow" if won else "blue" if outside[column] else _tinted(value / top, channel)
            shown = _short(value, values.shape[1]) if pads or not outside[column] else " "
            texts.append(Text(f"({shown})" if outside[column] else f" {shown} ", style=style))
        table.add_row(f"{row} ", *texts)
    return table


def _plane(plane: "NDArray[Any]") -> "Table":
    """Numbers coloured by their sign."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 1), pad_edge=False)
    for _ in plane[0]:
        table.add_column("", justify="right", no_wrap=True)
    for line in plane.tolist():
        styles = ("dim" if value == 0 else "green" if value > 0 else "red" for value in line)
        table.add_row(*(Text(_short(value, plane.shape[1]), style=style) for value, style in zip(line, styles, strict=True)))
    return table


def _short(value: float, columns: int) -> str:
    """Few decimals of a fraction: the columns have to fit a terminal.

    >>> _short(3.0, 3), _short(0.098765, 3), _short(0.098765, 9)
    ('3', '0.0988', '0.099')
    """
    if not isfinite(value) or value == int(value):
        return number(value)
    return f"{value:.1f}" if abs(value) >= 100 else f"{value:.{4 if columns <= ROOMY else 3}f}"


def _tinted(share: float, channel: str) -> str:
    """Text that can be read on the colour of a level."""
    level = min(max(share, 0.0), 1.0) if isfinite(share) else 0.0
    red, green, blue = (round(255 * level * part) for part in TINTS.get(channel, (1, 1, 1)))
    light = 0.299 * red + 0.587 * green + 0.114 * blue
    return f"{'black' if light > 127 else 'white'} on #{red:02x}{green:02x}{blue:02x}"


def _swatch(pixel: list[float], top: float) -> "list[tuple[str, str] | Text]":
    """Two cells in the colour of the pixel."""
    shares = [min(max(value / top, 0.0), 1.0) if isfinite(value) else 0.0 for value in pixel[: 3 if len(pixel) > 2 else 1]]
    red, green, blue = (round(255 * share) for share in (shares * 3)[:3])
    return [("  ", ""), ("    ", f"on #{red:02x}{green:02x}{blue:02x}")]
