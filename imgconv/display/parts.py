"""Lines and tables of Rich, which is imported when one is built."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from imgconv.errors import escaped

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from rich.console import RenderableType
    from rich.table import Table as Table
    from rich.text import Text

    Part = RenderableType  # what the other packages call a line or table


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
