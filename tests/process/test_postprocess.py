"""What is done to finished maps: cut at a threshold, inverted, drawn over the photograph."""

import numpy as np
import pytest

from imgconv.errors import UsageError
from imgconv.images import Raster
from imgconv.process import process
from imgconv.recipe import Postprocess, Shape, filter_recipe

RNG = np.random.default_rng(3)


def edges_of(image, **options):
    (result,) = process(image, filter_recipe(["laplacian8"], command="edge", **options))
    return result.image


def image(channels, dtype=np.uint8):
    max_value = np.iinfo(dtype).max
    return Raster(RNG.integers(0, max_value, (9, 11, channels), dtype=dtype, endpoint=True), alpha=channels in (2, 4))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("rule", ["auto", "keep", "drop", "filter"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_edges_are_drawn_in_red_over_the_photograph(channels, rule, dtype):
    original, max_value = image(channels, dtype), int(np.iinfo(dtype).max)
    edges = edges_of(original, alpha=rule).pixels[..., :1] / max_value
    colours, alpha = (original.pixels[..., :-1], original.pixels[..., -1:]) if original.alpha else (original.pixels, None)
    if alpha is not None and rule == "drop":
        colours, alpha = (colours.astype(np.int64) * alpha + max_value // 2) // max_value, None  # over black
    expected = np.rint(colours * (1 - edges) + np.array([max_value, 0, 0]) * edges)
    recipe = filter_recipe(["laplacian8"], command="edge", alpha=rule, postprocess=Postprocess(overlay=True))
    (result,) = process(original, recipe)
    got = result.image
    assert np.array_equal(got.pixels[..., :3], expected)
    assert np.array_equal(got.pixels[..., 3:], alpha) if alpha is not None else got.channels == 3
    assert recipe.trace(Shape(9, 11, channels, original.alpha))[0][1].channels == got.channels


@pytest.mark.parametrize("dtype, level", [(np.uint8, 99.5), (np.uint16, 30000)])
def test_threshold_then_invert(dtype, level):
    original, max_value = image(3, dtype), np.iinfo(dtype).max
    edges = edges_of(original).pixels
    inverted = edges_of(original, postprocess=Postprocess(threshold=level, invert=True))
    assert np.array_equal(edges_of(original, postprocess=Postprocess(threshold=level)).pixels, np.where(edges >= level, max_value, 0))
    assert np.array_equal(inverted.pixels, np.where(edges >= level, 0, max_value))
    assert np.array_equal(edges_of(original, postprocess=Postprocess(invert=True)).pixels, max_value - edges)


def test_threshold_of_floats_is_in_their_levels():
    original = Raster(RNG.random((6, 7, 1)).astype(np.float32))
    edges = edges_of(original).pixels
    cut = edges_of(original, postprocess=Postprocess(threshold=0.5, invert=True)).pixels
    assert cut.dtype == np.float32
    assert np.array_equal(cut, np.where(edges >= 0.5, 0, 1))


@pytest.mark.parametrize("level", [float("nan"), float("inf")])
def test_a_threshold_is_a_number(level):
    with pytest.raises(UsageError, match="threshold must be a finite number"):
        Postprocess(threshold=level)
