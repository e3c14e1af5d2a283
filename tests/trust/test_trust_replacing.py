"""What was there before: old outputs stay whole until a new one is complete, with their owners."""

import os
import shutil
import signal

import numpy as np
import pytest
from command import PHOTO, imgconv, refused
from PIL import Image
from processes import finished, let_in, many, names, run_as, started, users, wait_for

OLD = b"an output of another day"


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


@pytest.mark.parametrize("ending", ["tiff", "png", "npy"])
def test_an_image_that_is_killed_between_its_bands_leaves_the_old_output(tmp_path, ending):
    source, out = tmp_path / "large.npy", tmp_path / "out"
    np.lib.format.open_memmap(source, "w+", np.uint8, (9000, 9000, 3)).flush()  # a file of holes
    out.mkdir()
    old = out / f"o.{ending}"
    old.write_bytes(OLD)
    with started("filter", source, "-k", "identity", "-o", old, "--memory", "16M", "--max-pixels", "none", "-q") as process:
        wait_for(lambda: any(path.stat().st_size > 1000 for path in out.glob(".*")))
        process.send_signal(signal.SIGKILL)
        assert process.wait(20) == -signal.SIGKILL
    assert old.read_bytes() == OLD and len(list(out.iterdir())) == 2
    imgconv("edge", PHOTO, "-o", out / "next.png")
    assert names(out) == ["next.png", old.name] and old.read_bytes() == OLD


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
    expected_mode = 0o644 if user == "nobody" else 0o646  # the former group would gain the rights of others
    assert status.st_mode & 0o777 == expected_mode and old.read_bytes() != OLD
    assert status.st_uid == owner or user == "nobody"  # an ordinary user cannot give a file away, so it becomes theirs
