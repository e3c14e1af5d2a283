"""Bands cover the rows once on any number of threads; errors, nesting, forks and interrupts leave nothing at work."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from imgconv.engine.parallel import run_bands


@pytest.mark.parametrize("threads", [None, 1, 2, 3, 32])
@pytest.mark.parametrize(("rows", "rows_per_band"), [(0, 4), (1, 4), (4, 4), (10, 4), (257, 1), (5, 0), (3, 100)])
def test_bands_cover_the_rows_once_and_do_not_depend_on_threads(rows, rows_per_band, threads):
    bands = []
    run_bands(lambda first, last: bands.append((first, last)), rows, rows_per_band, threads)
    step = max(rows_per_band, 1)
    assert sorted(bands) == [(first, min(first + step, rows)) for first in range(0, rows, step)]


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_so_many_threads_work_and_the_caller_is_one(threads):
    together = threading.Barrier(threads)
    workers = set()

    def work(first, last):
        together.wait(timeout=30)
        workers.add(threading.current_thread())

    run_bands(work, threads, 1, threads)
    assert len(workers) == threads
    assert threading.current_thread() in workers


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_an_error_is_raised_and_ends_the_rest(threads):
    begun = []

    def work(first, last):
        begun.append(first)
        if first == 2:
            raise RuntimeError(f"band {first}")
        time.sleep(0.002)

    with pytest.raises(RuntimeError, match="band 2"):
        run_bands(work, 500, 1, threads)
    assert len(begun) < 50


def test_an_error_of_a_helper_is_raised_here_once_all_bands_are_over():
    caller, running = threading.current_thread(), []

    def work(first, last):
        running.append(first)
        if threading.current_thread() is not caller:
            raise OSError("of the helper")
        time.sleep(0.05)
        running.remove(first)

    with pytest.raises(OSError, match="of the helper"):
        run_bands(work, 40, 1, 2)
    assert len(running) == 1


def test_an_error_here_is_raised_once_the_bands_of_helpers_are_over():
    caller, together, over = threading.current_thread(), threading.Barrier(2), []

    def work(first, last):
        together.wait(timeout=30)
        if threading.current_thread() is caller:
            raise RuntimeError("of the caller")
        time.sleep(0.1)
        over.append(first)

    with pytest.raises(RuntimeError, match="of the caller"):
        run_bands(work, 2, 1, 2)
    assert len(over) == 1


def test_nested_calls_stay_on_their_thread():
    nested = {}

    def work(first, last):
        thread, inner = threading.current_thread(), nested.setdefault(first, [])

        def nested_work(a, b):
            inner.append((a, threading.current_thread() is thread))
            time.sleep(0.005)

        run_bands(nested_work, 5, 1, 3)

    run_bands(work, 2, 1, 3)  # a third thread would be free to help
    assert nested == {i: [(j, True) for j in range(5)] for i in range(2)}


def test_helpers_busy_for_another_caller_are_not_waited_for():
    together, free = threading.Barrier(3), threading.Event()

    def hold(first, last):
        together.wait(timeout=30)
        free.wait(timeout=30)

    other = threading.Thread(target=run_bands, args=(hold, 2, 1, 2))
    other.start()
    together.wait(timeout=30)  # now the only helper of two threads is taken
    bands = []
    run_bands(lambda first, last: bands.append(first), 3, 1, 2)
    assert (bands, other.is_alive()) == ([0, 1, 2], True)
    free.set()
    other.join()


def test_many_callers_at_once():
    bands = [[] for _ in range(12)]

    def call(i):
        for _ in range(20):
            run_bands(lambda first, last: bands[i].append(first), 16, 1, 3)

    callers = [threading.Thread(target=call, args=(i,)) for i in range(12)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(timeout=60)
    assert [sorted(own) for own in bands] == [sorted(20 * list(range(16)))] * 12


def test_a_forked_process_has_threads_of_its_own():
    code = """
import os, threading
from imgconv.engine.parallel import run_bands
def threads_at_work():
    together, names = threading.Barrier(2), []
    run_bands(lambda first, last: (together.wait(timeout=20), names.append(threading.get_ident())), 2, 1, 2)
    return len(set(names))
before = threads_at_work()
child = os.fork()
if not child:
    os._exit(threads_at_work())
print(before, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    assert python(code).split() == ["2", "2"]


def test_an_interrupt_ends_the_work_soon():
    code = """
import os, signal, threading, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell that starts tests in the background has it ignored
from imgconv.engine.parallel import run_bands
begun = []
def work(first, last):
    begun.append(first)
    if len(begun) == 10:
        os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.02)
try:
    run_bands(work, 10_000, 1, 2)
except KeyboardInterrupt:
    print("interrupted", len(begun) < 100)
"""
    assert python(code).split() == ["interrupted", "True"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the handler may raise in a finalizer of llvmlite
def test_an_exception_at_any_moment_leaves_no_band_at_work():
    """A signal handler raises at moments that differ from round to round; no helper may be at work after `run_bands` has ended."""
    running, late, ended = set(), [], False
    here = threading.get_ident()

    def interrupt(*_):
        raise InterruptedError

    def work(first, last):
        is_helper = threading.get_ident() != here  # the handler runs on this thread, and may raise between any two lines of this function
        if is_helper:
            running.add(first)
        for _ in range(200):
            if ended:
                late.append(first)
        if is_helper:
            running.discard(first)

    former = signal.signal(signal.SIGALRM, interrupt)
    try:
        for turn in range(200):
            ended = False
            try:
                signal.setitimer(signal.ITIMER_REAL, 2e-5 * (1 + turn % 40), 0.5)  # again, should Python drop the first
                while True:
                    run_bands(work, 16, 1, 3)
            except InterruptedError:
                ended = True
            assert not running
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)
    assert not late
    after = []
    run_bands(lambda first, last: after.append(first), 16, 1, 3)  # no lock is left held
    assert sorted(after) == list(range(16))


def test_bands_still_run_while_the_interpreter_closes_down():
    code = """
import atexit
from imgconv.engine.parallel import run_bands
bands = []
run_bands(lambda *band: bands.append(band), 4, 1, 2)
atexit.register(lambda: print(len(bands)))
atexit.register(lambda: run_bands(lambda *band: bands.append(band), 4, 1, 2))
"""
    assert python(code) == "8\n"


def test_a_small_image_imports_no_pool():
    code = (
        "import sys; from imgconv.engine.parallel import run_bands; run_bands(print, 3, 4, 2); print('concurrent.futures' in sys.modules)"
    )
    assert python(code) == "0 3\nFalse\n"


def test_default_threads_follow_the_affinity():
    code = """
import os
from imgconv.engine.parallel import default_threads
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    print(default_threads() == 1)
else:
    print(1 <= default_threads() <= os.cpu_count())
"""
    assert python(code) == "True\n"


def python(code):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", code]  # of a fork while threads run, from CPython 3.12 on
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout
