"""Where kernels files are: the built-in one, the user's own, and the one an environment variable names; and how TOML is read."""

import os
import re
import tomllib
from pathlib import Path
from typing import Any

from imgconv.errors import UsageError, reason

VARIABLE = "IMGCONV_KERNELS"
_LONG_KEY = re.compile(r"""(?:(?:[\w-]+|"[^"\n]*"|'[^'\n]*')[ \t]*\.[ \t]*){64}""")  # tomllib's memory grows with the square of the parts

_read: dict[Path, None] = {}


def builtin_file() -> Path:
    """Return the kernels.toml that comes with imgconv: in the package of a wheel, next to the package in a checkout.

    Raises UsageError if neither exists.
    """
    package = Path(__file__).resolve().parent.parent
    for folder in (package, package.parent):
        if (folder / "kernels.toml").is_file():
            return folder / "kernels.toml"
    raise UsageError(f"{package / 'kernels.toml'} is missing; install imgconv again")


def user_file() -> Path:
    """Return the path of the user's own kernels file, which may not exist (on Linux ~/.config/imgconv/kernels.toml)."""
    from platformdirs import user_config_path

    return user_config_path("imgconv", appauthor=False) / "kernels.toml"


def later_files(kernels_file: str | Path | None = None) -> list[tuple[Path, str]]:
    """Return (file, origin) of every file that adds to the built-in kernels; later ones shadow earlier ones.

    The user's file is left out if it does not exist. The others are named explicitly, so they must exist.
    """
    files = [(user_file(), "user")] if exists(user_file()) else []
    if os.environ.get(VARIABLE):
        files.append((expanded(os.environ[VARIABLE]), VARIABLE))
    if kernels_file is not None:
        files.append((expanded(kernels_file), "--kernels-file"))
    return files


def read_text(file: Path, kind: str) -> str:
    """Read a text file. Raises UsageError, which calls the file a `kind`, if it cannot be read or is not UTF-8."""
    note_read(file)
    try:
        return file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{file}: byte {error.start} is not UTF-8; save the {kind} as UTF-8 text") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{file}: cannot read this {kind} ({reason(error)}); correct the path or its permissions") from None


def parse_toml(text: str, file: Path) -> dict[str, Any]:
    """Parse TOML. Raises UsageError, which names `file`, if it is not valid, nested too deeply, or has a key of 64 parts or more."""
    try:
        if _LONG_KEY.search(text):
            raise ValueError("a dotted key has 64 parts or more")
        return tomllib.loads(text)
    except ValueError as error:
        raise UsageError(f"{file}: not valid TOML: {reason(error)}; correct it") from None
    except RecursionError:
        raise UsageError(f"{file}: not valid TOML: nested too deeply; correct it") from None


def expanded(file: str | Path) -> Path:
    """Replace ~ by the home folder; an unknown home folder leaves the path unchanged, and opening it fails later."""
    try:
        return Path(file).expanduser()
    except (RuntimeError, ValueError):
        return Path(file)


def exists(file: Path) -> bool:
    """Whether a file exists; False in a folder that this user may not read (a service account without a home)."""
    try:
        return file.exists()
    except OSError:
        return False


def note_read(file: Path) -> None:
    """Record that a file is read."""
    _read[file] = None


def files_read() -> tuple[Path, ...]:
    """Return every kernels file, recipe and file of weights that this process has read, and the one that IMGCONV_KERNELS names.

    They are inputs, which no output may replace.
    """
    named = [expanded(os.environ[VARIABLE])] if os.environ.get(VARIABLE) else []
    return (*_read, *named)
