"""The public names of imgconv: each resolves and is documented with shapes, errors, cost and an example."""

import inspect
import os
import subprocess
import sys
from pathlib import Path

import pytest

import imgconv
from imgconv import functional, gradients

OPERATORS = [
    name for name in functional.__all__ if name.startswith(("conv", "deform", "avg", "max", "min", "median", "adaptive", "unfold", "fold"))
]


@pytest.mark.parametrize("name", imgconv.__all__)
def test_every_name_resolves_and_is_documented(name):
    value = getattr(imgconv, name)
    assert name == "__version__" or inspect.getdoc(value)


@pytest.mark.parametrize("name", functional.__all__)
def test_functional_names_have_a_runnable_example(name):
    assert ">>>" in inspect.getdoc(getattr(functional, name))


@pytest.mark.parametrize("name", OPERATORS)
def test_docstrings_of_operators_have_shapes_errors_and_cost(name):
    text = inspect.getdoc(getattr(functional, name)).lower()
    assert "(n, c" in text or "(n,c" in text or "(n, l" in text
    assert "raises" in text
    assert "multiply-add" in text or "compar" in text or "copies" in text or "add" in text


def test_gradients_are_documented():
    assert all(inspect.getdoc(getattr(gradients, name)) for name in gradients.__all__)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'convolve'"):
        imgconv.convolve  # noqa: B018


def test_type_checkers_see_the_types_of_all_names(tmp_path):
    script = tmp_path / "types_of_names.py"
    lines = [f"reveal_type(imgconv.{name})" for name in imgconv.__all__]
    lines += [f"reveal_type(imgconv.functional.{name})" for name in functional.__all__]
    script.write_text("\n".join(["import imgconv", *lines]))
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--config-file",
        os.devnull,
        "--cache-dir",
        str(tmp_path),
        "--follow-imports=silent",
        str(script),
    ]
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "MYPYPATH": str(Path(__file__).parents[1])}, check=False
    )
    revealed = [line for line in done.stdout.splitlines() if "Revealed type" in line]
    assert len(revealed) == len(lines), done.stdout[-2000:]
    assert not [line for line in revealed if 'type is "Any"' in line]
    assert any("def (image:" in line for line in revealed)
