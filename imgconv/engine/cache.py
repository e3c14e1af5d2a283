"""Files of object code in the user's cache folder, and which of them can be trusted. Knows nothing of what is in the code.

Object code runs with this user's rights, so an entry is read only from a folder and a file that belong to this user and that nobody
else can write, and only when its checksum holds. Whatever goes wrong with a file costs time and nothing else.

Compiled loops: from a plain Python function in `imgconv.loops` to native code, compiled once on a machine.

Owns when a loop is compiled, loaded, or run as it is. What its code is made of and where it is kept is for the modules beside it,
which are imported on first need: a run that finds its loops kept imports NumPy and llvmlite, not Numba.
"""

import hashlib
import os
import stat
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from imgconv.engine.calls import Entry, Pattern
from imgconv.engine.llvm import UNEXPECTED
from imgconv.engine.signature import Signature, words_of

_MAGIC = b"imgconv loop 1\n"
_DIGEST = 32
_HEADER = len(_MAGIC) + 2 * _DIGEST  # magic, key, checksum of key and body
_SUFFIX, _UNFINISHED = ".loop", ".part"
_ABANDONED = 3600.0  # seconds after which an unfinished file is taken for the remains of a killed process


def location() -> Path | None:
    """The folder of the entries (which may not exist yet), or None for a user without a home.

    It is `loops` in the folder that the environment variable IMGCONV_CACHE names, otherwise in the user's cache folder.
    """
    named = os.environ.get("IMGCONV_CACHE")
    if named:
        return Path(named).absolute() / "loops"
    from platformdirs import user_cache_path

    try:
        folder = user_cache_path("imgconv", appauthor=False) / "loops"
    except RuntimeError:
        return None
    return folder if folder.is_absolute() else None  # older platformdirs say "~/.cache" to a user without a home


def count() -> int:
    """How many entries there are, stale ones included."""
    folder = location()
    return sum(1 for _ in folder.glob(f"*{_SUFFIX}")) if folder else 0


def read(name: str, key: bytes) -> bytes | None:
    """What was last written under `name` and `key` (32 bytes), or None unless it can be trusted to be just that."""
    folder = location()
    if folder is None:
        return None
    try:
        if not _private(folder.lstat()):
            return None
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        with os.fdopen(os.open(_path(folder, name, key), flags), "rb") as file:
            if not _private(os.fstat(file.fileno())):
                return None
            content = file.read()
    except OSError:
        return None
    body = content[_HEADER:]
    return body if content[:_HEADER] == _header(key, body) else None


def write(name: str, key: bytes, body: bytes) -> bool:
    """Keep `body` under `name` and `key` (32 bytes) for later processes; False where that is impossible.

    The file appears whole or not at all, whoever else writes it at the same time.
    """
    folder = location()
    if folder is None:
        return False
    try:
        if not _made_private(folder):
            return False
        _replace(_path(folder, name, key), _header(key, body) + body)
    except OSError:
        return False
    return True


def _path(folder: Path, name: str, key: bytes) -> Path:
    return folder / f"{name}-{key.hex()[:32]}{_SUFFIX}"


def _header(key: bytes, body: bytes) -> bytes:
    return _MAGIC + key + hashlib.blake2b(key + body, digest_size=_DIGEST).digest()


def _private(status: os.stat_result) -> bool:
    """Whether this is a plain file or folder that only this user can write; Windows keeps others out of a user's cache by itself."""
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
        return False
    return not hasattr(os, "geteuid") or (status.st_uid == os.geteuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH))


def _made_private(folder: Path) -> bool:
    """Make the folder, or empty and close one of this user's that others could write; False for anybody else's."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    status = folder.lstat()
    if _private(status):
        return stat.S_ISDIR(status.st_mode)
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
        return False
    folder.chmod(0o700)
    for entry in folder.glob(f"*{_SUFFIX}"):
        entry.unlink(missing_ok=True)
    return True


def _replace(path: Path, content: bytes) -> None:
    import tempfile

    _sweep(path.parent)
    descriptor, made = tempfile.mkstemp(_UNFINISHED, dir=path.parent)  # made with mode 0600
    unfinished = Path(made)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except BaseException:
        with suppress(OSError):
            unfinished.unlink()
        raise


def _sweep(folder: Path) -> None:
    """Remove what killed processes left unfinished."""
    for unfinished in folder.glob(f"*{_UNFINISHED}"):
        with suppress(FileNotFoundError):  # swept by another process
            if time.time() - unfinished.lstat().st_mtime > _ABANDONED:
                unfinished.unlink()


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
    `imgconv.engine.parallel.run_calls` shares such calls quickest.

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
    """Begin to import, beside the caller, what kept loops are linked with, so that it is there when a first image is decoded."""
    if not _plain():
        threading.Thread(target=_import_linker, daemon=True).start()


def _import_linker() -> None:
    with suppress(*UNEXPECTED):  # whoever needs a loop meets the same, and falls back
        import_module("imgconv.engine.compiler")
        import_module("imgconv.engine.llvm").target()


def _plain() -> bool:
    """Whether loops run as the Python functions that they are."""
    return os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0")


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
            from imgconv.engine import compiler, llvm

            fingerprint = compiler.fingerprint(self._source, self._constants, signature)
            body = read(self._source.__name__, fingerprint)
            if body is not None:
                return llvm.load(llvm.Code.unpacked(body), self._source.__name__, signature.words)
        except UNEXPECTED as error:
            self._note(error)
        with _compiling:
            return self._compiled(signature, fingerprint)

    def _compiled(self, signature: Signature, fingerprint: bytes | None) -> Entry:
        """New code, kept for later processes under `fingerprint`; what Numba makes for this one where that does not work."""
        from imgconv.engine import compiler, llvm

        dispatcher = compiler.compile_loop(self._function, signature)
        try:
            code = compiler.emit(dispatcher, signature)
            run = llvm.load(code, self._source.__name__, signature.words)
            compiler.self_check()
        except UNEXPECTED as error:
            self._note(error)
            return _Plain(dispatcher)
        if fingerprint is not None and not write(self._source.__name__, fingerprint, code.packed()):
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
