"""Loops compile to machine code for processors other than that of this machine."""

import json
import os
import pkgutil
import subprocess
import sys
from importlib import import_module

import numpy as np
import pytest
from guides import ROOT
from targets import TARGETS, check_machine_code

from imgconv import loops
from imgconv.engine.compiler import module_of
from imgconv.engine.signature import Signature
from imgconv.loops import canny, filters, layers, pooling

BYTES, FLOATS, NUMBERS = np.zeros((9, 9), np.uint8), np.zeros((9, 9), np.float32), np.zeros(9, np.int64)
LOOPS = {
    "small": (
        filters.correlate_small(height=3, width=3, divided=0, apart=0),
        (BYTES, np.zeros((3, 3), np.int16), 1, 1, 1, np.zeros(6, np.float32), BYTES, 0),
    ),
    "taps": (
        filters.correlate_tiles(height=4, width=16, divided=1),
        (BYTES, NUMBERS.reshape(1, -1), NUMBERS, FLOATS[0], FLOATS[0], 9, 3, FLOATS[0], np.zeros(6, np.float32), BYTES, 1, 0),
    ),
    "pairs": (pooling.halve_pairs(bits=8), (BYTES, BYTES, 1)),
    "edges": (canny.thin_edges, (FLOATS, FLOATS[0], FLOATS, BYTES)),
    "patches": (layers.gather_patches, (FLOATS[0], NUMBERS, NUMBERS, np.zeros((2, 9, 9), np.float32))),
}
WITHIN = {
    "Job",
    "copy_row",
    "finished",
    "fold_row",
    "fold_two_rows",
    "further_of",
    "join_rows",
    "merge_pairs",
    "move_cells",
    "moves",
    "network_pairs",
    "passes",
    "pick_pixels",
    "product_sums",
    "row_sums",
    "shares_columns",
    "tile_sums",
    "transforms",
    "widen_row",
    "write_sums",
}  # parts of other loops


@pytest.fixture(scope="module")
def modules():
    """The module of each loop, as Numba optimised it for this machine; also in a run with NUMBA_DISABLE_JIT."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("numba.config.DISABLE_JIT", 0)
        return {name: module_of(function, Signature.of(arguments)) for name, (function, arguments) in LOOPS.items()}


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("target", TARGETS)
def test_machine_code_for_other_processors(modules, target, loop):
    check_machine_code(modules[loop], target)


@pytest.mark.exhaustive
def test_every_loop_for_other_processors(tmp_path):
    command = [sys.executable, str(ROOT / "tests" / "targets.py")]
    done = subprocess.run(command, env={**os.environ, "IMGCONV_CACHE": str(tmp_path)}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    modules = [import_module(f"imgconv.loops.{module.name}") for module in pkgutil.iter_modules(loops.__path__)]
    public = {name for module in modules for name, value in vars(module).items() if getattr(value, "__module__", "") == module.__name__}
    assert {name for name in public if not name.startswith("_")} - WITHIN == set(json.loads(done.stdout)) - WITHIN
