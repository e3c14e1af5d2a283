"""Lines about layers: the torch-like calls on float32 against torch with as many threads."""

import math
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import product
from typing import Any

import numpy as np
from measure import Line, Result, peer

import imgconv

# name, channels in, channels out, kernel size, stride, groups, size of the maps
CONVOLUTIONS = (
    ("3->64 7x7/2 at 224", 3, 64, 7, 2, 1, 224),
    ("64->64 3x3 at 56", 64, 64, 3, 1, 1, 56),
    ("128->128 3x3 at 28", 128, 128, 3, 1, 1, 28),
    ("512->512 3x3 at 7", 512, 512, 3, 1, 1, 7),
    ("256->64 1x1 at 56", 256, 64, 1, 1, 1, 56),
    ("3->8 3x3 at 1080", 3, 8, 3, 1, 1, 1080),
    ("depthwise 64 3x3 at 112", 64, 64, 3, 1, 64, 112),
)
# the same, then images: layers that took much longer than torch's
OTHERS = (
    ("depthwise 64 5x5 at 56", 64, 64, 5, 1, 64, 56, 4),
    ("depthwise 256 3x3/2 at 56", 256, 256, 3, 2, 256, 56, 4),
    ("1->10 5x5 at 28", 1, 10, 5, 1, 1, 28, 64),
    ("64->128 3x3/2 at 56", 64, 128, 3, 2, 1, 56, 8),
)
TRANSPOSED = (("512->256 4x4/2 at 8", 512, 256, 8, 8), ("128->64 4x4/2 at 32", 128, 64, 32, 8))  # channels, outputs, size, images
GRADIENTS = (("64->64 3x3 at 56", 64, 56, 8), ("128->128 3x3 at 28", 128, 28, 8), ("512->512 3x3 at 7", 512, 7, 8))
BATCHES = {1: 0.55, 8: 0.7, 16: 0.7}  # images, and the goal: jobs below a millisecond do not gain from a second thread that sleeps
MEAN = 1.0


def lines() -> Iterator[Line]:
    """Pools, then convolutions; the latter are also judged by their geometric mean."""
    torch = peer("torch")
    if torch:
        torch.set_grad_enabled(False)
    yield from pools(torch)
    for (name, channels, outputs, size, stride, groups, extent), (images, goal) in product(CONVOLUTIONS, BATCHES.items()):
        input, weight = normal(images, channels, extent, extent), normal(outputs, channels // groups, size, size)
        rest: dict[str, Any] = {"stride": stride, "padding": size // 2, "groups": groups}
        theirs = None
        if torch:
            tensors = torch.from_numpy(input), torch.from_numpy(weight)
            theirs = partial(torch.nn.functional.conv2d, *tensors, **rest)
        yield Line(f"conv2d {name}, batch {images}", "torch", goal, partial(imgconv.conv2d, input, weight, **rest), theirs)

    yield from others(torch)
    yield from gradients(torch)


def others(torch: Any) -> Iterator[Line]:
    """Convolutions that are not part of the mean, and transposed ones."""
    for name, channels, outputs, size, stride, groups, extent, images in OTHERS:
        arrays = normal(images, channels, extent, extent), normal(outputs, channels // groups, size, size)
        yield _line(torch, "conv2d", f"{name}, batch {images}", arrays, {"stride": stride, "padding": size // 2, "groups": groups})
    for name, channels, outputs, extent, images in TRANSPOSED:
        arrays = normal(images, channels, extent, extent), normal(channels, outputs, 4, 4)
        yield _line(torch, "conv_transpose2d", f"{name}, batch {images}", arrays, {"stride": 2, "padding": 1})


def _line(torch: Any, function: str, name: str, arrays: Sequence[Any], options: dict[str, Any]) -> Line:
    theirs = partial(getattr(torch.nn.functional, function), *map(torch.from_numpy, arrays), **options) if torch else None
    return Line(f"{function}, {name}", "torch", 0.7, partial(getattr(imgconv, function), *arrays, **options), theirs)


def gradients(torch: Any) -> Iterator[Line]:
    """The gradients of conv2d, 3x3 with a padding of 1."""
    for name, channels, extent, images in GRADIENTS:
        input, weight, grad = (
            normal(images, channels, extent, extent),
            normal(channels, channels, 3, 3),
            normal(images, channels, extent, extent),
        )
        ours = {
            "input": partial(imgconv.gradients.conv2d_input, input.shape, weight, grad, padding=1),
            "weight": partial(imgconv.gradients.conv2d_weight, input, weight.shape, grad, padding=1),
        }
        for number, (kind, job) in enumerate(ours.items()):
            theirs = None
            if torch:
                tensors = [torch.from_numpy(array) for array in (grad, input, weight)]
                rest = None, [1, 1], [1, 1], [1, 1], False, [0, 0], 1, [number == 0, number == 1, False]
                theirs = partial(torch.ops.aten.convolution_backward, *tensors, *rest)
            yield Line(f"gradient of the {kind}, {name}, batch {images}", "torch", 0.7, job, theirs)


def pools(torch: Any) -> Iterator[Line]:
    """Pools of many maps."""
    input = normal(1, 64, 512, 512)
    for name, size, stride, goal in (("max", 2, 2, 5.0), ("avg", 2, 2, 5.0), ("max", 3, 1, 8.0), ("avg", 3, 1, 8.0)):
        ours = getattr(imgconv, f"{name}_pool2d")
        theirs = None
        if torch:
            pool, tensor = getattr(torch.nn.functional, f"{name}_pool2d"), torch.from_numpy(input)
            theirs = partial(pool, tensor, size, stride)
        label = f"{name}_pool2d {size}x{size}/{stride}, (1, 64, 512, 512)"
        yield Line(label, "torch", goal, partial(ours, input, size, stride), theirs)


def geometric_mean(results: Sequence[Result]) -> float | None:
    """Of the convolutions' ratios; None without torch."""
    ratios = [result.ratio for result in results if result.line.name.startswith("conv2d ") and result.ratio]
    return math.exp(sum(map(math.log, ratios)) / len(ratios)) if ratios else None


def normal(*shape: int) -> Any:
    """Normally distributed float32."""
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)
