"""The files of a release, built and tried: `python -m pytest tests/release.py`, with the extra `release`. `.ci/run full` runs it.

A Python that uv can neither find nor download is reported as skipped.
"""

import os
import subprocess
import sys
import tarfile
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest
from guides import ROOT

PYTHONS = ("3.11", "3.12", "3.13", "3.14", "3.14t")
BIN = Path(sys.executable).parent


def run(*words, **options):
    """Run a program of this environment; what it prints, and an error if it fails."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run([BIN / words[0], *words[1:]], env=environment, capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The source archive, and the wheel that is built from it."""
    folder = tmp_path_factory.mktemp("dist")
    run("uv", "build", "--quiet", "--out-dir", folder, ROOT)
    (archive,), (wheel,) = folder.glob("*.tar.gz"), folder.glob("*.whl")
    return archive, wheel


def test_twine_accepts_both(files):
    assert run("twine", "check", "--strict", *files).count("PASSED") == 2


def test_the_wheel_holds_the_package_and_its_facts(files):
    _, wheel = files
    with zipfile.ZipFile(wheel) as contents:
        names = set(contents.namelist())
        (metadata,) = (message_from_bytes(contents.read(name)) for name in names if name.endswith(".dist-info/METADATA"))
    sources = {path.relative_to(ROOT).as_posix() for path in (ROOT / "imgconv").rglob("*.py")}
    assert sources | {"imgconv/py.typed", "imgconv/kernels.toml"} <= names
    assert len(metadata.get_all("Project-URL")) >= 4 and metadata["Author"] and metadata["License-Expression"] == "MIT"


def test_the_source_archive_holds_what_the_tests_need(files):
    archive, _ = files
    with tarfile.open(archive) as contents:
        names = {name.partition("/")[2] for name in contents.getnames()}
    assert {"README.md", "kernels.toml", "mkdocs.yml", "tests/smoke.py", "docs/imgconv.1", "sample_images/coffee.jpg"} <= names


@pytest.mark.parametrize("version", PYTHONS)
def test_the_wheel_works_in_a_fresh_environment(files, tmp_path, version):
    _, wheel = files
    venv_run = subprocess.run([BIN / "uv", "venv", "--python", version, tmp_path / "env"], capture_output=True, text=True, check=False)
    if venv_run.returncode != 0:
        pytest.skip(f"CPython {version} cannot be had: {venv_run.stderr.splitlines()[-1]}")
    python = tmp_path / "env" / BIN.name / "python"
    run("uv", "pip", "install", "--python", python, wheel)
    assert " works on Python " in run(python, ROOT / "tests" / "smoke.py", cwd=tmp_path)


@pytest.mark.parametrize("words", [("uvx", "--from"), ("pipx", "run", "--spec")], ids=lambda words: words[0])
def test_the_wheel_runs_without_an_installation(files, tmp_path, words):
    _, wheel = files
    run(*words, wheel, "imgconv", "edge", ROOT / "sample_images" / "coffee.jpg", "-o", tmp_path / "edge.png", cwd=tmp_path)
    assert (tmp_path / "edge.png").read_bytes().startswith(b"\x89PNG")
