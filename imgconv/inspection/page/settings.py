"""The settings of a page: a recipe, the registry and the modes as JSON values that the script reads."""

from base64 import b64encode
from collections.abc import Sequence
from typing import Any

import numpy as np

from imgconv.arrays import Array
from imgconv.errors import UsageError
from imgconv.filters.canny import HIGH, LOW
from imgconv.filters.color import max_value_of
from imgconv.inspection.pixel import mask_of
from imgconv.modes import AlphaRule, MissingMode, PaddingMode, PoolMode, Range
from imgconv.recipe import Canny, Filter, MapPlan, Network, Pool, Recipe
from imgconv.recipe.network import Step
from imgconv.recipe.operations import Operation
from imgconv.recipe.operations.conv import Convolution, TransposedConvolution
from imgconv.recipe.operations.deform import DeformableConvolution, TapNumbers
from imgconv.recipe.operations.elementwise import Combine, Grey, Normalize
from imgconv.recipe.operations.morphology import Morphing
from imgconv.recipe.operations.pad import Pad
from imgconv.recipe.operations.pool import AdaptivePooling, Pooling
from imgconv.recipe.operations.vector import Flatten, Linear, Softmax
from imgconv.recipe.references import plan_maps
from imgconv.registry import Kernel, Registry
from imgconv.window import Window, sizes

LARGEST_KERNEL = 33  # along a side, in the menu: gabor
EVERY_VALUE = ("scale", "relu", "leaky_relu", "sigmoid", "tanh", "abs", "normalize")
Settings = dict[str, Any]


def modes(*, grey: bool) -> Settings:
    """Every padding mode, range, pooling mode and rule for missing cells and for alpha with what the script needs of it.

    A `grey` photograph has alpha only where the rule keeps that of grey maps.
    """
    ranges = {each: dict(zip(("absolute", "added", "stretched"), each.arithmetic, strict=True)) for each in Range}
    alphas = {rule: {"keepsInGrey": rule.in_grey, "filtered": rule.filtered} for rule in AlphaRule if rule.in_grey or not grey}
    return {
        "padding": {mode.value: {"help": mode.help, "spare": mode.spare} for mode in PaddingMode},
        "range": {
            each.value: {"help": each.help, "bounded": each.bounded, "floats": each.floats, **arithmetic}
            for each, arithmetic in ranges.items()
        },
        "pool": {mode.value: {"help": mode.help} for mode in PoolMode},
        "alpha": {rule.value: {"help": rule.help, "keeps": rule.keeps(grey=grey), **facts} for rule, facts in alphas.items()},
        "missing": {mode.value: {"help": mode.help} for mode in MissingMode},
    }


def menu(registry: Registry) -> list[Settings]:
    """Every kernel and bank of the registry that is not too large for a quick redraw."""
    entries = []
    for entry in registry.entries():
        plans = plan_maps([entry.name], registry)
        if max(max(plan.kernels[0].kernel_size) for plan in plans) <= LARGEST_KERNEL:
            maps = [{**_map(plan), "reference": entry.name, "several": len(plans) > 1} for plan in plans]
            entries.append({"name": entry.name, "kind": entry.kind, "help": entry.description, "maps": maps})
    return entries


def branches(recipe: Recipe, dtype: np.dtype[Any], references: Sequence[str | None]) -> list[list[Settings]]:
    """The settings of every step, for each map that is computed from a photograph of `dtype`.

    Raises UsageError for a step without a view.
    """
    step = recipe.step
    if isinstance(step, Network):
        return [[_network_step(each, number) for number, each in enumerate(step.steps, 1)]]
    if isinstance(step, Pool):
        return [[_pool(step, references[0] if references else None)]]
    if isinstance(step, Canny):
        return [[_canny(step, recipe, max_value_of(dtype))]]
    return [[_filter(step, plan, recipe, reference)] for plan, reference in zip(step.maps, references, strict=True)]


def _filter(step: Filter, plan: MapPlan, recipe: Recipe, reference: str | None) -> Settings:
    window = step.window(plan)
    return {
        "type": "filter",
        **_map(plan),
        "reference": reference,
        "own": plan.range,
        "range": step.range or plan.range,
        "stride": window.stride,
        "padding": window.padding,
        "dilation": window.dilation,
        **_border(step.padding_mode),
        "flip": step.flip,
        "linear": step.linear,
        "threshold": recipe.postprocess.threshold,
        "invert": recipe.postprocess.invert,
        "overlay": recipe.postprocess.overlay,
        "grey": step.grey and recipe.postprocess.overlay,
    }


def _map(plan: MapPlan) -> Settings:
    kernels = [_kernel(kernel) for kernel in plan.kernels]
    return {"name": plan.name, "kernels": kernels, "combine": plan.combine, "subspace": plan.subspace, "range": plan.range}


def _kernel(kernel: Kernel) -> Settings:
    facts = {"divisor": kernel.divisor, "offset": kernel.offset, "bias": kernel.bias, "anchor": kernel.anchor}
    return {"name": kernel.name, "taps": kernel.taps.tolist(), **facts}


def _pool(step: Pool, reference: str | None) -> Settings:
    return _pool_window(step.mode, step.window) | {"reference": reference} | _border(step.padding_mode)


def _pool_window(mode: str, window: Window) -> Settings:
    name, percent = PoolMode.of(mode)
    sides = {"size": window.kernel_size, "stride": window.stride, "padding": window.padding, "dilation": window.dilation}
    percent = percent if name is PoolMode.rank else 50.0
    return {"type": "pool", "mode": name, "percent": percent, **sides, "ceilMode": window.ceil_mode} | {
        "taps": _cells(window) if window.footprint else None,
        "divisor": None,
        "counted": "inside",
    }


def _cells(window: Window) -> list[list[int]]:
    """Rows of 1 where a window has a cell, else 0."""
    cells: list[list[int]] = mask_of(window).astype(int).tolist()
    return cells


def _border(padding_mode: str | tuple[str, float] | None) -> Settings:
    """The values of padded cells, None where they take no part."""
    mode, value = (None, 0.0) if padding_mode is None else PaddingMode.of(padding_mode)
    return {"paddingMode": mode, "paddingValue": value}


def _canny(step: Canny, recipe: Recipe, max_value: float) -> Settings:
    low, high = LOW * max_value if step.low is None else step.low, HIGH * max_value if step.high is None else step.high
    bounds = {"low": low, "high": high, "percent": step.percent}
    return {"type": "canny", "sigma": step.sigma, **bounds, "invert": recipe.postprocess.invert, "overlay": recipe.postprocess.overlay}


def _network_step(step: Step, number: int) -> Settings:
    settings = _operation(step.op, step.operation)
    if settings is None:
        raise UsageError(f"step {number} ({step.text}): the page has no view of {step.op}; leave it out")
    return {"op": step.op, "text": step.text, **settings}


def _operation(op: str, operation: Operation) -> Settings | None:
    match operation:
        case DeformableConvolution():
            return _deformable(operation)
        case Convolution():
            return _convolution(operation)
        case Pad():
            one = {"weight": _packed(np.ones((1, 1, 1, 1))), "bias": None, "groups": 1, "eachChannel": True, "flip": False}
            return {"type": "pad", **one, **_window(operation.window), **_border(operation.padding_mode)}
        case TransposedConvolution():
            padding = sizes(operation.window.padding, "padding", 2, least=0) if not isinstance(operation.window.padding, str) else (0, 0)
            more = {"outputPadding": operation.output_padding, "groups": operation.groups, "eachChannel": operation.each_channel}
            return {"type": "conv_transpose", **_weights(operation), **more, **_window(operation.window), "padding": padding}
        case Morphing():
            return {"type": "morphology", "taps": _cells(operation.window), **_border(operation.padding_mode)}
        case Pooling():
            counted = "pads" if operation.count_include_pad else "inside"
            return _pool_window(operation.mode, operation.window) | {"divisor": operation.divisor_override, "counted": counted}
        case AdaptivePooling():
            return {"type": "adaptive", "mode": operation.mode, "size": operation.output_size}
        case Grey():
            return {"type": "across", "mode": None}
        case Combine():
            return {"type": "across", "mode": operation.mode}
        case Linear():
            return {"type": "vector", **_weights(operation)}
        case Softmax():
            return {"type": "vector", "dim": operation.dim}
        case Flatten():
            return {"type": "vector"}
        case Normalize():
            return {"type": "elementwise", "mean": operation.mean, "std": operation.std}
        case _ if op in EVERY_VALUE:
            return {"type": "elementwise", "factor": getattr(operation, "factor", 1), "slope": getattr(operation, "negative_slope", 0)}
        case _:
            return None


def _convolution(operation: Convolution) -> Settings:
    return {
        "type": "conv",
        **_weights(operation),
        **_window(operation.window),
        "groups": operation.groups or 0,
        "eachChannel": operation.each_channel,
        **_border(operation.padding_mode),
        "flip": operation.flip,
    }


def _deformable(operation: DeformableConvolution) -> Settings:
    channels = {"groups": operation.groups or 1, "eachChannel": operation.each_channel}
    numbers = {**_numbers("offset", operation.offset), **_numbers("mask", operation.mask)}
    return {"type": "deform", "name": "convolution", **_weights(operation), **channels, **numbers, **_window(operation.window)}


def _numbers(name: str, numbers: TapNumbers | None) -> Settings:
    """Offsets or masks, and the bias of the convolution that computes them."""
    bias = None if numbers is None or numbers.bias is None else _packed(numbers.bias)
    return {name: None if numbers is None else _packed(numbers.numbers), f"{name}Bias": bias}


def _window(window: Window) -> Settings:
    return {"stride": window.stride, "padding": window.padding, "dilation": window.dilation}


def _weights(operation: Any) -> Settings:
    return {"weight": _packed(operation.weight), "bias": None if operation.bias is None else _packed(operation.bias)}


def _packed(array: Array) -> Settings:
    return {"shape": array.shape, "data": b64encode(np.ascontiguousarray(array, "<f4").tobytes()).decode()}
