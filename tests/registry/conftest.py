"""No test of the registry sees the kernels files of whoever runs it."""

from pathlib import Path

import pytest

from imgconv.registry import Registry


@pytest.fixture(autouse=True)
def config_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder for the user's configuration."""
    home = tmp_path / "config"
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home))
    monkeypatch.delenv("IMGCONV_KERNELS", raising=False)
    return home


@pytest.fixture
def registry() -> Registry:
    """The built-in kernels alone."""
    return Registry.load()
