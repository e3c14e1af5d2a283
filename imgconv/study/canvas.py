"""A page to draw on, measured in pixels from the upper left: text that fits, pictures with axes and colour bars, kernels as numbers.

The only module that imports matplotlib, which is an extra, and only when a page is made. Knows nothing of recipes.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from imgconv.errors import MissingExtra
from imgconv.study.panels import Array, Panel, Scale, Taps, number, strongest

WIDTH, HEIGHT = 1920, 1080
DPI = 100
INK, GREY, FAINT = "#1a1a1a", "#6b6b6b", "#c9c9c9"
SIGNED, UNSIGNED, BARS = "RdBu_r", "gray", "#3b6ea8"
CUT = "\N{HORIZONTAL ELLIPSIS}"
SMALLEST = 8  # pixels; smaller text is not read
PALE = 1.7  # how much further the colours of kernels reach than their largest tap, so that numbers stay black on them
MOST_BARS = 500
STYLE = {"font.family": "DejaVu Sans", "text.hinting": "no_hinting", "svg.hashsalt": "imgconv", "pdf.fonttype": 42, "axes.linewidth": 0.8}
FORMATS = ("png", "pdf", "svg")


class Box(NamedTuple):
    """A rectangle on a page."""

    left: float
    top: float
    width: float
    height: float


@contextmanager
def page(height: int = HEIGHT) -> "Iterator[Page]":
    """A white page, drawn in matplotlib's own style whatever a user has set. Raises MissingExtra without matplotlib."""
    try:
        matplotlib = import_module("matplotlib")
    except ImportError:
        raise MissingExtra("figures are drawn with matplotlib; to draw them: pip install 'imgconv[figure]'") from None
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(STYLE)
        yield Page(height)


class Page:
    """What is drawn on; text and boxes are in pixels of a page that is 1920 wide."""

    def __init__(self, height: int = HEIGHT):
        self.height = height
        self._figure = import_module("matplotlib.figure").Figure(figsize=(WIDTH / DPI, height / DPI), dpi=DPI, facecolor="white")
        import_module("matplotlib.backends.backend_agg").FigureCanvasAgg(self._figure)

    def save(self, stream: BinaryIO, format: str, *, density: float = 1.0) -> None:
        """Write the page as png (with `density` pixels for each of its own), pdf or svg; the same page gives the same bytes."""
        dates = {"png": {"Software": "imgconv"}, "pdf": {"CreationDate": None}, "svg": {"Date": None}}
        self._figure.savefig(stream, format=format, dpi=DPI * density, metadata=dates[format])

    def text(self, words: str, left: float, top: float, width: float, size: float, **look: Any) -> None:
        """One line whose upper edge is at `top`, in at most `width` pixels: smaller where it is long, then cut.

        `look`: `bold`, `colour`, `align` (left, center or right of the width).
        """
        bold, align = look.get("bold", False), look.get("align", "left")
        shown, size = fitted(words, width, size, bold=bold)
        x = left + {"left": 0.0, "center": width / 2, "right": width}[align]
        self._figure.text(
            x / WIDTH,
            1 - (top + 0.95 * size) / self.height,
            shown,
            fontsize=_points(size),
            fontweight="bold" if bold else "normal",
            color=look.get("colour", INK),
            ha=align,
            va="baseline",
            parse_math=False,
        )

    def image(self, box: Box, panel: Panel, *, ticks: bool = True) -> None:
        """The values of a panel in a box of their proportions, with its axes in pixels of the map that they stand for."""
        axes, (height, width) = self._axes(box), panel.size
        colours: dict[str, Any] = {}
        if panel.scale is not None:
            colours = {"cmap": SIGNED if panel.scale.signed else UNSIGNED, "vmin": panel.scale.low, "vmax": panel.scale.high}
        enlarged = box.width > 2 * panel.values.shape[1]
        axes.imshow(
            panel.values,
            extent=(-0.5, width - 0.5, height - 0.5, -0.5),
            aspect="auto",
            interpolation="nearest" if enlarged else "auto",
            interpolation_stage="data" if panel.values.ndim == 2 else "auto",
            **colours,
        )
        _dress(axes)
        locators = import_module("matplotlib.ticker")
        for axis, room in ((axes.xaxis, box.width / 90), (axes.yaxis, box.height / 70)):
            axis.set_major_locator(
                locators.MaxNLocator(max(2, int(room)), integer=True) if ticks and room > 0.8 else locators.NullLocator()
            )
        axes.tick_params(labelsize=_points(14), length=4, width=0.8, color=FAINT, labelcolor=GREY)

    def colour_bar(self, box: Box, scale: Scale) -> None:
        """What the colours of a scale mean, pointed where values lie beyond; its numbers stand to the right of the box."""
        norm = import_module("matplotlib.colors").Normalize(scale.low, scale.high)
        mappable = import_module("matplotlib.cm").ScalarMappable(norm, SIGNED if scale.signed else UNSIGNED)
        extend = {(True, True): "both", (True, False): "min", (False, True): "max", (False, False): "neither"}[scale.below, scale.above]
        axes = self._axes(box)
        bar = self._figure.colorbar(mappable, cax=axes, extend=extend, extendfrac=12 / box.height)
        bar.outline.set(edgecolor=FAINT, linewidth=0.8)
        ticks = import_module("matplotlib.ticker").MaxNLocator(6 if box.height > 160 else 2).tick_values(scale.low, scale.high)
        places = [place for place in ticks.tolist() if scale.low <= place <= scale.high]
        bar.set_ticks(places, labels=[number(place) for place in places])
        bar.ax.tick_params(labelsize=_points(13 if box.height > 90 else 11), length=3, width=0.8, color=FAINT, labelcolor=GREY)

    def taps(self, box: Box, taps: Taps, *, largest: float = 78) -> Box:
        """A kernel as numbers on pale colours, red above and blue below zero, as large as the box lets it be; where it was drawn."""
        rows, columns = taps.rows.shape
        side = min(box.width / columns, box.height / rows, largest)
        used = Box(box.left + (box.width - side * columns) / 2, box.top, side * columns, side * rows)
        axes, most = self._axes(used), float(np.abs(taps.rows).max()) or 1.0
        texts = {at: number(tap) for at, tap in np.ndenumerate(taps.rows)} if side >= 2 * SMALLEST else {}
        size = min(side * 0.42, 26, 0.84 * side / max((text_width(text, 1) for text in texts.values()), default=side))
        told = size >= SMALLEST
        reach = most * PALE if told else most
        axes.imshow(taps.rows, cmap=SIGNED, vmin=-reach, vmax=reach, aspect="auto", interpolation="nearest")
        _dress(axes)
        axes.set_xticks([])
        axes.set_yticks([])
        for (i, j), text in texts.items() if told else ():
            axes.text(j, i, text, fontsize=_points(size), color=INK, ha="center", va="center_baseline")
        if side > 8:
            for line in range(1, rows):
                axes.axhline(line - 0.5, color="white", linewidth=1)
            for line in range(1, columns):
                axes.axvline(line - 0.5, color="white", linewidth=1)
        return used

    def bars(self, box: Box, values: Array) -> None:
        """The numbers of a vector as bars, the largest of them darker; of many the one in each stretch that is furthest from zero."""
        axes, shown = self._axes(box), strongest(values[None], MOST_BARS)[0]
        step = -(-len(values) // MOST_BARS)
        colours = [INK if place == int(np.argmax(shown)) else BARS for place in range(len(shown))]
        axes.bar((np.arange(len(shown)) + 0.5) * step - 0.5, shown, width=0.8 * step, color=colours)
        axes.axhline(0, color=FAINT, linewidth=0.8)
        axes.margins(x=0.01)
        for side in ("top", "right", "left", "bottom"):
            axes.spines[side].set_visible(False)
        locator = import_module("matplotlib.ticker").MaxNLocator
        axes.xaxis.set_major_locator(locator(min(len(values), 20), integer=True))
        axes.yaxis.set_major_locator(locator(3))
        axes.tick_params(labelsize=_points(12), length=0, labelcolor=GREY)

    def _axes(self, box: Box) -> Any:
        bounds = (box.left / WIDTH, 1 - (box.top + box.height) / self.height, box.width / WIDTH, box.height / self.height)
        return self._figure.add_axes(bounds)


def fitted(words: str, width: float, size: float, *, bold: bool = False) -> tuple[str, float]:
    """`words` and a size of text, in pixels, so that they fit: first smaller, by a third at most, then cut."""
    needed = text_width(words, size, bold=bold)
    if needed <= width:
        return words, size
    smaller = max(size * width / needed, 0.66 * size, min(size, SMALLEST))
    kept = len(words)
    while kept and text_width(cut := words if kept == len(words) else f"{words[:kept].rstrip()}{CUT}", smaller, bold=bold) > width:
        kept -= 1
    return cut, smaller


def text_width(words: str, size: float, *, bold: bool = False) -> float:
    """Pixels that a line of text takes."""
    return size * sum(_advance(character, bold) for character in words)


@cache
def _advance(character: str, bold: bool) -> float:
    """How far a character of size 1 moves on."""
    fonts = import_module("matplotlib.font_manager")
    font = fonts.get_font(fonts.findfont(fonts.FontProperties(family="DejaVu Sans", weight="bold" if bold else "normal")))
    font.set_size(100, 72)
    return float(font.load_char(ord(character), flags=import_module("matplotlib.ft2font").LoadFlags.NO_HINTING).linearHoriAdvance) / 6553600


def columns_for(count: int, area: Box, aspect: float, label: float, gap: float) -> int:
    """How many columns make `count` tiles, `aspect` times as high as wide and `label` pixels for words, as large as `area` lets them."""

    def tile_width(columns: int) -> float:
        rows = -(-count // columns)
        across = (area.width - gap * (columns - 1)) / columns
        return min(across, ((area.height - gap * (rows - 1)) / rows - label) / aspect)

    return max(range(1, count + 1), key=tile_width)


def _points(pixels: float) -> float:
    return pixels * 72 / DPI


def _dress(axes: Any) -> None:
    axes.set_facecolor("#f4f4f4")
    for spine in axes.spines.values():
        spine.set_edgecolor(FAINT)
