"""What was there before: inputs of every kind are never replaced, old outputs stay whole until a new one is, their owners too."""

import os
import shutil
import signal

import numpy as np
import pytest
from command import PHOTO, SAMPLES, imgconv, refused
from PIL import Image
from processes import finished, let_in, many, names, run_as, started, users, wait_for

OLD = b"an output of another day"


@pytest.mark.parametrize(
    "words",
    [
        "canny photo.png -o photo.png",
        "pool photo.png -o link.png",
        "run photo.png -s relu -o photo.png",
        "filter photo.png -k laplacian4 -o ./sub/../photo.png",
        "figure photo.png -k sobel -o link.png",
        "kernels gallery photo.png -o photo.png",
        "explain photo.png -k laplacian4 --at 3,3 --animate animation.gif",
        "learn before.npy after.npy --size 3 -o after.npy",
        "edge before.npy after.npy --format npy -o after.npy",
        "filter photo.png -k @weights.npy -o weights.npy",
        "filter photo.png -k @bank.npz:a -o bank.npz",
        "run photo.png -s 'conv @weights.npy bias=bias.npy' -o bias.npy",
        "run photo.png --recipe recipe.toml -o linked.npz",
        "run photo.png --batch -s 'conv @weights.npy' -o weights.npy",
    ],
)
def test_no_command_writes_to_an_image_or_weights_that_it_reads(tmp_path, words):
    shutil.copy(SAMPLES / "step_wedge.png", tmp_path / "photo.png")
    (tmp_path / "sub").mkdir()
    (tmp_path / "link.png").hardlink_to(tmp_path / "photo.png")
    (tmp_path / "animation.gif").symlink_to("photo.png")
    kernel = np.array([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]])
    np.save(tmp_path / "weights.npy", kernel)
    np.save(tmp_path / "bias.npy", np.zeros(1))
    np.savez(tmp_path / "bank.npz", a=kernel, b=kernel.T)
    (tmp_path / "linked.npz").symlink_to("bank.npz")
    (tmp_path / "recipe.toml").write_text("[recipes.a]\nsteps = [{ op = 'conv', weights = 'bank.npz:a' }]")
    for name in ("before.npy", "after.npy"):
        np.save(tmp_path / name, np.random.default_rng(0).random((20, 30)))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    done = imgconv(*_split(words), cwd=tmp_path)
    assert done.code in (1, 2) and done.err.count("\n") == 1 and "-o" in done.err, done.err
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before


def _split(words):
    step = words.split("'")
    return [*step[0].split(), step[1], *step[2].split()] if len(step) == 3 else words.split()


def test_a_failed_encoder_leaves_the_old_output_and_nothing_else(tmp_path):
    Image.fromarray(np.zeros((1, 70_000), np.uint8)).save(tmp_path / "line.png")
    old = tmp_path / "line.identity.avif"
    old.write_bytes(OLD)
    line = refused(1, "filter", tmp_path / "line.png", "-k", "identity", "--format", "avif")
    assert "line.png: cannot write avif: " in line
    assert names(tmp_path) == ["line.identity.avif", "line.png"] and old.read_bytes() == OLD


@pytest.mark.parametrize("format, longest", [("jpeg", 65500), ("webp", 16383), ("gif", 65535), ("tga", 65535)])
def test_an_error_names_the_side_that_a_format_cannot_hold(tmp_path, format, longest):
    Image.fromarray(np.zeros((1, longest + 1), np.uint8)).save(tmp_path / "line.png")
    line = refused(1, "filter", tmp_path / "line.png", "-k", "identity", "--format", format)
    assert f"{format} holds at most {longest} pixels a side; write .png, .tiff or .npy" in line
    assert names(tmp_path) == ["line.png"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_old_outputs_are_complete_after_an_interrupt(tmp_path, number):
    photos, out = many(tmp_path / "photos", 150), tmp_path / "out"
    out.mkdir()
    for index in range(150):
        (out / f"{index:03}.edge.png").write_bytes(OLD)
    with started("edge", photos, "-o", out, "-q") as process:
        wait_for(lambda: (out / "005.edge.png").read_bytes() != OLD)
        process.send_signal(number)
        code = process.wait(20) if number == signal.SIGKILL else finished(process)[0]
    assert code == (-number if number == signal.SIGKILL else 130)
    outputs = sorted(out.glob("*.png"))
    new = [path for path in outputs if path.read_bytes() != OLD]
    assert len(outputs) == 150 and 0 < len(new) < 150
    for path in new:
        with Image.open(path) as image:
            image.load()
    if number != signal.SIGKILL:
        assert names(out) == [path.name for path in outputs]


@pytest.mark.parametrize("user", users())
def test_the_owner_of_a_replaced_file_is_preserved_where_allowed(tmp_path, user):
    let_in(tmp_path)
    photo, out = shutil.copy(PHOTO, tmp_path), tmp_path / "out"
    out.mkdir()
    out.chmod(0o777)
    old = out / "coffee.edge.png"
    old.write_bytes(OLD)
    old.chmod(0o646)
    owner = 12345 if user == "root" else os.geteuid()
    os.chown(old, owner, -1)
    assert run_as(user, tmp_path, "edge", photo, "-o", out) == (0, f"{photo} -> {old}\n")
    status = old.stat()
    assert status.st_mode & 0o777 == 0o646 and old.read_bytes() != OLD
    assert status.st_uid == owner or user == "nobody"  # an ordinary user cannot give a file away, so it becomes theirs
