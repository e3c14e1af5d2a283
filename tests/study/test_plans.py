"""Plans agree with what the commands then do, and with numbers that are known from elsewhere."""

import imgconv
import numpy as np
import pytest
from imgconv.functional import conv2d
from imgconv.functional.picture import _Filter
from imgconv.recipe import Pool, Recipe, Shape, filter_recipe, network_recipe
from imgconv.study.geometry import Sight
from imgconv.study.plan import plan


def evaluated(formula):
    """Both sides of a told formula, reckoned by Python."""
    told, _, size = formula.rpartition(" = ")
    from math import ceil, floor

    return eval(told, {"floor": floor, "ceil": ceil}), int(size)


@pytest.mark.parametrize("stride", [1, 2, (3, 1)])
@pytest.mark.parametrize("padding", ["same", "valid", "full", 2])
@pytest.mark.parametrize("dilation", [1, (2, 1)])
def test_formulas_hold_and_give_the_size_of_the_result(stride, padding, dilation):
    options = {"stride": stride, "padding": padding, "dilation": dilation}
    made = imgconv.filter(np.zeros((19, 23, 3), np.uint8), "1 2 3 4; 5 6 7 8", **options)
    (step,) = plan(filter_recipe(["1 2 3 4; 5 6 7 8"], **options), Shape(19, 23, 3)).steps
    assert step.output == (3, *made.shape[:2])
    assert [evaluated(formula) for formula in step.sizes] == [(size, size) for size in made.shape[:2]]


@pytest.mark.parametrize("size", [(5, 6), (7, 4), (8, 9)])
def test_formulas_of_a_pool_that_keeps_a_last_window(size):
    step = Pool(2, stride=3, padding=1, ceil_mode=True)
    (told,) = plan(Recipe("pool", step), Shape(*size, 1)).steps
    assert [evaluated(formula) for formula in told.sizes] == [(out, out) for out in told.output[1:]]


@pytest.mark.parametrize(
    "padding, name", [("valid", "valid (narrow)"), (1, "same (equal-width)"), ("same", "same (equal-width)"), (2, "full (wide)"), (3, "3+3 rows")]
)
def test_paddings_are_named(padding, name):
    (step,) = plan(filter_recipe(["laplacian8"], padding=padding), Shape(19, 23, 1)).steps
    assert step.padding.startswith(name)


def test_counts_of_lenet():
    """LeNet-5's first layers on 32x32, as LeCun et al. 1998 count them: 156 and 122,304; full connections in the second convolution."""
    rng = np.random.default_rng(0)
    steps = [f"conv weights={_saved(rng, (6, 1, 5, 5))} bias={_saved(rng, (6,))}", "avg_pool 2", "tanh"]
    steps += [f"conv weights={_saved(rng, (16, 6, 5, 5))} bias={_saved(rng, (16,))}", "flatten", f"linear {_saved(rng, (10, 1600))}"]
    first, pool, _, second, flat, dense = plan(network_recipe(steps), Shape(32, 32, 1)).steps
    assert (first.parameters, first.multiply_adds, first.output) == (156, 122_304 - 6 * 28 * 28, (6, 28, 28))
    assert (second.parameters, second.multiply_adds) == (2416, 10 * 10 * 16 * 150)
    assert [step.receptive_field for step in (first, pool, second, flat, dense)] == [(5, 5), (6, 6), (14, 14), (32, 32), (32, 32)]
    assert (dense.parameters, dense.multiply_adds) == (16000, 16000)


_FILES = []


def _saved(rng, shape):
    import tempfile

    with tempfile.NamedTemporaryFile(suffix=".npy", delete=False) as file:
        np.save(file, rng.standard_normal(shape).astype(np.float32))
    _FILES.append(file.name)
    return file.name
