"""Parts on a terminal, which may be too narrow for them, and as text."""

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from io import StringIO
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.live import Live
    from rich.measure import Measurement

    from imgconv.display.parts import Part

UNLIMITED = 100_000  # columns


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

    >>> from imgconv.display.parts import heading, text
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
