"""The README and the guides as what they claim to be: commands that run, print what is shown, and make the images shown.

A guide is played in a folder of its own, its blocks from top to bottom. `sh` blocks are run by `sh -eu`, `python` blocks by Python; a
`text` block holds lines that the block before it prints. A comment above a block says more: `file: NAME` writes the block to a file,
`needs: PROGRAM` leaves it to tests that install the program, `command: NAME` and `folder` to others. Other languages are shown.

`python tests/guides.py` plays everything and puts the images into docs/images.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from command_server import server

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
GUIDES = sorted((ROOT / "docs").glob("*.md"))
IMAGES = ROOT / "docs" / "images"
BIN = str(Path(sys.executable).parent)


@dataclass(frozen=True)
class Block:
    """A fenced block, the comment above it, and its language."""

    comment: str
    language: str
    text: str


def blocks(guide):
    fenced_blocks = re.findall(r"(?:<!-- ([^\n]*?) -->\n)?```(\w*)\n(.*?)```", guide.read_text(), re.DOTALL)
    return [Block(*parts) for parts in fenced_blocks]


def shown_images(guide):
    """The names of the images in docs/images that a guide shows."""
    return re.findall(r"!\[[^]]*\]\((?:docs/)?images/([^)]+)\)", guide.read_text())


def is_drawn(name):
    """Whether an image is a page that matplotlib draws, and not a result to the pixel."""
    return name.startswith("figure")


def play(guide, home, programs=()):
    """Run the blocks of a guide below the empty folder `home`, with those that need one of the `programs`; the folder in which they ran."""
    folder = _prepared(home)
    printed = None
    for block in blocks(guide):
        kind, _, argument = block.comment.partition(": ")
        if kind in ("command", "folder") or (kind == "needs" and argument not in programs):
            printed = None
        elif kind == "file":
            (folder / argument).write_text(block.text)
        elif block.language in ("sh", "python"):
            printed = _output(block, folder, guide)
        elif block.language == "text" and printed is not None:
            _compare(block.text, printed, guide)
    return folder


def _prepared(home):
    """A folder made as the README says, in which `imgconv` is a command; photo.jpg stands for anybody's."""
    for name in ("sample_images", "recipes"):
        shutil.copytree(ROOT / name, home / name)
    (line,) = (block.text for block in blocks(README) if block.comment == "folder")
    subprocess.run(["sh", "-eu", "-c", line], cwd=home, check=True)
    folder = home / "try"
    shutil.copy(folder / "chelsea.jpg", folder / "photo.jpg")
    (home / "bin").mkdir()
    program = home / "bin" / "imgconv"
    program.write_text(server().program)
    program.chmod(0o755)
    return folder


def _output(block, folder, guide):
    """What a block prints, on either stream."""
    path = os.pathsep.join([str(folder.parent / "bin"), BIN, os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "XDG_CONFIG_HOME": str(folder.parent / "config"), "COLUMNS": "120"}
    if block.language == "python":  # a child of the server, which has imported what takes longest
        code, out = server().run_script(block.text, folder, environment, timeout=300)
    else:
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        done = subprocess.run(["sh", "-eu", "-c", block.text], cwd=folder, env=environment, timeout=300, check=False, **streams)
        code, out = done.returncode, done.stdout
    printed = out.decode("utf-8", "backslashreplace")
    assert code == 0, f"{guide.name}: {block.text}{printed}"
    return printed


def _compare(text, printed, guide):
    """Every line shown is a line printed, blanks apart; a line of dots stands for any."""
    lines = {" ".join(line.split()) for line in printed.splitlines()}
    for line in text.splitlines():
        shown = " ".join(line.split())
        assert shown in lines | {"", "..."}, f"{guide.name} shows {shown!r}, but this is printed:\n{printed}"


def make_images():
    """Play every guide, and keep the images that it shows."""
    IMAGES.mkdir(exist_ok=True)
    for guide in (README, *GUIDES):
        with tempfile.TemporaryDirectory() as home:
            folder = play(guide, Path(home))
            for name in shown_images(guide):
                shutil.copy(folder / name, IMAGES / name)


if __name__ == "__main__":
    make_images()
