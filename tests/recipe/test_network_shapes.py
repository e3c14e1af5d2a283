"""Shapes and names of a network before any image is decoded."""

import re

import numpy as np
import pytest

from imgconv.errors import DoesNotFit, UsageError
from imgconv.images import Raster
from imgconv.process import process
from imgconv.process.network import results_of
from imgconv.recipe import Shape, filter_recipe, network_recipe
from imgconv.recipe.shape import Sheet

PHOTO = Shape(49, 63, 3)


@pytest.mark.parametrize(
    "steps, shape, traced",
    [
        (["conv laplacian8"], PHOTO, [("run", Shape(47, 61, 3))]),
        (["conv laplacian8 stride=2x3 padding=same"], PHOTO, [("run", Shape(25, 21, 3))]),
        (["conv sobel_x sobel_y padding=1"], PHOTO, [("run-1", PHOTO), ("run-2", PHOTO)]),
        (["conv sobel_x sobel_y padding=1", "conv sobel padding=1"], PHOTO, [(f"run-{n}", PHOTO) for n in (1, 2, 3, 4)]),
        (["grey", "conv sobel_x sobel_y padding=1"], PHOTO, [("run-1", Shape(49, 63, 1)), ("run-2", Shape(49, 63, 1))]),
        (["conv sobel", "combine"], PHOTO, [("run", Shape(47, 61, 1))]),
        (["relu"], Shape(5, 7, 4, alpha=True), [("run", Shape(5, 7, 3))]),
        (["relu"], Shape(5, 7, 10), [("run", Shape(5, 7, 10))]),
        (["max_pool 2 ceil_mode=true"], PHOTO, [("run", Shape(25, 32, 3))]),
        (["conv_transpose box:size=3 stride=2 padding=1 output_padding=1"], PHOTO, [("run", Shape(98, 126, 3))]),
        (["adaptive_avg_pool 4xnone", "flatten"], PHOTO, [("run", Shape(1, 1, 3 * 4 * 63))]),
        (["pointwise '1 2 3; 4 5 6'"], PHOTO, [("run-1", Shape(49, 63, 1)), ("run-2", Shape(49, 63, 1))]),
    ],
)
def test_trace(steps, shape, traced):
    recipe = network_recipe(steps)
    assert recipe.trace(shape) == traced
    assert recipe.names == tuple(name for name, _ in traced)


@pytest.mark.parametrize(
    "steps, message",
    [
        (["max_pool 2", "max_pool 30"], "step 2 (max_pool 30): got 3x24x31: kernel 30x30 does not fit"),
        (["pointwise '1 2'"], "step 1 (pointwise '1 2'): got 3x49x63: needs 2 channels"),
        (["normalize 1,2 1"], "got 3x49x63: needs 2 channels"),
        (["conv_transpose box:size=1 padding=40"], "got 3x49x63: needs larger maps or less padding"),
        (["conv box:size=3 padding=99999"], "would make 3x200045x200059 numbers"),
    ],
)
def test_a_step_that_does_not_fit_this_image(steps, message):
    with pytest.raises(DoesNotFit, match=re.escape(message)):
        network_recipe(steps).trace(PHOTO)


@pytest.mark.parametrize(
    "steps, message",
    [
        (["flatten", "relu", "max_pool 2"], "step 3 (max_pool 2): got a vector: needs maps (channels, height, width); put it before"),
        (["grey", "normalize 1,2,3 1"], "step 2 (normalize 1,2,3 1): got 1x?x?: needs 3 channels"),
        (["adaptive_avg_pool 5x7", "max_pool 6"], "got ?x5x7: kernel 6x6 does not fit"),
        (["flatten", "softmax 2"], "needs a dim from 1 to 1"),
    ],
)
def test_steps_that_never_fit_are_wrong_usage(steps, message):
    with pytest.raises(UsageError, match=re.escape(message)):
        network_recipe(steps)


@pytest.mark.parametrize("mode, most", [("reflect", 4), ("symmetric", 5), ("circular", 5)])
def test_the_trace_refuses_padding_wider_than_its_mode_can_fill(mode, most):
    steps = "conv box:size=3 padding={}x0 padding_mode={}"
    small = Raster(np.zeros((5, 9, 1), np.uint8))
    assert results_of([small], network_recipe([steps.format(most, mode)]).step)[0].shape == (1, 1, 3 + 2 * most, 7)
    with pytest.raises(DoesNotFit, match=f"got 1x5x9: needs padding of at most {most} for padding_mode {mode}, not {most + 1}"):
        network_recipe([steps.format(most + 1, mode)]).trace(Shape(5, 9, 1))
    assert network_recipe([steps.format(most + 1, "replicate")]).trace(Shape(5, 9, 1))


def test_layers_that_never_fit_each_other(tmp_path):
    np.save(tmp_path / "conv.npy", np.ones((4, 1, 3, 3)))
    np.save(tmp_path / "linear.npy", np.ones((10, 37)))
    steps = [f"conv {tmp_path / 'conv.npy'}", "adaptive_avg_pool 3", "flatten", f"linear {tmp_path / 'linear.npy'}"]
    with pytest.raises(UsageError, match=r"step 4 .*: got a vector of 36: needs 37 numbers"):
        network_recipe(steps)
    with pytest.raises(DoesNotFit, match=r"step 1 .*: got 3x49x63: needs 1 channel; put grey before it"):
        network_recipe(steps[:3]).trace(PHOTO)
    with pytest.raises(UsageError, match=r"step 2 .*: got 1x\?x\?: needs 2 channels"):
        network_recipe(["grey", f"{steps[0]} groups=2"])


def test_selected_steps_have_their_number_and_op_in_their_names():
    recipe = network_recipe(["grey", "conv sobel", "relu", "conv laplacian4", "flatten"], keep=["conv", "3", "flatten"])
    assert recipe.names == tuple(
        f"run.{name}" for name in ["2-conv-1", "2-conv-2", "3-relu-1", "3-relu-2", "4-conv-1", "4-conv-2", "5-flatten"]
    )
    with pytest.raises(UsageError, match=r"--keep '9' is not a step of this recipe; its steps are 1 grey, 2 conv"):
        network_recipe(["grey", "conv sobel"], keep=["9"])


@pytest.mark.parametrize("recipe", [filter_recipe(["sobel"], command="edge"), network_recipe(["grey", "conv sobel"])])
def test_a_shape_is_traced_once(recipe, monkeypatch):
    """For the header of a file, the memory that it needs, and the pixels, of which a JPEG file may decode the luma alone."""
    calls = []
    step = type(recipe.step)
    traced = step.trace
    monkeypatch.setattr(step, "trace", lambda self, shape: calls.append(shape) or traced(self, shape))
    recipe.trace(PHOTO)
    recipe.values_between(PHOTO)
    process(Raster(np.zeros((49, 63, 3), np.uint8)), recipe)
    process(Raster(np.zeros((49, 63, 1), np.uint8)), recipe)
    assert len(calls) == 1
    recipe.trace(Shape(48, 63, 3))
    assert len(calls) == 2


def test_one_map_of_many():
    recipe = network_recipe(["grey", "conv sobel"])
    alone = [network.trace(PHOTO) for network in recipe.step.singles()]
    assert alone == [[each] for each in recipe.trace(PHOTO)]


@pytest.mark.parametrize("count", [1, 2, 5, 12])
def test_tiles_of_a_sheet_do_not_overlap(count):
    kernels = " ".join(["laplacian4"] * count)
    (_, shape), *_ = network_recipe([f"conv {kernels}"], sheet=True).trace(Shape(12, 7, 3))
    corners = list(Sheet.of([Shape(10, 5, 3)] * count).corners())
    covered = np.zeros((shape.height, shape.width), int)
    for row, column in corners:
        covered[row : row + 10, column : column + 5] += 1
    assert covered.max() == 1 and covered.sum() == count * 50
    assert shape.height <= 3 * shape.width and shape.width <= 3 * shape.height


@pytest.mark.parametrize("steps, options, message", [
    ([], {}, "no steps are given"),
    (["relu"], {"file": "net.toml"}, "both steps and a recipe file"),
    (["flatten"], {"sheet": True}, "a sheet cannot show a vector"),
    (["relu"], {"sheet": True, "range": "raw"}, "--sheet needs pixels"),
    (["relu"], {"range": "log"}, "range 'log' is unknown"),
])  # fmt: skip
def test_options_that_contradict_each_other(steps, options, message):
    with pytest.raises(UsageError, match=message):
        network_recipe(steps, **options)


@pytest.mark.parametrize("steps, options, format, message", [
    (["flatten"], {}, "png", "png cannot hold a vector"),
    (["relu"], {"sheet": True}, "npy", "--sheet makes an image"),
    (["relu", "abs"], {"keep": ["1", "2"]}, "npy", "one .npy file cannot hold"),
    (["relu"], {"range": "raw"}, "png", "--range raw needs an output that holds floats"),
])  # fmt: skip
def test_formats_that_cannot_hold_the_results(steps, options, format, message):
    with pytest.raises(UsageError, match=message):
        network_recipe(steps, **options).check_format(format, holds_floats=format != "png")


def test_the_description_contains_steps_and_weights(tmp_path):
    np.save(tmp_path / "w.npy", np.ones((3, 3)))
    steps = ["grey", f"conv {tmp_path / 'w.npy'}"]
    first = network_recipe(steps, range="abs").describe()
    assert first.startswith("run grey | conv ") and first.endswith("range=abs")
    np.save(tmp_path / "w.npy", np.zeros((3, 3)))
    assert network_recipe(steps, range="abs").describe() != first
