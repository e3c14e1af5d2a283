"""kernels.toml is found beside the package in a checkout, and travels inside the wheel."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from imgconv.registry import builtin_file

ROOT = Path(__file__).parents[2]


def test_a_checkout_uses_the_file_at_the_top() -> None:
    assert builtin_file().samefile(ROOT / "kernels.toml")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from a copy of the checkout's package files."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "kernels.toml", "README.md", "LICENSE", "docs", "imgconv"):
        (source / name).symlink_to(ROOT / name)
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(target)]
    built = subprocess.run(command, cwd=source, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    return next(target.glob("*.whl"))


def test_the_wheel_holds_the_same_file(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        assert archive.read("imgconv/kernels.toml") == (ROOT / "kernels.toml").read_bytes()


def test_the_wheel_holds_the_templates_of_reports(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert {f"imgconv/plotting/report.{kind}" for kind in ("py", "html", "css", "js")} <= names


def test_the_wheel_holds_the_page_of_explain(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {Path(name).name for name in archive.namelist() if name.startswith("imgconv/inspection/page/")}
    assert {path.name for path in (ROOT / "imgconv/inspection/page").iterdir() if path.is_file()} <= names


def test_the_wheel_puts_the_manual_page_where_man_looks(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (page,) = [name for name in archive.namelist() if name.endswith(".data/data/share/man/man1/imgconv.1")]
        assert archive.read(page) == (ROOT / "docs" / "imgconv.1").read_bytes()


def test_an_installed_wheel_finds_its_own_file(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    code = "from imgconv.registry import Registry, builtin_file; print(builtin_file()); print(len(Registry.load().names()))"
    isolated = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {code}"]
    result = subprocess.run(isolated, capture_output=True, text=True, check=True, cwd=tmp_path).stdout.splitlines()
    assert result[0] == str(tmp_path / "imgconv" / "kernels.toml") and int(result[1]) > 80
