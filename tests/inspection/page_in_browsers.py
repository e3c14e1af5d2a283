"""The maps of a page in a real Chromium and a real Firefox. Run by name: `python -m pytest tests/inspection/page_in_browsers.py`."""

import json
from base64 import b64decode
from dataclasses import replace

import numpy as np
import pytest
from browser import Page, browsing
from command import SAMPLES
from firefox import browsing_in_firefox

from imgconv.batch.sources import first_image
from imgconv.filters.color import max_value_of
from imgconv.images import Raster, Request
from imgconv.images.metadata.transfer import gamma, of_cicp
from imgconv.inspection.page import explanation_page
from imgconv.inspection.page.photo import page_photo
from imgconv.inspection.page.settings import branches
from imgconv.modes import AlphaRule, MissingMode, PaddingMode, PoolMode, Range
from imgconv.process import process
from imgconv.recipe import Canny, Filter, Network, Pool, Postprocess, Recipe, filter_recipe, network_recipe
from imgconv.registry import Registry
from imgconv.window import Footprint

SETTINGS, FEWER = 40, 8  # of each kind in Chromium, and in Firefox, which takes more time to hand over maps
KERNELS = [name for name in Registry.load().names() if name not in ("gabor", "laws")]
NETWORKS = [
    ["grey", "conv gaussian5", "max_pool 2", "conv sobel_x sobel_y padding=1", "relu"],
    ["conv laplacian8 padding=same stride=2 padding_mode=reflect", "abs", "avg_pool 3 stride=2 padding=1 ceil_mode=true"],
    ["scale 0.00392156862745098", "normalize 0.4 0.2", "conv box:size=3 dilation=2 flip=true", "leaky_relu 0.1"],
    ["max_pool 3", "conv_transpose gaussian5 stride=2 padding=1 output_padding=1"],
    ["conv '1 2; 3 4' padding=full padding_mode=circular", "median_pool 3 stride=1", "sigmoid"],
    [
        "dilate disk:radius=2",
        "open '1 1; 0 1'",
        "tophat '0 1 0; 1 1 1; 0 1 0'",
        "gradient box:size=3",
        "erode '1 0; 1 1' padding_mode=reflect",
    ],
    ["close '1 1 0; 1 1 1'", "blackhat disk:radius=3"],
    ["pad 2x3 padding_mode=symmetric", "deform_conv sobel_x offset=offsets.npy stride=2 padding=1", "pad 1"],
    ["conv kirsch_n sobel_x", "combine max", "adaptive_avg_pool 5x7", "tanh"],
    ["avg_pool 3 stride=1 padding=1 count_include_pad=false", "softmax", "linear weights=w.npy bias=b.npy", "softmax dim=-1"],
    ["scale 0.004", "deform_conv weights=filters.npy offset=cells.npy mask=masks.npy bias=b.npy padding=1", "softmax dim=2"],
    ["scale 0.01", "deform_conv weights=filters.npy offset=computed.npz:offset mask=computed.npz:mask groups=1 stride=2", "relu"],
    ["scale 0.01", "avg_pool 4 count_include_pad=false padding=2", "min_pool 2 dilation=2", "flatten", "softmax"],
]


@pytest.fixture(scope="module", params=[browsing, browsing_in_firefox], ids=["chromium", "firefox"])
def tab(request, tmp_path_factory):
    with request.param(tmp_path_factory.mktemp("profile")) as page:
        page.resize(1280, 900)
        yield page


def opened(tab, folder, image, recipe, **options):
    """The page of a recipe, loaded."""
    file = folder / "page.html"
    file.write_text(explanation_page(image, recipe, **({"source": "photo.jpg"} | options)).html, encoding="utf-8")
    tab.visit(file)
    assert tab.value("new Promise((found) => { const look = () => globalThis.imgconvPage ? found(true) : setTimeout(look, 20); look(); })")
    return tab


def maps_on(tab, specs):
    """The planes of the last map of some settings, (C, H, W), NaN in missing cells."""
    script = f"""(() => {{ const model = imgconvPage; model.replace([{json.dumps(specs)}]);
      if (model.problem) return model.problem; const {{ planes, height, width, valid }} = model.results.at(-1);
      const cells = new Float64Array(planes.length * height * width);
      planes.forEach((plane, c) => plane.forEach((value, i) => (cells[c * plane.length + i] = !valid || valid[c][i] ? value : NaN)));
      const bytes = new Uint8Array(cells.buffer); let text = "";
      for (let i = 0; i < bytes.length; i += 32768) text += String.fromCharCode(...bytes.subarray(i, i + 32768));
      return {{ height, width, cells: btoa(text) }}; }})()"""
    value = tab.value(script)
    assert isinstance(value, dict), value
    return np.frombuffer(b64decode(value["cells"]), "<f8").reshape(-1, value["height"], value["width"])


def settings_of(recipe, image):
    """The settings of every map, for kernels without references."""
    return branches(recipe, image.pixels.dtype, [None] * len(getattr(recipe.step, "maps", ())))


def small_image(rng, kind, channels=3):
    """A photograph of 41x53 pixels with noise and flat parts."""
    photo = first_image(str(SAMPLES / "chelsea.jpg"), Request()).pixels[100:141, 150:203, :channels].astype(np.int64)
    photo[:9, :12] = rng.choice([0, 255])
    if kind == "uint16":
        return Raster((photo * 257 + rng.integers(-100, 100, photo.shape)).clip(0, 65535).astype(np.uint16))
    return Raster(photo.astype(np.uint8) if kind == "uint8" else (photo / 255).astype(kind))


def with_holes(rng, image, share=0.02):
    """The photograph without a disk, a column, and a share of the cells that differ between channels."""
    rows, columns = np.indices(image.size)
    holes = (np.hypot(rows - 20, columns - 15) < 6) | (columns == 40)
    valid = (~holes[..., None] & (rng.random(image.pixels.shape) > share)).astype(np.uint8)
    return replace(image, pixels=image.pixels * valid, valid=valid)


def with_alpha(rng, image):
    """The photograph with alpha that grows to the right, in whole blocks transparent or opaque, and noisy elsewhere."""
    largest = max_value_of(image.pixels.dtype)
    share = np.linspace(0, 1, image.size[1]) + rng.normal(0, 0.2, image.size)
    share[:7, :20], share[30:, 10:30] = 0, 1
    alpha = (share.clip(0, 1) * largest).astype(image.pixels.dtype)[..., None]
    valid = None if image.valid is None else np.repeat(image.valid.min(axis=2, keepdims=True), image.channels + 1, axis=2)
    pixels = np.concatenate([image.pixels, alpha], axis=2) * (1 if valid is None else valid)
    return replace(image, pixels=pixels.astype(alpha.dtype), alpha=True, valid=valid)


def random_recipe(rng, kind):
    """A filter or a pool with every shared option."""
    pair = lambda least, most: tuple(int(n) for n in rng.integers(least, most, 2))  # noqa: E731
    padding = str(rng.choice(["same", "valid", "full"])) if rng.random() < 0.7 else pair(0, 3)
    if rng.random() < 0.25:
        return random_pool(rng, pair, padding)
    mode = str(rng.choice(PaddingMode.names()))
    kernel = str(rng.choice(KERNELS)) if rng.random() < 0.7 else random_matrix(rng)
    range_ = None if rng.random() < 0.3 else str(rng.choice(Range.names()))
    linear = rng.random() < 0.15
    options = {
        "linear": linear,
        "stride": pair(1, 4),
        "padding": padding,
        "padding_mode": ("constant", 7.0) if mode == "constant" else mode,
    }
    if range_ != "raw" and rng.random() < 0.3:
        options["postprocess"] = Postprocess(invert=bool(rng.random() < 0.5), threshold=float(rng.integers(1, 90)))
    return filter_recipe(
        [kernel], dilation=pair(1, 3), flip=bool(rng.random() < 0.3), range=range_, grey=bool(rng.random() < 0.4), **options
    )


def random_pool(rng, pair, padding):
    size = pair(1, 6)
    cells = rng.integers(0, 2, size)
    cells[0, 0] = 1
    footprint = Footprint.of(cells.tolist(), "shape") if rng.random() < 0.3 else None
    named = padding if isinstance(padding, str) and padding != "full" else tuple(side // 2 for side in size)
    mode = str(rng.choice(PoolMode.names()))
    stride = None if rng.random() < 0.5 else pair(1, 4)
    border = None if rng.random() < 0.7 else str(rng.choice(["zeros", "replicate", "reflect", "circular"]))
    options = {"grey": bool(rng.random() < 0.3), "footprint": footprint, "padding_mode": border, "ceil_mode": bool(rng.random() < 0.3)}
    return Recipe("pool", Pool(size, f"rank:{rng.integers(0, 101)}" if mode == "rank" else mode, stride, named, pair(1, 3), **options))


def random_matrix(rng):
    height, width = rng.integers(1, 8, 2)
    rows = "; ".join(" ".join(map(str, row)) for row in rng.integers(-9, 10, (height, width)))
    return f"{rows} / {rng.choice([1, 2, 9, 16])}"


def written(image, recipe):
    """The maps of the last or only result as imgconv writes them, (C, H, W), NaN in missing cells."""
    maps = [each.image for each in process(image, recipe, floats=False)]
    values = [np.where(True if each.valid is None else each.valid, each.pixels, np.nan) for each in maps]
    return np.concatenate([each.transpose(2, 0, 1) for each in values])


def is_whole(recipe):
    """Whether the sums of a filter are whole numbers over a divisor."""
    kernels = [kernel for plan in recipe.step.maps for kernel in plan.kernels]
    return all((kernel.taps == np.rint(kernel.taps)).all() for kernel in kernels)


def check(shown, expected, recipe):
    """Pixels are equal, except that a sum of fractions, whose last bits depend on the order, may lie on the other side of a half."""
    assert shown.shape == expected.shape
    assert np.array_equal(np.isnan(shown), np.isnan(expected)), recipe.describe()
    difference = np.nan_to_num(np.abs(shown - expected))
    if is_raw(recipe):
        assert difference.max() <= 1e-6 * max(1.0, np.nanmax(np.abs(expected), initial=0))
    elif is_exact(recipe):
        assert difference.max() == 0, recipe.describe()
    else:
        assert (difference > 0).mean() < 0.01
        assert recipe.postprocess.threshold is not None or difference.max() <= 1


def is_raw(recipe):
    return isinstance(recipe.step, Filter) and (recipe.step.range or recipe.step.maps[0].range) == "raw"


def is_exact(recipe):
    """Whether the result is computed from whole numbers until the division."""
    step = recipe.step
    return not isinstance(step, Filter) or (is_whole(recipe) and step.maps[0].combine != "projection" and not step.linear)


def test_the_window_is_dragged_and_moved_by_keys(tab, tmp_path):
    image = small_image(np.random.default_rng(4), "uint8")
    opened(tab, tmp_path, image, filter_recipe(["sobel_x"]))
    left, top, width, height = tab.value(
        "(({ left, top, width, height }) => [left, top, width, height])(document.querySelector('.tile').getBoundingClientRect())"
    )
    tab.drag((left + 5, top + 5), (left + 0.25 * width, top + 0.75 * height))
    assert tab.value("imgconvPage.at") == [0, 30, 13]
    for key in ("ArrowRight", "ArrowUp", "Home", "ArrowDown"):
        tab.press(key)
    assert tab.value("imgconvPage.at") == [0, 30, 0]
    title = "new Promise((done) => setTimeout(() => done(document.getElementById('arithmetic-title').textContent), 100))"
    assert tab.value(title) == "Arithmetic of red 0,30 (column,row)"


@pytest.mark.parametrize("form", ["complete", "missing", "alpha", "alpha and missing"])
@pytest.mark.parametrize("kind", ["uint8", "uint16"])
def test_whole_maps_of_many_settings_equal_those_of_imgconv(tab, tmp_path, kind, form):
    rng = np.random.default_rng(16)
    for grey in (True, False):
        image = small_image(rng, kind)
        image = with_holes(rng, image, 0.3 if grey else 0.02) if "missing" in form else image
        image = with_alpha(rng, image) if "alpha" in form else image
        opened(tab, tmp_path, image, filter_recipe(["laplacian8"], grey=grey, alpha="keep"))
        tried = 0
        while tried < (SETTINGS if isinstance(tab, Page) else FEWER) // 2:
            alpha = rng.choice([rule for rule in AlphaRule if rule.in_grey or not grey])
            rule = {"missing": str(rng.choice(MissingMode.names())), "min_valid": float(rng.choice([0, 0.3, 0.8])), "alpha": str(alpha)}
            recipe = random_recipe(rng, kind)
            recipe = replace(recipe, step=replace(recipe.step, **rule))
            if recipe.step.grey != grey:
                continue
            try:
                written(image, recipe)
            except ValueError:
                continue
            tried += 1
            tab.value(f"imgconvPage.setRule({{ mode: '{rule['missing']}', least: {rule['min_valid']}, alpha: '{alpha}' }})")
            for settings, step in zip(settings_of(recipe, image), recipe.step.singles(), strict=True):
                single = Recipe(recipe.command, step, recipe.postprocess)
                check(maps_on(tab, settings), written(image, single), single)


@pytest.mark.parametrize("has_missing", [False, True], ids=["complete", "missing"])
@pytest.mark.parametrize("kind, channels", [("uint8", 3), ("uint16", 3), ("uint8", 1), ("float32", 3)], ids=str)
def test_maps_over_the_photograph_equal_those_of_imgconv(tab, tmp_path, kind, channels, has_missing):
    rng = np.random.default_rng(8)
    image = small_image(rng, kind, channels)
    image = with_holes(rng, image) if has_missing else image
    for grey, kernel, options in ((True, "sobel", {}), (False, "gaussian5", {"invert": True}), (True, "laplacian8", {"threshold": 0.2134})):
        recipe = filter_recipe([kernel], grey=grey, postprocess=Postprocess(overlay=True, **options))
        check_page(tab, tmp_path, image, recipe)
    check_page(tab, tmp_path, image, Recipe("canny", Canny(1.0), Postprocess(overlay=True)))


ON_ALPHA = [
    *(filter_recipe(["gaussian5"], **options) for options in ({}, {"alpha": "keep"}, {"linear": True}, {"alpha": "drop"}, {"grey": True})),
    *(Recipe("pool", Pool((3, 2), mode)) for mode in ("avg", "median", "std")),
    network_recipe(["conv gaussian5 padding=2", "max_pool 2"], range="raw"),
    network_recipe(["grey", "scale 0.5"], range="raw"),
    filter_recipe(["sobel"], grey=True, alpha="keep", postprocess=Postprocess(overlay=True)),
]


@pytest.mark.parametrize("kind", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("recipe", ON_ALPHA, ids=lambda recipe: recipe.describe())
@pytest.mark.parametrize("premultiplied", [False, True])
def test_colours_times_alpha_are_divided_without_rounding(tab, tmp_path, recipe, kind, premultiplied):
    rng = np.random.default_rng(7)
    image = with_alpha(rng, small_image(rng, kind))
    if premultiplied:
        largest, alpha = max_value_of(image.pixels.dtype), image.pixels[..., -1:].astype(np.float64)
        colours = image.colours * alpha / largest
        pixels = np.concatenate([colours if kind == "float32" else np.rint(colours), alpha], axis=2)
        image = replace(image, pixels=pixels.astype(kind), premultiplied=True)
    check_page(tab, tmp_path, image, recipe)


FLOATS = [
    filter_recipe(["sobel"], missing="fill"),
    filter_recipe(["gaussian5"], range="raw", min_valid=0.7),
    Recipe("pool", Pool((3, 2), "median", missing="propagate")),
    Recipe("pool", Pool(3, "std", stride=2, padding="same")),
]


@pytest.mark.parametrize("kind", ["float32", "float64"])
@pytest.mark.parametrize("recipe", FLOATS, ids=lambda recipe: recipe.describe())
def test_floats_with_missing_cells_equal_those_of_imgconv(tab, tmp_path, recipe, kind):
    rng = np.random.default_rng(6)
    check_page(tab, tmp_path, with_holes(rng, small_image(rng, kind)), recipe)


@pytest.mark.parametrize("kind", ["median", "sobel", "conv"])
def test_nan_and_infinity_that_are_not_missing_propagate(tab, tmp_path, kind):
    image = small_image(np.random.default_rng(5), "float32")
    image.pixels[7, 9], image.pixels[20, 19] = np.nan, np.inf
    network = network_recipe(["conv sobel_x padding=1", "median_pool 3 stride=1"], range="raw")
    recipe = {"median": Recipe("pool", Pool((3, 2), "median")), "sobel": filter_recipe(["sobel"], range="raw"), "conv": network}[kind]
    opened(tab, tmp_path, image, recipe)
    expected = written(image, recipe)
    np.testing.assert_allclose(maps_on(tab, settings_of(recipe, image)[0]), expected, rtol=1e-6, atol=1e-6)
    cells = np.argwhere(np.isnan(expected))[:4].tolist()
    script = f"{json.dumps(cells)}.map((cell) => String(imgconvPage.select(imgconvPage.results.length - 1, cell).explained().value))"
    assert tab.value(script) == ["NaN"] * len(cells)


TRANSFERS = {"gamma": gamma(1.8), "BT.709": of_cicp(1), "HLG": of_cicp(18)}


@pytest.mark.parametrize("name", TRANSFERS)
@pytest.mark.parametrize("kind", ["uint8", "uint16", "float32", "float64"])
def test_linear_light_is_that_of_the_file(tab, tmp_path, monkeypatch, kind, name):
    monkeypatch.setattr("imgconv.process.image.transfer_of", lambda metadata: TRANSFERS[name])
    monkeypatch.setattr("imgconv.inspection.page.photo.transfer_of", lambda metadata: TRANSFERS[name])
    check_page(tab, tmp_path, small_image(np.random.default_rng(2), kind), filter_recipe(["gaussian5"], linear=True))


def write_weights():
    """Weights, offsets and masks of the networks, for maps of 41x53 cells of three channels."""
    rng = np.random.default_rng(1)
    arrays = {"w": (4, 53), "b": (4,), "filters": (4, 3, 3, 3), "cells": (18, 41, 53), "masks": (9, 41, 53)}
    for name, shape in arrays.items():
        np.save(f"{name}.npy", rng.normal(0, 0.5, shape).round(1).astype(np.float32))  # with few digits they deflate
    np.save("offsets.npy", np.linspace(-1.3, 0.9, 18, dtype=np.float32))
    computed = {name: rng.normal(0, 0.2, (count, 3, 3, 3)).astype(np.float32) for name, count in (("offset", 18), ("mask", 9))}
    np.savez("computed.npz", **computed)


def check_page(tab, folder, image, recipe):
    """The page of a recipe shows the pixels that imgconv writes; of floats to 1e-6."""
    opened(tab, folder, image, recipe)
    shown, expected = maps_on(tab, settings_of(recipe, image)[0]), written(image, recipe)
    assert np.array_equal(np.isnan(shown), np.isnan(expected))
    difference, largest = np.nan_to_num(np.abs(shown - expected)), np.nanmax(np.abs(expected))
    if image.pixels.dtype.kind == "f" or isinstance(recipe.step, Network):
        assert difference.max() <= 2e-6 * largest
    else:
        assert (difference > 0).mean() < 1e-3 * (1 + 9 * getattr(recipe.step, "linear", False)) and difference.max() <= 1


RULES = [("keep", 0.0), ("fill", 0.4), ("propagate", 0.0)]


@pytest.mark.parametrize("steps", NETWORKS, ids=lambda steps: steps[0].split()[0] + f"-{len(steps)}")
def test_whole_maps_of_networks_equal_those_of_imgconv(tab, tmp_path, monkeypatch, steps):
    monkeypatch.chdir(tmp_path)
    write_weights()
    rng = np.random.default_rng(3)
    image, tolerance = small_image(rng, "uint8"), 1e-5 if "deform" in steps[1] else 1e-6
    for each, rules in ((image, RULES[:1]), (with_holes(rng, image), RULES)):
        opened(tab, tmp_path, each, network_recipe(steps, range="raw"))
        for mode, least in rules:
            recipe = network_recipe(steps, range="raw", missing=mode, min_valid=least)
            tab.value(f"imgconvPage.setRule({{ mode: '{mode}', least: {least} }})")
            shown, expected = maps_on(tab, settings_of(recipe, each)[0]).ravel(), written(each, recipe).ravel()
            atol = tolerance * max(1.0, np.nanmax(np.abs(expected), initial=0))
            np.testing.assert_allclose(shown, expected, rtol=1e-6, atol=atol, err_msg=mode)


@pytest.mark.parametrize("step", [Canny(), Canny(0), Canny(2.5, 20, 90), Canny(1, 70, 90, percent=True)], ids=repr)
@pytest.mark.parametrize("has_missing", [False, True], ids=["complete", "missing"])
def test_canny_equals_that_of_imgconv(tab, tmp_path, step, has_missing):
    image, recipe = first_image(str(SAMPLES / "astronaut.jpg"), Request("only")), Recipe("canny", step)
    if has_missing:
        rows, columns = np.indices(image.size)
        valid = (np.hypot(rows - 100, columns - 250) > 60) & (columns % 97 != 50)
        image = replace(image, pixels=image.pixels * valid[..., None], luma=None, valid=valid[..., None].astype(np.uint8))
    opened(tab, tmp_path, image, recipe)
    photo = page_photo(image, grey=True, crop=None)
    shown, expected = maps_on(tab, settings_of(recipe, image)[0]), written(photo.image, recipe)
    assert np.array_equal(np.isnan(shown), np.isnan(expected)) and np.isnan(shown).any() == has_missing
    assert (np.nan_to_num(shown) != np.nan_to_num(expected)).mean() < 1e-4
