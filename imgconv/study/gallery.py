"""Every kernel of a registry on one picture, as one contact sheet."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from imgconv.pictures import Picture
from imgconv.recipe import Filter, filter_recipe
from imgconv.registry import Registry
from imgconv.study.cells import seen
from imgconv.study.figures import panels_of_filter
from imgconv.study.panels import Exhibit, Group, picture_panel, shrunk

LONGEST = 256  # cells along a side: on a larger picture what a 3x3 kernel does would not be seen in a tile


def gallery(picture: Picture, registry: Registry, names: Sequence[str], source: str) -> Exhibit:
    """The maps that the kernels and banks of these `names` make of a picture, which came from `source`, made small first.

    Maps with a sign are those of the luma, each on a scale of its own. Raises DoesNotFit for a picture that is too small.
    """
    small = _small(seen(picture, grey=False, alpha=False) if picture.alpha else picture)
    shown: set[str] = set()  # a bank's member may have an entry of its own
    panels = [picture_panel(small, "input")]
    for name in names:
        recipe = filter_recipe([name], registry=registry)
        if isinstance(recipe.step, Filter):
            made = panels_of_filter(small, recipe, recipe.step)
            titles = [name] if len(made) == 1 else [plan.kernels[0].name for plan in recipe.step.maps]
            panels += [replace(panel, title=title, taps=()) for panel, title in zip(made, titles, strict=True) if title not in shown]
            shown.update(titles)
    note = f"{len(names)} kernels and banks, {len(panels) - 1} maps; red above zero, blue below; the picture is {_told(small)} here"
    return Exhibit(f"The kernels of imgconv on {source}", note, (Group("", "", tuple(panels)),))


def _small(picture: Picture) -> Picture:
    pixels = shrunk(picture.pixels, LONGEST)
    return replace(picture, pixels=(np.rint(pixels) if picture.pixels.dtype.kind == "u" else pixels).astype(picture.pixels.dtype))


def _told(picture: Picture) -> str:
    height, width = picture.size
    return f"{width} wide and {height} high"
