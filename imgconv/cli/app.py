"""The program: commands, signals, and the exit code and message of every error.

It imports next to nothing before it handles signals, so that an interrupt during start-up ends quietly too.
"""

import atexit
import gc
import io
import os
import sys
import warnings

from imgconv.errors import ImgconvError, Interrupted, comma_hint, interrupt_in, one_line, reason, wants_traceback

TYPE_CHECKING = False  # see imgconv/__init__.py
if TYPE_CHECKING:
    import signal
    from collections.abc import Sequence
    from typing import NoReturn

    from typer import Typer
else:
    import _signal as signal  # the part that is built in: the other one imports enum, and an interrupt meanwhile would show a traceback

COMMANDS = ("edge", "filter", "pool", "run", "canny", "plan", "explain", "learn", "figure", "report", "kernels", "warmup")
ALLOCATIONS = 100_000  # between two garbage collections: imports allocate 70,000 objects, and neither they nor images make garbage
SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name))
REPEAT = 1.0  # seconds
LEAST_MEMORY = 100 << 20  # bytes of address space; with 75 MB NumPy may crash while it is imported, and no image is filtered in 250 MB

_received: list[int] = []  # the signals that interrupted the command


def program() -> "NoReturn":
    """Run the command line in a process of its own, and end without the tear-down of libraries, which takes as long as an image."""
    try:
        main()
    except SystemExit as leaving:
        if _is_observed():  # profilers report when Python ends in its usual way
            raise
        _end(leaving.code if isinstance(leaving.code, int) else 0)


def _is_observed() -> bool:
    """Whether a profiler, debugger or tracer is active; from CPython 3.12 on they are tools of sys.monitoring, numbered to 5."""
    monitoring = getattr(sys, "monitoring", None)
    return bool(sys.getprofile() or sys.gettrace() or (monitoring and any(map(monitoring.get_tool, range(6)))))


def main() -> "NoReturn":
    """Run the command line and exit with 0, 1, 2 or 130. No error shows a traceback."""
    try:
        handle_signals()
        from imgconv.cli.deferred import defer_modules

        defer_modules()
        gc.set_threshold(ALLOCATIONS)
        os.environ["OPENBLAS_NUM_THREADS"] = "1"  # matrix products run on our threads; OpenBLAS raises SIGINT where it gets none
        _fill_closed_streams()
        if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
            sys.stdout.reconfigure(errors="replace")  # a character that the terminal does not have becomes a question mark
        if not sys.warnoptions:  # warnings of libraries are for developers, who can enable them with -W
            warnings.simplefilter("ignore")
        code = _flushed(_run())
        if _received and code != 130:  # Python dropped the exception, and the work ended before it was repeated
            raise Interrupted("interrupted")
    except BaseException as error:
        if (interrupt := interrupt_in(error)) is None:
            raise
        _leave_at_once(str(interrupt) or "interrupted")
    sys.exit(code)


def command_line(words: "Sequence[str]" = ()) -> "Typer":
    """Return the Typer application with the command that `words` begin with, or with all commands if they begin with none.

    To build every command takes as long as to decode a photo.
    """
    from importlib import import_module

    import typer

    from imgconv.cli.help import Command, Group
    from imgconv.cli.options import common, grouped

    app = typer.Typer(
        name="imgconv",
        cls=Group,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        epilog="imgconv edge photo.jpg\nimgconv edge --help",
    )
    app.callback()(common)
    for name in words[:1] if words and words[0] in COMMANDS else COMMANDS:
        module = import_module(f"imgconv.cli.{name}")
        if name == "kernels":
            app.add_typer(module.app, name=name)
        else:
            app.command(name, cls=getattr(module, "CommandType", Command), epilog=module.EXAMPLES)(grouped(module.command))
    return app


def _run() -> int:
    """Run the command and return its exit code."""
    from imgconv.engine.settings import ignore_working_folder
    from imgconv.system import require_address_space

    ignore_working_folder()
    try:
        os.getcwd()  # noqa: PTH109  pathlib is not imported yet
    except OSError as error:  # libraries need it to resolve any name
        return _fail(f"the working folder cannot be found ({reason(error)}); change to another folder", 1)
    try:
        require_address_space(LEAST_MEMORY)
        code = command_line(sys.argv[1:])(standalone_mode=False)
    except SystemExit as leaving:
        if isinstance(leaving.__context__, BrokenPipeError):  # Typer exits so when the reader of a pipe has gone, which is not an error
            return _discard_output(0)
        code = leaving.code
    except Exception as error:
        if interrupt_in(error):
            raise
        if isinstance(error, ImgconvError):
            return _fail(str(error), error.exit_code)
        if hasattr(error, "format_message"):  # a usage error of the Click that Typer contains
            return _fail(_usage_message(error.format_message()), 2)
        return _unexpected(error)
    return code if isinstance(code, int) else 0


def _usage_message(text: str) -> str:
    """A message of Click in the form of other errors, with a hint about decimal commas."""
    line = " ".join(text.split()).removesuffix(".")
    number = line.partition(" is not a valid float")[0].rpartition(": ")[2].strip("'")
    return line[:1].lower() + line[1:] + comma_hint(number)


def _unexpected(error: Exception) -> int:
    if wants_traceback(error):
        raise error
    return _fail(one_line(error), 1)


def _fail(message: str, code: int) -> int:
    try:
        from imgconv.cli.console import write_message
    except (ImportError, MemoryError, OSError, SyntaxError):  # no memory for Rich
        os.write(2, f"imgconv: {ascii(message)[1:-1]}\n".encode())
    else:
        write_message(f"imgconv: {message}")
    return code


def _fill_closed_streams() -> None:
    """Open the null device for each closed standard stream, so that a file that is opened later does not take its number."""
    for descriptor, name in ((0, "stdin"), (1, "stdout"), (2, "stderr")):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
            if name == "stderr":
                sys.stderr = os.fdopen(descriptor, "w", closefd=False)


def _flushed(code: int) -> int:
    """Flush standard output; return `code`, or 1 if that fails."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        return _discard_output(code)
    except OSError as error:
        if code:
            return _discard_output(code)  # an error is already reported
        return _discard_output(_fail(f"standard output: {reason(error)}", 1))
    return code


def _discard_output(code: int) -> int:
    """Discard the buffer of standard output, about which Python would otherwise print an error when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code


def _end(code: int) -> "NoReturn":
    """End as Python does, but without the tear-down of modules: wait for threads, call exit functions, flush."""
    import threading

    try:
        threading._shutdown()  # type: ignore[attr-defined]
        if _received:  # CPython 3.13 ends the wait, and drops the exception
            raise Interrupted("interrupted")
        atexit._run_exitfuncs()
    except (Interrupted, KeyboardInterrupt) as interrupt:
        _leave_at_once(str(interrupt) or "interrupted")
    ignore_signals()
    os._exit(_flushed(code))


def _leave_at_once(message: str) -> "NoReturn":
    """End without waiting for threads, which may work on images for a long time."""
    ignore_signals()
    _fail(message, 130)
    _flushed(130)
    os._exit(130)


def handle_signals() -> None:
    """Raise Interrupted in the main thread on each signal, except for signals that the parent process chose to ignore."""
    for number in SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _interrupt)
    if hasattr(signal, "SIGALRM"):
        signal.signal(signal.SIGALRM, _interrupt)
    sys.unraisablehook = _unraisable


def ignore_signals() -> None:
    """Ignore all further signals while the process ends."""
    for number in (*SIGNALS, *([signal.SIGALRM] if hasattr(signal, "SIGALRM") else [])):
        signal.signal(number, signal.SIG_IGN)


def _interrupt(number: int, frame: object) -> None:
    """Raise Interrupted, and again every second until it takes effect.

    Python drops exceptions that are raised during some clean-ups, for example in the middle of an import, whose lock it then keeps, and
    while it compiles a module.
    """
    _received.append(number)
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, REPEAT)
    raise Interrupted("interrupted")


def _unraisable(dropped: "sys.UnraisableHookArgs") -> None:
    if not isinstance(dropped.exc_value, Interrupted):
        sys.__unraisablehook__(dropped)
