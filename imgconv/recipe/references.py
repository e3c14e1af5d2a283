"""What kernel references stand for: the maps of a filter with their names, and the footprint of a window."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from imgconv.errors import UsageError
from imgconv.registry import Bank, Kernel, Registry, of_one_size, resolve, slug
from imgconv.window import Footprint

if TYPE_CHECKING:
    from pathlib import Path


class MapPlan(NamedTuple):
    """One map of a filter: its name in output names, its kernels, and how they combine."""

    name: str
    kernels: tuple[Kernel, ...]
    combine: str = "none"
    subspace: int = 0
    range: str = "clip"

    @property
    def sums_channels(self) -> bool:
        """Whether the kernels are weights across channels, (C, kh, kw)."""
        return self.kernels[0].taps.ndim == 3

    @property
    def zero_sum(self) -> bool:
        """Whether the map of a constant image is 0: alpha does not change then."""
        return self.combine != "none" or abs(self.kernels[0].total) < 1e-9

    def describe(self) -> str:
        """The map's name, and for kernels without a description a checksum of their taps, since the name does not identify them."""
        if all(kernel.description for kernel in self.kernels):
            return self.name
        return f"{self.name}[{zlib.crc32(b''.join(kernel.weights().tobytes() for kernel in self.kernels)):08x}]"


def plan_maps(references: Iterable[str | Kernel | Bank], registry: Registry | None = None) -> tuple[MapPlan, ...]:
    """The maps of kernel references; a bank with combine "none" gives one for each member. Names are unique.

    >>> [plan.name for plan in plan_maps(["laplacian8", "gaussian:sigma=2"])]
    ['laplacian8', 'gaussian-sigma-2']
    """
    plans: list[MapPlan] = []
    for reference in references:
        known = resolve(reference, registry) if isinstance(reference, str) else reference
        name = slug(reference) if isinstance(reference, str) else slug(known.name)
        plans += _plans_of(known, name)
    if not plans:
        raise UsageError("no kernel given; use -k NAME, for example -k laplacian8")
    return _with_unique_names(plans)


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


def _plans_of(known: Kernel | Bank, name: str) -> list[MapPlan]:
    if isinstance(known, Kernel):
        return [MapPlan(name, (known,), range=known.range)]
    if known.combine != "none":
        return [MapPlan(name, of_one_size(known.kernels), known.combine, known.subspace, known.range)]
    return [MapPlan(_member_name(name, kernel), (kernel,), range=kernel.range) for kernel in known.kernels]


def _member_name(bank: str, kernel: Kernel) -> str:
    member = slug(kernel.name)
    return member if member.startswith(bank) else f"{bank}-{member}"


def _with_unique_names(plans: Sequence[MapPlan]) -> tuple[MapPlan, ...]:
    names: set[str] = set()
    unique = []
    for plan in plans:
        name, count = plan.name, 1
        while name.lower() in names:
            count += 1
            name = f"{plan.name}-{count}"
        names.add(name.lower())
        unique.append(plan._replace(name=name))
    return tuple(unique)


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
