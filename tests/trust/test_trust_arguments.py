"""Arguments that are never right are refused in one line, exit 2, before any file is opened."""

import os
import shutil

import numpy as np
import pytest
from command import SAMPLES, imgconv, refused
from processes import environment, many, names


@pytest.fixture
def untouchable(tmp_path):
    """A pipe without a writer: opening it for reading blocks."""
    os.mkfifo(tmp_path / "photo.png")
    return tmp_path / "photo.png"


@pytest.mark.parametrize(
    "words, fact",
    [
        ("edge --stride 0", "stride"),
        ("edge --stride 1000000", "65535"),
        ("edge --padding -3", "padding"),
        ("edge --padding 1x1000000", "1x1000000"),
        ("edge --dilation 99999999999", "--dilation"),
        ("edge --dilation 1e3", "'1e3'"),
        ("pool --size 1000000", "1000000"),
        ("pool --size 0", "size"),
        ("edge -k nan", "nan"),
        ("edge -k gaussian:sigma=inf", "sigma"),
        ("edge -k box:size=10000", "10000"),
        ("edge -k box:size=1000001", "from 1 to 1024"),
        ("edge -k ;", ";"),
        ("edge -k laplacain", "nearest"),
        ("edge --format docx", "docx"),
        ("edge -q -v", "contradict"),
        ("edge --skip-existing --no-clobber", "contradict"),
        ("edge --jobs 0", "--jobs"),
        ("edge --jobs 100000", "--jobs"),
        ("edge --shard 0/4", "I/N with I from 1 to N"),
        ("edge --shard 5/4", "I/N"),
        ("edge --shard 1/0", "I/N"),
        ("edge --shard half", "I/N"),
        ("edge --max-pixels -1", "--max-pixels"),
        ("edge --on-error never", "--on-error"),
    ],
)
def test_usage_errors_exit_2_with_one_line_before_any_file_is_opened(untouchable, words, fact):
    command, *options = words.split()
    assert fact in refused(2, command, untouchable, *options, timeout=20)
    assert names(untouchable.parent) == ["photo.png"]


@pytest.mark.parametrize(
    "kernel, fact",
    [
        ("1 2; 3", "row 2 has 1"),
        ("1 nan; 0 1", "'nan'"),
        ("1 inf", "'inf'"),
        ("1 1e999", "'1e999'"),
        ("1 2 / 0", "0"),
        (" ", "kernel ''"),
        ("@missing.npy", "no such file or directory"),
        ("@folder.npy", "is a directory"),
        ("@~nobody-of-this-name/w.npy", "no such file or directory"),
    ],
)
def test_values_that_are_not_kernels_are_refused(untouchable, kernel, fact):
    (untouchable.parent / "folder.npy").mkdir()
    assert fact in refused(2, "edge", untouchable, "-k", kernel, timeout=20, cwd=untouchable.parent, env=environment())


@pytest.mark.parametrize(
    "text, facts",
    [
        ("[kernels.a]\nrows = [[1, 2], [3]]", ("kernels.a", "row 1", "row 2")),
        ("[kernels.a]\nrows = [[1, nan]]", ("kernels.a", "row 1", "finite")),
        ("[kernels.a\nrows = 1", ("TOML", "']'")),
        ("[kernels.a]\nrows = [[1]]\ncolour = 3", ("kernels.a", "'colour'", "rows")),
        ("[banks.a]\nkernels = ['b']", ("banks.a", "'b'")),
        ("\udcff", ("byte 0", "UTF-8")),
    ],
)
def test_a_broken_kernels_file_names_file_entry_and_remedy(untouchable, text, facts):
    broken = untouchable.parent / "mine.toml"
    broken.write_bytes(text.encode("utf-8", "surrogateescape"))
    line = refused(2, "edge", untouchable, "-k", "a", "--kernels-file", broken, timeout=20)
    assert all(fact in line for fact in ("mine.toml", *facts)), line


@pytest.mark.parametrize(
    "steps, facts",
    [
        ("'conv laplacain8'", ("step 1", "'laplacain8'", "laplacian8")),
        ("{ op = 'cnov' }", ("step 1", "'cnov'", "conv")),
        ("'relu', { op = 'max_pool', kernel_size = 0 }", ("step 2", "kernel_size")),
        ("'conv laplacian8 stride=-2'", ("step 1", "stride", "-2")),
        ("{ op = 'conv', weights = [[1, 2], [3]] }", ("step 1", "weights")),
        ("{ op = 'scale', factor = inf }", ("step 1", "factor", "finite")),
    ],
)
def test_a_broken_recipe_names_file_step_and_remedy(untouchable, steps, facts):
    broken = untouchable.parent / "net.toml"
    broken.write_text(f"[recipes.a]\nsteps = [{steps}]")
    line = refused(2, "run", untouchable, "--recipe", broken, timeout=20)
    assert all(fact in line for fact in (f"{broken}: recipes.a", *facts)), line


@pytest.mark.parametrize("options", [("--padding", "same"), ("--padding", "600"), ("--padding", "full")])
def test_kernels_larger_than_the_image_work_where_padding_allows_them(tmp_path, options):
    done = imgconv("filter", SAMPLES / "step_wedge.png", "-k", "box:size=501", *options, "-o", tmp_path / "out.png")
    assert done.code == 0, done.err


def test_a_kernel_of_ten_thousand_squared(untouchable, tmp_path):
    np.save(tmp_path / "big.npy", np.zeros((10_000, 10_000), np.uint8))
    assert "taps" in refused(2, "edge", untouchable, "-k", f"@{tmp_path / 'big.npy'}", timeout=30)


@pytest.mark.parametrize("words", ["edge --dilation 500 --padding valid", "pool --size 600", "edge --padding-mode reflect --padding 5000"])
def test_a_request_that_does_not_fit_one_image_fails_that_image_only(tmp_path, words):
    command, *options = words.split()
    large, small = tmp_path / "large.png", tmp_path / "small.png"
    shutil.copy(SAMPLES / "step_wedge.png", small)
    line = refused(1, command, small, *options)
    assert str(small) in line
    assert not large.exists()


def test_on_error_continues_or_stops_a_folder(tmp_path):
    photos = many(tmp_path / "photos", 12)
    broken = photos / "003.jpg"
    broken.unlink()
    broken.write_bytes((photos / "000.jpg").read_bytes()[:5000])
    done = imgconv("edge", photos, "-o", tmp_path / "out")
    assert done.code == 1 and f"{broken}: damaged jpeg" in done.err and "11 files written, 1 failed" in done.err
    stopped = imgconv("edge", photos, "-o", tmp_path / "stopped", "--on-error", "stop", "-j", "1")
    assert stopped.code == 1
    output = len(names(tmp_path / "stopped"))
    assert 3 <= output < 11 and f"{output} files written, 1 failed" in stopped.err
