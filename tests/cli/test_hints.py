"""Hints for words that people type from habit, completion of values, and what is said where commands differ."""

import numpy as np
import pytest
from command import PHOTO, SAMPLES, imgconv, refused

import imgconv as ic
from imgconv.recipe.operations import OPERATIONS


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("edge", PHOTO, "-k", "canny"), "use the command imgconv canny"),
        (("filter", PHOTO, "-k", "blur"), "use one of its kernels, such as box"),
        (("filter", PHOTO, "-k", "0,5 0,5"), "decimal commas"),
        (("filter", PHOTO, "-k", "gaussian:sigma=1,5,size=9"), "write 1.5 for 1,5"),
        (("canny", PHOTO, "--sigma", "1,5"), "write 1.5 for 1,5"),
        (("canny", PHOTO, "--low", "0,1%", "--high", "90%"), "write 0.1% for 0,1%"),
        (("edge", PHOTO, "--threshold", "-12,25"), "write -12.25 for -12,25"),
        (("edge", PHOTO, "--padding-mode", "constant:0,5"), "write 0.5 for 0,5"),
        (("run", PHOTO, "-s", "scale factor=0,5"), "write 0.5 for 0,5"),
        (("run", PHOTO, "-s", "conv blur"), "blur is a tag"),
        (("kernels", "show", "blur"), "blur is a tag"),
        (("pool", PHOTO, "--mode", "mean"), "use avg"),
        (("pool", PHOTO, "--mode", "rank"), "use rank:P"),
        (("pool", PHOTO, "--window", "3"), "name a kernel such as square:size=3, or use --size"),
        (("edge", PHOTO, "--padding-mode", "BORDER_REFLECT_101"), "use reflect"),
        (("edge", PHOTO, "-k", "median"), "use the command imgconv pool --mode median"),
        (("sobel", PHOTO), "imgconv filter -k sobel"),
        (("convert", PHOTO), "imgconv --help lists all"),
        ((PHOTO,), f"imgconv edge {PHOTO}"),
    ],
)
def test_hints(words, hint):
    assert hint in refused(2, *words)


@pytest.mark.parametrize("spelling", ["--gray", "--grey", "--colour", "--color"])
def test_both_spellings(spelling, tmp_path):
    assert imgconv("edge", PHOTO, spelling, "-o", tmp_path / "edge.png").code == 0


@pytest.mark.parametrize("words", [(), ("kernels",)])
def test_groups_without_a_command_print_their_help(words):
    done = imgconv(*words)
    assert done.code == 2 and done.out.startswith(b"Usage: ") and done.err == ""


def test_python_gets_the_same_hints():
    with pytest.raises(ic.UsageError, match=r"call imgconv\.canny"):
        ic.edge(np.zeros((4, 4)), "canny")
    with pytest.raises(ic.UsageError, match=r"call imgconv\.pool with mode=median"):
        ic.edge(np.zeros((4, 4)), "median")
    with pytest.raises(ic.UsageError, match=r"blur is a tag.*such as box") as caught:
        ic.filter(np.zeros((4, 4)), "blur")
    assert "--" not in str(caught.value)
    with pytest.raises(OSError, match=r"nope\.jpg"):
        ic.edge("nope.jpg")


def test_help_of_run_lists_every_operation():
    text = imgconv("run", "--help").out.decode()
    assert all(f"\n  {name} " in text for name in OPERATIONS)


def completions(*words, cwd):
    variables = {"_IMGCONV_COMPLETE": "complete_bash", "COMP_WORDS": " ".join(words), "COMP_CWORD": str(len(words) - 1)}
    return set(filter(None, imgconv(cwd=cwd, variables=variables).out.decode().splitlines()))


def test_values_of_options_complete(tmp_path):
    (tmp_path / "net.toml").write_text("[recipes.first]\nsteps = []\n[recipes.second]\nsteps = []\n")
    (tmp_path / "photo.jpg").touch()
    (tmp_path / "nets").mkdir()
    assert {"png", "pnm"} <= completions("imgconv", "edge", "--format", "p", cwd=tmp_path) <= {"png", "pnm"}
    assert "blur" in completions("imgconv", "kernels", "list", "--tag", "bl", cwd=tmp_path)
    assert completions("imgconv", "run", "--recipe", "ne", cwd=tmp_path) == {"net.toml", "nets/"}
    assert completions("imgconv", "run", "--recipe", "net.toml:f", cwd=tmp_path) == {"net.toml:first"}
    (tmp_path / "list.toml").write_text("recipes = [1, 2]\n")
    assert completions("imgconv", "run", "--recipe", "list.toml:", cwd=tmp_path) == set()
    step = completions("imgconv", "run", "-s", "'conv laplacian8 pad", cwd=tmp_path)
    assert step == {"conv laplacian8 padding=", "conv laplacian8 padding_mode="}
    assert "conv prewitt_x" in completions("imgconv", "run", "-s", "'conv prew", cwd=tmp_path)
    assert completions("imgconv", "kernels", "remove", "lapl", cwd=tmp_path) == set()  # built-in kernels cannot be removed


def test_explain_states_how_it_differs_from_edge():
    note = "imgconv edge uses the luma"
    assert note in imgconv("explain", PHOTO, "-k", "sobel", "--at", "9,9").err
    for words in ((SAMPLES / "camera.png", "-k", "sobel"), (PHOTO, "-k", "sobel", "--grey"), (PHOTO,)):
        assert note not in imgconv("explain", *words, "--at", "9,9").err


def test_learn_refuses_a_bad_name_before_it_reads_an_image(tmp_path):
    assert "kernel name 'two words'" in refused(2, "learn", "missing.png", "missing.png", "--name", "two words")
    small = tmp_path / "small.npy"
    np.save(small, np.random.default_rng(0).random((4, 5), np.float32))
    assert "image of 5x4 is smaller than the kernel of 7x7" in refused(1, "learn", small, small, "--size", "7")
    image = np.random.default_rng(0).random((30, 40), np.float32)
    image[3, 4] = np.nan
    np.save(tmp_path / "nan.npy", image)
    np.save(tmp_path / "doubled.npy", 2 * image)
    done = imgconv("learn", tmp_path / "nan.npy", tmp_path / "doubled.npy", "--size", "3")
    assert done.code == 0 and b"9 left out" in done.out and b"nan" not in done.out
