"""`imgconv explain` as a real process: its value is the pixel that the command writes."""

import json

import numpy as np
import pytest
from command import PHOTO, SAMPLES, imgconv, refused
from PIL import Image
from terminal import on_terminal

pytestmark = pytest.mark.sweep(3)

LOGO = SAMPLES / "logo_transparent.png"


def explanation_of(*words, **options):
    done = imgconv("explain", *words, "--json", **options)
    assert done.code == 0, done.err
    return json.loads(done.out)


@pytest.mark.parametrize(
    "image, command, words",
    [
        (PHOTO, "edge", ()),
        (PHOTO, "filter", ("-k", "sobel")),
        (PHOTO, "filter", ("-k", "gaussian:sigma=2", "--stride", "3", "--linear")),
        (SAMPLES / "camera.png", "filter", ("-k", "emboss", "--range", "minmax", "--invert")),
        (SAMPLES / "ramp_16bit.png", "filter", ("-k", "relief", "--dilation", "2")),
        (LOGO, "filter", ("-k", "box:size=5")),
        (SAMPLES / "rotated_exif6.jpg", "filter", ("-k", "sharpen4", "--grey")),
        (LOGO, "pool", ("--size", "3", "--stride", "2", "--mode", "median")),
        (PHOTO, "pool", ("--window", "ring:radius=2", "--mode", "rank:90", "--padding-mode", "symmetric")),
        (SAMPLES / "ramp_16bit.png", "pool", ("--window", "0 1 0; 1 1 1; 0 1 0", "--mode", "std", "--dilation", "2")),
        (PHOTO, "filter", ("-k", "laplacian8", "--grey", "--overlay", "--threshold", "40")),
        (PHOTO, "edge", ("--overlay",)),
        (SAMPLES / "rotated_exif6.jpg", "edge", ("--overlay", "--linear")),
    ],
)
def test_the_value_is_the_pixel_of_the_file(tmp_path, image, command, words):
    written = tmp_path / "made.png"
    assert imgconv(command, image, *words, "-o", written, "-q").code == 0
    with Image.open(written) as output:
        pixels = np.atleast_3d(np.array(output))
    for x, y in ((0, 0), (7, 3), (pixels.shape[1] - 1, pixels.shape[0] - 1)):
        (result,) = explanation_of(image, *words, "--at", f"{x},{y}")["maps"]
        assert result["pixel"] == pixels[y, x].tolist()


def test_products_and_coordinates_are_those_of_the_image():
    with Image.open(SAMPLES / "camera.png") as image:
        pixels = np.array(image).astype(int)
    (result,) = explanation_of(SAMPLES / "camera.png", "-k", "1 2; 3 4", "--padding", "valid", "--stride", "2", "--at", "10,20")["maps"]
    (product,) = result["channels"][0]["members"][0]["products"]
    assert (result["rows"], result["columns"]) == ([40, 41], [20, 21])
    assert product["values"] == pixels[40:42, 20:22].tolist()
    assert product["products"] == (pixels[40:42, 20:22] * [[1, 2], [3, 4]]).tolist()
    assert product["sum"] == sum(map(sum, product["products"]))


def test_a_rank_sorts_its_cells_and_a_shape_leaves_others_out():
    text = imgconv("explain", SAMPLES / "camera.png", "--window", "cross", "--mode", "rank:75", "--at", "0,10").out.decode()
    assert "number 4 of 200, 200, 200, 201 in ascending order = 201" in text and "window=cross" in text
    (result,) = explanation_of(SAMPLES / "camera.png", "--window", "cross", "--at", "0,10")["maps"]
    assert result["used"] == [[False, True, False], [False, True, True], [False, True, False]]


def test_padding_is_marked_and_tables_are_readable():
    (result,) = explanation_of(PHOTO, "--at", "0,0")["maps"]
    assert result["padded"] == [[True] * 3, [True, False, False], [True, False, False]]
    text = imgconv("explain", PHOTO, "--at", "0,0").out.decode()
    assert "lie beyond the edge" in text and "range abs" in text and "laplacian8 0,0 = " in text
    assert "\x1b" not in text


def test_the_first_frame_of_several_is_named():
    assert [imgconv("explain", SAMPLES / name).out.decode().count("frame 1 of 8") for name in ("animated.gif", "coffee.jpg")] == [1, 0]
    result = explanation_of(SAMPLES / "pages.tiff")
    assert (result["frame"], result["frames"]) == (1, 3)


def test_canny_down_to_the_pixel_of_the_file(tmp_path):
    assert imgconv("canny", PHOTO, "--sigma", "2", "--low", "80%", "--high", "95%", "-o", tmp_path / "e.png", "-q").code == 0
    with Image.open(tmp_path / "e.png") as image:
        edges = np.array(image)
    y, x = np.argwhere(edges)[len(np.argwhere(edges)) // 2].tolist()
    for at in ((x, y), (x + 1, y), (0, 0)):
        (result,) = explanation_of(PHOTO, "--canny", "--sigma", "2", "--low", "80%", "--high", "95%", "--at", f"{at[0]},{at[1]}")["maps"]
        assert result["pixel"] == [edges[at[1], at[0]]]
    text = imgconv("explain", PHOTO, "--sigma", "2", "--low", "80%", "--high", "95%", "--at", f"{x},{y}").out.decode()
    assert all(
        word in text for word in ("gaussian of sigma 2", "sobel_y", "length", "direction", "ahead", "behind", f"canny {x},{y} = 255")
    )
    assert "--animate is for one filter or pool" in refused(2, "explain", PHOTO, "--canny", "--animate", tmp_path / "a.gif")


def test_cells_have_their_colour_on_a_terminal():
    text = on_terminal("explain", PHOTO, "-k", "sobel", "--at", "200,100", columns=100)
    with Image.open(PHOTO) as image:
        red, _, _ = image.getpixel((200, 100))
    assert f"48;2;{red};0;0m" in text and "\x1b[31m-1" in text and "\x1b[32m" in text


def test_matrices_on_a_photograph():
    (result,) = explanation_of(PHOTO, "-k", "sobel_x", "--grey", "--at", "30,40", "--matrix")["matrices"]
    kernel_matrix, im2col, cells, taps = (np.array(result[name]) for name in ("kernel_matrix", "im2col", "cells", "taps"))
    assert kernel_matrix.shape == (9, 25) and im2col.shape == (9, 9) and result["corner"] == [38, 28]
    assert (kernel_matrix @ cells.ravel()).tolist() == (taps @ im2col).tolist() == result["sums"]
    text = imgconv("explain", PHOTO, "-k", "sobel_x", "--matrix").out.decode()
    assert "kernel matrix of sobel_x" in text and "im2col" in text


def test_an_animation_is_written_in_addition(tmp_path):
    done = imgconv("explain", PHOTO, "-k", "laplacian8", "--at", "100,100", "--animate", tmp_path / "a.gif")
    assert done.code == 0 and done.err.endswith(f"{tmp_path / 'a.gif'}: 25 frames\n")
    with Image.open(tmp_path / "a.gif") as image:
        assert image.n_frames == 25 and image.info["loop"] == 0
    copy = tmp_path / "copy.gif"
    copy.write_bytes((SAMPLES / "animated.gif").read_bytes())
    assert "is the input" in refused(2, "explain", copy, "--animate", copy, "--json")


def test_the_last_step_of_a_network(tmp_path):
    steps = ("-s", "conv sobel_x sobel_y padding=1", "-s", "relu", "-s", "max_pool 2")
    assert imgconv("run", PHOTO, *steps, "-o", tmp_path / "maps.npy", "-q").code == 0
    result = explanation_of(PHOTO, *steps, "--at", "50,60")["maps"]
    assert [value for each in result for value in each["pixel"]] == np.load(tmp_path / "maps.npy")[:, 60, 50].tolist()
    assert "the largest of" in imgconv("explain", PHOTO, *steps).out.decode()


def test_nan_is_null_in_json_and_shown_in_tables(tmp_path):
    pixels = np.full((9, 9), 0.5, np.float32)
    pixels[4, 4], pixels[4, 5] = np.nan, np.inf
    np.save(tmp_path / "holes.npy", pixels)
    done = imgconv("explain", tmp_path / "holes.npy", "-k", "laplacian8", "--at", "4,4", "--json")
    assert json.loads(done.out, parse_constant=pytest.fail)["maps"][0]["pixel"] == [None]
    assert "laplacian8 4,4 = nan" in imgconv("explain", tmp_path / "holes.npy", "-k", "laplacian8", "--at", "4,4").out.decode()


def test_standard_input_and_damaged_images(tmp_path):
    (result,) = explanation_of("-", "--at", "5,5", stdin=PHOTO.read_bytes())["maps"]
    assert result["pixel"] == explanation_of(PHOTO, "--at", "5,5")["maps"][0]["pixel"]
    cut = tmp_path / "cut.jpg"
    cut.write_bytes(PHOTO.read_bytes()[:20000])
    assert "cut.jpg: " in refused(1, "explain", cut)
    assert explanation_of(cut, "--salvage", "--at", "5,5")["maps"][0]["pixel"] == result["pixel"]


@pytest.mark.parametrize(
    "code, words, text",
    [
        (2, ("--at", "5"), "--at: expected X,Y"),
        (1, ("--at", "600,0"), "outside the output laplacian8, which is 600 wide"),
        (2, ("--size", "2", "--matrix"), "--matrix shows one filter"),
        (1, ("-k", "gaussian:sigma=3", "--matrix"), "kernel gaussian-sigma-3 spans 25x25"),
        (2, ("--animate", "a.jpg"), "ends in .gif, .png, .apng or .webp"),
        (2, ("-k", "box", "--mode", "max"), "--kernel cannot be used with a pool"),
    ],
)
def test_wrong_arguments_give_one_line(code, words, text):
    assert text in refused(code, "explain", PHOTO, *words)
