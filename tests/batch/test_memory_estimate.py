"""The memory estimate against the measured peak, for a few commands; `tests/load/memory.py` has the whole matrix."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
CASES = {
    "filter": ("rgb.png", "filter", "{}", "-k", "box", "-o", "o.png"),
    "jpeg2000 output": ("grey.png", "edge", "{}", "-o", "o.jp2"),
    "cmyk input": ("cmyk.jpg", "filter", "{}", "-k", "box", "-o", "o.png"),
    "array output": ("rgb.png", "filter", "{}", "-k", "box", "-o", "o.npy"),
    "network": ("rgb.png", "run", "{}", "-s", "conv laplacian8 padding=1", "-o", "o.png"),
}


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """A folder with small and large images of each kind."""
    folder = tmp_path_factory.mktemp("images")
    for name, size in (("small", (24, 32)), ("large", (3000, 4000))):
        (folder / name).mkdir()
        rows = np.random.default_rng(1).integers(0, 256, (24, size[1], 3), np.uint8)
        image = Image.fromarray(np.tile(rows, (size[0] // 24, 1, 1)))
        image.save(folder / name / "rgb.png", compress_level=1)
        image.convert("L").save(folder / name / "grey.png", compress_level=1)
        image.convert("CMYK").save(folder / name / "cmyk.jpg")
    return folder


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux measures the peak of a part of a process")
@pytest.mark.parametrize("words", CASES.values(), ids=CASES)
def test_the_estimate_is_near_the_measured_memory(images, tmp_path, words):
    name, *command = words
    files = [str(images / size / name) for size in ("small", "large")]
    done = subprocess.run(
        [sys.executable, ROOT / "tests" / "measured_memory.py", *files, *command, "-q", "--memory", "8G"],  # not by bands
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    estimate, measured_bytes = map(int, done.stdout.split())
    assert 1 / 1.3 <= estimate / measured_bytes <= 1.3, (estimate, measured_bytes)
