"""From a kernel reference to the footprint of a window: the cells whose taps are not zero."""

from __future__ import annotations

import re
import zlib
from typing import TYPE_CHECKING

from imgconv.errors import UsageError
from imgconv.registry import Kernel, Registry, resolve, slug
from imgconv.window import Footprint

if TYPE_CHECKING:
    from pathlib import Path

    from imgconv.registry import Bank


def window_shape(reference: str | Kernel | Bank | None, kernels_file: Path | None) -> Footprint | None:
    """The footprint of a window option; None without one.

    The kernels file is read even then, so that a broken one is refused and no output may replace it.
    """
    if reference is None and kernels_file is None:
        return None
    registry = Registry.load(kernels_file)
    return None if reference is None else footprint_of(reference, registry)


def footprint_of(reference: str | Kernel | Bank, registry: Registry | None = None) -> Footprint:
    """The footprint where the taps of one kernel are not zero, its anchor in the middle.

    Raises UsageError for a reference that `resolve` refuses, a bank of several kernels, and weights over channels.

    >>> footprint_of("cross").runs
    ((0, 1, 1), (1, 0, 3), (2, 1, 1))
    """
    if isinstance(reference, str) and re.fullmatch(r"\s*\d+\s*(x\s*\d+\s*)?", reference, re.IGNORECASE):
        raise UsageError(f"window {reference!r} is a size; name a kernel such as square:size=3, or use --size for a rectangle")
    known = resolve(reference, registry) if isinstance(reference, str) else reference
    name = slug(reference if isinstance(reference, str) else known.name)
    kernels = (known,) if isinstance(known, Kernel) else known.kernels
    if len(kernels) != 1:
        raise UsageError(f"{name} has {len(kernels)} kernels, and a window takes the shape of one; use one of them")
    (kernel,) = kernels
    if kernel.taps.ndim != 2:
        raise UsageError(f"{name} has weights for {len(kernel.taps)} channels, and a window has one plane; use a matrix")
    mask = kernel.taps != 0
    if not kernel.description:  # the name does not identify it
        name = f"{name}[{zlib.crc32(repr(mask.tolist()).encode()):08x}]"
    return Footprint.of(_centred(mask.tolist(), kernel.anchor), name)


def _centred(rows: list[list[bool]], anchor: tuple[int, int] | None) -> list[list[bool]]:
    """`rows` with as many empty rows and columns as it takes for the anchor to be at ((kh-1)//2, (kw-1)//2)."""
    if anchor is None:
        return rows
    (top, bottom), (left, right) = (_missing(size, cell) for size, cell in zip((len(rows), len(rows[0])), anchor, strict=True))
    wide = [[False] * left + row + [False] * right for row in rows]
    return [[False] * len(wide[0])] * top + wide + [[False] * len(wide[0])] * bottom


def _missing(size: int, anchor: int) -> tuple[int, int]:
    """Cells to add before and after `size` cells."""
    return max(2 * ((size - 1) // 2 - anchor), 0), max(2 * anchor + 1 - size, 0)
