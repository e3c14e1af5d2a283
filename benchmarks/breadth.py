"""Lines about alpha, large kernels, floats, medians and windows of any shape: one thread on either side, on 12 megapixels."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from images import HEIGHT, LAPLACIAN8, WIDTH, noise, taps
from measure import Job, Line, peer

import imgconv

RADIUS = 7


def photo() -> Any:
    """Smooth shapes with some noise: the speed of histograms depends on how near results are to each other."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    smooth = 128 + 60 * np.sin(x / 37) * np.cos(y / 53) + 40 * np.sin((x + y) / 211)
    return np.clip(smooth + noise() / 8 - 16, 0, 255).astype(np.uint8)


def lines() -> Iterator[Line]:
    """Filters of alpha, of floats and of few taps, medians, then erosion and ranks by a disk."""
    cv2, grey = peer("cv2"), photo()
    threads = cv2.getNumThreads() if cv2 else 1
    try:
        if cv2:
            cv2.setNumThreads(1)
        yield from alphas(cv2)
        yield from floats(cv2, grey)
        yield from few_taps(cv2, grey)
        yield from medians(cv2, grey)
        yield from disks(cv2, grey)
    finally:
        if cv2:
            cv2.setNumThreads(threads)


def alphas(cv2: Any) -> Iterator[Line]:
    """RGBA with alpha filtered, or as it is where the kernel's sum is 0, against four channels that are filtered each on its own."""
    image = noise(4)
    binomial3, binomial5 = (np.outer(row, row) / sum(row) ** 2 for row in ([1, 2, 1], [1, 4, 6, 4, 1]))
    for name, weights, goal in (("3x3", binomial3, 0.4), ("5x5", binomial5, 0.4), ("laplacian8", LAPLACIAN8, 0.8)):
        yield _filter(cv2, f"{name}, 8-bit RGBA", goal, image, weights)
    soft, size = imgconv.kernel("gaussian:sigma=2"), (17, 17)
    theirs = (lambda: cv2.GaussianBlur(image, size, 2, borderType=cv2.BORDER_REPLICATE)) if cv2 else None
    yield Line("gaussian sigma 2, 8-bit RGBA", "cv2.GaussianBlur", 0.4, lambda: imgconv.filter(image, soft, threads=1), theirs)


def floats(cv2: Any, grey: Any) -> Iterator[Line]:
    """Dense taps, a Gaussian and a maximum of float32 values."""
    real = grey.astype(np.float32)
    yield _filter(cv2, "41x41, float32 grey", 0.8, real, taps(41))
    colour, soft = np.repeat(real[: HEIGHT // 2, : WIDTH // 2, None], 3, axis=2), imgconv.kernel("gaussian:sigma=1")
    theirs = (lambda: cv2.GaussianBlur(colour, (9, 9), 1, borderType=cv2.BORDER_REPLICATE)) if cv2 else None
    text = "gaussian sigma 1, float32 RGB, 3 megapixels"
    yield Line(text, "cv2.GaussianBlur", 0.8, lambda: imgconv.filter(colour, soft, threads=1), theirs)
    dilate = (lambda: cv2.dilate(real, np.ones((5, 5), np.uint8))) if cv2 else None
    yield Line("maximum 5x5, float32 grey", "cv2.dilate", 0.8, _pool(real, "max", size=5, padding="same"), dilate)


def few_taps(cv2: Any, grey: Any) -> Iterator[Line]:
    """Kernels of a few taps; OpenCV leaves out pixels of the whole result for a stride, and has a larger kernel for a dilation."""
    real, dilated = grey.astype(np.float32), np.zeros((5, 5))
    dilated[::2, ::2] = taps(3)
    yield _filter(cv2, "2x2, 8-bit grey", 0.8, grey, taps(2))
    yield _filter(cv2, "1x3, float32 grey", 0.8, real, taps(3)[:1])
    whole = (lambda: cv2.filter2D(real, -1, taps(3), borderType=cv2.BORDER_REPLICATE)[::2, ::2]) if cv2 else None
    yield Line("3x3 with stride 2, float32 grey", "cv2.filter2D", 0.8, lambda: imgconv.filter(real, taps(3), stride=2, threads=1), whole)
    zeros = (lambda: cv2.filter2D(grey, -1, dilated, borderType=cv2.BORDER_REPLICATE)) if cv2 else None
    yield Line("3x3 with dilation 2, 8-bit grey", "cv2.filter2D", 0.8, lambda: imgconv.filter(grey, taps(3), dilation=2, threads=1), zeros)


def medians(cv2: Any, grey: Any) -> Iterator[Line]:
    """Medians of 8 and 16 bits; OpenCV has those of 16 bits up to 5x5."""
    deep = grey.astype(np.uint16) * 257
    for size, image, name, goal in (
        (3, grey, "8-bit", 0.6),
        (5, grey, "8-bit", 0.6),
        (15, grey, "8-bit", 0.8),
        (31, grey, "8-bit", 0.8),
        (3, deep, "16-bit", 0.6),
        (5, deep, "16-bit", 0.6),
    ):
        theirs = (lambda i=image, n=size: cv2.medianBlur(i, n)) if cv2 else None
        yield Line(f"median {size}x{size}, {name}", "cv2.medianBlur", goal, _pool(image, "median", size=size, padding="same"), theirs)


def disks(cv2: Any, grey: Any) -> Iterator[Line]:
    """A disk against the same element."""
    disk = (imgconv.kernel(f"disk:radius={RADIUS}").taps > 0).astype(np.uint8)
    for mode, call in (("min", "erode"), ("max", "dilate")):
        theirs: Job | None = (lambda c=call: getattr(cv2, c)(grey, disk)) if cv2 else None
        yield Line(f"{call} by a disk of radius {RADIUS}", f"cv2.{call}", 1.0, _pool(grey, mode, window=disk), theirs)
    rank = peer("skimage.filters.rank")
    ranks = {"median": lambda: rank.median(grey, disk), "rank:90": lambda: rank.percentile(grey, disk, p0=0.9)}
    for mode, theirs in ranks.items():
        yield Line(
            f"{mode} by a disk of radius {RADIUS}", "skimage.filters.rank", 5.0, _pool(grey, mode, window=disk), theirs if rank else None
        )


def _filter(cv2: Any, name: str, goal: float, image: Any, weights: Any) -> Line:
    theirs = (lambda: cv2.filter2D(image, -1, weights, borderType=cv2.BORDER_REPLICATE)) if cv2 else None
    return Line(name, "cv2.filter2D", goal, lambda: imgconv.filter(image, weights, threads=1), theirs)


def _pool(image: Any, mode: str, **window: Any) -> Job:
    return lambda: imgconv.pool(image, mode=mode, stride=1, threads=1, **window)
