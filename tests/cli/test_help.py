"""--help fits 80 columns, shows the common options first, and has examples on lines of their own."""

import pytest
from command import imgconv

from imgconv.cli.app import COMMANDS

KERNELS = ("list", "show", "add", "remove", "path", "gallery")


@pytest.mark.parametrize("words", [(), *((name,) for name in COMMANDS), *(("kernels", name) for name in KERNELS)], ids=" ".join)
def test_help_fits_80_columns_and_ends_with_examples(words, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    lines = imgconv(*words, "--help").out.decode().splitlines()
    assert max(map(len, lines)) <= 80
    assert "\N{HORIZONTAL ELLIPSIS}" not in "".join(lines)
    examples = lines[lines.index("Examples:") + 1 :]
    assert len(examples) >= 2 and all(line.startswith(("  imgconv ", "  $EDITOR ")) for line in examples)


@pytest.mark.parametrize(
    ("command", "first"), [("edge", "--kernel"), ("filter", "--kernel"), ("pool", "--size"), ("run", "--step"), ("plan", "--kernel")]
)
def test_the_common_options_come_first(command, first):
    text = imgconv(command, "--help").out.decode()
    assert text[: text.index("--padding" if command != "run" else "--range")].find(first) > 0
