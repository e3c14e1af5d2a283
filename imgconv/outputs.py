"""The output of a call that writes one file: the format that its name stands for, and the writing."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from imgconv.atomic import atomic_write, is_stream
from imgconv.errors import ImageError, UsageError, reason
from imgconv.inputs import Inputs


def format_of(output: Path, formats: Collection[str], option: str) -> str:
    """Return the format, one of `formats`, of a file name. A pipe without an extension gets the first one.

    Raises UsageError, which names `option`, for any other name.
    """
    format = output.suffix.lower().removeprefix(".")
    if format in formats:
        return format
    first, *others = formats
    if not format and is_stream(output):
        return first
    endings = f".{first}" if not others else f"{', '.join(f'.{each}' for each in (first, *others[:-1]))} or .{others[-1]}"
    raise UsageError(f"{option}: expected a file name that ends in {endings}, got {output}")


@contextmanager
def output_file(output: Path, inputs: Inputs) -> Iterator[BinaryIO]:
    """Open a stream whose contents replace `output` at the end of the block, see `atomic_write`.

    Raises UsageError if it is one of `inputs`, or ImageError, which names it.
    """
    try:
        with atomic_write(output, inputs) as stream:
            yield stream
    except OSError as error:
        raise ImageError(f"{output}: {reason(error)}") from None
