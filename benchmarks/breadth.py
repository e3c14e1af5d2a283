"""Lines about windows of any shape and medians: one thread on either side, on a 12-megapixel photograph-like image."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from images import HEIGHT, WIDTH, noise
from measure import Job, Line, peer

import imgconv

RADIUS = 7


def photo() -> Any:
    """Smooth shapes with some noise: the speed of histograms depends on how near results are to each other."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    smooth = 128 + 60 * np.sin(x / 37) * np.cos(y / 53) + 40 * np.sin((x + y) / 211)
    return np.clip(smooth + noise() / 8 - 16, 0, 255).astype(np.uint8)


def lines() -> Iterator[Line]:
    """Medians, then erosion and ranks by a disk."""
    cv2, grey = peer("cv2"), photo()
    threads = cv2.getNumThreads() if cv2 else 1
    try:
        if cv2:
            cv2.setNumThreads(1)
        yield from medians(cv2, grey)
        yield from disks(cv2, grey)
    finally:
        if cv2:
            cv2.setNumThreads(threads)


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


def _pool(image: Any, mode: str, **window: Any) -> Job:
    return lambda: imgconv.pool(image, mode=mode, stride=1, threads=1, **window)
