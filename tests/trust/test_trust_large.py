"""Images larger than memory in real processes: with little address space, on a full disk, and killed on the way."""

import resource
import subprocess
import time

import numpy as np
import pytest
import tifffile
import zarr
from processes import IMGCONV, limited_environment, started

SIDE = 12_288


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A grey image of 151 megapixels, in tiles that compress well."""
    path = tmp_path_factory.mktemp("large") / "large.tif"
    tile = np.random.default_rng(0).integers(0, 2, (512, 512), dtype=np.uint8)
    tiles = (tile for _ in range((SIDE // 512) ** 2))
    shape = {"shape": (SIDE, SIDE), "dtype": np.uint8, "tile": (512, 512), "photometric": "minisblack"}
    tifffile.imwrite(path, tiles, compression="zstd", **shape)
    return path


def run(*words, limit, most):
    little = {"preexec_fn": lambda: resource.setrlimit(limit, (most, most))}
    settings = limited_environment(OPENBLAS_NUM_THREADS="1")
    return subprocess.run([*IMGCONV, *map(str, words)], env=settings, capture_output=True, text=True, timeout=120, check=False, **little)


def test_little_address_space_is_enough_for_bands_and_too_little_for_the_whole(large, tmp_path):
    words = ["pool", large, "--size", "8", "-o", tmp_path / "out.tiff", "-q", "-j", "2", "--memory", "4G"]  # of which the shell leaves less
    done = run(*words, limit=resource.RLIMIT_AS, most=650 << 20)
    assert done.returncode == 0, done.stderr
    assert tifffile.imread(tmp_path / "out.tiff").shape == (SIDE // 8, SIDE // 8)
    words[0:4] = ["canny", large]
    refused = run(*words, limit=resource.RLIMIT_AS, most=500 << 20)
    assert refused.returncode == 1 and "canny follows edges" in refused.stderr and "are available" in refused.stderr


def test_little_address_space_is_enough_for_a_zarr(tmp_path):
    zarr.create_array(tmp_path / "large.zarr", shape=(SIDE, SIDE), dtype="u1", chunks=(512, 512), fill_value=3)
    words = ["pool", tmp_path / "large.zarr", "--size", "8", "-o", tmp_path / "out.zarr", "-q", "-j", "2"]
    done = run(*words, limit=resource.RLIMIT_AS, most=1 << 30)  # each thread of zarr takes 70 MB of it, and compiling 150
    assert done.returncode == 0, done.stderr
    assert zarr.open_array(tmp_path / "out.zarr", mode="r")[...].min() == 3


def test_a_full_disk_leaves_the_old_output(large, tmp_path):
    (tmp_path / "out.tiff").write_bytes(b"old")
    words = ["edge", large, "-o", tmp_path / "out.tiff", "--compression", "none", "-q"]
    done = run(*words, limit=resource.RLIMIT_FSIZE, most=20 << 20)
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and "Traceback" not in done.stderr, done.stderr
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"]


@pytest.mark.parametrize("number", [2, 15])
def test_a_run_that_is_stopped_leaves_the_old_output(large, tmp_path, number):
    (tmp_path / "out.tiff").write_bytes(b"old")
    with started("filter", large, "-k", "gaussian:sigma=40", "-o", tmp_path / "out.tiff", "-q", "-j", "1") as process:
        deadline = time.monotonic() + 60
        while len(list(tmp_path.iterdir())) < 2 and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(number)
        process.wait(30)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"]
