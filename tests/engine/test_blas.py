"""BLAS on one thread: results do not depend on the number of its threads, which is restored afterwards."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from imgconv.engine.blas import _Limit, blas_threads, one_blas_thread

PRODUCTS = """
import hashlib, numpy, imgconv
numbers = numpy.random.default_rng(0)
def some(*shape): return numbers.standard_normal(shape).astype(numpy.float32)
image, bank, grad = some(1, 512, 7, 7), some(256, 512, 3, 3), some(1, 256, 7, 7)
results = [imgconv.conv2d(image, bank, padding=1), imgconv.gradients.conv2d_input(image.shape, bank, grad, padding=1),
    imgconv.gradients.conv2d_weight(image, bank.shape, grad, padding=1), imgconv.linear(some(32, 400), some(120, 400)),
    imgconv.gradients.linear_weight(some(256, 400), (120, 400), some(256, 120))]
print([hashlib.sha1(result.tobytes()).hexdigest() for result in results])
"""


def test_bits_are_the_same_for_every_number_of_blas_threads():
    printed = set()
    for threads in ("1", "2", "3"):
        environment = os.environ | {"OPENBLAS_NUM_THREADS": threads}
        printed.add(subprocess.run([sys.executable, "-c", PRODUCTS], env=environment, capture_output=True, check=True, text=True).stdout)
    assert len(printed) == 1


def test_threads_come_back_once_the_last_one_is_out():
    before = blas_threads()
    inside, leave = threading.Event(), threading.Event()

    def stay():
        with one_blas_thread():
            inside.set()
            leave.wait(10)

    other = threading.Thread(target=stay)
    other.start()
    assert inside.wait(10)
    with pytest.raises(ValueError, match="meanwhile"), one_blas_thread():
        raise ValueError("meanwhile")
    assert blas_threads() in (1, None)  # the other one still needs it
    leave.set()
    other.join()
    assert blas_threads() == before


def test_a_forked_child_has_no_users_of_the_limit():
    before, limit = blas_threads(), _Limit()  # the private class: a fork while other threads are inside cannot be timed
    for user in range(2):
        limit.add(user)
    assert blas_threads() in (1, None)
    limit.reset()
    assert blas_threads() == before


def test_an_exception_at_any_moment_restores_the_threads():
    """A signal handler raises while threads are limited and restored, at moments that differ from round to round."""
    before = blas_threads()

    def interrupt(*_):
        raise InterruptedError

    former = signal.signal(signal.SIGALRM, interrupt)
    try:
        for round in range(300):
            try:
                signal.setitimer(signal.ITIMER_REAL, 1e-5 * (1 + round % 20))
                while True:
                    with one_blas_thread():
                        pass
            except InterruptedError:
                pass
            assert blas_threads() == before
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)
