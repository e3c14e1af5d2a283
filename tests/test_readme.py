"""Everything that the README shows works as printed, on the sample photographs."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from command import SAMPLES
from PIL import Image

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text()
TOUR = re.findall(r"<!-- tour -->\n```sh\n(.*?)```", TEXT, re.DOTALL)
PYTHON = re.findall(r"<!-- python -->\n```python\n(.*?)```", TEXT, re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The sample photographs, as the tour assumes them."""
    here = tmp_path_factory.mktemp("tour")
    for path in SAMPLES.iterdir():
        if path.suffix in (".jpg", ".png", ".gif", ".tiff"):
            shutil.copy(path, here)
    return here


def environment(folder):
    """`imgconv` on the path as an installed command, and a registry that dies with the test."""
    scripts = folder / "bin"
    scripts.mkdir(exist_ok=True)
    program = scripts / "imgconv"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m imgconv "$@"\n')
    program.chmod(0o755)
    return {**os.environ, "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}", "XDG_CONFIG_HOME": str(folder / "config")}


@pytest.mark.parametrize("line", [line for block in TOUR for line in block.splitlines()])
def test_every_line_of_the_tour(folder, line):
    done = subprocess.run(
        line, shell=True, cwd=folder, env=environment(folder), capture_output=True, text=True, errors="replace", timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    for name in re.findall(r"(?:-o |> )([\w.]+\.\w+)", line):
        assert (folder / name).stat().st_size > 0


@pytest.mark.parametrize("block", PYTHON)
def test_the_python_tour(folder, block):
    subprocess.run([sys.executable, "-c", block], cwd=folder, check=True, timeout=120)


def test_the_picture_is_what_the_command_makes(folder):
    subprocess.run("imgconv edge astronaut.jpg -k sobel -o shown.png", shell=True, cwd=folder, env=environment(folder), check=True)
    with Image.open(folder / "shown.png") as made, Image.open(ROOT / "docs" / "astronaut.edge.png") as shown:
        assert np.array_equal(np.array(made), np.array(shown))


def test_the_two_commands_are_found_by_the_checks():
    for name, word in (("run", "imgconv edge"), ("test", "pytest")):
        script = [sys.executable, str(ROOT / ".ci" / "readme_command.py"), name]
        assert word in subprocess.run(script, capture_output=True, text=True, check=True).stdout
