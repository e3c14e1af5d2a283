"""Where kernels files are: the built-in one, the user's own, and the one an environment variable names; and how TOML is read."""

import os
import re
import tomllib
from pathlib import Path
from typing import Any

from imgconv.errors import UsageError, reason
from imgconv.platforms import user_folder

VARIABLE = "IMGCONV_KERNELS"
MAX_TEXT = 4 << 20  # bytes of a kernels file or recipe: ten kernels of 101x101 taps take one
MAX_KEYS = 20_000  # tables, and keys with dots: each one takes a kilobyte for each of its parts
MAX_PARTS = 8  # of a key; entries need three, and tomllib's memory grows with their square
_MAX_WORDS = 64  # in a string, joined by dots; tomllib reads a key that is not finished, too
_PART = r"""(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+"""
_DOTTED = re.compile(rf"(?<![\w-]){_PART}(?:\.[ \t]*+{_PART})++")  # possessive: each character is read once
_TABLE = re.compile(r"^[ \t]*+\[{1,2}[^\[\],\n]*+\]", re.MULTILINE)

_read: dict[Path, None] = {}


def builtin_file() -> Path:
    """Return the kernels.toml that comes with imgconv: in the package of a wheel, next to the package in a checkout.

    Raises UsageError if neither exists.
    """
    package = Path(__file__).resolve().parent.parent
    for folder in (package, package.parent):
        if os.path.isfile(folder / "kernels.toml"):
            return folder / "kernels.toml"
    raise UsageError(f"{package / 'kernels.toml'} is missing; install imgconv again")


def user_file() -> Path:
    """Return the path of the user's own kernels file, which may not exist (on Linux ~/.config/imgconv/kernels.toml).

    Raises UsageError for a user without a home folder.
    """
    folder = user_folder("config")
    if folder is None:
        raise UsageError(f"this user has no home folder for a kernels file; set HOME, or name a file in {VARIABLE}")
    return folder / "kernels.toml"


def later_files(kernels_file: str | Path | None = None) -> list[tuple[Path, str]]:
    """Return (file, origin) of every file that adds to the built-in kernels; later ones shadow earlier ones.

    The user's file is left out if it does not exist. The others are named explicitly, so they must exist.
    """
    folder = user_folder("config")
    files = [(folder / "kernels.toml", "user")] if folder and os.path.exists(folder / "kernels.toml") else []
    if os.environ.get(VARIABLE):
        files.append((expanded(os.environ[VARIABLE]), VARIABLE))
    if kernels_file is not None:
        files.append((expanded(kernels_file), "--kernels-file"))
    return files


def read_text(file: Path, kind: str) -> str:
    """Read a text file. Raises UsageError, which calls the file a `kind`, if it cannot be read, is too long, or is not UTF-8."""
    note_read(file)
    try:
        with file.open("rb") as stream:
            data = stream.read(MAX_TEXT + 1)
        if len(data) > MAX_TEXT:
            raise UsageError(f"{file} has more than {MAX_TEXT} bytes; divide this {kind}, or put large kernels into .npy files")
        return data.decode("utf-8-sig")
    except UsageError:
        raise
    except UnicodeDecodeError as error:
        raise UsageError(f"{file}: byte {error.start} is not UTF-8; save the {kind} as UTF-8 text") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{file}: cannot read this {kind} ({reason(error)}); correct the path or its permissions") from None


def parse_toml(text: str, file: Path) -> dict[str, Any]:
    """Parse TOML. Raises UsageError, which names `file`, if it is not valid, nested too deeply, or has too many or too long keys."""
    try:
        _check_keys(text)
        return tomllib.loads(text)
    except ValueError as error:
        raise UsageError(f"{file}: not valid TOML: {reason(error)}; correct it") from None
    except RecursionError:
        raise UsageError(f"{file}: not valid TOML: nested too deeply; correct it") from None


def _check_keys(text: str) -> None:
    keys = 0
    for match in _DOTTED.finditer(text):
        is_key = text[match.end() : match.end() + 1] in ("=", "]")  # not a number, or words in a string
        keys += is_key
        most = MAX_PARTS if is_key else _MAX_WORDS
        if match[0].count(".") >= most and len(re.findall(_PART, match[0])) > most:
            raise ValueError(f"a dotted key has more than {MAX_PARTS} parts")
    for kind, count in (("dotted keys", keys), ("tables", sum(1 for _ in _TABLE.finditer(text)))):
        if count > MAX_KEYS:
            raise ValueError(f"more than {MAX_KEYS} {kind}")


def expanded(file: str | Path) -> Path:
    """Replace ~ by the home folder; an unknown home folder leaves the path unchanged, and opening it fails later."""
    try:
        return Path(file).expanduser()
    except (RuntimeError, ValueError):
        return Path(file)


def note_read(file: Path) -> None:
    """Record that a file is read."""
    _read[file] = None


def files_read() -> tuple[Path, ...]:
    """Return every kernels file, recipe and file of weights that this process has read, and the one that IMGCONV_KERNELS names.

    They are inputs, which no output may replace.
    """
    named = [expanded(os.environ[VARIABLE])] if os.environ.get(VARIABLE) else []
    return (*_read, *named)
