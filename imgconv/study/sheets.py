"""Exhibits laid out on pages: panels side by side over their kernels, contact sheets of many, and one row for each step."""

from typing import BinaryIO

from imgconv.study.canvas import GREY, HEIGHT, WIDTH, Box, Page, columns_for, page
from imgconv.study.figures import FEW, MANY
from imgconv.study.panels import Exhibit, Group, Panel, Taps

MARGIN = 60
TOP = 132  # below the title
AXIS, BAR, NUMBERS = 56, 16, 70  # room for numbers left of a panel, for a colour bar, and for its numbers
LEAST_ROW = 78
LEAST_BAR = 110  # height of a colour bar whose numbers are read, beside a thin panel too
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
    """Panels in a row, or in two where they are wide and there is no kernel below them."""
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
        told = kernel.after if len(taps) == 1 else kernel.name
        sheet.text(told, cell.left, cell.top, cell.width, 16, colour=GREY, align="center")
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
        name, _, told = group.title.partition("  ")
        sheet.text(name, MARGIN, middle - 35, NAMES - 24, 19, bold=True)
        sheet.text(told, MARGIN, middle - 9, NAMES - 24, 14, colour=GREY)
        below = middle + (12 if told else -9)
        if first.values.ndim == 1:
            sheet.text(group.note, MARGIN, below, NAMES - 24, 14, colour=GREY)
            sheet.bars(Box(left + AXIS, top + 4, room - AXIS, height - 26), first.values)
            continue
        width, tall = _fit(first, room, height)
        shown = group.panels[: max(1, int((room + 10) // (width + 10)))]
        hidden = len(group.panels) - len(shown)
        sheet.text(f"{group.note}, {len(shown)} shown" if hidden else group.note, MARGIN, below, NAMES - 24, 14, colour=GREY)
        for number, panel in enumerate(shown):
            sheet.image(Box(left + number * (width + 10), top + (height - tall) / 2, width, tall), panel, ticks=False)
        if first.scale is not None:
            bar = Box(left + len(shown) * (width + 10) + 4, top + (height - tall) / 2, BAR, tall)
            sheet.colour_bar(bar, first.scale)
