"""Rows in memory: those of the image whatever is read when, each read once on the way down, and valid until the second read after it."""

import random

import numpy as np
import pytest

from imgconv.images.raster import Header
from imgconv.images.rows import RowBuffer, RowReader, regrouped

HEIGHT, WIDTH = 97, 5
PIXELS = np.arange(HEIGHT * WIDTH, dtype=np.uint16).reshape(HEIGHT, WIDTH, 1)


class Rows(RowReader):
    """The rows of PIXELS, and how often each was read."""

    def __init__(self, step, forward):
        self.header, self.step, self.forward = Header("npy", (HEIGHT, WIDTH), 1, "uint16", False), step, forward
        self.reads = np.zeros(HEIGHT, int)

    def read(self, first, last):
        self.reads[first:last] += 1
        return PIXELS[first:last].copy()


@pytest.mark.parametrize("forward", [False, True])
@pytest.mark.parametrize("step", [1, 7, 40])
def test_rows_of_bands_on_the_way_down(step, forward):
    choice, rows = random.Random(step), Rows(step, forward)
    buffer, begin, before = RowBuffer(rows), 0, (PIXELS[:0], PIXELS[:0])
    while begin < HEIGHT:
        end = min(begin + choice.randint(1, 30), HEIGHT)
        band = buffer.read(begin, end), PIXELS[begin:end]
        np.testing.assert_array_equal(*band)
        np.testing.assert_array_equal(*before)
        before, begin = band, max(end - choice.randint(0, 9), begin + 1)
    assert (rows.reads == 1).all()


def test_rows_in_any_order_and_around_both_ends():
    choice, buffer = random.Random(0), RowBuffer(Rows(8, forward=False))
    for _ in range(200):
        begin = choice.randint(-20, HEIGHT - 1)
        end = choice.randint(max(begin + 1, 1), HEIGHT + 20)
        np.testing.assert_array_equal(buffer.read(begin, end), PIXELS.take(range(begin, end), axis=0, mode="wrap"))


@pytest.mark.parametrize("rows", [1, 4, 50, 200])
def test_bands_of_another_height(rows):
    bands = (PIXELS[top : top + 13].copy() for top in range(0, HEIGHT, 13))
    groups = [band.copy() for band in regrouped(bands, rows)]
    assert {len(group) for group in groups[:-1]} <= {rows}
    np.testing.assert_array_equal(np.concatenate(groups), PIXELS)
