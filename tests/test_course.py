"""The notebooks of docs/course run as printed: text and numbers of every output, the answers of the exercises, and sizes of images."""

import json
import re
from html import unescape

import course
import numpy as np
import pytest
from PIL import Image

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
imgconv.learn(photo, imgconv.filter(photo, "sharpen4"), descend=True, steps=400)
%%
imgconv.kernel("sobel")
%%
imgconv.edge(photo)
"""


@pytest.fixture(scope="module")
def runs():
    """The outputs of new runs: of the code cells and answers of every notebook, and of a newcomer's."""
    results = course.run([*map(course.sources, course.NOTEBOOKS), NEWCOMER.split("%%\n")])
    return dict(zip([*course.NOTEBOOKS, "newcomer"], results, strict=True))


@pytest.fixture(params=course.NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request):
    return request.param


def test_outputs_are_those_that_are_stored(notebook, runs):
    stored = course.code_cells(notebook)
    for place, (new, old) in enumerate(zip(runs[notebook], stored, strict=False)):
        results = [each for each in new if course.WIDGETS not in each and each.get("text/plain") != ""]  # no progress
        shown = [{kind: data for kind, data in each.items() if kind != "image/jpeg"} for each in results]
        assert [sorted(each) for each in shown] == [sorted(each) for each in old], place
        for ours, theirs in zip(shown, old, strict=True):
            for kind in ours:
                if kind == "image/png":
                    assert course.image_size(ours[kind]) == course.image_size(theirs[kind]), place
                else:
                    assert_same_text(ours[kind], theirs[kind])


def test_answers_print_what_they_show(notebook, runs):
    answers = course.answers(notebook)
    printed = ["".join(output["text/plain"] for output in outputs) for outputs in runs[notebook][-len(answers) :]]
    assert len(answers) == 5
    for text, (_, shown) in zip(printed, answers, strict=True):
        assert_same_text(text.rstrip(), shown.rstrip())


def assert_same_text(text, expected):
    """Words are equal and numbers nearly: sums of fractions differ in their last digits from one processor to the next, bars too."""
    text, expected = (re.sub("[ \N{LOWER ONE EIGHTH BLOCK}-\N{FULL BLOCK}]+", " ", each) for each in (text, expected))
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


def test_a_newcomer_sees_tables_and_images_without_a_print(runs):
    _, plan, explanation, figure, learnt, bank, edges = runs["newcomer"]
    for outputs in (plan, explanation, learnt, bank):
        assert "<table" in outputs[-1]["text/html"]
    assert explanation[-1]["text/plain"].startswith("../../sample_images/coffee.jpg, output pixel 120,80")
    assert course.image_size(figure[-1]["image/png"]) == (1280, 720)
    with Image.open(course.COURSE / "../../sample_images/coffee.jpg") as photo:
        assert course.image_size(edges[-1]["image/png"]) == photo.size
    assert any("widget" in kind for output in learnt for kind in output), "the loss was not drawn as it fell"
