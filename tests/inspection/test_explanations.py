"""Explanations end at the pixel that filter, edge and pool write, whatever the image and the options."""

import numpy as np
import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as st

import imgconv
from imgconv.errors import DoesNotFit
from imgconv.images import Raster
from imgconv.inspection.explanation import explain
from imgconv.inspection.filter_arithmetic import filter_matrices
from imgconv.inspection.pixel import filter_input
from imgconv.process import process
from imgconv.process.network import results_of
from imgconv.recipe import Pool, Postprocess, Recipe, filter_recipe, network_recipe
from imgconv.recipe.operations import OPERATIONS
from imgconv.window import Footprint

WHOLE = ("sobel_x", "laplacian8", "relief", "roberts_x", "0 -1 0; -1 5 -1; 0 -1 0 / 3", "1 2 3 4; 5 6 7 8", "kirsch", "sobel")
FRACTIONS = ("gaussian:sigma=1,size=5", "freichen_x", "freichen_edge", "1 2 3; 4 5 6 / -7.5")
DTYPES = ("uint8", "uint16", "float32")
PADDINGS = ("same", "valid", "full", 1, (2, 0))
MODES = ("zeros", ("constant", 7.0), "replicate", "reflect", "symmetric", "circular")


@st.composite
def images(draw):
    """Noise of odd sizes, grey or colour, with or without alpha, at every depth."""
    shape = draw(st.tuples(st.integers(7, 13), st.integers(7, 13), st.integers(1, 4)))
    dtype = draw(st.sampled_from(DTYPES))
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    top = {"uint8": 256, "uint16": 65536, "float32": 1}[dtype]
    return (rng.random(shape) * top).astype(dtype)


def image_of(pixels):
    return Raster(pixels, alpha=pixels.shape[2] in (2, 4))


def place(data, array):
    height, width = array.shape[:2]
    return data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))


FILTER_OPTIONS = {
    "stride": st.sampled_from((1, 2, (3, 1))),
    "padding": st.sampled_from(PADDINGS),
    "padding_mode": st.sampled_from(MODES),
    "dilation": st.sampled_from((1, 2, (1, 2))),
    "range": st.sampled_from((None, "clip", "abs", "offset", "minmax", "raw")),
    "grey": st.booleans(),
    "linear": st.booleans(),
    "alpha": st.sampled_from(("auto", "keep", "drop", "filter")),
    "flip": st.booleans(),
}


@examples(120)
@given(pixels=images(), kernel=st.sampled_from(WHOLE + FRACTIONS), options=st.fixed_dictionaries(FILTER_OPTIONS), data=st.data())
def test_the_value_is_the_pixel_that_filter_writes(pixels, kernel, options, data):
    try:
        output = imgconv.filter(pixels, kernel, **options)
    except DoesNotFit:
        return
    output = output if isinstance(output, list) else [output]
    at = place(data, output[0])
    explanation = explain(image_of(pixels), filter_recipe([kernel], **options), at)
    for pixel, array in zip(explanation.maps, output, strict=True):
        assert np.array_equal(pixel.written, np.atleast_1d(array[at[1], at[0]]))
        for channel in pixel.channels:
            near = abs(channel.stages[-1].value - channel.written) <= 1 if channel.stages else channel.agrees
            assert channel.agrees or (near and not is_exact(kernel, options, channel, pixels)), (channel.stages, channel.written)


def is_exact(kernel, options, channel, pixels):
    """Whether every sum is one of whole numbers, where the reckoning and the filter must not differ at all."""
    return kernel in WHOLE and pixels.dtype.kind == "u" and not options["linear"] and options["range"] != "minmax" and kernel != "sobel"


@examples(80)
@given(
    pixels=images(),
    step=st.builds(
        Pool,
        size=st.sampled_from((1, 2, 3, (2, 3))),
        mode=st.sampled_from(("max", "avg", "min", "median", "rank:80", "range", "std")),
        stride=st.sampled_from((None, 1, (2, 1))),
        padding=st.sampled_from(("same", "valid", 0)),
        dilation=st.sampled_from((1, 2)),
        ceil_mode=st.booleans(),
        grey=st.booleans(),
        alpha=st.sampled_from(("auto", "keep", "drop")),
        footprint=st.sampled_from((None, Footprint.of([[0, 1, 0], [1, 0, 1]]), Footprint.of([[1, 0, 0], [0, 1, 0], [0, 0, 1]]))),
        padding_mode=st.sampled_from((None, None, "reflect", ("constant", 1))),
    ),
    data=st.data(),
)
def test_the_value_is_the_pixel_that_pool_writes(pixels, step, data):
    try:
        output = process(image_of(pixels), Recipe("pool", step))[0].image.pixels
    except DoesNotFit:
        return
    at = place(data, output)
    (pixel,) = explain(image_of(pixels), Recipe("pool", step), at).maps
    assert np.array_equal(pixel.written, np.atleast_1d(output[at[1], at[0]]))
    assert all(channel.agrees for channel in pixel.channels)
    assert not any((channel.winners & ~pixel.patch.used).any() for channel in pixel.channels)
    if step.mode in ("max", "min", "median", "rank:80"):
        for channel in pixel.channels:
            assert channel.winners.sum() == 1
            assert channel.cells[channel.winners] == channel.written


@pytest.mark.parametrize("dtype, middle", [("uint8", 128), ("uint16", 32768), ("float32", 0.5)])
def test_offsets_are_shown_in_the_levels_of_the_depth(dtype, middle):
    image = Raster(np.full((5, 6, 1), 1, dtype))
    (pixel,) = explain(image, filter_recipe(["relief"])).maps
    assert pixel.channels[0].members[0].stages[-1].value == middle == pixel.written[0]


def test_weights_across_channels_are_summed(tmp_path):
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 256, (9, 11, 3), np.uint8)
    weights = rng.integers(-3, 4, (2, 3, 3, 3)).astype(np.float64)
    np.save(tmp_path / "w.npy", weights)
    explanation = explain(Raster(pixels), filter_recipe([f"@{tmp_path / 'w.npy'}"], range="raw"), (4, 5))
    for pixel, plane in zip(explanation.maps, weights, strict=True):
        (member,) = pixel.channels[0].members
        assert [product.channel for product in member.products] == ["red", "green", "blue"]
        assert pixel.written == [(pixels[4:7, 3:6].astype(float).transpose(2, 0, 1) * plane).sum()]


SHAPES = {
    "w6": (6, 1, 3, 3),
    "b6": (6,),
    "mix": (4, 3, 2, 3),
    "up": (3, 2, 3, 2),
    "dense": (10, 27),
    "dense_bias": (10,),
    "columns": (4, 18),
    "colours": (2, 3),
    "moves": (18,),
    "field": (18, 7, 14),
    "shares": (9,),
    "moving": (12, 3, 2, 3),
    "masking": (6, 3, 2, 3),
}
NETWORKS = [
    ["conv box padding=1 padding_mode=reflect"],
    ["conv 'sobel_x' sobel_y padding=same stride=2 flip=true"],
    ["scale 1/255", "conv weights=w6.npy bias=b6.npy groups=3 padding=2 dilation=2"],
    ["depthwise weights=w6.npy stride=2"],
    ["conv weights=mix.npy padding=full padding_mode=constant:9", "relu", "conv gaussian:sigma=1"],
    ["grey", "max_pool 3 stride=2 padding=1 ceil_mode=true"],
    ["avg_pool 3 stride=2 padding=1"],
    ["avg_pool 3 stride=2 padding=1 ceil_mode=true count_include_pad=false"],
    ["avg_pool 2 ceil_mode=true divisor_override=3"],
    ["relu", "median_pool 3 padding=1"],
    ["conv box", "min_pool 2x3 stride=1 dilation=2"],
    ["conv_transpose box:size=2 stride=2"],
    ["conv_transpose sobel_x stride=2x1 padding=1 output_padding=1x0 dilation=2"],
    ["conv_transpose weights=up.npy groups=3 stride=3 bias=b6.npy"],
    ["adaptive_avg_pool 4x5"],
    ["conv sobel_x", "adaptive_max_pool 7xnone"],
    ["grey"],
    ["conv box", "grey"],
    ["conv box", "scale -0.5"],
    ["scale 1/255", "normalize 0.1,0.2,0.3 0.5"],
    ["conv sobel_x", "relu"],
    ["conv sobel_x", "leaky_relu 0.2"],
    ["scale 1/9", "conv sobel_x", "sigmoid"],
    ["scale 1/99", "conv sobel_x", "tanh"],
    ["conv sobel_x", "abs"],
    *(["conv sobel_x", f"combine {mode}"] for mode in ("hypot", "max", "sum")),
    *(["scale 1/99", f"softmax {dim}"] for dim in (1, 2, 3, -1, -3)),
    ["flatten"],
    ["max_pool 5", "flatten", "softmax"],
    ["max_pool 5", "flatten", "linear dense.npy dense_bias.npy", "relu"],
    ["max_pool 5", "flatten", "linear dense.npy dense_bias.npy"],
    ["linear columns.npy"],
    ["pointwise colours.npy"],
    ["pad 2x1 reflect"],
    ["conv box", "pad 3 padding_mode=constant:-7"],
    ["deform_conv sobel_x offset=moves.npy padding=1"],
    ["deform_conv weights=w6.npy groups=3 bias=b6.npy offset=field.npy mask=shares.npy stride=2x1 dilation=1x2"],
    ["scale 1/99", "deform_conv weights=mix.npy offset=moving.npy mask=masking.npy padding=1"],
    ["erode '0 1; 1 1; 0 1'"],
    ["relu", "dilate '0 1; 1 1; 0 1' padding_mode=reflect"],
    ["open '0 1; 1 1; 0 1'"],
    ["close cross padding_mode=symmetric"],
    ["tophat square padding_mode=circular"],
    ["blackhat '1 0 1; 0 1 0' padding_mode=constant:30"],
    ["gradient disk:radius=2"],
]


@pytest.mark.parametrize("steps", NETWORKS, ids=lambda steps: steps[-1].split()[0])
@pytest.mark.parametrize("at", [(0, 0), None, (-1, -1)])
def test_the_value_is_that_of_the_last_step_of_a_network(steps, at, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(4)
    for name, shape in SHAPES.items():
        np.save(f"{name}.npy", rng.standard_normal(shape).astype(np.float32))
    image, recipe = Raster(rng.integers(0, 256, (15, 18, 3), np.uint8)), network_recipe(steps)
    (maps,) = results_of([image], recipe.step)
    maps = maps[0] if maps.ndim == 4 else maps[None]  # a vector is a map of one row
    height, width = maps.shape[1:]
    explanation = explain(image, recipe, at and (at[0] % width, at[1] % height))
    column, row = explanation.at
    assert [value for pixel in explanation.maps for value in pixel.written] == maps[:, row, column].tolist()
    assert all(channel.agrees for pixel in explanation.maps for channel in pixel.channels)


def test_every_operation_is_explained():
    assert {steps[-1].split()[0] for steps in NETWORKS} == set(OPERATIONS)


def test_a_cell_that_no_input_reaches_is_the_bias():
    """A kernel of one tap leaves gaps of zeros between the cells that it enlarges."""
    (pixel,) = explain(Raster(np.full((2, 2, 1), 5, np.uint8)), network_recipe(["conv_transpose '[3]' stride=2"]), (1, 0)).maps
    assert pixel.patch.columns == () and pixel.written == [0] and pixel.channels[0].agrees


def test_thresholds_inversion_and_overlay_come_after_the_map():
    pixels = np.random.default_rng(2).integers(0, 256, (9, 11, 3), np.uint8)
    recipe = filter_recipe(["sobel"], grey=True, postprocess=Postprocess(invert=True, threshold=90.0, overlay=True))
    (pixel,) = explain(Raster(pixels), recipe, (4, 5)).maps
    assert [stage.name for stage in pixel.channels[0].stages][-2:] == ["threshold", "invert"] and pixel.channels[0].agrees
    assert len(pixel.written) == 3 and pixel.channels[0].written in (0, 255)


def test_a_pixel_outside_is_refused():
    image = Raster(np.zeros((5, 6, 1), np.uint8))
    with pytest.raises(DoesNotFit, match="pixel 6,2 lies outside the output laplacian8, which is 6 wide and 5 high"):
        explain(image, filter_recipe(["laplacian8"]), (6, 2))
    with pytest.raises(DoesNotFit, match="pixel 0,4 lies outside the output run, which is 3 wide and 2 high"):
        explain(image, network_recipe(["max_pool 2"]), (0, 4))
    with pytest.raises(DoesNotFit, match="lies outside the output run, which is 30 wide and 1 high"):
        explain(image, network_recipe(["flatten"]), (30, 0))


@pytest.mark.parametrize("size", [(6, 7), (40, 30)])
@pytest.mark.parametrize("options", [{}, {"stride": (2, 1)}, {"dilation": 2}, {"padding": "full", "padding_mode": "zeros"}, {"flip": True}])
def test_both_matrices_give_the_sums_of_the_filter(size, options):
    image = Raster(np.random.default_rng(3).integers(0, 256, (*size, 1), np.uint8))
    recipe = filter_recipe(["1 2 3; 4 5 6; 7 8 10"], **options, range="raw")
    (result,) = filter_matrices(filter_input(image, grey=False, alpha=False), recipe.step, (2, 3))
    assert np.array_equal(result.kernel_matrix @ result.cells.ravel(), result.sums)
    raw = imgconv.filter(image.pixels, "1 2 3; 4 5 6; 7 8 10", **options, range="raw")[..., 0]
    if size == (6, 7):
        assert np.array_equal(result.sums.reshape(result.output_size), raw)
    else:
        rows, columns = result.output_size
        windows = np.lib.stride_tricks.sliding_window_view(raw, (rows, columns))
        assert any(np.array_equal(window, result.sums.reshape(rows, columns)) for row in windows for window in row)
