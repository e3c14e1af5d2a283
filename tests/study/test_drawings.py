"""Animations show every window once, and previews keep proportions and colours."""

import io
from math import isqrt

import numpy as np
import pytest

from imgconv.errors import DoesNotFit
from imgconv.pictures import Picture, encode, open_pictures
from imgconv.recipe import Pool, Recipe, filter_recipe
from imgconv.study import drawing
from imgconv.study.animation import NEGATIVE, PADDING, POSITIVE, WINDOW, animation
from imgconv.study.preview import preview

NOISE = Picture(np.random.default_rng(0).integers(0, 256, (30, 41, 3), np.uint8))


def cells_of(colour, frame, side):
    """Cells (row, column) whose outline has `colour`."""
    pixels = frame.pixels[drawing.MARGIN :, drawing.MARGIN :]
    corners = pixels[1::side, 1::side]
    return {tuple(at) for at in np.argwhere((corners == colour).all(axis=2))}


@pytest.mark.parametrize("stride, dilation", [(1, 1), (2, 1), (1, 2)])
def test_the_window_moves_by_the_stride_and_spreads_by_the_dilation(stride, dilation):
    recipe = filter_recipe(["laplacian8"], stride=stride, dilation=dilation, padding_mode="zeros")
    frames = list(animation(NOISE, recipe, (8, 8)))
    columns = isqrt(len(frames))
    assert columns**2 == len(frames) and frames[-1].duration > frames[0].duration
    side = drawing.cell_size(["255"])
    for index in (0, 1, columns, columns**2 - 1):
        windows = cells_of(WINDOW, frames[index], side)
        row, column = divmod(index, columns)
        taps = {(row * stride + u * dilation, column * stride + v * dilation) for u in range(3) for v in range(3)}
        assert taps <= windows and len(windows) == 10  # nine taps, and the output cell


def test_padding_has_its_colour_and_the_output_fills_up():
    frames = list(animation(NOISE, filter_recipe(["laplacian8"]), (8, 8)))
    side = drawing.cell_size(["255"])
    last = frames[-1].pixels[drawing.MARGIN + 5 :, drawing.MARGIN + 5 :][::side, ::side]
    padded = {tuple(at) for at in np.argwhere((last == PADDING).all(axis=2))}
    assert padded == {(i, j) for i in range(7) for j in range(7) if i in (0, 6) or j in (0, 6)}
    assert not np.array_equal(frames[0].pixels, frames[-1].pixels)


@pytest.mark.parametrize(
    "kernel, signs", [("laplacian8", {POSITIVE, NEGATIVE}), ("box", {POSITIVE}), ("sobel", set()), ("box:size=9", set())]
)
def test_a_small_kernel_stands_between(kernel, signs):
    first = next(iter(animation(NOISE, filter_recipe([kernel]))))
    assert {colour for colour in (POSITIVE, NEGATIVE) if (first.pixels == colour).all(axis=2).any()} == signs


@pytest.mark.parametrize("step", [Pool(3, stride=2, padding=1, ceil_mode=True), Pool(2, "avg"), Pool((2, 3), "median", stride=1)])
def test_pools_are_drawn_too(step):
    frames = list(animation(NOISE, Recipe("pool", step)))
    file = io.BytesIO()
    encode(frames, "gif", stream=file, animated=True)
    with open_pictures(file.getvalue()) as opened:
        assert opened.header.frames == len(frames) and opened.header.animated


def test_windows_too_wide_to_draw_are_refused():
    with pytest.raises(DoesNotFit, match="up to 15x15 cells"):
        list(animation(NOISE, filter_recipe(["box:size=17"])))


@pytest.mark.parametrize("letter", "-0123456789.")
def test_every_letter_can_be_drawn_and_told_from_the_others(letter):
    def drawn(text):
        image = np.zeros((30, 30, 3), np.uint8)
        drawing.write(image, text, 0, 0, 30, (255, 255, 255))
        return image

    assert drawn(letter).any()
    assert not any(np.array_equal(drawn(letter), drawn(other)) for other in "-0123456789." if other != letter)


def test_a_preview_keeps_proportions_and_colours():
    halves = np.zeros((60, 90, 3), np.uint8)
    halves[:, :45] = (200, 100, 50)
    small = preview(Picture(halves), 30)
    assert small.shape == (20, 30, 3)
    assert (small[:, :14] == (200, 100, 50)).all() and (small[:, 16:] == 0).all()
    assert preview(Picture(halves), 500).shape == (60, 90, 3)


def test_previews_of_other_depths():
    ramp = np.linspace(-3, 5, 64, dtype=np.float32).reshape(8, 8, 1)
    assert (preview(Picture(ramp), 8)[0, 0] == 0).all() and (preview(Picture(ramp), 8)[-1, -1] == 255).all()
    deep = np.full((4, 4, 2), 65535, np.uint16)
    deep[..., 1] = 0
    assert not preview(Picture(deep, alpha=True), 4).any()
