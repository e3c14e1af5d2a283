"""Steps as typed and as written: the same op, the same options, one line for every mistake."""

import re
from pathlib import Path

import numpy as np
import pytest

from imgconv.errors import UsageError
from imgconv.recipe.operations import OPERATIONS
from imgconv.recipe.parsing import step_of_table, step_of_text
from imgconv.recipe.weights import Context

DOCUMENT = (Path(__file__).parents[2] / "docs" / "recipes.md").read_text()


def fields(step):
    """What a step does, with arrays as lists, so that two can be compared."""
    values = {key: value.tolist() if isinstance(value, np.ndarray) else value for key, value in vars(step.operation).items()}
    return type(step.operation), values


@pytest.mark.parametrize(
    "text, table",
    [
        ("scale 1/4", {"op": "scale", "factor": 0.25}),
        ("normalize 0.5,0.25,0 1", {"op": "normalize", "mean": [0.5, 0.25, 0], "std": 1}),
        ("conv laplacian8 padding=1", {"op": "conv", "kernel": "laplacian8", "padding": 1}),
        (
            "conv gaussian:sigma=2,size=5 sobel5_x stride=2x3",
            {"op": "conv", "kernel": ["gaussian:sigma=2,size=5", "sobel5_x"], "stride": [2, 3]},
        ),
        ("conv '0 1 0; 1 -4 1; 0 1 0' padding=same", {"op": "conv", "kernel": "0 1 0; 1 -4 1; 0 1 0", "padding": "same"}),
        ("conv -1 0 1 / 2 padding_mode=constant:0.5", {"op": "conv", "kernel": "-1 0 1 / 2", "padding_mode": ["constant", 0.5]}),
        ("conv sobel flip=true dilation=2", {"op": "conv2d", "kernel": ["sobel_x", "sobel_y"], "flip": True, "dilation": 2}),
        ("leaky_relu 0.2", {"op": "leaky_relu", "negative_slope": 0.2}),
        (
            "max_pool 3x2 2 1x0 ceil_mode=true",
            {"op": "max_pool2d", "kernel_size": [3, 2], "stride": 2, "padding": "1x0", "ceil_mode": True},
        ),
        ("avg_pool 2 stride=none", {"op": "avg_pool", "kernel_size": 2}),
        ("adaptive_max_pool none,7", {"op": "adaptive_max_pool", "output_size": ["none", 7]}),
        ("pointwise '1 2; 3 4'", {"op": "pointwise", "weights": [[1, 2], [3, 4]]}),
        ("combine max", {"op": "combine", "mode": "max"}),
        ("flatten", {"op": "flatten", "start_dim": 1}),
        ("softmax -1", {"op": "softmax", "dim": -1}),
    ],
)
def test_text_and_table_mean_the_same(text, table):
    kind, typed = fields(step_of_text(text, 1, Context()))
    other, written = fields(step_of_table(table, 1, Context()))
    typed.pop("range", None), written.pop("range", None)
    assert (kind, typed) == (other, written)


def test_options_have_the_defaults_of_torch():
    pool = step_of_text("max_pool 3x2", 1, Context()).operation.window
    assert (pool.stride, pool.padding, pool.dilation, pool.ceil_mode) == ((3, 2), (0, 0), (1, 1), False)
    conv = step_of_text("conv laplacian8", 1, Context()).operation
    assert (conv.window.stride, conv.window.padding, conv.groups, conv.padding_mode, conv.bias) == ((1, 1), (0, 0), 1, "zeros", None)
    average = step_of_text("avg_pool 2", 1, Context()).operation
    assert average.count_include_pad and average.divisor_override is None


@pytest.mark.parametrize(
    ("text", "taps"),
    [
        ("conv '64 7'", [[64, 7]]),
        ("conv 1 2 1", [[1, 2, 1]]),
        ("conv -1 1", [[-1, 1]]),
        ("conv '[[0, 1], [1, 0]]'", [[0, 1], [1, 0]]),
    ],
)
def test_matrices_of_steps(text, taps):
    assert step_of_text(text, 1, Context()).operation.weight[0, 0].tolist() == taps


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "op '' is unknown"),
        ("maxpool 2", "op 'maxpool' is unknown; nearest: max_pool"),
        ("conv laplacian", "laplacian is a tag and not a kernel"),
        ("conv laplacien8", "kernel 'laplacien8' is unknown; nearest: laplacian8"),
        ("conv", "no kernel is given"),
        ("conv 64 7 stride=2 padding=3", "64 7 are not weights"),
        ("conv 64", "64 are not weights"),
        ("conv 64 7x7 stride=2", "64 7x7 are not weights"),
        ("conv 64x3x7x7", "64x3x7x7 are not weights"),
        ("erode 3", "window '3' is a size; name a kernel such as square:size=3"),
        ("conv 3 64 7", "put a matrix into brackets, as in conv '[3 64 7]'"),
        ("conv sobel_x weights=w.npy", "both a kernel and weights"),
        ("conv sobel_x gaussian5", "kernels of different sizes (3x3, 5x5)"),
        ("conv 'sobel_x", "no closing quotation"),
        ("conv sobel_x pading=1", "option 'pading' is unknown; conv takes kernel, weights, bias, stride, padding"),
        ("conv sobel_x stride=0", "stride must be at least 1, not 0"),
        ("conv sobel_x stride=1.5", "stride: expected a size such as 2 or 3x5, got '1.5'"),
        ("conv sobel_x padding=most", "padding 'most' is unknown; use a number, or one of valid, same, full"),
        ("conv sobel_x padding_mode=mirror", "'mirror' is unknown; use reflect"),
        ("conv sobel_x groups=2", "groups need weights"),
        ("conv_transpose sobel_x output_padding=1", "output_padding 1 must be smaller than the stride 1"),
        ("conv_transpose sobel_x padding=same", "padding 'same' is not possible for a transposed"),
        ("max_pool", "kernel_size is missing"),
        ("max_pool 2 kernel_size=3", "kernel_size is given twice"),
        ("max_pool 3 padding=2", "padding 2x2 is over half of the kernel_size"),
        ("max_pool 2 padding=2 dilation=3", "padding 2x2 is over half of the kernel_size"),
        ("max_pool 3 padding=same", "padding 'same' is not possible for a pool"),
        ("avg_pool 2 divisor_override=0", "divisor_override must not be 0"),
        ("avg_pool 2 ceil_mode=yes", "ceil_mode: expected true or false, got 'yes'"),
        ("adaptive_avg_pool 0", "output_size must be at least 1, not 0"),
        ("relu 6", "'6' is unexpected"),
        ("scale nan", "factor: expected a finite number"),
        ("scale 1/0", "got '1/0'"),
        ("normalize 1,2 1,2,3", "2 means and 3 stds do not match"),
        ("normalize 0 0", "std must not be 0"),
        ("combine mean", "combination 'mean' is unknown; use one of hypot, max, sum"),
        ("flatten 2", "start_dim 2 is not possible"),
        ("pointwise sobel_x sobel_y", "are not pointwise"),
        ("linear", "weights are missing"),
        ("linear fc", "'fc' is not a weights file"),
    ],
)
def test_a_mistake_names_the_step(text, message):
    with pytest.raises(UsageError) as error:
        step_of_text(text, 4, Context())
    error_text = str(error.value)
    assert error_text.startswith(f"step 4 ({text}): ") and message in error_text and "\n" not in error_text and not error_text.endswith(".")


@pytest.mark.parametrize(
    "table",
    [
        {},
        {"op": 3},
        7,
        ["relu"],
        {"op": "relu", "x": 1},
        {"op": "scale", "factor": True},
        {"op": "max_pool", "kernel_size": 2.0},
        {"op": "pointwise", "weights": [[1], [1, 2]]},
        {"op": "linear", "weights": [["a"]]},
    ],
)
def test_tables_that_are_not_steps(table):
    with pytest.raises(UsageError, match=r"^step 2"):
        step_of_table(table, 2, Context())


@pytest.mark.parametrize("op", OPERATIONS)
def test_every_op_is_documented(op):
    assert f"`{op}`" in DOCUMENT


OPTIONS = sorted({option.name for kind in OPERATIONS.values() for option in kind.options})


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_is_documented(option):
    assert re.search(rf"`{option}\b", DOCUMENT)
