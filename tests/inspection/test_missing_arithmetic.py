"""Explanations and plans of images with missing cells: the counts, both sums and the quotient give what is written."""

import numpy as np
import pytest

import imgconv

pytestmark = pytest.mark.sweep(3)

RNG = np.random.default_rng(37)
IMAGE = RNG.integers(1, 255, (9, 11, 4), np.uint8)
VALID = RNG.random((9, 11)) > 0.15
KERNELS = ["gaussian:sigma=1,size=3", "sobel_x", "sobel", "0 -1 0; -1 5 -1; 0 -1 0", "box:size=3"]


@pytest.mark.parametrize("missing", ["keep", "fill", "propagate"])
@pytest.mark.parametrize("bands, alpha", [(1, "auto"), (3, "auto"), (4, "auto"), (4, "keep")])
@pytest.mark.parametrize("kernel", KERNELS)
def test_the_arithmetic_of_a_filter_gives_the_written_value(kernel, bands, alpha, missing):
    options = {"mask": VALID, "missing": missing, "alpha": alpha}
    result = imgconv.filter(IMAGE[..., :bands], kernel, **options)
    for row, column in [(0, 0), (3, 4), *np.argwhere(~VALID)[:2].tolist(), (8, 10)]:
        explained = imgconv.explain(IMAGE[..., :bands], kernel, at=(column, row), **options).maps[0]
        assert all(channel.agrees for channel in explained.channels), (row, column)
        assert np.allclose(explained.written, np.ma.getdata(result)[row, column])


@pytest.mark.parametrize("mode", ["max", "min", "avg", "median"])
def test_the_arithmetic_of_a_pool_gives_the_written_value(mode):
    result = imgconv.pool(IMAGE[..., 0], 3, mode, mask=VALID, stride=2)
    for row, column in np.ndindex(*result.shape):
        explained = imgconv.explain(IMAGE[..., 0], size=3, mode=mode, stride=2, mask=VALID, at=(column, row)).maps[0]
        assert explained.channels[0].agrees and explained.written == [result[row, column]]
        assert explained.channels[0].stages[0].name == "valid"


def test_an_explanation_has_both_sums_and_the_quotient():
    image, valid = np.arange(9, dtype=np.float32).reshape(3, 3), np.ones((3, 3))
    valid[0, 0] = 0
    (channel,) = imgconv.explain(image, "1 2 1; 2 4 2; 1 2 1 / 16", at=(1, 1), mask=valid, range="raw").maps[0].channels
    stages = {stage.name: stage.value for stage in channel.members[0].stages}
    assert stages["valid"] == 8 and stages["weight"] == 15 and stages["sum"] == 64
    assert stages["quotient"] == pytest.approx(64 / 15 * 16) and stages["divisor"] == pytest.approx(64 / 15)


def test_a_plan_counts_the_mask_and_names_the_quotient():
    plain, masked = (imgconv.plan(IMAGE, "gaussian:sigma=3", mask=mask).steps[0] for mask in (None, VALID))
    assert masked.work > 2 * plain.work and "over valid cells" in masked.algorithm


CANNY = [{}, {"sigma": 0}, {"sigma": 2.5, "low": 5, "high": 30}, {"low": 0.6, "high": 0.9, "quantiles": True}]


@pytest.mark.parametrize("alpha", ["auto", "keep"])
@pytest.mark.parametrize("options", CANNY, ids=str)
def test_the_arithmetic_of_canny_gives_the_written_value(options, alpha):
    image = RNG.integers(0, 255, (4, 6, 4), np.uint8).repeat(6, 0).repeat(5, 1)
    image[..., 3] = 255
    valid = RNG.random(image.shape[:2]) > 0.05
    valid[8:16, 9:17] = False
    edges = imgconv.canny(image, mask=valid, alpha=alpha, **options)
    last = set()
    for row, column in list(np.ndindex(*edges.shape[:2]))[::11]:
        channels = imgconv.explain(image, canny=True, at=(column, row), mask=valid, alpha=alpha, **options).maps[0].channels
        assert all(channel.agrees for channel in channels)
        assert [channel.written for channel in channels] == np.atleast_1d(edges.data[row, column]).tolist()
        assert (channels[0].stages[-1].name == "missing") == (not valid[row, column])
        last.add(channels[0].stages[-1].name)
    assert last >= {"missing", "border", "ridge"}


@pytest.mark.parametrize("step", ["conv gaussian:sigma=1,size=3 padding=1", "conv sobel_x padding=1", "conv '1 2; 3 4'"])
def test_the_arithmetic_of_a_step_gives_the_written_value(step):
    result = imgconv.run(IMAGE[..., 0], [step], mask=VALID, range="raw")
    for row, column in np.ndindex(*result.shape):
        (channel,) = imgconv.explain(IMAGE[..., 0], step=[step], mask=VALID, at=(column, row)).maps[0].channels
        assert channel.agrees and np.isnan(channel.written) == np.ma.getmaskarray(result)[row, column]


def test_a_figure_has_the_scale_of_the_valid_cells():
    image = np.where(VALID, IMAGE[..., 0].astype(np.float32), -9999)
    (group,) = imgconv.figure(image, "sobel_x", nodata=-9999).to_dict()["groups"]
    assert all(abs(bound) < 2000 for panel in group["panels"] for bound in (panel["scale"]["low"], panel["scale"]["high"]))
