"""Object code of loops: the machine that it is compiled for, the key under which it is cached, how it is linked and how it is called.

Every piece of object code has one entry, `int imgconv_loop(const int64 *words)`. Each argument is a word: a whole number itself, an array
by the address of its object, from which the entry reads where cells, sizes and strides are. To read them in Python took 1.5 us for each
array. They are in the part of an array's object that is fixed for all programs in C.
"""

import ctypes
import os
import struct
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import llvmlite
import llvmlite.binding as llvm
import numpy as np

from imgconv.engine import settings
from imgconv.engine.cache import digest
from imgconv.engine.fallback import UnexpectedError
from imgconv.engine.signature import Signature
from imgconv.system import require_address_space

ENTRY = "imgconv_loop"
# Where an array's object has the addresses of its cells, shape and strides.
ARRAY_FIELDS = tuple(object.__basicsize__ + offset for offset in (0, 16, 24))
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
    """Object code that is linked into this process. A call takes its words, and the arguments, whose arrays they point to."""

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
    """Link `code` of the loop `name`, whose calls have this number of `words`, into this process.

    Raises UnexpectedError where a C function is missing, and MemoryError without memory, since LLVM would abort the process.
    """
    _check_arrays()
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


def fingerprint(function: Callable[..., None], constants: Mapping[str, int], signature: Signature) -> bytes:
    """The key of `function` (a loop, or with `constants` a template) compiled for `signature` on this machine.

    It covers the source of the function's whole module and of this package's compiler, the versions of Numba and llvmlite, Numba's
    settings, and the CPU. Computing it does not import Numba, whose import may change the settings. Raises OSError or AttributeError
    where a source cannot be read.
    """
    name = f"{function.__module__}.{function.__qualname__}"
    texts = (name, repr(sorted(constants.items())), repr(signature), _versions(), settings.described(), host(), repr(ARRAY_FIELDS))
    parts = (_source(function.__module__, function.__code__.co_filename), _compiler(), *(text.encode() for text in texts))
    return digest(b"".join(len(part).to_bytes(8, "little") + part for part in parts))


@cache
def _check_arrays() -> None:
    """Raise UnexpectedError where the object of an array does not have its fields where object code reads them."""
    array = np.zeros((2, 3), np.int16)
    cells, shape, strides = (ctypes.c_size_t.from_address(id(array) + offset).value for offset in ARRAY_FIELDS)
    sizes = [list((ctypes.c_int64 * 2).from_address(each)) for each in (shape, strides)] if cells == array.ctypes.data else []
    if sizes != [[2, 3], [6, 2]]:
        raise UnexpectedError("this version of NumPy does not lay out arrays as compiled loops read them")


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
    return f"numba {_numba_version()}, llvmlite {llvmlite.__version__}"


def _numba_version() -> str:
    """The text of Numba's version file, since importlib.metadata takes 27 ms (2026-11); its version if the file is missing."""
    spec = find_spec("numba")
    for folder in (spec and spec.submodule_search_locations) or ():
        file = Path(folder, "_version.py")
        if os.path.isfile(file):
            return file.read_text(encoding="utf-8")
    from importlib.metadata import version

    return version("numba")
