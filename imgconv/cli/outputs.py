"""The output of a command that writes one file: the format that its name stands for, and the check that it is not an input."""

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from imgconv.atomic import is_stream
from imgconv.errors import UsageError

if TYPE_CHECKING:
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


def check_output(output: Path, images: Iterable[str], option: str = "-o", others: Iterable[Path] = ()) -> "Inputs":
    """Return what a command reads: the named images, `others`, and all kernels, recipes and weights that were read so far.

    Raises UsageError, which names `option`, if `output` is one of these files.
    """
    from imgconv.batch.paths import parse_path
    from imgconv.batch.protection import identified
    from imgconv.batch.sources import STDIN
    from imgconv.inputs import Inputs
    from imgconv.registry.files import files_read

    images = list(images)
    files = (identified(parse_path(name)) for name in images if name != STDIN)
    inputs = Inputs((*files, *others, *files_read()), reads_stdin=STDIN in images)
    inputs.refuse(output, option)
    return inputs
