"""A folder is replaced as a whole: the old one or the new one is there, whatever happens."""

import contextlib
import ctypes
import os
import subprocess
import sys

import pytest

from imgconv import atomic
from imgconv.errors import UsageError
from imgconv.folders import atomic_folder
from imgconv.inputs import Inputs


def contents(folder):
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def replaced(path, inputs=(), text="new", name="a"):
    with atomic_folder(path, Inputs(inputs)) as folder:
        (folder / "deep").mkdir()
        (folder / "deep" / name).write_text(text)
        (folder / "half.partial").write_text("of a killed writer")


class WithoutExchange:
    """A C library whose system cannot exchange names."""

    def renameat2(self, *arguments):
        return -1


@pytest.mark.parametrize("library", [None, WithoutExchange(), object()])
def test_the_new_folder_takes_the_place_of_the_old(tmp_path, monkeypatch, library):
    if library is not None:
        monkeypatch.setattr(ctypes, "CDLL", lambda *arguments, **options: library)
    replaced(tmp_path / "out")
    replaced(tmp_path / "out", text="newer", name="b")
    (tmp_path / "file").write_text("a file")
    replaced(tmp_path / "file")
    assert contents(tmp_path) == {"out/deep/b": "newer", "file/deep/a": "new"}


def test_an_error_leaves_the_old_folder(tmp_path):
    replaced(tmp_path / "out")
    with contextlib.suppress(KeyError), atomic_folder(tmp_path / "out", Inputs()) as folder:
        (folder / "b").write_text("half")
        raise KeyError
    assert contents(tmp_path) == {"out/deep/a": "new"} and [path.name for path in tmp_path.iterdir()] == ["out"]


def test_mode_and_links(tmp_path):
    replaced(tmp_path / "out")
    umask = os.umask(0)
    os.umask(umask)
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o777 & ~umask
    (tmp_path / "out").chmod(0o711)
    (tmp_path / "link").symlink_to("out")
    replaced(tmp_path / "link", text="newer")
    assert (tmp_path / "link").is_symlink() and contents(tmp_path / "out") == {"deep/a": "newer"}
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o711


def test_no_input_is_in_it_or_around_it(tmp_path):
    replaced(tmp_path / "out")
    (tmp_path / "link").symlink_to("out/deep/a")
    for inputs, message in (([tmp_path / "out"], "is the"), ([tmp_path / "out/deep/a"], "holds"), ([tmp_path / "link"], "holds")):
        with pytest.raises(UsageError, match=f"{message} (the )?input"):
            replaced(tmp_path / "out", inputs)
    with pytest.raises(UsageError, match="inside the input"):
        replaced(tmp_path / "out/deep/more", [tmp_path / "out"])
    assert contents(tmp_path / "out") == {"deep/a": "new"}


def test_files_of_a_killed_process_are_removed_and_those_in_use_stay(tmp_path):
    script = (
        "import os, sys; from pathlib import Path; from imgconv.folders import atomic_folder; from imgconv.inputs import Inputs\n"
        "with atomic_folder(Path(sys.argv[1]), Inputs()) as folder:\n    (folder / 'a').write_text('half'); os._exit(1)"
    )
    with atomic_folder(tmp_path / "mine", Inputs()) as mine:
        subprocess.run([sys.executable, "-c", script, tmp_path / "out"], check=False)
        assert len(list(tmp_path.iterdir())) == 2
        atomic.sweep([tmp_path], Inputs())
        assert [path.name for path in tmp_path.iterdir()] == [mine.name]
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
