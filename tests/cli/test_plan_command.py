"""`imgconv plan` as a real process: nothing is decoded, and what it says is what then happens."""

import json
import re
from typing import get_args

import numpy as np
import pytest
from command import PHOTO, SAMPLES, imgconv, refused
from PIL import Image
from terminal import on_terminal

from imgconv.engine.dispatch import Algorithm
from imgconv.inspection.plans import MEANINGS
from imgconv.windows.ranks import RankAlgorithm
from imgconv.windows.reduce import ReductionAlgorithm

DEEP_HEADER = b"P6 60000 50000 65535\n"  # an image of 18 GB whose pixels are not there


def planned(*words, **options):
    done = imgconv("plan", *words, "--json", **options)
    assert done.code == 0, done.err
    return [json.loads(line) for line in done.out.splitlines()]


def test_every_algorithm_is_described():
    names = {*get_args(Algorithm), *get_args(ReductionAlgorithm), *get_args(RankAlgorithm), "unfolded", "tiles"}
    assert names <= set(MEANINGS)


def test_a_photograph_is_planned_as_edge_makes_it(tmp_path):
    (plan,) = planned(PHOTO)
    assert plan["shape"] == [3, 400, 600] and [step["name"] for step in plan["steps"]] == ["grey", "laplacian8"]
    assert plan["steps"][1]["sizes"][0] == "floor((400 + 1 + 1 - 3) / 1) + 1 = 400"
    assert plan["multiply_adds"] == 3 * 400 * 600 + 9 * 400 * 600
    written = tmp_path / "e.png"
    assert imgconv("edge", PHOTO, "-o", written).code == 0
    with Image.open(written) as image:
        assert [1, *image.size[::-1]] == plan["steps"][1]["output"]


@pytest.mark.parametrize(
    "words, command",
    [
        (("-k", "gaussian:sigma=2", "--stride", "2x3", "--padding", "valid"), "filter"),
        (("-k", "sobel", "--grey"), "filter"),
        (("--size", "3", "--stride", "2", "--mode", "avg", "--ceil-mode"), "pool"),
        (("-s", "conv laplacian8 padding=1", "-s", "max_pool 2"), "run"),
    ],
)
def test_it_agrees_with_the_output_of_the_command(tmp_path, words, command):
    (plan,) = planned(SAMPLES / "chelsea.jpg", *words)
    done = imgconv(command, SAMPLES / "chelsea.jpg", *words, "-o", tmp_path / "out.npy", "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["shapes"] == [plan["steps"][-1]["output"]]


def test_no_pixel_is_decoded(tmp_path):
    huge = tmp_path / "huge.ppm"
    huge.write_bytes(DEEP_HEADER)
    (plan,) = planned(huge, "-k", "box", "--max-pixels", "none")
    assert plan["steps"][0]["memory"] == 3 * 50000 * 60000 * 2 and plan["dtype"] == "uint16"
    assert "--max-pixels" in refused(1, "plan", huge)


def test_shapes_without_an_image_and_tables():
    done = imgconv("plan", "--shape", "3x224x224", "-s", "conv box padding=1", "-s", "relu", "-s", "flatten")
    text = done.out.decode()
    assert done.code == 0 and "same (equal-width)" in text and "150528" in text and "1.35 M" in text
    (plan,) = planned("--shape", "48x64", "-k", "laplacian8")
    assert plan["steps"][0]["output"] == [1, 48, 64]


def test_long_steps_are_shown_in_full_on_a_narrow_terminal():
    text = on_terminal("plan", "--shape", "1x90x90", "-s", "conv gaussian:sigma=1.5,size=7 padding=3 padding_mode=reflect", columns=80)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert all(len(line.rstrip()) <= 80 for line in plain.splitlines()) and "..." not in plain
    assert all(plain.count(word) >= 2 for word in ("conv", "gaussian:sigma=1.5,size=7", "padding=3", "padding_mode=reflect"))


def test_canny_and_the_work_that_is_really_done():
    (plan,) = planned(PHOTO, "--low", "80%", "--high", "90%")
    assert [step["name"] for step in plan["steps"]][3:] == ["thresholds", "thin to ridges", "hysteresis"]
    assert plan["performed"] == sum(step["performed"] for step in plan["steps"]) < plan["multiply_adds"]
    text = imgconv("plan", PHOTO, "--canny").out.decode()
    assert f"{plan['steps'][1]['multiply_adds'] + 720_000 + 22 * 240_000:,} direct" in text and "6.24 M multiply-adds" in text


def test_several_images_standard_input_and_one_that_fails(tmp_path):
    small = tmp_path / "small.png"
    Image.fromarray(np.zeros((2, 2), np.uint8)).save(small)
    done = imgconv("plan", PHOTO, small, "-k", "box", "--padding", "valid", "--json")
    assert done.code == 1 and len(done.out.splitlines()) == 1 and "small.png: kernel 3x3 does not fit" in done.err
    (plan,) = planned("-", "--size", "2", stdin=PHOTO.read_bytes())
    assert (plan["source"], plan["steps"][0]["output"]) == ("standard input", [3, 200, 300])


@pytest.mark.parametrize(
    "words, text",
    [
        ((), "no image given"),
        ((PHOTO, "--shape", "3x4x5"), "both an image and --shape"),
        (("--shape", "3x0x5"), "expected CxHxW"),
        ((PHOTO, "-k", "box", "--size", "2"), "--kernel cannot be used with a pool"),
        ((PHOTO, "--mode", "avg", "--flip"), "--flip cannot be used with a pool"),
        ((PHOTO, "--size", "3", "--window", "cross"), "--size and --window exclude each other"),
        ((PHOTO, "-s", "relu", "--stride", "2"), "--stride cannot be used with the steps of a network"),
        ((PHOTO, "-k", "nosuch"), "'nosuch' is unknown"),
        ((PHOTO, "--canny", "--size", "2"), "--size cannot be used with canny"),
        ((PHOTO, "--canny", "--color"), "--color cannot be used with canny"),
        ((PHOTO, "--canny", "--missing", "fill"), "--missing cannot be used with canny"),
        ((PHOTO, "--sigma", "0", "-s", "relu"), "--sigma cannot be used with the steps of a network"),
        ((PHOTO, "--low", "9%"), "percentages of gradients need both thresholds"),
    ],
)
def test_wrong_arguments_give_one_line_and_exit_2(words, text):
    assert text in refused(2, "plan", *words)
