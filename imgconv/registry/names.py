"""Names of kernels: their spelling, parameters in references, suggestions for unknown names, and slugs for file names."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import PurePath

from imgconv.errors import UsageError, abbreviated, comma_hint
from imgconv.platforms import is_device

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
FILE = re.compile(r"(?P<path>.*?\.(?:npz|npy|safetensors))(?::(?P<member>.+))?", re.IGNORECASE | re.DOTALL)  # of weights
SLUG_BYTES = 80


def split_parameters(reference: str) -> tuple[str, dict[str, float]]:
    """Split a reference NAME or NAME:KEY=VALUE,KEY=VALUE into (name, parameters).

    Raises UsageError for a parameter that is not KEY=NUMBER or appears twice.

    >>> split_parameters("gaussian:sigma=2,size=9")
    ('gaussian', {'sigma': 2.0, 'size': 9.0})
    """
    name, colon, listed = reference.partition(":")
    parameters: dict[str, float] = {}
    parts = listed.split(",") if colon else []
    for before, part in zip(["", *parts], parts, strict=False):
        key, _, value = (word.strip() for word in part.partition("="))
        if not re.fullmatch(r"[a-z][a-z0-9]*", key) or not NUMBER.fullmatch(value):
            hint = comma_hint(f"{before.partition('=')[2]},{part}") or "; write for example gaussian:sigma=2,size=9"
            raise UsageError(f"kernel {reference!r}: parameter {part.strip()!r} is not NAME=NUMBER{hint}")
        if key in parameters:
            raise UsageError(f"kernel {reference!r} gives {key} twice; give it once")
        parameters[key] = float(value)
    return name.strip(), parameters


def with_parameters(name: str, parameters: Mapping[str, float]) -> str:
    """Return the reference that `split_parameters` splits into this name and these parameters.

    >>> with_parameters("kirsch_n", {"angle": 45.0})
    'kirsch_n:angle=45'
    """
    listed = ",".join(f"{key}={_shortest(value)}" for key, value in parameters.items())
    return f"{name}:{listed}" if listed else name


def unknown_name(name: str, known: Iterable[str]) -> UsageError:
    """Return the error for an unknown name, with the most similar known ones.

    >>> str(unknown_name("sobelx", ["sobel_x", "sobel_y", "box"]))
    "kernel 'sobelx' is unknown; nearest: sobel_x, sobel_y; imgconv kernels list shows all"
    """
    if re.search(r"\.(npy|npz|safetensors)(:|$)", name, re.IGNORECASE):
        return UsageError(f"kernel {name!r} is unknown; for a file of weights write @{name}")
    lower = {other.lower(): other for other in known}
    import difflib  # only needed for unknown names

    near = [lower[match] for match in difflib.get_close_matches(name.lower(), lower, n=4, cutoff=0.55)]
    near += [other for low, other in lower.items() if len(name) > 2 and name.lower() in low and other not in near][:3]
    first = re.match(r"([a-z][a-z0-9_]*)[\s(]", name)
    if first and first[1] in lower:
        return UsageError(f"kernel {abbreviated(name)!r} is unknown; parameters follow a colon, as in {first[1]}:NAME=NUMBER")
    if re.search(r"\w,\s*\w", name):
        return UsageError(f"kernel {abbreviated(name)!r} is unknown; give each kernel with a -k of its own")
    nearest = f"nearest: {', '.join(near)}; " if near else ""
    return UsageError(f"kernel {abbreviated(name)!r} is unknown; {nearest}imgconv kernels list shows all")


def slug(reference: str) -> str:
    """Convert a reference to a part of a file name that is valid on every system and at most 80 bytes long.

    >>> [slug(r) for r in ("gaussian:sigma=2", "@some/w.npy", "@net.safetensors:conv1.weight", "0 1 0; 1 -4 1; 0 1 0")]
    ['gaussian-sigma-2', 'w', 'net-conv1.weight', 'matrix']
    """
    text = reference.strip()
    if text.startswith("@"):
        text = _file_slug(text[1:])
    elif NAME.fullmatch(text.partition(":")[0].strip()):
        text = re.sub(rf"(?<==){NUMBER.pattern}(?=,|$)", lambda value: _shortest(float(value[0])), re.sub(r"\s+", "", text))
    else:
        return "matrix"
    name = "".join(c if c.isalnum() or c in "._-" else "-" for c in unicodedata.normalize("NFC", text)).strip(".-") or "kernel"
    if is_device(name):
        name = f"kernel-{name}"
    return name if len(name.encode()) <= SLUG_BYTES else _shortened(name, reference)


def _file_slug(path: str) -> str:
    suffixed = re.fullmatch(r"(.*)\.(npy|npz|safetensors)(:.*)?", path, re.IGNORECASE | re.DOTALL)
    file, member = (suffixed[1], suffixed[3] or "") if suffixed else (path, "")
    return PurePath(file.replace("\\", "/")).name + member


def _shortened(text: str, reference: str) -> str:
    from hashlib import sha256  # loads OpenSSL

    digest = sha256(reference.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    return text.encode()[: SLUG_BYTES - 9].decode(errors="ignore") + "-" + digest


def _shortest(number: float) -> str:
    return repr(float(number)).removesuffix(".0")
