"""Windows and macOS, as far as Linux can imitate them: commands without POSIX modules, and the branches for Windows."""

import io
import os
import subprocess
import sys
import time
import types
from pathlib import Path

import numpy as np
import pytest
from blocked import __file__ as BLOCKED  # noqa: N812
from command import PHOTO, SAMPLES, imgconv
from PIL import Image
from processes import environment, names

from imgconv import api, atomic, inputs, platforms
from imgconv.atomic import PART_SUFFIX, atomic_write, exclusive, sweep
from imgconv.batch.run import _Interruptible
from imgconv.batch.sources import list_sources, only_file
from imgconv.batch.urls import Url, parse_path
from imgconv.errors import UsageError
from imgconv.inputs import Inputs
from imgconv.registry.names import slug

COMMANDS = {
    "edge": (PHOTO, "-o", "out/"),
    "filter": (PHOTO, SAMPLES / "step_wedge.png", "-k", "sobel_x", "-k", "gaussian:sigma=2", "-o", "out/"),
    "pool": (PHOTO, "--size", "2", "-o", "out.tiff"),
    "run": (PHOTO, "-s", "grey", "-s", "conv laplacian8 padding=1", "-o", "out.npy"),
    "canny": (PHOTO, "-o", "out.webp"),
    "plan": (PHOTO, "-k", "sobel"),
    "explain": (PHOTO, "-k", "laplacian8", "--at", "3,4"),
    "learn": (PHOTO, PHOTO, "--size", "3"),
    "figure": (PHOTO, "-k", "laplacian8", "-o", "figure.png"),
    "kernels": ("add", "mine", "-k", "sobel_x"),
    "kernels list": ("list",),
    "kernels path": ("path",),
}


def run(folder, *words, options=(), stdin=b"", program=(BLOCKED, "--windows"), **variables):
    """Run `imgconv` as a process; its exit code, standard output, and standard error, without a traceback."""
    config = environment(XDG_CONFIG_HOME=str(folder / "config"), **variables)
    command = [sys.executable, *options, *program, *map(str, words)]
    done = subprocess.run(command, input=stdin, cwd=folder, env=config, capture_output=True, timeout=120, check=False)
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    return done


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_runs_as_on_windows(tmp_path, command):
    words = (command.split()[0], *COMMANDS[command])
    here, usual = tmp_path / "here", tmp_path / "usual"
    here.mkdir()
    done = run(here, *words)
    assert done.returncode == 0, done.stderr.decode()
    if command.startswith("kernels"):
        return
    usual.mkdir()
    expected = imgconv(*words, cwd=usual)
    assert done.stdout == expected.out
    assert files_in(here) == files_in(usual)


def files_in(folder):
    """The contents of the files in a folder, by name."""
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("command", ["edge", "kernels"])
def test_commands_run_without_posix_modules(tmp_path, command):
    assert run(tmp_path, command, *COMMANDS[command], program=(BLOCKED,)).returncode == 0


def test_binary_streams_as_on_windows(tmp_path):
    done = run(tmp_path, "edge", "-", stdin=PHOTO.read_bytes())
    assert done.returncode == 0 and Image.open(io.BytesIO(done.stdout)).size == (600, 400)


def test_ending_of_an_error_as_on_windows(tmp_path):
    assert run(tmp_path, "edge", PHOTO, "-k", "sobbel").returncode == 2


@pytest.mark.parametrize("encoding", ["cp437", "cp1252", "ascii"])
@pytest.mark.parametrize(
    "words", [("kernels", "list"), ("edge", "--help"), ("kernels", "show", "gaussian"), ("explain", PHOTO, "--at", "3,4")]
)
def test_any_code_page_of_the_terminal(tmp_path, encoding, words):
    assert run(tmp_path, *words, program=("-m", "imgconv"), PYTHONIOENCODING=encoding).returncode == 0


def test_without_isal_the_pixels_are_the_same(tmp_path):
    script = "import sys; sys.modules['isal'] = None; from imgconv.cli.app import program; program()"
    grey = SAMPLES / "step_wedge.png"
    assert run(tmp_path, "edge", grey, "-o", "zlib.png", program=("-c", script)).returncode == 0
    with Image.open(tmp_path / "zlib.png") as image:
        np.testing.assert_array_equal(np.asarray(image), np.asarray(api.edge(Image.open(grey))))


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_text_files_may_have_lines_of_windows(tmp_path, newline):
    kernels = "[kernels.mine]\ndescription = 'mine'\nrows = [\n  [0, 1, 0],\n  [1, -4, 1],\n  [0, 1, 0],\n]\n"
    recipe = "[recipes.first]\nsteps = [\n  'grey',\n  { op = 'conv', kernel = 'mine' },\n]\n"
    (tmp_path / "kernels.toml").write_bytes(b"\xef\xbb\xbf" + kernels.replace("\n", newline).encode())
    (tmp_path / "recipe.toml").write_bytes(recipe.replace("\n", newline).encode())
    words = ("run", PHOTO, "--recipe", "recipe.toml", "--kernels-file", "kernels.toml", "-o", "out.npy")
    assert run(tmp_path, *words).returncode == 0
    assert np.load(tmp_path / "out.npy").shape == (1, 398, 598)


# the file writer


@pytest.fixture
def on_windows(monkeypatch):
    monkeypatch.setattr(atomic, "IS_WINDOWS", True)
    monkeypatch.setattr(atomic, "fcntl", None)
    monkeypatch.setattr(atomic, "_RETRIES", (0.0, 0.0))


def open_files():
    """The names of the files that this process has open."""
    numbers = names("/proc/self/fd")
    return {os.readlink(link) for number in numbers if os.path.lexists(link := f"/proc/self/fd/{number}")}  # noqa: PTH115


def test_a_file_is_closed_before_it_is_renamed(tmp_path, monkeypatch, on_windows):
    renamed, replace = [], Path.replace

    def rename(part, target):
        assert str(part) not in open_files()
        renamed.append(part.suffix)
        return replace(part, target)

    monkeypatch.setattr(Path, "replace", rename)
    with atomic_write(tmp_path / "out.png", Inputs()) as stream:
        stream.write(b"new")
    assert (renamed, names(tmp_path)) == ([PART_SUFFIX], ["out.png"])


@pytest.mark.parametrize(("refusals", "succeeds"), [(1, True), (2, True), (3, False)])
def test_a_file_that_another_program_has_open_is_replaced_soon_or_stays(tmp_path, monkeypatch, on_windows, refusals, succeeds):
    path, replace, attempts = tmp_path / "out.png", Path.replace, []
    path.write_bytes(b"old")

    def rename(part, target):
        attempts.append(part)
        if len(attempts) <= refusals:
            raise PermissionError(13, "Access is denied")
        return replace(part, target)

    monkeypatch.setattr(Path, "replace", rename)
    if succeeds:
        with atomic_write(path, Inputs()) as stream:
            stream.write(b"new")
    else:
        with pytest.raises(PermissionError, match=r"out\.png"), atomic_write(path, Inputs()) as stream:
            stream.write(b"new")
    assert path.read_bytes() == (b"new" if succeeds else b"old") and names(tmp_path) == ["out.png"]


def test_only_old_temporary_files_are_removed(tmp_path, on_windows):
    old, new = (tmp_path / f".{digit * 16}{PART_SUFFIX}" for digit in "01")
    for part in (old, new):
        part.write_bytes(b"half")
    os.utime(old, (time.time() - 120,) * 2)
    sweep([tmp_path], Inputs())
    assert names(tmp_path) == [new.name]


def test_a_locked_file_is_waited_for(tmp_path, monkeypatch, on_windows):
    attempts = []

    def locking(descriptor, mode, count):
        attempts.append((mode, count))
        if len(attempts) < 3:
            raise PermissionError(13, "Permission denied")

    monkeypatch.setitem(sys.modules, "msvcrt", types.SimpleNamespace(LK_NBLCK=2, locking=locking))
    with exclusive(tmp_path):
        assert attempts == [(2, 1)] * 3


def test_files_without_numbers_are_the_same_by_name(tmp_path, monkeypatch):
    first, second = tmp_path / "first.png", tmp_path / "second.png"
    for path in (first, second):
        path.write_bytes(b"image")
    stat = Path.stat
    fields = range(10)
    monkeypatch.setattr(Path, "stat", lambda path: os.stat_result(0 if field == 1 else stat(path)[field] for field in fields))
    protected = inputs.Inputs([first])
    protected.refuse(second)
    with pytest.raises(ValueError, match="first"):
        protected.refuse(tmp_path / "." / "first.png")


def test_a_wait_for_an_image_has_an_end(monkeypatch):
    """Signals are handled between the waits."""
    from concurrent.futures import Future

    future, waits = Future(), []

    def wait(futures, timeout):
        waits.append(timeout)
        if len(waits) == 3:
            future.set_result("outcome")

    monkeypatch.setattr("concurrent.futures.wait", wait)
    assert _Interruptible(future).result() == "outcome"
    assert len(waits) == 3 and all(0 < each < 1 for each in waits)


# names and paths


@pytest.mark.parametrize(
    "reference", ["@con.npy", "@AUX.npy", "@C:\\models\\nul.npz", "@com1.npy", "@lpt².npy", '@a<b>:c"d|e?f*g.npy', "@x. .npy"]
)
def test_names_of_outputs_are_possible_on_windows(reference):
    name = slug(reference)
    assert not set(name) & set('<>:"/\\|?*') and not name.endswith((".", " ")) and not platforms.is_device(name)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a:b?.jpg", "a-b-.jpg"),
        ("CON.jpg", "_CON.jpg"),
        ("maps/aux /x.jpg", "maps/_aux/x.jpg"),
        ("trailing./x.jpg", "trailing/x.jpg"),
        ("lpt³", "_lpt³"),
        ("...", "_"),
        ("console.jpg", "console.jpg"),
        ("\x07bell.jpg", "-bell.jpg"),
    ],
)
def test_names_of_remote_files_become_possible_on_windows(name, expected):
    assert platforms.local_name(name, windows=True) == expected
    assert platforms.local_name(name, windows=False) == name


@pytest.mark.parametrize("path", ["C:\\w.npy", "C:\\m.safetensors:conv1.weight", "D:/maps/w.npz:conv.1", "\\\\server\\share\\w.npy"])
def test_drive_letters_in_references(path):
    from imgconv.registry.names import FILE

    parts = FILE.fullmatch(path)
    suffix = ".safetensors" if "safetensors" in path else path[path.index(".np") :][:4]
    assert parts["path"] + (f":{parts['member']}" if parts["member"] else "") == path and parts["path"].endswith(suffix)
    with pytest.raises(ValueError, match="for a file of weights write @"):
        from imgconv.registry import resolve

        resolve(path)


def test_a_drive_is_not_a_url():
    assert isinstance(parse_path("c://photos/a.jpg"), Path)
    assert parse_path("s3://bucket/a.jpg") == Url("s3", "bucket/a.jpg")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("C:\\photos\\a.jpg", "\\\\?\\C:\\photos\\a.jpg"),
        ("\\\\server\\share\\a.jpg", "\\\\?\\UNC\\server\\share\\a.jpg"),
        ("\\\\?\\C:\\a.jpg", "\\\\?\\C:\\a.jpg"),
        ("\\\\.\\pipe\\images", "\\\\.\\pipe\\images"),
        ("/photos/a.jpg", "/photos/a.jpg"),
    ],
)
def test_long_paths(path, expected):
    assert platforms.extended(path) == expected


def test_patterns_that_no_shell_expands(tmp_path):
    for name in ("b.jpg", "a.jpg", "a[1].jpg", "a1.jpg", ".hidden.jpg", "c.txt"):
        (tmp_path / name).touch()
    listed = [source.path.name for source in list_sources([f"{tmp_path}/*.jpg"])]
    assert listed == ["a.jpg", "a1.jpg", "a[1].jpg", "b.jpg"]
    assert [source.path.name for source in list_sources([f"{tmp_path}/a[1].jpg"])] == ["a[1].jpg"]
    assert only_file(f"{tmp_path}/b*.jpg") == str(tmp_path / "b.jpg")
    assert {only_file(name) for name in (f"{tmp_path}/a[1].jpg", f"{tmp_path}/z*", "-")} == {f"{tmp_path}/a[1].jpg", f"{tmp_path}/z*", "-"}
    with pytest.raises(UsageError, match="matches 3 files"):
        only_file(f"{tmp_path}/a*.jpg")


def test_backslashes_in_steps():
    assert platforms.words_of("conv C:\\nets\\w.npz:conv1 'a b' padding=1", windows=True) == [
        "conv",
        "C:\\nets\\w.npz:conv1",
        "a b",
        "padding=1",
    ]
    assert platforms.words_of("conv a\\ b.npy # x", windows=False) == ["conv", "a b.npy", "#", "x"]
