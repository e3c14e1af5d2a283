"""Numba's settings: which of them the key of a loop covers, and that a command takes none from its working folder.

Numba takes settings from environment variables, from a file `.numba_config.yaml` in the working folder, and from programs that change
`numba.config`. All of them may change the code that it compiles.
"""

import os
import sys
from collections.abc import Sequence
from functools import cache
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from imgconv.errors import ImgconvError, reason
from imgconv.system import NUMBA_BYTES, require_address_space

CONFIG = "numba.core.config"
IN_FOLDER = "'.numba_config.yaml'"  # as the module writes it
COMPILER_BYTES = 30 * 10**6  # that compiling a loop takes (20 MB on 2026-11-29); LLVM aborts the process where it gets less
NOWHERE = repr(os.path.join(os.devnull, "none"))  # noqa: PTH118  a path that cannot exist

_finders: list["_ConfigFinder"] = []


def is_plain() -> bool:
    """Whether loops run as Python functions, because Numba is disabled."""
    return os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0")


def ignore_working_folder() -> None:
    """Let `load_numba` read no settings from the working folder, which is a folder of images."""
    _finders.append(_ConfigFinder())


def load_numba() -> Any:
    """Import Numba and return it: 230 ms, which a run with cached loops does not spend.

    Numba imports scipy if it can be found, whose OpenBLAS requests 32 MB repeatedly until it gets them. Raises MemoryError instead,
    and ImgconvError for settings that Numba refuses.
    """
    require_address_space(COMPILER_BYTES if CONFIG in sys.modules else NUMBA_BYTES)
    finders = [] if CONFIG in sys.modules else _finders[:1]
    sys.meta_path[:0] = finders
    try:
        import numba
    except ValueError as error:  # NUMBA_NUM_THREADS=0; not a UsageError, which is a ValueError and would lead to a fallback
        raise ImgconvError(f"numba cannot be imported ({reason(error)}); correct the environment variables NUMBA_*") from None
    finally:
        for finder in finders:
            sys.meta_path.remove(finder)
    return numba


def described() -> str:
    """Return the settings that may change code, as a part of the key of a loop; without Numba, those that it would have."""
    environment = tuple(sorted((name, value) for name, value in os.environ.items() if name.startswith("NUMBA_")))
    config = sys.modules.get(CONFIG)
    return repr([environment, _changed(config, environment) if config else []])


def _changed(config: ModuleType, environment: tuple[tuple[str, str], ...]) -> list[tuple[str, str]]:
    """Return the settings of a loaded Numba that do not come from the environment."""
    fresh = _settings_of(config.__file__ or "", environment)
    return sorted((name, repr(vars(config).get(name))) for name, value in fresh.items() if repr(vars(config).get(name)) != value)


@cache
def _settings_of(file: str, environment: tuple[tuple[str, str], ...]) -> dict[str, str]:
    """Return the settings of Numba's module `file` in this process's `environment`; it takes 20 ms."""
    spec = spec_from_file_location("numba_settings", file, loader=_ConfigLoader("numba_settings", file))
    assert spec is not None and spec.loader is not None  # of a file and a loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return {name: repr(value) for name, value in vars(module).items() if name.isupper()}


class _ConfigLoader(SourceFileLoader):
    """Loads Numba's settings without a file of the working folder."""

    def get_code(self, fullname: str) -> CodeType:
        source = Path(self.path).read_text(encoding="utf-8").replace(IN_FOLDER, NOWHERE)
        return compile(source, self.path, "exec", dont_inherit=True)


class _ConfigFinder:
    """Finds Numba's settings for `_ConfigLoader`."""

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if fullname != CONFIG:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.origin is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _ConfigLoader(fullname, spec.origin)
        return spec
