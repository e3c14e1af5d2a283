"""Where Numba or llvmlite behave differently, plain Numba gives the same results; other versions and CPUs find no old code."""

import os
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from processes import environment

from imgconv.engine import cache, compiled
from imgconv.engine.object_code import ENTRY

numba, llvm = import_module("numba"), import_module("llvmlite.binding")


def fails(*_):
    raise RuntimeError("not in this version")


def another_array(patch):
    model = numba.core.datamodel.default_manager.lookup(numba.types.Array(numba.types.uint8, 2, "C"))
    patch.setattr(model, "_fields", model._fields[::-1])


def no_entry(patch):
    original_address = llvm.ExecutionEngine.get_function_address
    patch.setattr(llvm.ExecutionEngine, "get_function_address", lambda self, name: 0 if name == ENTRY else original_address(self, name))


DIFFERENCES = {
    "emit_object fails": lambda patch: patch.setattr(llvm.TargetMachine, "emit_object", fails),
    "no emit_object": lambda patch: patch.delattr(llvm.TargetMachine, "emit_object"),
    "no ObjectFileRef": lambda patch: patch.delattr(llvm, "ObjectFileRef"),
    "no pass manager": lambda patch: patch.delattr(llvm, "create_new_module_pass_manager"),
    "no inspect_llvm": lambda patch: patch.delattr(numba.core.codegen.CPUCodeLibrary, "get_llvm_str"),
    "no function of that name": lambda patch: patch.setattr(llvm.ModuleRef, "get_function", lambda *_: {}["name"]),
    "another array structure": another_array,
    "no entry": no_entry,
}


@pytest.mark.parametrize("difference", DIFFERENCES.values(), ids=DIFFERENCES)
def test_plain_numba_takes_over(sandbox, monkeypatch, difference):
    difference(monkeypatch)
    before = len(compiled.problems())
    assert sandbox.compiles() == 1
    assert cache.count() == 0
    assert compiled.problems()[before].startswith("loop add: ")


def test_wrong_results_are_noticed_before_they_are_used(sandbox):
    prelude = (
        "import llvmlite.binding as llvm\nemit = llvm.TargetMachine.emit_object\n"
        "llvm.TargetMachine.emit_object = lambda self, m: emit(self, llvm.parse_assembly(str(m).replace('fadd', 'fsub')))\n"
    )
    report = sandbox.run(prelude)
    assert (report["right"], report["cached"]) == (True, 0)
    assert report["problems"] == ["loop add: a compiled loop gives other results than Python"]


ALLOCATES = """
def copy(source, target):
    scratch = source.copy()
    for j in range(target.shape[0]):
        target[j] = scratch[-1 - j]
"""

MATHS = """
import numpy as np

def maths(source, target):
    for j in range(target.shape[0]):
        value = source[j]
        target[j] = np.exp(np.float32(-value)) + np.rint(value) ** 0.3 + value % 0.7 + np.floor(np.hypot(value, 2))
"""


def test_a_loop_that_needs_numbas_run_time_is_not_cached(sandbox):
    target = np.zeros(3, int)
    compiled.loop(sandbox.module(ALLOCATES).copy)(np.arange(3), target)
    assert target.tolist() == [2, 1, 0]
    assert cache.count() == 0
    assert compiled.problems()[-1].startswith("loop copy: NRT_")
    assert compiled.problems()[-1].endswith(" is not in the C library")


def test_a_loop_that_calls_the_c_library_is_cached(sandbox):
    source = np.linspace(0.5, 9.5, 50)
    expected = np.exp(-source) + np.rint(source) ** 0.3 + source % 0.7 + np.floor(np.hypot(source, 2))
    for expected_count in (1, 0):
        target, loop = np.zeros(50), compiled.loop(sandbox.module(MATHS).maths)
        assert compiled.warmup([lambda loop=loop, target=target: loop(source, target)]) == expected_count
        np.testing.assert_allclose(target, expected, rtol=1e-6)  # the exponential is a float32


def test_cached_code_whose_functions_are_missing_is_replaced_by_plain_numba(sandbox, monkeypatch):
    source, targets = np.ones(3), np.zeros((2, 3))
    compiled.loop(sandbox.module(MATHS).maths)(source, targets[0])
    monkeypatch.setattr(llvm, "address_of_symbol", lambda name: None)
    assert compiled.warmup([lambda: compiled.loop(sandbox.module(MATHS).maths)(source, targets[1])]) == 1
    assert "maths needs expf, " in compiled.problems()[-1]
    np.testing.assert_array_equal(targets[0], targets[1])


def test_errors_of_the_loop_itself_are_numbas(sandbox):
    wrong = sandbox.module("def wrong(source):\n    source[0] = missing\n").wrong
    with pytest.raises(numba.core.errors.TypingError, match="missing"):
        compiled.loop(wrong)(np.zeros(3))


KEY = """
import sys
import numpy as np
from imgconv.engine.signature import Signature
from imgconv.engine.object_code import fingerprint
import tiny_loops
print(fingerprint(tiny_loops.add, {}, Signature.of((np.zeros(3),))).hex(), "numba" in sys.modules)
"""


def key(sandbox, prelude="", **environment):
    run = [sys.executable, "-c", prelude + KEY]
    done = subprocess.run(run, env={**sandbox.environment, **environment}, capture_output=True, text=True, check=True)
    digest, imported = done.stdout.split()
    assert imported == "False"
    return digest


_keys = []


@pytest.fixture
def usual_key(sandbox):
    """The key without any difference, which two processes agree on."""
    if not _keys:
        _keys.extend([key(sandbox), key(sandbox)])
    one, other = _keys
    assert one == other
    return one


@pytest.mark.parametrize(
    "difference",
    [
        {"prelude": "import llvmlite; llvmlite.__version__ = '0.0.1'\n"},
        {"prelude": "import llvmlite.binding as llvm; llvm.get_host_cpu_name = lambda: 'i486'\n"},
        {"prelude": "import llvmlite.binding as llvm; llvm.get_host_cpu_features = lambda: llvm.FeatureMap()\n"},
        {"NUMBA_OPT": "1"},
    ],
    ids=["llvmlite", "cpu", "cpu features", "settings"],
)
def test_the_key_covers_the_machine_and_the_tools(sandbox, usual_key, difference):
    assert key(sandbox, **difference) != usual_key


def test_code_from_another_numba_is_not_loaded(sandbox):
    assert sandbox.run()["compiled"] == 1
    (package,) = find_spec("numba").submodule_search_locations
    shadow = sandbox.folder / "newer" / "numba"
    shadow.mkdir(parents=True)
    for item in Path(package).iterdir():
        if item.name not in ("_version.py", "__pycache__"):
            (shadow / item.name).symlink_to(item)
    (shadow / "_version.py").write_text((Path(package) / "_version.py").read_text() + "# another build\n")
    report = sandbox.run(PYTHONPATH=os.pathsep.join([str(shadow.parent), sandbox.environment["PYTHONPATH"]]))
    assert (report["right"], report["compiled"], report["cached"]) == (True, 1, 2)
    assert sandbox.run()["compiled"] == 0


LAYER = """
import numpy as np
import llvmlite.ir
{patch}
import imgconv
rng = np.random.default_rng(0)
images, weight = rng.integers(-9, 9, (2, 6, 13, 11)).astype(np.float32), rng.integers(-9, 9, (9, 6, 3, 3)).astype(np.float32)
windows = np.lib.stride_tricks.sliding_window_view(np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1))), (3, 3), (2, 3))
expected = np.einsum("nchwuv,ocuv->nohw", windows, weight)
assert np.array_equal(imgconv.conv2d(images, weight, padding=1), expected)
alone = np.einsum("nchwuv,cuv->nchw", windows, weight[:6, 0])
assert np.array_equal(imgconv.conv2d(images, weight[:6, :1], padding=1, groups=6), alone)
taps, pixels = rng.integers(-9, 9, (5, 6)), rng.integers(0, 256, (13, 21), dtype=np.uint8)
sums = np.einsum("hwuv,uv->hw", np.lib.stride_tricks.sliding_window_view(pixels, taps.shape), taps)
assert np.array_equal(imgconv.filter(pixels, taps, padding="valid", range="raw"), sums)
from imgconv.engine.tiles import tiles_work
print(tiles_work())
"""


def layer_warnings(patch, works, environment):
    """The lines on standard error of a process whose layers give what their definition does, with or without wide vectors."""
    command = [sys.executable, "-c", LAYER.format(patch=patch)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (0, f"{works}\n"), done.stderr
    return done.stderr.splitlines()


def test_layers_take_wide_vectors():
    assert layer_warnings("", True, environment()) == []  # with the usual cache, where the loops may be


@pytest.mark.parametrize(
    "patch", ["del llvmlite.ir.IRBuilder.shuffle_vector", "llvmlite.ir.IRBuilder.shuffle_vector = lambda self, one, *_: one"]
)
def test_layers_do_without_wide_vectors(sandbox, patch):
    (line,) = layer_warnings(patch, False, sandbox.environment)
    assert line.startswith("imgconv: layers and large kernels run 2 to 3 times slower")
