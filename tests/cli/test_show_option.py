"""`--show` previews results in a terminal, and nowhere else."""

import pytest
from command import PHOTO, imgconv
from terminal import on_terminal

HALF = "\N{UPPER HALF BLOCK}"


@pytest.mark.parametrize("columns", [40, 100])
@pytest.mark.parametrize("words", [("edge",), ("filter", "-k", "box"), ("pool", "--size", "2")])
def test_a_preview_is_as_wide_as_the_terminal(tmp_path, words, columns):
    text = on_terminal(words[0], PHOTO, *words[1:], "-o", tmp_path / "out.png", "--show", columns=columns)
    lines = [line for line in text.splitlines() if HALF in line]
    assert {line.count(HALF) for line in lines} == {columns}
    assert abs(len(lines) - columns / 3) <= 1  # 600x400 pixels, two of them in each character


def test_nothing_is_shown_without_a_terminal_or_before_anything_is_written(tmp_path):
    done = imgconv("edge", PHOTO, "-o", tmp_path / "e.png", "--show")
    assert done.code == 0 and done.out == b""
    assert HALF not in on_terminal("edge", PHOTO, "-o", tmp_path / "f.png", "--show", "--dry-run")
    assert HALF not in on_terminal("edge", PHOTO, "-o", tmp_path / "g.png")
