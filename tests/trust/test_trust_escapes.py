"""Control characters in the names of files and in texts of kernels files reach neither a terminal nor a pipe, in any command."""

import json
import re
import shutil

import numpy as np
import pytest
from command import SAMPLES, imgconv
from processes import environment
from terminal import on_terminal

EVIL = "\x1b]0;owned\x07\x1b[2J\r\x7f\x9b1m\u202e\u2028"  # sets a title, erases the screen, reverses the direction of text
RAW = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u202e]")
TEXT = "".join(rf"\u{ord(c):04x}" for c in EVIL)
COMMANDS = [
    "edge {}.png -o out{}/ -v",
    "edge {}.png -o out.png",
    "edge missing{}.png",
    "edge damaged{}.png",
    "edge folder{} -o out",
    "edge {}.png -o {}.png",
    "edge {}.png -o {}.nonsense",
    "edge {}.png --format nonsense{}",
    "edge {}.png {}.png/ -o out{}.png",
    "edge -k @w{}.npy {}.png --json -o out{}.png",
    "edge -k @missing{}.npy {}.png",
    "edge -k unknown{} {}.png",
    "edge --files0-from list{} -o out",
    "edge --files0-from missing{}",
    "edge {}.png -o out.png --report page{}.html",
    "edge {}.png --shard {}",
    "edge {}.png --dask {}",
    "edge {}.png --padding {}",
    "edge {}.png --unknown{}",
    "edge s3://{}/{}.png",
    "canny {}.png -o out{}.png -v",
    "pool {}.png --size {}",
    "pool {}.png --mode {}",
    "filter {}.png -k m --kernels-file kernels{}.toml -o out{}.tiff -v",
    "filter {}.png -k m --kernels-file missing{}.toml",
    "run {}.png -s unknown{}",
    "run {}.png -s conv+@w{}.npy -o out{}.npy -v",
    "run {}.png --recipe recipe{}.toml -o out{}.npy -v",
    "run {}.png --recipe recipe{}.toml:{}",
    "run {}.png --batch -s conv+@w{}.npy -o out{}.npy",
    "plan {}.png -s conv+@w{}.npy",
    "plan {}.png --recipe recipe{}.toml --json",
    "plan {}.png -k @w{}.npy",
    "explain {}.png -k @w{}.npy",
    "explain {}.png -k @w{}.npy --json",
    "explain {}.png --recipe recipe{}.toml",
    "explain {}.png --at {}",
    "explain {}.png --matrix -k @w{}.npy --animate out{}.gif",
    "learn {}.png {}.png -o out{}.npy",
    "learn {}.png {}.png --json",
    "learn {}.png {}.png --name {}",
    "figure {}.png -k @missing{}.npy -o out{}.png",
    "figure {}.png -o out{}.nonsense",
    "report folder{}",
    "report missing{}",
    "kernels list --kernels-file kernels{}.toml",
    "kernels list --kernels-file kernels{}.toml --json",
    "kernels show m --kernels-file kernels{}.toml",
    "kernels show m --kernels-file kernels{}.toml --json",
    "kernels show @w{}.npy",
    "kernels add {} -k box",
    "kernels remove {}",
    "kernels gallery {}.png --tag {} -o out.png",
    "unknown{}",
]


@pytest.fixture
def here(tmp_path):
    shutil.copy(SAMPLES / "step_wedge.png", tmp_path / f"{EVIL}.png")
    (tmp_path / f"damaged{EVIL}.png").write_bytes(b"no image")
    np.save(tmp_path / f"w{EVIL}.npy", np.eye(3))
    (tmp_path / f"list{EVIL}").write_bytes(f"{EVIL}.png\0missing{EVIL}.png\0".encode())
    (tmp_path / f"kernels{EVIL}.toml").write_text(f'[kernels.m]\nrows=[[1]]\ndescription="{TEXT}"\nsource="{TEXT}"\ntags=["{TEXT}"]\n')
    steps = f'[{{ op = "conv", weights = "w{TEXT}.npy" }}]'
    (tmp_path / f"recipe{EVIL}.toml").write_text(f'[recipes.a]\ndescription="{TEXT}"\nsteps = {steps}\n')
    (tmp_path / f"folder{EVIL}").mkdir()
    (tmp_path / f"folder{EVIL}" / f"{EVIL}.png").write_bytes(b"no image")
    return tmp_path


def filled(words):
    return [word.replace("{}", EVIL).replace("+", " ") for word in words.split()]


@pytest.mark.parametrize("words", COMMANDS)
def test_no_command_writes_a_control_character(here, words):
    done = imgconv(*filled(words), cwd=here)
    out = done.out.decode()
    assert not RAW.search(done.err) and not RAW.search(out), (done.err, out)
    assert done.err or out
    for line in out.splitlines() if "--json" in words else ():
        json.loads(line)


@pytest.mark.parametrize("variable", ["IMGCONV_KERNELS", "IMGCONV_CACHE"])
@pytest.mark.parametrize("command", ["edge", "explain"])
def test_names_in_the_environment(here, variable, command):
    env = environment(**{variable: str(here / f"folder{EVIL}" / f"{EVIL}.png")})
    done = imgconv(command, f"{EVIL}.png", cwd=here, env=env)
    assert done.err or done.out
    assert not RAW.search(done.err + done.out.decode())


def test_the_path_of_the_kernels_file_is_exact_for_programs_and_escaped_on_terminals(here, monkeypatch):
    folder = here / f"config{EVIL}"
    assert imgconv("kernels", "path", env=environment(XDG_CONFIG_HOME=str(folder))).out == f"{folder}/imgconv/kernels.toml\n".encode()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder))
    shown = on_terminal("kernels", "path")
    assert not RAW.search(shown.replace("\r\n", "\n")) and "owned" in shown
