"""Steps of a network on bands: the last bits of their sums are those of the whole image, however few rows a band has."""

import numpy as np
import pytest

from imgconv.images import Raster
from imgconv.process import process
from imgconv.process.bands import banded_maps
from imgconv.process.maps import Whole
from imgconv.recipe import network_recipe

RECIPES = {
    "stride": ["conv laplacian8 stride=2"],
    "two sums": ["conv gaussian:sigma=1 padding=2", "conv sobel_x padding=1", "avg_pool 3 stride=1"],
    "transposed": ["conv_transpose gaussian:sigma=1 stride=2 padding=1", "conv box:size=3"],
    "transposed, mixed channels": ["conv_transpose @mixed.npy stride=2", "pointwise '1 2 3'"],
}


@pytest.mark.parametrize("width", [90, 700])
@pytest.mark.parametrize("name", RECIPES)
def test_a_band_of_one_row_is_that_of_the_whole(name, width, tmp_path, monkeypatch):
    random = np.random.default_rng(5)
    monkeypatch.chdir(tmp_path)
    np.save("mixed.npy", random.standard_normal((3, 3, 4, 3)).astype(np.float32))
    image = Raster((random.random((61, width, 3)) * 250).astype(np.float32))
    recipe = network_recipe(RECIPES[name])
    (whole,) = process(image, recipe, floats=True)
    (bands,) = banded_maps(Whole(recipe, image, image.size, True, None))
    for first in (0, 7, bands.height - 1):
        begin, end = bands.rows((first, first + 1))
        rows = Raster(image.pixels[begin:end])
        (band,) = bands.maps(rows, begin, (first, first + 1))
        assert band.image.pixels.tobytes() == whole.image.pixels[first : first + 1].tobytes()
