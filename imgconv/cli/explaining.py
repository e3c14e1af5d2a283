"""From the options of `explain` to what it prints and draws."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imgconv.batch.inputs import first_frame, write_animation
from imgconv.cli import explain_view, matrix_view, words
from imgconv.cli.json_lines import write_line
from imgconv.cli.lines import counted
from imgconv.errors import UsageError
from imgconv.images import Raster
from imgconv.inspection.arithmetic import explain
from imgconv.inspection.cells import filter_input
from imgconv.inspection.matrices import Matrices, filter_matrices
from imgconv.plotting.animation import animate
from imgconv.recipe import Filter, Recipe


@dataclass(frozen=True)
class Request:
    """What is to be explained, where, and how it is told."""

    source: str
    at: tuple[int, int] | None
    matrix: bool
    animate: Path | None
    json: bool


def execute(request: Request, recipe: Recipe, max_pixels: str, *, salvage: bool) -> None:
    """Print the arithmetic of one output pixel, or its matrices; draw the animation beside."""
    limit = words.limit(max_pixels, "--max-pixels")
    if request.animate is not None and request.animate.suffix.lower() not in (".gif", ".png", ".apng", ".webp"):
        raise UsageError(f"--animate {request.animate} is no name of an animation; use one that ends in .gif, .png or .webp")
    image, frames = first_frame(request.source, luma=recipe.luma, max_pixels=limit, salvage=salvage)
    explanation = explain(image, recipe, request.at)
    column, row = explanation.at
    found = _matrices(image, recipe, (row, column)) if request.matrix else []
    drawn = list(animate(image, recipe, explanation.at)) if request.animate is not None else []
    if request.json:
        about = {"source": request.source, "frame": 1, "frames": frames, "recipe": recipe.describe()}
        told: dict[str, Any] = {**about, **explanation.as_json()}
        told |= {"matrices": [each.as_json() for each in found]} if request.matrix else {}
        write_line(told)
    elif request.matrix:
        matrix_view.print_matrices(found)
    else:
        of_many = f", frame 1 of {frames}" if frames > 1 else ""
        explain_view.print_explanation(f"{request.source}{of_many}", recipe, image, explanation)
    if request.animate is not None:
        write_animation(drawn, request.animate, request.source)
        sys.stderr.write(f"{request.animate}: {counted(len(drawn), 'frame')}\n")


def _matrices(image: Raster, recipe: Recipe, at: tuple[int, int]) -> list[Matrices]:
    step = recipe.step
    if not isinstance(step, Filter):
        raise UsageError("--matrix is for one filter; give -k, without --size or -s")
    return filter_matrices(filter_input(image, grey=step.grey, alpha=False), step, at)
