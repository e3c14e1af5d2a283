"""The networks behind medians: the zero-one principle, and what they leave out; values of windows against sorted ones."""

from itertools import product

import numpy as np
import pytest

from imgconv.loops.ranks import merge_pairs, network_pairs
from imgconv.window import Window
from imgconv.windows.planes import Planes
from imgconv.windows.ranks import ranked


def exchanged(columns, pairs):
    """Lines (cells, cases) after all comparisons."""
    for low, high in pairs:
        columns[[low, high]] = np.minimum(columns[low], columns[high]), np.maximum(columns[low], columns[high])
    return columns


@pytest.mark.parametrize("cells", range(1, 15))
def test_zeros_and_ones(cells):
    """A network that puts the median right for all zeros and ones does so for all values (Knuth 5.3.4, theorem Z)."""
    cases = np.array(list(product((0, 1), repeat=cells)), np.uint8).T
    middle = (cells - 1) // 2
    np.testing.assert_array_equal(exchanged(cases.copy(), network_pairs(cells, [middle]))[middle], np.sort(cases, axis=0)[middle])


@pytest.mark.parametrize("cells", [25, 49, 120, 225])
def test_larger_networks(cells):
    rng = np.random.default_rng(cells)
    cases = (rng.random((cells, 400)) < rng.random(400)).astype(np.uint8)
    middle = (cells - 1) // 2
    np.testing.assert_array_equal(exchanged(cases.copy(), network_pairs(cells, [middle]))[middle], np.sort(cases, axis=0)[middle])


def test_comparisons_without_influence_are_left_out():
    assert len(network_pairs(9, [4])) < len(network_pairs(9, range(9))) == 26  # Batcher's whole sort
    assert len(network_pairs(1, [0])) == 0


@pytest.mark.parametrize("ranks", [[12], [0], [24], [3, 11, 12]])
@pytest.mark.parametrize("sizes", [[5] * 5, [10, 10, 5], [1, 2, 3, 4, 15]])
def test_lists_in_order_are_merged(sizes, ranks):
    pairs, results = merge_pairs(sizes, ranks)
    lists = [np.arange(size)[:, None] >= np.arange(size + 1) for size in sizes]  # all lists of zeros and ones in ascending order
    places = np.indices([size + 1 for size in sizes]).reshape(len(sizes), -1)
    cases = np.concatenate([cells[:, place] for cells, place in zip(lists, places, strict=True)]).astype(np.uint8)
    np.testing.assert_array_equal(exchanged(cases.copy(), pairs)[results], np.sort(cases, axis=0)[ranks])


@pytest.mark.parametrize("size, channels, stride, dilation", [((5, 5), 1, 1, 1), ((7, 3), 3, 1, 2), ((4, 6), 1, 1, 3), ((5, 5), 3, 2, 1)])
def test_columns_that_windows_share(size, channels, stride, dilation):
    window, rng = Window.of(size, stride, dilation=dilation), np.random.default_rng(2)
    rows = rng.integers(0, 256, (150 * stride, 1200 * channels), dtype=np.uint8)
    got = ranked(Planes(rows, 1, (len(rows), 1200), channels), window, lambda count: (count - 1) // 2, threads=1)
    span = [(n - 1) * dilation + 1 for n in size]
    windows = np.lib.stride_tricks.sliding_window_view(rows, (span[0], (span[1] - 1) * channels + 1))
    windows = windows[::stride].reshape(len(got), -1, channels, *windows.shape[2:])[:, ::stride]
    cells = windows[..., ::dilation, :: dilation * channels].reshape(*got.shape, -1)
    np.testing.assert_array_equal(got, np.sort(cells, axis=-1)[..., (size[0] * size[1] - 1) // 2])


@pytest.mark.parametrize("shape", [(9, 1300), (1300, 9)])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_rows_longer_than_a_line_and_columns_that_become_rows(shape, dtype):
    rng = np.random.default_rng(1)
    pixels, valid = rng.integers(0, 255, shape).astype(dtype), (rng.random(shape) < 0.7).astype(np.uint8)
    valid[4, 4] = valid[2, 4] = 1
    largest = np.inf if dtype == np.float32 else 255
    window = Window.of((5, 3), (2, 1), (2, 1))
    got = ranked(Planes(np.where(valid, pixels, dtype(largest)), 1, shape), window, lambda cells: cells // 3, 1, Planes(valid, 1, shape))
    padded = np.pad(np.where(valid, pixels, np.nan), ((2, 2), (1, 1)), constant_values=np.nan)
    cells = np.sort(np.lib.stride_tricks.sliding_window_view(padded, (5, 3))[::2].reshape(*got.shape, 15))
    counts = (~np.isnan(cells)).sum(-1)
    expected = np.take_along_axis(cells, counts[..., None] // 3, -1)[..., 0]
    np.testing.assert_array_equal(got[counts > 0], expected[counts > 0])


@pytest.mark.exhaustive
def test_bytes_under_more_than_32767_cells():
    """Their counts take all 16 bits of a histogram's."""
    image = np.random.default_rng(2).integers(0, 40, (192, 230)).astype(np.uint8) ** 2 // 6
    image[:, :60] = 7
    windows = np.lib.stride_tricks.sliding_window_view(image, (190, 185)).reshape(3, 46, -1)
    for place in (0, 17_000, 35_149):
        expected = np.partition(windows, place, axis=-1)[..., place]
        got = ranked(Planes.of_image(image[..., None]), Window.of((190, 185)), lambda cells, at=place: min(at, cells - 1))
        np.testing.assert_array_equal(got, expected)
