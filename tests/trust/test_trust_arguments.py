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
    "words, said",
    [
        ("edge --stride 0", "stride must be at least 1"),
        ("edge --stride 1000000", "--stride 1000000 is more than the largest allowed, 65535"),
        ("edge --padding -3", "padding must be at least 0"),
        ("edge --padding 1x1000000", "--padding 1x1000000 is more than"),
        ("edge --dilation 99999999999", "--dilation"),
        ("edge --dilation 1e3", "--dilation '1e3' is no size"),
        ("pool --size 1000000", "--size 1000000 is more than"),
        ("pool --size 0", "imgconv: size must be at least 1, not 0"),
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
def test_usage_errors_exit_2_with_one_line_before_any_file_is_opened(untouchable, words, said):
    command, *options = words.split()
    assert said in refused(2, command, untouchable, *options, timeout=20)
    assert names(untouchable.parent) == ["photo.png"]


@pytest.mark.parametrize(
    "kernel, said",
    [
        ("1 2; 3", "ragged: row 1 has 2 entries, row 2 has 1"),
        ("1 nan; 0 1", "'nan' is not a finite number"),
        ("1 inf", "'inf' is not a finite number"),
        ("1 1e999", "'1e999' is too large"),
        ("1 2 / 0", "divided by 0"),
        (" ", "kernel '' is unknown"),
        ("@missing.npy", "cannot read these weights (no such file or directory); correct the path"),
        ("@folder.npy", "cannot read these weights (is a directory)"),
        ("@~nobody-of-this-name/w.npy", "no such file or directory"),
    ],
)
def test_values_that_are_not_kernels_are_refused(untouchable, kernel, said):
    (untouchable.parent / "folder.npy").mkdir()
    assert said in refused(2, "edge", untouchable, "-k", kernel, timeout=20, cwd=untouchable.parent, env=environment())


@pytest.mark.parametrize(
    "text, said",
    [
        ("[kernels.a]\nrows = [[1, 2], [3]]", "mine.toml: kernels.a: rows are ragged: row 1 has 2 numbers, row 2 has 1; make them equal"),
        ("[kernels.a]\nrows = [[1, nan]]", "mine.toml: kernels.a: rows hold something else than finite numbers in row 1; correct it"),
        ("[kernels.a\nrows = 1", "mine.toml: not valid TOML: expected ']'"),
        ("[kernels.a]\nrows = [[1]]\ncolour = 3", "mine.toml: kernels.a: unknown key 'colour'; allowed are rows"),
        ("[banks.a]\nkernels = ['b']", "mine.toml: banks.a: kernel 'b' is unknown"),
        ("\udcff", "mine.toml: byte 0 is not UTF-8; save the kernels file as UTF-8 text"),
    ],
)
def test_a_broken_kernels_file_names_file_entry_and_remedy(untouchable, text, said):
    broken = untouchable.parent / "mine.toml"
    broken.write_bytes(text.encode("utf-8", "surrogateescape"))
    assert said in refused(2, "edge", untouchable, "-k", "a", "--kernels-file", broken, timeout=20)


@pytest.mark.parametrize(
    "steps, said",
    [
        ("'conv laplacain8'", "recipes.a: step 1 (conv laplacain8): kernel 'laplacain8' is unknown; nearest: laplacian8"),
        ("{ op = 'cnov' }", "recipes.a: step 1 (cnov): op 'cnov' is unknown; nearest: conv"),
        ("'relu', { op = 'max_pool', kernel_size = 0 }", "step 2 (max_pool kernel_size=0): kernel_size must be at least 1"),
        ("'conv laplacian8 stride=-2'", "step 1 (conv laplacian8 stride=-2): stride must be at least 1, not -2"),
        ("{ op = 'conv', weights = [[1, 2], [3]] }", "weights are ragged"),
        ("{ op = 'scale', factor = inf }", "factor: expected a finite number"),
    ],
)
def test_a_broken_recipe_names_file_step_and_remedy(untouchable, steps, said):
    broken = untouchable.parent / "net.toml"
    broken.write_text(f"[recipes.a]\nsteps = [{steps}]")
    line = refused(2, "run", untouchable, "--recipe", broken, timeout=20)
    assert said in line and f"{broken}: recipes.a" in line


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
    made = len(names(tmp_path / "stopped"))
    assert 3 <= made < 11 and f"{made} files written, 1 failed" in stopped.err
