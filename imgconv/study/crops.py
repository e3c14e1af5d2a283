"""A few cells around one output pixel, small enough to be drawn."""

from dataclasses import replace

import numpy as np

from imgconv.pictures import Picture
from imgconv.study.geometry import Sliding


def crop_around(picture: Picture, window: Sliding, at: tuple[int, int], size: tuple[int, int]) -> Picture:
    """`size` (height, width) cells of a picture, or fewer where it has no more.

    The middle of the window of the output cell `at` (row, column) is as near to their middle as the edges allow.
    """
    starts = []
    for axis, (before, _) in enumerate(window.pads(picture.size)):
        middle = at[axis] * window.stride[axis] - before + (window.span[axis] - 1) // 2
        starts.append(int(np.clip(middle - (size[axis] - 1) // 2, 0, max(picture.size[axis] - size[axis], 0))))
    top, left = starts
    return replace(picture, pixels=np.ascontiguousarray(picture.pixels[top : top + size[0], left : left + size[1]]))
