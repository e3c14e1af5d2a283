"""The PyTorch blocks of the course print what is shown below them."""

import course
import pytest

pytest.importorskip("torch")
pytestmark = pytest.mark.torch


@pytest.mark.parametrize("path", course.NOTEBOOKS, ids=lambda path: path.stem)
def test_torch_prints_what_the_course_shows(path, monkeypatch, capsys):
    monkeypatch.chdir(course.COURSE)
    names = {}
    for code, shown in course.torch_blocks(path):
        exec(code, names)
        assert capsys.readouterr().out.rstrip() == shown.rstrip()
