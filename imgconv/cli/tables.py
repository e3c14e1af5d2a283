"""What tables on standard output share: numbers as people read them, names beside values, and printing without cutting anything off."""

import sys
from io import TextIOWrapper
from typing import TYPE_CHECKING

from imgconv.cli.lines import escaped

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table
    from rich.text import Text


def counted(number: int) -> str:
    """A count in thousands, millions and so on, three digits of it.

    >>> counted(999), counted(2_160_000), counted(0)
    ('999', '2.16 M', '0')
    """
    return _scaled(number, 1000, ("", " k", " M", " G", " T", " P"))


def in_bytes(number: int) -> str:
    """A number of bytes.

    >>> in_bytes(720_000)
    '703 KiB'
    """
    return _scaled(number, 1024, (" B", " KiB", " MiB", " GiB", " TiB", " PiB"))


def _scaled(number: float, step: int, units: tuple[str, ...]) -> str:
    exponent = 0
    while number >= 999.5 and exponent < len(units) - 1:
        number /= step
        exponent += 1
    digits = 0 if exponent == 0 or number >= 100 else 1 if number >= 10 else 2
    return f"{number:.{digits}f}{units[exponent]}"


def heading(title: str, more: str = "") -> "Text":
    """A title, and what else belongs in its line."""
    from rich.text import Text

    return Text.assemble((escaped(title), "bold"), "   ", (escaped(more), "dim"))


def facts(told: dict[str, str]) -> "Table":
    """Names beside their values."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    for name, value in told.items():
        table.add_row(name, Text(value))
    return table


def fits(part: "RenderableType") -> bool:
    """Whether a terminal is wide enough for a part; where output is no terminal, everything fits."""
    from rich.console import Console

    console = Console()
    return not console.is_terminal or _width(console, part) <= console.width


def _width(console: "Console", part: "RenderableType") -> int:
    from rich.measure import Measurement

    return Measurement.get(console, console.options.update(max_width=100_000), part).maximum


def print_parts(*parts: "RenderableType") -> None:
    """Print within a terminal's width, and without wrapping anything elsewhere."""
    from rich.console import Console

    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal without a letter gets a question mark for it
    console = Console(highlight=False, markup=False, emoji=False)
    for part in parts:
        console.width = console.width if console.is_terminal else max(console.width, _width(console, part))
        console.print(part, crop=False)
