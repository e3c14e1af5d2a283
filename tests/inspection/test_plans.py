"""Plans agree with what the commands then do, and with numbers that are known from elsewhere."""

from math import ceil, floor

import numpy as np
import pytest
from examples import each_once
from tifffile import imwrite

import imgconv
from imgconv.filters import algorithms
from imgconv.images import Raster
from imgconv.inspection.plans import ReceptiveField, plan
from imgconv.process import process
from imgconv.recipe import Canny, Pool, Recipe, Shape, filter_recipe, network_recipe
from imgconv.window import Footprint
from imgconv.windows import ranks, reduce, shapes

pytestmark = pytest.mark.sweep(3)


def evaluated(formula):
    """Both sides of a formula, calculated by Python."""
    expression, _, size = formula.rpartition(" = ")
    return eval(expression, {"floor": floor, "ceil": ceil}), int(size)


@pytest.mark.parametrize("stride", [1, 2, (3, 1)])
@pytest.mark.parametrize("padding", ["same", "valid", "full", 2])
@pytest.mark.parametrize("dilation", [1, (2, 1)])
def test_formulas_hold_and_give_the_size_of_the_result(stride, padding, dilation):
    options = {"stride": stride, "padding": padding, "dilation": dilation}
    filtered = imgconv.filter(np.zeros((19, 23, 3), np.uint8), "1 2 3 4; 5 6 7 8", **options)
    (step,) = plan(filter_recipe(["1 2 3 4; 5 6 7 8"], **options), Shape(19, 23, 3)).steps
    assert step.output == (3, *filtered.shape[:2])
    assert [evaluated(formula) for formula in step.sizes] == [(size, size) for size in filtered.shape[:2]]


@pytest.mark.parametrize("size", [(5, 6), (7, 4), (8, 9)])
def test_formulas_of_a_pool_that_keeps_a_last_window(size):
    step = Pool(2, stride=3, padding=1, ceil_mode=True)
    (step_plan,) = plan(Recipe("pool", step), Shape(*size, 1)).steps
    assert [evaluated(formula) for formula in step_plan.sizes] == [(out, out) for out in step_plan.output[1:]]


@pytest.mark.parametrize(
    "padding, name",
    [("valid", "valid (narrow)"), (1, "same (equal-width)"), ("same", "same (equal-width)"), (2, "full (wide)"), (3, "3+3 rows")],
)
def test_paddings_are_named(padding, name):
    (step,) = plan(filter_recipe(["laplacian8"], padding=padding), Shape(19, 23, 1)).steps
    assert step.padding.startswith(name)


def test_counts_of_lenet(tmp_path):
    """LeNet-5 on 32x32, as LeCun et al. 1998 count it: 156 parameters, 122,304 connections in C1 with the biases."""

    def saved(name, *shape):
        np.save(tmp_path / f"{name}.npy", np.ones(shape, np.float32))
        return tmp_path / f"{name}.npy"

    steps = [f"conv weights={saved('c1', 6, 1, 5, 5)} bias={saved('b1', 6)}", "avg_pool 2", "tanh"]
    steps += [f"conv weights={saved('c3', 16, 6, 5, 5)} bias={saved('b3', 16)}", "flatten", f"linear {saved('d', 10, 1600)}"]
    first, pool, _, second, flat, dense = plan(network_recipe(steps), Shape(32, 32, 1)).steps
    assert (first.parameters, first.multiply_adds, first.output) == (156, 122_304 - 6 * 28 * 28, (6, 28, 28))
    assert (second.parameters, second.multiply_adds) == (2416, 10 * 10 * 16 * 150)
    assert [step.receptive_field for step in (first, pool, second, flat, dense)] == [(5, 5), (6, 6), (14, 14), (32, 32), (32, 32)]
    assert (dense.parameters, dense.multiply_adds) == (16000, 16000)


@pytest.mark.parametrize(
    "steps", [["conv box", "max_pool 2", "conv box dilation=2"], ["conv_transpose box stride=2", "conv box"], ["avg_pool 3 stride=1"]]
)
def test_the_receptive_field_is_as_wide_as_the_effect_of_a_change(steps):
    """The receptive field is where a change of the input changes one output cell, at the phase that sees most."""
    network = network_recipe(steps)
    field = plan(network, Shape(24, 24, 1)).steps[-1].receptive_field

    def filtered(pixels):
        return process(Raster(pixels), network, floats=True)[0].image.pixels

    still, visited = filtered(np.zeros((24, 24, 1), np.uint8)), {}
    for row in range(24):
        pixels = np.zeros((24, 24, 1), np.uint8)
        pixels[row] = 200
        for out in np.flatnonzero((filtered(pixels) != still).any(axis=1)):
            visited.setdefault(out, []).append(row)
    assert max(rows[-1] - rows[0] + 1 for rows in visited.values()) == field[0]


@pytest.mark.sweep(7)
@pytest.mark.parametrize("options", [{}, {"stride": 2}, {"linear": True}])
@pytest.mark.parametrize("kernel", ["laplacian8", "gaussian:sigma=2", "gaussian:sigma=9", "box:size=33", "@w.npy"])
@pytest.mark.parametrize("shape", [(40, 50, 1), (40, 50, 3), (40, 50, 4)])
def test_the_algorithm_is_the_one_that_filter_runs(shape, kernel, options, monkeypatch, tmp_path):
    np.save(tmp_path / "w.npy", np.random.default_rng(0).random((17, 17)))
    kernel = kernel.replace("@", f"@{tmp_path}/")
    measured, choose = [], algorithms.choose

    def spy(weights, window):
        measured.append(choose(weights, window))
        return measured[-1]

    monkeypatch.setattr(algorithms, "choose", spy)
    imgconv.filter(np.full(shape, 9, np.uint8), kernel, **options)
    (step,) = plan(filter_recipe([kernel], **options), Shape(*shape, shape[2] == 4)).steps
    assert {choice.algorithm for choice in measured} == {step.algorithm.split(",")[0].split(" of ")[0]}


POOLS = [
    ("max", 2, {}, "separable"),
    ("min", 15, {}, "separable"),
    ("avg", 2, {}, "2x2 blocks"),
    ("avg", 2, {"stride": 1}, "separable"),
    ("avg", 2, {"ceil_mode": True}, "separable"),
    ("avg", 3, {}, "separable"),
    ("median", 3, {}, "sorting network"),
    ("median", 3, {"stride": 1}, "sorting network"),
    ("median", 10, {"stride": 1, "footprint": Footprint.of([[1] * 10] * 8 + [[1] * 9 + [0]])}, "counting"),
    ("rank:20", 55, {"stride": 9}, "column histograms"),
    ("rank:20", 55, {"stride": 9, "dilation": 2}, "histogram"),
    ("range", 3, {"footprint": Footprint.of([[1, 1], [1, 0]])}, "runs"),
    ("avg", 3, {"footprint": Footprint.of([[1, 1], [1, 0]])}, "runs"),
    ("std", 3, {}, "runs"),
]  # fmt: skip


@pytest.mark.parametrize(("pool", "channels"), each_once(POOLS, [1, 3]))
def test_the_algorithm_is_the_one_that_pool_runs(pool, channels, monkeypatch):
    """The loops are recorded by patching how they are loaded: results do not show which of them ran."""
    mode, size, options, algorithm = pool
    loops = {"separable": "fold_windows", "2x2 blocks": "halve", "sorting network": "rank_lines", "histogram": "rank_histogram"}
    loops |= {"counting": "rank_counts", "column histograms": "rank_columns", "runs": "fold_runs", "cell by cell": "deviations"}
    ran = set()
    for module in (reduce, ranks, shapes):
        load = module.loop
        monkeypatch.setattr(module, "loop", lambda template, load=load, **options: ran.add(template.__name__) or load(template, **options))
    recipe, shape = Recipe("pool", Pool(size, mode, **options)), (257, 263, channels)
    process(Raster(np.full(shape, 9, np.uint8)), recipe)
    (step,) = plan(recipe, Shape(*shape)).steps
    assert step.algorithm == algorithm
    variants = {"halve_pairs": "halve", "rank_network": "rank_lines"}
    assert {name for name in loops if loops[name] in {variants.get(each, each) for each in ran}} == {algorithm}
    assert ("rank_network" in ran) == (algorithm == "sorting network" and options.get("stride") == 1)  # registers, where an image is large


def test_memory_counts_the_bytes_of_each_depth():
    (step,) = plan(filter_recipe(["laplacian8"]), Shape(10, 20, 3), "uint16").steps
    assert (step.memory, step.peak_memory) == (1200, 2400)
    (step,) = plan(filter_recipe(["laplacian8"], range="raw"), Shape(10, 20, 3), "uint8").steps
    assert (step.memory, step.peak_memory) == (2400, 3000)


def test_receptive_field_through_strides():
    """Three convolutions of 3 with strides 2, 1, 2: the recursion of Araujo, Norris, Sim: Computing Receptive Fields, Distill 2019."""
    field = ReceptiveField().through(3, 2).through(3, 1).through(3, 2)
    assert (field.cells, field.jump) == (11, 4)


@pytest.mark.parametrize("alpha", ["auto", "keep"])
def test_stages_of_canny(alpha):
    """A Gaussian to 4 sigma, two kernels of 3x3, and neighbours on either side, each as far as the stage before it sees."""
    step = Canny(1.4, alpha=alpha)
    stages = plan(Recipe("canny", step), Shape(900, 5000, 4, True), "uint16").steps
    assert [stage.name for stage in stages] == ["grey", "gaussian sigma=1.4", "sobel_x, sobel_y, length", "thin to ridges", "hysteresis"]
    assert [stage.receptive_field for stage in stages] == [(1, 1), (13, 13), (15, 15), (17, 17), (900, 5000)]
    pixels = 900 * 5000
    assert [stage.multiply_adds // pixels for stage in stages] == [3, 169, 18, 4, 0]
    assert stages[1].work == 26 * pixels and stages[1].memory < 2**20 and stages[2].memory == 3 * 3 * 5000 * 4
    assert stages[-1].output == ((2 if alpha == "keep" else 1), 900, 5000) and stages[-1].memory == pixels * 2 * stages[-1].output[0]
    assert all(evaluated(formula) == (900, 900) for formula in (stages[1].sizes[0], stages[2].sizes[0]))


def test_quantiles_of_canny_do_its_first_stages_again():
    counted = plan(Recipe("canny", Canny(2.0, 80, 90, True)), Shape(40, 50, 1)).steps
    assert [stage.name for stage in counted][2] == "thresholds" and counted[2].output == (2,)
    assert counted[2].work == 2 * (counted[0].work + counted[1].work)
    assert len(plan(Recipe("canny", Canny(0)), Shape(40, 50, 1)).steps) == 3


@pytest.mark.parametrize(
    "kernel, options, per_value",
    [
        ("laplacian8", {}, 9),
        ("laplacian8", {"stride": 2}, 2 * 9),  # every column is summed
        ("diamond:radius=2", {"stride": 2}, 13),  # zero taps are left out where taps are laid one by one
        ("binomial:size=9", {}, 18),
        ("gaussian:sigma=4", {"stride": 2}, 3 * 33),  # all columns are summed down, every second one is asked for across
        ("box:size=40", {}, 3 + 5 + 1),  # 40 is 101000 in binary: five digits after the first, one of them 1
    ],
)
def test_work_is_counted_as_it_is_done(kernel, options, per_value):
    (step,) = plan(filter_recipe([kernel], **options), Shape(60, 90, 3)).steps
    values = step.output[0] * step.output[1] * step.output[2]
    assert step.work == per_value * values


def test_a_declared_value_of_missing_cells_is_planned(tmp_path):
    """Also of a file, whose pixels are not decoded, and of a masked array."""
    heights = np.ones((9, 9), np.float32)
    imwrite(tmp_path / "a.tif", heights, extratags=[(42113, "s", 0, "-9999", True)])
    masked = np.ma.masked_equal([[1.0, 2], [3, 4]], 4)
    algorithms = [imgconv.plan(image, "box:size=3").steps[0].algorithm for image in (tmp_path / "a.tif", masked, heights)]
    assert ["values and mask" in algorithm for algorithm in algorithms] == [True, True, False]
    assert "values and mask" not in imgconv.plan(tmp_path / "a.tif", "box:size=3", nodata="none").steps[0].algorithm
