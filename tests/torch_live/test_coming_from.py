"""What docs/coming-from.md shows for PyTorch gives the results of imgconv."""

import numpy as np
import pytest
import torch
from PIL import Image
from side_by_side import check, prepare, rows_of

import imgconv

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return prepare(tmp_path_factory.mktemp("images"))


@pytest.mark.parametrize("row", rows_of("torch"), ids=lambda row: row.task)
def test_torch(row, folder):
    x = torch.from_numpy(np.asarray(Image.open(folder / "grey.png"), np.float32).copy())[None, None]
    w = torch.from_numpy(imgconv.kernel("sobel_x").weights().astype(np.float32))[None, None]
    check(row, eval(row.other, {"F": torch.nn.functional, "x": x, "w": w}).numpy(), folder)
