"""OME-TIFF and ImageJ stacks: every page is filtered on its own, and tifffile reads the same axes, names and sizes times the stride."""

import numpy as np
import pytest
import tifffile
from command import done

import imgconv

RNG = np.random.default_rng(41)


@pytest.mark.parametrize("axes, shape", [("TZCYX", (2, 3, 2, 18, 20)), ("CYX", (2, 18, 20)), ("ZYX", (4, 18, 20)), ("YX", (18, 20))])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_ome_keeps_axes_names_and_sizes(tmp_path, axes, shape, dtype):
    stack = RNG.integers(0, 200, shape).astype(dtype)
    unit = "mm" if dtype == "uint8" else "µm"  # a text in ASCII alone leaves a single page to the reader of plain files
    metadata = {"axes": axes, "PhysicalSizeX": 0.25, "PhysicalSizeXUnit": unit, "PhysicalSizeY": 0.5, "PhysicalSizeZ": 2.0}
    if "C" in axes:
        metadata["Channel"] = {"Name": ["DAPI", "GFP"]}
    tifffile.imwrite(tmp_path / "a.ome.tif", stack, ome=True, photometric="minisblack", metadata=metadata)
    done("filter", tmp_path / "a.ome.tif", "-k", "box:size=3", "--stride", "2x4")
    with tifffile.TiffFile(tmp_path / "a.ome.box-size-3.tiff") as result:
        assert result.is_ome and result.series[0].axes == axes
        assert result.series[0].shape == (*shape[:-2], 9, 5)
        image = tifffile.xml2dict(result.ome_metadata)["OME"]["Image"]["Pixels"]
        assert (image["PhysicalSizeX"], image["PhysicalSizeY"]) == (1.0, 1.0)
        assert "PhysicalSizeZ" not in image or image["PhysicalSizeZ"] == 2.0
        if "C" in axes:
            assert [channel["Name"] for channel in image["Channel"]] == ["DAPI", "GFP"]
        pages = result.asarray().reshape(-1, 9, 5)
    expected = [imgconv.filter(page, "box:size=3", stride=(2, 4)) for page in stack.reshape(-1, 18, 20)]
    assert np.allclose(pages, expected)


def test_imagej_keeps_axes_labels_and_resolution(tmp_path):
    stack = RNG.integers(0, 60000, (2, 3, 2, 18, 20)).astype(np.uint16)
    labels = [f"slice {n}" for n in range(12)]
    metadata = {"axes": "TZCYX", "unit": "um", "spacing": 1.5, "Labels": labels}
    tifffile.imwrite(tmp_path / "a.tif", stack, imagej=True, resolution=(4.0, 2.0), metadata=metadata)
    done("filter", tmp_path / "a.tif", "-k", "gaussian:sigma=1", "--stride", "2", "-o", tmp_path / "out.tif")
    with tifffile.TiffFile(tmp_path / "out.tif") as result:
        assert result.is_imagej and result.series[0].axes == "TZCYX" and result.series[0].shape == (2, 3, 2, 9, 10)
        known = result.imagej_metadata
        assert (known["unit"], known["spacing"], known["Labels"]) == ("um", 1.5, labels)
        tags = result.pages[0].tags
        assert [tags[name].value[0] / tags[name].value[1] for name in ("XResolution", "YResolution")] == [2.0, 1.0]
        pages = result.asarray().reshape(-1, 9, 10)
    expected = [imgconv.filter(page, "gaussian:sigma=1", stride=2) for page in stack.reshape(-1, 18, 20)]
    assert np.array_equal(pages, expected)


def test_a_stack_names_its_recipe_for_the_next_run(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", RNG.integers(0, 99, (3, 9, 9)).astype(np.uint8), imagej=True)
    for number, words in enumerate((["box:size=3"], ["box:size=3"], ["box:size=5"])):
        finished = done("filter", tmp_path / "a.tif", "-k", *words, "-o", tmp_path / "out.tif", "--skip-existing")
        assert ("another recipe" in finished.err) == (number == 2)


def test_more_maps_than_pages_are_not_called_a_stack(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", RNG.integers(0, 99, (3, 9, 9)).astype(np.uint8), imagej=True)
    done("filter", tmp_path / "a.tif", "-k", "sobel_x", "-k", "sobel_y", "-o", tmp_path / "out.tiff")
    with tifffile.TiffFile(tmp_path / "out.tiff") as result:
        assert not result.is_imagej and len(result.pages) == 6
