"""The notebooks of docs/course: their code, answers and PyTorch blocks, and new runs of them."""

import base64
import json
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import nbformat

sys.path.append(str(Path(__file__).parents[1] / "docs"))
from make_course import COURSE, WIDGETS, run_cells  # noqa: F401
from PIL import Image

NOTEBOOKS = sorted(COURSE.glob("*.ipynb"))
BLOCK = re.compile(r"```python\n(.*?)```(?:\n```text\n(.*?)```)?", re.DOTALL)
DETAILS = re.compile(r"<details>.*?</details>", re.DOTALL)


def markdown(path):
    """The text of a notebook without its code."""
    return "\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "markdown")


def torch_blocks(path):
    """The PyTorch blocks of a notebook, and what is shown below each."""
    return BLOCK.findall(DETAILS.sub("", markdown(path)))


def answers(path):
    """The code of the answers of a notebook, and what is shown below each."""
    return [block for details in DETAILS.findall(markdown(path)) for block in BLOCK.findall(details)]


def code_cells(path):
    """The outputs of each code cell, each a dictionary from MIME types to contents."""
    return [list(map(_data, cell.outputs)) for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


def run(notebooks):
    """The outputs of the cells of notebooks, which are lists of code, each in a new kernel.

    Another process runs them, since nbclient leaves loops and sockets open, which is a warning.
    """
    command = [sys.executable, __file__]
    done = subprocess.run(command, input=json.dumps(notebooks), capture_output=True, text=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout)


def sources(path):
    """The code of a notebook: its cells, and then its answers."""
    cells = [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    return [*cells, *(code for code, _ in answers(path))]


def image_size(data):
    """Width and height of an image in a notebook."""
    with Image.open(BytesIO(base64.b64decode(data))) as image:
        return image.size


def _data(output):
    return {"text/plain": output.text} if output.output_type == "stream" else dict(output.get("data", {}))


def _outputs(code):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source.strip()) for source in code])
    run_cells(notebook)
    return [list(map(_data, cell.outputs)) for cell in notebook.cells]


if __name__ == "__main__":
    with ThreadPoolExecutor(2) as pool:  # most of it is the start of kernels and libraries
        sys.stdout.write(json.dumps(list(pool.map(_outputs, json.load(sys.stdin)))))
