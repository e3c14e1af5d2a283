"""Kernels of 1 inside of a figure: which cells are in it."""

import numpy as np
import pytest

from imgconv.registry import Registry


def figure(name, **parameters):
    kernel = Registry.load().get(name, parameters)
    assert set(np.unique(kernel.taps)) <= {0.0, 1.0} and kernel.divisor == kernel.taps.sum()
    return kernel.taps.astype(int)


def test_square_cross_and_diamond():
    assert figure("square", size=2).tolist() == [[1, 1], [1, 1]]
    assert figure("cross", size=3).tolist() == [[0, 1, 0], [1, 1, 1], [0, 1, 0]]
    assert figure("diamond", radius=2).sum(axis=0).tolist() == [1, 3, 5, 3, 1]


@pytest.mark.parametrize("radius", [1, 2, 5, 9])
def test_rings_fill_the_plane_without_overlap(radius):
    total = np.pad(np.ones((1, 1), int), radius)
    for inner in range(1, radius + 1):
        total += np.pad(figure("ring", radius=inner), radius - inner)
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    np.testing.assert_array_equal(total, np.hypot(x, y) < radius + 0.5)


@pytest.mark.parametrize("length", [1, 2, 7, 10.5])
def test_segments(length):
    assert figure("segment", length=length).shape[0] == 1 and figure("segment", length=length, angle=90).shape[1] == 1
    for angle in range(-90, 271, 15):
        line = figure("segment", length=length, angle=angle)
        np.testing.assert_array_equal(line, line[::-1, ::-1])
        np.testing.assert_array_equal(line, figure("segment", length=length, angle=angle + 180))
        assert line.sum() == max(line.shape)
        assert np.hypot(*(n - 1 for n in line.shape)) == pytest.approx(length - 1, abs=1.5)
    assert figure("segment", length=7, angle=45)[0, 0] == 1  # down to the right, as with the other angles


def test_a_disk_as_a_window_has_the_cells_that_the_circle_touches():
    assert (figure_cells := Registry.load().get("disk", {"radius": 2}).taps > 0).shape == (5, 5) and figure_cells.sum() == 21
