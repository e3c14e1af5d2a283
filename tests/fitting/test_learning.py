"""Kernels are found from their own output; operations that are not a kernel fit badly."""

from functools import partial

import numpy as np
import pytest
from command import SAMPLES

from imgconv.errors import DoesNotFit
from imgconv.filters.color import luma
from imgconv.fitting import least_squares
from imgconv.fitting.learning import descend, learn
from imgconv.images import Metadata, Raster, Request, open_frames
from imgconv.process import process
from imgconv.recipe import MissingData, filter_recipe
from imgconv.registry import Kernel, Registry

pytestmark = pytest.mark.sweep(5)

REGISTRY = Registry.load()
KNOWN = [REGISTRY.get(name) for name in REGISTRY.names()]
SMALL = {  # by their names, members of banks too
    kernel.name: kernel
    for each in KNOWN
    for kernel in ([each] if isinstance(each, Kernel) else each.kernels)
    if kernel.taps.ndim == 2 and kernel.kernel_size in ((3, 3), (5, 5))
}


@pytest.fixture(scope="module")
def photo():
    with open_frames(SAMPLES / "coffee.jpg", Request("only")) as opened:
        return next(iter(opened))


@pytest.fixture(scope="module")
def part(photo):
    """The cup: enough windows for any small kernel."""
    return Raster(np.ascontiguousarray(photo.pixels[80:320, 150:470]))


@pytest.fixture(scope="module")
def colours():
    with open_frames(SAMPLES / "coffee.jpg") as opened:
        image = next(iter(opened))
    return Raster(np.ascontiguousarray(image.pixels[:200, :250]))


def filtered(image, kernel, **options):
    floats = options.get("range") == "raw"
    return process(image, filter_recipe([kernel], **options), floats=floats)[0].image


def weights_of(fit):
    return fit.taps / fit.divisor


@pytest.mark.parametrize("name", SMALL)
def test_every_small_kernel_is_learnt_from_its_own_unclipped_output(part, name):
    kernel = SMALL[name]
    (fit,) = learn([(part, filtered(part, kernel, range="raw"))], kernel.kernel_size)
    assert np.abs(weights_of(fit)[0, 0] - kernel.weights()).max() < 1e-6
    assert abs(fit.offset[0] - kernel.offset) < 1e-3 and fit.r2[0] > 1 - 1e-9
    assert fit.windows == fit.windows_total


@pytest.mark.parametrize("name", [name for name, kernel in SMALL.items() if kernel.total < 100])  # beyond that all is white
def test_every_small_kernel_is_learnt_from_8_bit_output(part, name):
    """From 8 bits, about half of them clipped for kernels that sum to zero; whole kernels are found exactly."""
    kernel = SMALL[name]
    (fit,) = learn([(part, filtered(part, kernel, range="clip"))], kernel.kernel_size)
    assert np.abs(weights_of(fit)[0, 0] - kernel.weights()).max() < 0.005
    if np.array_equal(kernel.weights(), np.rint(kernel.weights())):
        assert np.array_equal(weights_of(fit)[0, 0], kernel.weights())


def test_clipped_pixels_would_spoil_the_fit(photo):
    """Clipped pixels are left out; with them the weights of sobel_x are wrong."""
    output = filtered(photo, "sobel_x", range="clip")
    (fit,) = learn([(photo, output)], (3, 3))
    (spoilt,) = learn([(photo, Raster(output.pixels.astype(np.float32)))], (3, 3))
    assert np.array_equal(weights_of(fit)[0, 0], REGISTRY.get("sobel_x").taps) and fit.windows < fit.windows_total
    assert np.abs(weights_of(spoilt)[0, 0] - REGISTRY.get("sobel_x").taps).max() > 0.2


def test_each_colour_and_weights_across_colours(colours):
    mixed = colours.pixels @ np.array([[0.5, 0, 0.25], [0.5, 1, 0.25], [0, 0, 0.5]])
    (fit,) = learn([(colours, Raster(mixed.astype(np.float32)))], (1, 1), "all")
    assert np.abs(weights_of(fit)[..., 0, 0] - [[0.5, 0.5, 0], [0, 1, 0], [0.25, 0.25, 0.5]]).max() < 1e-6
    fits = learn([(colours, filtered(colours, "gaussian3", range="raw"))], (3, 3), "each")
    assert [fit.names for fit in fits] == [("red",), ("green",), ("blue",)]
    assert all(np.array_equal(fit.taps[0, 0], [[1, 2, 1], [2, 4, 2], [1, 2, 1]]) and fit.divisor == 16 for fit in fits)


@pytest.mark.parametrize("padding", ["same", "valid", "full"])
def test_outputs_of_every_padding_and_several_pairs(photo, padding):
    halves = [Raster(np.ascontiguousarray(half)) for half in (photo.pixels[:150, :99], photo.pixels[200:, 300:])]
    pairs = [(half, filtered(half, "1 2 3; 4 5 6", padding=padding, range="raw")) for half in halves]
    (fit,) = learn(pairs, (2, 3))
    assert np.array_equal(fit.taps[0, 0], [[1, 2, 3], [4, 5, 6]]) and fit.divisor == 1
    assert fit.windows_total == 149 * 97 + 199 * 298


def test_sixteen_bits_and_offsets_in_their_levels():
    noise = Raster(np.random.default_rng(0).integers(0, 65536, (60, 70, 1)).astype(np.uint16))
    (fit,) = learn([(noise, filtered(noise, "relief", range="raw"))], (3, 3))
    (kernel,) = fit.kernels("mine")
    assert np.array_equal(kernel.weights(), REGISTRY.get("relief").weights()) and kernel.offset == 128


def test_the_strips_add_up(photo, monkeypatch):
    output = filtered(photo, "gaussian3")
    (whole,) = learn([(photo, output)], (3, 3))
    monkeypatch.setattr(least_squares, "STRIP_CELLS", 30_000)  # a photo of several strips at the real size would be slow
    (strips,) = learn([(photo, output)], (3, 3))
    assert np.allclose(whole.free, strips.free, atol=1e-9) and whole.windows == strips.windows


def test_an_operation_that_is_not_a_kernel_explains_little(photo):
    (fit,) = learn([(photo, filtered(photo, "laplacian8", range="abs"))], (3, 3))
    assert fit.r2[0] < 0.5


@pytest.mark.parametrize(
    "shape, channels, text",
    [((20, 20, 1), "grey", "not input and output of a kernel of 3"), ((40, 50, 1), "each", "as many channels before as after")],
)
def test_pairs_that_do_not_match_are_refused(shape, channels, text):
    rng = np.random.default_rng(0)
    before, after = (Raster(rng.integers(1, 255, size).astype(np.uint8)) for size in ((40, 50, 3), shape))
    with pytest.raises(DoesNotFit, match=text):
        learn([(before, after)], (3, 3), channels)


def test_stripes_do_not_determine_the_rows_of_a_kernel(photo):
    stripes = Raster(np.repeat(photo.pixels[:1], 40, axis=0))
    (fit,) = learn([(stripes, filtered(stripes, "gaussian3", range="raw"))], (3, 3))
    assert not fit.determined and np.allclose(weights_of(fit)[0, 0].sum(axis=0), [0.25, 0.5, 0.25], atol=1e-3)
    (fit,) = learn([(photo, filtered(photo, "gaussian3"))], (3, 3))
    assert fit.determined


def test_too_few_windows_are_refused(photo):
    small = Raster(np.ascontiguousarray(photo.pixels[:5, :5]))
    with pytest.raises(DoesNotFit, match="9 windows are too few for 10 weights"):
        learn([(small, small)], (3, 3))


def test_a_black_output_is_refused(photo):
    black = Raster(np.zeros_like(luma(photo.pixels, alpha=False)))
    with pytest.raises(DoesNotFit, match="only black and white"):
        learn([(photo, black)], (3, 3))


@pytest.mark.parametrize("which", [0, 1], ids=["before", "after"])
@pytest.mark.parametrize("by", ["value", "mask"])
def test_missing_cells_take_no_part(which, by):
    rng = np.random.default_rng(0)
    pair = [Raster(rng.integers(100, 200, (40, 50, 1)).astype(np.uint8))]
    pair.append(filtered(pair[0], "gaussian3"))
    pixels = pair[which].pixels.copy()
    pixels[10:20, 5:9] = 7

    def holed(pixels):
        return Raster(pixels, metadata=Metadata(nodata=7.0)) if by == "value" else Raster(pixels, valid=(pixels != 7).astype(np.uint8))

    pair[which] = holed(pixels)
    (fit,) = learn([tuple(pair)], (3, 3))
    assert np.array_equal(fit.taps[0, 0] / fit.divisor, REGISTRY.get("gaussian3").weights())
    assert fit.windows == 38 * 48 - (12 * 6 if which == 0 else 10 * 4)
    pair[which] = holed(np.full_like(pixels, 7))
    with pytest.raises(DoesNotFit, match="missing or not finite"):
        learn([tuple(pair)], (3, 3))


@pytest.mark.parametrize("name", ["sobel_x", "sharpen4", "gaussian3"])
def test_descent_ends_where_least_squares_do(photo, name):
    losses = []
    output = filtered(photo, name, range="raw")
    (fit,) = learn(
        [(photo, output)], (3, 3), descent=lambda examples, size: descend(examples, size, 500, lambda _, loss: losses.append(loss))
    )
    assert np.abs(fit.free[0, 0] - REGISTRY.get(name).weights()).max() < 1e-3
    assert len(losses) == 500 and losses[-1] < 1e-6 * losses[0]


@pytest.mark.parametrize("descent", [False, True])
@pytest.mark.parametrize("value", [-9999.0, np.nan])
def test_windows_with_missing_cells_are_left_out(value, descent):
    """Missing cells of the first image, and results that are missing, have values that would spoil every fit."""
    rng = np.random.default_rng(3)
    heights, taps = (rng.random((90, 80, 1)) * 1000).astype(np.float32), np.array([[1.0, 2, 1], [2, 4, 2], [0, 1, 5]])
    image = Raster(heights, metadata=Metadata(nodata=value))
    image.pixels[rng.random((90, 80)) < 0.02] = value
    result = filtered(image, Kernel("k", taps), range="raw")
    assert result.missing > 50 and result.metadata.nodata is value
    result.pixels[:30] = value
    steps = partial(descend, steps=400, on_step=lambda step, loss: None) if descent else None
    (fit,) = learn([(image, result)], (3, 3), descent=steps)
    assert np.abs(weights_of(fit)[0, 0] - taps).max() < 1e-3
    assert fit.windows < fit.windows_total - 30 * 78


def test_a_mask_leaves_out_windows_of_the_first_image():
    rng = np.random.default_rng(4)
    image, mask = Raster(rng.integers(1, 200, (60, 70, 1), np.uint8)), rng.random((60, 70)) > 0.05
    soft = filtered(image, "1 2 1; 2 4 2; 1 2 1 / 16")
    image.pixels[~mask] = 255
    assert learn([(image, soft)], (3, 3))[0].divisor != 16
    (fit,) = learn([(image, soft)], (3, 3), missing_data=MissingData(mask=mask))
    assert (fit.taps[0, 0].tolist(), fit.divisor) == ([[1, 2, 1], [2, 4, 2], [1, 2, 1]], 16)
    with pytest.raises(DoesNotFit, match="missing"):
        learn([(image, soft)], (3, 3), missing_data=MissingData(mask=np.zeros((60, 70), np.bool_)))
