"""The key under which the code of a loop is cached."""

import os
import sys
from collections.abc import Callable, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import llvmlite

from imgconv.engine import settings
from imgconv.engine.cache import digest
from imgconv.engine.llvm import ARRAY_FIELDS, host
from imgconv.engine.signature import Signature


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
