"""An image that brings its file's own luma: grey maps are of that, colours of the colours."""

from dataclasses import replace

import numpy as np
import pytest

from imgconv.images import Raster
from imgconv.inspection.explanation import explain
from imgconv.plotting.exhibits import exhibit
from imgconv.process import process
from imgconv.recipe import Canny, Pool, Postprocess, Recipe, filter_recipe, network_recipe

RNG = np.random.default_rng(8)
LUMA = RNG.integers(0, 256, (14, 17, 1), dtype=np.uint8)
IMAGE = Raster(RNG.integers(0, 256, (14, 17, 3), dtype=np.uint8), luma=LUMA)
EDGE = filter_recipe(["laplacian8"], command="edge")


@pytest.mark.parametrize(
    "recipe",
    [
        EDGE,
        filter_recipe(["sobel_x"], grey=True, stride=2, range="raw"),
        Recipe("pool", Pool(3, stride=2, grey=True)),
        Recipe("canny", Canny(sigma=0)),
        network_recipe(["grey", "conv sobel_x", "max_pool 2"]),
    ],
    ids=lambda recipe: recipe.describe(),
)
def test_grey_maps_are_those_of_the_luma_alone(recipe):
    (of_both,), (of_luma,) = process(IMAGE, recipe), process(Raster(LUMA), recipe)
    assert np.array_equal(of_both.image.pixels, of_luma.image.pixels)
    assert of_both.image.luma is None


@pytest.mark.parametrize(
    "recipe",
    [
        filter_recipe(["box"], stride=2),
        Recipe("pool", Pool(3)),
        network_recipe(["max_pool 2"], sheet=True),
        network_recipe(["conv box", "grey"]),
    ],
    ids=lambda recipe: recipe.describe(),
)
def test_the_luma_changes_nothing_in_colour(recipe):
    (of_both,), (of_colours,) = process(IMAGE, recipe), process(replace(IMAGE, luma=None), recipe)
    assert np.array_equal(of_both.image.pixels, of_colours.image.pixels)
    assert of_both.image.luma is None


def test_edges_of_the_luma_are_drawn_over_the_colours():
    edges = process(Raster(LUMA), EDGE)[0].image.pixels / 255
    (drawn,) = process(IMAGE, replace(EDGE, postprocess=Postprocess(overlay=True)))
    assert np.array_equal(drawn.image.pixels, np.rint(IMAGE.pixels * (1 - edges) + np.array([255, 0, 0]) * edges))


def test_the_luma_is_explained():
    recipe = replace(EDGE, postprocess=Postprocess(overlay=True))
    (explained,) = explain(IMAGE, recipe, (5, 6)).maps
    assert explained.channels[0].members[0].products[0].values[1, 1] == LUMA[6, 5, 0]
    assert explained.channels[0].agrees


def test_a_figure_shows_the_colours_and_the_edges_of_the_luma():
    luma, edges = exhibit(IMAGE, EDGE, "photo.jpg").groups[0].panels
    assert np.array_equal(np.rint(luma.values * 255), IMAGE.pixels)
    assert np.array_equal(edges.values, process(Raster(LUMA), EDGE, floats=True)[0].image.pixels[..., 0])
