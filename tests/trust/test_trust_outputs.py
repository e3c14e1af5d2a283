"""Outputs are whole or absent, whatever happens while they are written; inputs are never touched."""

import os
import re
import resource
import shutil
import signal
import stat
import subprocess

import pytest
from command import PHOTO, SAMPLES, imgconv, refused
from PIL import Image
from processes import IMGCONV, environment, let_in, limited_environment, many, names, run_all_as, run_as, started, users, wait_for

FORMATS = ["png", "jpeg", "tiff", "webp", "gif", "bmp", "pnm", "jpeg2000", "jpegxl", "avif", "tga", "qoi", "fits", "npy", "npz"]


@pytest.fixture
def photo(tmp_path):
    return shutil.copy(PHOTO, tmp_path / "photo.jpg")


def small_files_only():
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))


@pytest.mark.sweep(2)
@pytest.mark.parametrize("format", FORMATS)
def test_a_quota_leaves_the_old_output_and_nothing_else(photo, tmp_path, format):
    out = tmp_path / "out"
    out.mkdir()
    old = out / f"photo.identity.{format}"
    old.write_bytes(b"old")
    colours = ["--grey"] if format == "gif" else []  # of which it holds 256
    words = ["filter", photo, "-k", "identity", "--format", format, *colours]
    assert imgconv(*words, "-o", tmp_path / "compiled").code == 0  # a process that may write little could not put loops into the cache
    command = [*IMGCONV, *words, "-o", out]
    done = subprocess.run(
        command, env=limited_environment(), preexec_fn=small_files_only, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1, done.stderr
    assert done.stderr.count("\n") == 1 and "photo.jpg" in done.stderr and re.search("file too large|no space left", done.stderr), (
        done.stderr
    )
    assert names(out) == [old.name] and old.read_bytes() == b"old"


@pytest.fixture
def full_disk(tmp_path):
    """A file system of its own with almost no room."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = os.geteuid() == 0 and subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "none", disk], check=False).returncode == 0
    if not mounted:  # an ordinary user cannot fill a disk of its own: the kernel's full device stands for it
        (disk / "photo.identity.png").symlink_to("/dev/full")
    yield disk
    if mounted:
        subprocess.run(["umount", disk], check=True)


def test_a_full_disk_leaves_nothing(photo, full_disk):
    line = refused(1, "filter", photo, "-k", "identity", "-o", full_disk / "photo.identity.png")
    assert "no space left on device" in line and "photo.jpg" in line
    assert [path for path in full_disk.iterdir() if not path.is_symlink()] == []


def test_a_run_killed_in_the_middle_of_a_folder(tmp_path):
    photos, out = tmp_path / "photos", tmp_path / "out"
    many(photos, 150)
    out.mkdir()
    with started("edge", photos, "-o", out, "-q") as process:
        wait_for(lambda: any(name.endswith(".imgconv-part") for name in names(out)) and len(names(out)) > 5)
        process.send_signal(signal.SIGKILL)
        process.wait()
    for path in out.glob("*.png"):
        with Image.open(path) as image:
            image.load()
    (out / ".0123456789abcdef.imgconv-part").write_bytes(b"left by another one")
    assert imgconv("edge", photos, "-o", out, "-q", "--skip-existing").code == 0
    assert names(out) == [f"{number:03}.edge.png" for number in range(150)]


def test_temporary_files_of_another_process_are_left_alone(photo, tmp_path):
    script = f"""
from pathlib import Path
from imgconv.atomic import atomic_write
from imgconv.inputs import Inputs
with atomic_write(Path({str(tmp_path / "theirs.png")!r}), Inputs()) as stream:
    stream.write(b"theirs")
    print("writing", flush=True)
    input()
"""
    command = [IMGCONV[0], "-c", script]
    with subprocess.Popen(command, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"writing\n"
        assert imgconv("edge", photo).code == 0
        process.communicate(b"\n", timeout=20)
    assert process.returncode == 0 and (tmp_path / "theirs.png").read_bytes() == b"theirs"
    assert names(tmp_path) == ["photo.edge.png", "photo.jpg", "theirs.png"]


def test_file_modes_are_preserved_and_new_files_follow_the_umask(photo, tmp_path):
    old = tmp_path / "old.png"
    old.write_bytes(b"old")
    old.chmod(0o604)
    command = [*IMGCONV, "edge", str(photo), "-q", "-o"]
    for out in (old, tmp_path / "new.png"):
        subprocess.run([*command, out], env=environment(), check=True, umask=0o027)
    assert stat.S_IMODE(old.stat().st_mode) == 0o604
    assert stat.S_IMODE((tmp_path / "new.png").stat().st_mode) == 0o640


@pytest.mark.parametrize("link", ["same", "dotted", "symbolic", "hard", "folder"])
def test_an_input_is_never_written_to(tmp_path, link):
    photo = tmp_path / "photo.png"
    shutil.copy(SAMPLES / "camera.png", photo)
    (tmp_path / "sub").mkdir()
    out = {"same": photo, "dotted": tmp_path / "sub" / ".." / "photo.png"}.get(link, tmp_path / "out.png")
    if link == "symbolic":
        out.symlink_to(photo)
    elif link == "hard":
        out.hardlink_to(photo)
    elif link == "folder":
        (tmp_path / "door").symlink_to(tmp_path)
        out = tmp_path / "door" / "photo.png"
    before = photo.read_bytes()
    assert "is the input" in refused(2, "edge", photo, "-o", out)
    assert photo.read_bytes() == before


@pytest.mark.parametrize("first, second", [("A.png", "a.png"), ("one/a.png", "two/a.png")])
def test_inputs_with_the_same_output_name_are_refused_before_work(tmp_path, first, second):
    for name in (first, second):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(SAMPLES / "camera.png", tmp_path / name)
    assert "would both write" in refused(2, "edge", tmp_path / first, tmp_path / second, "-o", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_mirrored_tree_stays_in_its_folder(tmp_path):
    (tmp_path / "photos" / "deep").mkdir(parents=True)
    shutil.copy(SAMPLES / "camera.png", tmp_path / "photos" / "deep")
    (tmp_path / "out").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out" / "deep").symlink_to(tmp_path / "elsewhere")
    assert "outside of" in refused(2, "edge", tmp_path / "photos", "-o", tmp_path / "out")
    assert names(tmp_path / "elsewhere") == []


@pytest.mark.parametrize("user", users())
def test_folders_and_files_without_permission(tmp_path, user):
    let_in(tmp_path)
    photos, out = tmp_path / "photos", tmp_path / "out"
    (photos / "closed").mkdir(parents=True)
    out.mkdir()
    out.chmod(0o777)
    for name in ("open.png", "secret.png", "closed/c.png"):
        shutil.copy(SAMPLES / "camera.png", photos / name)
    (photos / "secret.png").chmod(0)
    (photos / "closed").chmod(0)
    code, err = run_as(user, tmp_path, "edge", photos, "-o", out)
    (photos / "closed").chmod(0o755)
    if user == "root":
        assert (code, names(out)) == (0, ["closed", "open.edge.png", "secret.edge.png"])
        return
    assert (code, names(out)) == (1, ["open.edge.png"])
    assert f"{photos / 'secret.png'}: cannot be read: permission denied" in err
    assert f"{photos / 'closed'}: permission denied" in err


CLOSED = {
    "inputs": (["edge", "closed/a.zarr", "closed/b.jpg", "photo.jpg", "-o", "out"], 1, ["closed/a.zarr: cannot", "closed/b.jpg: cannot"]),
    "output": (
        ["edge", "photo.jpg", "other.jpg", "-o", "closed/out"],
        1,
        ["photo.jpg: permission denied: closed", "other.jpg: permission denied"],
    ),
    "an output to pass over": (
        ["edge", "photo.jpg", "-o", "closed/a.zarr", "--skip-existing"],
        1,
        ["photo.jpg: permission denied: closed/a.zarr"],
    ),
    "recipe": (["run", "photo.jpg", "--recipe", "closed/net.toml:a", "-o", "out"], 2, ["closed/net.toml: cannot read this recipe file"]),
    "report": (["report", "closed/out", "-o", "out/report.html"], 2, ["closed/out"]),
    "no command": (["closed/photo"], 2, ["closed/photo"]),
}


@pytest.fixture(scope="module")
def closed(tmp_path_factory):
    """The folder, the exit code and standard error of each of those runs, by a user who may not search every folder."""
    top = tmp_path_factory.mktemp("folders")
    let_in(top)
    for name in CLOSED:
        (top / name / "out").mkdir(parents=True)
        (top / name / "closed").mkdir(mode=0)
        for photo in ("photo.jpg", "other.jpg"):
            shutil.copy(PHOTO, top / name / photo)
        for folder, mode in ((top / name, 0o755), (top / name / "out", 0o777)):
            folder.chmod(mode)
    results = run_all_as(users()[-1], top, [(top / name, words) for name, (words, _, _) in CLOSED.items()])
    for name in CLOSED:
        (top / name / "closed").chmod(0o755)
    return {name: (top / name, *result) for name, result in zip(CLOSED, results, strict=True)}


@pytest.mark.parametrize("name", CLOSED)
def test_folders_that_cannot_be_searched_concern_only_what_is_in_them(closed, name):
    (folder, code, err), (words, expected, lines) = closed[name], CLOSED[name]
    assert code == expected
    errors = [line for line in err.splitlines() if line.startswith("imgconv: ")]
    assert len(errors) == len(lines) and all(part in error for part, error in zip(lines, errors, strict=True)), err
    assert names(folder / "out") == (["photo.edge.png"] if "closed/b.jpg" in words else [])


@pytest.mark.parametrize("user", users())
def test_an_output_folder_without_write_permission(tmp_path, user):
    let_in(tmp_path)
    out = tmp_path / "out"
    out.mkdir(mode=0o555)
    code, err = run_as(user, tmp_path, "edge", PHOTO if user == "root" else shutil.copy(PHOTO, tmp_path), "-o", out)
    if user == "root":
        assert (code, names(out)) == (0, ["coffee.edge.png"])
    else:
        assert (code, names(out)) == (1, [])
        assert "permission denied" in err and "coffee.edge.png" in err
