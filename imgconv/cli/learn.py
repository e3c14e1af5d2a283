"""The command `imgconv learn`: kernels fitted to pairs of images, as tables, JSON, an array or entries of the kernels file."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imgconv.cli.option_values import check_output, reading
from imgconv.cli.options import MESSAGES, WHAT, WHERE, Mask, Nodata, Options, ReadingOptions, mode_option, option
from imgconv.errors import UsageError
from imgconv.modes import Channels

if TYPE_CHECKING:
    from imgconv.fitting.task import LearntKernels, Task
    from imgconv.images import Luma, Raster
    from imgconv.inputs import Inputs

EXAMPLES = """
imgconv learn photo.png sharper.png --size 3
imgconv learn before.png after.png --size 5 --name mine --descend
"""


class LearnOptions(Options):
    """What is fitted, and where it goes."""

    size: Annotated[str, option(WHAT, "--size", metavar="N|HxW", help="Size of the kernel.")] = "3"
    channels: Annotated[Channels, mode_option("--channels", Channels, "What to fit")] = Channels.grey
    descend: Annotated[bool, option(WHAT, "--descend", help="Use gradient descent, as networks do, instead of least squares.")] = False
    steps: Annotated[
        int, option(WHAT, "--steps", metavar="N", min=1, max=100_000, help="Number of steps of --descend, from 1 to 100,000.")
    ] = 600
    nodata: Nodata = "auto"
    mask: Mask = None
    name: Annotated[str | None, option(WHERE, "--name", metavar="NAME", help="Add the kernel to your kernels file under this name.")] = None
    force: Annotated[bool, option(WHERE, "--force", help="Replace an existing kernel of that name.")] = False
    output: Annotated[
        Path | None, option(WHERE, "-o", "--output", metavar="FILE.npy", help="Write the weights, for use with -k @FILE.npy.")
    ] = None
    json: Annotated[bool, option(MESSAGES, "--json", help="Write a line of JSON to standard output.")] = False

    def to_task(self) -> "Task":
        """What is to be learnt."""
        from imgconv.cli.recipes import missing_data_of
        from imgconv.fitting.task import Task
        from imgconv.recipe.values import image_size, read

        size = read("--size", image_size, self.size)
        return Task(size, self.channels, self.descend, self.steps, self.name, self.force, missing_data_of(self))


def command(
    images: Annotated[
        list[str],
        typer.Argument(metavar="BEFORE AFTER...", help="Pairs of images, the second of each filtered from the first.", show_default=False),
    ],
    what: LearnOptions,
    how: ReadingOptions,
) -> None:
    """Find the kernel that turns one image into another.

    Windows are ignored if their result is black or white, which may be clipped, or if they hold pixels that are missing or not finite. A
    mask is for the images BEFORE. The kernel is printed; --name adds it to your kernels, where it takes precedence over a built-in one of
    that name.
    """
    from imgconv.batch.sources import first_image
    from imgconv.cli.console import print_parts, write_json
    from imgconv.fitting.learning import opened_pair

    def opened(name: str, luma: "Luma") -> "Raster":
        return first_image(name, reading(how, luma))

    if len(images) % 2:
        raise UsageError(f"expected pairs of images, got {len(images)}; give BEFORE AFTER for each pair")
    if images.count("-") > 1:
        raise UsageError("standard input is one image; give the other images as files")
    task, inputs = what.to_task(), _inputs(images, what)
    pairs = [opened_pair(before, after, opened) for before, after in zip(images[::2], images[1::2], strict=True)]
    learnt = task.learn(pairs, images, on_terminal=not what.json)
    if what.json:
        write_json(learnt.to_dict())
    else:
        print_parts(*learnt.parts())
    _store(learnt, what, inputs)


def _inputs(images: Sequence[str], what: LearnOptions) -> "Inputs | None":
    """What -o may not replace: the images, and with --name the kernels file that gets an entry. None without -o."""
    from imgconv.atomic import format_of
    from imgconv.registry import user_file

    others = [user_file()] if what.name else []  # also without -o, so that a user without a home folder is refused before work
    if what.output is None:
        return None
    format_of(what.output, ["npy"], "-o")
    return check_output(what.output, images, others=others)


def _store(learnt: "LearntKernels", what: LearnOptions, inputs: "Inputs | None") -> None:
    """Write the weights to --output and the kernels under --name."""
    from imgconv.cli.console import write_message
    from imgconv.cli.kernels import added_message

    if what.output is not None and inputs is not None:
        learnt.save(what.output, inputs)
        write_message(f"weights -> {what.output}")
    if what.name is not None:
        for name, path in learnt.store(what.name, force=what.force):
            write_message(added_message(name, path))
