"""The command `imgconv explain`: the arithmetic of one output pixel as coloured tables, matrices, JSON or an animation."""

import re
from pathlib import Path
from typing import Annotated

from imgconv.cli.options import MAX_PIXELS, TELL, WHAT, AxesOrder, Input, MaxPixels, Salvage, limit, option
from imgconv.cli.outputs import check_output
from imgconv.cli.selection import Selection
from imgconv.errors import UsageError

EXAMPLES = """
imgconv explain photo.jpg -k laplacian8 --at 120,80
imgconv explain photo.jpg --size 3 --stride 2 --animate pool.gif
"""


def command(
    source: Input,
    what: Selection,
    at: Annotated[
        str | None,
        option(WHAT, "--at", metavar="X,Y", help="Output pixel as column,row, counted from zero. Defaults to the middle of the output."),
    ] = None,
    matrix: Annotated[
        bool, option(TELL, "--matrix", help="Show the kernel as a matrix, and im2col, for a few cells around the pixel.")
    ] = False,
    animate: Annotated[
        Path | None,
        option(TELL, "--animate", metavar="FILE.gif", help="Draw the window as it moves over a few cells around the pixel."),
    ] = None,
    json: Annotated[bool, option(TELL, "--json", help="Write one JSON object to standard output.")] = False,
    max_pixels: MaxPixels = MAX_PIXELS,
    salvage: Salvage = False,
    axes: AxesOrder = None,
) -> None:
    """Show the arithmetic behind one output pixel.

    Select a filter with -k, a pool with --size or --mode, canny with --canny, or a network, whose last step is explained, with -s or
    --recipe. The default is the filter of `imgconv edge`. With -k each colour is explained on its own, as `imgconv filter` computes it; add
    --grey for the luma, which `imgconv edge` uses.
    """
    from imgconv.batch.inputs import first_frame
    from imgconv.cli.console import print_parts, write_json, write_message
    from imgconv.display.words import counted
    from imgconv.inspection.arithmetic import explain
    from imgconv.outputs import format_of
    from imgconv.plotting.animation import FORMATS, write_animation
    from imgconv.plotting.animation import animate as frames_of

    recipe, pixel = what.to_recipe(), None if at is None else _pixel(at)
    inputs = None
    if animate is not None:
        format_of(animate, FORMATS, "--animate")
        inputs = check_output(animate, [source], "--animate")
    image, frames = first_frame(source, luma=recipe.luma, max_pixels=limit(max_pixels), salvage=salvage, axes=axes)
    explanation = explain(image, recipe, pixel, source=source, frames=frames, matrix=matrix)
    drawn = list(frames_of(image, recipe, explanation.at)) if animate is not None else []
    if what.kernel and what.grey is None and image.channels - image.alpha > 1 and not json:
        write_message("each colour on its own, as imgconv filter computes it; imgconv edge uses the luma, which --grey explains")
    if json:
        write_json(explanation.to_dict())
    else:
        print_parts(*explanation.parts())
    if animate is not None and inputs is not None:
        write_animation(drawn, animate, inputs)
        write_message(f"{animate}: {counted(len(drawn), 'frame')}")


def _pixel(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"\s*(\d{1,9})\s*,\s*(\d{1,9})\s*", text, re.ASCII)
    if match is None:
        raise UsageError(f"--at: expected X,Y counted from zero, such as 120,80, got {text!r}")
    return int(match[1]), int(match[2])
