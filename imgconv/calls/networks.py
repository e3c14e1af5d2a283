"""`imgconv.run`: a picture through the steps of a recipe."""

import os
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any, Union

import numpy as np

from imgconv.calls.images import Picturelike, opened
from imgconv.process import Map, process
from imgconv.recipe import network_recipe


def run(
    image: Picturelike,
    recipe: Union[str, "os.PathLike[str]", Sequence[str]],
    *,
    keep: str | int | Sequence[str | int] = (),
    range: str | None = None,
    sheet: bool = False,
) -> Any:
    """Take a picture through the steps of a recipe, as float32 from the stored values on, without rounding in between.

    Parameters
    ----------
    image : as in `filter`; alpha is dropped.
    recipe : a recipe file, FILE or FILE:NAME, or a list of steps as typed on the command line, such as `["conv sobel", "combine"]`.
    keep : the steps whose results are wanted, each a number from 1 or an op; the last one unless given.
    range : how values become pixels, as in `filter`; None is what suits the steps, "raw" gives float32.
    sheet : put all maps into one picture.

    Returns
    -------
    A map as in `filter`: a PIL image, or an array of the dtype of the array given; colours stay together where no step mixes them.
    A vector is always an array (L,) float32. A list where there are several.

    Raises
    ------
    ValueError : a recipe that is wrong, or a step that does not fit, by number.
    TypeError, OSError : as in `filter`.
    ImportError : weights in a .safetensors file without the safetensors library.

    Examples
    --------
    >>> import imgconv, numpy as np
    >>> imgconv.run(np.arange(16, dtype=np.uint8).reshape(4, 4), ["conv '-1 1'", "max_pool 2 stride=1"], range="raw")
    array([[1., 1.],
           [1., 1.],
           [1., 1.]], dtype=float32)
    """
    kept = [str(step) for step in ([keep] if isinstance(keep, str | int) else keep)]
    asked: dict[str, Any] = {"file": os.fspath(recipe)} if isinstance(recipe, str | os.PathLike) else {"steps": recipe}
    known = network_recipe(**asked, keep=kept, range=range, sheet=sheet)
    picture, back = opened(image, known)
    results = _with_vectors(process(picture, known), back)
    return results[0] if len(results) == 1 else results


def _with_vectors(maps: Sequence[Map], back: Callable[[Map], Any]) -> list[Any]:
    """Maps as `back` makes them, and the numbers of a vector as one array."""
    results: list[Any] = []
    for vector, group in groupby(maps, key=lambda made: made.vector):
        members = list(group)
        results += [np.array([made.picture.pixels.item() for made in members], np.float32)] if vector else [back(made) for made in members]
    return results
