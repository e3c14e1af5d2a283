"""One image through one recipe: prepare its pixels, filter, pool or trace edges, postprocess, and carry metadata over."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from imgconv.arrays import Array
from imgconv.filters.alpha import straight
from imgconv.filters.color import luma, max_value_of
from imgconv.filters.filter2d import FilterArguments, ImageFilter, Output, filter_image
from imgconv.filters.output_range import Combination
from imgconv.filters.weights import anchor_of
from imgconv.images import Header, Raster, Sampling, transfer_of
from imgconv.modes import AlphaRule, CombineMode, PoolMode, Range
from imgconv.process.alpha import blocks, over_black, straight_grey, straight_pixels
from imgconv.process.maps import Map, of_window, with_metadata
from imgconv.recipe import Canny, Filter, MapPlan, Pool, Postprocess, Recipe, Shape
from imgconv.window import Window
from imgconv.windows.borders import Border, Part

OVERLAY_COLOUR = (1.0, 0.0, 0.0)  # red is rare in photographs and visible on dark and light


def process(image: Raster, recipe: Recipe, *, floats: bool = False, threads: int | None = None) -> list[Map]:
    """The maps of `image` by `recipe`, in the image's depth, or with `floats` as unrounded floats (with range `raw` by default).

    The missing cells of `image` may hold anything.
    """
    traced = recipe.trace(shape_of(image))
    step = recipe.step
    if image.metadata.nodata is not None or not recipe.missing_data.is_default:
        from imgconv.process.missing import filled, located

        image = located(image, recipe.missing_data, threads, fills=False)
        image = image if _is_plain(image, recipe) else filled(image, threads)
    if isinstance(step, Filter):
        prepared = _Prepared(image, step.grey, threads)
        results = [_filtered(prepared.get(alpha=step.keeps_alpha(plan)), step, plan, floats, threads) for plan in step.maps]
        samplings = [sampling_of(step, plan, image.size) for plan in step.maps]
    elif isinstance(step, Pool):
        results = [pooled(image, step, floats, threads)]
        samplings = [sampling_of_pool(step, image.size)]
    elif isinstance(step, Canny):
        results = [_canny(image, step, floats, threads)]
        samplings = [Sampling(image.size, gain=None)]
    else:
        from imgconv.process.network import run_network  # the only users of functional calls: filters and pools start without them

        return run_network(image, step, floats=floats)
    finished = [postprocessed(result, image, recipe) for result in results]
    samplings = [of_finished(sampling, recipe) for sampling in samplings]
    finished = [with_metadata(result, image, sampling) for result, sampling in zip(finished, samplings, strict=True)]
    finished = [with_missing(shown, result.valid, threads) for shown, result in zip(finished, results, strict=True)]
    return [Map(name, result) for (name, _), result in zip(traced, finished, strict=True)]


def with_missing(finished: Raster, valid: NDArray[np.uint8] | None, threads: int | None) -> Raster:
    """A finished map whose missing cells show as such; `valid` is None for the map of an image without missing cells."""
    if valid is None:
        return finished
    from imgconv.process.missing import marked  # most images have none

    return marked(replace(finished, valid=None), valid, threads)


def _is_plain(image: Raster, recipe: Recipe) -> bool:
    """Whether a filter or a pool alone reads the pixels of an image as they are, and leaves out what missing cells hold."""
    step = recipe.step
    if not isinstance(step, Filter | Pool) or (isinstance(step, Filter) and step.linear):
        return False
    return not (image.alpha or image.luma is not None or (step.grey and image.channels > 1) or recipe.postprocess.overlay)


def single_maps(recipe: Recipe) -> Iterator[Recipe]:
    """A recipe for each map of `recipe`, in order, for frames that must not be in memory together."""
    return (replace(recipe, step=step) for step in recipe.step.singles())


def shape_of(image: Raster | Header) -> Shape:
    """Size, channels and alpha of an image."""
    return Shape(*image.size, image.channels, image.alpha)


class _Prepared:
    """An image in the forms that the maps of one step need, with and without alpha, each made once."""

    def __init__(self, image: Raster, grey: bool, threads: int | None):
        self._image, self._grey, self._threads = image, grey, threads
        self._forms: dict[bool, Raster] = {}

    def get(self, *, alpha: bool) -> Raster:
        if alpha not in self._forms:
            self._forms[alpha] = prepare(self._image, self._grey, alpha, self._threads)
        return self._forms[alpha]


def prepare(image: Raster, grey: bool, keep_alpha: bool, threads: int | None) -> Raster:
    """`image` in grey if requested, by its file's own luma if there is one; without `keep_alpha`, over black and without alpha."""
    if image.valid is not None:
        from imgconv.process.missing import valid_of_form  # most images have no missing cells

        return valid_of_form(prepare(replace(image, valid=None), grey, keep_alpha, threads), image, grey=grey)
    if image.premultiplied and not keep_alpha:
        image = replace(image, pixels=np.ascontiguousarray(image.colours), alpha=False, premultiplied=False)
    pixels, alpha = image.pixels, image.alpha
    if image.luma is not None:
        return replace(image, pixels=image.luma if grey else pixels, luma=None)
    if grey and not (alpha and keep_alpha):
        return replace(image, pixels=luma(pixels, alpha=alpha, threads=threads), alpha=False)
    if grey:
        return replace(image, pixels=np.concatenate([straight_grey(image, threads), pixels[..., -1:]], axis=2), premultiplied=False)
    if alpha and not keep_alpha:
        return replace(image, pixels=over_black(pixels), alpha=False)
    return image


def _filtered(prepared: Raster, step: Filter, plan: MapPlan, floats: bool, threads: int | None) -> Raster:
    arguments = _filter_arguments(prepared, step, plan, floats)
    if prepared.valid is None:
        return replace(prepared, pixels=filter_image(arguments, threads), premultiplied=False)
    from imgconv.filters.missing import filter_missing

    pixels, valid = filter_missing(prepared.valid, step.rule, arguments, threads)
    return replace(prepared, pixels=pixels, valid=valid, premultiplied=False)


def filter_of_part(prepared: Raster, step: Filter, plan: MapPlan, floats: bool, part: Part, threads: int | None) -> ImageFilter:
    """The filter of one map on a part of an image, whose rows are prepared for it."""
    arguments = _filter_arguments(prepared, step, plan, floats)
    if prepared.valid is None:
        return ImageFilter(*arguments, part=part)
    from imgconv.filters.missing import missing_filter

    return missing_filter(prepared.valid, step.rule, arguments, threads, part)


def filtered_part(prepared: Raster, filter: ImageFilter, threads: int | None, extremes: tuple[float, float] | None) -> Raster:
    """The output rows of a `filter_of_part`; `extremes` are those of the whole map, for range `minmax`."""
    pixels, valid = filter.run(threads, extremes), None
    if filter.missing is not None:
        from imgconv.filters.missing import valid_results

        valid = valid_results(filter)
    return replace(prepared, pixels=pixels, valid=valid, premultiplied=False)


def _filter_arguments(image: Raster, step: Filter, plan: MapPlan, floats: bool) -> FilterArguments:
    range_ = Range(step.range or ("raw" if floats else plan.range))
    return FilterArguments(
        image.pixels,
        plan.kernels,
        step.window(plan),
        Border.of(step.padding_mode),
        Output(range_, rounded=not floats, linear=step.linear, transfer=transfer_of(image.metadata) if step.linear else None),
        Combination(CombineMode(plan.combine), plan.subspace),
        step.alpha_rule(plan) if image.alpha else "none",
        step.flip,
        image.premultiplied,
    )


def sampling_of(step: Filter, plan: MapPlan, size: tuple[int, int]) -> Sampling:
    """Where the results of a filter are: under the anchor of its first kernel."""
    return of_window(step.window(plan), size, anchor_of(plan.kernels[0], flip=step.flip), step.gain(plan))


def of_finished(sampling: Sampling, recipe: Recipe) -> Sampling:
    """The sampling of a map after the recipe's postprocessing, which gives levels another meaning."""
    return sampling if recipe.postprocess == Postprocess() else sampling._replace(gain=None)


def sampling_of_pool(step: Pool, size: tuple[int, int]) -> Sampling:
    """Where the results of a pool are: in the middle of their windows."""
    return of_window(step.window, size, gain=step.gain)


def pooled(image: Raster, step: Pool, floats: bool, threads: int | None, window: Window | None = None, part: Part | None = None) -> Raster:
    """The pool of an image; of a part of one, by a window for just this part, or where padded cells have values by the part itself."""
    from imgconv.filters.pool2d import pool_image  # filters start without its loops

    prepared = prepare(image, step.grey, step.keeps_alpha(), threads)
    dtype, computes = prepared.pixels.dtype, prepared.premultiplied and not PoolMode.of(step.mode)[0].selects
    prepared = replace(prepared, pixels=straight_pixels(prepared, np.dtype(np.float64) if computes else dtype), premultiplied=False)
    border = None if step.padding_mode is None else Border.of(step.padding_mode)
    if border:
        border.check_level(dtype)
    valid = None
    if prepared.valid is None:
        pixels = pool_image(prepared.pixels, window or step.window, step.mode, border=border, part=part, threads=threads)
    else:
        from imgconv.filters.pool2d import pool_missing

        arguments = prepared.valid, step.rule, prepared.pixels, window or step.window, step.mode
        pixels, valid = pool_missing(*arguments, border=border, part=part, threads=threads)
    if computes:
        pixels = (np.rint(pixels) if dtype.kind == "u" else pixels).astype(dtype)
    return Raster(_as_floats(pixels) if floats else pixels, prepared.alpha, prepared.metadata, prepared.duration, valid=valid)


def _canny(image: Raster, step: Canny, floats: bool, threads: int | None) -> Raster:
    from imgconv.filters.canny import canny_edges  # filters start without its loops

    prepared = prepare(image, True, step.keeps_alpha(), threads)
    unit = 0.01 if step.percent else 1.0
    low, high = (None if bound is None else bound * unit for bound in (step.low, step.high))
    valid = None if prepared.valid is None else np.ascontiguousarray(prepared.valid[..., 0])
    edges = canny_edges(prepared.pixels[..., :1], step.sigma, low, high, quantiles=step.percent, valid=valid, threads=threads)
    pixels = np.concatenate([edges, prepared.pixels[..., 1:]], axis=2) if prepared.alpha else edges
    return replace(prepared, pixels=_as_floats(pixels) if floats else pixels)


def _as_floats(pixels: Array) -> Array:
    return pixels if pixels.dtype == np.float64 else pixels.astype(np.float32)


def postprocessed(result: Raster, original: Raster, recipe: Recipe) -> Raster:
    """`result` cut at the threshold, inverted and drawn over `original`, as the recipe states; alpha does not change."""
    postprocess = recipe.postprocess
    if postprocess == Postprocess():
        return result
    colours, max_value = result.colours, max_value_of(original.pixels.dtype)
    highest, lowest = np.asarray(max_value, colours.dtype), np.asarray(0, colours.dtype)
    if postprocess.threshold is not None:
        colours[...] = np.where(colours >= postprocess.threshold, highest, lowest)
    if postprocess.invert:
        np.subtract(highest, colours, out=colours)
    if not postprocess.overlay:
        return result
    return _overlaid(result, prepare(original, False, AlphaRule(recipe.step.alpha).in_colour, None), max_value)


def _overlaid(result: Raster, original: Raster, max_value: float) -> Raster:
    """`original` in colour, with the overlay colour as opaque as `result` is bright."""
    pixels, edges = original.pixels, result.colours
    known = None if result.valid is None else result.valid[..., : edges.shape[2]]  # values of missing cells are arbitrary
    out = np.empty((*pixels.shape[:2], 3 + original.alpha), pixels.dtype)
    for rows in blocks(pixels):
        values = edges[rows] if known is None else np.where(known[rows], edges[rows], 0)
        opacity = np.clip(values.max(axis=-1, keepdims=True) / max_value, 0, 1)
        colours = straight(pixels[rows], max_value)[..., :-1] if original.premultiplied else original.colours[rows]
        blend = colours * (1 - opacity) + np.array(OVERLAY_COLOUR) * max_value * opacity
        out[rows, :, :3] = np.rint(blend) if pixels.dtype.kind == "u" else blend
    if original.alpha:
        out[..., 3] = pixels[..., -1]
    return replace(original, pixels=out, valid=None, premultiplied=False)
