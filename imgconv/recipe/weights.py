"""Weights of a network's steps, from kernel references, files, or numbers written in a recipe, as float32 arrays."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imgconv.errors import UsageError
from imgconv.recipe.operations import shape_text
from imgconv.registry import Bank, Kernel, Registry, of_one_size, resolve
from imgconv.registry.weights import is_weights_file, read_layer

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Context:
    """What references are read against: the `folder` of relative paths, and the kernels file named on the command line."""

    folder: Path | None = None
    kernels_file: Path | None = None

    @cached_property
    def registry(self) -> Registry:
        """Names of kernels, read when the first is looked up."""
        return Registry.load(self.kernels_file)


@dataclass(frozen=True, eq=False)
class KernelWeights:
    """Weights of a convolution: (O, I, kh, kw), or with `each_channel` (M, 1, kh, kw) for kernels that go over each channel alone."""

    weight: Array
    bias: Array | None
    each_channel: bool
    range: str = "minmax"


def kernel_weights(references: Sequence[str], context: Context) -> KernelWeights:
    """The weights that kernel references mean; a bank stands for all of its kernels, a file alone for a layer's weights.

    Offsets and anchors of kernels are for images, and left out, as torch has none.
    """
    if len(references) == 1 and is_weights_file(references[0]):
        return file_weights(references[0], context)
    kernels: list[Kernel] = []
    for reference in references:
        known = resolve(reference, context.registry)
        kernels += of_one_size(known.kernels) if isinstance(known, Bank) else [known]
    shapes = {kernel.taps.shape for kernel in kernels}
    if len(shapes) > 1:
        raise UsageError(f"kernels of different sizes ({', '.join(sorted(map(shape_text, shapes)))}); give them one size")
    weight = _float32(np.stack([kernel.weights() for kernel in kernels]))
    bias = _float32(np.array([kernel.bias for kernel in kernels]))
    alone = weight.ndim == 3
    return KernelWeights(weight[:, None] if alone else weight, bias if bias.any() else None, alone, _common_range(kernels))


def file_weights(given: str | list[Any], context: Context, bias: str | list[Any] | None = None) -> KernelWeights:
    """Weights of a file, or as numbers: (kh, kw) and (M, kh, kw) go over each channel alone, (O, I, kh, kw) across channels."""
    weight, own_bias = layer_weights(given, context, bias)
    if not 2 <= weight.ndim <= 4:
        raise UsageError(f"weights of shape {shape_text(weight.shape)} are no kernels; give (kh, kw), (M, kh, kw) or (O, I, kh, kw)")
    if weight.ndim == 4:
        return KernelWeights(weight, own_bias, False)
    return KernelWeights(weight.reshape(-1, 1, *weight.shape[-2:]), own_bias, True)


def layer_weights(given: str | list[Any], context: Context, bias: str | list[Any] | None = None) -> tuple[Array, Array | None]:
    """Weight and bias of a layer; a `bias` that is given comes before the file's own."""
    weight, own_bias = read_layer(given, context.folder) if isinstance(given, str) else (_numbers(given, "weights"), None)
    if bias is not None:
        return _float32(weight), given_bias(bias, context)
    return _float32(weight), None if own_bias is None else _float32(own_bias)


def given_bias(bias: str | list[Any], context: Context) -> Array:
    """A bias from a file of its own, or as numbers."""
    return _float32(read_layer(bias, context.folder)[0] if isinstance(bias, str) else _numbers(bias, "bias"))


def _numbers(given: list[Any], name: str) -> NDArray[Any]:
    try:
        array = np.asarray(given)
    except ValueError:
        raise UsageError(f"{name} are ragged; give every row the same number of entries") from None
    if array.dtype.kind not in "if" or array.size == 0 or not np.isfinite(array).all():
        raise UsageError(f"{name} must be finite numbers in nested arrays")
    return array


def _float32(array: NDArray[Any]) -> Array:
    with np.errstate(over="ignore"):
        converted = np.ascontiguousarray(array, dtype=np.float32)
    if not np.isfinite(converted).all():
        raise UsageError("weights are too large for float32; scale them down")
    return converted


def _common_range(kernels: Sequence[Kernel]) -> str:
    ranges = {kernel.range for kernel in kernels}
    if len(ranges) == 1:
        return "minmax" if "raw" in ranges else ranges.pop()
    return "abs" if ranges <= {"clip", "abs"} else "minmax"
