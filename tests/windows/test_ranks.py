"""The networks behind medians: the zero-one principle, and what they leave out."""

from itertools import product

import numpy as np
import pytest

from imgconv.loops.ranks import network_pairs


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
