"""Whatever another Numba or llvmlite might raise instead of working. Errors of a loop itself are Numba's own, and not among them.

Object code in this process: which machine it is for, how it is linked and called. Knows llvmlite, nothing of Numba or files.

Every piece of object code has one entry, `int imgconv_loop(const int64 *words)`. The words are those of the arguments, one after
the other: a whole number is itself, an array is what `arguments.words_of` says.
"""

import ctypes
import struct
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from typing import Any, NamedTuple

UNEXPECTED = (AssertionError, AttributeError, ImportError, LookupError, NameError, OSError, RuntimeError, TypeError, ValueError)


llvm: Any = import_module("llvmlite.binding")  # it has no types

ENTRY = "imgconv_loop"
_prototype = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_char_p)  # lets go of the interpreter lock during the call


class UnexpectedError(RuntimeError):
    """Numba, llvmlite or this process do not behave as object code needs; plain Numba may still do."""


class Code(NamedTuple):
    """Object code for this machine, and the names of the C functions that it calls."""

    object: bytes
    needs: tuple[str, ...]

    def packed(self) -> bytes:
        """The code as one piece, which `unpacked` takes apart."""
        return " ".join(self.needs).encode() + b"\n" + self.object

    @classmethod
    def unpacked(cls, body: bytes) -> "Code":
        """The code that was `packed`."""
        needs, _, code = body.partition(b"\n")
        return cls(code, tuple(needs.decode().split()))


@cache
def host() -> str:
    """The CPU that code is made for: its name and its features."""
    return f"{llvm.get_host_cpu_name()} {llvm.get_host_cpu_features().flatten()}"


@cache
def target() -> Any:
    """LLVM's description of this kind of machine."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm.Target.from_default_triple()


class Entry:
    """The entry of a loop that is linked into this process. A call takes its words, and the arguments whose arrays they point into."""

    def __init__(self, engine: object, address: int, name: str, words: int):
        self.address, self.pack = address, struct.Struct(f"{words}q").pack
        self._engine, self._name, self._call = engine, name, _prototype(address)  # the engine owns the code

    def __call__(self, words: Sequence[int], arguments: tuple[Any, ...]) -> None:
        if self._call(self.pack(*words)):
            raise RuntimeError(f"loop {self._name} failed")


def load(code: Code, name: str, words: int) -> Entry:
    """Link `code` of the loop `name`, whose calls have so many `words`, into this process.

    Raises UnexpectedError where a C function is missing, since LLVM would end the process.
    """
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), target().create_target_machine())
    missing = [symbol for symbol in code.needs if not llvm.address_of_symbol(symbol)]
    if missing:
        raise UnexpectedError(f"loop {name} needs {', '.join(missing)}, which this process lacks")
    engine.add_object_file(llvm.ObjectFileRef.from_data(code.object))
    engine.finalize_object()
    address = engine.get_function_address(ENTRY)
    if not address:
        raise UnexpectedError(f"the object code of loop {name} has no entry {ENTRY}")
    return Entry(engine, address, name, words)
