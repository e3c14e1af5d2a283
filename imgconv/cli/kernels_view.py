"""Kernels on standard output: as tables for a person, coloured where it is a terminal, or as lines of JSON. Decides nothing."""

import json
import sys
from io import TextIOWrapper
from typing import TYPE_CHECKING, Any

from imgconv.registry import Bank, Entry, Kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from rich.console import RenderableType
    from rich.table import Table

LARGEST_SHOWN = 64  # taps along a side; a wider table is no help to anybody


def print_entry_lines(entries: list[Entry]) -> None:
    """One JSON object per entry: name, kind, description, range, tags, parameters, source, origin, file, shadows."""
    keys = ("name", "kind", "description", "range", "tags", "parameters", "source", "origin", "file", "shadows")
    for entry in entries:
        _print_json({key: getattr(entry, key) for key in keys})


def print_entries(entries: list[Entry]) -> None:
    """A table of names, what they do, and what they hide."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, style="bold")
    table.add_column(no_wrap=True, style="dim")
    table.add_column()
    for entry in entries:
        origin = "" if entry.origin == "built-in" else f" ({entry.origin}{f', hides the {entry.shadows} one' if entry.shadows else ''})"
        parameters = f" [{', '.join(entry.parameters)}]" if entry.parameters else ""
        table.add_row(Text(entry.name), entry.kind, Text(f"{entry.description or 'no description'}{parameters}{origin}"))
    if entries:
        _print(table)


def print_kernel_line(shown: Kernel | Bank) -> None:
    """One JSON object; a bank has its kernels in it."""
    _print_json(_described(shown))


def _described(shown: Kernel | Bank) -> dict[str, Any]:
    kind = "bank" if isinstance(shown, Bank) else "kernel"
    about: dict[str, Any] = {"name": shown.name, "kind": kind, "range": shown.range, "description": shown.description}
    about |= {"source": shown.source, "tags": shown.tags}
    if isinstance(shown, Bank):
        kernels = [_described(kernel) for kernel in shown.kernels]
        return about | {"combine": shown.combine, "subspace": shown.subspace, "kernels": kernels}
    numbers = {"taps": shown.taps.tolist(), "divisor": shown.divisor, "offset": shown.offset, "bias": shown.bias, "anchor": shown.anchor}
    return about | numbers | {"sum": shown.total, "gain": shown.gain, "separable": shown.separable, "rank": shown.rank}


def print_kernel(shown: Kernel | Bank) -> None:
    """Numbers coloured by sign, then what follows from them; a bank says how its maps combine, then shows every kernel."""
    from rich.text import Text

    if isinstance(shown, Bank):
        share = f", the first {shown.subspace} against all" if shown.combine == "projection" else ""
        _print(Text(shown.name, style="bold"), _facts({"combine": f"{shown.combine}{share}", **_about(shown)}), Text())
    for kernel in shown.kernels if isinstance(shown, Bank) else [shown]:
        planes = [kernel.taps] if kernel.taps.ndim == 2 else list(kernel.taps)
        _print(Text(kernel.name, style="bold"), *map(_numbers, planes), _facts(_of_numbers(kernel)))
        _print(*([Text()] if isinstance(shown, Bank) else [_facts(_about(shown))]))


def _of_numbers(kernel: Kernel) -> dict[str, str]:
    height, width = kernel.kernel_size
    shape = f"{height}x{width}" + (f" over {len(kernel.taps)} channels" if kernel.taps.ndim == 3 else "")
    facts = {"size": shape, "sum": f"{kernel.total:.10g}", "gain": f"{kernel.gain:.10g}", "divisor": f"{kernel.divisor:.10g}"}
    if kernel.offset:
        facts["offset"] = f"{kernel.offset:.10g} of 255"
    if kernel.bias:
        facts["bias"] = f"{kernel.bias:.10g}"
    if kernel.anchor is not None:
        facts["anchor"] = f"row {kernel.anchor[0]}, column {kernel.anchor[1]}"
    if kernel.taps.ndim == 2:
        facts["separable"] = "yes, rank 1" if kernel.separable else f"no, rank {kernel.rank}"
    return facts


def _about(shown: Kernel | Bank) -> dict[str, str]:
    facts = {"range": shown.range, "about": shown.description, "source": shown.source, "tags": ", ".join(shown.tags)}
    return {key: value for key, value in facts.items() if value}


def _facts(facts: dict[str, str]) -> "Table":
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    for key, value in facts.items():
        table.add_row(key, Text(value))
    return table


def _numbers(plane: "NDArray[Any]") -> "RenderableType":
    from rich.table import Table
    from rich.text import Text

    if max(plane.shape) > LARGEST_SHOWN:
        return Text(f"more than {LARGEST_SHOWN} taps along a side; --json prints them", style="dim")
    table = Table(box=None, show_header=False, padding=(0, 1))
    for _ in plane[0]:
        table.add_column(justify="right", no_wrap=True)
    for row in plane.tolist():
        table.add_row(*(Text(f"{tap:.6g}", style=_style(tap)) for tap in row))
    return table


def _style(tap: float) -> str:
    if tap == 0:
        return "dim"
    return "green" if tap > 0 else "red"


def _print(*parts: "RenderableType") -> None:
    """Print within a terminal's width, and without wrapping anything elsewhere."""
    from rich.console import Console
    from rich.measure import Measurement

    _tolerate_narrow_encodings()
    console = Console(highlight=False, markup=False, emoji=False)
    for part in parts:
        needed = Measurement.get(console, console.options.update(max_width=100_000), part).maximum
        console.width = console.width if console.is_terminal else max(console.width, needed)
        console.print(part, crop=False)


def _print_json(value: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(value, default=str) + "\n")


def _tolerate_narrow_encodings() -> None:
    """A terminal that lacks a letter of an author's name gets a question mark for it."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
