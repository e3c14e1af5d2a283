"""Lines for people: whatever a file is called, it stays on its line and moves no cursor."""

import os
import sys


def write_line(text: str) -> None:
    """Write a line to standard error. Where nobody can read it the work goes on, and Python does not complain of it at its end."""
    try:
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


def counted(count: int, noun: str) -> str:
    """A number of things.

    >>> counted(1, "file"), counted(2, "file"), counted(0, "file")
    ('1 file', '2 files', '0 files')
    """
    return f"{count} {noun}{'' if count == 1 else 's'}"


def escaped(text: str) -> str:
    """`text` with control characters written out.

    >>> print(escaped("two\\nlines"))
    two\\nlines
    """
    return "".join(character if ord(character) >= 32 and not 127 <= ord(character) < 160 else repr(character)[1:-1] for character in text)
