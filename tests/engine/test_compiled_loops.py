"""What a loop gives, when it is compiled, and in which process Numba is imported."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest

from imgconv.engine import cache, compiled


def spread(source, target):
    for i in range(target.shape[0]):
        for j in range(target.shape[1]):
            target[i, j] = source[i, j] + i * 10 + j


def test_a_cached_loop_is_loaded_without_numba(sandbox):
    first, second = sandbox.run(), sandbox.run()
    assert first == {"right": True, "compiled": 1, "cached": 1, "imported": ["numba", "llvmlite"], "problems": []}
    assert second == {"right": True, "compiled": 0, "cached": 1, "imported": ["llvmlite"], "problems": []}


def test_processes_that_need_a_new_loop_compile_it_once(sandbox):
    processes = [sandbox.start() for _ in range(2)]
    reports = list(map(sandbox.finished, processes))
    assert all(report["right"] for report in reports)
    assert sum(report["compiled"] for report in reports) == 1
    assert sandbox.compiles() == 0
    assert sorted(file.suffix for file in sandbox.loops.iterdir()) == ["", ".loop"]  # the time of the last sweep, and the loop


def test_a_process_does_not_wait_for_ever_for_one_that_is_stopped(sandbox, monkeypatch):
    key = bytes(32)
    with cache.reserved("add", key):
        monkeypatch.setattr(cache, "PATIENCE", 0.01)
        with cache.reserved("add", key):
            assert cache.read("add", key) is None


@pytest.mark.parametrize("jit", ["1", "yes"])
def test_python_loops_run_where_numba_is_switched_off(sandbox, jit):
    assert sandbox.run(NUMBA_DISABLE_JIT=jit) == {"right": True, "compiled": 0, "cached": 0, "imported": [], "problems": []}


@pytest.mark.parametrize(
    "layout",
    [
        lambda a: a,
        lambda a: a[::2],
        lambda a: a[:, 1:-1],
        lambda a: a[::-1, ::-3],
        lambda a: np.asfortranarray(a),
        lambda a: a.T,
        lambda a: a[:0],
        lambda a: a[:, :0],
        lambda a: a[3:4],
        lambda a: np.broadcast_to(a[2], (4, 7)),
    ],
)
@pytest.mark.parametrize("dtype", ["u1", "f8"])
def test_any_layout(layout, dtype):
    source = layout(np.arange(42, dtype=dtype).reshape(6, 7))
    target = np.zeros(source.shape, dtype)
    expected = target.copy()
    spread(source, expected)
    compiled.loop(spread)(source, target)
    np.testing.assert_array_equal(target, expected)


@pytest.mark.parametrize("dtype", ["?", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"])
def test_any_dtype(sandbox, dtype):
    source, target = np.array([[0, 1, 1], [1, 0, 1]], dtype), np.zeros((2, 3))
    compiled.loop(sandbox.module().add)(source, target, np.int16(-2))
    np.testing.assert_array_equal(target, source.astype(float) - 2)


def test_read_only_arrays_share_the_code_of_others_and_unaligned_ones_have_their_own(sandbox):
    add = sandbox.module().add
    raw = bytes(range(13))
    read_only = np.frombuffer(raw, np.uint16, 6).reshape(2, 3)
    unaligned = np.frombuffer(raw, np.uint16, 6, offset=1).reshape(2, 3)

    def compilations(source):
        target = np.zeros((2, 3), np.int64)
        count = compiled.warmup([lambda: compiled.loop(add)(source, target, 1)])
        np.testing.assert_array_equal(target, source + 1)
        return count

    assert [compilations(source) for source in (read_only, read_only.copy(), unaligned, read_only)] == [1, 0, 1, 0]


def test_large_whole_numbers_pass_unchanged(sandbox):
    target = np.zeros((1, 1), np.int64)
    compiled.loop(sandbox.module().add)(np.zeros((1, 1), np.int64), target, 2**62 + 1)
    assert target[0, 0] == 2**62 + 1


def test_a_template_is_compiled_for_its_constants(sandbox):
    times = sandbox.module().times
    for factor in (3, 5, 3):
        target = np.zeros(4, np.int64)
        compiled.loop(times, factor=factor)(np.arange(4), target)
        np.testing.assert_array_equal(target, factor * np.arange(4))
    assert cache.count() == 2
    assert compiled.loop(times, factor=3) is compiled.loop(times, factor=3)


def test_a_closure_is_refused(sandbox):
    with pytest.raises(TypeError, match="loop multiply is a closure"):
        compiled.loop(sandbox.module().times(3))


@pytest.mark.parametrize("wrong", [1.5, None, [1, 2], "3", np.float32(1)])
def test_only_arrays_and_whole_numbers_are_accepted(sandbox, wrong):
    with pytest.raises(TypeError, match=f"a loop takes arrays and whole numbers, not {type(wrong).__name__}"):
        compiled.loop(sandbox.module().add)(np.zeros((2, 2)), wrong)


def test_another_source_is_compiled_anew(sandbox):
    source, target = np.ones((1, 1)), np.zeros((1, 1))
    compiled.loop(sandbox.module().add)(source, target, 3)
    changed = sandbox.module(sandbox.tiny.replace("row[j] + by", "row[j] - by"))
    compiled.loop(changed.add)(source, target, 3)
    assert (target[0, 0], cache.count()) == (-2, 2)


def test_threads_that_need_a_new_loop_compile_it_once(sandbox):
    add, threads = sandbox.module().add, 6
    sources = [np.full((2, 3), i) for i in range(threads)]
    targets = [np.zeros((2, 3), int) for _ in range(threads)]
    ready = threading.Barrier(threads)

    def call(source, target):
        ready.wait()
        compiled.loop(add)(source, target, 1)

    def run():
        running = [threading.Thread(target=call, args=pair) for pair in zip(sources, targets, strict=True)]
        for thread in running:
            thread.start()
        for thread in running:
            thread.join()

    assert compiled.warmup([run]) == 1
    assert [target.max() for target in targets] == [1, 2, 3, 4, 5, 6]


def test_loops_release_the_interpreter_lock(sandbox):
    """A call lets go of the interpreter lock: another thread counts on while a long one runs."""
    spin = sandbox.module(
        "def spin(target, n):\n    for i in range(n):\n        for j in range(target.shape[0]):\n            target[j] ^= i + j\n"
    ).spin
    target = np.zeros(1000, np.int64)
    compiled.loop(spin)(target, 1)
    thread = threading.Thread(target=compiled.loop(spin), args=(target, 3_000_000))
    thread.start()
    counted = 0
    while thread.is_alive():
        counted += 1
    assert counted > 1000


def test_long_compiling_is_announced_once_and_loading_never(sandbox):
    listen = """
import sys
from imgconv.engine import compiled, fallback
compiled.PATIENCE = 0.0
fallback.announce = lambda text: sys.stderr.write(text + chr(10))
"""
    first = sandbox.start(listen)
    assert first.communicate(timeout=60)[1] == "compiling loops, once on this machine\n"
    sandbox.entry().unlink()
    assert sandbox.start(listen).communicate(timeout=60)[1] == ""  # compiled again, but announced before
    assert sandbox.start(listen).communicate(timeout=60)[1] == ""


@pytest.mark.parametrize("switched_off, imported", [("0", True), ("1", False)])
def test_prepare_imports_the_linker_and_not_the_compiler(switched_off, imported):
    script = f"""
import sys, time
from imgconv.engine import cache, compiled, forks
compiled.prepare()
end = time.monotonic() + 30 * {imported}
while "llvmlite" not in sys.modules and time.monotonic() < end:
    time.sleep(0.01)
with forks.lock():  # the thread has imported what it will
    pass
print("llvmlite" in sys.modules, "numba" in sys.modules)
"""
    environment = os.environ | {"NUMBA_DISABLE_JIT": switched_off}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == f"{imported} False\n"
