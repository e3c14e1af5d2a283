"""Convolutions, their adjoints and gradients against an installed torch, on random cases and on everything torch refuses."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")
F = torch.nn.functional

from imgconv import gradients  # noqa: E402
