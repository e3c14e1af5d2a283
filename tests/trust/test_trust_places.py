"""Other users and places: no home folder, a working folder full of traps, a cache that others could write to."""

import hashlib
import os
import shutil
import subprocess
import sys

import pytest
from command import SAMPLES
from processes import IMGCONV, environment, names

CAMERA = SAMPLES / "step_wedge.png"
WITHOUT_HOME = """
import os, sys
for name in ("HOME", "USERPROFILE", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "USER", "LOGNAME", "IMGCONV_CACHE"):
    os.environ.pop(name, None)
try:
    import pwd
    def getpwuid(uid):
        raise KeyError(uid)
    pwd.getpwuid = getpwuid
except ImportError:
    pass
from imgconv.cli.app import program
program()
"""
MODULES = ("sitecustomize", "usercustomize", "numba", "numpy", "PIL", "typer", "llvmlite", "platformdirs", "tomlkit", "yaml", "json")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (0, "edge photo.png -o out.png"),
        (0, "kernels list"),
        (2, "kernels path"),
        (2, "kernels add mine -k box"),
        (2, "learn photo.png photo.png --name mine"),
        (0, "explain photo.png"),
    ],
)
def test_a_user_without_home_and_entry(tmp_path, code, words):
    """Nothing is read from, or written to, a folder that is named ~ in the working folder."""
    shutil.copy(CAMERA, tmp_path / "photo.png")
    config = tmp_path / "~" / ".config" / "imgconv"
    config.mkdir(parents=True)
    (config / "kernels.toml").write_text("not TOML")
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_HOME, *words.split()], cwd=tmp_path, env=environment(), capture_output=True, check=False
    )
    assert done.returncode == code, done.stderr
    assert b"Traceback" not in done.stderr
    assert code == 0 or b"this user has no home folder" in done.stderr
    assert names(tmp_path / "~") == [".config"] and names(config) == ["kernels.toml"]


def test_files_of_the_working_folder_change_nothing(tmp_path):
    """Not even Numba's settings, with a yaml module that reads them."""
    folder, modules = tmp_path / "photos", tmp_path / "modules"
    folder.mkdir()
    modules.mkdir()
    shutil.copy(CAMERA, folder / "photo.png")
    for name in MODULES:
        (folder / f"{name}.py").write_text(f"open('trap-{name}', 'w').close()")
    for name in (".numba_config.yaml", "matplotlibrc", "kernels.toml", "pyproject.toml"):
        (folder / name).write_text("not a setting")
    (modules / "yaml.py").write_text("def safe_load(file): return {'disable_jit': 1, 'opt': 0, 'boundscheck': 1}")
    env = environment(IMGCONV_CACHE=str(tmp_path / "cache"), PYTHONPATH=os.pathsep.join([str(SAMPLES.parent), str(modules)]))
    before, keys = set(names(folder)), []
    for place in (folder, tmp_path):
        out = tmp_path / "out.png"
        done = subprocess.run([*IMGCONV, "edge", CAMERA, "-o", out, "-q"], cwd=place, env=env, capture_output=True, check=False)
        assert (done.returncode, done.stderr) == (0, b"")
        loops = [name for name in names(tmp_path / "cache" / "loops") if name.endswith(".loop")]
        keys.append((loops, hashlib.sha256(out.read_bytes()).hexdigest()))
        assert loops
    assert keys[0] == keys[1]
    assert set(names(folder)) == before


@pytest.mark.skipif(os.name == "nt", reason="Windows removes no folder that a process works in")
def test_a_working_folder_that_was_removed_is_one_line(tmp_path):
    (tmp_path / "gone").mkdir()
    words = [*IMGCONV, "edge", str(CAMERA), "-o", str(tmp_path / "out.png")]
    command = ["sh", "-c", 'rmdir ../gone && exec "$@"', "sh", *words]
    done = subprocess.run(command, cwd=tmp_path / "gone", env=environment(), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and "the working folder" in done.stderr, done.stderr
