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
    ratios = [result.ratio for result in results if result.line.name.startswith("conv2d") and result.ratio]
    return math.exp(sum(map(math.log, ratios)) / len(ratios)) if ratios else None


def normal(*shape: int) -> Any:
    """Normally distributed float32."""
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)
