"""Any steps in any order: refused in one line before anything is computed, or computed to the very shapes that were traced."""

import hypothesis.strategies as st
import numpy as np
from examples import examples
from hypothesis import given

from imgconv.errors import DoesNotFit, ImgconvError, UsageError
from imgconv.images import Raster
from imgconv.process import process
from imgconv.process.network import results_of
from imgconv.recipe import Shape, network_recipe
from imgconv.recipe.operations import OPERATIONS
from imgconv.recipe.parsing import step_of_table
from imgconv.recipe.weights import Context

NUMBER = st.integers(0, 4).map(str)
SIZE = st.one_of(NUMBER, st.tuples(NUMBER, NUMBER).map("x".join))
WORDS = {
    "kernel": st.sampled_from(["sobel", "laplacian8", "box:size=2", "1 2 3; 4 5 6", "1", "1 2; 3 4"]).map(lambda kernel: f"'{kernel}'"),
    "factor": st.sampled_from(["1/255", "-2", "0"]),
    "mean": st.sampled_from(["0.5", "1,2,3"]),
    "std": st.sampled_from(["0.5", "1,2,3"]),
    "mode": st.sampled_from(["hypot", "max", "sum"]),
    "padding_mode": st.sampled_from(["zeros", "reflect", "circular", "constant:3"]),
    "flip": st.sampled_from(["true", "false"]),
    "ceil_mode": st.sampled_from(["true", "false"]),
    "count_include_pad": st.sampled_from(["true", "false"]),
    "output_size": st.sampled_from(["1", "3x2", "nonex4"]),
}
UNTRIED = {"weights", "bias"}  # files
TAKES = {op: [option for option in kind.options if option.name not in UNTRIED] for op, kind in OPERATIONS.items() if op != "linear"}


@st.composite
def steps(draw):
    op = draw(st.sampled_from(sorted(TAKES)))
    chosen = [option.name for option in TAKES[op] if option.required or option.name == "kernel" or draw(st.booleans())]
    words = [f"{name}={draw(WORDS.get(name, SIZE))}" for name in chosen]
    return " ".join([op, *words])


@examples(150)
@given(st.lists(steps(), min_size=1, max_size=4), st.sampled_from([1, 3]), st.sampled_from(["raw", None, "offset"]))
def test_traced_or_refused(texts, channels, range_):
    image = Raster(np.random.default_rng(0).integers(0, 256, (9, 11, channels), dtype=np.uint8))
    try:
        recipe = network_recipe(texts, range=range_)
        traced = recipe.trace(Shape(9, 11, channels))
    except (UsageError, DoesNotFit) as error:
        assert str(error).startswith("step ") and "\n" not in str(error)
        return
    (result,) = results_of([image], recipe.step)
    assert result.dtype == np.float32
    assert result.shape[1:] == recipe.step.trace_steps((channels, 9, 11))[-1]
    if not recipe.step.gives_vectors:
        assert [each.image.pixels.shape for each in process(image, recipe)] == [(s.height, s.width, s.channels) for _, s in traced]


OPTIONS = sorted({option.name for kind in OPERATIONS.values() for option in kind.options})
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3), max_leaves=5
)


@examples(200)
@given(st.sampled_from(sorted(OPERATIONS)), st.dictionaries(st.sampled_from(OPTIONS), VALUES, max_size=3))
def test_any_table_is_a_step_or_one_line_of_error(op, options):
    try:
        step = step_of_table({"op": op, **options}, 1, Context())
    except ImgconvError as error:
        assert str(error).startswith("step 1 (")
    else:
        assert step.op == op
