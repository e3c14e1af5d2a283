"""What docs/coming-from.md shows for OpenCV, scikit-image and SciPy gives the results of imgconv."""

import cv2
import numpy as np
import pytest
from PIL import Image
from scipy import ndimage
from side_by_side import check, prepare, rows_of
from skimage import filters, measure, morphology

OPENCV, SKIMAGE = rows_of("opencv"), rows_of("skimage")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return prepare(tmp_path_factory.mktemp("images"))


@pytest.mark.parametrize("row", OPENCV, ids=lambda row: row.task)
def test_opencv(row, folder):
    names = {"grey": cv2.imread(str(folder / "grey.png"), cv2.IMREAD_GRAYSCALE), "photo": cv2.imread(str(folder / "photo.png"))}
    result = eval(row.other, {"cv2": cv2, "np": np, **names})
    check(row, result[..., ::-1] if result.ndim == 3 else result, folder)


@pytest.mark.parametrize("row", SKIMAGE, ids=lambda row: row.task)
def test_skimage(row, folder):
    names = {name: np.asarray(Image.open(folder / f"{name}.png")) for name in ("grey", "photo")}
    modules = {"filters": filters, "measure": measure, "morphology": morphology, "ndimage": ndimage, "np": np}
    check(row, eval(row.other, modules | names), folder)


def test_every_table_has_rows():
    assert min(len(rows_of(program)) for program in ("opencv", "skimage", "torch", "imagemagick")) >= 8
