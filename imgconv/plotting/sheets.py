"""Draw exhibits on pages with matplotlib: panels in a row above their kernels, contact sheets of many panels, one row for each step.

A page is measured in pixels from its upper left corner. matplotlib is an extra and is imported only when a page is made.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from imgconv.errors import MissingExtra
from imgconv.plotting.exhibits import FEW, MANY, Array, Exhibit, Group, Panel, Scale, Taps, number, strongest

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
        has_numbers = size >= SMALLEST
        reach = most * PALE if has_numbers else most
        axes.imshow(taps.rows, cmap=SIGNED, vmin=-reach, vmax=reach, aspect="auto", interpolation="nearest")
        _dress(axes)
        axes.set_xticks([])
        axes.set_yticks([])
        for (i, j), text in texts.items() if has_numbers else ():
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
    length = len(words)
    while length and text_width(cut := words if length == len(words) else f"{words[:length].rstrip()}{CUT}", smaller, bold=bold) > width:
        length -= 1
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


MARGIN = 60
TOP = 132  # below the title
AXIS, BAR, NUMBERS = 56, 16, 70  # room for numbers left of a panel, for a colour bar, and for its numbers
LEAST_ROW = 78
LEAST_BAR = 110  # height of a colour bar whose numbers are readable, next to a thin panel too
APART = 28  # between kernels
NAMES = 330  # width of the words before a row of maps


def draw(exhibit: Exhibit, stream: BinaryIO, format: str) -> None:
    """Write the page of an exhibit as png, pdf or svg. Raises MissingExtra without matplotlib."""
    count = sum(len(group.panels) for group in exhibit.groups)
    rows = len(exhibit.groups)
    height = max(HEIGHT, TOP + rows * LEAST_ROW + MARGIN) if rows > 1 else HEIGHT
    with page(height) as sheet:
        sheet.text(exhibit.title, MARGIN, 40, WIDTH - 2 * MARGIN, 34, bold=True)
        sheet.text(exhibit.note, MARGIN, 88, WIDTH - 2 * MARGIN, 18, colour=GREY)
        if rows > 1:
            _steps(sheet, exhibit.groups)
        elif count <= FEW:
            _side_by_side(sheet, exhibit.groups[0].panels)
        else:
            _contact_sheet(sheet, exhibit)
        sheet.save(stream, format, density=2.0 if count > MANY and rows == 1 else 1.0)


def _side_by_side(sheet: Page, panels: tuple[Panel, ...]) -> None:
    """Panels in a row, or in two where they are wide and have no kernel below them."""
    height, width = panels[-1].size
    if len(panels) < FEW or height > width or any(panel.taps for panel in panels):
        _row(sheet, panels, TOP, sheet.height)
        return
    half, middle = -(-len(panels) // 2), (TOP + sheet.height) / 2
    _row(sheet, panels[:half], TOP, middle + MARGIN / 2)
    _row(sheet, panels[half:], middle, sheet.height + MARGIN / 2)


def _row(sheet: Page, panels: tuple[Panel, ...], above: float, end: float) -> None:
    """Panels from `above` to `end`, each with its axes, its colour bar, and below it its kernels."""
    gap, head, foot = 24, 64, 34
    strip = 300 if any(panel.taps for panel in panels) else 0
    column = (WIDTH - 2 * MARGIN - gap * (len(panels) - 1)) / len(panels)
    room = end - above - head - foot - strip - MARGIN
    sizes = [_fit(panel, column - AXIS - BAR - NUMBERS - 10, room) for panel in panels]
    tallest = max(LEAST_BAR, *(height for _, height in sizes))
    top = above + head + (room - tallest) / (3 if strip else 2)
    for place, (panel, (width, height)) in enumerate(zip(panels, sizes, strict=True)):
        left = MARGIN + place * (column + gap)
        inside = column - BAR - NUMBERS - 10
        shift = left + AXIS + max(0.0, inside - AXIS - width) / 2
        words = left + column - shift
        sheet.text(panel.title, shift, top - 60, words, 24, bold=True)
        sheet.text(panel.note, shift, top - 27, words, 16, colour=GREY)
        sheet.image(Box(shift, top, width, height), panel)
        if panel.scale is not None:
            sheet.colour_bar(Box(shift + width + 10, top, BAR, max(height, LEAST_BAR)), panel.scale)
        below = top + tallest + foot + 24
        box = Box(shift - 40, below, width + 80, end - MARGIN / 2 - below)
        if panel.taps:  # the kernel of a single map belongs between it and the input
            _kernels(sheet, panel.taps, box if len(panels) > 2 else box._replace(left=MARGIN, width=WIDTH - 2 * MARGIN))


def _fit(panel: Panel, width: float, height: float) -> tuple[float, float]:
    """The largest size of a panel's proportions; no side becomes too thin to be seen."""
    rows, columns = panel.size
    scale = min(width / columns, height / rows)
    return max(columns * scale, 6.0), max(rows * scale, 6.0)


def _kernels(sheet: Page, taps: tuple[Taps, ...], box: Box) -> None:
    """Kernels in as many rows as make them largest, each under its name."""
    words = 26
    height, width = taps[0].rows.shape
    columns = columns_for(len(taps), box, height / width, words + 12, APART)
    rows = -(-len(taps) // columns)
    width = min((box.width - APART * (columns - 1)) / columns, 420)
    left, top, lowest = box.left + (box.width - width * columns - APART * (columns - 1)) / 2, box.top, box.top
    for place, kernel in enumerate(taps):
        column = place % columns
        if place and column == 0:
            top = lowest + 12
        cell = Box(left + column * (width + APART), top, width, box.height / rows)
        caption = kernel.after if len(taps) == 1 else kernel.name
        sheet.text(caption, cell.left, cell.top, cell.width, 16, colour=GREY, align="center")
        drawn = sheet.taps(Box(cell.left, cell.top + words, cell.width, cell.height - words - 12), kernel)
        lowest = max(lowest, drawn.top + drawn.height)


def _contact_sheet(sheet: Page, exhibit: Exhibit) -> None:
    """Tiles in rows, each under its name, with one colour bar where one scale holds for all of them."""
    group = exhibit.groups[0]
    scale = group.panels[-1].scale if exhibit.common else None
    panels, label, gap = group.panels, 24 if len(group.panels) <= MANY else 19, 12
    area = Box(MARGIN, TOP, WIDTH - 2 * MARGIN - (BAR + NUMBERS + 20 if scale else 0), sheet.height - TOP - MARGIN / 2)
    rows, columns = panels[-1].size
    aspect = rows / columns
    across = columns_for(len(panels), area, aspect, label, gap)
    down = -(-len(panels) // across)
    width = min((area.width - gap * (across - 1)) / across, ((area.height - gap * (down - 1)) / down - label) / aspect)
    between = (area.width - across * width) / max(across - 1, 1)
    pitch = min(between, 3 * gap) + width
    indent = (area.width - (pitch * (across - 1) + width)) / 2
    for place, panel in enumerate(panels):
        row, column = divmod(place, across)
        left, top = area.left + indent + column * pitch, area.top + row * (width * aspect + label + gap)
        sheet.text(panel.title, left, top, width, label * 0.7, bold=place == 0)
        w, h = _fit(panel, width, width * aspect)
        sheet.image(Box(left + (width - w) / 2, top + label, w, h), panel, ticks=False)
    if scale:
        sheet.colour_bar(Box(WIDTH - MARGIN - NUMBERS - BAR, TOP + label, BAR, down * (width * aspect + label + gap) - label - gap), scale)


def _steps(sheet: Page, groups: tuple[Group, ...]) -> None:
    """A row for each group: its name, as many of its maps as there is room for, and their colour bar."""
    gap = 14
    height = (sheet.height - TOP - MARGIN / 2 - gap * (len(groups) - 1)) / len(groups)
    for place, group in enumerate(groups):
        top = TOP + place * (height + gap)
        left, room = MARGIN + NAMES, WIDTH - 2 * MARGIN - NAMES - BAR - NUMBERS - 20
        first = group.panels[0]
        middle = top + height / 2
        name, _, caption = group.title.partition("  ")
        sheet.text(name, MARGIN, middle - 35, NAMES - 24, 19, bold=True)
        sheet.text(caption, MARGIN, middle - 9, NAMES - 24, 14, colour=GREY)
        below = middle + (12 if caption else -9)
        if first.values.ndim == 1:
            sheet.text(group.note, MARGIN, below, NAMES - 24, 14, colour=GREY)
            sheet.bars(Box(left + AXIS, top + 4, room - AXIS, height - 26), first.values)
            continue
        width, tall = _fit(first, room, height)
        shown = group.panels[: max(1, int((room + 10) // (width + 10)))]
        hidden = len(group.panels) - len(shown)
        sheet.text(f"{group.note}, {len(shown)} shown" if hidden else group.note, MARGIN, below, NAMES - 24, 14, colour=GREY)
        for index, panel in enumerate(shown):
            sheet.image(Box(left + index * (width + 10), top + (height - tall) / 2, width, tall), panel, ticks=False)
        if first.scale is not None:
            bar = Box(left + len(shown) * (width + 10) + 4, top + (height - tall) / 2, BAR, tall)
            sheet.colour_bar(bar, first.scale)
