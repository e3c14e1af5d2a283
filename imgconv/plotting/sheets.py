"""Draw exhibits with matplotlib: panels in a row above their kernels, contact sheets of many panels, one row for each step."""

from collections.abc import Iterator
from typing import Any, BinaryIO
from unicodedata import category

import numpy as np

from imgconv.errors import MissingExtra
from imgconv.plotting.exhibits import FEW, MANY, Array, Exhibit, Group, Panel, Scale, Taps, number, strongest

try:
    import matplotlib as mpl
    from matplotlib.axes import Axes
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure
    from matplotlib.font_manager import FontProperties, findfont, fontManager, get_font
    from matplotlib.gridspec import SubplotSpec
    from matplotlib.image import AxesImage
    from matplotlib.text import Text
    from matplotlib.ticker import MaxNLocator
except ImportError:
    raise MissingExtra("figures are drawn with matplotlib; to draw them: pip install 'imgconv[figure]'") from None

WIDTH, HEIGHT = 1920, 1080  # pixels; with 72 of them per inch a point is a pixel
LEFT, TOP, BOTTOM = 60, 132, 40  # margins; the title stands above
NAMES, STEP = 330, 90  # width of the words before the maps of a step, height of a step at least
STRIP, TAP = 300, 78  # height of the kernels below a row, and side of a tap, at most
SMALLEST = 8  # smaller text cannot be read
INK, GREY, FAINT = "#1a1a1a", "#6b6b6b", "#c9c9c9"
SIGNED, UNSIGNED, BARS = "RdBu_r", "gray", "#3b6ea8"
PALE = 1.7  # how much further the colours of kernels reach than their largest tap, so that numbers stay readable on them
MOST_BARS = 500
BOX = "\N{WHITE SQUARE}"
STYLE = {
    "axes.edgecolor": FAINT,
    "axes.facecolor": "#f4f4f4",
    "axes.titlelocation": "left",
    "figure.constrained_layout.h_pad": 5 / 72,
    "figure.constrained_layout.w_pad": 5 / 72,
    "figure.dpi": 72,
    "font.size": 14,
    "image.aspect": "auto",
    "pdf.fonttype": 42,
    "savefig.dpi": 72,
    "svg.hashsalt": "imgconv",
    "text.color": INK,
    "text.hinting": "no_hinting",
    "text.parse_math": False,
    **{f"{axis}tick.{key}": colour for axis in "xy" for key, colour in (("color", FAINT), ("labelcolor", GREY))},
}


def draw(exhibit: Exhibit, stream: BinaryIO, format: str, width: int = WIDTH) -> None:
    """Write the page of an exhibit as png, pdf or svg: the same bytes each time, independent of matplotlib's current style.

    `width` is that of a png in pixels; a page of many maps has twice as many.
    """
    groups = exhibit.groups
    with mpl.rc_context():
        mpl.rcdefaults()
        families, boxes = fonts_for("".join(_texts(exhibit)))
        mpl.rcParams.update(STYLE | {"font.family": families})
        page = _Page(exhibit, max(HEIGHT, TOP + len(groups) * STEP + BOTTOM) if len(groups) > 1 else HEIGHT, boxes)
        if len(groups) > 1:
            page.draw_steps(groups)
        elif len(groups[0].panels) <= FEW:
            page.draw_side_by_side(groups[0].panels)
        else:
            page.draw_contact_sheet(groups[0].panels)
        page.fit()
        density = 2 if len(groups) == 1 and len(groups[0].panels) > MANY else 1
        metadata = {"png": {"Software": "imgconv"}, "pdf": {"CreationDate": None}, "svg": {"Date": None}}[format]
        page.figure.savefig(stream, format=format, dpi=72 * density * width / WIDTH, metadata=metadata)


class _Page:
    """A page that is 1920 pixels wide. matplotlib computes the positions; `fit` then adapts texts and numbers to them."""

    def __init__(self, exhibit: Exhibit, height: int, boxes: dict[int, str]):
        self.height, self.boxes = height, boxes
        self.figure = Figure(figsize=(WIDTH / 72, height / 72), layout="constrained")
        FigureCanvasAgg(self.figure)
        area = (LEFT / WIDTH, BOTTOM / height, 1 - 2 * LEFT / WIDTH, 1 - (TOP + BOTTOM) / height)
        self.figure.get_layout_engine().set(rect=area)
        self.labels = [
            self.figure.text(LEFT / WIDTH, 1 - 74 / height, exhibit.title.translate(boxes), size=34, weight="bold"),
            self.figure.text(LEFT / WIDTH, 1 - 106 / height, exhibit.note.translate(boxes), size=18, color=GREY),
        ]
        self.kernels: list[tuple[AxesImage, Array]] = []

    def draw_side_by_side(self, panels: tuple[Panel, ...]) -> None:
        """Draw panels in a row, each with its kernels below it, or in two rows if they are wide and have no kernels."""
        height, width = panels[-1].size
        strip = max(_strip_height(panel.taps) for panel in panels)
        columns = len(panels) if len(panels) < FEW or height > width or strip else FEW // 2
        heights = [self.height - TOP - BOTTOM - 120 - strip, strip] if strip else [1] * (len(panels) // columns)
        grid = self.figure.add_gridspec(len(heights), columns, height_ratios=heights)
        for place, panel in enumerate(panels):
            axes = self._draw_image(grid[divmod(place, columns)], panel, 24, bold=True, pad=32)
            axes.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
            axes.yaxis.set_major_locator(MaxNLocator("auto", integer=True))
            self._write(axes, 1, 8, panel.note, size=16, color=GREY)
            if panel.scale:
                ratio = axes.get_box_aspect()
                width, height = 0.03 * max(1, ratio), max(1, 0.15 / ratio)
                self._draw_colour_bar(panel.scale, cax=axes.inset_axes((1 + width / 2, (1 - height) / 2, width, height)))
            if panel.taps:  # the kernel of a single map belongs between it and the input
                self._draw_kernels(grid[1, place if len(panels) > 2 else slice(None)], panel.taps)

    def draw_contact_sheet(self, panels: tuple[Panel, ...]) -> None:
        """Draw tiles in rows, each under its name, with one colour bar if one scale holds for all of them but the input."""
        height, width = panels[-1].size
        columns = _columns(len(panels), height / width, WIDTH - 2 * LEFT, self.height - TOP - BOTTOM)
        grid = self.figure.add_gridspec(-(-len(panels) // columns), columns)
        size = 16 if len(panels) <= MANY else 13
        tiles = [self._draw_image(grid[divmod(place, columns)], panel, size, bold=not place) for place, panel in enumerate(panels)]
        scales = {panel.scale for panel in panels[1:]}
        if len(scales) == 1 and (scale := scales.pop()):
            self._draw_colour_bar(scale, ax=tiles, aspect=50, fraction=0.02, pad=0.01)

    def draw_steps(self, groups: tuple[Group, ...]) -> None:
        """Draw a row for each group: its name, as many of its maps as there is room for, and their colour bar."""
        firsts = [group.panels[0] for group in groups if group.panels[0].values.ndim > 1]
        row_height = (self.height - TOP - BOTTOM) / len(groups) - 24
        tile = row_height * max((_clamped(width / height) for height, width in (panel.size for panel in firsts)), default=1)
        room = WIDTH - 2 * LEFT - NAMES - 100
        most = max(1, min(int(room / (tile + 12)), max(len(group.panels) for group in groups)))
        rest = room + 90 - most * (tile + 12)  # for colour bars and their numbers
        grid = self.figure.add_gridspec(len(groups), most + 2, width_ratios=[NAMES, *[tile] * most, rest])
        for row, group in enumerate(groups):
            name, _, options = group.title.partition("  ")
            shown = group.panels[:most]
            note = group.note + (f", {len(shown)} shown" if len(shown) < len(group.panels) else "")
            axes = self._empty(grid[row, 0])
            for line, words in enumerate(filter(None, (name, options, note))):
                style = {"size": 14, "color": GREY} if line else {"size": 19, "weight": "bold"}
                self._write(axes, 0.5, 16 - 18 * line, words, **style)
            if shown[0].values.ndim == 1:
                _draw_bars(self._empty(grid[row, 1:]).inset_axes((0.03, 0.2, 0.97, 0.8)), shown[0].values)
                continue
            for place, panel in enumerate(shown, 1):
                self._draw_image(grid[row, place], panel)
            if scale := shown[0].scale:
                self._draw_colour_bar(scale, cax=self._empty(grid[row, -1]).inset_axes((0, 0.05, 14 / rest, 0.9)))

    def _empty(self, spec: SubplotSpec) -> Axes:
        """Return axes that show nothing themselves; what they contain needs no room outside of them."""
        axes = self.figure.add_subplot(spec)
        axes.set_axis_off()
        return axes

    def _draw_image(self, spec: SubplotSpec, panel: Panel, size: int = 0, *, bold: bool = False, pad: int = 4) -> Axes:
        """Draw the values of a panel in a box of their proportions, under its title in text of a `size` if it is not 0."""
        axes, (height, width), scale = self.figure.add_subplot(spec), panel.size, panel.scale
        colours = {"cmap": _colours(scale), "vmin": scale.low, "vmax": scale.high, "interpolation_stage": "data"} if scale else {}
        axes.imshow(panel.values, extent=(-0.5, width - 0.5, height - 0.5, -0.5), **colours)
        axes.set_box_aspect(_clamped(height / width))
        axes.set(xticks=[], yticks=[])
        if size:
            weight = "bold" if bold else "normal"
            self.labels.append(axes.set_title(panel.title.translate(self.boxes), size=size, weight=weight, y=1, pad=pad))
        return axes

    def _write(self, axes: Axes, height: float, above: float, words: str, **style: Any) -> None:
        """Write words from the left edge of the axes, `above` a `height` of them; no room is made for them."""
        place = {"xycoords": "axes fraction", "textcoords": "offset points"}
        self.labels.append(axes.annotate(words.translate(self.boxes), (0, height), (0, above), **place, **style))
        self.labels[-1].set_in_layout(False)

    def _draw_colour_bar(self, scale: Scale, **place: Any) -> None:
        """Draw what the colours of a scale mean, with points where values lie beyond it."""
        extend = {(True, True): "both", (True, False): "min", (False, True): "max", (False, False): "neither"}[scale.below, scale.above]
        mappable = ScalarMappable(Normalize(scale.low, scale.high), _colours(scale))
        bar = self.figure.colorbar(mappable, **place, extend=extend, extendfrac=0.04, ticks=MaxNLocator("auto"))
        bar.formatter = lambda value, _: number(value)
        bar.outline.set(edgecolor=FAINT)

    def _draw_kernels(self, spec: SubplotSpec, kernels: tuple[Taps, ...]) -> None:
        """Draw kernels, each under its name, in as many rows as make them largest."""
        rows, columns = kernels[0].rows.shape
        room = (WIDTH - 2 * LEFT) * len(spec.colspan) / spec.get_gridspec().ncols - 150
        across = _columns(len(kernels), rows / columns, room, STRIP)
        grid = spec.subgridspec(-(-len(kernels) // across), across)
        for place, kernel in enumerate(kernels):
            axes = self.figure.add_subplot(grid[divmod(place, across)])
            image = axes.imshow(kernel.rows, cmap=SIGNED, aspect="equal")
            axes.set(xticks=[], yticks=[])
            words = kernel.description if len(kernels) == 1 else kernel.name
            self.labels.append(axes.set_title(words.translate(self.boxes), size=16 if len(kernels) == 1 else 12, color=GREY, y=1))
            self.kernels.append((image, kernel.rows))

    def fit(self) -> None:
        """Compute the positions; then draw enlarged cells as squares, shorten texts that do not fit, and write numbers into taps."""
        self.figure.draw_without_rendering()
        self.figure.set_layout_engine("none")
        boxes = [axes.get_window_extent() for axes in self.figure.axes]
        for image in (image for axes in self.figure.axes for image in axes.images):
            if image.axes.get_window_extent().width > 2 * image.get_array().shape[1]:
                image.set_interpolation("nearest")
        for label in self.labels:
            left, own = label.get_window_extent().x0, label.axes and label.axes.get_window_extent()
            row = [box for box in boxes if own and box.x0 > left + 1 and box.y0 < own.y1 and box.y1 > own.y0]
            shorten(label, min((box.x0 - 8 for box in row), default=WIDTH - LEFT) - left)
        for image, taps in self.kernels:
            _write_taps(image, taps)


def _draw_bars(axes: Axes, values: Array) -> None:
    """Draw the numbers of a vector as bars, the largest of them darker; of many the one in each stretch that is furthest from zero."""
    shown, step = strongest(values[None], MOST_BARS)[0], -(-len(values) // MOST_BARS)
    colours = [INK if place == int(np.argmax(shown)) else BARS for place in range(len(shown))]
    axes.bar((np.arange(len(shown)) + 0.5) * step - 0.5, shown, width=0.8 * step, color=colours)
    axes.axhline(0, color=FAINT)
    axes.margins(x=0.01)
    axes.set(frame_on=False)
    axes.xaxis.set_major_locator(MaxNLocator(min(len(values), 20), integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(3))
    axes.tick_params(labelsize=12, length=0)


def _write_taps(image: AxesImage, taps: Array) -> None:
    """Write a kernel as numbers on pale colours, red above and blue below zero, if the numbers can be read; else as colours alone."""
    axes, (rows, columns) = image.axes, taps.shape
    side = axes.get_window_extent().width / columns
    texts = {place: number(tap) for place, tap in np.ndenumerate(taps)} if side >= 2 * SMALLEST else {}
    size = min(26, 0.42 * side, 1.3 * side / max(map(len, texts.values()), default=1))
    reach = float(np.abs(taps).max()) or 1.0
    if texts and size >= SMALLEST:
        reach *= PALE
        for (row, column), text in texts.items():
            axes.text(column, row, text, size=size, ha="center", va="center_baseline")
    image.set_clim(-reach, reach)
    if side > SMALLEST:
        axes.set_xticks(np.arange(columns - 1) + 0.5, minor=True)
        axes.set_yticks(np.arange(rows - 1) + 0.5, minor=True)
        axes.grid(which="minor", color="white", linewidth=1)
        axes.tick_params(which="minor", length=0)


def shorten(label: Text, width: float) -> None:
    """Make a text fit `width` pixels: first smaller, by a third at most, then cut."""
    extent = label.get_window_extent().width
    if extent > width:
        label.set_size(max(label.get_size() * max(0.99 * width / extent, 0.66), SMALLEST))
    words = label.get_text()
    while words and (extent := label.get_window_extent().width) > width:
        words = words[: min(len(words) - 1, int(len(words) * width / extent))]
        label.set_text(f"{words.rstrip()}\N{HORIZONTAL ELLIPSIS}")


def _columns(count: int, aspect: float, width: float, height: float, label: int = 28) -> int:
    """Return how many columns make `count` tiles, `aspect` times as high as wide and each under a label, as large as the area lets them."""
    return max(range(1, count + 1), key=lambda columns: min(width / columns, (height / -(-count // columns) - label) / aspect))


def _strip_height(kernels: tuple[Taps, ...]) -> int:
    return min(STRIP, max((kernel.rows.shape[0] for kernel in kernels), default=0) * TAP * -(-len(kernels) // 4))


def _colours(scale: Scale) -> str:
    return SIGNED if scale.signed else UNSIGNED


def _clamped(ratio: float) -> float:
    """Return a proportion at which no side is too thin to be seen."""
    return min(max(ratio, 0.01), 100.0)


def _texts(exhibit: Exhibit) -> Iterator[str]:
    yield from (exhibit.title, exhibit.note)
    for group in exhibit.groups:
        yield from (group.title, group.note)
        for panel in group.panels:
            yield from (panel.title, panel.note, *(kernel.name for kernel in panel.taps))


def fonts_for(text: str) -> tuple[list[str], dict[int, str]]:
    """Return the families of fonts that draw a text, matplotlib's own first, and a box for each character that none can draw."""
    families = ["DejaVu Sans"]
    controls = {character for character in text if category(character).startswith("C")}
    missing = {character for character in set(text) - controls if not _has_glyph(families[0], character)}
    for family in fontManager.get_font_names() if missing else ():
        if family.startswith("Last Resort"):  # it has a box for each script
            continue
        if glyphs := {character for character in missing if _has_glyph(family, character)}:
            families.append(family)
            missing -= glyphs
    return families, dict.fromkeys(map(ord, missing | controls), BOX)


def _has_glyph(family: str, character: str) -> bool:
    """Return whether the normal and the bold font of a family have outlines for a character; fonts of coloured bitmaps have none."""
    try:
        fonts = [get_font(findfont(FontProperties(family=[family], weight=weight))) for weight in ("normal", "bold")]
    except RuntimeError:  # the font cannot be scaled
        return False
    return all(font.scalable and font.get_char_index(ord(character)) for font in fonts)
