"""From a plain Python loop to object code: with `tiles`, the only module that imports Numba. Knows nothing of files.

Numba compiles and optimises; its function takes arrays spread out into (owner, parent, size, itemsize, data, shape..., strides...)
behind two slots, for a result and an error. An entry that takes the words of a call (see `native`) is put before it, everything
else becomes private or goes, and LLVM emits the rest as object code. What is taken for granted about Numba is checked here, and
`UnexpectedError` raised where it does not hold.

The key of an entry: everything that the object code of a loop depends on, in 32 bytes. Imports no Numba to find its version.
"""

import hashlib
import itertools
import os
import sys
from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from imgconv.engine.llvm import ENTRY, Code, UnexpectedError, host, llvm, load, target
from imgconv.engine.signature import ArrayType, Signature, words_of
from imgconv.engine.tiles import teach

Dispatcher = Any  # numba's compiled function; njit is untyped
SLOT, OWNER, WORD, ADDRESS = "slot", "owner", "word", "address"
_ARRAY_FIELDS = ("meminfo", "parent", "nitems", "itemsize", "data", "shape", "strides")
_MEMORY = frozenset(("memcpy", "memmove", "memset"))
# fmt: off
_MATHS = frozenset((
    "acos", "asin", "atan", "atan2", "cbrt", "ceil", "copysign", "cos", "cosh", "erf", "exp", "exp2", "expm1", "fabs", "floor", "fma",
    "fmax", "fmin", "fmod", "hypot", "ldexp", "log", "log10", "log1p", "log2", "nearbyint", "pow", "rint", "round", "sin", "sinh",
    "sqrt", "tan", "tanh", "trunc",
))
# fmt: on
# Numba's counting of owners ends in this call; arrays come in without an owner, so it is never reached
_RELEASE = "define void @NRT_MemInfo_call_dtor(ptr %owner) { unreachable }"
_KNOWN = _MEMORY | _MATHS | {f"{name}f" for name in _MATHS}  # in every C library


def compile_loop(function: Callable[..., None], signature: Signature) -> Dispatcher:
    """`function` compiled by Numba for `signature`; callable as it is.

    `contract` is the only liberty taken with floats: multiply-adds may keep the product's full precision.
    """
    numba = _numba()
    for cell in function.__closure__ or ():
        if callable(cell.cell_contents):  # a loop within the loop
            numba.extending.register_jitable(cell.cell_contents)
    dispatcher = numba.njit(nogil=True, error_model="numpy", fastmath={"contract"})(function)
    dispatcher.compile(numba.types.void(*(_numba_type(t) for t in signature)))
    return dispatcher


def _numba_type(argument: ArrayType | None) -> Any:
    numba = _numba()
    if argument is None:
        return numba.types.intp
    layout = "C" if argument.contiguous else "A"
    return numba.types.Array(numba.from_dtype(np.dtype(argument.dtype)), argument.axes, layout, aligned=argument.aligned)


def _numba() -> Any:
    numba = import_module("numba")  # here, since it costs more than most commands; its decorators have no types
    teach()
    return numba


def emit(dispatcher: Dispatcher, signature: Signature) -> Code:
    """The object code of what `compile_loop` returned.

    Raises UnexpectedError where Numba's function is not called as expected, or needs more than the C library.
    """
    (compiled,) = dispatcher.signatures
    name = dispatcher.overloads[compiled].fndesc.llvm_func_name
    module = llvm.parse_assembly(dispatcher.inspect_llvm(compiled))
    types = [str(argument.type) for argument in module.get_function(name).arguments]
    fields = _fields(signature)
    _check(types, fields)
    module.link_in(llvm.parse_assembly(_entry(name, fields)))
    if any(declared.name == "NRT_MemInfo_call_dtor" and declared.is_declaration for declared in module.functions):
        module.link_in(llvm.parse_assembly(_RELEASE))
    _keep_only_entry(module)
    module.verify()
    return Code(_machine().emit_object(module), _needs(module))


def self_check() -> None:
    """Raise UnexpectedError unless a small loop, sent all the way, gives what Python gives; done once in a process that compiles."""
    if not _sums_come_out_right():
        raise UnexpectedError("a compiled loop gives other results than Python")


@cache
def _sums_come_out_right() -> bool:
    source = np.arange(24, dtype=np.float32).reshape(4, 6)[::2, ::-1]
    target = np.zeros((2, 6))
    signature = Signature.of((source, target, 5))
    run = load(emit(compile_loop(_shift, signature), signature), "_shift", signature.words)
    run([*words_of(source), *words_of(target), 5], (source, target))
    return bool(np.array_equal(target, source + 5.0))


def _shift(source, target, by):  # type: ignore[no-untyped-def]
    for i in range(target.shape[0]):
        for j in range(target.shape[1]):
            target[i, j] = source[i, j] + by


def _fields(signature: Signature) -> list[str]:
    """What Numba's function takes, in order: two slots, then one WORD for a number, and for an array the fields of its structure."""
    array = [OWNER, OWNER, WORD, WORD, ADDRESS]
    spread = ([WORD] if t is None else array + [WORD] * (2 * t.axes) for t in signature)
    return [SLOT, SLOT, *itertools.chain.from_iterable(spread)]


def _check(types: list[str], fields: list[str]) -> None:
    """Raise UnexpectedError unless LLVM's `types` can be those `fields`, and Numba's arrays have the fields in that order."""
    numba = _numba()
    array = numba.types.Array(numba.types.uint8, 2, "C")
    names = tuple(numba.core.datamodel.default_manager.lookup(array)._fields)
    if names != _ARRAY_FIELDS:
        raise UnexpectedError(f"numba describes an array by {', '.join(names)}")
    if types != ["i64" if field == WORD else "ptr" for field in fields]:
        raise UnexpectedError("numba's function does not take what its signature says")


def _entry(name: str, fields: list[str]) -> str:
    """LLVM assembly of the entry: it takes each word from its place and calls `name`, with no owner and no parent for an array."""
    lines, passed, at = [], [], 0
    for number, field in enumerate(fields):
        kind = "i64" if field == WORD else "ptr"
        if field == SLOT:
            lines.append(f"%v{number} = alloca ptr")
        elif field != OWNER:
            lines.append(f"%p{number} = getelementptr i64, ptr %words, i64 {at}")
            lines.append(f"%v{number} = load {kind}, ptr %p{number}, align 1")
            at += 1
        passed.append(f"{kind} {'null' if field == OWNER else f'%v{number}'}")
    types = ", ".join(item.split()[0] for item in passed)
    start = [f'declare i32 @"{name}"({types})', f"define i32 @{ENTRY}(ptr %words) {{"]
    end = [f'%status = call i32 @"{name}"({", ".join(passed)})', "ret i32 %status", "}"]
    return "\n".join([*start, *lines, *end])


def _keep_only_entry(module: Any) -> None:
    """Make everything but the entry private, then drop what it does not reach: Numba's wrapper for Python and all its helpers."""
    for value in (*module.functions, *module.global_variables):
        if not value.is_declaration:
            value.linkage = "external" if value.name == ENTRY else "internal"
    passes = llvm.create_new_module_pass_manager()
    passes.add_global_dead_code_eliminate_pass()
    passes.run(module, llvm.create_pass_builder(_machine(), llvm.create_pipeline_tuning_options(speed_level=3)))


def _machine() -> Any:
    """LLVM's code generator for this CPU, with Numba's own settings for code that is linked at any address."""
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
    names = set()
    for declared in (*module.functions, *module.global_variables):
        if declared.is_declaration:
            names.add(_c_name(declared.name))
    unknown = sorted(names - _KNOWN - {""})
    if unknown:
        raise UnexpectedError(f"{', '.join(unknown)} is in no C library")
    return tuple(sorted(names - {""}))


def _c_name(declared: str) -> str:
    """`exp` for `exp` and for `llvm.exp.v8f64`, `expf` for `llvm.exp.f32`, nothing for an intrinsic that is never a call."""
    if not declared.startswith("llvm."):
        return declared
    _, name, *types = declared.split(".")
    if name in _MATHS:
        return f"{name}f" if types and types[0].endswith("f32") else name
    return name if name in _MEMORY else ""


def fingerprint(function: Callable[..., None], constants: Mapping[str, int], signature: Signature) -> bytes:
    """The key of `function` (a loop, or with `constants` a template) compiled for `signature` on this machine.

    Covers the source of the function's whole module and of this package's compiler, Numba and llvmlite, Numba's settings, and the CPU.
    Raises OSError or AttributeError where a source cannot be read.
    """
    name = f"{function.__module__}.{function.__qualname__}"
    texts = (name, repr(sorted(constants.items())), repr(signature), _versions(), _settings(), host())
    digest = hashlib.blake2b(digest_size=32)
    for part in (_source(function.__module__, function.__code__.co_filename), _compiler(), *(text.encode() for text in texts)):
        digest.update(len(part).to_bytes(8, "little") + part)
    return digest.digest()


@cache
def _source(module: str, file: str) -> bytes:
    loader: Any = sys.modules[module].__loader__  # reads from a folder or from an archive
    source: bytes = loader.get_data(file)
    return source


@cache
def _compiler() -> bytes:
    return b"".join(_source(__name__, str(Path(__file__).with_name(name))) for name in ("compiler.py", "tiles.py"))


@cache
def _versions() -> str:
    return f"numba {_numba_version()}, llvmlite {import_module('llvmlite').__version__}"


def _numba_version() -> str:
    """Numba's own note of its version: importlib.metadata needs 27 ms to say the same (2026-11), but knows it where there is none."""
    spec = find_spec("numba")
    for folder in (spec and spec.submodule_search_locations) or ():
        note = Path(folder, "_version.py")
        if note.is_file():
            return note.read_text()
    return str(import_module("importlib.metadata").version("numba"))


def _settings() -> str:
    """Numba's environment variables, any of which may change the code."""
    return repr(sorted((name, value) for name, value in os.environ.items() if name.startswith("NUMBA_")))
