"""The command `imgconv plan`: sizes, cost and algorithm of every step, as two tables or a line of JSON."""

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from imgconv.cli.option_values import limit
from imgconv.cli.options import MAX_PIXELS, WHAT, AxesOrder, Json, MaxPixels, option
from imgconv.cli.selection import Selection
from imgconv.errors import DoesNotFit, ImageError, UsageError

if TYPE_CHECKING:
    from imgconv.images import Request
    from imgconv.inspection.plans import ImagePlan
    from imgconv.recipe import Recipe, Shape

EXAMPLES = """
imgconv plan photo.jpg -k sobel --stride 2
imgconv plan --shape 3x224x224 -s 'conv laplacian8 padding=1' -s 'max_pool 2'
"""


def command(
    what: Selection,
    inputs: Annotated[
        list[str] | None, typer.Argument(metavar="[INPUT]...", help="Images, folders, or - for standard input.", show_default=False)
    ] = None,
    shape: Annotated[str | None, option(WHAT, "--shape", metavar="CxHxW", help="Plan for an image of this size instead of a file.")] = None,
    json: Json = False,
    max_pixels: MaxPixels = MAX_PIXELS,
    axes: AxesOrder = None,
) -> None:
    """Show the sizes, cost and algorithm of every step.

    Reads the headers of images and decodes no pixels. Select a filter with -k, a pool with --size or --mode, canny with --canny, or a
    network with -s or --recipe. The default is the filter of `imgconv edge`.
    """
    from imgconv.cli.console import print_parts, write_json, write_message
    from imgconv.display.parts import text
    from imgconv.images import Request

    recipe = what.to_recipe()
    failed = printed = False
    for source, outcome in _plans(inputs or [], shape, recipe, Request(max_pixels=limit(max_pixels), axes=axes)):
        if isinstance(outcome, str):
            failed = True
            write_message(f"imgconv: {source}: {outcome}")
        elif json:
            write_json(outcome.to_dict())
        else:
            print_parts(*([text()] if printed else []), *outcome.parts())
            printed = True
    if failed:
        raise typer.Exit(1)


def _plans(inputs: Sequence[str], shape: str | None, recipe: "Recipe", request: "Request") -> "Iterator[tuple[str, ImagePlan | str]]":
    """The name of each image, and its plan or the error as text."""
    from imgconv.batch.sources import headers
    from imgconv.inspection.plans import plan
    from imgconv.process import shape_of

    if inputs and shape is not None:
        raise UsageError("both an image and --shape are given; leave one of them out")
    if shape is not None:
        name = f"an image of {shape}"
        yield name, plan(recipe, _shape(shape), source=name)
        return
    if not inputs:
        raise UsageError("no image given; name an image, or give --shape, such as 3x224x224")
    for name, header in headers(inputs, request):
        try:
            if isinstance(header, ImageError):
                yield name, str(header)
            else:
                yield name, plan(recipe, shape_of(header), header.dtype, name, declares_missing=header.declares_missing)
        except DoesNotFit as error:
            yield name, str(error)


def _shape(text: str) -> "Shape":
    """Read `CxHxW`, or `HxW` for a grey image. Of two or four channels the last is alpha."""
    from imgconv.recipe import Shape

    match = re.fullmatch(r"(?:(\d{1,5})[xX])?(\d{1,9})[xX](\d{1,9})", text.strip(), re.ASCII)
    channels, height, width = (int(size or 1) for size in match.groups()) if match else (0, 0, 0)
    if not (channels and height and width):
        raise UsageError(f"--shape: expected CxHxW, such as 3x224x224, got {text!r}")
    return Shape(height, width, channels, channels in (2, 4))
