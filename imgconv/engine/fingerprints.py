"""The key of an entry: everything that the object code of a loop depends on, in 32 bytes. Imports no Numba to find its version."""

import hashlib
import os
import sys
from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from imgconv.engine.arguments import Signature
from imgconv.engine.native import host


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
    return b"".join(_source(__name__, str(Path(__file__).with_name(name))) for name in ("compiling.py", "tiles.py"))


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
