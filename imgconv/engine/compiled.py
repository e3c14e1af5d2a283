"""Compiled loops: plain Python functions of `imgconv.loops` as native code, compiled once on a machine.

The modules that make, store and link object code are imported on first need: a run whose loops are all cached imports NumPy and
llvmlite, but not Numba.
"""

import gc
import time
from _thread import LockType, allocate_lock, start_new_thread
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Protocol

import numpy as np

from imgconv.engine import cache, fallback, forks
from imgconv.engine.fallback import UNEXPECTED
from imgconv.engine.settings import is_plain
from imgconv.engine.signature import Signature
from imgconv.errors import lacks_memory, reason

Function = Callable[..., None]

PATIENCE = 1.0
"""Seconds that a process compiles before it reports so."""


def loop(function: Function, /, **constants: int) -> Function:
    """The compiled form of `function`; it takes the same arrays and whole numbers, and is compiled for each combination of their types.

    With `constants`, `function` is a template: `function(**constants)` returns the loop, whose sizes are then known to the compiler.
    The loop itself must not be a closure: the values in it would not be part of the key under which its code is cached.
    A type is a dtype, a number of axes and whether the array is C-contiguous. Loops over arrays that are not contiguous may be several
    times slower (measured for everything but bytes, 2026-11), since the compiler must assume gaps in their rows. Any number of threads
    may call. With NUMBA_DISABLE_JIT=1 it is the Python function itself.

    Raises TypeError for a closure; a call raises it for arguments other than arrays and whole numbers.

    >>> def double(source, target):
    ...     for j in range(source.shape[0]):
    ...         target[j] = 2 * source[j]
    >>> numbers = np.arange(3)
    >>> loop(double)(numbers, numbers)
    >>> numbers
    array([0, 2, 4])
    """
    key = (function, *sorted(constants.items()))
    compiled = _loops.get(key)
    if compiled is None:
        compiled = _loops.setdefault(key, _instance(function, constants) if is_plain() else _Loop(function, constants))
    return compiled


def prepare() -> None:
    """Start a thread that imports what links cached loops, so that it is ready when the first image is decoded."""
    if not is_plain():
        with suppress(RuntimeError):  # no further thread can start: the linker is imported when the first loop needs it
            start_new_thread(_import_linker, ())  # `Thread.start` hangs if a new one has too little memory


def warmup(jobs: Sequence[Callable[[], object]], progress: Callable[[int, int], object] | None = None) -> int:
    """Run small jobs for the loops that they need; returns how many loops were compiled. Calls `progress(jobs done, jobs)` after each.

    >>> warmup([lambda: None], progress=print)
    1 1
    0
    """
    before = _compiling.loops
    for done, job in enumerate(jobs, 1):
        job()
        if progress:
            progress(done, len(jobs))
    return _compiling.loops - before


def problems() -> tuple[str, ...]:
    """Why loops that this process compiled will be compiled again by the next one; empty if they will not."""
    return tuple(_problems)


class _Compiled(Protocol):
    """One compiled form of a loop. A call takes a word for each of its arguments (see `object_code`), and the arguments."""

    def __call__(self, words: Sequence[int], arguments: tuple[Any, ...]) -> None: ...


class _Loop:
    """A loop and its compiled forms, one per signature."""

    def __init__(self, function: Function, constants: dict[str, int]):
        if function.__closure__:
            raise TypeError(f"loop {function.__name__} is a closure; pass its template and the constants by name")
        self._source, self._constants = function, constants
        self._function = _instance(function, constants)
        self._compiled: dict[tuple[object, ...], _Compiled] = {}

    def __call__(self, *arguments: Any) -> None:
        words: list[int] = []
        types: list[object] = []
        for argument in arguments:
            if isinstance(argument, np.ndarray):
                flags = argument.flags
                types.append((argument.dtype, argument.ndim, flags.c_contiguous, flags.aligned))
                words.append(id(argument))
            else:
                types.append(None)
                words.append(argument)
        key = tuple(types)
        compiled = self._compiled.get(key) or self._make(key, arguments)
        compiled(words, arguments)

    def _make(self, key: tuple[object, ...], arguments: tuple[Any, ...]) -> _Compiled:
        """The form for new types: the first thread that needs it loads or compiles it, others wait."""
        signature = Signature.of(arguments)
        with forks.lock():
            if key not in self._compiled:
                self._compiled[key] = self._load(signature)
            return self._compiled[key]

    def _load(self, signature: Signature) -> _Compiled:
        fingerprint = None
        try:
            from imgconv.engine import object_code

            fingerprint = object_code.fingerprint(self._source, self._constants, signature)
            if (cached := self._cached(signature, fingerprint)) is not None:
                return cached
        except UNEXPECTED as error:
            if lacks_memory(error):
                raise MemoryError from error
            self._note(error)
            with _compiling:
                return self._compile(signature, fingerprint)
        with _compiling, cache.reserved(self._source.__name__, fingerprint):
            with suppress(*UNEXPECTED):
                if (cached := self._cached(signature, fingerprint)) is not None:  # another process has compiled it meanwhile
                    return cached
            return self._compile(signature, fingerprint)

    def _cached(self, signature: Signature, fingerprint: bytes) -> _Compiled | None:
        from imgconv.engine import object_code

        body = cache.read(self._source.__name__, fingerprint)
        return None if body is None else object_code.link(object_code.Code.unpack(body), self._source.__name__, len(signature))

    def _compile(self, signature: Signature, fingerprint: bytes | None) -> _Compiled:
        """New object code, cached under `fingerprint`; Numba's own compiled function where there can be no object code."""
        from imgconv.engine import compiler, object_code

        _compiling.loops += 1
        try:
            code = compiler.emit(self._function, signature)
            linked = object_code.link(code, self._source.__name__, len(signature))
            compiler.self_check()
        except UNEXPECTED as error:
            self._note(error)
            dispatcher = compiler.dispatcher(self._function, signature)
            return lambda words, arguments: dispatcher(*arguments)
        if fingerprint is not None:
            try:  # with the settings that Numba was imported with
                fingerprint = object_code.fingerprint(self._source, self._constants, signature)
                cache.write(self._source.__name__, fingerprint, code.pack())
            except OSError as error:
                self._note(error)
        return linked

    def _note(self, error: Exception) -> None:
        _problems.append(f"loop {self._source.__name__}: {error}")
        if len(_problems) == 1:
            fallback.warn_once(f"compiled loops cannot be cached, so that every run compiles them again: {reason(error)}")


class _Compiling:
    """Counts compiled loops, and reports it when compiling, or waiting for another process that compiles, takes long.

    One thread at a time enters.

    Meanwhile no garbage is collected: looking for it takes an eighth of the time, and there is little (2026-11).
    """

    def __init__(self) -> None:
        self.loops = 0
        self._seconds = 0.0
        self._is_announced = False

    def __enter__(self) -> None:
        self._start = time.perf_counter()
        self._end = end = allocate_lock()
        end.acquire()
        with suppress(RuntimeError):  # no further thread can start
            start_new_thread(self._announce, (end, max(PATIENCE - self._seconds, 0.0)))
        self._collects = gc.isenabled()
        gc.disable()

    def __exit__(self, *error: object) -> None:
        if self._collects:
            gc.enable()
        self._end.release()
        self._seconds += time.perf_counter() - self._start

    def _announce(self, end: LockType, patience: float) -> None:
        if not end.acquire(timeout=patience) and fallback.announce and not self._is_announced:
            self._is_announced = True
            if cache.is_first_announcement():
                fallback.report("compiling loops, once on this machine")


def _instance(function: Function, constants: dict[str, int]) -> Function:
    if not constants:
        return function
    template: Callable[..., Function] = function  # type: ignore[assignment]
    return template(**constants)


def _import_linker() -> None:
    with forks.lock(), suppress(MemoryError, SystemError, *UNEXPECTED):  # a thread that needs a loop meets the same error, and reports it
        from imgconv.engine import object_code

        object_code.target()


_loops: dict[tuple[object, ...], Function] = {}
_problems: list[str] = []
_compiling = _Compiling()
