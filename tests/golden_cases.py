"""Torch's results, as cases to parametrize over; `tests/data/golden` holds one file for each operator."""

import json
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).parent / "data" / "golden"


def golden(operator):
    """A pytest parameter (keyword arguments, arrays by name) for every case of `operator`."""
    with np.load(FOLDER / f"{operator}.npz") as file:
        arrays = {name: file[name] for name in file.files}
    cases = json.loads(str(arrays.pop("cases")))
    return [pytest.param(parameters, _of_case(arrays, f"{number:03d}"), id=f"{number:03d}") for number, parameters in enumerate(cases)]


def _of_case(arrays, number):
    return {name[4:]: array for name, array in arrays.items() if name.startswith(f"{number}.")}
