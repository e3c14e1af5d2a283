"""One output pixel of a filter, from the cells under its kernels to the value that the command writes."""

from dataclasses import dataclass, replace
from typing import Any, assert_never

import numpy as np
from numpy.typing import NDArray

from imgconv.arrays import Array
from imgconv.errors import DoesNotFit
from imgconv.filters.color import from_linear, level_scale, max_value_of, to_linear
from imgconv.filters.normalisation import is_zero_sum
from imgconv.filters.output_range import Combination, combine, finite_extremes
from imgconv.filters.weights import anchor_of, pads_of
from imgconv.functional import kernel_matrix, unfold
from imgconv.images import Raster, transfer_of
from imgconv.inspection.pixel import (
    LISTED,
    ChannelValue,
    MapValue,
    Member,
    Patch,
    Product,
    Stage,
    channel_names,
    channel_sums_text,
    filter_input,
    filter_patch,
    number,
    products_text,
)
from imgconv.modes import CombineMode, MissingMode, MissingRule, Range
from imgconv.process import Map, process, straight_pixels
from imgconv.recipe import Filter, MapPlan, Postprocess, Recipe
from imgconv.registry import Kernel
from imgconv.window import Window
from imgconv.windows.borders import Border, PaddedRows

FLOAT32 = 1e-6  # of the sum of absolute products: the tolerance of sums in float32
MOST_CELLS = 8  # along a side: a kernel matrix has a column for every cell


class FilterArithmetic:
    """The map `plan` of a filter `step`, at the output pixel `at` (row, column)."""

    def __init__(self, image: Raster, step: Filter, plan: MapPlan, postprocess: Postprocess, at: tuple[int, int]):
        self.image, self.step, self.plan, self.postprocess, self.at = image, step, plan, postprocess, at
        self.input = filter_input(image, grey=step.grey, alpha=step.keeps_alpha(plan))
        self.dtype = self.input.pixels.dtype
        self.max_value = max_value_of(self.dtype)
        is_stored = image.premultiplied and self.input.alpha and not step.grey
        self.pixels = straight_pixels(image, np.dtype(np.float64)) if is_stored else self.input.pixels
        self.range = Range(step.range or plan.range)
        self.rounded = self.dtype.kind == "u" and not self.range.floats
        self.filters_alpha = self.input.alpha and step.alpha_rule(plan) == "filter"
        self.patches = [self._patch(kernel) for kernel in plan.kernels]
        self.known = None if self.input.valid is None else [self._known(kernel, self.input.valid) for kernel in plan.kernels]

    def explained(self, output: Map) -> MapValue:
        """The explanation of the pixel of the finished map `output`."""
        pixel = output.image.pixels[self.at]
        names = ("all channels",) if self.plan.sums_channels else channel_names(self.input.channels, alpha=self.input.alpha)
        valid = output.image.valid
        missing = () if valid is None else np.flatnonzero(valid[self.at][: len(names)] == 0)
        channels = tuple(self._channel(name, c, float(pixel[c]), is_missing=c in missing) for c, name in enumerate(names))
        return MapValue(output.name, self.patches[0], channels)

    def _patch(self, kernel: Kernel) -> Patch:
        window = self.step.window(self.plan)
        pads = pads_of(kernel, window, self.input.size, flip=self.step.flip)
        patch = filter_patch(self.pixels, window, pads, Border.of(self.step.padding_mode), self.at)
        return replace(patch, values=self._premultiplied(self._linear(patch.values)))

    def _known(self, kernel: Kernel, valid: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Which cells under a kernel are valid, (kh, kw, C); those that zeros and constant add are."""
        window, mode = self.step.window(self.plan), Border.of(self.step.padding_mode).mode
        pads = pads_of(kernel, window, self.input.size, flip=self.step.flip)
        return filter_patch(valid, window, pads, Border(mode, 1.0), self.at).values != 0

    def _linear(self, cells: Array) -> Array:
        """Cells in linear light if the step filters that; alpha is unchanged."""
        if not self.step.linear:
            return cells
        linear = to_linear(cells, self.dtype, transfer_of(self.input.metadata))
        if self.input.alpha:
            linear[..., -1] = cells[..., -1]
        return linear

    def _premultiplied(self, cells: Array) -> Array:
        """Colours times alpha, from 0 to 1, where alpha is filtered with them."""
        if not self.filters_alpha:
            return cells
        values = cells.astype(np.float64)
        values[..., :-1] *= values[..., -1:] / self.max_value
        return values

    def _channel(self, name: str, channel: int, written: float, *, is_missing: bool = False) -> ChannelValue:
        if name == "alpha" and not self.filters_alpha:
            stage = Stage("missing", missing_text(self.step.rule), written) if is_missing else self._alpha_under_anchor()
            return ChannelValue(name, (), (stage,), written)
        members = tuple(self._member(n, kernel, name, channel) for n, kernel in enumerate(self.plan.kernels))
        if is_missing:
            return ChannelValue(name, members, (Stage("missing", missing_text(self.step.rule), written),), written)
        stages = self._combined(members)
        value = stages[-1].value if stages else members[0].value
        if name != "alpha":
            stages += self._with_range(value)
            value = stages[-1].value if stages else value
        if self.rounded:
            value = float(np.rint(np.clip(value, 0, self.max_value)))
            stages.append(Stage("rounded", f"half to even, from 0 to {number(self.max_value)}", value))
        if name != "alpha":
            stages += self._postprocessed(value)
        tolerance = FLOAT32 * max(1.0, *(float(np.abs(p.products).sum()) for m in members for p in m.products))
        return ChannelValue(name, members, tuple(stages), written, tolerance=0.0 if self.rounded else tolerance)

    def _member(self, index: int, kernel: Kernel, name: str, channel: int) -> Member:
        taps = np.asarray(kernel.taps[..., ::-1, ::-1] if self.step.flip else kernel.taps)
        values = self.patches[index].values
        if self.known is not None:
            return self._normalised(index, kernel, name, channel, taps)
        if self.plan.sums_channels:
            names = channel_names(len(taps), alpha=False)
            products = tuple(Product(each, values[..., c], taps[c]) for c, each in enumerate(names))
            total = sum(product.sum for product in products)
            stages = [Stage("sum", channel_sums_text(products), total)]
        else:
            products = (Product(name, values[..., channel], taps),)
            stages = [Stage("sum", products_text(products[0]), products[0].sum)]
        if name == "alpha":
            stages.append(Stage("share", f"{number(stages[-1].value)} / {number(float(taps.sum()))}", self._alpha(index, kernel)))
        else:
            stages += self._after_sum(index, kernel, stages[-1].value)
        return Member(kernel.name, products, tuple(stages))

    def _normalised(self, index: int, kernel: Kernel, name: str, channel: int, taps: Array) -> Member:
        """The sum over the valid cells, the sum of the taps that are over them, and their quotient."""
        known = np.asarray(self.known)[index].transpose(2, 0, 1) if self.known is not None else np.ones(taps.shape, bool)
        chosen = known[: len(taps)] if self.plan.sums_channels else known[channel : channel + 1]
        cells = self.patches[index].values.transpose(2, 0, 1)
        cells = cells[: len(taps)] if self.plan.sums_channels else cells[channel : channel + 1]
        weights = np.where(chosen, taps, 0.0)  # a missing cell has no part in any sum
        names = channel_names(len(cells), alpha=False) if self.plan.sums_channels else [name]
        each = zip(names, np.where(chosen, cells, 0), weights, strict=True)
        products = tuple(Product(*parts) for parts in each)
        total, weight, whole = sum(product.sum for product in products), float(weights.sum()), float(np.asarray(taps).sum())
        text = channel_sums_text(products) if self.plan.sums_channels else products_text(products[0])
        stages = [Stage("valid", f"{int(chosen.sum())} of {chosen.size} cells", float(chosen.sum())), Stage("sum", text, total)]
        if self.step.rule.mode is MissingMode.propagate or is_zero_sum(np.asarray(taps)):
            touched = not (chosen | (np.asarray(taps == 0) & (self.step.rule.mode is not MissingMode.propagate))).all()
            stages += [Stage("missing", "a missing cell is under the kernel", float("nan"))] if touched else []
        else:
            stages.append(Stage("weight", "taps over the valid cells", weight))
            value = total / weight * whole if weight else float("nan")
            stages.append(Stage("quotient", f"{number(total)} / {number(weight)} * {number(whole)}", value))
        if name == "alpha":
            share = float(np.clip(stages[-1].value / whole, 0, self.max_value))
            return Member(kernel.name, products, (*stages, Stage("share", f"{number(stages[-1].value)} / {number(whole)}", share)))
        return Member(kernel.name, products, (*stages, *self._after_sum(index, kernel, stages[-1].value)))

    def _after_sum(self, index: int, kernel: Kernel, value: float) -> list[Stage]:
        """Divisor, alpha, offset and bias, where they change the value."""
        stages = []
        if kernel.divisor != 1:
            text, value = f"{number(value)} / {number(kernel.divisor)}", value / kernel.divisor
            stages.append(Stage("divisor", text, value))
        if self.filters_alpha:
            share = self._alpha(index, kernel) / self.max_value
            text, value = f"{number(value)} / {number(share)} opaque", value / share if share else 0.0
            stages.append(Stage("alpha", text, value))
            if not share:
                return stages
        for name, more in (("offset", kernel.offset * level_scale(self.dtype)), ("bias", kernel.bias)):
            if more:
                text, value = f"{number(value)} + {number(more)}", value + more
                stages.append(Stage(name, text, value))
        return stages

    def _alpha(self, index: int, kernel: Kernel) -> float:
        """Alpha, filtered with the kernel scaled to sum 1, so that opaque stays opaque."""
        taps = kernel.taps[::-1, ::-1] if self.step.flip else kernel.taps
        values = self.patches[index].values[..., -1]
        if self.known is not None:
            taps, values = np.where(self.known[index][..., -1], taps, 0.0), np.where(self.known[index][..., -1], values, 0)
        return float(np.clip((values * taps).sum() / taps.sum(), 0, self.max_value)) if taps.sum() else 0.0

    def _alpha_under_anchor(self) -> Stage:
        kernel, patch = self.plan.kernels[0], self.patches[0]
        down, across = anchor_of(kernel, flip=self.step.flip)
        row, column = (int(np.clip(at, 0, n - 1)) for at, n in zip((patch.rows[down], patch.columns[across]), self.input.size, strict=True))
        return Stage("alpha", f"as it is at {column},{row}", float(self.input.pixels[row, column, -1]))

    def _combined(self, members: tuple[Member, ...]) -> list[Stage]:
        """The combination of the members of a bank."""
        combination = Combination(CombineMode(self.plan.combine), self.plan.subspace)
        if combination.mode is CombineMode.none:
            return []
        values = [member.value for member in members]
        value = float(combine([np.array([each]) for each in values], combination, self.max_value)[0])
        return [Stage(combination.mode, _combination_text(combination, values, self.max_value), value)]

    def _with_range(self, value: float) -> list[Stage]:
        """The arithmetic of the range, in the order of `RangeArithmetic`; levels for linear light."""
        stages = []
        absolute, added, stretched = self.range.arithmetic
        if absolute:
            text, value = f"|{number(value)}|", abs(value)
            stages.append(Stage(f"range {self.range}", text, value))
        if added:
            more = added * level_scale(self.dtype)
            text, value = f"{number(value)} + {number(more)}", value + more
            stages.append(Stage(f"range {self.range}", text, value))
        if stretched:
            low, high = self._extremes()
            text = f"({number(value)} - {number(low)}) * {number(self.max_value)} / ({number(high)} - {number(low)})"
            value = (value - low) * self.max_value / ((high - low) or 1)
            stages.append(Stage(f"range {self.range}", text, value))
        if self.range.bounded and self.step.linear:
            transfer = transfer_of(self.input.metadata)
            level = float(from_linear(np.array([value]), self.max_value, transfer)[0])
            stages.append(Stage(transfer.name if transfer else "sRGB", f"from light {number(value)}", level))
        return stages

    def _extremes(self) -> tuple[float, float]:
        """The lowest and highest finite value of all colours of the whole map."""
        raw = replace(self.step, maps=(self.plan,), range=Range.raw)
        output = process(self.image, Recipe("raw", raw), floats=True)[0].image
        pixels = output.pixels if output.valid is None else np.where(output.valid, output.pixels, np.nan)
        return finite_extremes(pixels[..., :-1] if self.input.alpha else pixels) or (0.0, 0.0)

    def _postprocessed(self, value: float) -> list[Stage]:
        stages, threshold = [], self.postprocess.threshold
        if threshold is not None:
            text = f"{number(value)} {'>=' if value >= threshold else '<'} {number(threshold)}"
            value = self.max_value if value >= threshold else 0.0
            stages.append(Stage("threshold", text, value))
        if self.postprocess.invert:
            stages.append(Stage("invert", f"{number(self.max_value)} - {number(value)}", self.max_value - value))
        return stages


def missing_text(rule: MissingRule) -> str:
    """Why a result is missing."""
    match rule.mode:
        case MissingMode.keep:
            return "the cell itself is missing, or too few valid ones are under the window"
        case MissingMode.fill:
            return "too few valid cells are under the window, or a missing one under a kernel of sum 0"
        case MissingMode.propagate:
            return "a missing cell is under the window"
        case _:
            assert_never(rule.mode)


def _combination_text(combination: Combination, values: list[float], largest: float) -> str:
    if len(values) > LISTED:
        return f"of {len(values)} values"
    sizes, squares = [f"|{number(value)}|" for value in values], [f"({number(value)})^2" for value in values]
    match combination.mode:
        case CombineMode.none | CombineMode.max:
            return ", ".join(sizes)
        case CombineMode.sum:
            return " + ".join(sizes)
        case CombineMode.hypot:
            return f"sqrt({' + '.join(squares)})"
        case CombineMode.projection:
            return f"{number(largest)} * sqrt(({' + '.join(squares[: combination.subspace])}) / ({' + '.join(squares)}))"
        case _:
            assert_never(combination.mode)


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
