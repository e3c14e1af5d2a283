"""The command `imgconv explain`: the arithmetic of one output pixel as coloured tables, matrices, JSON, an animation or a page."""

import re
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from imgconv.cli.option_values import check_output, reading
from imgconv.cli.options import MESSAGES, WHAT, Input, Options, ReadingOptions, option
from imgconv.cli.selection import Selection
from imgconv.errors import UsageError

if TYPE_CHECKING:
    from imgconv.inputs import Inputs

EXAMPLES = """
imgconv explain photo.jpg -k laplacian8 --at 120,80
imgconv explain photo.jpg --size 3 --stride 2 --animate pool.gif
imgconv explain photo.jpg --html page.html
"""


class ExplainOptions(Options):
    """Which pixel is explained, and in which forms."""

    at: Annotated[
        str | None,
        option(WHAT, "--at", metavar="X,Y", help="Output pixel as column,row, counted from zero. Defaults to the middle of the output."),
    ] = None
    matrix: Annotated[
        bool, option(MESSAGES, "--matrix", help="Show the kernel as a matrix, and im2col, for a few cells around the pixel.")
    ] = False
    animate: Annotated[
        Path | None,
        option(MESSAGES, "--animate", metavar="FILE.gif", help="Draw the window as it moves over a few cells around the pixel."),
    ] = None
    html: Annotated[
        Path | None,
        option(MESSAGES, "--html", metavar="FILE.html", help="Write a web page on which the window moves and all settings can change."),
    ] = None
    crop: Annotated[
        str | None,
        option(MESSAGES, "--crop", metavar="X,Y,W,H", help="Part of the photograph on the page. Defaults to all of it, scaled down."),
    ] = None
    quiz: Annotated[bool, option(MESSAGES, "--quiz", help="Add five questions to the page.")] = False
    json: Annotated[bool, option(MESSAGES, "--json", help="Write one JSON object to standard output.")] = False


def command(source: Input, what: Selection, show: ExplainOptions, how: ReadingOptions) -> None:
    """Show the arithmetic behind one output pixel.

    Select a filter with -k, a pool with --size or --mode, canny with --canny, or a network, whose last step is explained, with -s or
    --recipe. The default is the filter of `imgconv edge`. With -k each colour is explained on its own, as `imgconv filter` computes it; add
    --grey for the luma, which `imgconv edge` uses.
    """
    from imgconv.batch.sources import first_frame
    from imgconv.cli.console import print_parts, write_json, write_message
    from imgconv.display.words import counted
    from imgconv.inspection.explanation import explain
    from imgconv.plotting.animation import FORMATS, animate, write_animation

    recipe, pixel = what.to_recipe(), None if show.at is None else _numbers("--at", show.at, "X,Y", "120,80")
    crop = None if show.crop is None else _numbers("--crop", show.crop, "X,Y,W,H", "100,50,320,240")
    if show.html is None and (crop or show.quiz):
        raise UsageError(f"{'--quiz' if show.quiz else '--crop'} applies only to the page; add --html FILE.html")
    inputs = _checked(show.animate, source, "--animate", FORMATS)
    page_inputs = _checked(show.html, source, "--html", ["html"])
    image, frames = first_frame(source, reading(how, recipe.luma)._replace(premultiplied=True))
    if show.html is not None and page_inputs is not None:
        from imgconv.inspection.page import Typed, explanation_page

        references = what.kernel or ([what.window] if what.window else ())
        typed = Typed(references, what.kernels_file, what.mask, plain=not how.salvage and how.axes is None)
        page = explanation_page(image, recipe, typed, source=source, frames=frames, at=pixel, crop=crop, quiz=show.quiz)
        page.write(show.html, page_inputs)
        write_message(f"{show.html}: {page.kilobytes} KB")
        if not (show.json or show.matrix or show.animate):
            return
    explanation = explain(image, recipe, pixel, source=source, frames=frames, matrix=show.matrix)
    drawn = [] if show.animate is None else list(animate(image, recipe, explanation.at))
    if what.kernel and what.grey is None and image.channels - image.alpha > 1 and not show.json:
        write_message("each colour on its own, as imgconv filter computes it; imgconv edge uses the luma, which --grey explains")
    if show.json:
        write_json(explanation.to_dict())
    else:
        print_parts(*explanation.parts())
    if show.animate is not None and inputs is not None:
        write_animation(drawn, show.animate, inputs)
        write_message(f"{show.animate}: {counted(len(drawn), 'frame')}")


def _checked(output: Path | None, source: str, name: str, formats: Collection[str]) -> "Inputs | None":
    """Refuse a file of another format than `formats`, or one that is the source; return what it may not replace."""
    from imgconv.atomic import format_of

    if output is None:
        return None
    format_of(output, formats, name)
    return check_output(output, [source], name)


def _numbers(name: str, text: str, form: str, example: str) -> tuple[Any, ...]:
    """Whole numbers separated by commas, as many as `form` has."""
    count = form.count(",") + 1
    if re.fullmatch(rf"\s*\d{{1,9}}(\s*,\s*\d{{1,9}}){{{count - 1}}}\s*", text, re.ASCII) is None:
        raise UsageError(f"{name}: expected {form} counted from zero, such as {example}, got {text!r}")
    return tuple(map(int, text.split(",")))
