"""`imgconv canny` as its users meet it."""

from pathlib import Path

import numpy as np
import pytest
from command import PHOTO, SAMPLES, imgconv, refused
from PIL import Image
from scipy import ndimage

GOLDEN = Path(__file__).parents[1] / "data" / "canny" / "edges.npz"


def pixels(path):
    with Image.open(path) as image:
        return np.array(image)


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    path = tmp_path_factory.mktemp("canny") / "edges.png"
    assert imgconv("canny", PHOTO, "-o", path).code == 0
    return pixels(path)


def test_a_photograph_as_scikit_image(plain):
    with np.load(GOLDEN) as golden:
        expected = np.unpackbits(golden["coffee.jpg.default"], axis=1).astype(bool)
    is_edge = plain == 255
    for edges, others in ((is_edge, expected), (expected, is_edge)):
        assert (edges & ndimage.binary_dilation(others, np.ones((3, 3)))).sum() >= 0.98 * edges.sum()


def test_folders_frames_and_depths(tmp_path):
    names = ("animated.gif", "pages.tiff", "ramp_16bit.png", "logo_transparent.png", "rotated_exif6.jpg")
    for name in names:
        (tmp_path / name).write_bytes((SAMPLES / name).read_bytes())
    assert imgconv("canny", tmp_path, "-o", tmp_path / "out").code == 0
    with Image.open(tmp_path / "out" / "animated.canny.png") as animation, Image.open(tmp_path / "out" / "pages.canny.tiff") as pages:
        assert (animation.n_frames, pages.n_frames) == (8, 3)
    assert pixels(tmp_path / "out" / "rotated_exif6.canny.png").shape == (161, 120)
    assert pixels(tmp_path / "out" / "ramp_16bit.canny.png").dtype.itemsize > 1
    assert set(np.unique(pixels(tmp_path / "out" / "logo_transparent.canny.png"))) == {0, 255}


def test_sixteen_bits_are_white_at_their_own_level(tmp_path):
    card = np.repeat(np.repeat(np.array([[1000, 60000]], np.uint16), 20, axis=1), 30, axis=0)
    Image.fromarray(card).save(tmp_path / "card.png")
    assert imgconv("canny", tmp_path / "card.png", "--low", "9000", "--high", "20000", "-o", tmp_path / "out.npy").code == 0
    is_edge = np.load(tmp_path / "out.npy")
    assert is_edge.shape == (1, 30, 40) and is_edge.dtype == np.float32 and set(np.unique(is_edge)) == {0, 65535}


def test_invert_and_overlay(plain, tmp_path):
    assert imgconv("canny", PHOTO, "--invert", "-o", tmp_path / "dark.png").code == 0
    assert np.array_equal(pixels(tmp_path / "dark.png"), 255 - plain)
    assert imgconv("canny", PHOTO, "--overlay", "-o", tmp_path / "over.png").code == 0
    over, edges = pixels(tmp_path / "over.png"), plain == 255
    drawn = (over == (255, 0, 0)).all(axis=2)
    assert (drawn & edges).sum() > 0.95 * edges.sum() and np.array_equal(over[~drawn & ~edges], pixels(PHOTO)[~drawn & ~edges])


def test_a_pipe_and_thresholds_in_percent(plain):
    done = imgconv("canny", "-", "--low", "90%", "--high", "97%", "--sigma", "2", stdin=PHOTO.read_bytes())
    assert done.code == 0 and done.out.startswith(b"\x89PNG")
    few = imgconv("canny", "-", "--low", "97%", "--high", "99%", "--sigma", "2", "--format", "pnm", stdin=PHOTO.read_bytes())
    assert 0 < few.out.count(b"\xff") < (plain == 255).sum()


def test_alpha_is_preserved_on_demand(tmp_path):
    assert imgconv("canny", SAMPLES / "logo_transparent.png", "--alpha", "keep", "-o", tmp_path / "kept.png").code == 0
    assert np.array_equal(pixels(tmp_path / "kept.png")[..., 1], pixels(SAMPLES / "logo_transparent.png")[..., 3])


def test_the_recipe_is_written_into_the_output(tmp_path):
    assert imgconv("canny", PHOTO, "--low", "80%", "--high", "90%", "--sigma", "3", "-o", tmp_path / "e.png").code == 0
    with Image.open(tmp_path / "e.png") as image:
        assert "canny sigma=3.0 low=80.0 high=90.0 percent=True" in " ".join(map(str, image.text.values()))


@pytest.mark.parametrize(
    "words, message",
    [
        (("--low", "60", "--high", "50"), "low threshold 60 is above the high one, 50"),
        (("--low", "x"), "--low: expected a level such as 25"),
        (("--low", "nan"), "--low: expected a level such as 25"),
        (("--low", "5%"), "percentages of gradients need both thresholds"),
        (("--low", "5%", "--high", "9"), "have different units"),
        (("--low", "5%", "--high", "101%"), "threshold must be from 0% to 100%, not 101%"),
        (("--high", "-1"), "threshold must be a level of at least 0, not -1"),
        (("--sigma", "-1"), "sigma must be from 0 to 256 pixels, not -1"),
        (("--sigma", "nan"), "sigma must be from 0 to 256 pixels, not nan"),
    ],
)
def test_thresholds_that_are_always_wrong(words, message):
    assert message in refused(2, "canny", PHOTO, *words)


def test_thresholds_that_are_wrong_for_this_image(tmp_path):
    assert "low threshold 60 is above the high one, 51" in refused(1, "canny", PHOTO, "--low", "60", "-o", tmp_path / "e.png")
    assert not (tmp_path / "e.png").exists()
