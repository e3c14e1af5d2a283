"""Previews of finished images in a terminal: two pixels in each half-block character."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from imgconv.errors import ImageError

if TYPE_CHECKING:
    from imgconv.images import Raster

UPPER_HALF = "\N{UPPER HALF BLOCK}"


def print_previews(outputs: Sequence[str]) -> None:
    """Show the first frame of each output, as wide as the terminal; nothing where standard output is no terminal."""
    if not sys.stdout.isatty():
        return
    from imgconv.batch.inputs import first_image

    for output in outputs:
        try:
            _print(first_image(output, max_pixels=None))
        except ImageError as error:
            sys.stderr.write(f"imgconv: no preview of {error}\n")


def _print(image: "Raster") -> None:
    from rich.color import Color
    from rich.console import Console
    from rich.segment import Segment, Segments
    from rich.style import Style

    from imgconv.plotting.thumbnails import preview

    console = Console(highlight=False)
    pixels = preview(image, console.width).tolist()
    segments = []
    for upper, lower in zip(pixels[::2], pixels[1::2], strict=True):
        for above, below in zip(upper, lower, strict=True):
            style = Style(color=Color.from_rgb(*above), bgcolor=Color.from_rgb(*below))
            segments.append(Segment(UPPER_HALF, style))
        segments.append(Segment.line())
    console.print(Segments(segments), end="")
