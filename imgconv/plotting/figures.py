"""Figures as objects that a notebook shows. The contents are drawn when the figure is displayed or saved."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from imgconv.atomic import format_of, output_file
from imgconv.display.words import finite
from imgconv.images import Raster
from imgconv.inputs import Inputs
from imgconv.plotting.exhibits import Exhibit, Panel, exhibit, gallery
from imgconv.process.missing import located
from imgconv.recipe import Recipe
from imgconv.registry import Registry

FORMATS = ("png", "pdf", "svg")
NOTEBOOK_WIDTH = 1280  # pixels; a figure in a notebook is half as large in bytes as one that is written (2026-11)


@dataclass(frozen=True, eq=False, repr=False)
class Figure:
    """What `imgconv.figure` returns: an `exhibit`, which holds titles, panels and scales, and the recipe that it shows."""

    source: str
    recipe: str
    exhibit: Exhibit

    def draw(self, format: str = "png", width: int = 1920) -> bytes:
        """Return the page as "png", "pdf" or "svg": the same bytes each time. `width` is that of a png in pixels."""
        from imgconv.plotting.sheets import draw

        logger = logging.getLogger("matplotlib")
        level = logger.level
        logger.setLevel(logging.ERROR)  # it warns about fonts without a bold face, and about its own cache
        try:
            page = BytesIO()
            draw(self.exhibit, page, format, width)
            return page.getvalue()
        finally:
            logger.setLevel(level)

    def save(self, path: str | Path, inputs: Inputs | None = None) -> None:
        """Write the page to a .png, .pdf or .svg file. Raises UsageError if it is one of `inputs`, or ImageError, which names it."""
        format = format_of(Path(path), FORMATS, "path")
        with output_file(Path(path), inputs or Inputs()) as stream:
            stream.write(self.draw(format))

    def to_dict(self) -> dict[str, Any]:
        """Return titles, sizes and scales as JSON values, without the pixels."""
        groups = [{"title": each.title, "note": each.note, "panels": list(map(_described, each.panels))} for each in self.exhibit.groups]
        about = {"source": self.source, "recipe": self.recipe, "title": self.exhibit.title, "note": self.exhibit.note}
        values: dict[str, Any] = finite({**about, "groups": groups})
        return values

    def __str__(self) -> str:
        return f"{self.exhibit.title}   {self.exhibit.note}"

    def __repr__(self) -> str:
        return f"<Figure: {self.exhibit.title}>"

    def _repr_png_(self) -> bytes:
        return self.draw(width=NOTEBOOK_WIDTH)


def figure(image: Raster, recipe: Recipe, source: str, *, colour: bool = False) -> Figure:
    """Return the figure of `recipe` on `image`, which came from `source`; see `exhibit`. Raises MissingExtra without matplotlib."""
    import imgconv.plotting.sheets  # noqa: F401  so that it is missing here and not when a notebook shows the figure

    image = located(image, recipe.missing_data)
    return Figure(source, recipe.describe(), exhibit(image, recipe, _name(source), colour=colour))


def gallery_figure(image: Raster, registry: Registry, names: Sequence[str], source: str) -> Figure:
    """Return the figure of the kernels and banks of these `names` on `image`, which came from `source`; see `gallery`."""
    return Figure(source, "gallery", gallery(image, registry, names, _name(source)))


def _name(source: str) -> str:
    return "standard input" if source == "-" else Path(source).name


def _described(panel: Panel) -> dict[str, Any]:
    scale = panel.scale and {"low": panel.scale.low, "high": panel.scale.high, "signed": panel.scale.signed}
    kernels = [{"name": each.name, "taps": each.rows.tolist(), "after": each.description} for each in panel.taps]
    return {"title": panel.title, "note": panel.note, "size": panel.size, "scale": scale, "kernels": kernels}
