"""The choice of algorithm and blocks: it covers the work, keeps to its bounds, and gives one result whatever it chooses."""

import numpy as np
import pytest
from examples import FULL
from hypothesis import given
from hypothesis import strategies as st

from imgconv.engine import dispatch as choose
from imgconv.engine.dispatch import LayerSize, algorithm, block_size, patch_block_size
from imgconv.engine.tiles import Tile
from imgconv.functional.conv import conv2d
from imgconv.windows import correlation, tiles

ORDINARY = {"images": 1, "groups": 1, "phases": 1}
sizes = st.builds(
    LayerSize,
    *(st.integers(1, most) for most in (70, 70, 600, 600, 11, 11, 4000, 5000)),
    halo=st.integers(0, 30),
    phases=st.integers(1, 9),
)


def test_algorithms_of_known_layers():
    deep = LayerSize(**ORDINARY, group_channels=64, group_outputs=64, kernel_rows=3, kernel_columns=3, rows=56, row_length=58, halo=2)
    assert algorithm(deep) == "tiles"
    assert algorithm(deep._replace(group_channels=512, group_outputs=512, rows=1, row_length=1, halo=0)) == "product"
    assert algorithm(deep._replace(groups=64, group_channels=1, group_outputs=1)) == "tiles"


@given(sizes, st.integers(1, 64))
def test_blocks_fit_the_layer_and_the_scratch(size, threads):
    block = block_size(size, threads)
    assert 1 <= block.images <= size.images and 1 <= block.groups <= size.groups and 1 <= block.rows <= size.rows
    assert 1 <= block.channels <= size.group_channels and 1 <= block.outputs <= size.group_outputs
    assert block.outputs == size.group_outputs or block.outputs % 8 == 0
    one = size.phases * (block.rows + size.halo) * size.row_length
    assert block.images * block.channels * one <= max(8 * choose.BLOCK_CELLS, one)  # the planes of one group at a time


@given(sizes, st.integers(1, 5000))
def test_patch_blocks_fit_too(size, columns):
    block = patch_block_size(size, columns)
    assert 1 <= block.images <= size.images and 1 <= block.groups <= size.groups and 1 <= block.rows <= size.rows
    row = size.kernel * columns
    assert block.images * block.groups * block.channels * block.rows * row <= max(choose.PATCH_CELLS, row)


TILES = [Tile(1, 64), Tile(3, 8), Tile(1, 128), Tile(4, 16), Tile(8, 32), Tile(8, 16)][: 6 if FULL else 2]  # a loop for each


@pytest.mark.sweep(4)
@pytest.mark.parametrize(("weight", "groups"), [((12, 6, 3, 3), 1), ((12, 3, 3, 2), 2), ((6, 1, 3, 3), 6)])
@pytest.mark.parametrize("chosen", ["product", *TILES])
@pytest.mark.parametrize("block", [(1, 1, 1, 4, 2), (2, 1, 99, 99, 99), (1, 2, 99, 8, 3)])
@pytest.mark.parametrize("by_column", [False, True])
def test_every_algorithm_tile_and_block_gives_the_same(monkeypatch, weight, groups, chosen, block, by_column):
    input, bank = (np.random.default_rng(0).integers(-9, 9, shape).astype(np.float32) for shape in ((3, 6, 11, 8), weight))
    expected = conv2d(input, bank, np.arange(12)[: len(bank)], stride=(1, 2), padding=1, groups=groups)

    def blocks(size, threads):
        whole = (size.images, size.groups, size.group_channels, size.group_outputs, size.rows)
        images, of_groups, channels, outputs, rows = (min(a, b) for a, b in zip(block, whole, strict=True))
        return choose.BlockSize(images, of_groups, channels, outputs, rows)

    monkeypatch.setattr(correlation, "algorithm", lambda size: "product" if chosen == "product" else "tiles")
    monkeypatch.setattr(tiles, "tile_of", lambda outputs, itemsize: chosen)
    monkeypatch.setattr(tiles, "block_size", blocks)
    monkeypatch.setattr(tiles, "copies_by_column", lambda size, columns: by_column)
    tiles.plan_of.cache_clear()
    result = conv2d(input, bank, np.arange(12)[: len(bank)], stride=(1, 2), padding=1, groups=groups)
    tiles.plan_of.cache_clear()
    np.testing.assert_array_equal(result, expected)


@given(sizes, st.integers(1, 64), st.integers(1, 64))
def test_how_channels_are_summed_does_not_depend_on_threads(size, few, many):
    assert block_size(size, few).channels == block_size(size, many).channels
