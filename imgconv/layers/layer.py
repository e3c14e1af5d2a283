"""The base class of layers, Sequential, the layers without parameters (pools, ReLU, Flatten), and the table that sums up a network."""

from collections.abc import Iterator, Sequence
from copy import copy, deepcopy
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from imgconv import gradients
from imgconv.arguments import checked
from imgconv.arrays import AnyArray, Array, FloatArray, as_real_array
from imgconv.display.displayable import Displayable
from imgconv.errors import ArgumentTypeError, DoesNotFit, UsageError
from imgconv.functional.activation import flatten, relu
from imgconv.functional.avg_pooling import avg_pool2d
from imgconv.functional.pooling import max_pool2d
from imgconv.window import Size, shape_text, sizes

if TYPE_CHECKING:
    from imgconv.display.parts import Part


class Layer:
    """Base class: a forward pass, its backward pass, and any number of parameters."""

    _saved: Any = None  # what `forward` saves for `backward`

    def forward(self, x: AnyArray) -> Array:
        """Return the output for `x`; calling the layer does the same."""
        raise NotImplementedError

    def backward(self, grad_output: AnyArray) -> AnyArray:
        """Return the gradient of the last `forward`'s input from that of its output. Raises UsageError without a forward pass."""
        raise NotImplementedError

    def parameters(self) -> Iterator[tuple[FloatArray, FloatArray | None]]:
        """Yield each parameter with its gradient, None before a backward pass: `for p, g in net.parameters(): p -= rate * g`."""
        yield from ()

    @checked
    def summary(self, input_size: Sequence[int]) -> "Summary":
        """Return the table of all layers for an input of `input_size`: output shapes, parameters and multiply-adds.

        Nothing is computed. Raises DoesNotFit where an input does not fit its layer.

        >>> Sequential(MaxPool2d(2), Flatten()).summary((1, 3, 8, 10)).output_size
        (1, 60)
        """
        size = sizes(input_size, "input_size", len(input_size), least=1)
        try:
            return Summary(type(self).__name__, size, tuple(_summaries(self, size, "")))
        except DoesNotFit as error:
            batch = f"; for a batch of one image, give input_size={(1, *size)}" if len(size) == 3 else ""
            raise DoesNotFit(f"{error}{batch}") from None

    def children(self) -> dict[str, "Layer"]:
        """Return the layers inside this one by name, those among its attributes."""
        return {name: value for name, value in vars(self).items() if isinstance(value, Layer)}

    def extra_repr(self) -> str:
        """Return the arguments as `repr` shows them, in torch's format."""
        return ""

    def output_size(self, input_size: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of the output for an input of `input_size`, here that of a forward pass."""
        return np.shape(deepcopy(self).forward(np.zeros(input_size, np.float32)))

    def multiply_adds(self, input_size: tuple[int, ...], output_size: tuple[int, ...]) -> int:
        """Return the multiply-adds of a forward pass between arrays of these shapes."""
        return 0

    def __call__(self, x: AnyArray) -> Array:
        return self.forward(x)

    def __repr__(self) -> str:
        children = [f"({name}): {layer!r}".replace("\n", "\n  ") for name, layer in self.children().items()]
        lines = [*filter(None, [self.extra_repr()]), *children]
        inside = "".join(f"\n  {line}" for line in lines) + "\n" if children else "".join(lines)
        return f"{type(self).__name__}({inside})"

    def _from_forward(self) -> Any:
        if self._saved is None:
            raise UsageError(f"{type(self).__name__}.backward needs a forward pass; call forward first")
        return self._saved


class ImageLayer(Layer):
    """Base class of layers on images (N, C, H, W) or (C, H, W)."""

    def output_size(self, input_size: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of the output for an input of `input_size`, from a forward pass of a batch without images."""
        if len(input_size) not in (3, 4):
            return super().output_size(input_size)
        result = copy(self).forward(np.zeros((0, *input_size[-3:]), np.float32))
        return (*input_size[:-3], *np.shape(result[0] if isinstance(result, tuple) else result)[1:])


class Sequential(Layer):
    """torch.nn.Sequential: applies `layers` in order, and their backward passes in reverse order.

    >>> import numpy as np
    >>> from imgconv.layers import Conv2d, Flatten, Linear, ReLU
    >>> net = Sequential(Conv2d(1, 2, 3, generator=0), ReLU(), Flatten(), Linear(8, 5, generator=1))
    >>> net.forward(np.zeros((3, 1, 4, 4), np.float32)).shape, len(list(net.parameters()))
    ((3, 5), 4)
    """

    def __init__(self, *layers: Layer):
        for layer in layers:
            if not isinstance(layer, Layer):
                raise ArgumentTypeError(f"Sequential takes layers one after the other, not a {type(layer).__name__}")
        self.layers = list(layers)

    def forward(self, x: AnyArray) -> AnyArray:
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def backward(self, grad_output: AnyArray) -> AnyArray:
        for layer in reversed(self.layers):
            grad_output = layer.backward(grad_output)
        return grad_output

    def parameters(self) -> Iterator[tuple[FloatArray, FloatArray | None]]:
        for layer in self.layers:
            yield from layer.parameters()

    def children(self) -> dict[str, Layer]:
        return {str(place): layer for place, layer in enumerate(self.layers)}


class MaxPool2d(ImageLayer):
    """torch.nn.MaxPool2d: applies `max_pool2d`; as in torch, return_indices comes before ceil_mode.

    >>> MaxPool2d(2).forward(np.array([[[1, 2], [4, 3]]]))
    array([[[4]]])
    """

    @checked
    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        dilation: Size = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ):
        self.kernel_size, self.stride, self.padding = kernel_size, kernel_size if stride is None else stride, padding
        self.dilation, self.return_indices, self.ceil_mode = dilation, return_indices, ceil_mode

    def extra_repr(self) -> str:
        window = f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, dilation={self.dilation}"
        return f"{window}, ceil_mode={self.ceil_mode}"

    def forward(self, x: AnyArray) -> Any:
        x = as_real_array(x, "input")
        window = self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode
        pooled, indices = max_pool2d(x, *window, return_indices=True)
        self._saved = x.shape, indices
        return (pooled, indices) if self.return_indices else pooled

    def backward(self, grad_output: AnyArray) -> AnyArray:
        shape, indices = self._from_forward()
        return gradients.max_pool2d_input(grad_output, indices, shape)


class AvgPool2d(ImageLayer):
    """torch.nn.AvgPool2d: applies `avg_pool2d`.

    >>> AvgPool2d(2).forward(np.array([[[1.0, 2.0], [4.0, 3.0]]]))
    array([[[2.5]]])
    """

    @checked
    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ):
        self.kernel_size, self.stride, self.padding = kernel_size, kernel_size if stride is None else stride, padding
        self._arguments = kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"

    def forward(self, x: AnyArray) -> AnyArray:
        x = as_real_array(x, "input")
        self._saved = x.shape
        return avg_pool2d(x, *self._arguments)

    def backward(self, grad_output: AnyArray) -> AnyArray:
        return gradients.avg_pool2d_input(grad_output, self._from_forward(), *self._arguments)


class ReLU(Layer):
    """torch.nn.ReLU: applies `relu`; the gradient passes where the output is above 0. With `inplace` too, the input is not modified.

    >>> ReLU().forward(np.array([-1.0, 2.0]))
    array([0., 2.])
    """

    @checked
    def __init__(self, inplace: bool = False):
        self.inplace = inplace

    def extra_repr(self) -> str:
        return "inplace=True" if self.inplace else ""

    def output_size(self, input_size: tuple[int, ...]) -> tuple[int, ...]:
        return input_size

    def forward(self, x: AnyArray) -> AnyArray:
        self._saved = relu(x)
        return self._saved.copy()

    def backward(self, grad_output: AnyArray) -> AnyArray:
        grad = as_real_array(grad_output, "grad_output")
        return np.where(self._from_forward() > 0, grad, np.zeros_like(grad, order="C"))


class Flatten(Layer):
    """torch.nn.Flatten: applies `flatten`, by default to all axes but the batch.

    >>> Flatten().forward(np.zeros((2, 3, 4))).shape
    (2, 12)
    """

    @checked
    def __init__(self, start_dim: int = 1, end_dim: int = -1):
        self.start_dim, self.end_dim = start_dim, end_dim

    def extra_repr(self) -> str:
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"

    def output_size(self, input_size: tuple[int, ...]) -> tuple[int, ...]:
        cells = np.broadcast_to(np.int8(0), input_size)  # a view of one cell
        return flatten(cells, self.start_dim, self.end_dim).shape

    def forward(self, x: AnyArray) -> AnyArray:
        x = as_real_array(x, "input")
        self._saved = x.shape
        return flatten(x, self.start_dim, self.end_dim)

    def backward(self, grad_output: AnyArray) -> AnyArray:
        return np.array(as_real_array(grad_output, "grad_output"), order="C").reshape(self._from_forward())


def _summaries(layer: Layer, size: tuple[int, ...], place: str) -> "Iterator[LayerSummary]":
    """Yield the summary of a layer, or of all layers inside it. Raises DoesNotFit, which names the layer that does not fit."""
    if type(layer).forward is Sequential.forward:
        for name, child in layer.children().items():
            for each in _summaries(child, size, f"{place}.{name}" if place else name):
                yield each
                size = each.output_size
        return
    try:
        output = layer.output_size(size)
    except DoesNotFit as error:
        where = f"layer {place}" if place else "this layer"
        raise DoesNotFit(f"{where} ({type(layer).__name__}): got {shape_text(size)}: {error}") from None
    parameters = sum(parameter.size for parameter, _ in layer.parameters())
    yield LayerSummary(place, type(layer).__name__, size, output, parameters, layer.multiply_adds(size, output))


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
