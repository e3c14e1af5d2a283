"""Footprints of kernel references: the cells whose taps are not zero, with the anchor in the middle."""

import numpy as np
import pytest

from imgconv.errors import UsageError
from imgconv.recipe import footprint_of
from imgconv.registry import Kernel
from imgconv.window import Window


def cells(footprint):
    mask = np.zeros(footprint.kernel_size, int)
    for row, first, count in footprint.runs:
        mask[row, first : first + count] = 1
    return mask.tolist()


def test_names_matrices_and_files(tmp_path):
    np.save(tmp_path / "m.npy", np.eye(3))
    assert cells(footprint_of("0 -1 0; 2 0.5 1e-9; 0 1 0")) == [[0, 1, 0], [1, 1, 1], [0, 1, 0]]
    assert cells(footprint_of(f"@{tmp_path / 'm.npy'}")) == np.eye(3).tolist()
    assert cells(footprint_of("laplacian4")) == cells(footprint_of("cross"))
    assert footprint_of("disk:radius=2").name == "disk-radius-2" and footprint_of("1 0 1").name.startswith("matrix[")


@pytest.mark.parametrize("anchor", [None, (0, 0), (1, 0), (1, 2), (3, 1)])
def test_the_anchor_is_the_output_pixel(anchor):
    taps = np.random.default_rng(0).random((4, 3)) - 0.5
    footprint = footprint_of(Kernel("k", taps, anchor=anchor))
    window = Window.of(footprint, padding="same")
    row, column = anchor or (1, 1)
    image = np.zeros((11, 11))
    image[5, 5] = 1
    (top, _), (left, _) = window.pads(image.shape)
    offsets = {(u - top, v - left) for u, v in np.argwhere(cells(footprint)).tolist()}
    assert offsets == {(u - row, v - column) for u in range(4) for v in range(3)}


@pytest.mark.parametrize(
    ("reference", "text"),
    [
        ("sobel", "sobel has 2 kernels"),
        ("0 0; 0 0", "no cell that is not 0"),
        (Kernel("rgb", np.ones((3, 2, 2))), "weights for 3 channels"),
        ("nothing", "nothing"),
        ("cross:size=4", "size must be odd"),
    ],
)
def test_refused(reference, text):
    with pytest.raises(UsageError, match=text):
        footprint_of(reference)
