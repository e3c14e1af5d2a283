"""Morphology of maps: SciPy's results with a footprint, and the laws of opening and closing."""

import numpy as np
import pytest
from scipy import ndimage

from imgconv.errors import DoesNotFit
from imgconv.functional.morphology import morphology
from imgconv.modes import Morphology
from imgconv.window import Footprint, Window

SCIPY = {
    Morphology.erode: ndimage.grey_erosion,
    Morphology.dilate: ndimage.grey_dilation,
    Morphology.open: ndimage.grey_opening,
    Morphology.close: ndimage.grey_closing,
    Morphology.tophat: ndimage.white_tophat,
    Morphology.blackhat: ndimage.black_tophat,
    Morphology.gradient: ndimage.morphological_gradient,
}
BORDERS = {"symmetric": "reflect", "replicate": "nearest", "reflect": "mirror", "circular": "wrap"}


def window(rng, *shape):
    mask = rng.random(shape) < 0.6
    mask[tuple((n - 1) // 2 for n in shape)] = True
    return mask, Window.of(Footprint.of(mask.tolist()), padding="same")


@pytest.mark.parametrize("operation", Morphology)
@pytest.mark.parametrize("shape", [(3, 3), (5, 3), (1, 7)])
def test_scipy_with_a_footprint(operation, shape):
    rng = np.random.default_rng(3)
    maps = rng.integers(0, 99, (2, 3, 12, 15)).astype(np.float32)
    mask, by = window(rng, *shape)
    for ours, theirs in BORDERS.items():
        got = morphology(maps, operation, by, ours)
        expected = [[SCIPY[operation](plane, footprint=mask, mode=theirs) for plane in each] for each in maps]
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("shape", [(3, 3), (2, 4), (4, 1), (5, 2)])
def test_open_and_close_change_nothing_when_repeated(shape):
    """So a dilation turns the window, the even ones' padding too."""
    rng = np.random.default_rng(5)
    maps = rng.integers(0, 99, (1, 1, 16, 17)).astype(np.float32)
    for _ in range(20):
        _, by = window(rng, *shape)
        opened, closed = morphology(maps, Morphology.open, by), morphology(maps, Morphology.close, by)
        assert (opened <= maps).all() and (closed >= maps).all()
        np.testing.assert_array_equal(morphology(opened, Morphology.open, by), opened)
        np.testing.assert_array_equal(morphology(closed, Morphology.close, by), closed)
        np.testing.assert_array_equal(morphology(maps, Morphology.tophat, by), maps - opened)


def test_a_window_of_padding_alone_is_refused():
    corner = Window.of(Footprint.of([[1, 0, 0], [0, 0, 0], [0, 0, 0]]), padding="same")
    with pytest.raises(DoesNotFit, match="only padding"):
        morphology(np.zeros((1, 1, 4, 4), np.float32), Morphology.erode, corner)
