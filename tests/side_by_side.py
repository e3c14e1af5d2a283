"""The tables of docs/coming-from.md: tasks in another program and in imgconv, computed and compared."""

import re
import shlex
from dataclasses import dataclass

import numpy as np
from command import SAMPLES, imgconv
from guides import ROOT
from PIL import Image

PAGE = ROOT / "docs" / "coming-from.md"


@dataclass(frozen=True)
class Row:
    """A task, how the other program and imgconv do it, and the largest difference."""

    task: str
    other: str
    command: str
    difference: float


def rows_of(program):
    """The rows of the table of a program."""
    table = PAGE.read_text().partition(f"<!-- compare: {program} -->\n\n")[2].partition("\n\n")[0]
    cells = [[cell.strip().strip("`") for cell in re.split(r"(?<!\\) \| ", line.strip("| "))] for line in table.splitlines()[2:]]
    return [Row(task, other, command, float(difference)) for task, other, command, difference in cells]


def prepare(folder):
    """The two images of the page."""
    assert imgconv("pool", SAMPLES / "chelsea.jpg", "--size", 2, "--mode", "avg", "-o", folder / "photo.png").code == 0
    assert imgconv("filter", folder / "photo.png", "-k", "identity", "--grey", "-o", folder / "grey.png").code == 0
    return folder


def check(row, other, folder):
    """Run the command of a row and compare its result with that of the other program, (H, W) or (H, W, C) in the order red, green, blue."""
    _, *words = shlex.split(row.command)
    words += [] if "-o" in words else ["-o", "out.png"]
    name = words[words.index("-o") + 1]
    done = imgconv(*words, cwd=folder)
    assert done.code == 0, done.err
    result = result_of(folder / name)
    assert np.squeeze(other).shape == result.shape
    assert (largest := np.abs(np.squeeze(other).astype(np.float64) - result).max()) <= row.difference, largest


def result_of(path):
    """The pixels or numbers of a file, channels last; removed, so that nothing is compared twice."""
    array = np.load(path) if path.suffix == ".npy" else np.asarray(Image.open(path))
    path.unlink()
    return np.squeeze(array).astype(np.float64)
