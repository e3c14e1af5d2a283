"""Animations show every window once, and previews keep proportions and colours."""

import io
from math import isqrt

import numpy as np
import pytest

import imgconv
from imgconv.errors import DoesNotFit
from imgconv.images import Encoding, Raster, encode, open_frames
from imgconv.plotting import animation
from imgconv.plotting.animation import NEGATIVE, PADDING, POSITIVE, WINDOW, animate
from imgconv.plotting.thumbnails import preview
from imgconv.recipe import Pool, Recipe, filter_recipe

pytestmark = pytest.mark.sweep(3)

NOISE = Raster(np.random.default_rng(0).integers(0, 256, (30, 41, 3), np.uint8))


TOP, LEFT, SIDE = animation.MARGIN + animation.HEAD, animation.MARGIN + animation.SIDE, animation.cell_size(["255"])


def cells_of(colour, frame, offset=1):
    """Cells (row, column) that have `colour` at `offset` from their corner."""
    pixels = frame.pixels[TOP + offset :: SIDE, LEFT + offset :: SIDE]
    return {tuple(at) for at in np.argwhere((pixels == colour).all(axis=2))}


@pytest.mark.parametrize("stride, dilation", [(1, 1), (2, 1), (1, 2)])
def test_the_window_moves_by_the_stride_and_spreads_by_the_dilation(stride, dilation):
    recipe = filter_recipe(["laplacian8"], stride=stride, dilation=dilation, padding_mode="zeros")
    frames = list(animate(NOISE, recipe, (8, 8)))
    columns = isqrt(len(frames))
    assert columns**2 == len(frames) and frames[-1].duration > frames[0].duration
    for index in (0, 1, columns, columns**2 - 1):
        windows = cells_of(WINDOW, frames[index])
        row, column = divmod(index, columns)
        taps = {(row * stride + u * dilation, column * stride + v * dilation) for u in range(3) for v in range(3)}
        assert taps <= windows and len(windows) == 10  # nine taps, and the output cell


def shown(frame):
    """The colours of all cells of a frame, from the upper left."""
    return frame.pixels[TOP + 4 :: SIDE, LEFT + 4 :: SIDE]


@pytest.mark.parametrize("at, expected", [((0, 0), {0}), ((40, 29), {6}), ((20, 15), set())])
def test_padding_is_drawn_where_the_image_ends(at, expected):
    frames = list(animate(NOISE, filter_recipe(["laplacian8"]), at))
    assert cells_of(PADDING, frames[-1], offset=4) == {(i, j) for i in range(7) for j in range(7) if i in expected or j in expected}
    assert not np.array_equal(frames[0].pixels, frames[-1].pixels)


@pytest.mark.parametrize(
    "kernel, options", [("laplacian8", {}), ("1 2; 3 4", {"stride": 2, "range": "minmax"}), ("relief", {"flip": True})]
)
def test_cells_are_those_of_the_image_and_results_those_of_the_whole_map(kernel, options):
    last = list(animate(NOISE, filter_recipe([kernel], **options), (8, 7)))[-1]
    grey = imgconv.filter(NOISE.pixels, "identity", grey=True)
    product = imgconv.filter(grey, kernel, **options)
    stride, before = options.get("stride", 1), 1 if kernel != "1 2; 3 4" else 0
    top, left = (first * stride - before for first in (5, 6))
    size = 4 * stride + (2 if kernel == "1 2; 3 4" else 3)
    assert np.allclose(shown(last)[:size, :size, 0].astype(int), grey[top : top + size, left : left + size], rtol=0, atol=8)  # 16 greys
    across = size + 2 + (2 if kernel == "1 2; 3 4" else 3)
    above = TOP + (size - 5) * SIDE // 2
    results = last.pixels[above + 4 :: SIDE, LEFT + 4 :: SIDE]
    assert np.allclose(results[:5, across : across + 5, 0].astype(int), product[5:10, 6:11], rtol=0, atol=8)


@pytest.mark.parametrize(
    "kernel, signs", [("laplacian8", {POSITIVE, NEGATIVE}), ("box", {POSITIVE}), ("sobel", set()), ("box:size=9", set())]
)
def test_a_small_kernel_stands_between(kernel, signs):
    first = next(iter(animate(NOISE, filter_recipe([kernel]))))
    assert {colour for colour in (POSITIVE, NEGATIVE) if (first.pixels == colour).all(axis=2).any()} == signs


@pytest.mark.parametrize("step", [Pool(3, stride=2, padding=1, ceil_mode=True), Pool(2, "avg"), Pool((2, 3), "median", stride=1)])
def test_pools_are_drawn_too(step):
    frames = list(animate(NOISE, Recipe("pool", step)))
    file = io.BytesIO()
    encode(frames, "gif", file, Encoding(animated=True))
    with open_frames(file.getvalue()) as opened:
        assert opened.header.frames == len(frames) and opened.header.animated


def test_a_drawing_has_no_more_colours_than_a_gif():
    every_level = Raster(np.arange(1024, dtype=np.uint8).reshape(32, 32, 1))
    for frame in animate(every_level, Recipe("pool", Pool(1, stride=4))):
        colours = frame.pixels @ np.array([1 << 16, 1 << 8, 1])  # one number each: rows are sorted slowly
        assert len(np.unique(colours)) <= 256
    dark, light = (Raster(np.full((5, 5, 1), level, np.uint8)) for level in (0, 255))
    for image, level in ((dark, 0), (light, 255)):
        (first, *_) = animate(image, Recipe("pool", Pool(1)))
        assert (first.pixels[TOP + 4, LEFT + 4] == level).all()


def test_windows_too_wide_to_draw_are_refused():
    for recipe in (filter_recipe(["box:size=17"]), Recipe("pool", Pool(3, stride=30))):
        with pytest.raises(DoesNotFit, match="up to 15x15 cells, two of them within 24"):
            list(animate(NOISE, recipe))


def test_a_small_image_is_shown_as_a_whole():
    small = Raster(np.ascontiguousarray(NOISE.pixels[:2, :3]))
    assert len(list(animate(small, filter_recipe(["sobel_x"])))) == 6
    assert len(list(animate(small, Recipe("pool", Pool(2))))) == 1


@pytest.mark.parametrize("text", ["255", "-0.25", "1020", "nan"])
def test_every_number_fits_its_cell(text):
    font = animation._font(animation.CELL_FONT)  # the font decides what fits
    left, top, right, bottom = font.getbbox(text)
    assert max(right - left, bottom - top) <= animation.cell_size([text]) - 6


@pytest.mark.parametrize(
    "recipe, caption",
    [
        (filter_recipe(["-1 0 1"], range="raw"), "output 0,0: window over columns -1 to 1, rows 0 to 0\n-1*{a} + 1*{b} = "),
        (filter_recipe(["sobel"]), "output 0,0: window over columns -1 to 1, rows -1 to 1\nsobel: "),
        (Recipe("pool", Pool(2, "avg")), "output 0,0: window over columns 0 to 1, rows 0 to 1\navg of {a}, {b}, "),
    ],
)
def test_a_caption_has_the_position_and_the_arithmetic(recipe, caption, monkeypatch):
    captions = []
    monkeypatch.setattr(animation, "_lines", lambda text, width: captions.append(text) or [text])  # a drawing cannot be read back
    grey = imgconv.filter(NOISE.pixels, "identity", grey=True)
    list(animate(NOISE, recipe, (0, 0)))
    first = (grey[0, 0], grey[0, 1])
    assert captions[0].startswith(caption.format(a=first[0], b=first[1]))


def test_rows_and_columns_are_numbered():
    """Above and left of the input; other cells have other numbers."""
    frames = [next(animate(NOISE, filter_recipe(["laplacian8"]), at)).pixels for at in ((8, 8), (3, 8))]
    above = [pixels[TOP - 14 : TOP - 2, LEFT:300] for pixels in frames]
    input_parts = [pixels[TOP:, animation.MARGIN : LEFT - 2] for pixels in frames]
    assert all((each == animation.POSITIONS).all(axis=-1).any() for each in (*above, *input_parts))
    assert (above[0] != above[1]).any() and (input_parts[0][:200] == input_parts[1][:200]).all()


def test_a_preview_keeps_proportions_and_colours():
    halves = np.zeros((60, 90, 3), np.uint8)
    halves[:, :45] = (200, 100, 50)
    small = preview(Raster(halves), 30)
    assert small.shape == (20, 30, 3)
    assert (small[:, :14] == (200, 100, 50)).all() and (small[:, 16:] == 0).all()
    assert preview(Raster(halves), 500).shape == (60, 90, 3)


def test_previews_of_other_depths():
    ramp = np.linspace(-3, 5, 64, dtype=np.float32).reshape(8, 8, 1)
    assert (preview(Raster(ramp), 8)[0, 0] == 0).all() and (preview(Raster(ramp), 8)[-1, -1] == 255).all()
    deep = np.full((4, 4, 2), 65535, np.uint16)
    deep[..., 1] = 0
    assert not preview(Raster(deep, alpha=True), 4).any()


def test_a_gif_of_an_animation_has_its_pixels_and_holds_only_what_changes():
    frames = list(animate(NOISE, filter_recipe(["laplacian8"]), (8, 8)))
    alone, together = io.BytesIO(), io.BytesIO()
    encode(frames[-1:], "gif", alone)
    encode(frames, "gif", together, Encoding(animated=True))
    with open_frames(together.getvalue()) as written:
        assert all(np.array_equal(one.pixels, other.pixels) for one, other in zip(written, frames, strict=True))
    assert len(together.getvalue()) < 0.5 * len(frames) * len(alone.getvalue())
