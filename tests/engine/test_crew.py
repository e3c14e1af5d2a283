"""Prepared calls are made once, in the order of their job, whoever makes them; threads, forks and callers at once end well."""

import subprocess
import sys
import threading
from functools import partial

import numpy as np
import pytest

from imgconv.engine import cache, parallel
from imgconv.engine.calls import Call
from imgconv.engine.crew import crew

JOBS, STEPS = 40, 3
pytestmark = pytest.mark.usefixtures("sandbox")  # loops are compiled, whatever this run does otherwise


def append_digit(numbers, digit, at):
    numbers[at] = numbers[at] * 10 + digit


def jobs_on(numbers, count=JOBS):
    """Jobs whose calls write 1, 2, 3 one after the other."""
    call = partial(cache.pattern, cache.loop(append_digit), [0], numbers)
    return [[call(digit, at)(numbers) for digit in range(1, STEPS + 1)] for at in range(count)]


def test_prepared_calls_of_compiled_loops_are_native():
    assert all(isinstance(call, Call) for job in jobs_on(np.zeros(JOBS, np.int64)) for call in job)


@pytest.mark.parametrize("threads", [None, 1, 2, 3, 32])
@pytest.mark.parametrize("count", [0, 1, 2, JOBS])
def test_every_call_is_made_once_and_in_order(count, threads):
    numbers = np.zeros(JOBS, np.int64)
    parallel.run_calls(jobs_on(numbers, count), count, threads)
    assert numbers[:count].tolist() == [123] * count
    assert not numbers[count:].any()


def test_calls_that_are_no_loops_are_made_too():
    made = []
    parallel.run_calls([[lambda: made.append(1)], [lambda: made.append(2)]], 2, 2)
    assert sorted(made) == [1, 2]


def test_without_native_code_threads_share_the_jobs(monkeypatch):
    monkeypatch.setattr(parallel, "_crew", lambda: None)
    both = threading.Barrier(2, timeout=20)
    parallel.run_calls([[both.wait], [both.wait]], 2, 2)


def test_many_threads_may_ask_at_once():
    results = [np.zeros(JOBS, np.int64) for _ in range(6)]

    def ask(numbers):
        for _ in range(50):
            numbers[:] = 0
            parallel.run_calls(jobs_on(numbers), JOBS, 2)

    threads = [threading.Thread(target=ask, args=(numbers,)) for numbers in results]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(numbers.tolist() == [123] * JOBS for numbers in results)


def test_helpers_that_fell_asleep_come_back():
    numbers = np.zeros(JOBS, np.int64)
    parallel.run_calls(jobs_on(numbers), JOBS, 2)
    asleep = threading.Event()
    asleep.wait(0.2)
    parallel.run_calls(jobs_on(numbers), JOBS, 2)
    assert numbers.tolist() == [123123] * JOBS
    assert sum(thread.name.startswith("imgconv-crew") for thread in threading.enumerate()) == crew().helpers


def test_who_works_already_is_not_helped():
    seen = []

    def work(first, last):
        numbers = np.zeros(JOBS, np.int64)
        parallel.run_calls(jobs_on(numbers), JOBS, 2)
        seen.append(numbers.tolist() == [123] * JOBS)

    parallel.run_bands(work, 4, 1, 2)
    assert seen == [True] * 4


def test_a_forked_process_has_a_crew_of_its_own():
    code = """
import os
import numpy as np
from imgconv import conv2d
image, kernel = np.ones((1, 8, 64, 64)), np.ones((8, 8, 3, 3))
before = conv2d(image, kernel)
child = os.fork()
if not child:
    os._exit(7 if np.array_equal(conv2d(image, kernel), before) else 1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["7"]
