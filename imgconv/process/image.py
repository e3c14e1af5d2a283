"""What comes of an image: its finished maps.

One image through one recipe: filters, pools and traced edges here, networks in `networks`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from imgconv.filters.color import luma, white
from imgconv.filters.filter2d import Finish, filter_image
from imgconv.filters.output_range import Combination
from imgconv.images import Metadata, Raster
from imgconv.modes import AlphaRule
from imgconv.recipe import Canny, Filter, MapPlan, Pool, Postprocess, Recipe, Shape
from imgconv.windows.borders import Border

if TYPE_CHECKING:
    from imgconv.recipe import Network


@dataclass(frozen=True, eq=False)
class Map:
    """One finished map: its name and its image; a number of a vector is a map of one cell, and `vector` is that vector's name."""

    name: str
    image: Raster
    vector: str = ""


BLOCK = 1 << 14  # pixels
OVERLAY_COLOUR = (1.0, 0.0, 0.0)  # red is rare in photographs and seen on dark and light


def process(image: Raster, recipe: Recipe, *, floats: bool = False, threads: int | None = None) -> list[Map]:
    """The maps that `recipe` makes of `image`, in the image's depth, or with `floats` as unrounded float32 (range `raw` by default)."""
    shape = shape_of(image)
    names = [name for name, _ in recipe.trace(shape)]
    step = recipe.step
    if isinstance(step, Pool):
        finished = [_pooled(image, step, floats, threads)]
    elif isinstance(step, Canny):
        finished = [_traced(image, step, floats, threads)]
    elif not isinstance(step, Filter):
        return [replace(made, image=_with_metadata(made.image, image)) for made in _of_network(image, step, floats)]
    else:
        prepared = _Prepared(image, step, threads)
        finished = [_filtered(prepared, step, plan, floats, threads) for plan in step.maps]
    looked = [_postprocessed(made, image, recipe) for made in finished]
    return [Map(name, _with_metadata(made, image)) for name, made in zip(names, looked, strict=True)]


def single_maps(recipe: Recipe) -> Iterator[Recipe]:
    """A recipe for each map of `recipe`, in order, for frames that must not lie in memory together."""
    return (replace(recipe, step=step) for step in recipe.step.singles())


def _of_network(image: Raster, network: "Network", floats: bool) -> list[Map]:
    from imgconv.process.network import run_network  # the operators of networks, which filters and pools do without

    return run_network(image, network, floats=floats)


def shape_of(image: Raster) -> Shape:
    """Size, channels and alpha of a decoded image."""
    height, width, channels = image.pixels.shape
    return Shape(height, width, channels, image.alpha)


class _Prepared:
    """An image as the maps of one step want it: with alpha, or without; grey, or in colour. Made once each."""

    def __init__(self, image: Raster, step: Filter, threads: int | None):
        self._image, self._step, self._threads = image, step, threads
        self._made: dict[bool, Raster] = {}

    def get(self, *, alpha: bool) -> Raster:
        if alpha not in self._made:
            self._made[alpha] = _prepare(self._image, self._step.grey, alpha, self._threads)
        return self._made[alpha]


def _prepare(image: Raster, grey: bool, keep_alpha: bool, threads: int | None) -> Raster:
    """`image` grey if asked for, by its file's own luma where that is known; without `keep_alpha`, over black and its alpha dropped."""
    pixels, alpha = image.pixels, image.alpha
    if image.luma is not None:
        return replace(image, pixels=image.luma if grey else pixels, luma=None)
    if grey and not (alpha and keep_alpha):
        return replace(image, pixels=luma(pixels, alpha=alpha, threads=threads), alpha=False)
    if grey:
        shade = luma(np.ascontiguousarray(pixels[..., :-1]), alpha=False, threads=threads)
        return replace(image, pixels=np.concatenate([shade, pixels[..., -1:]], axis=2))
    if alpha and not keep_alpha:
        return replace(image, pixels=_over_black(pixels), alpha=False)
    return image


def _over_black(pixels: NDArray[Any]) -> NDArray[Any]:
    colour, alpha = pixels[..., :-1], pixels[..., -1:]
    if pixels.dtype.kind != "u":
        return colour * alpha
    top = int(white(pixels.dtype))
    out = np.empty(colour.shape, pixels.dtype)
    for rows in _blocks(pixels):
        out[rows] = (colour[rows].astype(np.uint32) * alpha[rows] + top // 2) // top
    return out


def _blocks(pixels: NDArray[Any]) -> Iterator[slice]:
    """A few rows at a time, so that no whole copy of an image in wider numbers exists."""
    step = max(1, BLOCK // pixels.shape[1])
    return (slice(first, first + step) for first in range(0, len(pixels), step))


def _filtered(prepared: _Prepared, step: Filter, plan: MapPlan, floats: bool, threads: int | None) -> Raster:
    image = prepared.get(alpha=step.keeps_alpha(plan))
    range_ = step.range or ("raw" if floats else plan.range)
    pixels = filter_image(
        image.pixels,
        plan.kernels,
        step.window(plan),
        Border.of(step.padding_mode),
        Finish(range_, rounded=not floats, linear=step.linear),
        combination=Combination(plan.combine, plan.subspace),
        alpha=step.alpha_rule(plan) if image.alpha else "none",
        flip=step.flip,
        threads=threads,
    )
    return replace(image, pixels=pixels)


def _pooled(image: Raster, step: Pool, floats: bool, threads: int | None) -> Raster:
    made = _prepare(image, step.grey, step.keeps_alpha(), threads)
    from imgconv.filters.pool2d import pool_image  # filters do without its loops

    pixels = pool_image(made.pixels, step.window, step.mode, threads=threads)
    return Raster(pixels.astype(np.float32) if floats else pixels, made.alpha, made.metadata, made.duration)


def _traced(image: Raster, step: Canny, floats: bool, threads: int | None) -> Raster:
    made = _prepare(image, True, step.keeps_alpha(), threads)
    from imgconv.filters.canny import canny_edges  # filters do without its loops

    part = 0.01 if step.percent else 1.0
    low, high = (None if bound is None else bound * part for bound in (step.low, step.high))
    edges = canny_edges(made.pixels[..., :1], step.sigma, low, high, quantiles=step.percent, threads=threads)
    pixels = np.concatenate([edges, made.pixels[..., 1:]], axis=2) if made.alpha else edges
    return replace(made, pixels=pixels.astype(np.float32) if floats else pixels)


def _postprocessed(made: Raster, original: Raster, recipe: Recipe) -> Raster:
    """`made` cut, inverted and drawn over `original`, as the recipe asks; alpha is left alone."""
    postprocess = recipe.postprocess
    if postprocess == Postprocess():
        return made
    top = white(original.pixels.dtype)
    pixels = made.pixels
    colours = pixels[..., :-1] if made.alpha else pixels
    if postprocess.threshold is not None:
        colours[...] = np.where(colours >= postprocess.threshold, np.asarray(top, pixels.dtype), np.asarray(0, pixels.dtype))
    if postprocess.invert:
        np.subtract(np.asarray(top, pixels.dtype), colours, out=colours)
    return _overlaid(made, _prepare(original, False, AlphaRule(recipe.step.alpha).in_colour, None), top) if postprocess.overlay else made


def _overlaid(made: Raster, original: Raster, top: float) -> Raster:
    """`original` in colour, with the overlay colour as opaque as `made` is bright."""
    pixels = original.pixels
    colours = pixels[..., :-1] if original.alpha else pixels
    edges = made.pixels[..., :-1] if made.alpha else made.pixels
    out = np.empty((*pixels.shape[:2], 3 + original.alpha), pixels.dtype)
    for rows in _blocks(pixels):
        part = np.clip(edges[rows].max(axis=-1, keepdims=True) / top, 0, 1)
        blend = colours[rows] * (1 - part) + np.array(OVERLAY_COLOUR) * top * part
        out[rows, :, :3] = np.rint(blend) if pixels.dtype.kind == "u" else blend
    if original.alpha:
        out[..., 3] = pixels[..., -1]
    return replace(original, pixels=out)


def _with_metadata(made: Raster, original: Raster) -> Raster:
    """`made` with the metadata that still holds: no resolution for an image that was strided smaller."""
    height, width = made.pixels.shape[:2]
    smaller = height * 3 < original.pixels.shape[0] * 2 or width * 3 < original.pixels.shape[1] * 2
    metadata: Metadata = replace(original.metadata, dpi=None) if smaller and original.metadata.dpi else original.metadata
    if made.metadata is metadata and made.duration == original.duration:
        return made
    return replace(made, metadata=metadata, duration=original.duration)
