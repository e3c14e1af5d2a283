"""`imgconv.loops.layers.tile_sums` in LLVM's words: one wide vector of sums for each output, added to tap after tap.

LLVM's own vectoriser takes loops from the inside out, so that sums over taps go through memory at every tap: three quarters of the speed
(2026-11), and half of it on maps of 7x7. Imported with Numba alone, but for `tile_of`.
"""

from functools import cache
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np

from imgconv.engine.llvm import UNEXPECTED
from imgconv.loops.layers import tile_sums


class Tile(NamedTuple):
    """Outputs that are summed together, and cells under each."""

    together: int
    width: int


def tile_of(outputs: int, itemsize: int) -> Tile:
    """The tile for groups of so many outputs in numbers of `itemsize` bytes: as many sums as this CPU's registers hold.

    >>> tile_of(64, itemsize=4).width // tile_of(64, itemsize=8).width
    2
    """
    together, size = _tile_sizes(has_few=outputs <= 2)
    return Tile(together, size // itemsize)


@cache
def _tile_sizes(*, has_few: bool) -> tuple[int, int]:
    """Outputs together, and bytes of sums for each: 16 registers with AVX-512 or NEON, 8 with AVX2."""
    try:
        from imgconv.engine.llvm import host
    except ImportError:  # loops are plain Numba's
        is_wide = False
    else:
        is_wide = "+avx512f" in host()
    if has_few:
        return 1, 1024 if is_wide else 256
    return (8, 128) if is_wide else (4, 64)


@cache
def teach() -> None:
    """Tell Numba how `tile_sums` is compiled."""
    extending: Any = import_module("numba.extending")

    @extending.overload(tile_sums, prefer_literal=True)
    def compiled(cells, base, places, weights, output, head, tail, sums, at, together, apart, width):  # type: ignore[no-untyped-def]
        if not _vectors_work():
            return _in_loops
        made = _intrinsic(together.literal_value, apart.literal_value, width.literal_value)

        def call(cells, base, places, weights, output, head, tail, sums, at, together, apart, width):  # type: ignore[no-untyped-def]
            made(cells, base, places, weights, output, head, tail, sums, at)

        return call


@cache
def _vectors_work() -> bool:
    """Whether this Numba and llvmlite make of `_add_up` what Python makes of `tile_sums`."""
    numba: Any = import_module("numba")
    cells, weights, places = np.arange(9.0), np.arange(6.0).reshape(2, 3), np.array([0, 2, 3])
    sums, expected = np.zeros(16), np.zeros(16)
    tile_sums(cells, 1, places, weights, 1, 0, 3, expected, 0, 2, 8, 4)  # type: ignore[no-untyped-call]
    try:
        made = _intrinsic(2, 8, 4)
        numba.njit(lambda cells, places, weights, sums: made(cells, 1, places, weights, 1, 0, 3, sums, 0))(cells, places, weights, sums)
    except (numba.core.errors.NumbaError, *UNEXPECTED):
        return False
    return np.array_equal(sums, expected)


def _in_loops(cells, base, places, weights, output, head, tail, sums, at, together, apart, width):  # type: ignore[no-untyped-def]
    for q in range(together):
        row = weights[min(output + q, weights.shape[0] - 1)]
        for j in range(width):
            total = sums.dtype.type(0)
            for t in range(head, tail):
                total += row[t] * cells[base + places[t] + j]
            sums[at + q * apart + j] = total if head == 0 else sums[at + q * apart + j] + total


def _intrinsic(together: int, apart: int, width: int) -> Any:
    extending: Any = import_module("numba.extending")
    types: Any = import_module("numba.core.types")

    @extending.intrinsic
    def made(typing, cells, base, places, weights, output, head, tail, sums, at):  # type: ignore[no-untyped-def]
        def generate(context, builder, signature, values):  # type: ignore[no-untyped-def]
            arrays = [context.make_array(signature.args[n])(context, builder, values[n]) for n in (0, 2, 3, 7)]
            numbers = [values[n] for n in (1, 4, 5, 6, 8)]
            _add_up(builder, context.get_data_type(cells.dtype), arrays, numbers, together, apart, width)
            return context.get_dummy_value()

        return types.void(cells, types.intp, places, weights, *[types.intp] * 3, sums, types.intp), generate

    return made


def _add_up(builder: Any, number: Any, arrays: list[Any], numbers: list[Any], together: int, apart: int, width: int) -> None:
    """Write a loop over taps whose `together` vectors of `width` sums never leave their registers."""
    ir: Any = import_module("llvmlite.ir")
    (cells, places, weights, sums), (base, output, head, tail, at) = arrays, numbers
    vector, zero = ir.VectorType(number, width), ir.Constant(ir.VectorType(number, width), None)

    def element(array: Any, *at: Any) -> Any:
        return builder.gep(array, at)

    def wide(address: Any) -> Any:
        return builder.bitcast(address, vector.as_pointer())

    def spread(value: Any) -> Any:
        first = builder.insert_element(zero, value, ir.IntType(32)(0))
        return builder.shuffle_vector(first, zero, ir.Constant(ir.VectorType(ir.IntType(32), width), None))

    word = base.type
    last, taps = builder.sub(builder.extract_value(weights.shape, 0), word(1)), builder.extract_value(weights.shape, 1)
    rows = []
    for q in range(together):
        row = builder.add(output, word(q))
        rows.append(element(weights.data, builder.mul(taps, builder.select(builder.icmp_signed("<", row, last), row, last))))
    start, before = element(cells.data, base), builder.block
    each, after = builder.append_basic_block("tap"), builder.append_basic_block("summed")
    builder.cbranch(builder.icmp_signed("<", head, tail), each, after)

    builder.position_at_end(each)
    tap, totals = builder.phi(word), [builder.phi(vector) for _ in rows]
    under = builder.load(wide(element(start, builder.load(element(places.data, tap)))), align=1)
    products = [builder.fmul(spread(builder.load(element(row, tap))), under, flags=["contract"]) for row in rows]
    added = [builder.fadd(total, product, flags=["contract"]) for total, product in zip(totals, products, strict=True)]
    following = builder.add(tap, word(1))
    for phi, begin, went_on in zip((tap, *totals), (head, *[zero] * together), (following, *added), strict=True):
        phi.add_incoming(begin, before)
        phi.add_incoming(went_on, each)
    builder.cbranch(builder.icmp_signed("<", following, tail), each, after)

    builder.position_at_end(after)
    results = [builder.phi(vector) for _ in rows]
    for result, total in zip(results, added, strict=True):
        result.add_incoming(zero, before)
        result.add_incoming(total, each)
    is_first = builder.icmp_signed("==", head, word(0))
    for q, result in enumerate(results):
        place = wide(element(sums.data, builder.add(at, word(q * apart))))
        earlier = builder.select(is_first, zero, builder.load(place, align=1))
        builder.store(builder.fadd(result, earlier), place, align=1)
