"""The maps of a list of kernel references, and their names."""

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from imgconv.errors import UsageError
from imgconv.registry import Bank, Kernel, Registry, of_one_size, resolve, slug


@dataclass(frozen=True)
class MapPlan:
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
        unique.append(replace(plan, name=name))
    return tuple(unique)
