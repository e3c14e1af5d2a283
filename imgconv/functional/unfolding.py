"""Patches of padded cells as the rows of a matrix, and their adjoint; spread over threads."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from imgconv.engine.bands import run_bands
from imgconv.engine.store import loop
from imgconv.functional.cells import Block, Cells, Layout
from imgconv.loops.patches import gather_patches, scatter_patches

BAND_CELLS = 2**17  # patch cells that are worth handing to another thread


def gather(cells: Cells, layout: Layout, block: Block, out: NDArray[Any] | None = None) -> NDArray[Any]:
    """Patches (C*kh*kw, n*rows, w_out) of a block, written to `out` if given."""
    channels, starts = block.channels[1] - block.channels[0], layout.starts(block, cells.first).ravel()
    places = layout.places(cells.planes, channels)
    patches = np.empty((len(places), len(starts), layout.output_size[1]), cells.planes.dtype) if out is None else out
    flat = cells.planes.reshape(-1)

    def work(first: int, last: int) -> None:
        part = slice(first, last)
        loop(gather_patches)(flat, places[part], starts, patches[part])

    run_bands(work, len(places), max(BAND_CELLS // patches[0].size, 1))
    return patches


def scatter(patches: NDArray[Any], layout: Layout, block: Block) -> NDArray[Any]:
    """Planes (P, L) with the patches (C*kh*kw, n*rows, w_out) of a block added where they were taken; the adjoint of `gather`."""
    channels, starts = block.channels[1] - block.channels[0], layout.starts(block).ravel()
    cells = layout.empty(block, patches.dtype).planes
    cells[...] = 0
    places = layout.places(cells, channels)
    kernel = len(places) // channels

    def work(first: int, last: int) -> None:
        part = slice(first * kernel, last * kernel)  # all taps of some channels: no other job adds to their planes
        loop(scatter_patches)(patches[part], places[part], starts, cells.reshape(-1))

    run_bands(work, channels, max(BAND_CELLS // (kernel * patches[0].size), 1))
    return cells
