"""Errors of code that the command line and Python share, with keyword arguments in place of options for a Python caller."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

from imgconv.errors import DoesNotFit, ImageError, ImgconvError

SHORT = re.compile(r"(?<![\w-])-([kos])\b(?: (?:NAME|STEP|FILE)\b)?")
LONG_NAMES = {"k": "kernel=", "o": "output=", "s": "step="}
OPTION = re.compile(r"--([a-z][a-z0-9-]*)(?: (?=')| (keep|drop|filter|raw|clip|abs|each|all|grey)\b)?")
TAGGED = re.compile(r"; imgconv kernels list --tag \S+ shows all")
PHRASES = {  # of messages about the command line, and what a Python caller reads instead
    "use --grey or --color": "use grey=True or grey=False",
    "--nodata none": 'nodata="none"',
    "--html FILE.html": 'html="FILE.html"',
    "--color": "grey=False",
    "--grey": "grey=True",
    "raise it with --max-pixels": "open it with Pillow, and pass the image",
    "give each step with -s STEP, or a file with --recipe FILE": "give a list of steps, or a recipe file",
    "use -o NAME.npy, --format npy, or --keep a step before flatten": "use keep= with a step before flatten",
    "percentages of gradients need": "quantiles=True needs",
    "use the command imgconv canny": "call imgconv.canny",
    "use the command imgconv pool --mode ": "call imgconv.pool with mode=",
    "give low and high, for example 80% and 90%": "give both, for example low=0.8 and high=0.9",
    "imgconv kernels list shows all": "imgconv.kernels() lists all",
}


@contextmanager
def python_remedies() -> Iterator[None]:
    """Raise the errors of the block with remedies for a Python caller."""
    try:
        yield
    except ImgconvError as error:
        text = in_python(str(error))
        if text == str(error):
            raise
        raise type(error)(text).with_traceback(error.__traceback__) from None


@contextmanager
def named(image: object) -> Iterator[None]:
    """Add the name of the file to errors about an image, if `image` is a path."""
    try:
        yield
    except (DoesNotFit, ImageError) as error:
        if not isinstance(image, str | os.PathLike):
            raise
        raise type(error)(f"{os.fsdecode(image)}: {error}") from None


def in_python(text: str) -> str:
    """Return the text of an error with keyword arguments in place of command-line options.

    >>> in_python("pnm cannot hold it; drop it with --alpha drop, or add --padding")
    "pnm cannot hold it; drop it with alpha='drop', or add padding="
    >>> in_python("--keep 'relu' is not a step of this recipe")
    "keep='relu' is not a step of this recipe"
    """
    text = TAGGED.sub("", text)
    for typed, python in PHRASES.items():
        text = text.replace(typed, python)
    text = SHORT.sub(lambda match: LONG_NAMES[match[1]], text)
    return OPTION.sub(lambda match: match[1].replace("-", "_") + "=" + (repr(match[2]) if match[2] else ""), text)
