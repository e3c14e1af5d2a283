"""The contents of a figure as data: the input, the maps or steps with their scales, and kernels as numbers. Nothing is drawn here."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imgconv.filters.color import max_value_of
from imgconv.images import Raster
from imgconv.inspection.canny_arithmetic import CannyStages
from imgconv.inspection.pixel import filter_input
from imgconv.plotting.thumbnails import shrunk
from imgconv.process import process, shape_of
from imgconv.process.network import results_of
from imgconv.recipe import Canny, Filter, MapPlan, Network, Pool, Postprocess, Recipe, filter_recipe
from imgconv.registry import Kernel, Registry

Array = NDArray[Any]
SHARE = 0.5  # percent of the values that may lie beyond either end of a scale, so that a few do not make all others pale
READ = 11  # taps along a side of a kernel that is drawn as numbers
LONGEST, TILE = 1400, 320  # cells along a side of a panel, and of one of many panels, that a page can show


@dataclass(frozen=True)
class Scale:
    """What colours mean: from `low` to `high`, about zero where values are `signed`; whether some lie below or above."""

    low: float
    high: float
    signed: bool
    below: bool = False
    above: bool = False

    @classmethod
    def of(cls, values: Array) -> "Scale":
        """The scale of maps: as far below zero as above it where some values are negative, else from zero.

        >>> Scale.of(np.array([-2.0, 0.0, 1.0]))
        Scale(low=-2.0, high=2.0, signed=True, below=False, above=False)
        """
        finite = values[np.isfinite(values)].astype(np.float64)
        if not finite.size:
            return cls(0.0, 1.0, False)
        low, high = float(finite.min()), float(finite.max())
        signed = low < 0
        most = float(np.percentile(np.abs(finite), 100 - SHARE, method="higher")) or max(-low, high) or 1.0
        return cls(-most if signed else 0.0, most, signed, signed and low < -most, high > most)


@dataclass(frozen=True, eq=False)
class Taps:
    """A kernel as it is applied to an image: `rows` (kh, kw) of numbers, and a text with its size, divisor and offset."""

    name: str
    rows: Array
    description: str

    @classmethod
    def of(cls, kernel: Kernel, *, flip: bool = False) -> "Taps":
        """The numbers of a 2-D kernel.

        >>> Taps.of(Kernel("blur", [[1, 2, 1]], divisor=4)).description
        'kernel 1x3, divided by 4'
        """
        height, width = kernel.taps.shape
        words = [f"kernel {height}x{width}"]
        words += [f"largest {number(np.abs(kernel.taps).max())}"] if max(height, width) > READ else []
        words += [f"divided by {kernel.divisor:.6g}"] if kernel.divisor != 1 else []
        words += [f"plus {kernel.offset:.4g}"] if kernel.offset else []
        words += [f"plus {kernel.bias:.4g}"] if kernel.bias else []
        return cls(kernel.name, kernel.taps[::-1, ::-1] if flip else kernel.taps, ", ".join(words))


@dataclass(frozen=True, eq=False)
class Panel:
    """One panel of a figure: `values` (h, w) on a scale, (h, w, 3) from 0 to 1, or (L,) numbers of a vector.

    `size` is the height and width of the map that `values`, made smaller where it is large, stand for.
    """

    title: str
    note: str
    values: Array
    size: tuple[int, int]
    scale: Scale | None = None
    taps: tuple[Taps, ...] = ()


@dataclass(frozen=True, eq=False)
class Group:
    """Panels that belong together: the maps of one step."""

    title: str
    note: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, eq=False)
class Exhibit:
    """A whole figure: one group side by side or as a contact sheet, several below each other."""

    title: str
    note: str
    groups: tuple[Group, ...]


def size_text(size: Sequence[int]) -> str:
    """Height and width in words that no one can confuse.

    >>> size_text((400, 600))
    '600 wide, 400 high'
    """
    return f"{size[1]} wide, {size[0]} high"


def image_panel(image: Raster, title: str, note: str = "", taps: tuple[Taps, ...] = ()) -> Panel:
    """An image without alpha as its pixels look; a grey one with a scale, from black to white where no value lies beyond."""
    pixels, top = valid_values(image), max_value_of(image.pixels.dtype)
    height, width, channels = pixels.shape
    note = note or size_text((height, width))
    if channels == 3:
        return Panel(title, note, np.clip(shrunk(pixels, LONGEST) / np.float32(top), 0, 1), (height, width), taps=taps)
    shown = shrunk(pixels, LONGEST)[..., 0]
    plain = image.pixels.dtype.kind == "u" or (np.nanmin(shown, initial=0) >= 0 and np.nanmax(shown, initial=0) <= top)
    return Panel(title, note, shown, (height, width), Scale(0.0, top, False) if plain else Scale.of(shown), taps)


def valid_values(image: Raster) -> Array:
    """The pixels of an image; where some cells are missing as floats, with NaN in those."""
    if image.valid is None:
        return image.pixels
    return np.where(image.valid, image.pixels.astype(np.float32), np.float32(np.nan))


def map_panel(values: Array, title: str, taps: tuple[Taps, ...] = (), longest: int = LONGEST) -> Panel:
    """A map (H, W) of real values, with its extremes as text; the scale belongs to the values shown."""
    finite = values[np.isfinite(values)]
    extremes = f"{number(finite.min())} to {number(finite.max())}" if finite.size else "no finite value"
    shown = strongest(values, longest)
    return Panel(title, extremes, shown, (values.shape[0], values.shape[1]), Scale.of(shown), taps)


def number(value: float) -> str:
    r"""Three digits that matter, and a minus that is as long as a plus.

    >>> number(0.12345), number(1020.0), number(-1) == "\N{MINUS SIGN}1"
    ('0.123', '1020', True)
    """
    text = f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return text.replace("-", "\N{MINUS SIGN}") if float(text) else "0"


def strongest(values: Array, longest: int = LONGEST) -> Array:
    """Values (H, W) as float32; where a side has more than `longest`, of each block of cells the one that is furthest from zero.

    An average would let thin lines of opposite signs vanish.

    >>> strongest(np.array([[1, -5, 0, 2]]), longest=2)
    array([[-5.,  2.]], dtype=float32)
    """
    step = -(-max(values.shape) // longest)
    if step == 1:
        return values.astype(np.float32)
    down, across = (min(step, size) for size in values.shape)
    height, width = values.shape[0] // down, values.shape[1] // across
    blocks = values[: height * down, : width * across].reshape(height, down, width, across).swapaxes(1, 2).reshape(height, width, -1)
    places = np.argmax(np.abs(blocks), axis=2)[..., None]
    return np.take_along_axis(blocks, places, axis=2)[..., 0].astype(np.float32)


COLOURS = ("red", "green", "blue")
FEW = 4  # panels that are shown large
MANY = 40  # panels from which a page is written twice as dense, so that it can be zoomed into


def exhibit(image: Raster, recipe: Recipe, name: str, *, colour: bool = False) -> Exhibit:
    """What to show of `recipe` on `image`, which came from `name`.

    Maps with a sign are shown unrounded, and those of a filter of the luma, or with `colour` of each colour. A map that is made to be
    looked at (`--range`, a blur) is shown as it would be written. Of a network of several steps each step is a group.

    Raises DoesNotFit for an image that is too small.
    """
    opaque = filter_input(image, grey=False, alpha=False) if image.alpha else image
    recipe.trace(shape_of(opaque))
    input_panel = image_panel(opaque, "input")
    step = recipe.step
    if isinstance(step, Network):
        return _of_network(opaque, step, input_panel, name)
    if isinstance(step, Filter):
        panels = panels_of_filter(opaque, recipe, step, colour=colour)
        title = " and ".join(plan.name for plan in step.maps) if len(step.maps) < FEW else f"{len(step.maps)} kernels"
    elif isinstance(step, Canny):
        panels, title = _of_canny(opaque, recipe, step), "canny"
    else:
        panels, title = [_written(opaque, recipe, _pool_name(step), ())], _pool_name(step)
    note = recipe.describe() if len(panels) < FEW else f"{len(panels)} maps"
    return Exhibit(f"{title} on {name}", note, (Group("", "", (input_panel, *panels)),))


def _of_canny(image: Raster, recipe: Recipe, step: Canny) -> list[Panel]:
    """Its stages: how long the gradients are, the ridges of them, weak ones grey, and the edges as they are written."""
    stages = CannyStages(filter_input(image, grey=True, alpha=False).pixels, step)
    ridges = Raster((127 * stages.ridges + 128 * stages.strong).astype(np.uint8)[..., None])
    return [
        map_panel(stages.lengths(), "length of the gradient"),
        image_panel(ridges, "ridges", f"weak from {number(stages.bounds[0])}, strong from {number(stages.bounds[1])}"),
        _written(image, recipe, "canny", ()),
    ]


def _pool_name(step: Pool) -> str:
    height, width = step.window.kernel_size
    return f"{step.mode} pool {step.footprint or f'{height}x{width}'}"


def panels_of_filter(image: Raster, recipe: Recipe, step: Filter, *, colour: bool = False) -> list[Panel]:
    """A panel for each map that the `step` of `recipe` makes of an image without alpha, or three for one with a sign in `colour`."""
    return [panel for plan in step.maps for panel in _of_map(image, recipe, step, plan, colour=colour)]


def _of_map(image: Raster, recipe: Recipe, step: Filter, plan: MapPlan, *, colour: bool) -> Iterator[Panel]:
    taps = tuple(Taps.of(kernel, flip=step.flip) for kernel in plan.kernels) if not plan.sums_channels else ()
    one = replace(recipe, step=replace(step, maps=(plan,)))
    as_written = recipe.postprocess != Postprocess() or step.range not in (None, "raw") or (step.range is None and plan.range == "clip")
    if as_written:
        yield _written(image, one, plan.name, taps)
        return
    grey = not colour and not plan.sums_channels
    output = process(image, replace(one, step=replace(step, maps=(plan,), grey=grey or step.grey)), floats=True)[0].image
    values = valid_values(output)
    for channel in range(values.shape[2]):
        named = f"{plan.name}, {COLOURS[channel]}" if values.shape[2] == 3 else plan.name
        yield map_panel(values[..., channel], named, taps if channel == 0 else (), LONGEST if len(step.maps) < FEW else TILE)


def _written(image: Raster, recipe: Recipe, title: str, taps: tuple[Taps, ...]) -> Panel:
    """A map as the command would write it."""
    return image_panel(process(image, recipe)[0].image, title, taps=taps)


def _of_network(image: Raster, network: Network, input_panel: Panel, name: str) -> Exhibit:
    """The input, then a group for each step, or each selected step, whose maps share one scale; of a single step one group with all."""
    positions = sorted(network.keep) or range(len(network.steps))
    every = replace(network, keep=tuple(positions), sheet=False, only=None)
    groups = []
    for position, result in zip(positions, results_of([image], every), strict=True):
        text = network.steps[position].text
        groups.append(
            Group(_step_name(position + 1, text), _extremes(result[0]), tuple(_tiles(result[0], is_only_group=len(positions) == 1)))
        )
    if len(groups) == 1 and result.ndim == 4:
        return Exhibit(f"{text} on {name}", groups[0].note, (replace(groups[0], panels=(input_panel, *groups[0].panels)),))
    note = f"{len(groups)} step{'s' if len(groups) > 1 else ''}"
    return Exhibit(f"{network.name} on {name}", note, (Group("input", input_panel.note, (input_panel,)), *groups))


def _step_name(number: int, text: str) -> str:
    """The number and operation of a step, followed by its options after a wider space.

    >>> _step_name(2, "max_pool kernel_size=2")
    '2 max_pool  kernel_size=2'
    """
    op, _, options = text.partition(" ")
    return f"{number} {op}  {options}"


def _tiles(maps: Array, *, is_only_group: bool) -> Iterator[Panel]:
    """A panel for each of the maps (C, H, W), or one for all numbers of a vector (L,)."""
    if maps.ndim == 1:
        yield Panel("", "", maps, (1, len(maps)), Scale.of(maps))
        return
    longest = LONGEST if is_only_group and len(maps) < FEW else TILE
    tiles = [strongest(values, longest) for values in maps]
    scale = Scale.of(np.stack(tiles))
    for place, tile in enumerate(tiles, 1):
        yield Panel(str(place), "", tile, (maps.shape[1], maps.shape[2]), scale)


def _extremes(result: Array) -> str:
    if result.ndim == 1:
        return f"{len(result)} numbers, largest at {int(np.argmax(result))}"
    maps = f"{len(result)} maps, " if len(result) > 1 else ""
    return f"{maps}{size_text(result.shape[1:])}"


LONGEST_SIDE = 256  # cells along a side: on a larger image what a 3x3 kernel does would not be seen in a tile


def gallery(image: Raster, registry: Registry, names: Sequence[str], source: str) -> Exhibit:
    """The maps that the kernels and banks of these `names` make of an image, which came from `source`, made small first.

    Maps with a sign are those of the luma, each on a scale of its own. Raises DoesNotFit for an image that is too small.
    """
    opaque = filter_input(image, grey=False, alpha=False) if image.alpha else image
    pixels = shrunk(opaque.pixels, LONGEST_SIDE)
    levels = np.rint(pixels) if opaque.pixels.dtype.kind == "u" else pixels
    small = replace(opaque, pixels=levels.astype(opaque.pixels.dtype))
    shown: set[str] = set()  # a bank's member may have an entry of its own
    panels = [image_panel(small, "input")]
    for name in names:
        recipe = filter_recipe([name], registry=registry)
        if isinstance(recipe.step, Filter):
            maps = panels_of_filter(small, recipe, recipe.step)
            titles = [name] if len(maps) == 1 else [plan.kernels[0].name for plan in recipe.step.maps]
            panels += [replace(panel, title=title, taps=()) for panel, title in zip(maps, titles, strict=True) if title not in shown]
            shown.update(titles)
    note = f"{len(names)} kernels and banks, {len(panels) - 1} maps; red above zero, blue below; the image is {size_text(small.size)} here"
    return Exhibit(f"The kernels of imgconv on {source}", note, (Group("", "", tuple(panels)),))
