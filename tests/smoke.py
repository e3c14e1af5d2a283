"""Tries an installed imgconv on a photograph: `python tests/smoke.py`. It needs neither pytest nor anything else that is not installed.

The Python that runs it is the one whose imgconv is tried, which must not be the one in this folder.
"""

import contextlib
import importlib
import json
import pkgutil
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
PHOTO = str(ROOT / "sample_images" / "coffee.jpg")
COMMANDS = (
    ["edge", PHOTO, "-o", "edge.png"],
    ["plan", "edge.png", "-k", "sobel"],
    ["explain", "edge.png", "--at", "3,4"],
    ["kernels", "add", "smoke-test", "-k", "sobel_x"],
    ["filter", "edge.png", "-k", "smoke-test", "-o", "filtered.npy"],
    ["kernels", "remove", "smoke-test"],
    ["run", "edge.png", "-s", "max_pool 2", "-s", "relu", "-o", "run.npy"],
)


def main():
    """Import every module, and run commands and a call in a new folder; the first one that fails ends with its error."""
    import imgconv

    assert ROOT not in Path(imgconv.__file__).parents, f"{imgconv.__file__} is not an installed imgconv"
    for module in pkgutil.walk_packages(imgconv.__path__, "imgconv."):
        if module.name != "imgconv.__main__":
            with contextlib.suppress(imgconv.MissingExtra):
                importlib.import_module(module.name)
    program = shutil.which("imgconv", path=sysconfig.get_path("scripts"))
    assert program, "the command imgconv is not installed"
    with tempfile.TemporaryDirectory() as folder:
        for words in COMMANDS:
            subprocess.run([program, *words], cwd=folder, check=True)
        with Path(folder, "edge.png").open("rb") as edge:
            half = subprocess.run([program, "pool", "-", "--size", "2"], stdin=edge, stdout=subprocess.PIPE, check=True).stdout
        assert half.startswith(b"\x89PNG")
        plan = subprocess.run([program, "plan", "edge.png", "-k", "sobel", "--json"], cwd=folder, capture_output=True, check=True).stdout
        height, width = json.loads(plan)["steps"][-1]["output"][-2:]
        assert imgconv.edge(str(Path(folder, "edge.png")), "sobel").size == (width, height)
    sys.stdout.write(f"imgconv {imgconv.__version__} works on Python {sys.version.split()[0]}\n")


if __name__ == "__main__":
    main()
