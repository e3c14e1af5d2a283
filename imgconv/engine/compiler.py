"""Compile a plain Python loop to object code.

Numba compiles and optimises. Its function takes arrays spread out into (owner, parent, size, itemsize, data, shape..., strides...)
after two slots, for a result and an error. An entry that takes the words of a call (see `object_code`) is put before it, everything else is
made private or removed, and LLVM emits the rest as object code. What this requires of Numba is checked here; `UnexpectedError` is
raised where it does not hold. Only this module, `settings` and `tiles` import Numba.
"""

import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import llvmlite.binding as llvm
import numpy as np

from imgconv.engine import settings
from imgconv.engine.fallback import UnexpectedError
from imgconv.engine.object_code import ARRAY_FIELDS, ENTRY, Code, link, target
from imgconv.engine.signature import ArrayType, Signature

_ARRAY_FIELDS = ("meminfo", "parent", "nitems", "itemsize", "data", "shape", "strides")
_MEMORY = frozenset(("memcpy", "memmove", "memset"))
# fmt: off
_MATHS = frozenset((
    "acos", "asin", "atan", "atan2", "cbrt", "ceil", "copysign", "cos", "cosh", "erf", "exp", "exp2", "expm1", "fabs", "floor", "fma",
    "fmax", "fmin", "fmod", "hypot", "ldexp", "log", "log10", "log1p", "log2", "nearbyint", "pow", "rint", "round", "sin", "sinh",
    "sqrt", "tan", "tanh", "trunc",
))
# fmt: on
_COUNTING = re.compile(r"^.* call void @NRT_(?:in|de)cref\(.*\n", re.MULTILINE)  # of owners, which the arrays of a call do not have
_KNOWN = _MEMORY | _MATHS | {f"{name}f" for name in _MATHS}  # in every C library


def emit(function: Callable[..., None], signature: Signature) -> Code:
    """Return the object code of a loop for `signature`.

    `contract` is the only floating-point optimisation: multiply-adds may keep the full precision of the product. Raises UnexpectedError
    where Numba's function is not called as expected, or needs more than the C library.
    """
    module = module_of(function, signature)
    return Code(_machine().emit_object(module), _needs(module))


def module_of(function: Callable[..., None], signature: Signature) -> Any:
    """Return LLVM's module of a loop: the entry and what it reaches."""
    name, text = _translated(function, signature)
    module = llvm.parse_assembly(text)
    lines, arguments = _arguments(signature)
    _check([str(argument.type) for argument in module.get_function(name).arguments], [argument.split()[0] for argument in arguments])
    module.link_in(llvm.parse_assembly(_entry(name, lines, arguments)))
    _keep_only_entry(module)
    module.verify()
    return module


def dispatcher(function: Callable[..., None], signature: Signature) -> Any:
    """Return a loop as Numba's own function, which is called with the arrays themselves and cannot be cached."""
    numba = _prepared(function)
    compiled = numba.njit(nogil=True, error_model="numpy", fastmath={"contract"})(function)
    compiled.compile(numba.types.void(*(_numba_type(t) for t in signature)))
    return compiled


def _translated(function: Callable[..., None], signature: Signature) -> tuple[str, str]:
    """Return the name of Numba's function and LLVM's assembly of it.

    Numba's way to code for other programs is a quarter faster than `njit`, which makes code of every loop and of a wrapper for Python
    before there is something to read (0.72 and 0.53 s of CPU for a loop, 2026-11).
    """
    numba = _prepared(function)
    from numba.core.compiler import Flags, compile_extra
    from numba.core.compiler_lock import global_compiler_lock
    from numba.core.cpu_options import FastMathOptions
    from numba.core.registry import cpu_target

    flags: Any = Flags()
    flags.nrt = True  # without owners to count, LLVM made some filters of 16 bits a quarter slower (2026-11)
    flags.no_compile = flags.no_cpython_wrapper = flags.no_cfunc_wrapper = True
    flags.error_model, flags.fastmath = "numpy", FastMathOptions({"contract"})
    types = tuple(_numba_type(t) for t in signature)
    with global_compiler_lock:
        result = compile_extra(cpu_target.typing_context, _context(), function, types, numba.types.void, flags, {})
        result.library.finalize()
        return result.fndesc.llvm_func_name, _COUNTING.sub("", result.library.get_llvm_str())


@cache
def _context() -> Any:
    from numba.core.registry import cpu_target

    return cpu_target.target_context.with_aot_codegen("imgconv", cpu_name="host")


def _prepared(function: Callable[..., None]) -> Any:
    """Return Numba, in which what `function` calls is declared."""
    numba = settings.load_numba()
    from imgconv.engine import tiles

    tiles.register_intrinsic()
    for inner in _inner_loops(function):
        _declare(inner)
    return numba


@cache
def _declare(inner: Callable[..., None]) -> None:
    """Let loops call `inner`, whose compiled form they then share."""
    from numba import extending

    extending.register_jitable(forceinline=True)(inner)


def _inner_loops(function: Callable[..., None]) -> Iterator[Callable[..., None]]:
    """The loops that a loop calls and that are made by templates, and those that they call."""
    for cell in function.__closure__ or ():
        if callable(cell.cell_contents):
            yield from _inner_loops(cell.cell_contents)
            yield cell.cell_contents


def _numba_type(argument: ArrayType | None) -> Any:
    import numba

    if argument is None:
        return numba.types.intp
    dtype: Any = numba.from_dtype(argument.dtype)
    return numba.types.Array(dtype, argument.axes, "C" if argument.contiguous else "A", aligned=argument.aligned)


def self_check() -> None:
    """Raise UnexpectedError unless a small loop returns what Python returns; computed once in a process that compiles."""
    if not _is_correct():
        raise UnexpectedError("a compiled loop gives other results than Python")


@cache
def _is_correct() -> bool:
    source = np.arange(24, dtype=np.float32).reshape(4, 6)[::2, ::-1]
    target = np.zeros((2, 6))
    signature = Signature.of((source, target, 5))
    linked = link(emit(_shift, signature), "_shift", len(signature))
    linked([id(source), id(target), 5], (source, target))
    return bool(np.array_equal(target, source + 5.0))


def _shift(source, target, by):  # type: ignore[no-untyped-def]
    for i in range(target.shape[0]):
        for j in range(target.shape[1]):
            target[i, j] = source[i, j] + by


def _arguments(signature: Signature) -> tuple[list[str], list[str]]:
    """LLVM assembly that reads the arguments of Numba's function from words, and these arguments, each with its type.

    They are two slots, then a number as it is, and for an array the fields of its structure, without an owner and a parent.
    """
    lines, arguments = ["%result = alloca ptr", "%error = alloca ptr"], ["ptr %result", "ptr %error"]

    def read(kind: str, origin: str, offset: int) -> str:
        value = f"%value{len(lines)}"
        lines.append(f"{value}.at = getelementptr i8, {origin}, i64 {offset}")
        lines.append(f"{value} = load {kind}, ptr {value}.at, align 1")
        return f"{kind} {value}"

    for number, argument in enumerate(signature):
        if argument is None:
            arguments.append(read("i64", "ptr %words", 8 * number))
            continue
        array, total = read("ptr", "ptr %words", 8 * number), "i64 1"
        cells, shape, strides = (read("ptr", array, offset) for offset in ARRAY_FIELDS)
        sizes, steps = ([read("i64", each, 8 * axis) for axis in range(argument.axes)] for each in (shape, strides))
        for size in sizes:
            lines.append(f"%total{len(lines)} = mul {total}, {size.split()[1]}")
            total = f"i64 %total{len(lines) - 1}"
        arguments += ["ptr null", "ptr null", total, f"i64 {argument.dtype.itemsize}", cells, *sizes, *steps]
    return lines, arguments


def _check(types: list[str], expected: list[str]) -> None:
    """Raise UnexpectedError unless LLVM's `types` are those `expected`, and Numba's arrays have the fields in that order."""
    from numba import types as numba_types
    from numba.core.datamodel.registry import default_manager

    models: Any = default_manager
    names = tuple(models.lookup(numba_types.Array(numba_types.uint8, 2, "C"))._fields)
    if names != _ARRAY_FIELDS:
        raise UnexpectedError(f"numba describes an array by {', '.join(names)}")
    if types != expected:
        raise UnexpectedError("the parameters of numba's function differ from its signature")


def _entry(name: str, lines: list[str], arguments: list[str]) -> str:
    """LLVM assembly of the entry, which reads its words by `lines` and calls `name` with `arguments`."""
    types = ", ".join(argument.split()[0] for argument in arguments)
    start = [f'declare i32 @"{name}"({types})', f"define i32 @{ENTRY}(ptr %words) {{"]
    end = [f'%status = call i32 @"{name}"({", ".join(arguments)})', "ret i32 %status", "}"]
    return "\n".join([*start, *lines, *end])


def _keep_only_entry(module: Any) -> None:
    """Make everything but the entry private, then remove what it does not reach: Numba's wrapper for Python and its helpers."""
    for value in (*module.functions, *module.global_variables):
        if not value.is_declaration:
            value.linkage = "external" if value.name == ENTRY else "internal"
    passes = llvm.create_new_module_pass_manager()
    passes.add_global_dead_code_eliminate_pass()
    passes.run(module, llvm.create_pass_builder(_machine(), llvm.create_pipeline_tuning_options(speed_level=3)))


def _machine() -> Any:
    """LLVM's code generator for this CPU, with Numba's own settings for code that is linked at an arbitrary address."""
    static = target().name.startswith("x86")
    return target().create_target_machine(
        cpu=llvm.get_host_cpu_name(),
        features=llvm.get_host_cpu_features().flatten(),
        opt=3,
        reloc="static" if static else "default",
        codemodel="jitdefault",
        jit=True,
    )


def _needs(module: Any) -> tuple[str, ...]:
    """Names of the C functions that the module calls, by name or through an intrinsic that LLVM may turn into a call."""
    declared = (value.name for value in (*module.functions, *module.global_variables) if value.is_declaration)
    names = {_c_name(name) for name in declared} - {""}
    if unknown := sorted(names - _KNOWN):
        raise UnexpectedError(f"{', '.join(unknown)} is not in the C library")
    return tuple(sorted(names))


def _c_name(declared: str) -> str:
    """`exp` for `exp` and for `llvm.exp.v8f64`, `expf` for `llvm.exp.f32`, "" for an intrinsic that never becomes a call."""
    if not declared.startswith("llvm."):
        return declared
    _, name, *types = declared.split(".")
    if name in _MATHS:
        return f"{name}f" if types and types[0].endswith("f32") else name
    return name if name in _MEMORY else ""
