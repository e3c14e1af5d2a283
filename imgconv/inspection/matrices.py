"""A filter on a few cells as plain matrices: the kernel matrix, which multiplies the cells, and im2col, which the kernel multiplies."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imgconv.errors import DoesNotFit
from imgconv.filters.weights import pads_of
from imgconv.functional import kernel_matrix, unfold
from imgconv.images import Raster
from imgconv.inspection.pixel import channel_names
from imgconv.recipe import Filter, MapPlan
from imgconv.registry import Kernel
from imgconv.window import Window
from imgconv.windows.borders import Border, PaddedRows

MOST_CELLS = 8  # along a side: a kernel matrix has a column for every cell


@dataclass(frozen=True, eq=False)
class Matrices:
    """The matrices of one kernel on a few cells.

    `cells` (C, H, W), which include padding, start at `corner` (row, column). `kernel_matrix` (h_out*w_out, C*H*W) times the cells
    equals `taps` (C*kh*kw,) times `im2col` (C*kh*kw, h_out*w_out): both give `sums` (h_out*w_out,).
    """

    kernel: str
    channels: tuple[str, ...]
    corner: tuple[int, int]
    output_size: tuple[int, int]
    cells: NDArray[Any]
    taps: NDArray[Any]
    kernel_matrix: NDArray[Any]
    im2col: NDArray[Any]

    @property
    def sums(self) -> NDArray[Any]:
        """The sum of every window, before divisor, offset and range."""
        return self.taps @ self.im2col

    def as_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        arrays = ("cells", "taps", "kernel_matrix", "im2col", "sums")
        layout = {"kernel": self.kernel, "channels": self.channels, "corner": self.corner, "output_size": self.output_size}
        return layout | {name: getattr(self, name).tolist() for name in arrays}


def filter_matrices(image: Raster, step: Filter, at: tuple[int, int]) -> list[Matrices]:
    """Return the matrices of every kernel of `step` on the result of `filter_input`.

    An image of up to 8x8 cells is used as a whole, including its padding; a larger one is cropped around the output cell `at`. Raises
    DoesNotFit for a window that spans more than 8x8 cells.
    """
    return [_matrices(image, step, plan, kernel, at) for plan in step.maps for kernel in plan.kernels]


def _matrices(image: Raster, step: Filter, plan: MapPlan, kernel: Kernel, at: tuple[int, int]) -> Matrices:
    window = step.window(plan)
    if max(window.span) > MOST_CELLS:
        span = "x".join(map(str, window.span))
        raise DoesNotFit(f"--matrix prints up to {MOST_CELLS}x{MOST_CELLS} cells, kernel {kernel.name} spans {span}; use a smaller one")
    colours = image.channels - image.alpha if plan.sums_channels else 1
    cells, corner = _cells(image, step, plan, kernel, at)
    planes = np.ascontiguousarray(cells[..., :colours].transpose(2, 0, 1), dtype=np.float64)
    taps = np.asarray(kernel.taps[..., ::-1, ::-1] if step.flip else kernel.taps).reshape(colours, *kernel.kernel_size)
    spread = np.zeros((1, colours, *window.span))
    spread[..., :: window.dilation[0], :: window.dilation[1]] = taps
    stride = (window.stride[0], window.stride[1])
    columns = unfold(planes, kernel.kernel_size, (window.dilation[0], window.dilation[1]), 0, stride)
    h_out, w_out = ((n - span) // s + 1 for n, span, s in zip(planes.shape[1:], window.span, stride, strict=True))
    names = channel_names(colours, alpha=False) if plan.sums_channels else channel_names(image.channels, alpha=image.alpha)[:1]
    matrix = kernel_matrix(spread, planes.shape, stride)
    return Matrices(kernel.name, names, corner, (h_out, w_out), planes, taps.ravel(), matrix, columns)


def _cells(image: Raster, step: Filter, plan: MapPlan, kernel: Kernel, at: tuple[int, int]) -> tuple[NDArray[Any], tuple[int, int]]:
    """The whole padded image if it is small, else the cells under a few windows around `at`, and the position of the first cell."""
    window = step.window(plan)
    pads = pads_of(kernel, window, image.size, flip=step.flip)
    height, _, channels = image.pixels.shape
    padded = PaddedRows(image.pixels.reshape(height, -1), pads, Border.of(step.padding_mode), channels)
    totals = (padded.shape[0], padded.shape[1] // channels)
    parts = [(0, total) for total in totals]
    if max(image.size) > MOST_CELLS:
        parts = [_part(window, axis, at[axis], total) for axis, total in enumerate(totals)]
    (top, rows), (left, columns) = parts
    cells = padded.band(top, top + rows).reshape(rows, -1, channels)[:, left : left + columns]
    return cells, (top - pads[0][0], left - pads[1][0])


def _part(window: Window, axis: int, at: int, total: int) -> tuple[int, int]:
    """The first padded cell and the number of cells under up to three windows along an axis, among them the window `at`."""
    stride, span = window.stride[axis], window.span[axis]
    fitting = (min(MOST_CELLS, total) - span) // stride
    windows = min(max(fitting, 0), 2) + 1
    last = (total - span) // stride
    first = min(max(at - windows // 2, 0), last - windows + 1)
    return first * stride, span + (windows - 1) * stride
