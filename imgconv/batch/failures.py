"""What goes wrong with one input, as a line of its outcome: the others go on."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from imgconv.batch.outcome import Outcome
from imgconv.errors import ImgconvError


@contextmanager
def told(outcome: Outcome) -> Iterator[None]:
    """Put what goes wrong, and the time it took, into `outcome`. A reader that closed the pipe is no fault of the picture."""
    started = time.perf_counter()
    try:
        yield
    except Exception as error:  # whatever is wrong with one picture, a mistake of ours included, the others are done
        pipe = next((each for each in (error, error.__cause__) if isinstance(each, BrokenPipeError)), None)
        if pipe is not None:
            raise pipe from None
        if wants_traceback(error):
            raise
        outcome.error = one_line(error)
    outcome.seconds = time.perf_counter() - started


def one_line(error: Exception) -> str:
    """What an error says to a person."""
    if isinstance(error, ImgconvError):
        return str(error)
    if isinstance(error, OSError):
        return (error.strerror or str(error)).lower() + (f": {os.fsdecode(error.filename)}" if error.filename else "")
    if isinstance(error, MemoryError):
        return "not enough memory; use fewer --jobs, or smaller pictures"
    return f"internal error, {type(error).__name__}: {error}; IMGCONV_TRACEBACK=1 shows where"


def wants_traceback(error: Exception) -> bool:
    """Whether an error is a mistake of ours that somebody wants to see whole."""
    return bool(os.environ.get("IMGCONV_TRACEBACK")) and not isinstance(error, ImgconvError | OSError | MemoryError)
