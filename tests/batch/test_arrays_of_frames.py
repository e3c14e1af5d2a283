"""The maps of several frames in one array."""

import numpy as np
import pytest
from command import imgconv, refused
from PIL import Image


def pages(path, sizes):
    first, *others = [Image.new("L", size, 40) for size in sizes]
    first.save(path, save_all=True, append_images=others)
    return path


@pytest.mark.parametrize("memory", ["8G", "1M"])
@pytest.mark.parametrize("ending", ["npy", "zarr"])
def test_maps_of_several_sizes_are_refused_in_one_line(tmp_path, ending, memory):
    file = tmp_path / "image.npy"
    np.save(file, np.zeros((300, 200), np.uint8))
    words = ["filter", file, "-k", "box", "-k", "gabor", "--padding", "2", "--memory", memory]
    assert "several sizes" in refused(1, *words, "--range", "raw", "-o", tmp_path / f"maps.{ending}")


@pytest.mark.parametrize("ending", ["npy", "npz"])
def test_frames_of_several_sizes_are_refused_in_one_line(tmp_path, ending):
    scan = pages(tmp_path / "scan.tiff", [(20, 10), (30, 40)])
    assert "several sizes" in refused(1, "edge", scan, "-o", tmp_path / f"maps.{ending}")
    assert not (tmp_path / f"maps.{ending}").exists()


def test_frames_of_one_size_come_in_front(tmp_path):
    scan = pages(tmp_path / "scan.tiff", [(20, 10), (20, 10), (20, 10)])
    assert imgconv("filter", scan, "-k", "sobel_x", "-k", "box", "-o", tmp_path / "maps.npy").code == 0
    maps = np.load(tmp_path / "maps.npy")
    assert maps.shape == (3, 2, 10, 20)
    assert (maps[:, 0] == 0).all() and (maps[:, 1] == 40).all()
