"""`imgconv kernels` as a real process: list, show, add, path."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from command import imgconv


@pytest.fixture
def variables(tmp_path: Path) -> dict[str, str]:
    """Those of a user without kernels of their own."""
    return {"XDG_CONFIG_HOME": str(tmp_path / "config"), "NO_COLOR": "1"}


class Shell:
    """Runs `imgconv kernels` in one environment and folder."""

    def __init__(self, variables: dict[str, str], folder: Path) -> None:
        self.variables, self.folder = variables, folder

    def __call__(self, *arguments: str, code: int = 0, **more: str) -> subprocess.CompletedProcess[str]:
        done = imgconv("kernels", *arguments, cwd=self.folder, variables={**self.variables, **more})
        assert done.code == code, done.err
        return subprocess.CompletedProcess(arguments, done.code, done.out.decode(), done.err)

    def lines(self, *arguments: str) -> list[dict[str, object]]:
        return [json.loads(line) for line in self(*arguments, "--json").stdout.splitlines()]


@pytest.fixture
def shell(variables: dict[str, str], tmp_path: Path) -> Shell:
    return Shell(variables, tmp_path)


def test_list_shows_every_kernel_and_bank(shell: Shell) -> None:
    result = shell("list")
    names = [line.split()[0] for line in result.stdout.splitlines()]
    assert {"laplacian8", "sobel", "gaussian", "freichen_edge"} <= set(names) and result.stderr == ""
    assert names == [entry["name"] for entry in shell.lines("list")]


def test_list_filters_by_words_and_tags(shell: Shell) -> None:
    assert [entry["name"] for entry in shell.lines("list", "SOBEL", "bank")] == []
    assert [entry["name"] for entry in shell.lines("list", "kirsch", "strongest")] == ["kirsch"]
    tagged = shell.lines("list", "--tag", "blur", "--tag", "scale")
    assert [entry["name"] for entry in tagged] == ["gaussian"] and tagged[0]["parameters"] == ["sigma", "size"]
    nothing = shell("list", "nosuchword")
    assert nothing.stdout == "" and "imgconv kernels list shows all" in nothing.stderr


def test_list_shows_entries_without_a_description(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "more.toml").write_text("[kernels.bare]\nrows = [[1]]\n")
    (line,) = [line for line in shell("list", "--kernels-file", "more.toml").stdout.splitlines() if line.startswith("bare")]
    assert line.split() == ["bare", "kernel", "no", "description", "(--kernels-file)"]


def test_list_shows_which_entries_shadow_others(shell: Shell, tmp_path: Path) -> None:
    more = tmp_path / "more.toml"
    more.write_text("[kernels.sobel]\nrows = [[1]]\n[kernels.mine]\nrows = [[1]]\n", "utf-8")
    shell("add", "sobel", "-k", "1 2")
    entries = {str(entry["name"]): entry for entry in shell.lines("list", "--kernels-file", str(more))}
    assert (entries["sobel"]["origin"], entries["sobel"]["shadows"]) == ("--kernels-file", "user")
    assert (entries["mine"]["shadows"], entries["mine"]["file"]) == ("", str(more))
    text = shell("list", "sobel", IMGCONV_KERNELS=str(more)).stdout
    assert "(IMGCONV_KERNELS, replaces the user one)" in text


def test_show_has_the_numbers_and_their_properties(shell: Shell) -> None:
    lines = [line.split() for line in shell("show", "laplacian8").stdout.splitlines()]
    assert lines[:4] == [["laplacian8"], ["-1", "-1", "-1"], ["-1", "8", "-1"], ["-1", "-1", "-1"]]
    facts = {line[0]: line[1:] for line in lines[4:] if line}
    assert (facts["sum"], facts["gain"], facts["divisor"], facts["range"]) == (["0"], ["8"], ["1"], ["abs"])
    assert facts["separable"] == ["no,", "rank", "2"] and "Gonzalez," in facts["source"]


def test_show_colours_by_sign_on_a_terminal(shell: Shell) -> None:
    shell.variables.pop("NO_COLOR")
    text = shell("show", "0 1 -2", FORCE_COLOR="1", TERM="xterm").stdout
    assert "\x1b[32m1" in text and "\x1b[31m-2" in text and "\x1b[2m0" in text


def test_show_takes_every_kind_of_reference(shell: Shell, tmp_path: Path) -> None:
    np.save(tmp_path / "w.npy", np.array([[2.0, 2.0]]))
    np.save(tmp_path / "conv.npy", np.ones((2, 3, 1, 2)))
    assert "-1  0  1" in shell("show", "-1 0 1; -2 0 2").stdout
    assert shell.lines("show", "gaussian:sigma=2")[0]["separable"] is True
    assert shell.lines("show", "@w.npy")[0] | {"tags": []} == {
        **{"name": "w", "kind": "kernel", "range": "clip", "description": "", "source": "", "tags": [], "taps": [[2, 2]], "divisor": 1},
        **{"offset": 0, "bias": 0, "anchor": None, "sum": 4, "gain": 4, "separable": True, "rank": 1},
    }
    assert "1x2 over 3 channels" in shell("show", "@conv.npy").stdout
    bank = shell.lines("show", "freichen_edge")[0]
    assert (bank["combine"], bank["subspace"], bank["kind"]) == ("projection", 4, "bank") and len(bank["kernels"]) == 9
    assert "the first 4 against all" in shell("show", "freichen_edge").stdout
    assert "offset" in shell("show", "relief").stdout and "row 0, column 0" in shell("show", "roberts_x").stdout


def test_show_cuts_nothing_and_draws_no_wall_of_numbers(shell: Shell) -> None:
    wide = shell("show", "gaussian:sigma=4", COLUMNS="60").stdout.splitlines()
    assert len(wide[1].split()) == 33 and "\N{HORIZONTAL ELLIPSIS}" not in "".join(wide)
    assert "--json lists them" in shell("show", "box:size=65").stdout


def test_show_survives_a_terminal_without_the_letters(shell: Shell) -> None:
    done = imgconv("kernels", "show", "binomial", env={**os.environ, **shell.variables, "PYTHONIOENCODING": "ascii"})
    assert b"J?hne" in done.out


def test_add_writes_the_users_file_and_keeps_its_comments(shell: Shell) -> None:
    path = Path(shell("path").stdout.strip())
    assert path == Path(shell.variables["XDG_CONFIG_HOME"]) / "imgconv" / "kernels.toml" and not path.exists()
    added = shell("add", "mine", "-k", "0 1 0; 1 1 1; 0 1 0 / 5", "--description", "a plus", "--tag", "own", "--range", "minmax")
    assert added.stdout == "" and added.stderr == f"added mine to {path}\n"
    path.write_text("# mine\n" + path.read_text("utf-8"), "utf-8")
    assert "; it replaces the built-in kernel" in shell("add", "box", "-k", "-1 1").stderr
    assert path.read_text("utf-8").startswith("# mine\n")
    mine = shell.lines("show", "mine")[0]
    assert (mine["divisor"], mine["range"], mine["tags"], mine["description"]) == (5, "minmax", ["own"], "a plus")


def test_add_replaces_only_by_force(shell: Shell) -> None:
    shell("add", "mine", "-k", "1 2")
    assert "already has a kernel 'mine'" in shell("add", "mine", "-k", "3", code=2).stderr
    shell("add", "mine", "-k", "3", "--force")
    assert shell.lines("show", "mine")[0]["taps"] == [[3]]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("show", "sobelx"), "kernel 'sobelx' is unknown; nearest: sobel_x"),
        (("show", "1 2; 3"), "ragged"),
        (("show", "1 nan"), "'nan' is not a finite number"),
        (("show", "@none.npy"), "none.npy: cannot read these weights"),
        (("show",), "REFERENCE"),
        (("add", "a b", "-k", "1"), "kernel name 'a b' is not allowed"),
        (("add", "ab"), "--kernel"),
        (("add", "ab", "-k", "1", "--range", "loud"), "--range"),
        (("list", "--kernels-file", "none.toml"), "none.toml: cannot read this kernels file"),
        (("nosuch",), "nosuch"),
    ],
)
def test_wrong_arguments_give_one_line_and_exit_2(shell: Shell, arguments: tuple[str, ...], text: str) -> None:
    result = shell(*arguments, code=2)
    assert text in result.stderr and result.stderr.count("\n") == 1 and result.stdout == ""


def test_a_broken_file_of_the_user_is_named_with_entry_and_remedy(shell: Shell) -> None:
    path = Path(shell("path").stdout.strip())
    path.parent.mkdir(parents=True)
    path.write_text("[kernels.bad]\nrows = [[1, 2], [3]]\n", "utf-8")
    for arguments in (("list",), ("show", "sobel"), ("add", "ab", "-k", "1")):
        assert f"{path}: kernels.bad: rows are ragged" in shell(*arguments, code=2).stderr
    assert shell("path").stdout == f"{path}\n"


@pytest.mark.parametrize("command", ["list", "show", "add", "path"])
def test_help_has_two_examples_and_stays_light(variables: dict[str, str], command: str) -> None:
    code = "import sys, atexit; atexit.register(lambda: print([m for m in ('numpy', 'numba', 'PIL', 'tomlkit') if m in sys.modules]))"
    start = [sys.executable, "-c", f"{code}; from imgconv.cli.app import main; main()", "kernels", command, "--help"]
    text = subprocess.run(start, capture_output=True, text=True, check=True, env={**os.environ, **variables, "COLUMNS": "200"}).stdout
    assert text.count(f"imgconv kernels {command}") >= 2 and text.rstrip().endswith("[]")


def test_remove_deletes_an_entry_of_the_users_file_alone(shell: Shell) -> None:
    shell("add", "mine", "-k", "1 2")
    path = shell("path").stdout.strip()
    assert shell("remove", "mine").stderr == f"removed mine from {path}\n"
    assert "mine" not in [entry["name"] for entry in shell.lines("list")]
    assert "built-in entries cannot be removed" in shell("remove", "sobel", code=2).stderr
