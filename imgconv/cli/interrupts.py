"""Signals that end a run: each becomes an `Interrupted`, so that what is being written is cleared away."""

import signal
import sys

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
AGAIN = 1.0  # seconds


class Interrupted(BaseException):
    """The user, or the system, wants the process to end. Not a KeyboardInterrupt, which Typer would answer by itself."""


def catch() -> None:
    """Let the signals raise Interrupted in the main thread, but for those that whoever started the process chose to ignore."""
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)
    signal.signal(signal.SIGALRM, _interrupt)
    sys.unraisablehook = _unraisable


def ignore() -> None:
    """Let no further signal disturb the end of the process."""
    for number in (*SIGNALS, signal.SIGALRM):
        signal.signal(number, signal.SIG_IGN)


def _interrupt(number: int, frame: object) -> None:
    """Raise Interrupted, now and until it is heard.

    Python drops what is raised while it tidies up, in the middle of an import for example, and keeps the lock of all imports.
    """
    signal.setitimer(signal.ITIMER_REAL, AGAIN)
    raise Interrupted("interrupted")


def _unraisable(dropped: "sys.UnraisableHookArgs") -> None:
    if not isinstance(dropped.exc_value, Interrupted):
        sys.__unraisablehook__(dropped)
