"""The corpus and the awkward files, through one real command: a correct image or one line for each, soon, and nothing else."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from corpus import make
from image_files import exact_files
from odd_files import odd_files
from PIL import Image, ImageOps
from processes import IMGCONV, environment, names

AWKWARD = Path(__file__).parents[1] / "data" / "awkward"
BROKEN = {  # those of the awkward files that hold no image, or a part of one, and what is said of them
    "00r1_graya_la.jp2": "differ in depth or size",
    "apng_syntax_num_frames_zero.png": "unexpected end of data",
    "broken.png": "the first chunk is not IHDR",
    "crash-4fb027452e6988530aa5dabee76eecacb3b79f8a.j2k": "components differ in depth or size are not supported",
    "crash-d2c93af851d3ab9a19e34503626368b2ecde9c03.j2k": "components differ in depth or size are not supported",
    "decompression_bomb.gif": "4364696535 pixels",
    "l2rgb_read.bmp": "3158064x48 is 151587072 pixels",
    "libtiff_segfault.tif": "offset of a page",
    "oom-225817ca0f8c663be7ab4b9e717b02c661e66834.tif": "corrupted IFD",
    "op_index.qoi": "unexpected end of data",
    "seek_too_large.tif": "damaged tiff",
    "unbound_variable.jp2": "damaged jpeg2000",
    "unknown_mode.j2k": "not supported",
    "zero_height.j2k": "damaged jpeg2000",
    "zero_width.gif": "no pixels",
}
SLOWEST = 20  # seconds for one file, of the 60 that are promised
NUMBERS = ("pbm_plain", "ppm_plain", "odd_pnm_plain_rgb")  # their last number cut short is another number


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """The corpus, gone through by one command: its folder, that of the outputs, and the line of JSON of each file."""
    folder, out = tmp_path_factory.mktemp("corpus"), tmp_path_factory.mktemp("out")
    make(folder)
    return out, _json_lines(folder, out)


def _json_lines(folder, out):
    """What `imgconv filter -k identity` says of each file of a folder, whatever its name."""
    listed = b"\0".join(os.fsencode(path) for path in sorted(folder.iterdir()))
    command = [*IMGCONV, "filter", "-k", "identity", "--files0-from", "-", "-o", f"{out}/", "--format", "npy", "--json", "-q"]
    done = subprocess.run(
        [*command, "--max-pixels", "10000000"], input=listed, env=environment(), capture_output=True, timeout=300, check=False
    )
    err = done.stderr.decode()
    assert done.returncode == 1 and "Traceback" not in err and "internal error" not in err, err[-2000:]
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [Path(line["source"]).name for line in lines] == names(folder)
    failed = [line for line in lines if line["error"]]
    assert err.count("\n") == len(failed), err[-2000:]
    return {Path(line["source"]).name.removesuffix(".img"): line for line in lines}


@pytest.mark.filterwarnings("ignore")  # Pillow's, in this process; the command says nothing of them
def test_awkward_files_are_read_as_other_decoders_do_or_refused_with_a_reason(tmp_path):
    folder = tmp_path / "awkward"
    shutil.copytree(AWKWARD, folder, ignore=shutil.ignore_patterns("README.md"))
    lines = _json_lines(folder, tmp_path / "out")
    assert {name for name, line in lines.items() if line["error"]} == set(BROKEN)
    for name, line in lines.items():
        if name in BROKEN:
            assert BROKEN[name] in line["error"], name
            continue
        with Image.open(folder / name) as image:
            if image.mode in ("L", "RGB") and not image.has_transparency_data and getattr(image, "n_frames", 1) == 1:
                expected = np.asarray(ImageOps.exif_transpose(image)).reshape(image.height * image.width, -1)
                maps = np.load(line["outputs"][0])
                assert np.array_equal(maps.reshape(expected.shape[1], -1).T, expected), name


def test_every_file_gives_an_image_or_one_line_in_short_time(corpus):
    out, lines = corpus
    assert len(lines) > 1500
    for name, line in lines.items():
        assert bool(line["error"]) != bool(line["outputs"]), name
        assert line["seconds"] < SLOWEST, name
        assert "\n" not in (line["error"] or ""), name
    assert len(names(out)) == sum(bool(line["outputs"]) for line in lines.values())


def test_undamaged_files_give_the_right_pixels(corpus):
    out, lines = corpus
    assert [name for name, line in lines.items() if name.endswith(".whole") and line["error"]] == []
    expected_pixels = {name: (pixels, 0) for name, (_, pixels) in exact_files().items()}
    expected_pixels |= {f"odd_{name}": (pixels, most) for name, (_, pixels, most) in odd_files().items()}
    for name, (pixels, most) in expected_pixels.items():
        if pixels.shape[2] in (1, 3):  # alpha takes part in filtering; tests/images reads it as it is
            maps = np.load(out / f"{name}.whole.identity.npy").reshape(-1, *pixels.shape[:2])
            assert np.abs(maps.transpose(1, 2, 0) - pixels.astype(np.float64)).max() <= most, name


def test_a_truncated_file_is_an_error_unless_only_padding_is_missing(corpus):
    out, lines = corpus
    for name, line in lines.items():
        stem, _, kind = name.partition(".cut_")
        if kind and line["outputs"] and stem not in NUMBERS:
            whole = out / f"{stem}.whole.identity.npy"
            assert Path(line["outputs"][0]).read_bytes() == whole.read_bytes(), name
