"""The command line: which commands there are, and how an error becomes one line and an exit code.

Imports next to nothing before signals are caught, so that an interrupt during start-up ends quietly too.
"""

import atexit
import gc
import os
import sys
import warnings

from imgconv.cli import interrupts
from imgconv.errors import ImgconvError, one_line, reason, wants_traceback

TYPE_CHECKING = False  # see imgconv/__init__.py
if TYPE_CHECKING:
    from typing import NoReturn

COMMANDS = ("edge", "filter", "pool", "run", "canny", "plan", "explain", "learn", "figure", "report", "kernels", "warmup")
OBJECTS = 20_000  # made between two searches for garbage: imports make 60,000 and no garbage, and Python searches after every 700


def program() -> "NoReturn":
    """The process that is `imgconv`: the command line, then an end that takes no libraries apart, which lasts as long as an image."""
    try:
        main()
    except SystemExit as leaving:
        if sys.getprofile() or sys.gettrace():  # they tell what they saw when Python ends as it always does
            raise
        _end(leaving.code if isinstance(leaving.code, int) else 0)


def main() -> "NoReturn":
    """Run the command line and leave with 0, 1, 2 or 130; no error ever shows a traceback."""
    try:
        interrupts.catch()
        gc.set_threshold(OBJECTS)
        _fill_closed_streams()
        if not sys.warnoptions:  # what libraries warn of is for programmers, who ask for it with -W
            warnings.simplefilter("ignore")
        code = _flushed(_run())
    except (interrupts.Interrupted, KeyboardInterrupt) as interrupt:
        _leave_at_once(str(interrupt) or "interrupted")
    sys.exit(code)


def _run() -> int:
    """The exit code of the command that was called."""
    try:
        from imgconv.cli.commands import command_line

        code = command_line(sys.argv[1:], COMMANDS)(standalone_mode=False)
    except ImgconvError as error:
        return _fail(str(error), error.exit_code)
    except SystemExit as leaving:
        if isinstance(leaving.__context__, BrokenPipeError):  # as Typer ends when nobody reads any more; that is no error
            return _silenced(0)
        code = leaving.code
    except Exception as error:
        if hasattr(error, "format_message"):  # Typer's own errors of usage, whichever Click it brings
            return _fail(" ".join(error.format_message().split()), 2)
        return _unexpected(error)
    return code if isinstance(code, int) else 0


def _unexpected(error: Exception) -> int:
    if wants_traceback(error):
        raise error
    return _fail(one_line(error), 1)


def _fill_closed_streams() -> None:
    """Put the null device where a standard stream is closed, so that no file that is opened later takes its place."""
    for descriptor, name in ((0, "stdin"), (1, "stdout"), (2, "stderr")):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
            if name == "stderr":
                sys.stderr = os.fdopen(descriptor, "w", closefd=False)


def _flushed(code: int) -> int:
    """`code` once standard output has taken everything, or 1 if it could not."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        return _silenced(code)
    except OSError as error:
        if code:
            return _silenced(code)  # what went wrong was said before
        return _silenced(_fail(f"standard output: {reason(error)}", 1))
    return code


def _silenced(code: int) -> int:
    """Let what is left in the buffer of standard output go nowhere, or Python would complain of it at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code


def _end(code: int) -> "NoReturn":
    """End as Python does, up to where it takes modules apart: wait for threads that are yet at work, call who asked for it, flush."""
    import threading

    try:
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
    except (interrupts.Interrupted, KeyboardInterrupt) as interrupt:
        _leave_at_once(str(interrupt) or "interrupted")
    interrupts.ignore()
    os._exit(_flushed(code))


def _leave_at_once(message: str) -> "NoReturn":
    """End without waiting for threads: images that they are at may take long, and nobody wants them any more."""
    interrupts.ignore()
    _fail(message, 130)
    _flushed(130)
    os._exit(130)


def _fail(message: str, code: int) -> int:
    from imgconv.cli.lines import escaped, write_line

    write_line(f"imgconv: {escaped(message)}")
    return code
