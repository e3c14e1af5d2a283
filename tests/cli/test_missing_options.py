"""--nodata, --mask, --missing and --min-valid: which cells are missing, what becomes of them, and how results show them."""

import io
import json

import numpy as np
import pytest
from command import done, refused
from PIL import Image
from tifffile import imread, imwrite

HOLE = np.s_[8:12, 10:15]


@pytest.fixture
def photo(tmp_path):
    """A colour image with a mask for it: the file, its pixels and the file of the mask."""
    pixels = np.random.default_rng(2).integers(60, 90, (30, 33, 3), np.uint8)
    mask = np.full((30, 33), 255, np.uint8)
    mask[HOLE] = 0
    pixels[HOLE] = 255
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    Image.fromarray(mask).save(tmp_path / "mask.png")
    return tmp_path / "photo.png", pixels, tmp_path / "mask.png"


def test_masked_cells_become_transparent(photo, tmp_path):
    file, _, mask = photo
    done("filter", file, "-k", "gaussian:sigma=2", "--mask", mask, "-o", tmp_path / "out.png")
    result = np.asarray(Image.open(tmp_path / "out.png"))
    assert result.shape == (30, 33, 4)
    assert (result[HOLE][..., 3] == 0).all() and (result[..., 3] == 0).sum() == 20
    assert result[..., :3][result[..., 3] > 0].max() < 95  # no white comes out of the hole


def test_masked_cells_are_filled(photo, tmp_path):
    file, _, mask = photo
    done("filter", file, "-k", "gaussian:sigma=2", "--mask", mask, "--missing", "fill", "-o", tmp_path / "out.png")
    result = np.asarray(Image.open(tmp_path / "out.png"))
    assert result.shape == (30, 33, 3) and result.max() < 95


def test_edges_of_a_hole_are_not_edges(photo, tmp_path):
    file, _, mask = photo
    done("edge", file, "-k", "sobel", "--mask", mask, "-o", tmp_path / "out.png")
    result = Image.open(tmp_path / "out.png")
    assert result.mode == "LA"
    grey, alpha = (np.asarray(band) for band in result.split())
    assert (alpha == 0).sum() == 6 * 7
    plain = np.asarray(Image.open(file).convert("L")).astype(int)
    assert grey[alpha > 0].max() <= np.hypot(*2 * [4 * np.ptp(plain[:8])])


def test_propagate_and_min_valid_make_the_hole_wider(photo, tmp_path):
    file, _, mask = photo
    for number, (words, count) in enumerate([(["--missing", "propagate"], 6 * 7), (["--missing", "fill", "--min-valid", "0.99"], 6 * 7)]):
        done("filter", file, "-k", "box:size=3", "--mask", mask, *words, "-o", tmp_path / f"out{number}.png")
        assert (np.asarray(Image.open(tmp_path / f"out{number}.png"))[..., 3] == 0).sum() == count


def test_a_value_is_missing_and_stays(tmp_path):
    heights = np.random.default_rng(3).random((30, 33), np.float32) + 100
    heights[HOLE] = -9999
    imwrite(tmp_path / "a.tif", heights)
    done("filter", tmp_path / "a.tif", "-k", "gaussian:sigma=2", "--nodata", "-9999", "-o", tmp_path / "out.tif")
    result = imread(tmp_path / "out.tif")
    assert np.array_equal(result == -9999, heights == -9999) and result[heights > 0].min() > 99
    # the file declares the value, so that it needs no option from now on
    done("filter", tmp_path / "out.tif", "-k", "gaussian:sigma=2", "-o", tmp_path / "again.tif")
    assert imread(tmp_path / "again.tif")[heights > 0].min() > 99
    done("filter", tmp_path / "out.tif", "-k", "gaussian:sigma=2", "--nodata", "none", "-o", tmp_path / "none.tif")
    assert imread(tmp_path / "none.tif").min() > -9999 and (imread(tmp_path / "none.tif") < 0).sum() > 20


def test_nan_is_missing_with_nodata_nan(tmp_path):
    array = np.full((20, 21), 5, np.float32)
    array[3:5, 6:9] = np.nan
    np.save(tmp_path / "a.npy", array)
    counts = []
    for number, words in enumerate(([], ["--nodata", "nan"])):
        done("filter", tmp_path / "a.npy", "-k", "box:size=5", *words, "-o", tmp_path / f"{number}.npy")
        counts.append(int(np.isnan(np.load(tmp_path / f"{number}.npy")).sum()))
    assert counts == [6 * 7, 6]


def test_json_counts_missing_cells_before_and_after(photo, tmp_path):
    file, _, mask = photo
    out = done("edge", file, "-k", "sobel", "-k", "gaussian:sigma=1", "--mask", mask, "--json", "-o", tmp_path / "out/").out
    line = json.loads(out)
    assert line["missing"] == {"before": 3 * 20, "after": 6 * 7 + 20}
    assert [each["missing"] for each in line["maps"]] == [6 * 7, 20]
    assert line["maps"][1]["max"] < 95


def test_a_pipe_and_a_folder_take_a_mask(photo, tmp_path):
    file, _, mask = photo
    (tmp_path / "in").mkdir()
    for name in ("a.png", "b.png"):
        (tmp_path / "in" / name).write_bytes(file.read_bytes())
    words = ["-k", "box:size=3", "--mask", mask]
    piped = done("filter", "-", *words, stdin=file.read_bytes()).out
    done("filter", tmp_path / "in", *words, "-o", tmp_path / "out")
    expected = np.asarray(Image.open(io.BytesIO(piped)))
    assert (expected[..., 3] == 0).sum() == 20
    for name in ("a.box-size-3.png", "b.box-size-3.png"):
        assert np.array_equal(np.asarray(Image.open(tmp_path / "out" / name)), expected)


@pytest.mark.parametrize(
    "words, fact",
    [
        (["--nodata", "sea"], "'sea'"),
        (["--min-valid", "1.5"], "1.5"),
        (["--mask", "small.png"], "4x5"),
        (["--mask", "none.png"], "none.png"),
    ],
)
def test_wrong_options_are_refused_with_a_reason(photo, tmp_path, words, fact):
    Image.new("L", (5, 4)).save(tmp_path / "small.png")
    line = refused(1 if "png" in words[1] else 2, "filter", photo[0], "-k", "box:size=3", *words, cwd=tmp_path)
    assert fact in line


def test_a_mask_of_too_many_pixels_is_refused_before_it_is_decoded(photo, tmp_path):
    """Unless it is read by rows, as png and tiff are."""
    jpeg = io.BytesIO()
    Image.new("L", (8, 8)).save(jpeg, "JPEG")
    data = jpeg.getvalue()
    at = data.index(b"\xff\xc0") + 5
    (tmp_path / "m.jpg").write_bytes(data[:at] + b"\x80\0\x80\0" + data[at + 4 :])
    line = refused(1, "edge", photo[0], "--mask", tmp_path / "m.jpg")
    assert "32768x32768 is 1073741824 pixels" in line and "save the mask as .png or .tiff" in line


def test_a_mask_is_never_overwritten(photo, tmp_path):
    file, _, mask = photo
    before = mask.read_bytes()
    refused(2, "filter", file, "-k", "box:size=3", "--mask", mask, "-o", mask)
    assert mask.read_bytes() == before


@pytest.mark.parametrize("memory", ["256M", "1M"])
def test_a_float_result_declares_its_missing_cells_for_the_next_command(tmp_path, memory):
    values = np.random.default_rng(8).random((600, 700), np.float32)
    imwrite(tmp_path / "a.tif", values)
    known = np.ones(values.shape, np.uint8)
    known[200:230, 300:340] = 0
    Image.fromarray(known).save(tmp_path / "m.png")
    done("filter", tmp_path / "a.tif", "-k", "box:size=3", "--mask", tmp_path / "m.png", "-o", tmp_path / "b.tif", "--memory", memory)
    finished = done("filter", tmp_path / "b.tif", "-k", "box:size=9", "-o", tmp_path / "c.tif", "--json")
    assert json.loads(finished.out)["missing"] == {"before": 1200, "after": 1200}
    assert np.isnan(imread(tmp_path / "c.tif")).sum() == 1200
