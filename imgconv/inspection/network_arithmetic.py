"""One cell of the last step of a network, a convolution or a pool, from the maps that the steps before it made."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imgconv.errors import UsageError
from imgconv.images import Raster
from imgconv.inspection.cells import Patch, patch_under, pool_patch
from imgconv.inspection.explanation import ChannelValue, MapValue, Member, Product, Stage, channel_names, listed, listed_sums, number
from imgconv.inspection.pool_arithmetic import listed_cells, selected
from imgconv.process.network import results_of
from imgconv.recipe import Network
from imgconv.recipe.layers import Convolution
from imgconv.recipe.operations import Scale
from imgconv.recipe.parsing import Step
from imgconv.recipe.reductions import Reduction
from imgconv.windows.borders import Border

FLOAT32 = 1e-5  # of the sum of absolute products: what a layer's sums may be off, as the functional calls promise
ITSELF = Step("scale", "scale 1", Scale(1.0))


def explain_network(image: Raster, network: Network, at: tuple[int, int]) -> list[MapValue]:
    """How the cell `at` (row, column) of every map of the last step comes about; values are those of the step, before any range."""
    step = network.steps[-1]
    if not isinstance(step.operation, Convolution | Reduction):
        raise UsageError(f"explain is for a conv or a pool; the last step is {step.text}, leave it out")
    before = replace(network, steps=network.steps[:-1] or (ITSELF,), keep=(), sheet=False, only=None)
    maps = np.ascontiguousarray(results_of([image], before)[0][0].transpose(1, 2, 0))
    values = results_of([image], replace(network, keep=(), sheet=False, only=None))[0][0][:, at[0], at[1]]
    names = channel_names(maps.shape[2], alpha=False)
    if isinstance(step.operation, Convolution):
        return _convolution(step.operation, step.op, maps, names, values, at)
    return _pool(step.operation, step.op, maps, names, values, at)


def _convolution(
    operation: Convolution, name: str, maps: NDArray[Any], names: tuple[str, ...], values: NDArray[Any], at: tuple[int, int]
) -> list[MapValue]:
    window = operation.window
    patch = patch_under(maps, window, window.pads(maps.shape[:2]), Border.of(operation.padding_mode), at)
    found = []
    for output, value in enumerate(values.tolist()):
        kernel, inputs = _sources(operation, output, len(names))
        taps = operation.weight[kernel][..., ::-1, ::-1] if operation.flip else operation.weight[kernel]
        products = tuple(Product(names[c], patch.values[..., c], plane) for c, plane in zip(inputs, taps, strict=True))
        bias = 0.0 if operation.bias is None else float(operation.bias[kernel])
        off = FLOAT32 * (abs(bias) + sum(float(np.abs(product.products).sum()) for product in products))
        member = Member(f"kernel {kernel + 1}", products, _summed(products, bias))
        channel = ", ".join(names[c] for c in inputs) if len(inputs) < len(names) else "all channels"
        told = ChannelValue(channel, (member,), (), value, tolerance=off)
        found.append(MapValue(f"{name} map {output + 1}", patch, (told,)))
    return found


def _sources(operation: Convolution, output: int, channels: int) -> tuple[int, range]:
    """Which kernel makes an output, and of which inputs."""
    if operation.each_channel:
        kernel, channel = divmod(output, channels)
        return kernel, range(channel, channel + 1)
    groups = channels if operation.groups is None else operation.groups
    width = channels // groups
    first = output * groups // len(operation.weight) * width
    return output, range(first, first + width)


def _summed(products: tuple[Product, ...], bias: float) -> tuple[Stage, ...]:
    total = sum(product.sum for product in products)
    stage = Stage("sum", listed(products[0]) if len(products) == 1 else listed_sums(products), total)
    return (stage, Stage("bias", f"{number(total)} + {number(bias)}", total + bias)) if bias else (stage,)


def _pool(
    operation: Reduction, name: str, maps: NDArray[Any], names: tuple[str, ...], values: NDArray[Any], at: tuple[int, int]
) -> list[MapValue]:
    patch = pool_patch(maps, operation.window, operation.window.pads(maps.shape[:2]), at)
    channels = [
        _averaged(operation, patch, maps.shape[:2], each, c, value)
        if operation.mode == "avg"
        else selected(each, patch.values[..., c], patch.padded, operation.mode, value)
        for c, (each, value) in enumerate(zip(names, values.tolist(), strict=True))
    ]
    return [MapValue(name, patch, tuple(channels))]


def _averaged(operation: Reduction, patch: Patch, size: tuple[int, ...], name: str, channel: int, value: float) -> ChannelValue:
    """An average as torch counts it: over the padding too, though never over what hangs beyond it, unless told otherwise."""
    cells = patch.values[..., channel]
    inside = cells[~patch.padded]
    count = len(inside)
    if operation.count_include_pad:
        pads = operation.window.pads(size)
        ends = [cells + after for cells, (_, after) in zip(size, pads, strict=True)]
        count = sum(row < ends[0] for row in patch.rows) * sum(column < ends[1] for column in patch.columns)
    count = operation.divisor_override or count
    total = float(inside.astype(np.float64).sum())
    stages = (Stage("sum", listed_cells(inside, " + "), total), Stage("average", f"{number(total)} / {count}", total / count))
    off = FLOAT32 * float(np.abs(inside).sum() / abs(count)) if inside.size else 0.0
    return ChannelValue(name, (), stages, value, cells, ~patch.padded, tolerance=off)
