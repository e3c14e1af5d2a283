"""The command `imgconv figure`, and the contact sheet of `imgconv kernels gallery`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from imgconv.cli.option_values import check_output, limit, reading
from imgconv.cli.options import WHAT, WHERE, Input, ReadingOptions, option
from imgconv.cli.selection import Selection

if TYPE_CHECKING:
    from imgconv.registry import Registry

EXAMPLES = """
imgconv figure photo.jpg -k sobel_x -o sobel.png
imgconv figure photo.jpg --recipe layers.toml -o layers.pdf
"""
FigureFile = Annotated[Path, option(WHERE, "-o", "--output", metavar="FILE.png|.pdf|.svg", help="File of the figure.", show_default=False)]


def command(
    source: Input,
    output: FigureFile,
    what: Selection,
    how: ReadingOptions,
    keep: Annotated[
        list[str] | None,
        option(
            WHAT,
            "--keep",
            metavar="STEP",
            help="Network: draw only the maps of this step (its number or its operation). Repeat for more steps.",
        ),
    ] = None,
) -> None:
    """Draw an image and its maps side by side.

    Shows axes, scales and the numbers of the kernels. Many maps become a contact sheet; each step of a network has a row. Select a filter
    with -k, a pool with --size or --mode, canny with --canny, or a network with -s or --recipe. The default is the filter of
    `imgconv edge`.
    """
    from imgconv.atomic import format_of
    from imgconv.batch.sources import first_image
    from imgconv.plotting.figures import FORMATS, figure

    recipe, _ = what.to_recipe(keep or ()), format_of(output, FORMATS, "-o")
    inputs = check_output(output, [source])
    image = first_image(source, reading(how, "also")._replace(premultiplied=True))  # drawn over black, where such colours need no division
    figure(image, recipe, source, colour=what.grey is False).save(output, inputs)


def write_gallery(source: str, registry: "Registry", names: list[str], output: Path, max_pixels: str) -> None:
    """Draw the result of each of the named kernels."""
    from imgconv.atomic import format_of
    from imgconv.batch.sources import first_image
    from imgconv.images import Request
    from imgconv.plotting.figures import FORMATS, gallery_figure

    format_of(output, FORMATS, "-o")
    inputs = check_output(output, [source])
    image = first_image(source, Request(max_pixels=limit(max_pixels)))
    gallery_figure(image, registry, names, source).save(output, inputs)
