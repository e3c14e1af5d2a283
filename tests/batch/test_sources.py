"""Which files an input stands for."""

import os
import socket

import pytest

from imgconv.batch.sources import Source, list_sources


@pytest.fixture
def folder(tmp_path):
    for name in ("b.png", "a.JPG", "notes.txt", ".hidden.png", "deep/c.png", "deep/deeper/d.png", ".git/e.png"):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return tmp_path / "photos"


def names(sources: list[Source]) -> list[str]:
    return [source.relative.as_posix() for source in sources]


def test_folders_are_entered_in_the_order_of_names(folder):
    assert names(list_sources([str(folder)])) == ["a.JPG", "b.png", "deep/c.png", "deep/deeper/d.png"]
    assert names(list_sources([str(folder)], recursive=False)) == ["a.JPG", "b.png"]


def test_a_file_named_twice_counts_once(folder):
    names_given = [str(folder / "b.png"), str(folder / "deep" / ".." / "b.png"), str(folder)]
    assert names(list_sources(names_given)).count("b.png") == 1


def test_exact_names_are_neither_patterns_nor_standard_input(folder):
    sources = list_sources([str(folder / "notes.txt"), str(folder / "missing.png"), "-"])
    assert [source.path for source in sources] == [folder / "notes.txt", folder / "missing.png", None]


def test_patterns_that_no_shell_expanded(folder):
    assert names(list_sources([str(folder / "**" / "*.png")])) == ["b.png", "c.png", "d.png"]


def test_fifos_sockets_and_loops_in_folders_are_passed_over(folder):
    os.mkfifo(folder / "pipe.png")
    (folder / "loop").symlink_to(folder)
    (folder / "dangling.png").symlink_to(folder / "nowhere.png")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "s.png"))
        assert names(list_sources([str(folder)])) == ["a.JPG", "b.png", "deep/c.png", "deep/deeper/d.png"]
