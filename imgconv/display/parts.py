"""Lines and tables of Rich, which is imported when one is built; printed on a terminal, which may be too narrow, or as text."""

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from io import StringIO
from typing import TYPE_CHECKING, Any

from imgconv.errors import escaped

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
    from rich.live import Live
    from rich.measure import Measurement
    from rich.table import Table as Table
    from rich.text import Text

    Part = RenderableType  # what the other packages call a line or table

UNLIMITED = 100_000  # columns


def text(*parts: "str | tuple[str, str] | Text", style: str = "") -> "Text":
    """Return parts, each plain or a pair of text and style, as one line; control characters are escaped."""
    from rich.text import Text

    shown = [escaped(part) if isinstance(part, str) else part if isinstance(part, Text) else (escaped(part[0]), part[1]) for part in parts]
    return Text.assemble(*shown, style=style)


def text_lines(lines: "Iterable[str]", style: str = "") -> "Text":
    """Return several lines as one text; control characters are escaped."""
    from rich.text import Text

    return Text("\n".join(map(escaped, lines)), style=style)


def heading(title: str, more: str = "") -> "Text":
    """Return a title and, dimmed, further text on its line."""
    return text((title, "bold"), "   ", (more, "dim"))


def table(*, header: bool = False, padding: tuple[int, int, int, int] = (0, 2, 0, 0), pad_edge: bool = False) -> "Table":
    """Return an empty table without lines."""
    from rich.table import Table

    return Table(box=None, pad_edge=pad_edge, show_header=header, padding=padding, header_style="dim")


def facts(values: dict[str, str]) -> "Table":
    """Return a table of names and their values."""
    rows = table()
    rows.add_column(style="dim", no_wrap=True)
    for name, value in values.items():
        rows.add_row(name, text(value))
    return rows


def numbers(plane: "NDArray[Any]", written: Callable[[float], str], *, header: bool = False) -> "Table":
    """Return a plane of numbers in columns, coloured by sign; `header` adds an empty line above."""
    rows = table(header=header, padding=(0, 1, 0, 1), pad_edge=not header)
    for _ in plane[0]:
        rows.add_column("", justify="right", no_wrap=True)
    for line in plane.tolist():
        rows.add_row(*(text(written(value), style=style_of(value)) for value in line))
    return rows


def style_of(value: float) -> str:
    """Return the colour of a number: green above 0, red below, dim for 0."""
    return "dim" if value == 0 else "green" if value > 0 else "red"


def side_by_side(*parts: "Part") -> "Table":
    """Return parts in one row."""
    from rich.table import Table

    grid = Table.grid(padding=(0, 1))
    grid.add_row(*parts)
    return grid


def stacked(*parts: "Part") -> "Part":
    """Return parts below each other."""
    from rich.console import Group

    return Group(*parts)


@dataclass(frozen=True)
class Either:
    """The first of two parts, or the second on a terminal that is too narrow for the first."""

    first: "Part"
    second: "Part"

    def part_for(self, console: "Console", width: int) -> "Part":
        """Return the part for a width in columns."""
        return self.first if not console.is_terminal or width_of(console, self.first) <= width else self.second

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> "RenderResult":
        yield self.part_for(console, options.max_width)

    def __rich_measure__(self, console: "Console", options: "ConsoleOptions") -> "Measurement":
        from rich.measure import Measurement

        return Measurement.get(console, options, self.part_for(console, options.max_width))


def print_to(console: "Console", parts: "Iterable[Part]") -> None:
    """Print within the width of a terminal, and without wrapping elsewhere."""
    for part in parts:
        console.width = console.width if console.is_terminal else max(console.width, width_of(console, part))
        console.print(part, crop=False)


def width_of(console: "Console", part: "Part") -> int:
    """Return how many columns a part takes."""
    from rich.measure import Measurement

    return Measurement.get(console, console.options.update(max_width=UNLIMITED), part).maximum


def plain(parts: "Iterable[Part]") -> str:
    """Return parts as text, as a command writes it into a file.

    >>> plain([heading("photo.jpg", "3x4"), text()])
    'photo.jpg   3x4'
    """
    from rich.console import Console

    file = StringIO()
    settings: dict[str, Any] = {"force_terminal": False, "force_jupyter": False, "color_system": None}
    print_to(Console(file=file, width=80, highlight=False, markup=False, emoji=False, **settings), parts)
    return file.getvalue().rstrip("\n")


def live_display(*, on_terminal: bool) -> "Live | None":
    """Return a display that is redrawn with each update and disappears at its end, in a notebook and, with `on_terminal`, on a terminal.

    It writes to standard error. None is returned elsewhere, and in a notebook without ipywidgets, which Rich needs there.
    """
    from rich.console import Console

    console = Console(stderr=True)
    is_terminal = on_terminal and sys.stderr is not None and sys.stderr.isatty()
    if not (find_spec("ipywidgets") if console.is_jupyter else is_terminal):
        return None
    from rich.live import Live

    return Live(console=console, transient=True, refresh_per_second=8)
