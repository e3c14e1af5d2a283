"""What all layers share."""

from collections.abc import Iterator
from typing import Any

from imgconv.errors import UsageError
from imgconv.functional.arrays import AnyArray, FloatArray


class Layer:
    """A forward pass, the backward pass that belongs to it, and parameters, if it has some."""

    _seen: Any = None

    def forward(self, x: AnyArray) -> Any:
        """The layer's output for `x`; calling the layer does the same."""
        raise NotImplementedError

    def backward(self, grad_output: AnyArray) -> AnyArray:
        """The gradient of what the last `forward` was given, from that of its output. Raises UsageError without a forward pass."""
        raise NotImplementedError

    def parameters(self) -> Iterator[tuple[FloatArray, FloatArray | None]]:
        """Each parameter with its gradient, None before a backward pass: `for p, g in net.parameters(): p -= rate * g`."""
        yield from ()

    def __call__(self, x: AnyArray) -> Any:
        return self.forward(x)

    def _last(self) -> Any:
        if self._seen is None:
            raise UsageError(f"{type(self).__name__}.backward needs a forward pass first; call forward")
        return self._seen
