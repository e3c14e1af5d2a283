"""The notebooks of docs/course: their code, answers and PyTorch blocks, and new runs of them."""

import base64
import re
from io import BytesIO

import nbformat
from make_course import COURSE, WIDGETS, run_cells
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


def run(sources):
    """The outputs of cells with this code in a new kernel."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source.strip()) for source in sources])
    run_cells(notebook)
    return [list(map(_data, cell.outputs)) for cell in notebook.cells]


def run_with_answers(path):
    """The outputs of the code cells of a notebook in a new kernel, and what its answers print afterwards."""
    notebook = nbformat.read(path, as_version=4)
    sources = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    outputs = run([*sources, *(code for code, _ in answers(path))])
    printed = ["".join(output.get("text/plain", "") for output in each) for each in outputs[len(sources) :]]
    return [
        [{k: v for k, v in output.items() if k != "image/jpeg"} for output in each if WIDGETS not in output]
        for each in outputs[: len(sources)]
    ], printed


def image_size(data):
    """Width and height of an image in a notebook."""
    with Image.open(BytesIO(base64.b64decode(data))) as image:
        return image.size


def _data(output):
    return {"text/plain": output.text} if output.output_type == "stream" else dict(output.get("data", {}))
