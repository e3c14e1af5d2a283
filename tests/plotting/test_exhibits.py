"""What figures show: which panels, of which values, on which scales. Nothing is drawn here."""

import numpy as np
import pytest

from imgconv.errors import DoesNotFit
from imgconv.images import Raster
from imgconv.plotting.exhibits import Scale, exhibit, gallery, strongest
from imgconv.process import process
from imgconv.recipe import Canny, Pool, Postprocess, Recipe, filter_recipe, network_recipe
from imgconv.registry import Registry

RNG = np.random.default_rng(4)
NOISE = Raster(RNG.integers(0, 256, (40, 61, 3), np.uint8))


def panels(image, recipe, **options):
    (group,) = exhibit(image, recipe, "noise.png", **options).groups
    return group.panels


def test_a_signed_map_is_that_of_the_luma_unrounded_and_about_zero():
    input_panel, map_panels = panels(NOISE, filter_recipe(["sobel_x"]))
    expected = process(NOISE, filter_recipe(["sobel_x"], grey=True, range="raw"), floats=True)[0].image.pixels[..., 0]
    assert np.array_equal(map_panels.values, expected) and map_panels.size == (40, 61)
    assert map_panels.scale.signed and map_panels.scale.low == -map_panels.scale.high and map_panels.scale.below and map_panels.scale.above
    assert np.allclose(input_panel.values, NOISE.pixels / 255) and input_panel.scale is None
    assert [taps.rows.tolist() for taps in map_panels.taps] == [[[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]]


def test_in_colour_each_colour_has_a_map():
    _, *map_panels = panels(NOISE, filter_recipe(["sobel_x"], flip=True), colour=True)
    assert [panel.title for panel in map_panels] == ["sobel_x, red", "sobel_x, green", "sobel_x, blue"]
    expected = process(NOISE, filter_recipe(["sobel_x"], flip=True, range="raw"), floats=True)[0].image.pixels
    assert np.array_equal(np.stack([panel.values for panel in map_panels], axis=2), expected)
    assert map_panels[0].taps[0].rows.tolist() == [[1, 0, -1], [2, 0, -2], [1, 0, -1]]


@pytest.mark.parametrize(
    "recipe",
    [
        filter_recipe(["gaussian3"]),
        filter_recipe(["sobel_x"], range="offset"),
        filter_recipe(["laplacian8"], command="edge", postprocess=Postprocess(invert=True)),
        Recipe("pool", Pool(4, "avg")),
    ],
    ids=["blur", "range", "postprocess", "pool"],
)
def test_maps_with_a_range_are_shown_as_they_are_written(recipe):
    map_panels = panels(NOISE, recipe)[1]
    written = process(NOISE, recipe)[0].image.pixels
    shown = map_panels.values * 255 if map_panels.values.ndim == 3 else map_panels.values[..., None]
    assert np.allclose(shown, written, atol=1e-4) and (
        map_panels.scale is None or (map_panels.scale.low, map_panels.scale.high) == (0, 255)
    )


def test_canny_is_shown_stage_by_stage():
    recipe = Recipe("canny", Canny(1.0, 60, 120))
    _, lengths, ridges, edges = panels(NOISE, recipe)
    written = process(NOISE, recipe)[0].image.pixels[..., 0]
    assert not lengths.scale.signed and lengths.values.shape == (40, 61) and lengths.values.max() > 120
    assert np.array_equal(edges.values, written) and 0 < np.count_nonzero(written) < np.count_nonzero(ridges.values)
    assert set(np.unique(ridges.values)) == {0, 127, 255} and ridges.note == "weak from 60, strong from 120"
    assert (lengths.values[ridges.values == 255] >= 119.9).all() and (written[ridges.values == 255] == 255).all()


def test_only_selected_steps_are_shown():
    network = ["grey", "conv sobel_x sobel_y", "combine", "max_pool 2"]
    shown = exhibit(NOISE, network_recipe(network, keep=("4", "conv")), "noise.png")
    assert [group.title for group in shown.groups] == ["input", "2 conv  sobel_x sobel_y", "4 max_pool  2"]
    (one,) = exhibit(NOISE, network_recipe(network, keep=("conv",)), "noise.png").groups
    assert [panel.title for panel in one.panels] == ["input", "1", "2"]


def test_a_bank_has_one_map_from_zero_and_all_its_kernels():
    _, map_panels = panels(NOISE, filter_recipe(["kirsch"]))
    assert not map_panels.scale.signed and map_panels.scale.low == 0 and len(map_panels.taps) == 8


def test_transparency_is_shown_over_black():
    pixels = np.concatenate([NOISE.pixels, np.zeros((40, 61, 1), np.uint8)], axis=2)
    input_panel, map_panels = panels(Raster(pixels, alpha=True), filter_recipe(["identity"]))
    assert not input_panel.values.any() and not map_panels.values.any()


def test_steps_of_a_network_share_a_scale_each():
    shown = exhibit(NOISE, network_recipe(["grey", "conv sobel_x", "max_pool 2", "flatten", "softmax"]), "noise.png")
    assert [group.title for group in shown.groups] == [
        "input",
        "1 grey  ",
        "2 conv  sobel_x",
        "3 max_pool  2",
        "4 flatten  ",
        "5 softmax  ",
    ]
    assert shown.groups[2].panels[0].scale.signed
    vector = shown.groups[-1].panels[0].values
    assert vector.ndim == 1 and np.isclose(vector.sum(), 1) and shown.groups[-1].note.startswith(f"{len(vector)} numbers, largest at ")


def test_one_layer_of_many_maps_is_one_group(tmp_path):
    np.save(tmp_path / "w.npy", RNG.standard_normal((64, 3, 5, 5)))
    input_panel, *map_panels = panels(NOISE, network_recipe([f"conv weights={tmp_path / 'w.npy'}"]))
    assert input_panel.title == "input" and len(map_panels) == 64 and len({panel.scale for panel in map_panels}) == 1
    assert map_panels[0].size == (36, 57)


def test_a_gallery_has_every_map_once():
    registry = Registry.load()
    shown = gallery(Raster(RNG.integers(0, 256, (300, 520, 3), np.uint8)), registry, registry.names(), "noise.png").groups[0].panels
    titles = [panel.title for panel in shown]
    assert len(titles) == len(set(titles)) > len(registry.names())
    assert {"input", "laplacian8", "kirsch", "laws_l5e5"} <= set(titles)
    assert all(panel.size == (148, 256) for panel in shown if panel.title in ("input", "sobel_x", "gaussian"))


def test_an_image_that_is_too_small_is_refused():
    with pytest.raises(DoesNotFit, match="padded input"):
        exhibit(NOISE, filter_recipe(["box:size=99"], padding="valid"), "noise.png")


def test_scales_leave_out_a_few_extremes_and_values_that_are_not_finite():
    values = np.concatenate([np.linspace(-1, 1, 2000), [50, np.nan, np.inf]])
    scale = Scale.of(values)
    assert scale.signed and 0.9 < scale.high < 1.1 and scale.low == -scale.high and scale.above
    assert Scale.of(np.full(4, np.nan)) == Scale(0.0, 1.0, False)
    assert Scale.of(np.zeros(9)).high > 0


def test_thin_lines_survive_when_a_map_is_made_small():
    values = np.zeros((90, 120))
    values[:, 40], values[:, 41] = -3, 2
    small = strongest(values, 30)
    assert small.shape == (22, 30) and (small[:, 10] == -3).all() and np.count_nonzero(small) == 22
