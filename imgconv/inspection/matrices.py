"""A filter on a few cells as plain matrices: the kernel matrix, which multiplies the cells, and im2col, which the kernel multiplies."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imgconv.errors import DoesNotFit
from imgconv.filters.weights import pads_of
from imgconv.functional import kernel_matrix, unfold
from imgconv.images import Raster
from imgconv.inspection.explanation import channel_names
from imgconv.recipe import Filter, MapPlan
from imgconv.registry import Kernel
from imgconv.window import Window
from imgconv.windows.borders import Border, PaddedRows

Numbers = NDArray[Any]
MOST_CELLS = 8  # along a side: a kernel matrix has a column for every cell


@dataclass(frozen=True, eq=False)
class Matrices:
    """One kernel on a few cells.

    `cells` (C, H, W) begin at `corner` (row, column), padding included; `kernel_matrix` (h_out*w_out, C*H*W) times the cells, and
    `taps` (C*kh*kw,) times `im2col` (C*kh*kw, h_out*w_out), both give `sums` (h_out*w_out,).
    """

    kernel: str
    channels: tuple[str, ...]
    corner: tuple[int, int]
    output_size: tuple[int, int]
    cells: Numbers
    taps: Numbers
    kernel_matrix: Numbers
    im2col: Numbers

    @property
    def sums(self) -> Numbers:
        """What every window sums up to, before divisor, offset and range."""
        return self.taps @ self.im2col

    def as_json(self) -> dict[str, Any]:
        """Everything in it."""
        arrays = ("cells", "taps", "kernel_matrix", "im2col", "sums")
        place = {"kernel": self.kernel, "channels": self.channels, "corner": self.corner, "output_size": self.output_size}
        return place | {name: getattr(self, name).tolist() for name in arrays}


def matrices(given: Raster, step: Filter, at: tuple[int, int]) -> list[Matrices]:
    """The matrices of every kernel of `step` on what it is `given` (see `seen`); a large image is cropped around the output cell `at`.

    An image of up to 8x8 cells is taken whole, with its padding. Raises DoesNotFit for a window that spans more.
    """
    return [_of_kernel(given, step, plan, kernel, at) for plan in step.maps for kernel in plan.kernels]


def _of_kernel(given: Raster, step: Filter, plan: MapPlan, kernel: Kernel, at: tuple[int, int]) -> Matrices:
    window = step.window(plan)
    if max(window.span) > MOST_CELLS:
        most = f"{MOST_CELLS}x{MOST_CELLS}"
        raise DoesNotFit(f"--matrix prints up to {most} cells, kernel {kernel.name} spans {_by(window.span)}; use a smaller one")
    colours = given.channels - given.alpha if plan.sums_channels else 1
    cells, corner = _cells(given, step, plan, kernel, at)
    planes = np.ascontiguousarray(cells[..., :colours].transpose(2, 0, 1), dtype=np.float64)
    taps = np.asarray(kernel.taps[..., ::-1, ::-1] if step.flip else kernel.taps).reshape(colours, *kernel.kernel_size)
    spread = np.zeros((1, colours, *window.span))
    spread[..., :: window.dilation[0], :: window.dilation[1]] = taps
    stride = (window.stride[0], window.stride[1])
    made = kernel_matrix(spread, planes.shape, stride)
    columns = unfold(planes, kernel.kernel_size, (window.dilation[0], window.dilation[1]), 0, stride)
    rows, across = ((n - span) // s + 1 for n, span, s in zip(planes.shape[1:], window.span, stride, strict=True))
    names = channel_names(colours, alpha=False) if plan.sums_channels else channel_names(given.channels, alpha=given.alpha)[:1]
    return Matrices(kernel.name, names, corner, (rows, across), planes, taps.ravel(), made, columns)


def _cells(given: Raster, step: Filter, plan: MapPlan, kernel: Kernel, at: tuple[int, int]) -> tuple[Numbers, tuple[int, int]]:
    """The whole image in its padding where it is small, else the cells under a few neighbouring windows, and where they begin."""
    window = step.window(plan)
    pads = pads_of(kernel, window, given.size, flip=step.flip)
    height, _, channels = given.pixels.shape
    padded = PaddedRows(given.pixels.reshape(height, -1), pads, Border.of(step.padding_mode), channels)
    totals = (padded.shape[0], padded.shape[1] // channels)
    parts = [(0, total) for total in totals]
    if max(given.size) > MOST_CELLS:
        parts = [_part(window, axis, at[axis], total) for axis, total in enumerate(totals)]
    (top, rows), (left, columns) = parts
    cells = padded.band(top, top + rows).reshape(rows, -1, channels)[:, left : left + columns]
    return cells, (top - pads[0][0], left - pads[1][0])


def _part(window: Window, axis: int, at: int, total: int) -> tuple[int, int]:
    """First padded cell and number of cells under up to three windows along an axis, the one in question among them."""
    stride, span = window.stride[axis], window.span[axis]
    fitting = (min(MOST_CELLS, total) - span) // stride
    windows = min(max(fitting, 0), 2) + 1
    last = (total - span) // stride
    first = min(max(at - windows // 2, 0), last - windows + 1)
    return first * stride, span + (windows - 1) * stride


def _by(numbers: tuple[int, ...]) -> str:
    return "x".join(map(str, numbers))
