"""Compile `imgconv.loops.layers.tile_sums` as an LLVM intrinsic: one wide vector of sums per output, updated tap by tap in registers.

LLVM's own vectoriser works from the innermost loop outwards, so that sums over taps go through memory at every tap: three quarters of
the speed (2026-11), and half of it on maps of 7x7. `tile_sums` is compiled in no other way: where the intrinsic does not work, layers
are matrix products.
"""

from contextlib import suppress
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from imgconv.engine import cache as files
from imgconv.engine import fallback, forks, settings
from imgconv.engine.compiled import is_plain
from imgconv.engine.fallback import UNEXPECTED
from imgconv.engine.signature import Signature
from imgconv.loops.layers import move_cells, tile_sums


class Tile(NamedTuple):
    """The number of outputs that are summed together, and the number of cells of each."""

    outputs: int
    width: int


def tile_of(outputs: int, itemsize: int) -> Tile:
    """The tile for groups of so many outputs in numbers of `itemsize` bytes: as many sums as the registers of this CPU hold.

    Outputs in excess of a multiple of those summed together take as long as any, and one output alone takes half as long again, since
    every cell is read for a single product.

    >>> tile_of(64, itemsize=4).width // tile_of(64, itemsize=8).width
    2
    """
    most, size = _tile_sizes()
    counts = [count for count in (8, 4, 2, 1) if count <= most]
    together = min(counts, key=lambda count: -(-outputs // count) * count * (1.5 if count == 1 else 1))
    return Tile(together, size // together // itemsize)


@cache
def tiles_work() -> bool:
    """Whether this Numba and llvmlite compile the intrinsic correctly; tested once on a machine, and a warning where they do not."""
    return is_plain() or _verdict() or _warn()


@cache
def register_intrinsic() -> None:
    """Register the compiled form of `tile_sums` with Numba."""
    from numba import extending

    @extending.overload(tile_sums, prefer_literal=True)
    def compiled(cells, base, offsets, weights, output, head, tail, sums, at, fresh, together, apart, width):  # type: ignore[no-untyped-def]
        intrinsic = _intrinsic(together.literal_value, apart.literal_value, width.literal_value)

        def call(cells, base, offsets, weights, output, head, tail, sums, at, fresh, together, apart, width):  # type: ignore[no-untyped-def]
            intrinsic(cells, base, offsets, weights, output, head, tail, sums, at, fresh)

        return call

    @extending.overload(move_cells, prefer_literal=True)
    def moved(source, at, target, to, width, step):  # type: ignore[no-untyped-def]
        intrinsic = _move_intrinsic(width.literal_value, step.literal_value)

        def call(source, at, target, to, width, step):  # type: ignore[no-untyped-def]
            intrinsic(source, at, target, to)

        return call


@cache
def _tile_sizes() -> tuple[int, int]:
    """The most outputs per tile, and bytes of sums of a tile: 16 registers with AVX-512 or NEON, 8 with AVX2."""
    is_wide = False
    with forks.lock(), suppress(ImportError):  # without llvmlite, loops are Numba's own compiled functions
        from imgconv.engine.llvm import host

        is_wide = "+avx512f" in host()
    return (8, 1024) if is_wide else (4, 256)


def _verdict() -> bool:
    """The result of the test, cached in a file next to the loops, so that Numba is not imported for it again."""
    key = None
    with forks.lock(), suppress(*UNEXPECTED):
        from imgconv.engine import compiler

        key = compiler.fingerprint(tile_sums, {}, Signature())
        if verdict := files.read("tile_sums", key, files.VERDICT):
            return verdict == b"usable"
    with forks.lock():
        result = _test()
    if key is not None:
        with suppress(OSError):  # the loops themselves report a cache that cannot be written
            files.write("tile_sums", key, b"usable" if result else b"unusable", files.VERDICT)
    return result


def _warn() -> bool:
    fallback.warn_once("layers run 2 to 3 times slower, as matrix products: this numba and llvmlite do not compile wide vectors correctly")
    return False


def _test() -> bool:
    """Whether the intrinsics return what `tile_sums` and `move_cells` return in Python."""
    numba = settings.load_numba()
    from numba.core.errors import NumbaError

    cells, weights, offsets = np.arange(9.0), np.arange(6.0).reshape(2, 3), np.array([0, 2, 3])
    sums, expected = np.zeros(16), np.zeros(16)
    tile_sums(cells, 1, offsets, weights, 1, 0, 3, expected, 0, True, 2, 8, 4)  # type: ignore[no-untyped-call]
    try:
        intrinsic = _intrinsic(2, 8, 4)
        call = numba.njit(lambda cells, offsets, weights, sums: intrinsic(cells, 1, offsets, weights, 1, 0, 3, sums, 0, True))
        call(cells, offsets, weights, sums)
        move, moved = _move_intrinsic(4, 2), np.zeros(4)
        numba.njit(lambda cells, moved: move(cells, 1, moved, 0))(cells, moved)
    except (NumbaError, *UNEXPECTED):
        return False
    return np.array_equal(sums, expected) and np.array_equal(moved, cells[1:8:2])


def _intrinsic(together: int, apart: int, width: int) -> Any:
    from numba import types
    from numba.extending import intrinsic

    @intrinsic
    def tile_sums(typing, cells, base, offsets, weights, output, head, tail, sums, at, fresh):  # type: ignore[no-untyped-def]
        def generate(context, builder, signature, values):  # type: ignore[no-untyped-def]
            arrays = [context.make_array(signature.args[n])(context, builder, values[n]) for n in (0, 2, 3, 7)]
            numbers = [values[n] for n in (1, 4, 5, 6, 8, 9)]
            _emit_sums(builder, context.get_data_type(cells.dtype), arrays, numbers, together, apart, width)
            return context.get_dummy_value()

        return types.void(cells, types.intp, offsets, weights, *[types.intp] * 3, sums, types.intp, types.boolean), generate

    return tile_sums


def _move_intrinsic(width: int, step: int) -> Any:
    from numba import types
    from numba.extending import intrinsic

    @intrinsic
    def move_cells(typing, source, at, target, to):  # type: ignore[no-untyped-def]
        def generate(context, builder, signature, values):  # type: ignore[no-untyped-def]
            arrays = [context.make_array(signature.args[n])(context, builder, values[n]) for n in (0, 2)]
            _emit_move(builder, context.get_data_type(source.dtype), arrays, [values[1], values[3]], width, step)
            return context.get_dummy_value()

        return types.void(source, types.intp, target, types.intp), generate

    return move_cells


def _emit_move(builder: Any, number: Any, arrays: list[Any], numbers: list[Any], width: int, step: int) -> None:
    """Emit the copy of one vector. With a step the second half of its cells comes from a vector that ends at the last of them."""
    from llvmlite import ir

    (source, target), (at, to) = arrays, numbers
    vector = ir.VectorType(number, width).as_pointer()

    def cells(first: Any) -> Any:
        return builder.load(builder.bitcast(builder.gep(source.data, [first]), vector), align=1)

    moved = cells(at)
    if step > 1:
        last = cells(builder.add(at, at.type((width - 1) * (step - 1))))
        lanes = [n * step if n * step < width else width + n * step - (width - 1) * (step - 1) for n in range(width)]
        moved = builder.shuffle_vector(moved, last, ir.Constant(ir.VectorType(ir.IntType(32), width), lanes))
    builder.store(moved, builder.bitcast(builder.gep(target.data, [to]), vector), align=1)


def _emit_sums(builder: Any, number: Any, arrays: list[Any], numbers: list[Any], together: int, apart: int, width: int) -> None:
    """Emit a loop over taps whose `together` vectors of `width` sums stay in registers."""
    from llvmlite import ir

    (cells, offsets, weights, sums), (base, output, head, tail, at, fresh) = arrays, numbers
    vector, zero = ir.VectorType(number, width), ir.Constant(ir.VectorType(number, width), None)

    def as_vector(address: Any) -> Any:
        return builder.bitcast(address, vector.as_pointer())

    def broadcast(value: Any) -> Any:
        first = builder.insert_element(zero, value, ir.IntType(32)(0))
        return builder.shuffle_vector(first, zero, ir.Constant(ir.VectorType(ir.IntType(32), width), None))

    word = base.type
    last, taps = builder.sub(builder.extract_value(weights.shape, 0), word(1)), builder.extract_value(weights.shape, 1)
    rows = []
    for q in range(together):
        row = builder.add(output, word(q))
        row = builder.select(builder.icmp_signed("<", row, last), row, last)
        rows.append(builder.gep(weights.data, [builder.mul(taps, row)]))
    start, before = builder.gep(cells.data, [base]), builder.block
    loop, after = builder.append_basic_block("tap"), builder.append_basic_block("summed")
    builder.cbranch(builder.icmp_signed("<", head, tail), loop, after)

    builder.position_at_end(loop)
    tap, totals = builder.phi(word), [builder.phi(vector) for _ in rows]
    offset = builder.load(builder.gep(offsets.data, [tap]))
    tapped = builder.load(as_vector(builder.gep(start, [offset])), align=1)
    products = [builder.fmul(broadcast(builder.load(builder.gep(row, [tap]))), tapped, flags=["contract"]) for row in rows]
    added = [builder.fadd(total, product, flags=["contract"]) for total, product in zip(totals, products, strict=True)]
    next_tap = builder.add(tap, word(1))
    for phi, initial, updated in zip((tap, *totals), (head, *[zero] * together), (next_tap, *added), strict=True):
        phi.add_incoming(initial, before)
        phi.add_incoming(updated, loop)
    builder.cbranch(builder.icmp_signed("<", next_tap, tail), loop, after)

    builder.position_at_end(after)
    results = [builder.phi(vector) for _ in rows]
    for result, total in zip(results, added, strict=True):
        result.add_incoming(zero, before)
        result.add_incoming(total, loop)
    for q, result in enumerate(results):
        address = as_vector(builder.gep(sums.data, [builder.add(at, word(q * apart))]))
        earlier = builder.select(fresh, zero, builder.load(address, align=1))
        builder.store(builder.fadd(result, earlier), address, align=1)
