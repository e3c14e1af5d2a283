"""The errors of imgconv, and their texts.

    ImgconvError
    ├── UsageError (ValueError)             wrong for every image; exit code 2
    ├── ArgumentTypeError (TypeError)       wrong type; exit code 2
    ├── DoesNotFit (ValueError)             wrong for this input; exit code 1, as all below
    ├── ImageError (OSError)                cannot be read, decoded, encoded or written
    │   (alias PictureError)
    ├── ClusterError (ConnectionError)      no answer from the cluster
    └── MissingExtra (ImportError)          an optional dependency is not installed

Every error that imgconv raises on purpose is an `ImgconvError`. Each class also inherits the built-in error, in parentheses, that a
Python caller would catch, and has the exit code of a command that ends with it. Texts state what was given, what is allowed and what
to do, in lower case and without a full stop.
"""

import errno
import os
from importlib import import_module

TYPE_CHECKING = False  # see imgconv/__init__.py
if TYPE_CHECKING:
    from typing import Any

_CONTROLS = (*range(0x20), *range(0x7F, 0xA0), *range(0x2028, 0x202F), *range(0x2066, 0x206A))  # also line ends and directions
_ESCAPES = {code: repr(chr(code))[1:-1] for code in _CONTROLS}

# What loaders of shared libraries say where address space or memory is missing.
_UNLOADED = ("failed to map segment", "cannot allocate memory", "cannot map", "can't load", "cannot apply additional memory protection")


class ImgconvError(Exception):
    """Any error that imgconv raises on purpose."""

    exit_code = 1


class UsageError(ImgconvError, ValueError):
    """An argument that is wrong for every image: a stride of 0, an unknown kernel, options that contradict each other."""

    exit_code = 2


class ArgumentTypeError(ImgconvError, TypeError):
    """An argument of the wrong type: a float as a size, a complex array, a string instead of an array."""

    exit_code = 2


class DoesNotFit(ImgconvError, ValueError):
    """A valid request for which this input is too small, or has the wrong shape."""


class ImageError(ImgconvError, OSError):
    """A file or stream that cannot be read, decoded, encoded or written."""


PictureError = ImageError  # the public name of earlier versions


class ClusterError(ImgconvError, ConnectionError):
    """A cluster that does not respond, has no workers, or cannot run the tasks it gets."""


class MissingExtra(ImgconvError, ImportError):
    """An optional dependency is needed and not installed; the text names the extra that installs it."""


def optional_library(module: str, what: str, extra: str, name: str = "") -> "Any":
    """Import a module of an optional dependency. Raises MissingExtra, with what needs it and how to install it.

    >>> optional_library("no_such_module", "DICOM images", "dicom", "pydicom")
    Traceback (most recent call last):
    imgconv.errors.MissingExtra: DICOM images need pydicom; install it: pip install 'imgconv[dicom]'
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise MissingExtra(f"{what} need {name or module}; install it: pip install 'imgconv[{extra}]'") from error


def escaped(text: str) -> str:
    r"""Return `text` with control characters written as escapes, so that a name on a terminal stays a name on its line.

    >>> print(escaped("two\nlines, \x1b[2J"))
    two\nlines, \x1b[2J
    """
    return text.translate(_ESCAPES)


def abbreviated(text: str) -> str:
    """Return at most 40 characters of a text that a message repeats.

    >>> abbreviated("0 1 0; " * 9)
    '0 1 0; 0 1 0; 0 1 0; 0 1 0; 0 1 0; 0 ...'
    """
    return text if len(text) <= 40 else text[:37] + "..."


def comma_hint(text: object) -> str:
    """Return what to write instead of a decimal comma, for the end of a message; nothing for any other text.

    >>> comma_hint("1,5"), comma_hint("80,5%"), comma_hint("1,5,2")
    ('; write 1.5 for 1,5', '; write 80.5% for 80,5%', '')
    """
    import re  # a command imports this module before it handles signals

    if isinstance(text, str) and re.fullmatch(r"[-+]?[0-9]+,[0-9]+(e[-+]?[0-9]+)?%?", text.strip(), re.IGNORECASE):
        return f"; write {text.strip().replace(',', '.')} for {text.strip()}"
    return ""


def one_line(error: BaseException) -> str:
    """Describe any error for a person, in one line.

    >>> one_line(FileNotFoundError(2, "No such file or directory", "a.png"))
    'no such file or directory: a.png'
    """
    if isinstance(error, ImgconvError):
        return str(error)
    if lacks_memory(error):
        return "not enough memory; use fewer --jobs, or smaller images, or raise the limit of this process"
    if lacks_threads(error):
        return "no further thread can be started; raise the limit on processes of this user or container, or use fewer --jobs"
    if isinstance(error, ImportError):  # the second attempt to import what did not fit into the memory fails in other ways
        return f"a library cannot be loaded ({reason(error)}); allow more memory, or install imgconv again"
    if isinstance(error, OSError):
        return reason(error) + (f": {os.fsdecode(error.filename)}" if error.filename else "")
    return f"internal error, {type(error).__name__}: {error}; IMGCONV_TRACEBACK=1 shows where"


class Interrupted(BaseException):
    """A signal that ends the process. Not a KeyboardInterrupt, which Typer would handle by itself."""


def interrupt_in(error: BaseException | None) -> BaseException | None:
    """Return the interrupt that an error was made of. Up to Python 3.11, one that comes while a class is created is a RuntimeError.

    A call that was cancelled, as by asyncio, is not an interrupt.

    >>> error = RuntimeError("Error calling __set_name__")
    >>> error.__cause__ = KeyboardInterrupt()
    >>> interrupt_in(error)
    KeyboardInterrupt()
    >>> error.__cause__ = GeneratorExit()
    >>> interrupt_in(error)
    """
    while isinstance(error, Exception):
        error = error.__cause__ or error.__context__
    return error if isinstance(error, Interrupted | KeyboardInterrupt) else None


def lacks_memory(error: BaseException | None) -> bool:
    """Whether memory or address space was missing, also for a library that could not be loaded.

    An extension that returns without a result and without an exception, which is a SystemError, most often failed to allocate.

    >>> lacks_memory(ImportError("libopenblas.so: failed to map segment from shared object")), lacks_memory(ImportError("no module"))
    (True, False)
    """
    while error is not None:
        text = str(error).lower()
        if isinstance(error, MemoryError | SystemError) or getattr(error, "errno", None) == errno.ENOMEM:
            return True
        if isinstance(error, ImportError | OSError | SyntaxError) and any(part in text for part in _UNLOADED):
            return True
        error = error.__cause__ or error.__context__
    return False


def lacks_threads(error: BaseException) -> bool:
    """Whether the system refused to start a thread or a process."""
    return (isinstance(error, RuntimeError) and "start new thread" in str(error)) or getattr(error, "errno", None) == errno.EAGAIN


def reason(error: BaseException) -> str:
    """Return the message of a foreign error, without file names: one line, lower case, no full stop, at most 300 characters.

    >>> reason(IsADirectoryError(21, "Is a directory", "photos")), reason(ValueError("Bad\\n  header.")), reason(EOFError())
    ('is a directory', 'bad header', 'EOFError')
    >>> reason(OSError("196608 requested and 146672 written"))  # as numpy words it
    'no space left on device, or for this user'
    """
    text = " ".join(str(getattr(error, "strerror", None) or error).split()).rstrip(".")[:300] or type(error).__name__
    if " requested and " in text and text.endswith(" written"):
        return "no space left on device, or for this user"
    is_word = text[1:2].islower() or text[1:2] == " "
    return text[:1].lower() + text[1:] if is_word and text != type(error).__name__ else text


def wants_traceback(error: BaseException) -> bool:
    """Whether an error is a defect of imgconv, and the user has set IMGCONV_TRACEBACK to see where it happened."""
    return bool(os.environ.get("IMGCONV_TRACEBACK")) and not isinstance(error, ImgconvError | OSError | MemoryError)
