"""The arithmetic of one cell of a network's last step, from the maps that the steps before it compute."""

from dataclasses import replace
from typing import Any, assert_never

import numpy as np
from numpy.typing import NDArray

from imgconv.errors import UsageError
from imgconv.images import Raster
from imgconv.inspection.cells import Patch, filter_patch, pool_patch
from imgconv.inspection.explanation import (
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
from imgconv.inspection.pool_arithmetic import explain_channel
from imgconv.modes import PoolMode
from imgconv.process import shape_of
from imgconv.process.network import results_of
from imgconv.recipe import Network
from imgconv.recipe.operations import WeightedSum, WindowPool, WindowSums
from imgconv.recipe.operations.elementwise import Scale
from imgconv.recipe.parsing import Step
from imgconv.windows.borders import Border

FLOAT32 = 1e-5  # of the sum of absolute products: the tolerance of a layer's sums, as the functional calls promise
IDENTITY = Step("scale", "scale 1", Scale(1.0))

Array = NDArray[Any]
Cell = tuple[int, int]


def explain_network(image: Raster, network: Network, at: Cell) -> list[MapValue]:
    """How the cell `at` (row, column) of every map of the last step is computed; values are those of the step, before any range.

    Raises UsageError for a last step that is neither a convolution nor a pool.
    """
    step = network.steps[-1]
    arithmetic = step.operation.arithmetic(network.shapes(shape_of(image))[-2][0])
    if arithmetic is None:
        raise UsageError(f"explain is for a conv or a pool; the last step is {step.text}, leave it out")
    before = replace(network, steps=network.steps[:-1] or (IDENTITY,), keep=(), sheet=False, only=None)
    maps = np.ascontiguousarray(results_of([image], before)[0][0].transpose(1, 2, 0))
    values = results_of([image], replace(network, keep=(), sheet=False, only=None))[0][0][:, at[0], at[1]].tolist()
    match arithmetic:
        case WindowSums():
            return _sums(arithmetic, step.op, maps, values, at)
        case WindowPool():
            return [_pool(arithmetic, step.op, maps, values, at)]
        case _:
            assert_never(arithmetic)


def _sums(arithmetic: WindowSums, op: str, maps: Array, values: list[float], at: Cell) -> list[MapValue]:
    window, names = arithmetic.window, channel_names(maps.shape[2], alpha=False)
    patch = filter_patch(maps, window, window.pads(maps.shape[:2]), Border.of(arithmetic.padding_mode), at)
    channels = [_channel(each, patch, names, value) for each, value in zip(arithmetic.sums, values, strict=True)]
    return [MapValue(f"{op} map {output}", patch, (channel,)) for output, channel in enumerate(channels, 1)]


def _channel(weighted: WeightedSum, patch: Patch, names: tuple[str, ...], value: float) -> ChannelValue:
    bias, inputs = weighted.bias, weighted.inputs
    products = tuple(Product(names[c], patch.values[..., c], taps) for c, taps in zip(inputs, weighted.weights, strict=True))
    tolerance = FLOAT32 * (abs(bias) + sum(float(np.abs(product.products).sum()) for product in products))
    member = Member(f"kernel {weighted.kernel + 1}", products, _stages(products, bias))
    channel = ", ".join(names[c] for c in inputs) if len(inputs) < len(names) else "all channels"
    return ChannelValue(channel, (member,), (), value, tolerance=tolerance)


def _stages(products: tuple[Product, ...], bias: float) -> tuple[Stage, ...]:
    total = sum(product.sum for product in products)
    stage = Stage("sum", products_text(products[0]) if len(products) == 1 else channel_sums_text(products), total)
    return (stage, Stage("bias", f"{number(total)} + {number(bias)}", total + bias)) if bias else (stage,)


def _pool(arithmetic: WindowPool, op: str, maps: Array, values: list[float], at: Cell) -> MapValue:
    patch = pool_patch(maps, arithmetic.window, arithmetic.window.pads(maps.shape[:2]), at)
    count = int(np.count_nonzero(~patch.padded))
    divisor = arithmetic.divisor(patch.rows, patch.columns, maps.shape[:2], count)
    channels = []
    for c, (name, value) in enumerate(zip(channel_names(maps.shape[2], alpha=False), values, strict=True)):
        cells = patch.values[..., c]
        tolerance = FLOAT32 * float(np.abs(cells[~patch.padded]).sum() / abs(divisor)) if count else 0.0
        mode = PoolMode(arithmetic.mode)
        channels.append(explain_channel(name, cells, patch.padded, mode, value, tolerance=tolerance, divisor=divisor))
    return MapValue(op, patch, tuple(channels))
