"""What docs/coming-from.md shows for ImageMagick. Run by name: `python -m pytest tests/coming_from_imagemagick.py`; fails without it."""

import subprocess

import pytest
from side_by_side import check, prepare, result_of, rows_of


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return prepare(tmp_path_factory.mktemp("images"))


@pytest.mark.parametrize("row", rows_of("imagemagick"), ids=lambda row: row.task)
def test_imagemagick(row, folder):
    subprocess.run(row.other, shell=True, cwd=folder, check=True)
    check(row, result_of(folder / "out.png"), folder)
