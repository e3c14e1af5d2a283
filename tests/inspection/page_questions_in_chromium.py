"""The ten questions of docs/page.md, answered with the controls and the texts of the page alone."""

import json
import re

import numpy as np
import pytest
from command import SAMPLES, imgconv
from pages import CHOOSE, shown

DRAWN_SOON = 150  # milliseconds until the tables of a new cell are there, too
PAGES = {
    "edge": ["-k", "laplacian8", "--grey"],
    "colour": ["-k", "sobel_x"],
    "network": ["-s", "grey", "-s", "conv gaussian5", "-s", "max_pool 2", "-s", "conv sobel_x sobel_y padding=1", "-s", "relu"],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    assert imgconv("pool", SAMPLES / "chelsea.jpg", "--size", "4", "--mode", "avg", "-o", "photo.png", "-q", cwd=folder).code == 0
    for name, words in PAGES.items():
        assert imgconv("explain", "photo.png", *words, "--html", f"{name}.html", cwd=folder).code == 0
    return folder


def text_of(tab, selector):
    return tab.value(f"document.querySelector({json.dumps(selector)}).textContent")


def facts(tab):
    """The lines of "Size and cost"."""
    return dict(tab.value("[...document.querySelectorAll('#sizes div')].map((line) => [...line.children].map((part) => part.textContent))"))


def numbers(text):
    return [int(number) for number in re.findall(r"\d+", text)]


def choose(tab, **values):
    """Set controls by their ids, in this order, and draw."""
    for name, value in values.items():
        tab.value(f"{CHOOSE}('set-{name.replace('_', '-')}', '{value}')")
    tab.value(f"new Promise((done) => setTimeout(done, {DRAWN_SOON}))")


def tables(tab, kind):
    """The cells of the tables of the arithmetic with a caption, row by row."""
    table = f"[...document.querySelectorAll('#sums table')].find((table) => table.caption?.textContent === '{kind}')"
    rows = tab.value(f"[...{table}.rows].map((row) => [...row.querySelectorAll('td')].map((cell) => cell.textContent))")
    return [row for row in rows if row]


def place(tab, column, row):
    """Type a column and a row."""
    tab.value(f"{CHOOSE}('x', '{column}'); {CHOOSE}('y', '{row}'); new Promise((done) => setTimeout(done, {DRAWN_SOON}))")


def test_the_questions_of_the_guide_on_windows_are_answered_by_the_page(tab, folder):
    """Questions 1 to 4 of docs/page.md, with controls and texts of the page alone."""
    shown(tab, folder / "edge.html")
    choose(tab, stride_rows=2, stride_columns=2)
    assert numbers(facts(tab)["Input and output"]) == [1, 75, 112, 1, 38, 56]
    for column in (9, 10):
        place(tab, column, 8)
        assert f"rows 15 to 17, columns {2 * column} to {2 * column + 2}" in text_of(tab, "#cells figcaption")  # every second one
    choose(tab, stride_rows=1, stride_columns=1, kernel="gaussian5", padding="cells", padding_rows=2, padding_columns=2)
    assert numbers(facts(tab)["Input and output"]) == [1, 75, 112, 1, 75, 112]
    choose(tab, padding="same", dilation_rows=2, dilation_columns=2)
    assert facts(tab)["Padding"] == "4 + 4 rows, 4 + 4 columns"
    choose(tab, kernel="laplacian8", dilation_rows=1, dilation_columns=1)
    place(tab, 0, 0)
    corners = {}
    for mode in ("zeros", "replicate", "reflect", "circular"):
        choose(tab, paddingMode=mode)
        corners[mode] = tables(tab, "cells")[1][0]
    photo = tab.value("[...imgconvPage.input.planes[0]]")
    assert corners == {"zeros": "(0)", "replicate": f"({photo[0]})", "reflect": f"({photo[113]})", "circular": f"({photo[-1]})"}
    choose(tab, dilation_rows=3, dilation_columns=3)
    assert numbers(facts(tab)["Receptive field"]) == [7, 7] and "· 9 taps" in facts(tab)["Multiply-adds"]


def test_the_questions_of_the_guide_on_layers_are_answered_by_the_page(tab, folder):
    """Questions 5 to 10."""
    shown(tab, folder / "colour.html")
    choose(tab, operation="conv", maps=6)
    assert facts(tab)["Parameters"].startswith("162 weights")
    choose(tab, groups=3)
    assert facts(tab)["Parameters"].startswith("54 weights")
    shown(tab, folder / "edge.html")
    choose(tab, operation="conv_transpose", **{f"tap-{u}-{v}": 1 for u in range(3) for v in range(3)})
    stamps = {}
    for column in (20, 21):
        for row in (30, 31):
            place(tab, column, row)
            stamps[column, row] = int(re.search(r"adds the stamps of (\d) cell", text_of(tab, "#sums p"))[1])
    assert stamps == {(20, 30): 4, (20, 31): 2, (21, 30): 2, (21, 31): 1}
    assert "The cell 10,15" in text_of(tab, "#sums p") and "covers rows 30 to 32 and columns 20 to 22" in text_of(tab, "#sums p")
    choose(tab, operation="pool", size_rows=3, size_columns=3, mode="avg")
    tab.value("document.getElementById('gradient').click()")
    place(tab, 5, 5)
    assert tables(tab, "share of the gradient") == [["0.11"] * 3] * 3
    assert tables(tab, "gradient from all windows") == [["0.44", "0.22", "0.44"], ["0.22", "0.11", "0.22"], ["0.44", "0.22", "0.44"]]
    choose(tab, mode="max")
    shares, gradients = tables(tab, "share of the gradient"), tables(tab, "gradient from all windows")
    assert sorted(np.ravel(shares)) == ["1", *"·" * 8]
    assert all(int(gradients[u][v]) >= 1 for u in range(3) for v in range(3) if shares[u][v] == "1")
    shown(tab, folder / "network.html")
    choose(tab, step=4)
    assert numbers(facts(tab)["Receptive field"]) == [10, 10]
