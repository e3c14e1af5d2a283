"""The README's two marked commands and its first image; everything else in it is run by test_docs.py."""

import re
import subprocess
import sys

import numpy as np
import pytest
from command import SAMPLES, imgconv
from guides import ROOT
from PIL import Image


@pytest.mark.parametrize("name, word", [("run", "imgconv edge"), ("test", "pytest")])
def test_the_checks_read_the_two_commands(name, word):
    script = [sys.executable, str(ROOT / ".ci" / "readme_command.py"), name]
    assert word in subprocess.run(script, capture_output=True, text=True, check=True).stdout


def test_every_promise_names_the_test_that_keeps_it():
    section = (ROOT / "docs" / "reliability.md").read_text().partition("## Promises\n")[2].partition("\n## ")[0]
    promises = [line for line in section.splitlines() if line.startswith("| ")][1:]
    assert len(promises) > 10
    for line in promises:
        assert re.search(r"\| `tests/[\w/]+\.py::test_\w+` \|$", line), line  # and test_docs.py that there is such a test


def test_the_first_image_is_the_output_of_its_command(tmp_path):
    assert imgconv("edge", SAMPLES / "astronaut.jpg", "-k", "sobel", "-o", tmp_path / "shown.png").code == 0
    with Image.open(tmp_path / "shown.png") as output, Image.open(ROOT / "docs" / "astronaut.edge.png") as shown:
        assert np.array_equal(np.array(output), np.array(shown))
