"""The command `imgconv explain`: the arithmetic of one output pixel as coloured tables, matrices, JSON, an animation or a page."""

import re
from pathlib import Path
from typing import Annotated, Any

from imgconv.cli.option_values import check_output, limit
from imgconv.cli.options import MAX_PIXELS, MESSAGES, WHAT, AxesOrder, Input, MaxPixels, Salvage, option
from imgconv.cli.selection import Selection
from imgconv.errors import UsageError

EXAMPLES = """
imgconv explain photo.jpg -k laplacian8 --at 120,80
imgconv explain photo.jpg --size 3 --stride 2 --animate pool.gif
imgconv explain photo.jpg --html page.html
"""


def command(
    source: Input,
    what: Selection,
    at: Annotated[
        str | None,
        option(WHAT, "--at", metavar="X,Y", help="Output pixel as column,row, counted from zero. Defaults to the middle of the output."),
    ] = None,
    matrix: Annotated[
        bool, option(MESSAGES, "--matrix", help="Show the kernel as a matrix, and im2col, for a few cells around the pixel.")
    ] = False,
    animate: Annotated[
        Path | None,
        option(MESSAGES, "--animate", metavar="FILE.gif", help="Draw the window as it moves over a few cells around the pixel."),
    ] = None,
    html: Annotated[
        Path | None,
        option(MESSAGES, "--html", metavar="FILE.html", help="Write a web page on which the window moves and all settings can change."),
    ] = None,
    crop: Annotated[
        str | None,
        option(MESSAGES, "--crop", metavar="X,Y,W,H", help="Part of the photograph on the page. Defaults to all of it, scaled down."),
    ] = None,
    quiz: Annotated[bool, option(MESSAGES, "--quiz", help="Add five questions to the page.")] = False,
    json: Annotated[bool, option(MESSAGES, "--json", help="Write one JSON object to standard output.")] = False,
    max_pixels: MaxPixels = MAX_PIXELS,
    salvage: Salvage = False,
    axes: AxesOrder = None,
) -> None:
    """Show the arithmetic behind one output pixel.

    Select a filter with -k, a pool with --size or --mode, canny with --canny, or a network, whose last step is explained, with -s or
    --recipe. The default is the filter of `imgconv edge`. With -k each colour is explained on its own, as `imgconv filter` computes it; add
    --grey for the luma, which `imgconv edge` uses.
    """
    from imgconv.atomic import format_of
    from imgconv.batch.inputs import first_frame
    from imgconv.cli.console import print_parts, write_json, write_message
    from imgconv.display.words import counted
    from imgconv.inspection.arithmetic import explain
    from imgconv.plotting.animation import FORMATS, write_animation
    from imgconv.plotting.animation import animate as frames_of

    recipe, pixel = what.to_recipe(), None if at is None else _numbers("--at", at, "X,Y", "120,80")
    part = None if crop is None else _numbers("--crop", crop, "X,Y,W,H", "100,50,320,240")
    if html is None and (part or quiz):
        raise UsageError(f"{'--quiz' if quiz else '--crop'} is for the page; add --html FILE.html")
    inputs = page_inputs = None
    if animate is not None:
        format_of(animate, FORMATS, "--animate")
        inputs = check_output(animate, [source], "--animate")
    if html is not None:
        format_of(html, ["html"], "--html")
        page_inputs = check_output(html, [source], "--html")
    image, frames = first_frame(source, luma=recipe.luma, max_pixels=limit(max_pixels), salvage=salvage, axes=axes)
    if html is not None and page_inputs is not None:
        from imgconv.inspection.page import explanation_page

        known: dict[str, Any] = {
            "references": what.kernel or [what.window] if what.kernel or what.window else (),
            "kernels_file": what.kernels_file,
            "mask": what.mask,
            "plain": not salvage and axes is None,
        }
        page = explanation_page(image, recipe, source=source, frames=frames, at=pixel, crop=part, quiz=quiz, **known)
        page.write(html, page_inputs)
        write_message(f"{html}: {page.kilobytes} KB")
        if not (json or matrix or animate):
            return
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


def _numbers(name: str, text: str, form: str, example: str) -> tuple[Any, ...]:
    """Whole numbers separated by commas, as many as `form` has."""
    count = form.count(",") + 1
    if re.fullmatch(rf"\s*\d{{1,9}}(\s*,\s*\d{{1,9}}){{{count - 1}}}\s*", text, re.ASCII) is None:
        raise UsageError(f"{name}: expected {form} counted from zero, such as {example}, got {text!r}")
    return tuple(map(int, text.split(",")))
