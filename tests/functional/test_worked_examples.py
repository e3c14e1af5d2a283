"""The examples that courses print, one by one, under their names."""

import json

import numpy as np
import pytest
from closeness import assert_agrees
from examples import FLOATS
from golden_cases import FOLDER

import imgconv.functional

EXAMPLES = json.loads((FOLDER / "worked_examples.json").read_text())


@pytest.mark.parametrize("example", EXAMPLES["examples"], ids=lambda example: example["name"])
def test_worked_example(example):
    arrays = {name: np.array(value, int if name == "indices" else FLOATS[-1]) for name, value in example["inputs"].items()}
    result = getattr(imgconv.functional, example["op"])(**arrays, **example["params"])
    assert_agrees(result, example["expected"])


@pytest.mark.parametrize("case", EXAMPLES["shapes"], ids=lambda case: case["what"])
def test_shape(case):
    arrays = {name: np.zeros(case[name], np.float32) for name in ("input", "weight") if name in case}
    assert getattr(imgconv.functional, case["op"])(**arrays, **case["params"]).shape == tuple(case["output"])
