"""The plan of an image: what each step takes, returns and costs, as JSON and as tables."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from imgconv.display.displayable import Displayable
from imgconv.display.parts import Either, facts, heading, table, text
from imgconv.display.words import in_bytes, shortened
from imgconv.window import shape_text

if TYPE_CHECKING:
    from imgconv.display.parts import Part, Table

NARROW = 26  # characters of a step that leave room for its formulas on 80 columns
MEANINGS = {
    "small": "all taps at once, sums in registers",
    "running": "a running sum, whatever the size",
    "product": "columns, then rows, sums in registers",
    "unfolded": "im2col, then one matrix product",
    "factors": "columns, then rows, for each outer product",
    "fourier": "products of Fourier transforms, tile by tile",
    "taps": "all taps at once, a few rows at a time",
    "tiles": "tile after tile, sums in registers over all taps",
    "linear": "a vector times the weights",
    "adjoint": "each input cell adds a scaled kernel to the output",
    "separable": "rows reduced first, then columns",
    "2x2 blocks": "four cells at a time",
    "gradient": "both derivatives and their length, three rows at a time",
    "counted": "a histogram of all gradient lengths, in two rounds",
    "ridges": "each length compared with its two neighbours along the gradient",
    "followed": "from strong ridges to the weak ones that touch them",
    "runs": "rows of neighbouring cells, each shared by all windows over it",
    "cell by cell": "the mean, then the squared differences from it",
    "sorting network": "windows sorted side by side",
    "counting": "bit after bit, by counting the cells below",
    "column histograms": "histograms of columns, added up along the row",
    "histogram": "a histogram that slides along the row",
}


@dataclass(frozen=True)
class PlannedStep:
    """The input, output and cost of one step.

    Shapes are (C, H, W) or (L,). `sizes` are the formulas of height and width with their numbers, `padding` its name; both are empty
    without a window. `receptive_field` (height, width) is in pixels of the image, through all steps so far. `multiply_adds` are those
    of the direct form, `performed` those of the chosen `algorithm` where they differ. `input_rows` and `output_rows` are the rows in
    memory at a time, by default all.
    """

    name: str
    input: tuple[int, ...]
    output: tuple[int, ...]
    sizes: tuple[str, ...] = ()
    padding: str = ""
    parameters: int = 0
    multiply_adds: int = 0
    performed: int | None = None
    receptive_field: tuple[int, int] = (1, 1)
    algorithm: str = ""
    input_dtype: str = "float32"
    output_dtype: str = "float32"
    input_rows: int | None = None
    output_rows: int | None = None

    @property
    def work(self) -> int:
        """Multiply-adds of the chosen algorithm."""
        return self.multiply_adds if self.performed is None else self.performed

    @property
    def memory(self) -> int:
        """Bytes of the output."""
        return _bytes(self.output, self.output_rows, self.output_dtype)

    @property
    def peak_memory(self) -> int:
        """Bytes of input and output together."""
        return _bytes(self.input, self.input_rows, self.input_dtype) + self.memory

    def as_json(self) -> dict[str, Any]:
        """The fields and the memory as JSON values."""
        return {**asdict(self), "performed": self.work, "memory": self.memory}


def _bytes(shape: tuple[int, ...], rows: int | None, dtype: str) -> int:
    """Bytes of an array of `shape` and `dtype`, of which at most `rows` are in memory."""
    in_memory = shape if rows is None else (shape[0], min(rows, shape[1]), *shape[2:])
    return prod(in_memory) * np.dtype(dtype).itemsize


@dataclass(frozen=True, repr=False)
class ImagePlan(Displayable):
    """What `imgconv.plan` returns: a recipe on one image, the image's shape (C, H, W) and dtype, and every step."""

    source: str
    recipe: str
    shape: tuple[int, int, int]
    dtype: str
    steps: tuple[PlannedStep, ...]

    @property
    def parameters(self) -> int:
        """The number of parameters that a network of these steps learns."""
        return sum(step.parameters for step in self.steps)

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds of all steps in direct form."""
        return sum(step.multiply_adds for step in self.steps)

    @property
    def work(self) -> int:
        """Multiply-adds of all steps with the chosen algorithms."""
        return sum(step.work for step in self.steps)

    @property
    def peak_memory(self) -> int:
        """Bytes of the widest step's input and output together."""
        return max(step.peak_memory for step in self.steps)

    def as_json(self) -> dict[str, Any]:
        """The fields and totals as JSON values."""
        totals = {"parameters": self.parameters, "multiply_adds": self.multiply_adds, "performed": self.work}
        totals["peak_memory"] = self.peak_memory
        image = {"source": self.source, "recipe": self.recipe, "shape": self.shape, "dtype": self.dtype}
        return {**image, "steps": [step.as_json() for step in self.steps], **totals}

    def parts(self) -> "Iterator[Part]":
        """The tables of all steps, and the totals."""
        return _parts(self)


def _parts(plan: ImagePlan) -> "Iterator[Part]":
    """Yield what each step takes, returns and costs; how its sizes are computed; and the totals."""
    yield heading(plan.source, f"{shape_text(plan.shape)} {plan.dtype}   {plan.recipe}")
    yield from (text(), _steps(plan), text())
    if any(step.algorithm or step.sizes for step in plan.steps):
        yield from (Either(_details(plan), _details(plan, NARROW)), text())
    work = f"{plan.multiply_adds:,}"
    if plan.work != plan.multiply_adds:
        work += f" direct, {plan.work:,} optimised"
    totals = {
        "parameters": f"{plan.parameters:,}",
        "multiply-adds": work,
        "memory": f"at most {in_bytes(plan.peak_memory)}, for input and output of one step",
    }
    yield facts(totals)


def _steps(plan: ImagePlan) -> "Part":
    rows = _table("step")
    for title in ("input", "output"):
        rows.add_column(title, no_wrap=True)
    for title in ("params", "mult-adds", "field", "memory"):
        rows.add_column(title, justify="right", no_wrap=True)
    for step in plan.steps:
        values = (shortened(step.parameters), shortened(step.multiply_adds), shape_text(step.receptive_field), in_bytes(step.memory))
        rows.add_row(text(step.name), shape_text(step.input), shape_text(step.output), *values)
    return rows


def _details(plan: ImagePlan, widest: int | None = None) -> "Part":
    """How the sizes of each step are computed, the name of its padding, and its algorithm."""
    rows = _table("details", widest)
    rows.add_column("", style="dim", no_wrap=True)
    rows.add_column("")
    for step in plan.steps:
        lines = [(axis, _formula(formula)) for axis, formula in zip(("height", "width"), step.sizes, strict=False)]
        lines += [("padding", text(step.padding, style="cyan"))] if step.padding else []
        if step.algorithm:
            meaning = MEANINGS.get(step.algorithm.partition(",")[0].partition(" of ")[0], "")
            optimised = f" ({shortened(step.work)} multiply-adds)" if step.work != step.multiply_adds else ""
            lines.append(("method", text((step.algorithm, "cyan"), f": {meaning}{optimised}")))
        for number, (name, value) in enumerate(lines):
            rows.add_row(text(step.name if number == 0 else ""), name, value)
    return rows


def _formula(formula: str) -> "Part":
    terms, _, size = formula.rpartition(" = ")
    return text(f"{terms} = ", (size, "bold")) if terms else text(formula)


def _table(first: str, widest: int | None = None) -> "Table":
    """A table whose first column, at most `widest` characters, folds where the terminal is narrow."""
    rows = table(header=True)
    rows.add_column(first, style="bold", overflow="fold", min_width=12, max_width=widest)
    return rows
