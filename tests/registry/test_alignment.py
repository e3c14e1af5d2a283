"""Kernels of several sizes made one size."""

import numpy as np
import pytest

from imgconv.registry import Kernel, of_one_size


@pytest.mark.parametrize(
    "shapes, anchors, size, anchor",
    [
        ([(1, 3), (3, 1)], [None, None], (3, 3), (1, 1)),
        ([(5, 3), (3, 3)], [None, None], (5, 3), (2, 1)),
        ([(2, 2), (3, 3)], [(0, 0), None], (3, 3), (1, 1)),
        ([(2, 2), (3, 3)], [(1, 1), None], (3, 3), (1, 1)),
        ([(1, 2), (1, 4)], [(0, 1), (0, 0)], (1, 5), (0, 1)),
    ],
)
def test_anchors_are_aligned(shapes, anchors, size, anchor):
    kernels = [
        Kernel(f"k{n}", 1 + np.arange(np.prod(s)).reshape(s), anchor=a) for n, (s, a) in enumerate(zip(shapes, anchors, strict=True))
    ]
    for kernel, grown in zip(kernels, of_one_size(kernels), strict=True):
        row, column = kernel.anchor or ((kernel.kernel_size[0] - 1) // 2, (kernel.kernel_size[1] - 1) // 2)
        assert grown.kernel_size == size and grown.anchor == anchor
        assert grown.taps[anchor] == kernel.taps[row, column]
        assert np.array_equal(grown.taps[grown.taps != 0], kernel.taps.ravel())
        assert grown.weights().sum() == kernel.weights().sum()


def test_kernels_of_one_size_stay_as_they_are():
    kernels = (Kernel("a", np.ones((2, 2)), anchor=(0, 0)), Kernel("b", np.ones((2, 2)), anchor=(1, 1)))
    assert of_one_size(kernels) == kernels
