"""Compile the sums of `imgconv.loops.layers` as LLVM intrinsics: one wide vector of sums per output or row, updated in registers.

LLVM's own vectoriser works from the innermost loop outwards, so that sums over taps go through memory at every tap: three quarters of
the speed (2026-11), and half of it on maps of 7x7. Where the intrinsics do not work, layers are matrix products, and filters sum tap by
tap.
"""

from collections.abc import Callable
from contextlib import suppress
from functools import cache, partial
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from imgconv.engine import cache as files
from imgconv.engine import fallback, forks, settings
from imgconv.engine.fallback import UNEXPECTED
from imgconv.engine.settings import is_plain
from imgconv.engine.signature import Signature
from imgconv.loops.filters import row_sums
from imgconv.loops.layers import move_cells, product_sums, tile_sums

_INLINE: Any = {"forceinline": True}  # a call passes every field of every array, which takes as long as the sums of a small kernel


class Tile(NamedTuple):
    """The number of outputs that are summed together, and the number of cells of each."""

    outputs: int
    width: int


class ProductTile(NamedTuple):
    """The numbers of outputs and taps whose products are summed together, and the number of cells that are taken at a time."""

    outputs: int
    taps: int
    width: int


def tile_of(outputs: int, itemsize: int) -> Tile:
    """The tile for groups of this number of outputs, in numbers of `itemsize` bytes: as many sums as the registers of this CPU hold.

    Outputs in excess of a multiple of those summed together take as long as any. Four together take longer than six, and one alone half as
    long again as two, since there are fewer products for each cell that is read (Zen 3, 2026-11).

    >>> tile_of(64, itemsize=4).width // tile_of(64, itemsize=8).width
    2
    """
    size, costs = (1024, {8: 1.0, 4: 1.0, 2: 1.0, 1: 1.5}) if _is_wide() else (256, {6: 1.0, 4: 1.1, 2: 1.1, 1: 1.65})
    together = min(costs, key=lambda count: -(-outputs // count) * count * costs[count])
    return Tile(together, (1 << (size // together - 1).bit_length()) // itemsize)


def rows_of(itemsize: int, *, single: bool = False) -> Tile:
    """The tile of rows of one output in numbers of `itemsize` bytes: a vector of each, of 64 bytes. All of them of a `single` row."""
    rows = 8 if _is_wide() else 4
    return Tile(1, rows * 64 // itemsize) if single else Tile(rows, 64 // itemsize)


def products_of(outputs: int, taps: int, itemsize: int) -> ProductTile:
    """The tile for products of this number of outputs and taps, in numbers of `itemsize` bytes: vectors of 64 bytes.

    With AVX-512 two outputs and the nine taps of 3x3, which need 20 of 32 registers; otherwise one, and four taps.
    """
    most = 9 if _is_wide() else 4
    return ProductTile(2 if most == 9 and outputs > 1 else 1, min(most, taps), 64 // itemsize)


@cache
def tiles_work() -> bool:
    """Whether this Numba and llvmlite compile the intrinsic correctly; tested once on a machine, and a warning where they do not."""
    return is_plain() or _verdict() or _warn()


@cache
def register_intrinsic() -> None:
    """Register the compiled forms of `tile_sums`, `row_sums`, `product_sums` and `move_cells` with Numba."""
    from numba import extending

    @extending.overload(tile_sums, jit_options=_INLINE, prefer_literal=True)
    def compiled(  # type: ignore[no-untyped-def]
        cells, base, offsets, head, tail, weights, row, step, last, bias, output, fresh, sums, at, together, apart, width
    ):
        intrinsic = _intrinsic(together.literal_value, apart.literal_value, width.literal_value)

        def call(  # type: ignore[no-untyped-def]
            cells, base, offsets, head, tail, weights, row, step, last, bias, output, fresh, sums, at, together, apart, width
        ):
            intrinsic(cells, base, offsets, head, tail, weights, row, step, last, bias, output, fresh, sums, at)

        return call

    @extending.overload(row_sums, jit_options=_INLINE, prefer_literal=True)
    def summed(cells, base, row_stride, taps, runs, weights, first, shift, sums, at, apart, height, width):  # type: ignore[no-untyped-def]
        if not tiles_work():
            return row_sums_one_by_one
        intrinsic = _rows_intrinsic(height.literal_value, width.literal_value)

        def call(cells, base, row_stride, taps, runs, weights, first, shift, sums, at, apart, height, width):  # type: ignore[no-untyped-def]
            intrinsic(cells, base, row_stride, taps, runs, weights, first, shift, sums, at, apart)

        return call

    @extending.overload(product_sums, jit_options=_INLINE, prefer_literal=True)
    def multiplied(  # type: ignore[no-untyped-def]
        cells, base, offsets, first, output, at, apart, count, sums, to, row, outputs, taps, width
    ):
        intrinsic = _products_intrinsic(outputs.literal_value, taps.literal_value, width.literal_value)

        def call(  # type: ignore[no-untyped-def]
            cells, base, offsets, first, output, at, apart, count, sums, to, row, outputs, taps, width
        ):
            intrinsic(cells, base, offsets, first, output, at, apart, count, sums, to, row)

        return call

    @extending.overload(move_cells, jit_options=_INLINE, prefer_literal=True)
    def moved(source, at, target, to, width, step):  # type: ignore[no-untyped-def]
        intrinsic = _move_intrinsic(width.literal_value, step.literal_value)

        def call(source, at, target, to, width, step):  # type: ignore[no-untyped-def]
            intrinsic(source, at, target, to)

        return call


@cache
def _is_wide() -> bool:
    """Whether the processor has AVX-512: registers for 1024 bytes of sums, and for some 256 to 400 without it."""
    with forks.lock(), suppress(ImportError):  # without llvmlite, loops are Numba's own compiled functions
        from imgconv.engine.object_code import host

        return "+avx512f" in host()
    return False


def _verdict() -> bool:
    """The result of the test, cached in a file next to the loops, so that Numba is not imported for it again."""
    key = None
    with forks.lock(), suppress(*UNEXPECTED):
        from imgconv.engine import object_code

        key = object_code.fingerprint(tile_sums, {}, Signature())
        if verdict := files.read("tile_sums", key, files.VERDICT):
            return verdict == b"usable"
    with forks.lock():
        result = _test()
    if key is not None:
        with suppress(OSError):  # the loops themselves report a cache that cannot be written
            files.write("tile_sums", key, b"usable" if result else b"unusable", files.VERDICT)
    return result


def _warn() -> bool:
    fallback.warn_once("layers and large kernels run 2 to 3 times slower: this numba and llvmlite do not compile wide vectors correctly")
    return False


def _test() -> bool:
    """Whether the intrinsics return what their functions return in Python."""
    numba = settings.load_numba()
    from numba.core.errors import NumbaError

    cells, weights, bias, offsets = np.arange(9.0), np.arange(6.0), np.array([5.0, 7.0]), np.array([(0, 0), (2, 0), (3, 0)])
    taps, runs = np.array([(0, 1, 0, 2), (1, 3, 4, 0), (0, 5, 0, 0)]), np.array([1, 2, 3])
    expected, results = np.zeros((4, 16)), np.zeros((4, 16))
    tile_sums(cells, 1, offsets, 0, 3, weights, 0, 3, 1, bias, 0, True, expected[0], 0, 2, 8, 4)  # type: ignore[no-untyped-call]
    row_sums(cells, 0, 1, taps, runs, weights, 0, 1.0, expected[1], 0, 8, 2, 4)  # type: ignore[no-untyped-call]
    move_cells(cells, 1, expected[2], 0, 4, 2)  # type: ignore[no-untyped-call]
    product_sums(cells, 0, runs, 1, weights, 0, 2, 4, expected[3], 1, 3, 2, 2, 2)  # type: ignore[no-untyped-call]
    try:
        sums, rows, move, products = _intrinsic(2, 8, 4), _rows_intrinsic(2, 4), _move_intrinsic(4, 2), _products_intrinsic(2, 2, 2)

        def fill(cells, offsets, weights, bias, taps, runs, results):  # type: ignore[no-untyped-def]
            sums(cells, 1, offsets, 0, 3, weights, 0, 3, 1, bias, 0, True, results[0], 0)
            rows(cells, 0, 1, taps, runs, weights, 0, 1.0, results[1], 0, 8)
            move(cells, 1, results[2], 0)
            products(cells, 0, runs, 1, weights, 0, 2, 4, results[3], 1, 3)

        numba.njit(fill)(cells, offsets, weights, bias, taps, runs, results)
    except (NumbaError, *UNEXPECTED):
        return False
    return np.array_equal(results, expected)


def _intrinsic(together: int, apart: int, width: int) -> Any:
    from numba import types
    from numba.extending import intrinsic

    @intrinsic
    def tile_sums(typing, cells, base, offsets, head, tail, weights, row, step, last, bias, output, fresh, sums, at):  # type: ignore[no-untyped-def]
        def generate(context, builder, signature, values):  # type: ignore[no-untyped-def]
            arrays = [context.make_array(signature.args[n])(context, builder, values[n]).data for n in (0, 2, 5, 9, 12)]
            numbers = [values[n] for n in (1, 3, 4, 6, 7, 8, 10, 11, 13)]
            _emit_sums(builder, context.get_data_type(cells.dtype), arrays, numbers, together, apart, width)
            return context.get_dummy_value()

        word = types.intp
        return types.void(cells, word, offsets, word, word, weights, *[word] * 3, bias, word, types.boolean, sums, word), generate

    return tile_sums


def _rows_intrinsic(height: int, width: int) -> Any:
    from numba import types
    from numba.extending import intrinsic

    @intrinsic
    def row_sums(typing, cells, base, row_stride, taps, runs, weights, first, shift, sums, at, apart):  # type: ignore[no-untyped-def]
        def generate(context, builder, signature, values):  # type: ignore[no-untyped-def]
            arrays = [context.make_array(signature.args[n])(context, builder, values[n]).data for n in (0, 3, 4, 5, 8)]
            numbers = [values[n] for n in (1, 2, 6, 7, 9, 10)]
            _emit_rows(builder, context.get_data_type(cells.dtype), arrays, numbers, height, width)
            return context.get_dummy_value()

        word = types.intp
        return types.void(cells, word, word, taps, runs, weights, word, cells.dtype, sums, word, word), generate

    return row_sums


def row_sums_one_by_one(  # type: ignore[no-untyped-def]
    cells, base, row_stride, taps, runs, weights, first, shift, sums, at, apart, height, width
):
    """What `row_sums` does, for a compiler without wide vectors."""
    for q in range(height):
        for j in range(width):
            sums[at + q * apart + j] = shift
        for t in range(runs[2]):
            for k in range(1 + (t < runs[0]) + (t < runs[1])):
                weight, cell = weights[first + taps[t, 1 + k]], base + taps[t, 0] + (q + k) * row_stride
                for j in range(width):
                    sums[at + q * apart + j] += weight * cells[cell + j]


def _products_intrinsic(outputs: int, taps: int, width: int) -> Any:
    from numba import types
    from numba.extending import intrinsic

    @intrinsic
    def product_sums(typing, cells, base, offsets, first, output, at, apart, count, sums, to, row):  # type: ignore[no-untyped-def]
        def generate(context, builder, signature, values):  # type: ignore[no-untyped-def]
            arrays = [context.make_array(signature.args[n])(context, builder, values[n]).data for n in (0, 2, 4, 8)]
            numbers = [values[n] for n in (1, 3, 5, 6, 7, 9, 10)]
            _emit_products(builder, context.get_data_type(cells.dtype), arrays, numbers, outputs, taps, width)
            return context.get_dummy_value()

        word = types.intp
        return types.void(cells, word, offsets, word, output, word, word, word, sums, word, word), generate

    return product_sums


def _move_intrinsic(width: int, step: int) -> Any:
    from numba import types
    from numba.extending import intrinsic

    @intrinsic
    def move_cells(typing, source, at, target, to):  # type: ignore[no-untyped-def]
        def generate(context, builder, signature, values):  # type: ignore[no-untyped-def]
            arrays = [context.make_array(signature.args[n])(context, builder, values[n]).data for n in (0, 2)]
            kinds = [context.get_data_type(array.dtype) for array in (source, target)]
            _emit_move(builder, kinds, arrays, [values[1], values[3]], width, step)
            return context.get_dummy_value()

        return types.void(source, types.intp, target, types.intp), generate

    return move_cells


def _emit_move(builder: Any, kinds: list[Any], arrays: list[Any], numbers: list[Any], width: int, step: int) -> None:
    """Emit the copy of one vector. With a step the second half of its cells comes from a vector that ends at the last of them."""
    from llvmlite import ir

    (source, target), (at, to) = arrays, numbers
    vector, wanted = (ir.VectorType(kind, width) for kind in kinds)

    def cells(first: Any) -> Any:
        return builder.load(builder.bitcast(builder.gep(source, [first]), vector.as_pointer()), align=1)

    moved = cells(at)
    if step > 1:
        last = cells(builder.add(at, at.type((width - 1) * (step - 1))))
        lanes = [n * step if n * step < width else width + n * step - (width - 1) * (step - 1) for n in range(width)]
        moved = builder.shuffle_vector(moved, last, ir.Constant(ir.VectorType(ir.IntType(32), width), lanes))
    if wanted != vector:
        moved = builder.fpext(moved, wanted)
    builder.store(moved, builder.bitcast(builder.gep(target, [to]), wanted.as_pointer()), align=1)


def _emit_sums(builder: Any, number: Any, arrays: list[Any], numbers: list[Any], together: int, apart: int, width: int) -> None:
    """Emit a loop over taps whose `together` vectors of `width` sums stay in registers."""
    from llvmlite import ir

    (cells, offsets, weights, bias, sums), (base, head, tail, row, step, last, output, fresh, at) = arrays, numbers
    vector, zero = ir.VectorType(number, width), ir.Constant(ir.VectorType(number, width), None)

    def as_vector(address: Any) -> Any:
        return builder.bitcast(address, vector.as_pointer())

    def broadcast(value: Any) -> Any:
        first = builder.insert_element(zero, value, ir.IntType(32)(0))
        return builder.shuffle_vector(first, zero, ir.Constant(ir.VectorType(ir.IntType(32), width), None))

    word = base.type
    outputs = [builder.select(builder.icmp_signed("<", word(q), last), word(q), last) for q in range(together)]
    rows = [builder.gep(weights, [builder.add(row, builder.mul(q, step))]) for q in outputs]
    start = builder.gep(cells, [base])

    def add(tap: Any, totals: list[Any]) -> list[Any]:
        cell = builder.load(builder.gep(offsets, [builder.add(tap, tap)]))
        tapped = builder.load(as_vector(builder.gep(start, [cell])), align=1)
        products = [builder.fmul(broadcast(builder.load(builder.gep(row, [tap]))), tapped, flags=["contract"]) for row in rows]
        return [builder.fadd(total, product, flags=["contract"]) for total, product in zip(totals, products, strict=True)]

    results = _emit_loop(builder, head, tail, 1, [zero] * together, add)
    for q, (result, number_of_output) in enumerate(zip(results, outputs, strict=True)):
        address = as_vector(builder.gep(sums, [builder.add(at, word(q * apart))]))
        shift = broadcast(builder.load(builder.gep(bias, [builder.add(output, number_of_output)])))
        earlier = builder.select(fresh, shift, builder.load(address, align=1))
        builder.store(builder.fadd(result, earlier), address, align=1)


def _emit_rows(builder: Any, number: Any, arrays: list[Any], numbers: list[Any], height: int, width: int) -> None:
    """Emit three loops over runs of three taps, of two and of one, whose `height` vectors of `width` sums stay in registers."""
    from llvmlite import ir

    (cells, taps, runs, weights, sums), (base, row_stride, first, shift, at, apart) = arrays, numbers
    vector, zero, word = ir.VectorType(number, width), ir.Constant(ir.VectorType(number, width), None), base.type

    def as_vector(address: Any) -> Any:
        return builder.bitcast(address, vector.as_pointer())

    def broadcast(value: Any) -> Any:
        lanes = ir.Constant(ir.VectorType(ir.IntType(32), width), None)
        return builder.shuffle_vector(builder.insert_element(zero, value, ir.IntType(32)(0)), zero, lanes)

    start, weights, is_whole = builder.gep(cells, [base]), builder.gep(weights, [first]), isinstance(number, ir.IntType)

    def accumulate(total: Any, factor: Any, cell: Any) -> Any:
        if is_whole:
            return builder.add(total, builder.mul(factor, cell))
        return builder.fadd(total, builder.fmul(factor, cell, flags=["contract"]), flags=["contract"])

    def add(count: int, run: Any, totals: list[Any]) -> list[Any]:
        entry = builder.gep(taps, [builder.mul(run, word(4))])
        cell = builder.gep(start, [builder.load(entry)])
        offsets = [builder.load(builder.gep(entry, [word(1 + k)])) for k in range(count)]
        factors = [broadcast(builder.load(builder.gep(weights, [offset]))) for offset in offsets]
        rows = [builder.load(as_vector(builder.gep(cell, [builder.mul(row_stride, word(r))])), align=1) for r in range(height + count - 1)]
        added = list(totals)
        for k, factor in enumerate(factors):
            for q in range(height):
                added[q] = accumulate(added[q], factor, rows[q + k])
        return added

    totals, run = [zero] * height, word(0)
    for kind, count in enumerate((3, 2, 1)):
        end = builder.load(builder.gep(runs, [word(kind)]))
        totals, run = _emit_loop(builder, run, end, 1, totals, partial(add, count)), end
    for q, total in enumerate(totals):
        address = as_vector(builder.gep(sums, [builder.add(at, builder.mul(apart, word(q)))]))
        builder.store((builder.add if is_whole else builder.fadd)(total, broadcast(shift)), address, align=1)


def _emit_products(builder: Any, number: Any, arrays: list[Any], numbers: list[Any], outputs: int, taps: int, width: int) -> None:
    """Emit a loop over vectors of `outputs` and of the cells under `taps` taps, whose vectors of sums stay in registers."""
    from llvmlite import ir

    (cells, offsets, output, sums), (base, first, at, apart, count, to, step) = arrays, numbers
    vector, word = ir.VectorType(number, width), base.type
    zero = ir.Constant(vector, None)

    def load(row: Any, at: Any) -> Any:
        return builder.load(builder.bitcast(builder.gep(row, [at]), vector.as_pointer()), align=1)

    shifts = [builder.load(builder.gep(offsets, [builder.add(first, word(t))])) for t in range(taps)]
    rows = [builder.gep(cells, [builder.add(base, shift)]) for shift in shifts]
    factors = [builder.gep(output, [builder.add(at, builder.mul(apart, word(q)))]) for q in range(outputs)]

    def add(position: Any, totals: list[Any]) -> list[Any]:
        pairs = product([load(factor, position) for factor in factors], [load(row, position) for row in rows])
        products = [builder.fmul(factor, tapped, flags=["contract"]) for factor, tapped in pairs]
        return [builder.fadd(total, summand, flags=["contract"]) for total, summand in zip(totals, products, strict=True)]

    results = _emit_loop(builder, word(0), count, width, [zero] * (outputs * taps), add)
    for (q, t), result in zip(product(range(outputs), range(taps)), results, strict=True):
        address = builder.gep(sums, [builder.add(builder.add(to, word(t)), builder.mul(step, word(q)))])
        builder.store(builder.fadd(builder.load(address), _sum_of(builder, result, width)), address)


def _emit_loop(builder: Any, head: Any, tail: Any, step: int, sums: list[Any], add: Callable[[Any, list[Any]], list[Any]]) -> list[Any]:
    """Emit a loop from `head` to `tail`, without the latter, and return its sums, which begin with `sums` and stay in registers.

    `add` emits one turn: from a position and the sums before it to those after it.
    """
    before, loop, after = builder.block, builder.append_basic_block("loop"), builder.append_basic_block("summed")
    builder.cbranch(builder.icmp_signed("<", head, tail), loop, after)
    builder.position_at_end(loop)
    position, totals = builder.phi(head.type), [builder.phi(each.type) for each in sums]
    added = add(position, totals)
    following = builder.add(position, head.type(step))
    for phi, initial, updated in zip((position, *totals), (head, *sums), (following, *added), strict=True):
        phi.add_incoming(initial, before)
        phi.add_incoming(updated, loop)
    builder.cbranch(builder.icmp_signed("<", following, tail), loop, after)
    builder.position_at_end(after)
    results = [builder.phi(each.type) for each in sums]
    for result, initial, updated in zip(results, sums, added, strict=True):
        result.add_incoming(initial, before)
        result.add_incoming(updated, loop)
    return results


def _sum_of(builder: Any, vector: Any, width: int) -> Any:
    """The sum of the `width` numbers in a vector, in float64: its halves are added, then theirs."""
    from llvmlite import ir

    if vector.type.element != ir.DoubleType():
        vector = builder.fpext(vector, ir.VectorType(ir.DoubleType(), width))
    while width > 1:
        width //= 2
        lanes = (ir.Constant(ir.VectorType(ir.IntType(32), width), list(range(first, first + width))) for first in (0, width))
        low, high = (builder.shuffle_vector(vector, vector, half) for half in lanes)
        vector = builder.fadd(low, high)
    return builder.extract_element(vector, ir.IntType(32)(0))
