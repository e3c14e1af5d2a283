"""Canny's edges: against scikit-image's on the photographs, against an oracle of its definition, and the same however it is divided."""

from pathlib import Path

import naive_canny
import numpy as np
import pytest
from command import SAMPLES
from examples import each_once
from PIL import Image
from scipy import ndimage

from imgconv.errors import DoesNotFit, UsageError
from imgconv.filters import canny
from imgconv.filters.canny import canny_edges
from imgconv.loops.canny import gradient_lengths, grow_edges, thin_edges

pytestmark = pytest.mark.sweep(2)

GOLDEN = Path(__file__).parents[1] / "data" / "canny" / "edges.npz"
SETTINGS = {"default": {"sigma": 1.4}, "levels": {"sigma": 2.0, "low": 15, "high": 60}}
SETTINGS["shares"] = {"sigma": 1.0, "low": 0.85, "high": 0.95, "quantiles": True}
RNG = np.random.default_rng(7)


def near(edges, others):
    """Which part of `edges` has one of `others` within a pixel."""
    return (edges & ndimage.binary_dilation(others, np.ones((3, 3)))).sum() / edges.sum()


def noise(height, width, dtype=np.uint8):
    smooth = ndimage.uniform_filter(RNG.random((height, width)), 3)
    white = np.iinfo(dtype).max if np.dtype(dtype).kind == "u" else 1
    return (smooth * white).astype(dtype)[..., None]


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("photograph", ["astronaut.jpg", "camera.png", "chelsea.jpg", "coffee.jpg"])
def test_photographs_as_scikit_image(photograph, setting):
    with Image.open(SAMPLES / photograph) as image:
        grey = np.array(image.convert("L"))
    with np.load(GOLDEN) as golden:
        expected = np.unpackbits(golden[f"{photograph}.{setting}"], axis=1, count=grey.shape[1]).astype(bool)
    edge_map = canny_edges(grey[..., None], **SETTINGS[setting])[..., 0] == 255
    assert min(near(edge_map, expected), near(expected, edge_map)) > 0.999
    assert (edge_map != expected).mean() < 1e-4


@pytest.mark.parametrize(("sigma", "dtype"), each_once([0, 0.1, 0.7, 1.4, 2.5], ["uint8", "uint16", "float32", "float64"]))
@pytest.mark.parametrize("size", [(3, 3), (17, 23), (31, 8), (5, 40), (60, 3)])
def test_definition(size, sigma, dtype):
    image = noise(*size, dtype)
    white = np.iinfo(dtype).max if image.dtype.kind == "u" else 1
    low, high = 0.15 * white / (1 + sigma), 0.4 * white / (1 + sigma)
    edge_map = canny_edges(image, sigma, low, high)
    assert edge_map.dtype == image.dtype and edge_map.shape == image.shape and set(np.unique(edge_map)) <= {0, white}
    assert np.array_equal(edge_map[..., 0] == white, naive_canny.canny(image[..., 0], sigma, low, high))


@pytest.mark.parametrize("size", [(1, 1), (2, 9), (9, 2), (1, 30)])
def test_images_without_an_inside_have_no_edges(size):
    assert not canny_edges(noise(*size)).any()
    assert not canny_edges(noise(*size), 1, 0.1, 0.9, quantiles=True).any()


def test_flat_images_have_no_edges_at_any_threshold():
    assert not canny_edges(np.full((20, 30, 1), 255, np.uint8), low=0, high=0)[7:-7, 7:-7].any()
    assert not canny_edges(np.full((20, 30, 1), 9, np.uint8), sigma=0, low=0, high=0).any()


@pytest.fixture(scope="module")
def winding():
    """A weak line that winds up and down an image, the same line strong in its last rows, and the edges of that by the definition."""
    weak = np.full((140, 108), 100, np.uint8)
    for n, column in enumerate(range(10, 94, 14)):
        weak[10:130, column : column + 5] = 108
        turn = 125 if n % 2 else 10
        weak[turn : turn + 5, column : column + 19] = 108
    strong = weak.copy()
    strong[100:130, 10:15] += np.minimum(np.arange(30), 12).astype(np.uint8)[:, None]
    return weak, strong, naive_canny.canny(strong, 1.0, 8, 50)


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("band", [1, 20_000, 1 << 19])
def test_a_weak_line_is_followed_through_every_band(monkeypatch, winding, band, threads):
    """Bands meet it before they find that it is strong."""
    monkeypatch.setattr(canny, "BAND_BYTES", band)
    weak, strong, expected = winding
    assert not canny_edges(weak[..., None], 1.0, 8, 50, threads=threads).any()
    edge_map = canny_edges(strong[..., None], 1.0, 8, 50, threads=threads)[..., 0] == 255
    assert edge_map[60:80].any(axis=0).sum() == 12  # both sides of six lines
    assert (edge_map != expected).sum() <= 1  # the symmetric end of a line is a tie, which rounding settles


@pytest.mark.parametrize("share", [0, 0.5, 0.83, 0.97])
def test_quantiles_are_those_of_all_gradients(share, monkeypatch):
    monkeypatch.setattr(canny, "BAND_BYTES", 20_000)
    image = noise(41, 57)
    lengths = np.sort(np.hypot(*naive_canny.gradients(image[..., 0].astype(float), 0)), axis=None)
    level = float(np.float32(lengths[round(share * (lengths.size - 1))]))
    expected = canny_edges(image, 0, level, level)
    assert expected.any()
    assert np.array_equal(canny_edges(image, 0, share, share, quantiles=True), expected)


FLAT = [(np.uint8, level) for level in (1, 77, 230, 255)] + [(np.uint16, 40001), (np.float32, 0.37), (np.float64, -3.3)]


@pytest.mark.parametrize(("flat", "sigma"), each_once(FLAT, [0.5, 1.4, 6]))
def test_quantiles_of_flat_images_find_no_edges(flat, sigma):
    dtype, level = flat
    for size in ((50, 61), (9, 7)):
        image = np.full((*size, 1), level, dtype)
        for low, high in ((0.0, 0.5), (0.5, 0.9), (0.9, 0.99)):
            assert not canny_edges(image, sigma, low, high, quantiles=True).any()


@pytest.mark.parametrize("margins", [(230, 230), (255, 40), (3, 201)])
@pytest.mark.parametrize("sigma", [1.0, 1.4, 3])
def test_quantiles_on_flat_margins_find_the_shape_alone(margins, sigma):
    paper = np.empty((120, 140), np.uint8)
    paper[:, :70], paper[:, 70:] = margins
    paper[50:70, 60:80] = 128
    near = np.zeros(paper.shape, bool)
    reach = int(4 * sigma) + 3
    near[50 - reach : 70 + reach, 60 - reach : 80 + reach] = True
    near[:, 70 - reach : 70 + reach] |= margins[0] != margins[1]
    for low, high in ((0.5, 0.8), (0.7, 0.9), (0.8, 0.95)):
        edges = canny_edges(paper[..., None], sigma, low, high, quantiles=True)[..., 0] > 0
        assert edges[near].any() and not edges[~near].any()


def test_small_differences_of_levels_are_edges_without_smoothing():
    image = np.full((9, 9, 1), 1000, np.float32)
    image[:, 5:] += 1e-3
    assert canny_edges(image, 0, 1e-3, 2e-3).any()


def test_values_that_are_not_finite_do_not_change_other_results():
    image = noise(40, 60, np.float32)
    clean = canny_edges(image, 1.0)
    image[5, 5] = np.nan
    broken = canny_edges(image, 1.0)
    assert np.array_equal(broken[20:, 20:], clean[20:, 20:]) and not broken[5, 5]


def test_loops_as_plain_python():
    smooth = RNG.random((9, 13)).astype(np.float32)
    lengths, marks = np.empty((7, 11), np.float32), np.empty((5, 11), np.uint8)
    gradient_lengths(smooth, np.zeros(1, np.float32), lengths)
    thin_edges(smooth, np.array([0.5, 1.0, 0.0], np.float32), np.empty((9, 11), np.float32), marks)
    down, across = (plane[1:-1, 1:-1] for plane in naive_canny.gradients(smooth.astype(float), 0))
    assert np.allclose(lengths, np.hypot(down, across), rtol=1e-5)
    ridge_map = naive_canny.ridges(down, across)[1:-1]
    assert np.array_equal(marks, (ridge_map >= 0.5) * 1 + (ridge_map >= 1.0))
    grow_edges(marks, np.arange(5), np.empty((marks.size, 2), np.int32))
    labels, _ = ndimage.label(ridge_map >= 0.5, np.ones((3, 3)))
    assert np.array_equal(marks == 2, np.isin(labels, labels[ridge_map >= 1.0]) & (labels > 0))


def test_errors():
    image = noise(9, 9)
    with pytest.raises(DoesNotFit, match="low threshold 60 is above the high one, 51; give both, for example 60 and 120"):
        canny_edges(image, low=60)
    with pytest.raises(UsageError, match="quantiles need both thresholds"):
        canny_edges(image, low=0.5, quantiles=True)


@pytest.mark.parametrize("setting", ["default", "levels"])
def test_missing_cells_as_scikit_image(setting):
    from skimage.feature import canny as reference

    with Image.open(SAMPLES / "camera.png") as image:
        grey = np.array(image.convert("L"))[:250, :300]
    valid = RNG.random(grey.shape) > 0.002
    valid[100:160, 80:140] = valid[:, 250:253] = False
    options = {"low": 25.5, "high": 51, **SETTINGS[setting]}
    levels = {"low_threshold": options["low"] / 255, "high_threshold": options["high"] / 255}
    expected = reference(grey / 255, options["sigma"], **levels, mask=valid)
    edge_map = canny_edges(np.where(valid, grey, 0)[..., None].astype(np.uint8), **options, valid=valid.view(np.uint8))[..., 0] == 255
    assert expected.sum() > 1000 and (edge_map != expected).mean() < 3e-4


@pytest.mark.parametrize("quantiles", [False, True])
@pytest.mark.parametrize("sigma", [0, 1.0, 3.0])
def test_no_edge_is_at_a_hole_and_values_in_it_do_not_matter(sigma, quantiles):
    image, valid = noise(60, 70, np.float32), RNG.random((60, 70)) > 0.01
    valid[20:40, 20:45] = False
    bounds = {"low": 0.6, "high": 0.9} if quantiles else {"low": 0.1 / (1 + sigma), "high": 0.2 / (1 + sigma)}
    results = []
    for value in (0, -9999):
        image[~valid] = value
        results.append(canny_edges(image, sigma, **bounds, quantiles=quantiles, valid=valid.view(np.uint8)))
    assert np.array_equal(*results) and results[0].any()
    assert not results[0][ndimage.binary_dilation(~valid, np.ones((3, 3)))].any()
    flat = canny_edges(np.where(valid, 100, 0)[..., None].astype(np.uint8), sigma, 0.1, 0.2, valid=valid.view(np.uint8))
    assert not flat.any()
