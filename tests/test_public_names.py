"""The public names of imgconv: each resolves and is documented with shapes, errors, cost and an example."""

import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import public_usage
import pytest

import imgconv
from imgconv import api_images, functional, gradients, layers

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


FORMS = {
    "np.eye(9)": "ndarray",
    "masked()": "MaskedArray",
    "Lender()": "ndarray",
    "PHOTO": "Image",
    "str(PHOTO)": "Image",
}
CALLS = {"filter": "'sobel'", "edge": "grey=False", "pool": "2", "canny": "sigma=1", "run": "['relu']"}
RESULTS = [(name, image) for name in CALLS for image in FORMS if (name, "ma" in image) != ("canny", True)]


@pytest.fixture(scope="module")
def checked(tmp_path_factory):
    """The lines that mypy writes about a script that reveals the type of every name, and about tests/public_usage.py; the names."""
    folder = tmp_path_factory.mktemp("types")
    script = folder / "types_of_names.py"
    names = [f"imgconv.{name}" for name in imgconv.__all__] + [f"imgconv.functional.{name}" for name in functional.__all__]
    lines = ["import imgconv, numpy as np", "from public_usage import Lender, PHOTO, masked", *(f"reveal_type({name})" for name in names)]
    lines += [f"reveal_type(imgconv.{name}({image}, {CALLS[name]}))" for name, image in RESULTS]
    script.write_text("\n".join([*lines, *(f"imgconv.{name}({next(iter(FORMS))}, {CALLS[name]}, gray=1)" for name in CALLS)]))
    options = [f"--config-file={os.devnull}", f"--cache-dir={os.devnull}", "--follow-imports=silent", "--strict"]
    options.append("--untyped-calls-exclude=numpy")  # of numpy before 2.3
    command = [sys.executable, "-m", "mypy", *options, str(script), public_usage.__file__]
    environment = {**os.environ, "MYPYPATH": os.pathsep.join([str(Path(__file__).parents[1]), str(Path(__file__).parent)])}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    return done.stdout.splitlines(), names


def test_type_checkers_see_the_types_of_all_names(checked):
    lines, names = checked
    revealed = [line for line in lines if "Revealed type" in line]
    assert len(revealed) == len(names) + len(RESULTS), lines[-20:]
    assert not [line for line in revealed if 'type is "Any"' in line]
    assert any("def (image:" in line for line in revealed)


def test_type_checkers_see_the_form_of_a_result(checked):
    lines, names = checked
    revealed = [line for line in lines if "Revealed type" in line][len(names) :]
    for (name, image), line in zip(RESULTS, revealed, strict=True):
        assert f".{FORMS[image]}" in line, (name, image, line)


def test_type_checkers_find_arguments_that_do_not_exist(checked):
    lines, _ = checked
    actual = {re.search(r"py:(\d+): error:", line)[1] for line in lines if "types_of_names" in line and ": error:" in line}
    assert len(actual) == len(CALLS)


@pytest.mark.parametrize("name", CALLS)
def test_the_types_of_options_are_those_of_the_call(name):
    parameters = inspect.signature(getattr(imgconv, name)).parameters
    options = getattr(api_images, f"{'Filter' if name == 'edge' else name.title()}Options").__annotations__
    positional = {parameter.name for parameter in parameters.values() if parameter.kind is parameter.POSITIONAL_OR_KEYWORD}
    assert {*options} == {*parameters} - positional


def test_a_script_that_uses_every_name_is_typed_strictly(checked):
    lines, _ = checked
    assert not [line for line in lines if ": error:" in line and "types_of_names" not in line]
    text = Path(public_usage.__file__).read_text()
    names = [f"imgconv.{name}" for name in imgconv.__all__ if name not in ("functional", "gradients", "layers")]
    names += [f"{module.__name__.removeprefix('imgconv.')}.{name}" for module in (gradients, layers) for name in module.__all__]
    assert not [name for name in names if not re.search(rf"\b{re.escape(name)}\b", text)]


@pytest.mark.parametrize("part", ["images", "results", "arrays", "derivatives", "networks", "errors"])
def test_the_script_runs(part):
    getattr(public_usage, part)()


@pytest.mark.parametrize("name", ["plan", "explain", "figure", "learn", "filter", "edge", "pool", "canny", "run"])
def test_parameters_are_typed_without_any(name):
    signature = inspect.signature(getattr(imgconv, name))
    annotations = [str(parameter.annotation) for parameter in signature.parameters.values()]
    assert not [text for text in annotations if text in ("typing.Any", str(inspect.Parameter.empty))]
