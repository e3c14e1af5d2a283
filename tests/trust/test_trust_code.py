"""Nothing but imgconv runs: no program is started, no network asked, no pickle opened, whatever the files say. Python's audit watches."""

import os
import pickle
import shutil
import subprocess

import numpy as np
import pytest
from command import SAMPLES
from processes import IMGCONV, ROOT, environment

WATCH = """
import os, sys
WATCHED = ("socket.", "subprocess.", "os.exec", "os.posix_spawn", "os.fork", "os.system", "pickle.", "urllib.", "ftplib.", "http.")
def watch(event, arguments):
    if event.startswith(WATCHED):
        os.write(2, f"audit: {event} {arguments}\\n".encode())
sys.addaudithook(watch)
"""
SCRIPTS = {
    "eps.jpg": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n(%pipe%touch ran) (w) file\nshowpage\n",
    "binary_eps.jpg": b"\xc5\xd0\xd3\xc6\x1e\0\0\0\x20\0\0\0" + bytes(18) + b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
    "pdf.jpg": b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\nendobj\n",
    "shell.jpg": b"#!/bin/sh\ntouch ran\n",
    "mvg.jpg": b"push graphic-context\nimage over 0,0 0,0 'https://127.0.0.1/x.jpg'\npop graphic-context\n",
    "svg.png": b"<svg xmlns='http://www.w3.org/2000/svg'><image href='http://127.0.0.1/x'/></svg>",
    "wmf.png": b"\xd7\xcd\xc6\x9a" + bytes(60),
    "font.png": b"\0\x01\0\0\0\x10\x01\0\0\x04\0\0OS/2" + bytes(90),
}


class Trap:
    """What runs a program when it is unpickled."""

    def __reduce__(self):
        return os.system, ("touch ran",)


@pytest.fixture
def watched(tmp_path):
    """A function that runs `imgconv` under watch: exit code and standard error. Programs that decoders might start would leave a mark."""
    (tmp_path / "watch").mkdir()
    (tmp_path / "watch" / "sitecustomize.py").write_text(WATCH)
    for program in ("gs", "gswin64c", "convert", "magick", "rsvg-convert", "curl", "djpeg", "xdg-open"):
        (tmp_path / "watch" / program).write_text("#!/bin/sh\ntouch ran\n")
        (tmp_path / "watch" / program).chmod(0o755)
    (tmp_path / "here").mkdir()

    def run(*words):
        paths = f"{tmp_path / 'watch'}{os.pathsep}"
        settings = environment(PYTHONPATH=paths + str(ROOT), PATH=paths + os.environ["PATH"])
        command = [*IMGCONV, *map(str, words)]
        done = subprocess.run(command, cwd=tmp_path / "here", env=settings, capture_output=True, text=True, timeout=120, check=False)
        assert not (tmp_path / "here" / "ran").exists()
        assert "audit:" not in done.stderr and "Traceback" not in done.stderr, done.stderr
        return done.returncode, done.stderr

    return run


def test_the_audit_hook_reports_programs_and_connections(watched, tmp_path):
    script = "import os, socket, subprocess; socket.socket().close(); subprocess.run(['true']); os.system('true')"
    settings = environment(PYTHONPATH=str(tmp_path / "watch"))
    done = subprocess.run([IMGCONV[0], "-c", script], env=settings, capture_output=True, text=True, check=True)
    assert all(f"audit: {event}" in done.stderr for event in ("socket.", "subprocess.Popen", "os.system"))


@pytest.mark.parametrize(
    "words",
    [
        "edge photos -o out -j 3 --json",
        "canny photos/coffee.jpg -o out",
        "pool photos/pages.tiff --size 3 -o out",
        "run photos/camera.png -s relu -o out",
        "learn photos/camera.png photos/camera.png --size 3",
        "figure photos/camera.png -k sobel -o figure.png",
        "explain photos/camera.png -k box --at 3,3",
        "plan photos",
        "kernels list",
    ],
)
def test_commands_start_no_program_and_use_no_network(watched, tmp_path, words):
    photos = tmp_path / "here" / "photos"
    photos.mkdir()
    for name in ("camera.png", "coffee.jpg", "animated.gif", "pages.tiff", "ramp_16bit.png"):
        shutil.copy(SAMPLES / name, photos)
    assert watched(*words.split())[0] == 0


def test_scripts_and_pages_named_as_photographs_are_not_run(watched, tmp_path):
    for name, data in SCRIPTS.items():
        (tmp_path / "here" / name).write_bytes(data)
    shutil.copy(SAMPLES / "camera.png", tmp_path / "here" / "real.png")
    code, err = watched("edge", ".", "-o", "out")
    assert code == 1
    message = ("not an image of a known format", "is a PDF document, which is not supported")
    assert all(any(f"{name}: {text}" in err for text in message) for name in SCRIPTS)
    assert (tmp_path / "here" / "out" / "real.edge.png").exists()


@pytest.mark.parametrize("name", ["trap.npy", "trap.npz", "trap.safetensors", "trap.png"])
def test_pickles_are_not_opened_as_images_or_weights(watched, tmp_path, name):
    trap = tmp_path / "here" / name
    if name.endswith("z"):
        np.savez(trap, w=np.array([[Trap(), 1]], object))
    elif name.endswith("y"):
        np.save(trap, np.array([[Trap(), 1]], object), allow_pickle=True)
    else:
        trap.write_bytes(pickle.dumps(Trap()))
    shutil.copy(SAMPLES / "camera.png", tmp_path / "here")
    assert watched("edge", trap)[0] == 1
    if name != "trap.png":
        assert watched("edge", "camera.png", "-k", f"@{name}:w" if name != "trap.npy" else f"@{name}")[0] == 2
