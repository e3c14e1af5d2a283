"""Weights of a network's steps as float32 arrays: from kernel references, from files, or from numbers in a recipe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imgconv.errors import UsageError
from imgconv.platforms import cached_property
from imgconv.registry import Bank, Kernel, Registry, of_one_size, resolve
from imgconv.registry.files import expanded, note_read
from imgconv.registry.weights import is_weights_file, read_layer
from imgconv.window import shape_text

if TYPE_CHECKING:
    from imgconv.arrays import Array

Written = str | list[Any]  # a file of weights, or the numbers themselves in nested lists


@dataclass(frozen=True)
class Context:
    """What references are resolved against: the `folder` of relative paths, and the kernels file named on the command line."""

    folder: Path | None = None
    kernels_file: Path | None = None

    def __post_init__(self) -> None:
        if self.kernels_file is not None:  # named on the command line, so that no output may replace it, read or not
            note_read(expanded(self.kernels_file))

    @cached_property
    def registry(self) -> Registry:
        """The registry of kernels, read on first use."""
        return Registry.load(self.kernels_file)


@dataclass(frozen=True, eq=False)
class KernelWeights:
    """Weights of a convolution: (O, I, kh, kw), or with `each_channel` (M, 1, kh, kw) for kernels that are applied to each channel."""

    weight: Array
    bias: Array | None
    each_channel: bool
    range: str = "minmax"


def conv_weights(context: Context, options: Mapping[str, Any]) -> KernelWeights:
    """The weights of a step with the options `kernel` or `weights`, and `bias`. Raises UsageError for both or none of the first two."""
    kernel, weights, bias = options["kernel"], options["weights"], options["bias"]
    if (kernel is None) == (weights is None):
        problem = "both a kernel and weights are given" if kernel else "no kernel is given"
        raise UsageError(f"{problem}; give a kernel such as laplacian8, or weights from a file")
    if weights is not None:
        return _file_weights(weights, context, bias)
    known = _kernel_weights(kernel, context)
    return known if bias is None else replace(known, bias=_bias(bias, context))


def _kernel_weights(references: Sequence[str], context: Context) -> KernelWeights:
    """The weights of kernel references; a bank stands for all of its kernels, and a single file for the weights of a layer.

    Offsets and anchors of kernels are for images and are ignored, as torch has none.
    """
    import numpy as np

    if len(references) == 1 and is_weights_file(references[0]):
        return _file_weights(references[0], context)
    kernels: list[Kernel] = []
    for reference in references:
        known = resolve(reference, context.registry)
        kernels += of_one_size(known.kernels) if isinstance(known, Bank) else [known]
    shapes = {kernel.taps.shape for kernel in kernels}
    if len(shapes) > 1:
        raise UsageError(f"kernels of different sizes ({', '.join(sorted(map(shape_text, shapes)))}); give them one size")
    weight = _float32(np.stack([kernel.weights() for kernel in kernels]))
    bias = _float32(np.array([kernel.bias for kernel in kernels]))
    each_channel = weight.ndim == 3
    return KernelWeights(weight[:, None] if each_channel else weight, bias if bias.any() else None, each_channel, _common_range(kernels))


def _file_weights(weights: Written, context: Context, bias: Written | None = None) -> KernelWeights:
    """Weights of a file, or as numbers: (kh, kw) and (M, kh, kw) are applied to each channel, (O, I, kh, kw) sum over channels."""
    weight, own_bias = layer_weights(weights, context, bias)
    if not 2 <= weight.ndim <= 4:
        raise UsageError(f"weights of shape {shape_text(weight.shape)} are not kernels; give (kh, kw), (M, kh, kw) or (O, I, kh, kw)")
    if weight.ndim == 4:
        return KernelWeights(weight, own_bias, False)
    return KernelWeights(weight.reshape(-1, 1, *weight.shape[-2:]), own_bias, True)


def layer_weights(weights: Written, context: Context, bias: Written | None = None) -> tuple[Array, Array | None]:
    """Weight and bias of a layer; `bias` takes precedence over the file's own."""
    weight, own_bias = read_layer(weights, context.folder) if isinstance(weights, str) else (_numbers(weights, "weights"), None)
    if bias is not None:
        return _float32(weight), _bias(bias, context)
    return _float32(weight), None if own_bias is None else _float32(own_bias)


def check_bias(bias: Array | None, outputs: int) -> None:
    """Raise UsageError for a bias that is not one number for each output."""
    if bias is not None and bias.shape != (outputs,):
        raise UsageError(f"bias {shape_text(bias.shape) or 'of one number'} does not match {outputs} outputs; give one number for each")


def _bias(bias: Written, context: Context) -> Array:
    return _float32(read_layer(bias, context.folder)[0] if isinstance(bias, str) else _numbers(bias, "bias"))


def _numbers(numbers: list[Any], name: str) -> Array:
    import numpy as np

    try:
        array = np.asarray(numbers)
    except ValueError:
        raise UsageError(f"{name} are ragged; give every row the same number of entries") from None
    if array.dtype.kind not in "if" or array.size == 0 or not np.isfinite(array).all():
        raise UsageError(f"{name} must be finite numbers in nested arrays")
    return array


def _float32(array: Array) -> Array:
    import numpy as np

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
