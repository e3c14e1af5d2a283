"""Shell completion of option values; each function takes the beginning that was typed."""

import os
from collections.abc import Iterable
from pathlib import Path

from imgconv.errors import ImgconvError


def complete_kernel(incomplete: str) -> list[str]:
    """Kernel names for shell completion."""
    from imgconv.registry import Registry

    try:
        return _beginning_with(incomplete, Registry.load().names())
    except ImgconvError:  # commands report a broken kernels file; completion must not write in the middle of a command line
        return []


def complete_own_kernel(incomplete: str) -> list[str]:
    """Names of kernels and banks in the user's file for shell completion."""
    from imgconv.registry import Registry, user_file

    try:
        entries = Registry.load().entries()
        return _beginning_with(incomplete, [entry.name for entry in entries if entry.file == user_file()])
    except ImgconvError:
        return []


def complete_tag(incomplete: str) -> list[str]:
    """Tags of kernels for shell completion."""
    from imgconv.registry import Registry

    try:
        return _beginning_with(incomplete, sorted({tag for entry in Registry.load().entries() for tag in entry.tags}))
    except ImgconvError:
        return []


def complete_format(incomplete: str) -> list[str]:
    """Output formats for shell completion."""
    from imgconv.images.formats import OUTPUTS

    return _beginning_with(incomplete, OUTPUTS)


def complete_compression(incomplete: str) -> list[str]:
    """Names of compressions for shell completion."""
    from imgconv.images.layout import COMPRESSIONS

    return _beginning_with(incomplete, COMPRESSIONS)


def complete_recipe(incomplete: str) -> list[str]:
    """Recipe files and folders for shell completion; after FILE.toml: the recipes of the file."""
    import tomllib

    file, colon, name = incomplete.rpartition(":")
    try:
        if colon and file.endswith(".toml"):
            recipes = tomllib.loads(Path(file).read_text(encoding="utf-8")).get("recipes")
            recipes = recipes if isinstance(recipes, dict) else {}
            return [f"{file}:{each}" for each in _beginning_with(name, recipes)]
        folder = incomplete[: incomplete.rfind("/") + 1]
        entries = sorted(Path(folder or ".").iterdir())
    except (OSError, ValueError):
        return []
    names = [
        f"{folder}{each.name}{'/' if os.path.isdir(each) else ''}" for each in entries if os.path.isdir(each) or each.suffix == ".toml"
    ]
    return _beginning_with(incomplete, names)


def complete_step(incomplete: str) -> list[tuple[str, str]]:
    """Operations of a step for shell completion, each with its help; after one of them in quotes: kernels, and names of options."""
    from imgconv.recipe.operations import OPERATIONS

    begun, space, word = incomplete.rpartition(" ")
    if not space:
        return [(name, operation.help) for name, operation in OPERATIONS.items() if name.startswith(incomplete)]
    name, *others = begun.split() or [""]
    options = [option.name for option in OPERATIONS[name].options] if name in OPERATIONS else []
    kernels = complete_kernel(word) if "kernel" in options and not others else []
    unused = [f"{option}=" for option in options if not any(other.startswith(f"{option}=") for other in others)]
    matches = [*kernels, *_beginning_with(word, unused)]
    if len(matches) == 1 and matches[0].endswith("="):  # the shell would close the quotes before the value
        return []
    return [(f"{begun} {each}", "") for each in matches]


def complete_padding(incomplete: str) -> list[str]:
    """Names of paddings for shell completion."""
    return _beginning_with(incomplete, ("same", "valid", "full"))


def _beginning_with(incomplete: str, names: Iterable[str]) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]
