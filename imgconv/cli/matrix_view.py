"""Kernel matrix and im2col on standard output, zeros as dots."""

from typing import TYPE_CHECKING, Any

from imgconv.cli.tables import fits, heading, print_parts
from imgconv.inspection.explanation import number

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from rich.console import RenderableType
    from rich.table import Table

    from imgconv.inspection.matrices import Matrices


def print_matrices(found: "list[Matrices]") -> None:
    """For each kernel both matrices, and that they give the same sums."""
    from rich.text import Text

    for each in found:
        (height, width), (top, left) = each.cells.shape[1:], each.corner
        where = f"{height}x{width} cells from column {left}, row {top}, of {', '.join(each.channels)}"
        print_parts(heading(f"kernel matrix of {each.kernel}", f"times {where}"), _matrix(each.kernel_matrix, each.sums), Text())
        print_parts(heading("im2col", "a column for each window; the taps times it"), _matrix(each.im2col, each.taps, before=True))
        print_parts(_sums(each.sums), Text())


def _matrix(matrix: "NDArray[Any]", beside: "NDArray[Any]", *, before: bool = False) -> "RenderableType":
    """A matrix, with the taps before its rows or the sums behind them."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, padding=(0, 1, 0, 0), pad_edge=False)
    for _ in range(matrix.shape[1] + 1):
        table.add_column(justify="right", no_wrap=True)
    for line, value in zip(matrix.tolist(), beside.tolist(), strict=True):
        entries = [Text("." if entry == 0 else number(entry), style=_style(entry)) for entry in line]
        at_side = Text(f"{number(value)} \N{MULTIPLICATION SIGN} " if before else f"= {number(value)}", style="bold")
        table.add_row(*([at_side, *entries] if before else [*entries, at_side]))
    rows, columns = matrix.shape
    return table if fits(table) else Text(f"{rows}x{columns} numbers are too many for this terminal; --json lists them", style="dim")


def _sums(sums: "NDArray[Any]") -> "Table":
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_row("=", *(Text(number(value), style="bold") for value in sums.tolist()))
    return table


def _style(entry: float) -> str:
    return "dim" if entry == 0 else "green" if entry > 0 else "red"
