"""The calls that show what is computed: plan, explain, figure, and learn, which finds a kernel.

The parameters that select an operation are those of `imgconv.recipe.selection.Selection`, which the commands use too.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import fields
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imgconv.api import NO_ALPHA, alpha_rule, as_keep, as_kernel, as_steps, missing_data_of
from imgconv.api_images import ImageLike, KernelLike, is_pil, open_image, warn_caller
from imgconv.arguments import PathLike, checked, named, python_remedies
from imgconv.errors import UsageError
from imgconv.images import DEFAULT_MAX_PIXELS, Luma, Raster, Request, read_header
from imgconv.inputs import Inputs
from imgconv.modes import Axes, PaddingMode
from imgconv.recipe import Recipe, Shape
from imgconv.recipe.selection import Selection
from imgconv.registry.files import files_read
from imgconv.window import Padding, Size, sizes

if TYPE_CHECKING:
    from imgconv.fitting.task import LearntKernels
    from imgconv.inspection.explanation import Explanation
    from imgconv.inspection.plans import ImagePlan
    from imgconv.plotting.figures import Figure


@checked
def plan(
    image: ImageLike | Sequence[int] | None = None,
    kernel: KernelLike | Sequence[KernelLike] | None = None,
    *,
    shape: Sequence[int] | None = None,
    range: str | None = None,
    threshold: float | None = None,
    invert: bool = False,
    overlay: bool = False,
    grey: bool | None = None,
    stride: Size | None = None,
    padding: Padding | None = None,
    padding_mode: str | tuple[str, float] | None = None,
    dilation: Size = 1,
    flip: bool = False,
    linear: bool = False,
    alpha: str = "auto",
    nodata: float | str | None = "auto",
    mask: ImageLike | None = None,
    missing: str = "keep",
    min_valid: float = 0.0,
    kernels_file: PathLike | None = None,
    size: Size | None = None,
    window: KernelLike | None = None,
    mode: str | None = None,
    ceil_mode: bool = False,
    canny: bool = False,
    sigma: float | None = None,
    low: float | None = None,
    high: float | None = None,
    quantiles: bool = False,
    step: str | Sequence[str] = (),
    recipe: PathLike | Sequence[str] | None = None,
    max_pixels: int | None = DEFAULT_MAX_PIXELS,
    axes: str | None = None,
) -> "ImagePlan":
    """Return the sizes, cost and algorithm of every step, before any pixel is decoded.

    Parameters
    ----------
    image : a path, a PIL image or an array, as in `imgconv.filter`, of which only the header, shape and dtype are read; or a bare shape
        (C, H, W) or (H, W), which `shape` is as well.
    kernel : one kernel or several, as in `imgconv.filter`. Without it, and without the options of a pool, canny or a network, the
        operation is that of `imgconv.edge`.
    range, threshold, invert, overlay, grey, stride, padding, padding_mode, dilation, flip, linear, alpha, nodata, mask, missing,
        min_valid : as in `imgconv.filter` and the command; None is the default of the operation.
    size, window, mode, ceil_mode : of a pool, as in `imgconv.pool`.
    canny, sigma, low, high, quantiles : of canny edges, as in `imgconv.canny`; `canny=True` alone has the defaults.
    step, recipe : the steps of a network, each as on the command line; or a recipe file, FILE or FILE:NAME, or a list of steps.
    kernels_file : a file of kernels that take precedence over all others.
    max_pixels : images with more pixels are refused; None for no limit.
    axes : "HWC" or "CHW", the order of the axes of a .npy file.

    Returns
    -------
    An ImagePlan: `source`, `recipe`, `shape` (C, H, W), `dtype`, `steps` (each with input, output, formulas of the sizes, padding,
    parameters, multiply_adds, receptive_field, algorithm, memory), `parameters`, `multiply_adds`, `work`, `peak_memory`. A notebook shows
    its tables; `str` is the text that `imgconv plan` prints, `to_dict()` what it writes with --json.

    Raises
    ------
    ValueError : options that exclude each other, or that do not fit the image.
    TypeError, OSError : as in `imgconv.filter`.

    Examples
    --------
    >>> import imgconv
    >>> imgconv.plan((3, 224, 224), step=["conv laplacian8 padding=1", "max_pool 2"]).steps[-1].output
    (3, 112, 112)
    """
    from imgconv.inspection.plans import plan as planned

    with python_remedies():
        selected = _selected(locals())
        if image is not None and shape is not None:
            raise UsageError("both an image and a shape are given; leave one of them out")
        if shape is not None:
            return planned(selected, _shape(shape), source=_shape_text(shape))
        if isinstance(image, Sequence) and not isinstance(image, str):
            return planned(selected, _shape(image), source=_shape_text(image))
        if image is None:
            raise UsageError("no image given; give an image, or a shape such as (3, 224, 224)")
        with named(image):
            source, traced, dtype, declares = _header(image, _request("no", max_pixels, False, axes), bands=alpha == NO_ALPHA)
            return planned(selected, traced, dtype, source, declares_missing=declares)


@checked
def explain(
    image: ImageLike,
    kernel: KernelLike | Sequence[KernelLike] | None = None,
    *,
    at: tuple[int, int] | None = None,
    matrix: bool = False,
    animate: PathLike | None = None,
    html: PathLike | None = None,
    crop: Sequence[int] | None = None,
    quiz: bool = False,
    range: str | None = None,
    threshold: float | None = None,
    invert: bool = False,
    overlay: bool = False,
    grey: bool | None = None,
    stride: Size | None = None,
    padding: Padding | None = None,
    padding_mode: str | tuple[str, float] | None = None,
    dilation: Size = 1,
    flip: bool = False,
    linear: bool = False,
    alpha: str = "auto",
    nodata: float | str | None = "auto",
    mask: ImageLike | None = None,
    missing: str = "keep",
    min_valid: float = 0.0,
    kernels_file: PathLike | None = None,
    size: Size | None = None,
    window: KernelLike | None = None,
    mode: str | None = None,
    ceil_mode: bool = False,
    canny: bool = False,
    sigma: float | None = None,
    low: float | None = None,
    high: float | None = None,
    quantiles: bool = False,
    step: str | Sequence[str] = (),
    recipe: PathLike | Sequence[str] | None = None,
    max_pixels: int | None = DEFAULT_MAX_PIXELS,
    salvage: bool = False,
    axes: str | None = None,
) -> "Explanation":
    """Return the arithmetic behind one output pixel, for every map.

    Parameters
    ----------
    image : a path, a PIL image or an array, as in `imgconv.filter`.
    at : the output pixel as (column, row), counted from zero; by default the middle of the output.
    matrix : show the kernel as a matrix, and im2col, for a few cells around the pixel.
    animate : also draw the window as it moves over a few cells, into this .gif, .png, .apng or .webp file.
    html : also write a page for a browser into this .html file; `crop`, (x, y, width, height), is the part of the image that it shows, and
        `quiz` adds five questions. `show()` of the result returns the same page for a notebook.
    salvage : use the readable part of a damaged file.
    The others are those of `imgconv.plan`. Of a network the last step is explained.

    Returns
    -------
    An Explanation: `source`, `at`, `recipe`, `image`, `maps` (each with the cells under its window, channels, products and stages) and
    `matrices`. A notebook shows its tables; `str` is the text that `imgconv explain` prints, `to_dict()` what it writes with --json.

    Raises
    ------
    ValueError : as in `imgconv.plan`, and a pixel outside of the output.
    TypeError, OSError : as in `imgconv.filter`.

    Examples
    --------
    >>> import imgconv, numpy as np
    >>> step = np.array([[50, 50, 200, 200]], np.uint8)
    >>> explanation = imgconv.explain(step, "-1 0 1", at=(1, 0))
    >>> [stage.text for stage in explanation.maps[0].channels[0].members[0].stages], explanation.maps[0].written
    (['-1*50 + 1*200'], [150.0])
    """
    from imgconv.atomic import format_of
    from imgconv.inspection.explanation import explain as explained
    from imgconv.plotting.animation import animate as frames_of
    from imgconv.plotting.animation import write_animation

    with python_remedies():
        selected = _selected(locals())
        if html is not None:
            format_of(Path(html), ["html"], "--html")
        with named(image):
            request = _request(selected.luma, max_pixels, salvage, axes)
            request = request._replace(premultiplied=alpha != NO_ALPHA)
            raster, frames, _ = open_image(image, request, bands=alpha == NO_ALPHA, masked=True)
            source = _source(image, raster)
            explanation = explained(raster, selected, _pixel(at), source=source, frames=frames, matrix=matrix)
        if animate is not None:
            write_animation(list(frames_of(raster, selected, explanation.at)), Path(animate), _inputs(image))
        if html is not None:
            explanation.show(crop=crop, quiz=quiz).write(Path(html), _inputs(image))
        elif crop is not None or quiz:
            raise UsageError(f"{'quiz' if quiz else 'crop'} applies only to the page; add --html FILE.html")
    return explanation


@checked
def figure(
    image: ImageLike,
    kernel: KernelLike | Sequence[KernelLike] | None = None,
    *,
    output: PathLike | None = None,
    keep: str | int | Sequence[str | int] = (),
    range: str | None = None,
    threshold: float | None = None,
    invert: bool = False,
    overlay: bool = False,
    grey: bool | None = None,
    stride: Size | None = None,
    padding: Padding | None = None,
    padding_mode: str | tuple[str, float] | None = None,
    dilation: Size = 1,
    flip: bool = False,
    linear: bool = False,
    alpha: str = "auto",
    nodata: float | str | None = "auto",
    mask: ImageLike | None = None,
    missing: str = "keep",
    min_valid: float = 0.0,
    kernels_file: PathLike | None = None,
    size: Size | None = None,
    window: KernelLike | None = None,
    mode: str | None = None,
    ceil_mode: bool = False,
    canny: bool = False,
    sigma: float | None = None,
    low: float | None = None,
    high: float | None = None,
    quantiles: bool = False,
    step: str | Sequence[str] = (),
    recipe: PathLike | Sequence[str] | None = None,
    max_pixels: int | None = DEFAULT_MAX_PIXELS,
    salvage: bool = False,
    axes: str | None = None,
) -> "Figure":
    """Return a figure of an image and its maps side by side, with axes, scales and the numbers of the kernels.

    Parameters
    ----------
    image : a path, a PIL image or an array, as in `imgconv.filter`.
    output : also write the figure to this .png, .pdf or .svg file.
    keep : draw only the maps of these steps of a network, each a number from 1 or an op.
    The others are those of `imgconv.plan` and `imgconv.explain`.

    Returns
    -------
    A Figure: `source`, `recipe` and `exhibit`, which has a title, a note and groups of panels with their scales. A notebook shows the
    page; `draw(format)` returns it as bytes. `to_dict()` has titles, sizes and scales.

    Raises
    ------
    ValueError, TypeError, OSError : as in `imgconv.explain`.
    ImportError : without matplotlib.

    Examples
    --------
    >>> import imgconv, numpy as np
    >>> str(imgconv.figure(np.eye(9, dtype=np.uint8), "sobel_x"))
    'sobel_x on an array of 9x9   filter sobel_x'
    """
    from imgconv.atomic import format_of
    from imgconv.plotting.figures import FORMATS
    from imgconv.plotting.figures import figure as figure_of

    with python_remedies():
        if output is not None:
            format_of(Path(output), FORMATS, "-o")
        selected = _selected(locals(), as_keep(keep))
        with named(image):
            request = _request("also", max_pixels, salvage, axes)._replace(premultiplied=alpha != NO_ALPHA)
            raster, _, _ = open_image(image, request, bands=alpha == NO_ALPHA, masked=True)
            drawn = figure_of(raster, selected, _source(image, raster), colour=grey is False)
        if output is not None:
            drawn.save(Path(output), _inputs(image))
    return drawn


@checked
def learn(
    before: ImageLike | Sequence[ImageLike],
    after: ImageLike | Sequence[ImageLike],
    *,
    size: Size = 3,
    channels: str = "grey",
    descend: bool = False,
    steps: int = 600,
    nodata: float | str | None = "auto",
    mask: "ImageLike | None" = None,
    name: str | None = None,
    force: bool = False,
    output: PathLike | None = None,
    max_pixels: int | None = DEFAULT_MAX_PIXELS,
    salvage: bool = False,
    axes: str | None = None,
) -> "LearntKernels":
    """Find the kernel that turns one image into another.

    Windows are ignored if their result is black or white, which may be clipped, or if they hold pixels that are missing or not finite.

    Parameters
    ----------
    before, after : images as in `imgconv.filter`, the second filtered from the first; or as many of both in lists.
    size : of the kernel, a number or (height, width).
    channels : "grey" for one kernel for the luma, "each" for one for each colour channel, "all" for weights across all channels.
    descend : use gradient descent of `steps` steps, as networks do, instead of least squares. A notebook shows the loss as it falls.
    nodata, mask : as in `imgconv.filter`; the mask is one of the images `before`.
    name, force : add the kernel to your kernels file under this name; with `force` it replaces one of that name.
    output : write the weights to this .npy file.
    max_pixels, salvage, axes : as in `imgconv.explain`.

    Returns
    -------
    LearntKernels: `kernel`, `kernels(name)`, `weights`, `fits` (each with taps, divisor, offset, error and explained variance of the
    kernels that were fitted together) and `losses`. A notebook shows its tables; `str` is the text that `imgconv learn` prints,
    `to_dict()` what it writes with --json.

    Raises
    ------
    ValueError : sizes or channels that do not match, too few windows, a name that is taken.
    TypeError, OSError : as in `imgconv.filter`.

    Examples
    --------
    >>> import imgconv, numpy as np
    >>> noise = np.random.default_rng(0).integers(0, 256, (40, 50), np.uint8)
    >>> imgconv.learn(noise, imgconv.filter(noise, "1 2 1; 2 4 2; 1 2 1 / 16")).kernel.taps.tolist()
    [[1.0, 2.0, 1.0], [2.0, 4.0, 2.0], [1.0, 2.0, 1.0]]
    """
    from imgconv.atomic import format_of
    from imgconv.fitting.learning import opened_pair
    from imgconv.fitting.task import Task
    from imgconv.registry import user_file

    def opened(image: ImageLike, luma: Luma) -> Raster:
        with named(image):
            return open_image(image, _request(luma, max_pixels, salvage, axes), masked=True).raster

    befores, afters = ([each] if not isinstance(each, list | tuple) else list(each) for each in (before, after))
    with python_remedies():
        task = Task(size, channels, descend, steps, name, force, missing_data_of(nodata, mask))
        inputs = Inputs((*_inputs(*befores, *afters).files, *([user_file()] if name is not None else [])))
        if output is not None:
            format_of(Path(output), ["npy"], "-o")
            inputs.refuse(Path(output))
        if len(befores) != len(afters) or not befores:
            raise UsageError(f"{len(befores)} images before and {len(afters)} after are not pairs; give as many of both")
        pairs = [opened_pair(*pair, opened) for pair in zip(befores, afters, strict=True)]
        named_pairs = zip(zip(befores, afters, strict=True), pairs, strict=True)
        sources = chain.from_iterable(map(_source, images, rasters) for images, rasters in named_pairs)
        learnt = task.learn(pairs, tuple(sources), on_terminal=False)
        if output is not None:
            learnt.save(Path(output), inputs)
        if name is not None:
            _warn_of_shadows([stored for stored, _ in learnt.store(name, force=force)])
    return learnt


def _warn_of_shadows(names: Sequence[str]) -> None:
    """Warn where a new kernel hides one of the same name."""
    from imgconv.registry import Registry

    for entry in Registry.load().entries():
        if entry.name in names and entry.shadows:
            warn_caller(f"the new kernel {entry.name} replaces the {entry.shadows} kernel")


def _selected(arguments: Mapping[str, Any], keep: Sequence[str] = ()) -> Recipe:
    """Return the recipe of the arguments of a call, among whose parameters are the fields of `Selection`."""
    values = {field.name: arguments[field.name] for field in fields(Selection) if field.name != "missing_data"}
    values["missing_data"] = missing_data_of(arguments["nodata"], arguments["mask"])
    kernel, step, recipe, file = (values[name] for name in ("kernel", "step", "recipe", "kernels_file"))
    if isinstance(kernel, list | tuple) and not kernel:
        raise UsageError("kernel is empty; give at least one kernel, or leave it out")
    values["kernel"] = () if kernel is None else tuple(map(as_kernel, kernel if isinstance(kernel, list | tuple) else [kernel]))
    values["step"] = as_steps(step)
    if recipe is not None and not isinstance(recipe, str | os.PathLike):
        values["step"], values["recipe"] = (*values["step"], *as_steps(recipe)), None
    values["kernels_file"] = None if file is None else Path(file)
    values["alpha"] = alpha_rule(values["alpha"])
    if values["quantiles"]:
        values |= {name: None if values[name] is None else 100.0 * values[name] for name in ("low", "high")}
    values["window"] = None if values["window"] is None else as_kernel(values["window"], "window")
    if values["padding_mode"] is not None and not isinstance(values["padding_mode"], str):
        values["padding_mode"] = PaddingMode.of(values["padding_mode"])
    return Selection(**values).to_recipe(keep)


def _pixel(at: tuple[int, int] | None) -> tuple[int, int] | None:
    if at is None:
        return None
    if not isinstance(at, Sequence) or len(at) != 2:
        raise UsageError(f"at must be (column, row), counted from zero, not {at!r}")
    column, row = sizes(at, "at", 2, least=0)
    return column, row


def _shape(size: Sequence[int]) -> Shape:
    """Return the shape of a bare (C, H, W) or (H, W). Of two or four channels the last is alpha."""
    if not isinstance(size, Sequence) or isinstance(size, str | bytes) or len(size) not in (2, 3):
        raise UsageError(f"shape must be (C, H, W) or (H, W), not {size!r}")
    channels, height, width = (1, *sizes(size, "shape", len(size), least=1))[-3:]
    return Shape(height, width, channels, channels in (2, 4))


def _shape_text(size: Sequence[int]) -> str:
    return f"an image of {'x'.join(map(str, size))}"


def _header(image: ImageLike, request: Request, *, bands: bool) -> tuple[str, Shape, str, bool]:
    """Return the name, the shape and the dtype of an image, of a file without decoding it, and whether it may have missing cells."""
    if isinstance(image, str | os.PathLike):
        header = read_header(Path(image), request)
        shape = Shape(*header.size, header.channels, header.alpha and not bands)
        return os.fspath(image), shape, header.dtype, header.declares_missing
    raster = open_image(image, bands=bands, masked=True).raster
    shape = Shape(*raster.size, raster.channels, raster.alpha)
    return _source(image, raster), shape, raster.pixels.dtype.name, raster.valid is not None


def _request(luma: Luma, max_pixels: int | None, salvage: bool, axes: str | None) -> Request:
    return Request(luma, max_pixels, salvage, None if axes is None else Axes(axes))


def _source(image: ImageLike, raster: Raster) -> str:
    """Return the name of an image: that of its file, or what it is."""
    if isinstance(image, str | os.PathLike):
        return os.fsdecode(image)
    name = getattr(image, "filename", "") if is_pil(image) else ""
    shape = raster.pixels.shape if raster.channels > 1 else raster.size
    return os.fsdecode(name) if name else f"{'a PIL image' if is_pil(image) else 'an array'} of {'x'.join(map(str, shape))}"


def _inputs(*images: ImageLike) -> Inputs:
    """Return what no output may replace: the files of the images, and all kernels, recipes and weights that were read so far."""
    return Inputs((*(Path(image) for image in images if isinstance(image, str | os.PathLike)), *files_read()))
