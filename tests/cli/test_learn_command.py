"""`imgconv learn` as a real process, from a filtered photograph back to the kernel, and into the registry."""

import json

import numpy as np
import pytest
from command import PHOTO, SAMPLES, imgconv, refused
from PIL import Image
from terminal import on_terminal


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """A photograph and what kernels make of it, by their names."""
    folder = tmp_path_factory.mktemp("pairs")
    paths = {}
    for name, words in {
        "sharp.png": ("-k", "sharpen4"),
        "soft.npy": ("-k", "gaussian5"),
        "slope.png": ("-k", "sobel_x", "--grey", "--range", "clip"),
        "camera.png": ("-k", "sharpen4"),
    }.items():
        source = SAMPLES / "camera.png" if name == "camera.png" else PHOTO
        paths[name] = folder / name
        assert imgconv("filter", source, *words, "-o", paths[name], "-q").code == 0
    return paths


def learnt(*words, **options):
    done = imgconv("learn", *words, "--json", **options)
    assert done.code == 0, done.err
    return json.loads(done.out)["fits"]


def test_a_sharpening_kernel_is_learnt_and_stored(pairs, tmp_path):
    own = {"XDG_CONFIG_HOME": str(tmp_path)}
    done = imgconv("learn", PHOTO, pairs["sharp.png"], "--name", "mine", variables=own)
    text = done.out.decode()
    assert done.code == 0 and "whole numbers" in text and "% of the variance" in text and "left out because" in text
    assert done.err.startswith("added mine to ")
    shown = json.loads(imgconv("kernels", "show", "mine", "--json", variables=own).out)
    assert shown["taps"] == [[0, -1, 0], [-1, 5, -1], [0, -1, 0]] and (shown["divisor"], shown["offset"]) == (1, 0)
    again = tmp_path / "again.png"
    assert imgconv("filter", PHOTO, "-k", "mine", "-o", again, variables=own).code == 0
    with Image.open(again) as ours, Image.open(pairs["sharp.png"]) as theirs:
        assert np.array_equal(np.array(ours), np.array(theirs))
    assert "already has a kernel 'mine'" in refused(2, "learn", PHOTO, pairs["sharp.png"], "--name", "mine", "--json", variables=own)
    assert imgconv("learn", PHOTO, pairs["sharp.png"], "--name", "mine", "--force", variables=own).code == 0


def test_fractions_are_learnt_from_raw_maps(pairs):
    fits = learnt(PHOTO, pairs["soft.npy"], "--size", "5", "--channels", "each")
    assert [(fit["divisor"], fit["taps"][0][0][2]) for fit in fits] == [(256, [6, 24, 36, 24, 6])] * 3


def test_a_grey_image_of_a_jpeg_is_compared_with_its_own_luma(pairs):
    (fit,) = learnt(PHOTO, pairs["slope.png"])
    assert fit["taps"] == [[[[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]]] and fit["rms"] == [0]


def test_several_pairs_and_weights_across_colours_go_into_a_file(pairs, tmp_path):
    (fit,) = learnt(PHOTO, pairs["sharp.png"], SAMPLES / "camera.png", pairs["camera.png"])
    assert fit["seen"] == 398 * 598 + 510 * 510
    weights = tmp_path / "w.npy"
    learnt(PHOTO, pairs["sharp.png"], "--channels", "all", "-o", weights)
    assert np.load(weights).shape == (3, 3, 3, 3)
    again = tmp_path / "again.npy"
    assert imgconv("filter", PHOTO, "-k", f"@{weights}", "-o", again, "-q").code == 0
    with Image.open(pairs["sharp.png"]) as image:
        sharp = np.array(image).transpose(2, 0, 1)
    assert np.abs(np.clip(np.load(again), 0, 255) - sharp).max() <= 0.5


def test_descent_finds_it_too_and_draws_its_loss(pairs):
    text = imgconv("learn", PHOTO, pairs["sharp.png"], "--descend", "--steps", "400").out.decode()
    assert "loss, 400 steps" in text and "5  -1" in text


def test_the_loss_curve_grows_while_it_descends(pairs):
    text = on_terminal("learn", PHOTO, pairs["sharp.png"], "--descend", "--steps", "300", messages=True)
    live, _, report = text.partition("loss, 300 steps")
    assert live.count("\N{FULL BLOCK}") > 20 and "\x1b[1A" in live, "drawn again and again, over itself"
    assert "\N{FULL BLOCK}" in report and "\x1b[1A" not in report


def test_an_operation_that_is_not_a_kernel_is_reported(tmp_path):
    assert imgconv("edge", PHOTO, "-o", tmp_path / "e.png", "-q").code == 0
    assert "absolute values" in imgconv("learn", PHOTO, tmp_path / "e.png").out.decode()


@pytest.mark.parametrize(
    "code, words, text",
    [
        (2, (PHOTO,), "expected pairs of images, got 1"),
        (2, (PHOTO, PHOTO, "--size", "99"), "size must be from 1 to 31, not 99"),
        (2, (PHOTO, PHOTO, "--channels", "all", "--name", "mine"), "--name cannot store weights across channels"),
        (2, (PHOTO, PHOTO, "-o", "w.txt"), "ends in .npy"),
        (1, (PHOTO, SAMPLES / "chelsea.jpg"), "600x400 and 451x300 are not input and output"),
        (1, (PHOTO, "nosuch.png"), "nosuch.png: "),
    ],
)
def test_wrong_arguments_give_one_line(code, words, text):
    assert text in refused(code, "learn", *words)
