"""A plan on standard output: two tables for a person, or a line of JSON."""

from typing import TYPE_CHECKING

from imgconv.cli.json_lines import write_line
from imgconv.cli.tables import counted, facts, fits, heading, in_bytes, print_parts
from imgconv.inspection.plans import ImagePlan

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

NARROW = 26  # characters of a step that leave room for its formulas on 80 columns
MEANINGS = {
    "small": "all taps at once, sums in registers",
    "running": "one sum that slides, whatever the size",
    "product": "down, then across, sums in registers",
    "unfolded": "all windows as one matrix, times the weights",
    "factors": "down, then across, for each outer product",
    "fourier": "products of transforms, tile by tile",
    "taps": "tap after tap over whole rows",
    "tiles": "tile after tile, sums in registers over all taps",
    "linear": "a vector times the weights",
    "adjoint": "every input cell lays a whole kernel down",
    "folds": "rows folded first, then columns",
    "gradient": "both slopes and their length, three rows at a time",
    "counted": "the lengths of all gradients counted, in two rounds",
    "ridges": "each length against the two beside it along its gradient",
    "followed": "from strong ridges to the weak ones that touch them",
    "selection": "windows sorted by a network, large ones by a histogram",
}


def print_plan_line(source: str, recipe: str, plan: ImagePlan) -> None:
    """One JSON object: source, recipe, and the plan's fields."""
    write_line({"source": source, "recipe": recipe, **plan.as_json()})


def print_plan(source: str, recipe: str, plan: ImagePlan) -> None:
    """What each step takes, gives and costs; how its sizes come about; and what it all adds up to."""
    from rich.text import Text

    print_parts(heading(source, f"{_by(plan.shape)} {plan.dtype}   {recipe}"), Text(), _steps(plan), Text())
    if any(step.algorithm or step.sizes for step in plan.steps):
        details = _details(plan)
        print_parts(details if fits(details) else _details(plan, NARROW), Text())
    totals = {
        "parameters": f"{plan.parameters:,}",
        "multiply-adds": f"{plan.multiply_adds:,}"
        + (f" by the definition, {plan.work:,} as done" if plan.work != plan.multiply_adds else ""),
        "memory": f"{in_bytes(plan.peak_memory)} at most, input and output of one step",
    }
    print_parts(facts(totals), Text())


def _steps(plan: ImagePlan) -> "Table":
    from rich.text import Text

    table = _table("step")
    for title in ("input", "output"):
        table.add_column(title, no_wrap=True)
    for title in ("params", "mult-adds", "sees", "memory"):
        table.add_column(title, justify="right", no_wrap=True)
    for step in plan.steps:
        numbers = (counted(step.parameters), counted(step.multiply_adds), _by(step.receptive_field), in_bytes(step.memory))
        table.add_row(Text(step.name), _by(step.input), _by(step.output), *numbers)
    return table


def _details(plan: ImagePlan, widest: int | None = None) -> "Table":
    """How the sizes of each step come about, what its padding is called, and how it is reckoned."""
    from rich.text import Text

    table = _table("how", widest)
    table.add_column("", style="dim", no_wrap=True)
    table.add_column("")
    for step in plan.steps:
        lines = [(axis, _formula(formula)) for axis, formula in zip(("height", "width"), step.sizes, strict=False)]
        lines += [("padding", Text(step.padding, style="green"))] if step.padding else []
        if step.algorithm:
            meaning = MEANINGS.get(_first_word(step.algorithm), "")
            instead = f" ({counted(step.work)} multiply-adds)" if step.work != step.multiply_adds else ""
            lines.append(("by", Text.assemble((step.algorithm, "cyan"), f": {meaning}{instead}")))
        for number, (name, told) in enumerate(lines):
            table.add_row(Text(step.name if number == 0 else ""), name, told)
    return table


def _formula(formula: str) -> "Text":
    from rich.text import Text

    told, _, size = formula.rpartition(" = ")
    return Text.assemble(f"{told} = ", (size, "bold")) if told else Text(formula)


def _table(first: str, widest: int | None = None) -> "Table":
    """A table without lines, whose first column, at most `widest` characters, gives way where the terminal is narrow."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column(first, style="bold", overflow="fold", min_width=12, max_width=widest)
    return table


def _first_word(algorithm: str) -> str:
    """The algorithm without its rank and the type of its sums."""
    return algorithm.partition(",")[0].partition(" of ")[0]


def _by(numbers: tuple[int, ...]) -> str:
    return "x".join(map(str, numbers))
