"""Kernels and banks as tables: the taps, coloured by sign, and what follows from them."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from imgconv.display.parts import facts, numbers, text
from imgconv.registry.kernel import Bank, Kernel

if TYPE_CHECKING:
    from imgconv.display.parts import Part

LARGEST_SHOWN = 64  # taps along a side; a larger table is not readable


def kernel_parts(kernel: Kernel) -> "Iterator[Part]":
    """Yield the taps of a kernel, and their properties."""
    yield from (*_taps(kernel), facts(_about(kernel)))


def bank_parts(bank: Bank) -> "Iterator[Part]":
    """Yield how the maps of a bank are combined, and each of its kernels."""
    share = f", the first {bank.subspace} against all" if bank.combine == "projection" else ""
    yield from (text(bank.name, style="bold"), facts({"combine": f"{bank.combine}{share}", **_about(bank)}))
    for kernel in bank.kernels:
        yield from (text(), *_taps(kernel))


def _taps(kernel: Kernel) -> "Iterator[Part]":
    yield text(kernel.name, style="bold")
    for plane in [kernel.taps] if kernel.taps.ndim == 2 else kernel.taps:
        if max(plane.shape) <= LARGEST_SHOWN:
            yield numbers(plane, "{:.6g}".format)
        else:
            yield text(f"more than {LARGEST_SHOWN} taps along a side; --json lists them", style="dim")
    yield facts(_properties(kernel))


def _properties(kernel: Kernel) -> dict[str, str]:
    height, width = kernel.kernel_size
    shape = f"{height}x{width}" + (f" over {len(kernel.taps)} channels" if kernel.taps.ndim == 3 else "")
    properties = {"size": shape, "sum": f"{kernel.total:.10g}", "gain": f"{kernel.gain:.10g}", "divisor": f"{kernel.divisor:.10g}"}
    if kernel.offset:
        properties["offset"] = f"{kernel.offset:.10g} of 255"
    if kernel.bias:
        properties["bias"] = f"{kernel.bias:.10g}"
    if kernel.anchor is not None:
        properties["anchor"] = f"row {kernel.anchor[0]}, column {kernel.anchor[1]}"
    if kernel.taps.ndim == 2:
        properties["separable"] = "yes, rank 1" if kernel.separable else f"no, rank {kernel.rank}"
    return properties


def _about(shown: Kernel | Bank) -> dict[str, str]:
    about = {"range": shown.range, "about": shown.description, "source": shown.source, "tags": ", ".join(shown.tags)}
    return {key: value for key, value in about.items() if value}
