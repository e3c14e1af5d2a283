"""The floors of dependencies exclude versions with known memory errors that a file can reach, and the libraries in use are as new."""

import importlib
import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
FLOORS = {  # the first version without the error
    "pillow": "13.0",  # 12.3: an ICC profile of 65,498 bytes in a JPEG overflows the heap
    "pillow-heif": "1.7",  # before: libheif before 1.23.3 and libde265 before 1.1.2
    "imagecodecs": "2026.3.6",  # before 2025.11.11: OpenJPEG 2.5.3 writes beyond the header of a damaged file (CVE-2025-54874)
    "jinja2": "3.1.6",  # before: a template leaves the sandbox
    "jupyterlab": "4.4.8",  # before: a notebook of somebody else reads the user's data (CVE-2024-43805), or steers its tab (CVE-2025-59842)
    "zarr": "3.1.4",  # 3.1.3: every run prints a warning; before: a process that is killed leaves half of a chunk under its name
    "aiohttp": "3.13.3",  # before: a compressed answer takes any amount of memory
}
BUNDLED = {"libtiff": "4.7.1", "jpg_2000": "2.5.4", "avif": "1.3.0", "webp": "1.3.2"}  # of Pillow: the first without known errors
REQUIREMENTS = [
    *PROJECT["dependencies"],
    *(line for name in ("figure", "heif", "notebook", "remote", "safetensors", "zarr") for line in EXTRAS[name] if "[" not in line),
]


def version(text):
    """The numbers of a version."""
    return tuple(int(number) for number in re.findall(r"\d+", text))


def floor(requirement):
    """The name and the floor of a requirement."""
    name, least = re.match(r"([\w-]+)>=([\d.]+)", requirement).groups()
    return name, version(least)


@pytest.mark.parametrize("requirement", REQUIREMENTS)
def test_every_dependency_has_a_floor_without_known_memory_errors(requirement):
    name, least = floor(requirement)
    assert least >= version(FLOORS.get(name, "0"))


@pytest.mark.parametrize("name", FLOORS)
def test_every_floor_with_a_reason_is_a_dependency(name):
    assert name in dict(map(floor, REQUIREMENTS))


@pytest.mark.parametrize("requirement", PROJECT["dependencies"])
def test_installed_versions_are_allowed(requirement):
    name, least = floor(requirement)
    assert version(metadata.version(name)) >= least


@pytest.mark.parametrize("library", BUNDLED)
def test_libraries_within_pillow_are_new_enough(library):
    features = importlib.import_module("PIL.features")
    assert version(features.version(library)) >= version(BUNDLED[library])


def test_libraries_within_imagecodecs_are_new_enough():
    bundled = dict(each.rsplit("-", 1) for each in importlib.import_module("imagecodecs").version().split(", ") if "-" in each)
    assert version(bundled["openjpeg"]) >= (2, 5, 4) and version(bundled["libavif"]) >= (1, 3, 0)
