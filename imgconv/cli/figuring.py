"""From an input and a recipe, or a registry, to a figure in a file."""

from pathlib import Path

from imgconv.atomic import atomic_write
from imgconv.batch.destinations import identities, refuse_input
from imgconv.batch.inputs import first_image
from imgconv.batch.sources import STDIN, list_sources
from imgconv.cli import words
from imgconv.errors import ImageError, UsageError, reason
from imgconv.plotting.exhibits import Exhibit, exhibit, gallery
from imgconv.plotting.sheets import FORMATS, draw
from imgconv.recipe import Recipe
from imgconv.registry import Registry


def write_figure(source: str, recipe: Recipe, output: Path, max_pixels: str, *, salvage: bool, colour: bool) -> None:
    """Draw an image and what a recipe makes of it."""
    format = _format(output)
    image = first_image(source, luma="also", max_pixels=words.limit(max_pixels, "--max-pixels"), salvage=salvage)
    _write(exhibit(image, recipe, _name(source), colour=colour), output, format, source)


def write_gallery(source: str, registry: Registry, names: list[str], output: Path, max_pixels: str) -> None:
    """Draw what every one of some kernels makes of an image."""
    format = _format(output)
    image = first_image(source, max_pixels=words.limit(max_pixels, "--max-pixels"))
    _write(gallery(image, registry, names, _name(source)), output, format, source)


def _format(output: Path) -> str:
    format = output.suffix.lower().removeprefix(".")
    if format not in FORMATS:
        raise UsageError(f"-o {output} is no name of a figure; use one that ends in .png, .pdf or .svg")
    return format


def _name(source: str) -> str:
    return "standard input" if source == STDIN else Path(source).name


def _write(shown: Exhibit, output: Path, format: str, source: str) -> None:
    refuse_input(output, identities(list_sources([source], frozenset())))
    try:
        with atomic_write(output) as stream:
            draw(shown, stream, format)
    except OSError as error:
        raise ImageError(f"{output}: {reason(error)}") from None
