"""What torch's pools ask of a window and an input, checked once for all of them."""

from collections.abc import Sequence
from dataclasses import replace

from imgconv.errors import ArgumentTypeError, DoesNotFit, UsageError
from imgconv.functional.arrays import AnyArray, as_batch
from imgconv.window import Window, sizes

Sizes = int | Sequence[int]


def pool_window(
    kernel_size: Sizes, stride: Sizes | None, padding: Sizes, dilation: Sizes = 1, *, dims: int = 2, ceil_mode: bool = False
) -> Window:
    """The window of a pool over two axes; no stride, None or (), means the kernel's size. One-dimensional pools get a height of 1.

    Raises ArgumentTypeError for anything but whole numbers, UsageError where torch refuses the numbers.

    >>> pool_window(3, None, 1, dims=1).kernel_size
    (1, 3)
    """
    if isinstance(padding, str):
        raise ArgumentTypeError(f"padding of a pool must be a whole number or a sequence of them, not {padding!r}")
    if stride is None or (isinstance(stride, Sequence) and len(stride) == 0):
        stride = kernel_size
    window = Window.of(kernel_size, stride, padding, dilation, dims=dims, ceil_mode=ceil_mode)
    pads = sizes(padding, "padding", dims, least=0)
    if any(2 * p > k for p, k in zip(pads, window.kernel_size, strict=True)):
        raise UsageError(f"padding {pads} is over half the kernel_size {window.kernel_size}; use at most half")
    if dims == 2:
        return window
    return replace(
        window, kernel_size=(1, *window.kernel_size), stride=(1, *window.stride), padding=(0, *pads), dilation=(1, *window.dilation)
    )


def pool_batch(value: object, dims: int = 2) -> tuple[AnyArray, bool]:
    """The input `value` as a batch of planes that have cells, as `as_batch`; a batch of none is fine.

    Raises ArgumentTypeError and DoesNotFit for what no pool of torch takes.
    """
    batch, batched = as_batch(value, dims=dims)
    check_cells(batch, batch.shape[1:])
    return batch, batched


def check_cells(batch: AnyArray, counts: Sequence[int]) -> None:
    """Refuse a batch with nothing to pool: one of `counts`, part of its shape, is 0."""
    if 0 in counts:
        raise DoesNotFit(f"input of shape {batch.shape} has no cells to pool; only the batch may be empty")
