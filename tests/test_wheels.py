"""Every dependency has a wheel for every platform that docs/platforms.md names; `.ci/run full` asks the package index."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1] / "pyproject.toml"
PLATFORMS = ("x86_64-manylinux_2_28", "aarch64-manylinux_2_28", "aarch64-apple-darwin", "x86_64-apple-darwin", "x86_64-pc-windows-msvc")
USERS = ("dask", "dicom", "figure", "fits", "heif", "nifti", "notebook", "raw", "remote", "safetensors", "zarr")
WITHOUT = {("3.14", "x86_64-apple-darwin"): {"raw"}}  # extras that have no wheel there, see docs/platforms.md


@pytest.mark.exhaustive
@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13", "3.14"])
def test_every_dependency_has_a_wheel(python, platform):
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or "uv"
    command = [uv, "pip", "compile", "--quiet", "--python", sys.executable, "--python-platform", platform, "--python-version", python]
    extras = [word for name in USERS if name not in WITHOUT.get((python, platform), ()) for word in ("--extra", name)]
    done = subprocess.run([*command, "--only-binary", ":all:", *extras, str(PROJECT)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
