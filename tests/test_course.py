"""The notebooks of docs/course run as printed: text and numbers of every output, the answers of the exercises, and sizes of images."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from html import unescape

import course
import numpy as np
import pytest
from PIL import Image

import imgconv


@pytest.fixture(scope="module")
def runs():
    """New runs of all notebooks, two at a time: most of it is the start of kernels and libraries."""
    with ThreadPoolExecutor(2) as pool:
        yield {path: pool.submit(course.run_with_answers, path) for path in course.NOTEBOOKS}


@pytest.fixture(params=course.NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request):
    return request.param


def test_outputs_are_those_that_are_stored(notebook, runs):
    cells, _ = runs[notebook].result()
    for place, (new, stored) in enumerate(zip(cells, course.code_cells(notebook), strict=True)):
        assert [sorted(each) for each in new] == [sorted(each) for each in stored], place
        for ours, theirs in zip(new, stored, strict=True):
            for kind in ours:
                if kind == "image/png":
                    assert course.image_size(ours[kind]) == course.image_size(theirs[kind]), place
                else:
                    assert_same_text(ours[kind], theirs[kind])


def test_answers_print_what_they_show(notebook, runs):
    _, printed = runs[notebook].result()
    answers = course.answers(notebook)
    assert len(printed) == len(answers) == 5
    for text, (_, shown) in zip(printed, answers, strict=True):
        assert_same_text(text.rstrip(), shown.rstrip())


def assert_same_text(text, expected):
    """Words are equal and numbers nearly: sums of fractions differ in their last digits from one processor to the next."""
    number = r"-?\d+\.\d+(?:e-?\d+)?"
    assert re.sub(number, "#", text) == re.sub(number, "#", expected)
    ours, theirs = (np.array(re.findall(number, each), float) for each in (text, expected))
    np.testing.assert_allclose(ours, theirs, rtol=2e-3, atol=2e-3)


def test_every_notebook_has_exercises_torch_and_a_photograph(notebook):
    text = course.markdown(notebook)
    assert text.count("<details><summary>Answer</summary>") == text.count("</details>") == 5
    assert all(f"**{number}.** " in text for number in range(1, 6))
    assert len(course.torch_blocks(notebook)) >= 1
    assert "../../sample_images/" in notebook.read_text() or "../../recipes/" in notebook.read_text()


def test_the_folder_is_small():
    files = {path.name: path.stat().st_size for path in course.COURSE.iterdir()}
    assert sum(files.values()) < 2_000_000, files


def test_notebooks_hold_no_paths_of_a_machine(notebook):
    assert not re.search(r"/home/|/tmp/|/Users/|0x[0-9a-f]{6,}|site-packages", unescape(notebook.read_text()))
    assert json.loads(notebook.read_text())["metadata"]["kernelspec"]["name"] == "python3"


NEWCOMER = """
import imgconv
photo = "../../sample_images/coffee.jpg"
%%
imgconv.plan(photo, "sobel")
%%
imgconv.explain(photo, "sobel", at=(120, 80))
%%
imgconv.figure(photo, "sobel")
%%
imgconv.learn(photo, imgconv.filter(photo, "sharpen4"), descend=True, steps=20)
%%
imgconv.kernel("sobel")
%%
imgconv.edge(photo)
"""


def test_a_newcomer_sees_tables_and_images_without_a_print():
    _, plan, explanation, figure, learnt, bank, edges = course.run(NEWCOMER.split("%%\n"))
    for outputs in (plan, explanation, learnt, bank):
        assert "<table" in outputs[-1]["text/html"]
    assert "imgconv explain" not in explanation[-1]["text/plain"] and explanation[-1]["text/plain"].startswith(
        "../../sample_images/coffee.jpg"
    )
    assert course.image_size(figure[-1]["image/png"]) == (1920, 1080)
    with Image.open(course.COURSE / "../../sample_images/coffee.jpg") as photo:
        assert course.image_size(edges[-1]["image/png"]) == photo.size
    assert any("widget" in kind for output in learnt for kind in output), "the loss was not drawn as it fell"
    assert str(imgconv.kernel("sobel")) == bank[-1]["text/plain"]
