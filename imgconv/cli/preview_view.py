"""Previews of finished pictures in a terminal: two pixels in each half-block character."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from imgconv.errors import PictureError

if TYPE_CHECKING:
    from imgconv.batch.inputs import Picture

UPPER_HALF = "\N{UPPER HALF BLOCK}"


def print_previews(outputs: Sequence[str]) -> None:
    """Show the first frame of each output, as wide as the terminal; nothing where standard output is no terminal."""
    if not sys.stdout.isatty():
        return
    from imgconv.batch.inputs import first_picture

    for output in outputs:
        try:
            _print(first_picture(output, max_pixels=None))
        except PictureError as error:
            sys.stderr.write(f"imgconv: no preview of {error}\n")


def _print(picture: "Picture") -> None:
    from rich.color import Color
    from rich.console import Console
    from rich.segment import Segment, Segments
    from rich.style import Style

    from imgconv.plotting.preview import preview

    console = Console(highlight=False)
    pixels = preview(picture, console.width).tolist()
    segments = []
    for upper, lower in zip(pixels[::2], pixels[1::2], strict=True):
        for above, below in zip(upper, lower, strict=True):
            style = Style(color=Color.from_rgb(*above), bgcolor=Color.from_rgb(*below))
            segments.append(Segment(UPPER_HALF, style))
        segments.append(Segment.line())
    console.print(Segments(segments), end="")
