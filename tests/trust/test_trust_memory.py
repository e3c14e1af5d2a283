"""Memory and descriptors stay bounded by the workers; what cannot fit is refused before it is decoded."""

import re
import resource
import shutil
import subprocess
import sys

import numpy as np
import pytest
from command import SAMPLES, refused
from PIL import Image
from processes import IMGCONV, environment, many, names


def peak(words, cwd):
    """The most memory, in MB, that `imgconv` with these words ever held."""
    script = (
        "import resource, subprocess, sys; code = subprocess.call(sys.argv[1:]);"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024); sys.exit(code)"
    )
    command = [sys.executable, "-c", script, *IMGCONV, *map(str, words)]
    done = subprocess.run(command, cwd=cwd, env=environment(), capture_output=True, text=True, timeout=120, check=True)
    return int(done.stdout)


def test_a_folder_takes_no_more_memory_than_a_few_of_its_images(tmp_path):
    few, lots = many(tmp_path / "few", 8), many(tmp_path / "lots", 400)
    small = peak(["edge", few, "-o", tmp_path / "out", "-q", "-j", "2"], tmp_path)
    large = peak(["edge", lots, "-o", tmp_path / "out", "-q", "-j", "2"], tmp_path)
    assert large < small + 25, (small, large)


def test_a_stream_takes_no_more_memory_than_a_few_of_its_images(tmp_path):
    def peak_of(frames):
        head = (
            "import sys\nframe = b'P5 640 480 255\\n' + bytes(640 * 480)\nfor _ in range(int(sys.argv[1])): sys.stdout.buffer.write(frame)"
        )
        with subprocess.Popen([sys.executable, "-c", head, str(frames)], stdout=subprocess.PIPE) as source:
            script = "import resource, subprocess, sys; subprocess.check_call(sys.argv[1:], stdout=subprocess.DEVNULL);"
            script += "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)"
            command = [sys.executable, "-c", script, *IMGCONV, "edge", "-"]
            return int(subprocess.run(command, stdin=source.stdout, env=environment(), capture_output=True, check=True).stdout)

    assert peak_of(300) < peak_of(5) + 10


@pytest.mark.parametrize("jobs", ["2", "32"])
def test_more_files_than_descriptors(tmp_path, jobs):
    photos = many(tmp_path / "photos", 400, SAMPLES / "rotated_exif6.jpg")
    command = [*IMGCONV, "edge", photos, "-o", tmp_path / "out", "-j", jobs]
    limited = {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (128, 128))}
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=60, check=False, **limited)
    assert done.returncode == 0, done.stderr
    assert len(names(tmp_path / "out")) == 400


def test_an_image_that_cannot_fit_is_refused_with_its_size_and_a_remedy(tmp_path):
    photo = tmp_path / "photo.png"
    shutil.copy(SAMPLES / "camera.png", photo)
    line = refused(1, "filter", photo, "-k", "sobel_x", "--padding", "60000", "-o", tmp_path / "maps.npz")  # not by bands
    assert re.search(r"photo.png: an image of 512x512, .*, needs about [\d.]+ GB of memory, and [\d.]+ GB are available", line)


def test_a_memory_limit_of_the_shell_refuses_a_large_image_before_decoding(tmp_path):
    Image.fromarray(np.zeros((9000, 9000), np.uint8)).save(tmp_path / "large.png", compress_level=1)
    shutil.copy(SAMPLES / "camera.png", tmp_path / "small.png")
    limited = {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_AS, (700 << 20, 700 << 20))}
    command = [*IMGCONV, "edge", tmp_path, "-o", tmp_path / "out", "-j", "1", "--format", "webp"]  # which is not written by bands
    done = subprocess.run(
        command, env=environment(OPENBLAS_NUM_THREADS="1"), capture_output=True, text=True, timeout=60, check=False, **limited
    )
    assert done.returncode == 1 and re.search(r"large.png: an image of 9000x9000, .*, needs about 2\.\d GB of memory", done.stderr)
    assert names(tmp_path / "out") == ["small.edge.webp"]


def test_maps_between_the_steps_of_a_network_count_as_memory(tmp_path):
    shutil.copy(SAMPLES / "camera.png", tmp_path / "photo.png")
    limited = {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_AS, (1500 << 20, 1500 << 20))}
    steps = ("-s", "grey", "-s", "conv_transpose bilinear4 stride=60", "-s", "adaptive_max_pool 60")  # which sees the whole image
    command = [*IMGCONV, "run", tmp_path / "photo.png", *steps]
    done = subprocess.run(
        command, env=environment(OPENBLAS_NUM_THREADS="1"), capture_output=True, text=True, timeout=60, check=False, **limited
    )
    assert done.returncode == 1 and re.search(r"photo.png: an image of 512x512, .*, needs about 3\.\d GB of memory", done.stderr)
    assert names(tmp_path) == ["photo.png"]


@pytest.mark.parametrize("variable", ["HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"])
def test_folders_that_cannot_be_used_do_not_matter(tmp_path, variable):
    shutil.copy(SAMPLES / "step_wedge.png", tmp_path / "a.png")
    unusable = environment(**{variable: "/proc/nowhere"})
    if variable == "HOME":
        del unusable["XDG_CONFIG_HOME"]
    done = subprocess.run([*IMGCONV, "edge", "a.png", "-q"], cwd=tmp_path, env=unusable, capture_output=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
