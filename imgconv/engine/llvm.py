"""Object code in this process: the machine that it is compiled for, how it is linked, and how it is called.

Every piece of object code has one entry, `int imgconv_loop(const int64 *words)`. The words are those of the arguments, one after
the other: a whole number is one word, an array has those of `signature.words_of`.
"""

import ctypes
import struct
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import llvmlite.binding as llvm

from imgconv.engine.fallback import UnexpectedError
from imgconv.system import require_address_space

ENTRY = "imgconv_loop"
_LINKER_BYTES = 4 * 10**6  # address space; the largest loop takes a tenth
_prototype = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_char_p)  # releases the interpreter lock during the call


class Code(NamedTuple):
    """Object code for this machine, and the names of the C functions that it calls."""

    object: bytes
    needs: tuple[str, ...]

    def pack(self) -> bytes:
        """The code as one piece, which `unpack` takes apart."""
        return " ".join(self.needs).encode() + b"\n" + self.object

    @classmethod
    def unpack(cls, body: bytes) -> "Code":
        """The code that `pack` returned."""
        needs, _, code = body.partition(b"\n")
        return cls(code, tuple(needs.decode().split()))


class LinkedCode:
    """Object code that is linked into this process. A call takes its words, and the arguments, whose arrays they point into."""

    def __init__(self, engine: object, address: int, name: str, words: int):
        self._pack = struct.Struct(f"{words}q").pack
        self._engine, self._name, self._call = engine, name, _prototype(address)  # the engine owns the code

    def __call__(self, words: Sequence[int], arguments: tuple[Any, ...]) -> None:
        if self._call(self._pack(*words)):
            raise RuntimeError(f"loop {self._name} failed")


@cache
def host() -> str:
    """The CPU that code is compiled for: its name and its features."""
    return f"{llvm.get_host_cpu_name()} {llvm.get_host_cpu_features().flatten()}"


@cache
def target() -> Any:
    """LLVM's description of this kind of machine."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm.Target.from_default_triple()


def link(code: Code, name: str, words: int) -> LinkedCode:
    """Link `code` of the loop `name`, whose calls have so many `words`, into this process.

    Raises UnexpectedError where a C function is missing, and MemoryError without memory, since LLVM would abort the process.
    """
    require_address_space(_LINKER_BYTES)
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), target().create_target_machine())
    missing = [symbol for symbol in code.needs if not llvm.address_of_symbol(symbol)]
    if missing:
        raise UnexpectedError(f"loop {name} needs {', '.join(missing)}, which this process lacks")
    engine.add_object_file(llvm.ObjectFileRef.from_data(code.object))
    engine.finalize_object()
    address = engine.get_function_address(ENTRY)
    if not address:
        raise UnexpectedError(f"the object code of loop {name} has no entry {ENTRY}")
    return LinkedCode(engine, address, name, words)
