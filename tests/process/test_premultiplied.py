"""Premultiplied TIFF files: results are rounded once, from what the file stores, as a whole and by bands."""

from io import BytesIO

import numpy as np
import pytest
import tifffile
from command import imgconv as command
from examples import FULL
from image_files import read, tiff

from imgconv.images import Raster, Request, open_frames
from imgconv.inspection.explanation import explain
from imgconv.process import process
from imgconv.recipe import MissingData, Pool, Postprocess, Recipe, filter_recipe, network_recipe

HEIGHT, WIDTH = 23, 31
LEVELS = {"uint8": 255, "uint16": 65535, "float32": 1}


def stored(dtype, channels):
    """Pixels whose colours are at most their alpha: clear, nearly clear and opaque ones."""
    generator, most = np.random.default_rng(channels), LEVELS[dtype]
    alpha = generator.random((HEIGHT, WIDTH, 1)) * most
    alpha[generator.random((HEIGHT, WIDTH)) < 0.2] = 0
    alpha[:6] = np.minimum(alpha[:6], 3)
    alpha[-6:] = most
    pixels = np.concatenate([generator.random((HEIGHT, WIDTH, channels)) * alpha, alpha], axis=2)
    return (np.rint(pixels) if most > 1 else pixels).astype(dtype)


def premultiplied_file(pixels):
    photometric = "rgb" if pixels.shape[2] == 4 else "minisblack"
    return tiff(pixels, photometric=photometric, extrasamples=["assocalpha"], rowsperstrip=5)


def sums(values, taps, **padding):
    """Correlation with taps (3, 3), the edge repeated by default."""
    padded = np.pad(values.astype(np.float64), ((1, 1), (1, 1), (0, 0)), **(padding or {"mode": "edge"}))
    return sum(taps[u][v] * padded[u : u + HEIGHT, v : v + WIDTH] for u in range(3) for v in range(3))


def straight(pixels, most):
    values = pixels.astype(np.float64)
    return np.divide(values[..., :-1] * most, values[..., -1:], out=np.zeros(values[..., :-1].shape), where=values[..., -1:] > 0)


def light(levels):
    return np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)


def levels(light):
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def stored_frame(pixels):
    with open_frames(premultiplied_file(pixels), Request(premultiplied=True)) as opened:
        (frame,) = opened
    assert frame.premultiplied
    return frame


def result(pixels, kernel, **options):
    return process(stored_frame(pixels), filter_recipe([kernel], **options))[0].image.pixels


def same(actual, expected):
    if actual.dtype.kind == "u":
        np.testing.assert_array_equal(actual, np.rint(np.clip(expected, 0, np.iinfo(actual.dtype).max)))
    else:
        np.testing.assert_allclose(actual, expected, atol=2e-6)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", LEVELS)
def test_results_are_rounded_once(dtype, channels):
    pixels, most = stored(dtype, channels), LEVELS[dtype]
    colours, alpha, box = pixels[..., :-1], pixels[..., -1:], [[1, 1, 1]] * 3
    total = sums(alpha, box)
    blurred = np.divide(sums(colours, box) * most, total, out=np.zeros(colours.shape), where=total > 0)
    same(result(pixels, "box:size=3"), np.concatenate([blurred, total / 9], axis=2))
    same(result(pixels, "box:size=3", alpha="drop"), sums(colours, box) / 9)
    same(result(pixels, "box:size=3", alpha="keep"), np.concatenate([sums(straight(pixels, most), box) / 9, alpha], axis=2))
    difference = np.abs(sums(straight(pixels, most), [[0, -1, 0], [-1, 4, -1], [0, -1, 0]]))
    same(result(pixels, "laplacian4", range="abs"), np.concatenate([difference, alpha], axis=2))


@pytest.mark.parametrize("by", ["mask", "nodata"])
@pytest.mark.parametrize("dtype", LEVELS)
def test_results_without_missing_cells_are_rounded_once(dtype, by):
    """`nodata` is a value that the file stores."""
    pixels, most, box, corners = stored(dtype, 3), LEVELS[dtype], [[1, 1, 1]] * 3, [[1, 0, 1], [0, -4, 0], [1, 0, 1]]
    mask = np.random.default_rng(2).random((HEIGHT, WIDTH)) > 0.2
    value = float(pixels[10, 10, 0])
    valid = mask if by == "mask" else (pixels[..., :-1] != value).all(axis=2)
    missing = MissingData("auto", mask) if by == "mask" else MissingData(value)
    cells, alpha, colours = valid[..., None].astype(float), pixels[..., -1:].astype(float), straight(pixels, most)
    with np.errstate(invalid="ignore", divide="ignore"):
        kept = np.concatenate([sums(colours * cells, box) / sums(cells, box), alpha], axis=2)
        blurred = np.concatenate(
            [sums(pixels[..., :-1] * cells, box) * most / sums(alpha * cells, box), sums(alpha * cells, box) / sums(cells, box)], axis=2
        )
    for kernel, options, expected in (("box:size=3", {"alpha": "keep"}, kept), ("box:size=3", {}, np.nan_to_num(blurred))):
        actual = result(pixels, kernel, missing_data=missing, **options)[valid]
        near_tie = np.abs(expected[valid] % 1 - 0.5) < 1e-9
        same(np.where(near_tie, 0, actual).astype(actual.dtype), np.where(near_tie, 0, expected[valid]))
    touched = sums(1 - cells, np.abs(np.sign(corners)))[..., 0] > 0
    difference = np.concatenate([np.abs(sums(colours, corners)), alpha], axis=2)[~touched]
    same(result(pixels, "1 0 1; 0 -4 0; 1 0 1", range="abs", missing_data=missing)[~touched], difference)


@pytest.mark.parametrize("dtype", LEVELS)
def test_padding_has_the_colour_and_the_alpha_of_the_constant(dtype):
    pixels, most, box = stored(dtype, 3), LEVELS[dtype], [[1, 1, 1]] * 3
    value = most / 5
    padding = {"padding_mode": ("constant", value)}
    alpha, colours = pixels[..., -1:], straight(pixels, most)
    total = sums(alpha, box, constant_values=value)
    blurred = sums(colours * alpha, box, constant_values=value * value)
    expected = np.concatenate([np.divide(blurred, total, out=np.zeros(blurred.shape), where=total > 0), total / 9], axis=2)
    same(result(pixels, "box:size=3", **padding), expected)
    mean = sums(colours, box, constant_values=value) / 9
    same(result(pixels, "box:size=3", alpha="keep", **padding), np.concatenate([mean, alpha], axis=2))
    light_of_padding = light(value / most)
    weighted = sums(light(colours / most) * alpha, box, constant_values=light_of_padding * value)
    linear = levels(np.divide(weighted, total, out=np.zeros(weighted.shape), where=total > 0)) * most
    same(result(pixels, "box:size=3", linear=True, **padding)[..., :3], linear)


def test_luma_and_overlays_are_rounded_once():
    pixels = stored("uint8", 3)
    colours, alpha = straight(pixels, 255), pixels[..., -1:]
    grey = np.floor(colours @ [19595 / 65536, 38470 / 65536, 7471 / 65536] + 0.5)[..., None]
    same(result(pixels, "0 0 0; 0 1 0; 0 0 0", grey=True, alpha="keep"), np.concatenate([grey, alpha], axis=2))
    drawn = result(pixels, "laplacian4", command="edge", alpha="keep", postprocess=Postprocess(overlay=True))
    edges = np.abs(sums(grey, [[0, -1, 0], [-1, 4, -1], [0, -1, 0]])).clip(0, 255) / 255
    same(drawn, np.concatenate([colours * (1 - edges) + np.array([255, 0, 0]) * edges, alpha], axis=2))


@pytest.mark.parametrize("extra", ["mask", "nodata"])
def test_files_with_a_mask_or_a_nodata_value_are_rounded_once(extra):
    pixels, box = stored("uint8", 3), [[1, 1, 1]] * 3
    cover = np.random.default_rng(4).random((HEIGHT, WIDTH)) > 0.2
    nodata = int(pixels[10, 10, 0])
    file = BytesIO()
    options = {"photometric": "rgb", "extrasamples": ["assocalpha"]}
    with tifffile.TiffWriter(file) as writer:
        writer.write(pixels, **options, extratags=[(42113, "s", 0, str(nodata), True)] if extra == "nodata" else [])
        if extra == "mask":
            writer.write(cover, photometric="mask", subfiletype=4)
    recipe, seen = filter_recipe(["box:size=3"]), pixels * cover[..., None] if extra == "mask" else pixels
    with open_frames(file.getvalue(), Request(premultiplied=True)) as opened:
        actual = process(next(iter(opened)), recipe)[0]
    if extra == "mask":
        total = sums(seen[..., -1:], box)
        blurred = np.divide(sums(seen[..., :-1], box) * 255, total, out=np.zeros((HEIGHT, WIDTH, 3)), where=total > 0)
        same(actual.image.pixels, np.concatenate([blurred, total / 9], axis=2))
    else:
        named = process(stored_frame(pixels), filter_recipe(["box:size=3"], missing_data=MissingData(nodata)))[0]
        np.testing.assert_array_equal(actual.image.pixels, named.image.pixels)


@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_linear_light_is_rounded_once(dtype):
    pixels, most = stored(dtype, 3), LEVELS[dtype]
    alpha, box = pixels[..., -1:], [[1, 1, 1]] * 3
    total = sums(alpha, box)
    weighted = sums(light(straight(pixels, most) / most) * alpha, box)
    blurred = levels(np.divide(weighted, total, out=np.zeros(weighted.shape), where=total > 0)) * most
    same(result(pixels, "box:size=3", linear=True), np.concatenate([blurred, total / 9], axis=2))


@pytest.mark.parametrize("dtype", LEVELS if FULL else ["uint16"])  # each has loops of its own
def test_pools_are_rounded_once(dtype):
    pixels, most = stored(dtype, 3), LEVELS[dtype]
    values = np.concatenate([straight(pixels, most), pixels[..., -1:]], axis=2)
    windows = np.lib.stride_tricks.sliding_window_view(values, (3, 2), (0, 1))[::3, ::2].reshape(HEIGHT // 3, WIDTH // 2, 4, 6)
    reductions = {"max": np.max, "rank:50": lambda cells, axis: np.sort(cells, axis)[..., 3], "range": np.ptp}
    for mode, reduce in (reductions | {"std": np.std, "avg": np.mean}).items():
        recipe = Recipe("pool", Pool((3, 2), mode))
        actual = process(stored_frame(pixels), recipe)[0].image.pixels
        if dtype == "uint8" or mode != "range":  # the difference of two quotients can have the other side of a tie
            same(actual, reduce(windows, axis=-1))
        for channel in explain(stored_frame(pixels), recipe, (3, 5)).maps[0].channels:
            assert channel.agrees


def test_networks_get_colours_that_are_not_rounded():
    pixels = stored("uint8", 3)
    for steps, expected in {"scale 0.5": straight(pixels, 255) / 2, "grey": None}.items():
        recipe = network_recipe([steps], range="raw")
        maps = process(stored_frame(pixels), recipe, floats=True)
        assert not maps[0].image.premultiplied
        if expected is None:
            grey = straight(pixels, 255) @ [19595 / 65536, 38470 / 65536, 7471 / 65536]
            np.testing.assert_array_equal(maps[0].image.pixels[..., 0], np.floor(grey + 0.5))
        else:
            np.testing.assert_allclose(maps[0].image.pixels, expected, rtol=1e-6)


@pytest.mark.parametrize(
    "options",
    [{}, {"linear": True}, {"alpha": "keep"}, {"alpha": "drop"}, {"grey": True, "alpha": "keep"}, {"padding_mode": ("constant", 40)}],
    ids=str,
)
def test_explanations_end_in_the_pixels_that_are_written(options):
    pixels, recipe = stored("uint8", 3), filter_recipe(["box:size=3"], **options)
    frame = stored_frame(pixels)
    for row, column in zip(range(1, HEIGHT), range(2, WIDTH), strict=False):
        for channel in explain(frame, recipe, (column, row)).maps[0].channels:
            assert channel.agrees


def test_without_the_request_colours_are_straight():
    pixels = stored("uint8", 3)
    for frame in (read(premultiplied_file(pixels))[1][0], Raster(pixels, alpha=True)):
        assert not frame.premultiplied
    np.testing.assert_array_equal(read(premultiplied_file(pixels))[1][0].colours, np.rint(straight(pixels, 255)))


@pytest.mark.parametrize(
    "words",
    [
        ["filter", "-k", "box:size=3"],
        ["filter", "-k", "laplacian4", "--range", "abs"],
        ["filter", "-k", "box:size=3", "--linear", "--region", "3,4,200x250"],
        ["filter", "-k", "box:size=3", "--padding-mode", "constant:9"],
        ["edge", "--alpha", "keep"],
        ["edge", "--overlay"],
        ["pool", "--mode", "avg"],
        ["pool", "--mode", "rank:60", "--padding", "1", "--size", "3"],
        ["run", "-s", "conv gaussian5 padding=2"],
    ],
    ids=" ".join,
)
def test_bands_have_the_bytes_of_the_whole(tmp_path, words):
    (tmp_path / "a.tif").write_bytes(premultiplied_file(np.tile(stored("uint8", 3), (13, 9, 1))))
    for name, options in {"whole": [], "bands": ["--memory", "1M"]}.items():
        finished = command(words[0], tmp_path / "a.tif", *words[1:], *options, "-o", tmp_path / f"{name}.tif")
        assert finished.code == 0, finished.err
    assert (tmp_path / "whole.tif").read_bytes() == (tmp_path / "bands.tif").read_bytes()
