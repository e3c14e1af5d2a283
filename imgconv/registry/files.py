"""Where kernels files are: the built-in one, the user's own, and the one an environment variable names."""

import os
from pathlib import Path

from imgconv.errors import UsageError

VARIABLE = "IMGCONV_KERNELS"

_weights_read: set[Path] = set()


def builtin_file() -> Path:
    """The kernels.toml that came with imgconv: in the package when installed from a wheel, beside it in a checkout.

    Raises UsageError when neither is there.
    """
    package = Path(__file__).resolve().parent.parent
    for folder in (package, package.parent):
        if (folder / "kernels.toml").is_file():
            return folder / "kernels.toml"
    raise UsageError(f"{package / 'kernels.toml'} is missing; install imgconv again")


def user_file() -> Path:
    """The user's own kernels file, whether or not it exists yet (on Linux ~/.config/imgconv/kernels.toml)."""
    from platformdirs import user_config_path

    return user_config_path("imgconv", appauthor=False) / "kernels.toml"


def later_files(kernels_file: str | Path | None = None) -> list[tuple[Path, str]]:
    """(file, origin) of everything that adds to the built-in kernels, later ones shadowing earlier ones.

    The user's file counts only when it exists; the others were named, so they must.
    """
    files = [(user_file(), "user")] if exists(user_file()) else []
    if os.environ.get(VARIABLE):
        files.append((expanded(os.environ[VARIABLE]), VARIABLE))
    if kernels_file is not None:
        files.append((expanded(kernels_file), "--kernels-file"))
    return files


def expanded(file: str | Path) -> Path:
    """A path with ~ replaced by the home folder; one of a user that nobody knows, or can have, stays as it is, and is then not found."""
    try:
        return Path(file).expanduser()
    except (RuntimeError, ValueError):
        return Path(file)


def exists(file: Path) -> bool:
    """A file in a folder that this user may not even look into (a service account without a home) is not there for it."""
    try:
        return file.exists()
    except OSError:
        return False


def note_weights(file: Path) -> None:
    """Remember a file whose weights are used."""
    _weights_read.add(file)


def weights_read() -> frozenset[Path]:
    """Every file whose weights this process has used: inputs, which no output may replace."""
    return frozenset(_weights_read)
