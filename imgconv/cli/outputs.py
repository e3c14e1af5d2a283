"""The check that the output of a command that writes one file is not one of its inputs."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from imgconv.inputs import Inputs


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
