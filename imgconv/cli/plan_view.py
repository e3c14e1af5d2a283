"""A plan on standard output: two tables for a person, or a line of JSON."""

import json
import sys
from typing import TYPE_CHECKING

from imgconv.cli.tables import counted, facts, heading, in_bytes, print_parts
from imgconv.study.plan import PicturePlan

if TYPE_CHECKING:
    from rich.table import Table

MEANINGS = {
    "small": "all taps at once, sums in registers",
    "running": "one sum that slides, whatever the size",
    "product": "down, then across, sums in registers",
    "unfolded": "all windows as one matrix, times the weights",
    "factors": "down, then across, for each outer product",
    "fourier": "products of transforms, tile by tile",
    "taps": "tap after tap over whole rows",
    "four": "tap after tap, four output maps at once",
    "one": "tap after tap, one output map at once",
    "linear": "a vector times the weights",
    "adjoint": "every input cell lays a whole kernel down",
    "folds": "rows folded first, then columns",
    "selection": "windows sorted by a network, large ones by a histogram",
}


def print_plan_line(source: str, recipe: str, plan: PicturePlan) -> None:
    """One JSON object: source, recipe, and the plan's fields."""
    sys.stdout.write(json.dumps({"source": source, "recipe": recipe, **plan.as_json()}) + "\n")


def print_plan(source: str, recipe: str, plan: PicturePlan) -> None:
    """What each step takes, gives and costs; how its sizes come about; and what it all adds up to."""
    from rich.text import Text

    print_parts(heading(source, f"{_by(plan.shape)} {plan.dtype}   {recipe}"), Text(), _steps(plan), Text())
    if any(step.sizes for step in plan.steps):
        print_parts(_sizes(plan), Text())
    used = dict.fromkeys(_first_word(step.algorithm) for step in plan.steps if step.algorithm)
    totals = {
        "parameters": f"{plan.parameters:,}",
        "multiply-adds": f"{plan.multiply_adds:,}",
        "memory": f"{in_bytes(plan.peak_memory)} at most, input and output of one step",
        **{name: MEANINGS[name] for name in used},
    }
    print_parts(facts(totals), Text())


def _steps(plan: PicturePlan) -> "Table":
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("step", style="bold", overflow="fold")
    for title in ("input", "output"):
        table.add_column(title, no_wrap=True)
    for title in ("parameters", "mult-adds", "sees", "memory"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("algorithm", no_wrap=True, style="cyan")
    for step in plan.steps:
        numbers = (counted(step.parameters), counted(step.multiply_adds), _by(step.receptive_field), in_bytes(step.memory))
        table.add_row(Text(step.name), _by(step.input), _by(step.output), *numbers, step.algorithm)
    return table


def _sizes(plan: PicturePlan) -> "Table":
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("output size", style="bold", overflow="fold")
    table.add_column("")
    table.add_column("formula", no_wrap=True)
    table.add_column("padding", style="green")
    for step in plan.steps:
        for axis, formula in zip(("height", "width"), step.sizes, strict=False):
            told, _, size = formula.rpartition(" = ")
            text = Text.assemble(f"{told} = ", (size, "bold")) if told else Text(formula)
            table.add_row(*((Text(step.name), axis) if axis == "height" else ("", axis)), text, step.padding if axis == "height" else "")
    return table


def _first_word(algorithm: str) -> str:
    """The algorithm without its rank and the type of its sums."""
    return algorithm.partition(",")[0].partition(" of ")[0]


def _by(numbers: tuple[int, ...]) -> str:
    return "x".join(map(str, numbers))
