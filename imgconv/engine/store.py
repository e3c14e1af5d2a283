"""Compiled loops: from a plain Python function in `imgconv.loops` to native code, compiled once on a machine.

Owns when a loop is compiled, loaded, or run as it is. What its code is made of and where it is kept is for the modules beside it,
which are imported on first need: a run that finds its loops kept imports NumPy and llvmlite, not Numba.
"""

import os
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from imgconv.engine import entries
from imgconv.engine.arguments import Signature, words_of
from imgconv.engine.calls import Entry, Pattern
from imgconv.engine.surprises import UNEXPECTED

Function = Callable[..., None]
CallOf = Callable[..., Callable[[], None]]  # the call that is to be made with some arrays

ANNOUNCEMENT = "compiling loops, once on this machine"
announce: Callable[[str], object] | None = None
"""Called once with ANNOUNCEMENT when a process has compiled for PATIENCE seconds; set by the command line."""
PATIENCE = 1.0


def loop(function: Function, /, **constants: int) -> Function:
    """The compiled form of `function`; it takes the same arrays and whole numbers, and is compiled for the types that it meets.

    With `constants`, `function` is a template: `function(**constants)` makes the loop, so that sizes are known to the compiler.
    The loop itself may not be a closure: what it closes over would escape the key under which its code is kept.
    A type is a dtype, a number of axes and whether the array is C-contiguous. Rows of an array that is not may run several times
    slower (measured for everything but bytes, 2026-11), since the compiler cannot know that a row has no gaps. Any number of threads
    may call. With NUMBA_DISABLE_JIT=1 it is the Python function itself.

    Raises TypeError for a closure; a call does for anything but arrays and whole numbers.

    >>> def double(source, target):
    ...     for j in range(source.shape[0]):
    ...         target[j] = 2 * source[j]
    >>> numbers = np.arange(3)
    >>> loop(double)(numbers, numbers)
    >>> numbers
    array([0, 2, 4])
    """
    key = (function, *sorted(constants.items()))
    made = _loops.get(key)
    if made is None:
        made = _loops.setdefault(key, _made(function, constants) if _plain() else _Loop(function, constants))
    return made


def pattern(made: Function, changing: Sequence[int], *arguments: Any) -> CallOf:
    """How to call a loop again and again: takes other arguments for those at `changing`, and gives the call.

    Other arrays are of the same kinds, with rows as long; the loop is told how many of them it may touch, since to it they have the
    shapes of the first ones.
    `imgconv.engine.bands.run_calls` shares such calls quickest.

    >>> def add(source, target):
    ...     for j in range(source.shape[0]):
    ...         target[j] += source[j]
    >>> total = np.zeros(3)
    >>> addition = pattern(loop(add), [0], np.zeros(3), total)
    >>> addition(np.arange(3.0))()
    >>> total
    array([0., 1., 2.])
    """
    found = made.pattern(changing, arguments) if isinstance(made, _Loop) else None
    return found or partial(_with_others, made, changing, arguments)


def _with_others(made: Function, changing: Sequence[int], arguments: tuple[Any, ...], *arrays: Any) -> Callable[[], None]:
    others = dict(zip(changing, arrays, strict=True))
    return partial(made, *(others.get(number, each) for number, each in enumerate(arguments)))


def prepare() -> None:
    """Begin to import, beside the caller, what kept loops are linked with, so that it is there when a first picture is decoded."""
    if not _plain():
        threading.Thread(target=_import_linker, daemon=True).start()


def _import_linker() -> None:
    with suppress(*UNEXPECTED):  # whoever needs a loop meets the same, and falls back
        import_module("imgconv.engine.fingerprints")
        import_module("imgconv.engine.native").target()


def _plain() -> bool:
    """Whether loops run as the Python functions that they are."""
    return os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0")


def location() -> Path | None:
    """The folder in which compiled loops are kept, or None for a user without a home."""
    return entries.location()


def count() -> int:
    """How many compiled loops are kept there, stale ones included."""
    return entries.count()


def warmup(jobs: Iterable[Callable[[], object]]) -> int:
    """Run small jobs for the sake of the loops that they need; returns how many of these were compiled now.

    >>> warmup([lambda: None])
    0
    """
    before = _compiling.loops
    for job in jobs:
        job()
    return _compiling.loops - before


def troubles() -> tuple[str, ...]:
    """Why loops had to be compiled in this process that another run should not compile again; empty if all is well."""
    return tuple(_troubles)


class _Loop:
    """A loop and its compiled forms, one per signature."""

    def __init__(self, function: Function, constants: dict[str, int]):
        if function.__closure__:
            raise TypeError(f"loop {function.__name__} is a closure; hand over its template and the constants by name")
        self._source, self._constants = function, constants
        self._function = _made(function, constants)
        self._runs: dict[tuple[object, ...], Entry] = {}

    def __call__(self, *arguments: Any) -> None:
        run, words = self._ready(arguments)
        run(words, arguments)

    def pattern(self, changing: Sequence[int], arguments: tuple[Any, ...]) -> CallOf | None:
        """None for the functions of plain Numba."""
        run, words = self._ready(arguments)
        return Pattern(run, words, arguments, changing) if run.address else None

    def _ready(self, arguments: tuple[Any, ...]) -> tuple[Entry, list[int]]:
        """What runs these arguments, and the words that it takes for them."""
        words: list[int] = []
        types: list[object] = []
        for argument in arguments:
            if isinstance(argument, np.ndarray):
                flags = argument.flags
                types.append((argument.dtype, argument.ndim, flags.c_contiguous, flags.aligned))
                words += words_of(argument)
            else:
                types.append(None)
                words.append(argument)
        return self._runs.get(key := tuple(types)) or self._made_ready(key, arguments), words

    def _made_ready(self, key: tuple[object, ...], arguments: tuple[Any, ...]) -> Entry:
        signature = Signature.of(arguments)
        with _lock:  # whoever meets a signature first makes it ready, the others wait
            if key not in self._runs:
                self._runs[key] = self._kept_or_compiled(signature)
            return self._runs[key]

    def _kept_or_compiled(self, signature: Signature) -> Entry:
        fingerprint = None
        try:
            from imgconv.engine import fingerprints, native

            fingerprint = fingerprints.fingerprint(self._source, self._constants, signature)
            body = entries.read(self._source.__name__, fingerprint)
            if body is not None:
                return native.load(native.Code.unpacked(body), self._source.__name__, signature.words)
        except UNEXPECTED as error:
            self._note(error)
        with _compiling:
            return self._compiled(signature, fingerprint)

    def _compiled(self, signature: Signature, fingerprint: bytes | None) -> Entry:
        """New code, kept for later processes under `fingerprint`; what Numba makes for this one where that does not work."""
        from imgconv.engine import compiling, native

        dispatcher = compiling.compile_loop(self._function, signature)
        try:
            code = compiling.emit(dispatcher, signature)
            run = native.load(code, self._source.__name__, signature.words)
            compiling.self_check()
        except UNEXPECTED as error:
            self._note(error)
            return _Plain(dispatcher)
        if fingerprint is not None and not entries.write(self._source.__name__, fingerprint, code.packed()):
            self._note(f"cannot be kept in {location()}")
        return run

    def _note(self, trouble: object) -> None:
        _troubles.append(f"loop {self._source.__name__}: {trouble}")


class _Plain:
    """A loop as Numba compiles and calls it."""

    address = 0

    def __init__(self, dispatcher: Function):
        self._dispatcher = dispatcher

    def __call__(self, words: Sequence[int], arguments: tuple[Any, ...]) -> None:
        self._dispatcher(*arguments)


class _Compiling:
    """Counts what is compiled, and announces it when it takes long. Entered by one thread at a time."""

    def __init__(self) -> None:
        self.loops = 0
        self._seconds = 0.0
        self._announced = False

    def __enter__(self) -> None:
        self._started = time.perf_counter()
        self._timer = threading.Timer(max(PATIENCE - self._seconds, 0.0), self._announce)
        self._timer.daemon = True
        self._timer.start()

    def __exit__(self, *error: object) -> None:
        self._timer.cancel()
        self._seconds += time.perf_counter() - self._started
        self.loops += 1

    def _announce(self) -> None:
        if announce and not self._announced:
            self._announced = True
            announce(ANNOUNCEMENT)


def _made(function: Function, constants: dict[str, int]) -> Function:
    if not constants:
        return function
    template: Callable[..., Function] = function  # type: ignore[assignment]
    return template(**constants)


_loops: dict[tuple[object, ...], Function] = {}
_lock = threading.RLock()
_compiling = _Compiling()
_troubles: list[str] = []
