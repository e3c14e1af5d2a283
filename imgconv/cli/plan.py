"""The command `imgconv plan`: sizes, cost and algorithm of every step, as two tables or a line of JSON."""

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from imgconv.cli.options import MAX_PIXELS, WHAT, AxesOrder, Json, MaxPixels, limit, option
from imgconv.cli.selection import Selection
from imgconv.errors import DoesNotFit, ImageError, UsageError
from imgconv.modes import Axes

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

    from imgconv.images import Header
    from imgconv.inspection.plans import ImagePlan
    from imgconv.recipe import Recipe, Shape

EXAMPLES = """
imgconv plan photo.jpg -k sobel --stride 2
imgconv plan --shape 3x224x224 -s 'conv laplacian8 padding=1' -s 'max_pool 2'
"""
NARROW = 26  # characters of a step that leave room for its formulas on 80 columns
MEANINGS = {
    "small": "all taps at once, sums in registers",
    "running": "a running sum, whatever the size",
    "product": "columns, then rows, sums in registers",
    "unfolded": "im2col, then one matrix product",
    "factors": "columns, then rows, for each outer product",
    "fourier": "products of Fourier transforms, tile by tile",
    "taps": "tap after tap over whole rows",
    "tiles": "tile after tile, sums in registers over all taps",
    "linear": "a vector times the weights",
    "adjoint": "each input cell adds a scaled kernel to the output",
    "separable": "rows reduced first, then columns",
    "2x2 blocks": "four cells at a time",
    "gradient": "both derivatives and their length, three rows at a time",
    "counted": "a histogram of all gradient lengths, in two rounds",
    "ridges": "each length compared with its two neighbours along the gradient",
    "followed": "from strong ridges to the weak ones that touch them",
    "sorting network": "windows sorted side by side",
    "histogram": "a histogram that slides along the row",
}


def command(
    what: Selection,
    inputs: Annotated[
        list[str] | None,
        typer.Argument(metavar="[INPUT]...", help="Images, folders, or - for standard input.", show_default=False),
    ] = None,
    shape: Annotated[str | None, option(WHAT, "--shape", metavar="CxHxW", help="Plan for an image of this size instead of a file.")] = None,
    json: Json = False,
    max_pixels: MaxPixels = MAX_PIXELS,
    axes: AxesOrder = None,
) -> None:
    """Show the sizes, cost and algorithm of every step.

    Reads the headers of images and decodes no pixels. Select a filter with -k, a pool with --size or --mode, canny with --canny, or a
    network with -s or --recipe. The default is the filter of `imgconv edge`.
    """
    from imgconv.cli.console import write_json, write_message

    recipe = what.to_recipe()
    failed = False
    for source, outcome in _plans(inputs or [], shape, recipe, limit(max_pixels), axes):
        if isinstance(outcome, str):
            failed = True
            write_message(f"imgconv: {source}: {outcome}")
        elif json:
            write_json({"source": source, "recipe": recipe.describe(), **outcome.as_json()})
        else:
            _print_plan(source, recipe.describe(), outcome)
    if failed:
        raise typer.Exit(1)


def algorithms(recipe: "Recipe", shape: "Shape", dtype: str) -> str:
    """Return the algorithms of the steps of a recipe, as `run --verbose` shows them.

    >>> from imgconv.recipe import Shape, filter_recipe
    >>> algorithms(filter_recipe(["laplacian8"]), Shape(600, 800, 1), "uint8")
    'small, int16'
    """
    from imgconv.inspection.plans import plan

    return "; ".join(dict.fromkeys(step.algorithm for step in plan(recipe, shape, dtype).steps if step.algorithm))


def _plans(
    inputs: Sequence[str], shape: str | None, recipe: "Recipe", max_pixels: int | None, axes: Axes | None
) -> "Iterator[tuple[str, ImagePlan | str]]":
    """The name of each image, and its plan or the error as text."""
    from imgconv.batch.inputs import headers
    from imgconv.inspection.plans import plan

    if inputs and shape is not None:
        raise UsageError("both an image and --shape are given; leave one of them out")
    if shape is not None:
        yield f"an image of {shape}", plan(recipe, _shape(shape))
        return
    if not inputs:
        raise UsageError("no image given; name an image, or give --shape, such as 3x224x224")
    for name, header in headers(inputs, max_pixels, axes):
        yield name, str(header) if isinstance(header, ImageError) else _plan(recipe, header)


def _plan(recipe: "Recipe", header: "Header") -> "ImagePlan | str":
    from imgconv.inspection.plans import plan
    from imgconv.recipe import Shape

    try:
        return plan(recipe, Shape(*header.size, header.channels, header.alpha), header.dtype)
    except DoesNotFit as error:
        return str(error)


def _shape(text: str) -> "Shape":
    """Read `CxHxW`, or `HxW` for a grey image. Of two or four channels the last is alpha."""
    from imgconv.recipe import Shape

    match = re.fullmatch(r"(?:(\d{1,5})[xX])?(\d{1,9})[xX](\d{1,9})", text.strip(), re.ASCII)
    channels, height, width = (int(size or 1) for size in match.groups()) if match else (0, 0, 0)
    if not (channels and height and width):
        raise UsageError(f"--shape: expected CxHxW, such as 3x224x224, got {text!r}")
    return Shape(height, width, channels, channels in (2, 4))


def _print_plan(source: str, recipe: str, plan: "ImagePlan") -> None:
    """Print what each step takes, returns and costs; how its sizes are computed; and the totals."""
    from imgconv.cli.console import facts, fits, heading, in_bytes, print_parts, text

    print_parts(heading(source, f"{_by(plan.shape)} {plan.dtype}   {recipe}"), text(), _steps(plan), text())
    if any(step.algorithm or step.sizes for step in plan.steps):
        details = _details(plan)
        print_parts(details if fits(details) else _details(plan, NARROW), text())
    work = f"{plan.multiply_adds:,}"
    if plan.work != plan.multiply_adds:
        work += f" direct, {plan.work:,} optimised"
    totals = {
        "parameters": f"{plan.parameters:,}",
        "multiply-adds": work,
        "memory": f"at most {in_bytes(plan.peak_memory)}, for input and output of one step",
    }
    print_parts(facts(totals), text())


def _steps(plan: "ImagePlan") -> "Table":
    from imgconv.cli.console import in_bytes, shortened, text

    rows = _table("step")
    for title in ("input", "output"):
        rows.add_column(title, no_wrap=True)
    for title in ("params", "mult-adds", "field", "memory"):
        rows.add_column(title, justify="right", no_wrap=True)
    for step in plan.steps:
        values = (shortened(step.parameters), shortened(step.multiply_adds), _by(step.receptive_field), in_bytes(step.memory))
        rows.add_row(text(step.name), _by(step.input), _by(step.output), *values)
    return rows


def _details(plan: "ImagePlan", widest: int | None = None) -> "Table":
    """How the sizes of each step are computed, the name of its padding, and its algorithm."""
    from imgconv.cli.console import shortened, text

    rows = _table("details", widest)
    rows.add_column("", style="dim", no_wrap=True)
    rows.add_column("")
    for step in plan.steps:
        lines = [(axis, _formula(formula)) for axis, formula in zip(("height", "width"), step.sizes, strict=False)]
        lines += [("padding", text(step.padding, style="green"))] if step.padding else []
        if step.algorithm:
            meaning = MEANINGS.get(step.algorithm.partition(",")[0].partition(" of ")[0], "")
            optimised = f" ({shortened(step.work)} multiply-adds)" if step.work != step.multiply_adds else ""
            lines.append(("method", text((step.algorithm, "cyan"), f": {meaning}{optimised}")))
        for number, (name, value) in enumerate(lines):
            rows.add_row(text(step.name if number == 0 else ""), name, value)
    return rows


def _formula(formula: str) -> "Text":
    from imgconv.cli.console import text

    terms, _, size = formula.rpartition(" = ")
    return text(f"{terms} = ", (size, "bold")) if terms else text(formula)


def _table(first: str, widest: int | None = None) -> "Table":
    """A table whose first column, at most `widest` characters, folds where the terminal is narrow."""
    from imgconv.cli.console import table

    rows = table(header=True)
    rows.add_column(first, style="bold", overflow="fold", min_width=12, max_width=widest)
    return rows


def _by(numbers: tuple[int, ...]) -> str:
    return "x".join(map(str, numbers))
