"""Explanations of canny end at the pixel that it writes, by way of the numbers of its definition."""

import naive_canny
import numpy as np
import pytest
from command import SAMPLES
from examples import examples
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage

import imgconv
from imgconv.images import Raster
from imgconv.inspection.canny_arithmetic import DIRECTIONS, CannyStages, sides
from imgconv.inspection.explanation import explain
from imgconv.recipe import Canny, Postprocess, Recipe


def noise(seed, height, width, channels, dtype):
    """Blobs, whose gradients are weak and strong."""
    rough = np.random.default_rng(seed).random((height, width, channels))
    smooth = ndimage.uniform_filter(rough, (3, 3, 1))
    return (smooth * {"uint8": 255, "uint16": 65535, "float32": 1}[dtype]).astype(dtype)


def with_holes(pixels, holes):
    """Some cells that are no numbers."""
    if pixels.dtype.kind == "f":
        for place, value in holes:
            pixels.flat[place % pixels.size] = value
    return pixels


def stage(channel, name):
    return next(stage for stage in reversed(channel.stages) if stage.name == name)


@examples(150)
@given(
    pixels=st.builds(
        noise,
        st.integers(0, 999),
        st.integers(1, 14),
        st.integers(1, 14),
        st.integers(1, 4),
        st.sampled_from(("uint8", "uint16", "float32")),
    ),
    sigma=st.sampled_from((0, 0.4, 1.4)),
    bounds=st.sampled_from(((None, None), (0.05, 0.3), (0.3, 0.9), (0, 0))),
    quantiles=st.booleans(),
    alpha=st.sampled_from(("auto", "keep")),
    postprocess=st.builds(Postprocess, invert=st.booleans(), overlay=st.booleans()),
    holes=st.lists(st.tuples(st.integers(0, 999), st.sampled_from((np.nan, np.inf, -np.inf))), max_size=2),
    data=st.data(),
)
def test_the_value_is_the_pixel_that_canny_writes(pixels, sigma, bounds, quantiles, alpha, postprocess, holes, data):
    pixels = with_holes(pixels, holes)
    quantiles = quantiles and bounds[0] is not None
    top = {"uint8": 255, "uint16": 65535, "float32": 1}[pixels.dtype.name]
    low, high = (None if bound is None else 100 * bound if quantiles else top * bound for bound in bounds)
    recipe = Recipe("canny", Canny(sigma, low, high, quantiles, alpha), postprocess)
    row, column = (data.draw(st.integers(0, size - 1)) for size in pixels.shape[:2])
    (pixel,) = explain(Raster(pixels, alpha=pixels.shape[2] in (2, 4)), recipe, (column, row)).maps
    low, high = (None if bound is None else bound if quantiles else top * bound for bound in bounds)
    output = np.atleast_3d(imgconv.canny(pixels, sigma=sigma, low=low, high=high, quantiles=quantiles, alpha=alpha))[row, column]
    expected = top - output[0] if postprocess.invert else output[0]
    assert pixel.channels[0].written == expected and all(channel.agrees for channel in pixel.channels)
    assert postprocess.overlay == (pixel.overlaid is not None)


def test_gradients_neighbours_and_ridges_match_the_direct_form():
    pixels = noise(3, 15, 17, 1, "uint8")
    down, across = naive_canny.gradients(pixels[..., 0].astype(float), 1.0)
    ridge_map = naive_canny.ridges(down, across)
    for row, column in np.ndindex(15, 17):
        (pixel,) = explain(Raster(pixels), Recipe("canny", Canny(1.0, 0, 0)), (column, row)).maps
        (channel,) = pixel.channels
        assert np.allclose([member.value for member in channel.members[1:]], [down[row, column], across[row, column]], atol=1e-3)
        if 0 < row < 14 and 0 < column < 16:
            assert (stage(channel, "ridge").value > 0) == (ridge_map[row, column] > 0)
            assert channel.cells == pytest.approx(np.hypot(down, across)[row - 1 : row + 2, column - 1 : column + 2], abs=1e-3)
            assert 2 <= channel.winners.sum() <= 4 and not channel.winners[1, 1]
        else:
            assert stage(channel, "border").value == 0


def test_the_smoothed_cell_is_the_sum_under_the_gaussian():
    pixels = noise(5, 12, 9, 1, "uint8")
    for at in ((0, 0), (4, 6), (8, 11)):
        (pixel,) = explain(Raster(pixels), Recipe("canny", Canny(1.4)), at).maps
        gaussian, slope = pixel.channels[0].members[:2]
        assert gaussian.value == pytest.approx(slope.products[0].values[1, 1], abs=1e-4)
        patch = gaussian.products[0].patch
        assert np.array_equal(gaussian.products[0].values, pixels[np.ix_(patch.rows, patch.columns)][..., 0])


def test_a_weak_edge_names_the_strong_one_that_it_leads_to():
    with Image.open(SAMPLES / "camera.png") as image:
        pixels = np.array(image)[..., None]
    stages = CannyStages(pixels, Canny())
    edges = imgconv.canny(pixels[..., 0]) > 0
    joined = np.argwhere(stages.ridges & ~stages.strong & edges)
    for row, column in joined[:: len(joined) // 20].tolist():
        (pixel,) = explain(Raster(pixels), Recipe("canny", Canny()), (column, row)).maps
        (strong_row, strong_column), steps = stages.path_to_strong((row, column))
        assert f"a strong edge at {strong_column},{strong_row} in {steps} step" in stage(pixel.channels[0], "weak").text
        assert stages.strong[strong_row, strong_column] and steps >= max(abs(strong_row - row), abs(strong_column - column))
        assert pixel.written == [255]
    row, column = np.argwhere(stages.ridges & ~edges)[0].tolist()
    (pixel,) = explain(Raster(pixels), Recipe("canny", Canny()), (column, row)).maps
    assert "not connected to a strong edge" in stage(pixel.channels[0], "weak").text and pixel.written == [0]


@pytest.mark.parametrize("bound, value", [(764, 255), (765, 0)])
def test_lengths_that_equal_their_neighbours_stay(bound, value):
    """A step from 9 to 200 has two columns of one length, 4 * 191, and each is an edge for a threshold of just that."""
    pixels = np.repeat(np.array([[9, 9, 9, 200, 200, 200]], np.uint8), 5, axis=0)[..., None]
    (pixel,) = explain(Raster(pixels), Recipe("canny", Canny(0, bound, bound)), (3, 2)).maps
    assert pixel.written == [value] and pixel.channels[0].agrees
    assert [stage(pixel.channels[0], name).value for name in ("length", "ahead", "behind")] == [764, 0, 764]
    assert stage(pixel.channels[0], "ridge").value == 764


def test_lengths_are_those_of_every_window():
    stages = CannyStages(noise(1, 9, 11, 1, "uint8"), Canny(0.7))
    assert np.allclose(stages.lengths(), np.hypot(*naive_canny.gradients(stages.grey[..., 0].astype(float), 0.7)), atol=1e-3)


@pytest.mark.parametrize("place", DIRECTIONS)
def test_a_gradient_towards_a_neighbour_is_compared_with_that_one(place):
    ahead, behind = sides(*map(float, place))
    nearest = ahead.corner if 0 not in place else ahead.straight
    opposite = behind.corner if 0 not in place else behind.straight
    assert nearest == place and opposite == (-place[0], -place[1]) and ahead.share == (1 if 0 not in place else 0)
