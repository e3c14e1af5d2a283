"""`imgconv figure` and `imgconv kernels gallery` as their users meet them."""

import os
import shutil

import numpy as np
import pytest
from command import PHOTO, SAMPLES, imgconv, refused
from PIL import Image

from imgconv.cli import figure
from imgconv.cli.options import ReadingOptions
from imgconv.cli.selection import Selection
from imgconv.plotting import figures


def size(path):
    with Image.open(path) as image:
        return image.size


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("-k", "sobel", "-k", "gaussian:sigma=2"),
        ("--size", "4", "--mode", "avg"),
        ("--canny", "--sigma", "2"),
    ],
)
def test_a_slide(words, tmp_path):
    done = imgconv("figure", PHOTO, *words, "-o", tmp_path / "f.png", cwd=tmp_path)
    assert done.code == 0 and done.out == b"" and size(tmp_path / "f.png") == (1920, 1080)
    assert [path.name for path in tmp_path.iterdir()] == ["f.png"]


def test_only_selected_steps_are_drawn(tmp_path):
    steps = ("-s", "grey", "-s", "conv sobel_x", "-s", "max_pool 2")
    for name, words in {"kept.png": (*steps, "--keep", "conv"), "short.png": steps[:4], "all.png": steps}.items():
        assert imgconv("figure", PHOTO, *words, "-o", tmp_path / name).code == 0
    selected_image, short, whole = (Image.open(tmp_path / name) for name in ("kept.png", "short.png", "all.png"))
    with selected_image, short, whole:
        assert selected_image.size == short.size == whole.size == (1920, 1080)
        differences = [(np.array(selected_image) != np.array(other)).mean() for other in (short, whole)]
    assert min(differences) > 0.05


@pytest.mark.parametrize("ending, begins", [("pdf", b"%PDF"), ("SVG", b"<?xml")])
def test_other_formats_and_a_pipe(ending, begins, tmp_path):
    done = imgconv("figure", "-", "-k", "laplacian8", "-o", tmp_path / f"f.{ending}", stdin=PHOTO.read_bytes())
    assert done.code == 0 and (tmp_path / f"f.{ending}").read_bytes().startswith(begins)


def test_a_gallery_of_the_kernels_with_a_tag(tmp_path):
    assert imgconv("kernels", "gallery", PHOTO, "--tag", "blur", "-o", tmp_path / "g.png").code == 0
    assert size(tmp_path / "g.png") == (1920, 1080)


def test_requests_that_are_never_right(tmp_path):
    assert "ends in .png, .pdf or .svg" in refused(2, "figure", PHOTO, "-o", tmp_path / "f.jpg")
    assert "cannot be used with a pool" in refused(2, "figure", PHOTO, "--size", "2", "--linear", "-o", tmp_path / "f.png")
    assert "--keep selects steps of a network" in refused(2, "figure", PHOTO, "--keep", "1", "-o", tmp_path / "f.png")
    assert "no kernel has all of these tags" in refused(2, "kernels", "gallery", PHOTO, "--tag", "none", "-o", tmp_path / "f.png")
    copy = shutil.copy(SAMPLES / "camera.png", tmp_path / "camera.png")
    assert "is the input" in refused(2, "figure", copy, "-o", copy)
    assert imgconv("figure", PHOTO).code == 2


def test_a_failure_leaves_no_file(tmp_path):
    assert "no such file" in refused(1, "figure", tmp_path / "none.jpg", "-o", tmp_path / "f.png")
    assert "does not fit" in refused(1, "figure", PHOTO, "-k", "box:size=999", "--padding", "valid", "-o", tmp_path / "f.png")
    assert "no such file" in refused(1, "figure", PHOTO, "-o", tmp_path / "none" / "f.png")
    assert not list(tmp_path.iterdir())


def test_without_matplotlib_the_extra_is_named(tmp_path):
    (tmp_path / "matplotlib.py").write_text("raise ImportError\n")
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])}
    assert "pip install 'imgconv[figure]'" in refused(1, "figure", PHOTO, "-o", tmp_path / "f.png", env=env)
    assert not (tmp_path / "f.png").exists()


@pytest.mark.parametrize("command", ["canny", "figure"])
def test_help_has_two_examples(command):
    assert imgconv(command, "--help", variables={"COLUMNS": "240"}).out.decode().count(f"imgconv {command} ") >= 2


def test_a_figure_of_a_jpeg_has_its_own_luma(monkeypatch, tmp_path):
    shown = []
    draw = figures.exhibit
    monkeypatch.setattr(figures, "exhibit", lambda raster, *more, **options: shown.append(raster) or draw(raster, *more, **options))
    figure.command(str(PHOTO), tmp_path / "f.png", Selection(), ReadingOptions())
    with Image.open(PHOTO) as image:
        image.draft("L", image.size)
        assert np.array_equal(shown[0].luma[..., 0], np.array(image))
    assert shown[0].channels == 3
