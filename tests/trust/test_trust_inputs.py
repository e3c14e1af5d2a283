"""No input is ever written to or removed: every option that names an output, with every option that names an input."""

import os
import pickle
import shutil
import subprocess

import numpy as np
import pytest
import typer
from command import SAMPLES, imgconv, refused
from examples import each_once
from processes import IMGCONV, environment, names

from imgconv.cli.app import command_line
from imgconv.errors import UsageError
from imgconv.inputs import Inputs

KERNEL = np.array([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]])

# parameters that name a file to write, and the ending that the file needs in each command
WRITES = {
    ("output", "PATH"): ("-o", ".png"),
    ("output", "FILE.npy"): ("-o", ".npy"),
    ("output", "FILE.png|.pdf|.svg"): ("-o", ".png"),
    ("output", "FILE.html"): ("-o", ".html"),
    ("report", "FILE.html"): ("--report", ".html"),
    ("animate", "FILE.gif"): ("--animate", ".gif"),
    ("html", "FILE.html"): ("--html", ".html"),
}
# parameters that name files to read: the words of a command line, and the files that they lead to
READS = {
    ("inputs", "INPUT..."): (["photo.png"], ["photo.png"]),
    ("inputs", "[INPUT]..."): (["photo.png"], ["photo.png"]),
    ("source", "INPUT"): (["photo.png"], ["photo.png"]),
    ("images", "BEFORE AFTER..."): (["before.npy", "after.npy"], ["before.npy", "after.npy"]),
    ("kernel", "REFERENCE"): (["-k", "@weights.npy"], ["weights.npy"]),
    ("reference", "REFERENCE"): (["@weights.npy"], ["weights.npy"]),
    ("window", "REFERENCE"): (["--window", "@weights.npy"], ["weights.npy"]),
    ("mask", "FILE"): (["--mask", "mask.png"], ["mask.png"]),
    ("kernels_file", "FILE"): (["--kernels-file", "kernels.toml"], ["kernels.toml"]),
    ("files0_from", "FILE"): (["--files0-from", "list"], ["list"]),
    ("step", "STEP"): (["-s", "conv @weights.npy bias=bias.npy"], ["weights.npy", "bias.npy"]),
    ("recipe", "FILE[:NAME]"): (["--recipe", "recipe.toml"], ["recipe.toml", "bank.npz"]),
    ("folder", "OUT_DIR"): (["results"], ["results/photo.edge.png"]),
    ("before", "DIR"): (["--before", "photos"], ["photos/photo.png"]),
}
# parameters with a text that is not the name of a file
TEXTS = {
    *(
        "at",
        "compression",
        "crop",
        "dask",
        "description",
        "dilation",
        "format",
        "high",
        "keep",
        "low",
        "max_pixels",
        "memory",
        "mode",
        "name",
        "nodata",
    ),
    *("padding", "padding_mode", "region", "shape", "shard", "size", "source", "stride", "tag", "tile", "words"),
}
# words that a command needs besides the one under test, unless one of the parameters is it
NEEDS = {
    "edge": {"inputs files0_from": "photo.png"},
    "filter": {"inputs files0_from": "photo.png", "kernel": "-k laplacian4"},
    "pool": {"inputs files0_from": "photo.png"},
    "run": {"inputs files0_from": "photo.png", "step recipe": "-s relu"},
    "canny": {"inputs files0_from": "photo.png"},
    "explain": {"source": "photo.png"},
    "learn": {"images": "before.npy after.npy"},
    "figure": {"source": "photo.png"},
    "report": {"folder": "results"},
    "kernels gallery": {"source": "photo.png"},
}


def commands(group=None, words=()):
    """Every command: its words, and its parameters."""
    for name, command in (group or typer.main.get_command(command_line())).commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*words, name))
        else:
            yield " ".join((*words, name)), command.params


def pairs():
    """Every command with each of its options for an output and each of its options for an input."""
    for command, params in commands():
        keys = [(param.name, param.metavar) for param in params]
        for written in filter(WRITES.get, keys):
            for read in filter(READS.get, keys):
                for file in READS[read][1]:
                    yield command, written, read, file


def test_every_option_with_a_text_is_known_here():
    """A new option that takes a text or a path has to be added to one of the three tables, and is then tried with all others."""
    for command, params in commands():
        for param in params:
            is_text = type(param.type).__name__ in ("StringParamType", "TyperPath", "Path", "File")
            known = (param.name, param.metavar) in {*WRITES, *READS} or param.name in TEXTS
            assert known or not is_text, f"{command}: {param.name} {param.metavar}"


@pytest.fixture
def here(tmp_path):
    shutil.copy(SAMPLES / "step_wedge.png", tmp_path / "photo.png")
    shutil.copy(SAMPLES / "step_wedge.png", tmp_path / "mask.png")
    np.save(tmp_path / "weights.npy", KERNEL)
    np.save(tmp_path / "bias.npy", np.zeros(1))
    np.savez(tmp_path / "bank.npz", a=KERNEL, b=KERNEL.T)
    (tmp_path / "recipe.toml").write_text("[recipes.a]\nsteps = [{ op = 'conv', weights = 'bank.npz:a' }]")
    (tmp_path / "kernels.toml").write_text("[kernels.mine]\nrows = [[1, 2, 1]]")
    (tmp_path / "list").write_bytes(b"photo.png\0")
    for name in ("before.npy", "after.npy"):
        np.save(tmp_path / name, np.random.default_rng(0).random((20, 30)))
    for folder, name in (("results", "photo.edge.png"), ("photos", "photo.png")):
        (tmp_path / folder).mkdir()
        assert imgconv("edge", "photo.png", "-o", "made.png", "-q", cwd=tmp_path).code == 0
        (tmp_path / "made.png").rename(tmp_path / folder / name)
    return tmp_path


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def check_refused(here, words, **options):
    before = contents(here)
    line = refused(2, *words, cwd=here, **options)
    assert " is the input " in line, line
    assert contents(here) == before


@pytest.mark.sweep(2)
@pytest.mark.parametrize(("pair", "link"), each_once([*pairs()], ["symbolic", "hard"]))
def test_no_output_is_an_input(here, pair, link):
    command, written, read, file = pair
    option, ending = WRITES[written]
    output = here / f"link{ending}"
    if link == "symbolic":
        output.symlink_to(file)
    else:
        output.hardlink_to(here / file)
    needed = " ".join(words for parameters, words in NEEDS[command].items() if read[0] not in parameters.split())
    words = [*command.split(), *READS[read][0], *needed.split(), option, output.name]
    if written[0] == "report":
        words += ["-o", "result.png"]
    check_refused(here, words)


@pytest.mark.parametrize("output", ["photo.png", "./sub/../photo.png", "door/photo.png", "{here}/photo.png"])
@pytest.mark.parametrize("command", ["edge", "figure", "canny"])
def test_other_spellings_of_an_input(here, command, output):
    (here / "sub").mkdir()
    (here / "door").symlink_to(".")
    check_refused(here, [command, "photo.png", "-o", output.format(here=here)])


@pytest.mark.parametrize("words", ["edge photo.png", "figure photo.png -k mine", "explain photo.png -k mine", "kernels gallery photo.png"])
@pytest.mark.parametrize("kind", ["variable", "user"])
def test_the_kernels_files_of_the_user(here, words, kind):
    if kind == "variable":
        variables = {"IMGCONV_KERNELS": "kernels.toml"}
    else:
        (here / "config" / "imgconv").mkdir(parents=True)
        (here / "config" / "imgconv" / "kernels.toml").symlink_to(here / "kernels.toml")
        variables = {"XDG_CONFIG_HOME": str(here / "config")}
    option, ending = ("--animate", ".gif") if words.startswith("explain") else ("-o", ".png")
    (here / f"link{ending}").symlink_to("kernels.toml")
    check_refused(here, [*words.split(), option, f"link{ending}"], variables=variables)


def test_the_kernels_file_that_learn_adds_to(here):
    (here / "config" / "imgconv").mkdir(parents=True)
    file = here / "config" / "imgconv" / "kernels.toml"
    (here / "kernels.toml").rename(file)
    (here / "link.npy").symlink_to(file)
    variables = {"XDG_CONFIG_HOME": str(here / "config")}
    check_refused(here, ["learn", "before.npy", "after.npy", "--name", "new", "-o", "link.npy"], variables=variables)


def test_an_array_of_a_batch(here):
    check_refused(here, ["run", "before.npy", "--batch", "-s", "relu", "-o", "before.npy"])
    check_refused(here, ["run", "photo.png", "--batch", "-s", "conv @weights.npy", "-o", "weights.npy"])


def test_a_copy_in_another_process_protects_the_same_files(here):
    (here / "link.png").symlink_to("weights.npy")
    sent = pickle.loads(pickle.dumps(Inputs([here / "weights.npy"])))
    with pytest.raises(UsageError, match="is the input"):
        sent.refuse(here / "link.png")


def test_the_file_that_standard_input_or_output_is(here):
    before = contents(here)
    with (here / "photo.png").open("rb") as photo:
        done = imgconv_with(photo, None, "edge", "-", "-o", "photo.png", cwd=here)
        assert (done.returncode, b"is the input standard input" in done.stderr) == (2, True), done.stderr
    with (here / "photo.png").open("ab") as photo:
        done = imgconv_with(None, photo, "edge", "photo.png", "-o", "-", cwd=here)
        assert (done.returncode, b"standard output is the input photo.png" in done.stderr) == (2, True), done.stderr
    assert contents(here) == before


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("photo.png", "edge photo.png -o out.png --json"),
        ("weights.npy", "filter photo.png -k @weights.npy -o out.png --json"),
        ("photo.png", "plan photo.png"),
        ("photo.png", "explain photo.png --at 3,4"),
        ("before.npy", "learn before.npy after.npy --size 3"),
        ("weights.npy", "kernels show @weights.npy"),
        ("kernels.toml", "kernels list --json --kernels-file kernels.toml"),
    ],
)
def test_no_text_is_written_to_an_input(here, file, words):
    before = contents(here)
    with (here / file).open("ab") as stream:
        done = imgconv_with(None, stream, *words.split(), cwd=here)
    assert (done.returncode, done.stderr.count(b"\n"), b"standard output is the input" in done.stderr) == (2, 1, True), done.stderr
    assert contents(here) == before


def imgconv_with(stdin, stdout, *words, cwd):
    return subprocess.run([*IMGCONV, *words], stdin=stdin, stdout=stdout, stderr=subprocess.PIPE, cwd=cwd, env=environment(), check=False)


@pytest.mark.parametrize(
    "words", ["edge {}", "figure {}", "filter photo.png -k laplacian4 --files0-from {}", "figure photo.png --recipe {}"]
)
def test_inputs_that_look_like_temporary_files_stay(here, words):
    name = ".0123456789abcdef.imgconv-part"
    source = "recipe.toml" if "recipe" in words else "list" if "files0" in words else "photo.png"
    (here / name).write_bytes((here / source).read_bytes())
    (here / ".fedcba9876543210.imgconv-part").write_bytes(b"left by a killed process")
    (here / ".notes.imgconv-part").write_bytes(b"of somebody else")
    output = "out" if "files0" in words else "out.png"
    done = imgconv(*words.format(name).split(), "-o", output, cwd=here)
    assert done.code == 0, done.err
    assert (here / name).read_bytes() == (here / source).read_bytes()
    assert ".notes.imgconv-part" in names(here)
    assert output == "out" or ".fedcba9876543210.imgconv-part" not in names(here)


def test_a_page_replaces_no_result(here):
    (here / "page.html").symlink_to("photo.edge.png")  # which does not exist yet
    before = names(here)
    line = refused(2, "edge", "photo.png", "--report", "page.html", cwd=here)
    assert "page.html is also the result of photo.png" in line
    assert names(here) == before


def test_a_further_image_of_a_stream_replaces_no_result(here):
    shutil.copy(here / "photo.png", here / "stdin-2.png")
    stream = (here / "photo.png").read_bytes() * 2
    done = imgconv("edge", "-", "stdin-2.png", "-o", "out", stdin=stream, cwd=here)
    assert done.code == 1 and "image 2: stdin-2.png has the output out/stdin-2.edge.png too" in done.err, done.err
    assert names(here / "out") == ["stdin-2.edge.png", "stdin.edge.png"]
    done = imgconv("edge", "-", "photo.png", "-o", "more", stdin=stream, cwd=here)
    assert (done.code, names(here / "more")) == (0, ["photo.edge.png", "stdin-2.edge.png", "stdin.edge.png"]), done.err


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
def test_an_existing_pipe_is_not_an_existing_output(here):
    os.mkfifo(here / "pipe.png")
    for option in ("--skip-existing", "--no-clobber"):
        assert imgconv("edge", "photo.png", "-o", "pipe.png", option, "--dry-run", cwd=here, timeout=20).code == 0
