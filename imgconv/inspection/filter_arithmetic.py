"""One output pixel of a filter, from the cells under its kernels to the number that is written."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imgconv.filters.color import to_linear, to_srgb, white
from imgconv.filters.output_range import Combination, combine
from imgconv.filters.weights import anchor_of, pads_of
from imgconv.images import Raster
from imgconv.inspection.cells import Patch, filter_input, filter_patch
from imgconv.inspection.explanation import (
    LISTED,
    ChannelValue,
    MapValue,
    Member,
    Product,
    Stage,
    channel_names,
    channel_sums_text,
    number,
    products_text,
)
from imgconv.process import Map, process
from imgconv.recipe import Filter, MapPlan, Postprocess, Recipe
from imgconv.registry import Kernel
from imgconv.windows.borders import Border

FLOAT32 = 1e-6  # of the sum of absolute products: what sums in float32 may be off


class FilterArithmetic:
    """The map `plan` of a filter `step`, at the output pixel `at` (row, column)."""

    def __init__(self, image: Raster, step: Filter, plan: MapPlan, postprocess: Postprocess, at: tuple[int, int]):
        self.image, self.step, self.plan, self.postprocess, self.at = image, step, plan, postprocess, at
        self.given = filter_input(image, grey=step.grey, alpha=step.keeps_alpha(plan))
        self.dtype, self.white = self.given.pixels.dtype, white(self.given.pixels.dtype)
        self.range = step.range or plan.range
        self.weighed = self.given.alpha and step.alpha_rule(plan) == "filter"
        self.patches = [self._patch(kernel) for kernel in plan.kernels]

    def explained(self, made: Map) -> MapValue:
        """The whole way to the pixel of the finished map `made`."""
        pixel = made.image.pixels[self.at]
        names = ("all channels",) if self.plan.sums_channels else channel_names(self.given.channels, alpha=self.given.alpha)
        channels = tuple(self._channel(name, c, float(pixel[c])) for c, name in enumerate(names))
        return MapValue(made.name, self.patches[0], channels)

    def _patch(self, kernel: Kernel) -> Patch:
        window = self.step.window(self.plan)
        pads = pads_of(kernel, window, self.given.size, flip=self.step.flip)
        patch = filter_patch(self.given.pixels, window, pads, Border.of(self.step.padding_mode), self.at)
        return replace(patch, values=self._weighed(self._lit(patch.values)))

    def _lit(self, cells: NDArray[Any]) -> NDArray[Any]:
        """Cells in linear light where that is asked for; alpha is no light."""
        if not self.step.linear:
            return cells
        light = to_linear(cells, self.dtype)
        if self.given.alpha:
            light[..., -1] = cells[..., -1]
        return light

    def _weighed(self, cells: NDArray[Any]) -> NDArray[Any]:
        """Colours times alpha, from 0 to 1, where alpha is filtered with them."""
        if not self.weighed:
            return cells
        values = cells.astype(np.float64)
        values[..., :-1] *= values[..., -1:] / self.white
        return values

    def _channel(self, name: str, channel: int, written: float) -> ChannelValue:
        if name == "alpha" and not self.weighed:
            return ChannelValue(name, (), (self._alpha_under_anchor(),), written)
        members = tuple(self._member(n, kernel, name, channel) for n, kernel in enumerate(self.plan.kernels))
        stages: list[Stage] = self._combined(members)
        value = stages[-1].value if stages else members[0].value
        if name != "alpha":
            stages += self._ranged(value)
        if self.dtype.kind == "u" and self.range != "raw":
            value = stages[-1].value if stages else value
            shown = float(np.rint(np.clip(value, 0, self.white)))
            stages.append(Stage("rounded", f"half to even, from 0 to {number(self.white)}", shown))
        if name != "alpha":
            stages += self._looked(stages[-1].value if stages else value)
        whole = self.dtype.kind == "u" and self.range != "raw"
        off = 0.0 if whole else FLOAT32 * max(1.0, *(float(np.abs(p.products).sum()) for m in members for p in m.products))
        return ChannelValue(name, members, tuple(stages), written, tolerance=off)

    def _member(self, index: int, kernel: Kernel, name: str, channel: int) -> Member:
        taps = np.asarray(kernel.taps[..., ::-1, ::-1] if self.step.flip else kernel.taps)
        values = self.patches[index].values
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

    def _after_sum(self, index: int, kernel: Kernel, value: float) -> list[Stage]:
        """Divisor, alpha, offset and bias, each where it changes anything."""
        stages = []
        if kernel.divisor != 1:
            told, value = f"{number(value)} / {number(kernel.divisor)}", value / kernel.divisor
            stages.append(Stage("divisor", told, value))
        if self.weighed:
            share = self._alpha(index, kernel) / self.white
            told, value = f"{number(value)} / {number(share)} opaque", value / share if share else 0.0
            stages.append(Stage("alpha", told, value))
            if not share:
                return stages
        for name, more in (("offset", self._levels(kernel.offset)), ("bias", kernel.bias)):
            if more:
                told, value = f"{number(value)} + {number(more)}", value + more
                stages.append(Stage(name, told, value))
        return stages

    def _alpha(self, index: int, kernel: Kernel) -> float:
        """Alpha that is filtered with the kernel scaled to sum 1, so that opaque stays opaque."""
        taps = kernel.taps[::-1, ::-1] if self.step.flip else kernel.taps
        return float(np.clip((self.patches[index].values[..., -1] * taps).sum() / kernel.taps.sum(), 0, self.white))

    def _alpha_under_anchor(self) -> Stage:
        kernel, patch = self.plan.kernels[0], self.patches[0]
        down, across = anchor_of(kernel, flip=self.step.flip)
        row, column = (int(np.clip(at, 0, n - 1)) for at, n in zip((patch.rows[down], patch.columns[across]), self.given.size, strict=True))
        return Stage("alpha", f"as it is at {column},{row}", float(self.given.pixels[row, column, -1]))

    def _combined(self, members: tuple[Member, ...]) -> list[Stage]:
        """Of the members of a bank, one value."""
        how = self.plan.combine
        if how == "none":
            return []
        values = [member.value for member in members]
        value = float(combine([np.array([each]) for each in values], Combination(how, self.plan.subspace), self.white)[0])
        return [Stage(how, _combination(how, values, self.plan.subspace, self.white), value)]

    def _ranged(self, value: float) -> list[Stage]:
        if self.range == "abs":
            return [Stage("range abs", f"|{number(value)}|", abs(value))]
        if self.range == "offset":
            middle = self._levels(128)
            return [Stage("range offset", f"{number(value)} + {number(middle)}", value + middle)]
        if self.range == "minmax":
            low, high = self._extremes()
            told = f"({number(value)} - {number(low)}) * {number(self.white)} / ({number(high)} - {number(low)})"
            return [Stage("range minmax", told, (value - low) * self.white / ((high - low) or 1))]
        if self.range == "clip" and self.step.linear:
            return [Stage("sRGB", f"from light {number(value)}", float(to_srgb(np.array([value]), self.white)[0]))]
        return []

    def _extremes(self) -> tuple[float, float]:
        """The lowest and highest finite value of all colours of the whole map."""
        raw = replace(self.step, maps=(self.plan,), range="raw")
        pixels = process(self.image, Recipe("raw", raw), floats=True)[0].image.pixels
        colours = pixels[..., :-1] if self.given.alpha else pixels
        finite = colours[np.isfinite(colours)]
        return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)

    def _looked(self, value: float) -> list[Stage]:
        stages = []
        if self.postprocess.threshold is not None:
            over = value >= self.postprocess.threshold
            told = f"{number(value)} {'>=' if over else '<'} {number(self.postprocess.threshold)}"
            value = self.white if over else 0.0
            stages.append(Stage("threshold", told, value))
        if self.postprocess.invert:
            stages.append(Stage("invert", f"{number(self.white)} - {number(value)}", self.white - value))
        return stages

    def _levels(self, offset: float) -> float:
        """8-bit levels in those of the image."""
        return offset * {"uint8": 1.0, "uint16": 256.0}.get(self.dtype.name, 1 / 256)


def _combination(how: str, values: list[float], subspace: int, top: float) -> str:
    if len(values) > LISTED:
        return f"of {len(values)} values"
    if how in ("max", "sum"):
        return (", " if how == "max" else " + ").join(f"|{number(value)}|" for value in values)
    squares = [f"({number(value)})^2" for value in values]
    if how == "hypot":
        return f"sqrt({' + '.join(squares)})"
    return f"{number(top)} * sqrt(({' + '.join(squares[:subspace])}) / ({' + '.join(squares)}))"
