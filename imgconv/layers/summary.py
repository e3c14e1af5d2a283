"""The table of the layers of a network: output shapes, parameters and multiply-adds."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from imgconv.display.displayable import Displayable
from imgconv.window import shape_text

if TYPE_CHECKING:
    from imgconv.display.parts import Part


@dataclass(frozen=True)
class LayerSummary:
    """One layer: its position, such as "2", or "0.1" in nested layers, its text, its input and output shapes, and its cost."""

    place: str
    layer: str
    input_size: tuple[int, ...]
    output_size: tuple[int, ...]
    parameters: int
    multiply_adds: int


@dataclass(frozen=True, repr=False)
class Summary(Displayable):
    """What `summary` of a layer returns: all `layers` in their order, and the totals."""

    name: str
    input_size: tuple[int, ...]
    layers: tuple[LayerSummary, ...]

    @property
    def output_size(self) -> tuple[int, ...]:
        """The shape of the output of the last layer."""
        return self.layers[-1].output_size if self.layers else self.input_size

    @property
    def parameters(self) -> int:
        """The number of parameters of all layers."""
        return sum(layer.parameters for layer in self.layers)

    @property
    def multiply_adds(self) -> int:
        """The multiply-adds of all layers in a forward pass of the whole batch."""
        return sum(layer.multiply_adds for layer in self.layers)

    def as_json(self) -> dict[str, Any]:
        """Return the fields and totals as JSON values."""
        totals = {"output_size": self.output_size, "parameters": self.parameters, "multiply_adds": self.multiply_adds}
        return {"name": self.name, "input_size": self.input_size, "layers": list(map(asdict, self.layers)), **totals}

    def parts(self) -> "Iterator[Part]":
        """Return the table of the layers, and the totals."""
        from imgconv.display.parts import facts, heading, table, text

        yield from (heading(self.name, f"input {shape_text(self.input_size)}"), text())
        rows = table(header=True)
        rows.add_column("layer", style="bold", no_wrap=True)
        rows.add_column("output", no_wrap=True)
        for title in ("params", "mult-adds"):
            rows.add_column(title, justify="right", no_wrap=True)
        for each in self.layers:
            name = " ".join(filter(None, (each.place, each.layer)))
            rows.add_row(text(name), shape_text(each.output_size), f"{each.parameters:,}", f"{each.multiply_adds:,}")
        yield from (rows, text())
        yield facts({"parameters": f"{self.parameters:,}", "multiply-adds": f"{self.multiply_adds:,}"})
