"""From inputs, or a shape as typed, to the plan of a recipe on each; reads headers and nothing more."""

import re
from collections.abc import Iterator, Sequence

from imgconv.batch.inputs import headers
from imgconv.errors import DoesNotFit, ImageError, UsageError
from imgconv.images import Header
from imgconv.inspection.plans import ImagePlan, plan
from imgconv.recipe import Recipe, Shape


def plans(inputs: Sequence[str], shape: str | None, recipe: Recipe, max_pixels: int | None) -> Iterator[tuple[str, ImagePlan | str]]:
    """The name and the plan of each image, or what is wrong with it."""
    if bool(inputs) == (shape is not None):
        given = "both an image and --shape are given" if inputs else "no image is given"
        raise UsageError(f"{given}; give an image, or --shape such as 3x224x224")
    if shape is not None:
        yield f"an image of {shape}", plan(recipe, shape_of_words(shape))
        return
    for name, header in headers(inputs, max_pixels):
        yield name, str(header) if isinstance(header, ImageError) else _planned(recipe, header)


def _planned(recipe: Recipe, header: Header) -> ImagePlan | str:
    try:
        return plan(recipe, Shape(*header.size, header.channels, header.alpha), header.dtype)
    except DoesNotFit as error:
        return str(error)


def algorithms(recipe: Recipe, shape: Shape, dtype: str) -> str:
    """How the steps of a recipe are done, in words.

    >>> from imgconv.recipe import filter_recipe
    >>> algorithms(filter_recipe(["laplacian8"]), Shape(600, 800, 1), "uint8")
    'small, int16'
    """
    return "; ".join(dict.fromkeys(step.algorithm for step in plan(recipe, shape, dtype).steps if step.algorithm))


def shape_of_words(text: str) -> Shape:
    """`CxHxW`, or `HxW` for a grey image; two and four channels end in alpha.

    >>> shape_of_words("3x224x320")
    Shape(height=224, width=320, channels=3, alpha=False)
    """
    match = re.fullmatch(r"(?:(\d{1,5})[xX])?(\d{1,9})[xX](\d{1,9})", text.strip(), re.ASCII)
    channels, height, width = (int(size or 1) for size in match.groups()) if match else (0, 0, 0)
    if not (channels and height and width):
        raise UsageError(f"--shape {text!r} is no shape; use CxHxW, for example 3x224x224")
    return Shape(height, width, channels, channels in (2, 4))
