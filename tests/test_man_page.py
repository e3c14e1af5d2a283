"""The manual page is that of the commands as they are, and roff that every reader knows."""

import importlib.util
import re

import pytest
from guides import ROOT

from imgconv.cli.app import COMMANDS

PAGE = ROOT / "docs" / "imgconv.1"
MACROS = {"TH", "SH", "SS", "TP", "PP", "B", "I", "RB", "RI", "IR", "BR", "RS", "RE", "nf", "fi", "nh", "ad"}


@pytest.fixture(scope="module")
def maker():
    spec = importlib.util.spec_from_file_location("make_man_page", ROOT / "docs" / "make_man_page.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_current(maker):
    assert maker.page() == PAGE.read_text(), "run python docs/make_man_page.py"


def test_every_command_and_option_is_in_it():
    text = PAGE.read_text().replace("\\-", "-")
    assert all(re.search(rf"^\.SS imgconv {name}\b", text, re.MULTILINE) for name in COMMANDS)
    assert {"--padding-mode", "--install-completion", "--shard", "--salvage", "--descend"} <= set(re.findall(r"--[\w-]+", text))
    assert "imgconv kernels gallery photo.jpg" in text


def test_every_command_has_two_examples():
    """Which are those of its --help."""
    sections = re.findall(r"^\.SS (imgconv [a-z ]+[a-z]).*\n((?:(?!\.S).*\n)+)", PAGE.read_text(), re.MULTILINE)
    assert len(sections) >= len(COMMANDS) + 4
    for command, text in sections:
        (examples,) = re.findall(r"\.nf\n(.*?)\.fi", text, re.DOTALL)
        assert examples.count(command) >= 2, command


def test_only_known_macros_and_escapes():
    lines = PAGE.read_text().splitlines()
    assert {line[1:].split()[0] for line in lines if line.startswith(".")} <= MACROS
    assert not [line for line in lines if line.startswith("'")]
    assert "\\" not in re.sub(r"\\(f[BIR]|\((aq|ga|ha|ti)|[-&e ])", "", "\n".join(lines))


@pytest.mark.parametrize("given, roff", [("a-b", "a\\-b"), ("'x'", "\\&\\(aqx\\(aq"), (".5", "\\&.5"), ("a\\b", "a\\eb")])
def test_characters_that_are_special_in_roff_are_escaped(maker, given, roff):
    assert maker._escaped(given) == roff
