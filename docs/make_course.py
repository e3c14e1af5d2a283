"""Executes the notebooks of docs/course and stores their outputs: `python docs/make_course.py [NAME...]`. It needs imgconv[notebook]."""

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

COURSE = Path(__file__).with_name("course")
WIDGETS = "application/vnd.jupyter.widget-view+json"  # progress, which leaves an empty line when it is done


def run_cells(notebook):
    """Run all cells in a new kernel in docs/course, and put their outputs into them."""
    resources = {"metadata": {"path": str(COURSE)}}
    NotebookClient(notebook, timeout=600, kernel_name="python3", coalesce_streams=True, resources=resources).execute()


def executed(path):
    """A notebook with the outputs of a new run, without what differs from run to run."""
    notebook = nbformat.read(path, as_version=4)
    run_cells(notebook)
    notebook.metadata.pop("widgets", None)
    notebook.metadata["language_info"] = {"name": "python"}
    for cell in notebook.cells:
        cell.metadata = {}
        if cell.cell_type == "code":
            cell.outputs = [output for output in map(_cleaned, cell.outputs) if output]
    return notebook


def _cleaned(output):
    data = output.get("data", {})
    if WIDGETS in data or data.get("text/plain") == "":
        return None
    data.pop("image/jpeg", None)  # Pillow gives an image twice
    return output


def main():
    for path in sorted(COURSE.glob("*.ipynb")):
        if not sys.argv[1:] or path.stem in sys.argv[1:]:
            path.write_text(nbformat.writes(executed(path)) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
