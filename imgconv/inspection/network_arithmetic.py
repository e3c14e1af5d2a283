"""The arithmetic of one cell of a network's last step, from the maps that the steps before it compute."""

from dataclasses import replace
from typing import Any, assert_never

import numpy as np
from numpy.typing import NDArray

from imgconv.errors import UsageError
from imgconv.filters.normalisation import is_zero_sum
from imgconv.images import Raster
from imgconv.inspection.pixel import (
    LISTED,
    ChannelValue,
    MapValue,
    Member,
    Patch,
    Product,
    Stage,
    cell_patch,
    channel_names,
    channel_sums_text,
    mask_of,
    number,
    products_text,
)
from imgconv.inspection.pool_arithmetic import explain_channel
from imgconv.process.network import results_of
from imgconv.recipe import Network
from imgconv.recipe.network import Step
from imgconv.recipe.operations import Formula, Pooled, Sums, WeightedSum
from imgconv.recipe.operations.elementwise import Grey, Scale
from imgconv.recipe.operations.operation import Term
from imgconv.windows.borders import Border

FLOAT32 = 1e-5  # of the sum of absolute products: the tolerance of a layer's sums, as the functional calls promise
IDENTITY, GREY = Step("scale", "scale 1", Scale(1.0)), Step("grey", "grey", Grey())

Array = NDArray[Any]
Cell = tuple[int, int]


def explain_network(image: Raster, network: Network, at: Cell) -> list[MapValue]:
    """How the cell `at` (row, column) of every map of the last step is computed; values are those of the step, before any range.

    A vector is a map of one row. Raises UsageError for a last step without arithmetic.
    """
    step = network.steps[-1]
    steps = network.steps[:-1] or (GREY if network.grey else IDENTITY,)
    before, after = (
        results_of([image], replace(network, steps=each, keep=(), sheet=False, only=None))[0][0] for each in (steps, network.steps)
    )
    arithmetic = step.operation.arithmetic(before.shape, at)
    if arithmetic is None:
        raise UsageError(f"explain has no arithmetic for the last step, {step.text}; leave it out")
    maps, values = _maps(before), _maps(after)[:, at[0], at[1]].tolist()
    border = Border.of("zeros" if isinstance(arithmetic, Formula) else arithmetic.padding_mode or "zeros")
    patch = cell_patch(maps.transpose(1, 2, 0), arithmetic.rows, arithmetic.columns, border)
    match arithmetic:
        case Sums():
            sampled = patch if arithmetic.sampled is None else replace(patch, values=arithmetic.sampled(maps))
            return _sums(arithmetic, step.op, sampled, values, image.valid is not None)
        case Pooled():
            return [_pool(arithmetic, step.op, patch, values)]
        case Formula():
            return [_formula(arithmetic, step.op, patch, values)]
        case _:
            assert_never(arithmetic)


def _maps(result: Array) -> Array:
    """A result as (C, H, W); a vector is a map of one row."""
    return result.reshape((1, 1, *result.shape)[-3:])


def _sums(arithmetic: Sums, op: str, patch: Patch, values: list[float], has_missing: bool) -> list[MapValue]:
    names = channel_names(patch.values.shape[2], alpha=False)
    channels = [_channel(each, patch, names, value, has_missing) for each, value in zip(arithmetic.sums, values, strict=True)]
    return [MapValue(f"{op} map {output}", patch, (channel,)) for output, channel in enumerate(channels, 1)]


def _channel(weighted: WeightedSum, patch: Patch, names: tuple[str, ...], value: float, has_missing: bool) -> ChannelValue:
    bias, inputs = weighted.bias, weighted.inputs
    planes = [patch.values[..., c] for c in inputs]
    if has_missing and np.isnan(planes).any():
        return _normalised(weighted, planes, [names[c] for c in inputs], value)
    products = tuple(Product(names[c], patch.values[..., c], taps) for c, taps in zip(inputs, weighted.weights, strict=True))
    tolerance = FLOAT32 * (abs(bias) + sum(float(np.abs(product.products).sum()) for product in products))
    member = Member(f"kernel {weighted.kernel + 1}", products, _stages(products, bias))
    channel = ", ".join(names[c] for c in inputs) if len(inputs) < len(names) else "all channels"
    return ChannelValue(channel, (member,), (), value, tolerance=tolerance)


def _normalised(weighted: WeightedSum, planes: list[Array], names: list[str], value: float) -> ChannelValue:
    """The sums over the valid cells, and their quotient; NaN is a missing cell."""
    known, taps = ~np.isnan(planes), np.asarray(weighted.weights, np.float64)
    weights, cells = np.where(known, taps, 0), np.where(known, planes, 0)
    products = tuple(Product(*parts) for parts in zip(names, cells, weights, strict=True))
    (summed, *_), total = _stages(products, 0.0), sum(product.sum for product in products)
    stages = [Stage("valid", f"{int(known.sum())} of {known.size} cells", float(known.sum())), summed]
    if value != value:
        stages.append(Stage("missing", "the cell itself is missing, or too few valid ones are under the window", value))
    else:
        weight, whole, result = float(weights.sum()), float(taps.sum()), total
        if not is_zero_sum(taps):
            result = total / weight * whole
            stages.append(Stage("weight", "taps over the valid cells", weight))
            stages.append(Stage("quotient", f"{number(total)} / {number(weight)} * {number(whole)}", result))
        stages += [Stage("bias", f"{number(result)} + {number(weighted.bias)}", result + weighted.bias)] if weighted.bias else []
    tolerance = FLOAT32 * (abs(weighted.bias) + abs(value) + sum(float(np.abs(product.products).sum()) for product in products))
    member = Member(f"kernel {weighted.kernel + 1}", products, tuple(stages))
    return ChannelValue(", ".join(names), (member,), (), value, tolerance=tolerance)


def _stages(products: tuple[Product, ...], bias: float) -> tuple[Stage, ...]:
    total = sum(product.sum for product in products)
    stage = Stage("sum", products_text(products[0]) if len(products) == 1 else channel_sums_text(products), total)
    return (stage, Stage("bias", f"{number(total)} + {number(bias)}", total + bias)) if bias else (stage,)


def _pool(arithmetic: Pooled, op: str, patch: Patch, values: list[float]) -> MapValue:
    used = np.ones(patch.padded.shape, bool) if arithmetic.window is None else mask_of(arithmetic.window)
    patch = replace(patch, used=used & ~patch.padded if arithmetic.padding_mode is None else used)
    names = channel_names(len(values), alpha=False)
    channels = [explain_channel(name, patch, c, arithmetic.mode, values[c], arithmetic.divisor) for c, name in enumerate(names)]
    return MapValue(op, patch, tuple(channels))


def _formula(arithmetic: Formula, op: str, patch: Patch, values: list[float]) -> MapValue:
    channels = []
    for c, (name, value) in enumerate(zip(channel_names(len(values), alpha=False), values, strict=True)):
        terms = arithmetic.terms(patch.values, c)
        tolerance = FLOAT32 * max(abs(number) for term in terms for number in (term.value, *term.operands))
        channels.append(ChannelValue(name, (), tuple(_stage(term, op) for term in terms), value, tolerance=tolerance))
    return MapValue(op, patch, tuple(channels))


def _stage(term: Term, op: str) -> Stage:
    few = len(term.operands) <= LISTED
    return Stage(term.name or op, term.text.format(*map(number, term.operands)) if few else f"of {len(term.operands)} values", term.value)
