"""BLAS held to one thread: products do not depend on how many it would have run, and it gets them back."""

import os
import subprocess
import sys
import threading

import pytest

from imgconv.engine.blas import OneThread, blas_threads, one_blas_thread

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
        with one_blas_thread:
            inside.set()
            leave.wait(10)

    other = threading.Thread(target=stay)
    other.start()
    assert inside.wait(10)
    with pytest.raises(ValueError, match="meanwhile"), one_blas_thread:
        raise ValueError("meanwhile")
    assert blas_threads() in (1, None)  # the other one still needs it
    leave.set()
    other.join()
    assert blas_threads() == before


def test_a_fork_leaves_nobody_inside():
    before, held = blas_threads(), OneThread()
    for _ in range(2):  # threads that the child does not have
        held.__enter__()
    held.forget()
    assert blas_threads() == before
