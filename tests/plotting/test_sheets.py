"""Pages as they are drawn: their size, the same bytes every time, and words that stay on the page and off each other."""

import io
from itertools import combinations

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.text import Annotation, Text
from PIL import Image

from imgconv.images import Raster
from imgconv.plotting import sheets
from imgconv.plotting.exhibits import Exhibit, Group, exhibit, gallery, image_panel
from imgconv.plotting.sheets import draw
from imgconv.recipe import Pool, Recipe, filter_recipe, network_recipe
from imgconv.registry import Registry

pytestmark = pytest.mark.sweep(3)

RNG = np.random.default_rng(5)
LONG = "a photograph whose name says far more than anybody ever wanted to know about a cup of coffee, " * 3 + ".jpg"


def noise(height=40, width=60, channels=3, dtype=np.uint8):
    return Raster((RNG.random((height, width, channels)) * np.iinfo(dtype).max).astype(dtype))


def shown(what):
    if what == "one":
        return exhibit(noise(), filter_recipe(["sobel_x"]), "noise.png")
    if what == "three":
        return exhibit(
            noise(300, 451),
            filter_recipe(["kirsch", "gabor:sigma=3,wavelength=7.25,angle=22.5,phase=45,aspect=0.6", "gaussian:sigma=2"]),
            LONG,
        )
    if what == "tall":
        return exhibit(noise(900, 30), filter_recipe(["sobel_y", "laplacian8"]), "tall.png")
    if what == "wide":
        return exhibit(noise(7, 900, 1), filter_recipe(["sobel_y"]), "wide.png")
    if what == "deep":
        return exhibit(noise(dtype=np.uint16), Recipe("pool", Pool(3)), "deep.png")
    if what == "many":
        return exhibit(noise(), filter_recipe(["laws"]), LONG)
    if what == "steps":
        steps = ["grey", "conv kernel=sobel", *["relu", "conv laplacian8 padding=1"] * 6, "flatten", "softmax"]
        return exhibit(noise(), network_recipe(steps), "$x$ and $y.png")
    registry = Registry.load()
    return gallery(noise(), registry, registry.names()[:50], "noise.png")


KINDS = ("one", "three", "tall", "wide", "deep", "many", "steps", "gallery")


@pytest.fixture(scope="module")
def drawn():
    """Every kind of page: its height, its density, the boxes of its titles and notes, and those of its axes, in pixels."""
    pages = {}

    def save(figure, stream, *, dpi, **options):
        renderer = figure.canvas.get_renderer()
        numbers = {text for axes in figure.axes for text in axes.texts if not isinstance(text, Annotation)}
        ticks = {label for axes in figure.findobj(Axes) for axis in (axes.xaxis, axes.yaxis) for label in axis.findobj(Text)}
        texts = set(figure.findobj(Text)) - numbers - ticks
        words = [(text.get_text(), text.get_window_extent(renderer)) for text in texts if text.get_text()]
        pages[kind] = (figure.bbox.height, dpi / 72, words, [axes.get_window_extent(renderer) for axes in figure.axes if axes.axison])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, "savefig", save)
        for kind in KINDS:
            draw(shown(kind), io.BytesIO(), "png")
    return pages


@pytest.mark.parametrize("kind", KINDS)
def test_words_stay_on_the_page_and_off_each_other(drawn, kind):
    height, _, words, axes = drawn[kind]
    for text, box in words:
        assert box.x0 >= 0 and box.x1 <= sheets.WIDTH and box.y0 >= 0 and box.y1 <= height, text
        assert not any(_overlap(box, other) for other in axes), text
    for (text, box), (other, other_box) in combinations(words, 2):
        assert not _overlap(box, other_box), (text, other)


@pytest.mark.parametrize("kind", KINDS)
def test_panels_stay_on_the_page_and_off_each_other(drawn, kind):
    height, _, _, axes = drawn[kind]
    for box in axes:
        assert box.x0 >= 0 and box.x1 <= sheets.WIDTH and box.y0 >= 0 and box.y1 <= height
    for box, other in combinations(axes, 2):
        assert not _overlap(box, other)


def _overlap(one, other, slack=1.0):
    return min(one.x1, other.x1) - max(one.x0, other.x0) > slack and min(one.y1, other.y1) - max(one.y0, other.y0) > slack


def test_pages_are_slides_and_those_of_many_maps_denser(drawn):
    assert {kind: (height, density) for kind, (height, density, _, _) in drawn.items() if kind != "steps"} == {
        **{kind: (1080, 1.0) for kind in KINDS if kind != "steps"},
        "gallery": (1080, 2.0),
    }
    assert drawn["steps"][0] > 1080


@pytest.mark.parametrize("format, begins", [("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<?xml")])
def test_the_same_page_gives_the_same_bytes(format, begins):
    files = []
    for _ in range(2):
        stream = io.BytesIO()
        draw(exhibit(Raster(np.arange(48, dtype=np.uint8).reshape(6, 8, 1)), filter_recipe(["laplacian4"]), "x.png"), stream, format)
        files.append(stream.getvalue())
    assert files[0] == files[1] and files[0].startswith(begins)


def test_red_is_above_zero_and_blue_below():
    step = np.zeros((20, 30, 1), np.uint8)
    step[:, 10:20] = 200
    stream = io.BytesIO()
    draw(exhibit(Raster(step), filter_recipe(["-1 0 1"]), "step.png"), stream, "png")
    with Image.open(stream) as image:
        assert image.size == (1920, 1080)
        map_ = np.array(image.convert("RGB"))[200:600, 1040:1720].astype(int)
    red = np.argwhere((map_[..., 0] > 90) & (map_[..., 2] < 60))[:, 1]
    blue = np.argwhere((map_[..., 2] > 90) & (map_[..., 0] < 60))[:, 1]
    assert len(red) > 500 and len(blue) > 500 and red.max() < blue.min()


def test_a_style_of_ones_own_changes_nothing():
    import matplotlib as mpl

    contents = exhibit(Raster(np.arange(48, dtype=np.uint8).reshape(6, 8, 1)), filter_recipe(["laplacian4"]), "x.png")
    files = []
    for size in (10, 30):
        with mpl.rc_context({"font.size": size, "axes.facecolor": "red"}):
            stream = io.BytesIO()
            draw(contents, stream, "png")
            files.append(stream.getvalue())
            assert mpl.rcParams["font.size"] == size
    assert files[0] == files[1]


@pytest.mark.parametrize("words", ["sobel_x", LONG, "x" * 300, " "])
@pytest.mark.parametrize("width", [40, 200, 1800])
def test_words_fit_where_they_are_put(words, width):
    label = Figure().text(0, 0, words, size=20, parse_math=False)
    sheets.shorten(label, width)
    cut = label.get_text()
    assert label.get_window_extent().width <= width and label.get_size() >= sheets.SMALLEST
    assert cut == words or (cut.endswith("\N{HORIZONTAL ELLIPSIS}") and words.startswith(cut[:-1]))


NAMES = ("日本語", "Фото", "नमस्ते", "☕😀👩‍🔬", "$x$ $y$", r"$\frac{", "%s {}", "\x1b[31m\t\n\0", "\udcff", "\u202egpj", "\ue000")


@pytest.mark.parametrize("format", ["png", "pdf", "svg"])
def test_any_name_is_drawn_without_a_warning(format):
    panels = tuple(image_panel(noise(), name, name) for name in NAMES)
    draw(Exhibit("".join(NAMES), "".join(NAMES), (Group("", "", panels),)), io.BytesIO(), format)
    draw(Exhibit("", "", tuple(Group(f"{name}  {name}", name, panels[:1]) for name in NAMES)), io.BytesIO(), format)


def test_characters_without_a_glyph_are_boxes():
    families, boxes = sheets.fonts_for("a$\t\ue000\udcff\x9b")
    assert families == ["DejaVu Sans"] and "a$\t\ue000\udcff\x9b".translate(boxes) == "a$□□□□"


def test_another_font_is_used_for_characters_that_the_first_lacks():
    def characters(family, weight):
        return set(get_font(findfont(FontProperties(family=[family], weight=weight))).get_charmap())

    in_another = characters("STIXGeneral", "normal") & characters("STIXGeneral", "bold") - characters("DejaVu Sans", "normal")
    families, boxes = sheets.fonts_for("a" + next(chr(code) for code in sorted(in_another) if chr(code).isprintable()))
    assert len(families) == 2 and not boxes
