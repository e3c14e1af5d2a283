"""Signals that end a run: each becomes an `Interrupted`, so that what is being written is cleared away."""

import signal

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    """The user, or the system, wants the process to end. Not a KeyboardInterrupt, which Typer would answer by itself."""


def catch() -> None:
    """Let the signals raise Interrupted in the main thread, but for those that whoever started the process chose to ignore."""
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)


def ignore() -> None:
    """Let no further signal disturb the end of the process."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _interrupt(number: int, frame: object) -> None:
    raise Interrupted("interrupted")
