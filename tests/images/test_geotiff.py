"""GeoTIFF: results lie where their originals lie, as rasterio reads them; missing cells and band names survive."""

import numpy as np
import pytest
import rasterio
from command import done
from rasterio.rpc import RPC
from rasterio.transform import Affine, GroundControlPoint, from_gcps
from tifffile import TiffFile

import imgconv

SOUTH_UP = Affine(10, 0, 500_000, 0, -20, 4_600_000)
TURNED = Affine(8.66025404, 10, 500_000, 5, -17.3205081, 4_600_000)
SIZE = (41, 52)
RNG = np.random.default_rng(50844)
NODATA = [("uint8", 0), ("uint8", 255), ("int16", -9999), ("uint16", 65535), ("float32", np.nan), ("float64", -1e38)]


def at(transform, column, row):
    """The place of a point of the raster."""
    return np.array([[transform.a, transform.b], [transform.d, transform.e]]) @ (column, row) + (transform.c, transform.f)


def write(path, pixels, transform=SOUTH_UP, names=(), **options):
    """A GeoTIFF of pixels (C, H, W)."""
    profile = {"driver": "GTiff", "count": len(pixels), "height": pixels.shape[1], "width": pixels.shape[2], "dtype": pixels.dtype}
    with rasterio.open(path, "w", crs="EPSG:32633", transform=transform, **profile, **options) as file:
        file.write(pixels)
        for number, name in enumerate(names, 1):
            file.set_band_description(number, name)
    return path


def spot(row, column):
    """An image of one bright pixel."""
    pixels = np.zeros((1, *SIZE), np.float32)
    pixels[0, row, column] = 1000
    return pixels


@pytest.mark.parametrize("transform", [SOUTH_UP, TURNED], ids=["scale", "transformation"])
@pytest.mark.parametrize("point", [False, True], ids=["area", "point"])
@pytest.mark.parametrize(
    "options, pixel",
    [
        (["--stride", "2x3"], (20, 24)),
        (["--stride", "2x3", "--padding", "valid"], (21, 25)),
        (["--padding", "full"], (20, 24)),
        (["--padding", "4x1", "--dilation", "2x1"], (20, 24)),
    ],
)
def test_a_point_on_the_ground_keeps_its_coordinates(tmp_path, transform, point, options, pixel):
    file = write(tmp_path / "a.tif", spot(*pixel), transform, **({"AREA_OR_POINT": "Point"} if point else {}))
    if point:
        with rasterio.open(file, "r+") as opened:
            opened.update_tags(AREA_OR_POINT="Point")
    done("filter", file, "-k", "0 0 0; 0 1 0; 0 0 0", *options, "-o", tmp_path / "out.tif")
    with rasterio.open(tmp_path / "out.tif") as result:
        row, column = np.unravel_index(np.argmax(result.read(1)), result.shape)
        assert result.read(1)[row, column] == 1000
        assert result.crs.to_epsg() == 32633
        place = at(result.transform, column + 0.5, row + 0.5)
    expected = at(transform, pixel[1] + 0.5, pixel[0] + 0.5)
    assert np.hypot(*(np.subtract(place, expected) / (10, 20))) < 0.01


def test_control_points_move_with_the_pixels(tmp_path):
    points = [GroundControlPoint(row, column, *at(SOUTH_UP, column, row), 0) for row, column in ((0, 0), (0, 50), (40, 0), (40, 50))]
    file = tmp_path / "a.tif"
    with rasterio.open(file, "w", driver="GTiff", width=52, height=41, count=1, dtype="float32", crs="EPSG:32633", gcps=points) as opened:
        opened.write(spot(21, 25))
    done("filter", file, "-k", "0 0 0; 0 1 0; 0 0 0", "--stride", "2", "--padding", "valid", "-o", tmp_path / "out.tif")
    with rasterio.open(tmp_path / "out.tif") as result:
        row, column = np.unravel_index(np.argmax(result.read(1)), result.shape)
        if not result.gcps[0]:
            pytest.fail("the control points are lost")
        place = at(from_gcps(result.gcps[0]), column + 0.5, row + 0.5)
    assert np.hypot(*(np.subtract(place, at(SOUTH_UP, 25.5, 21.5)) / (10, 20))) < 0.01


def test_the_polynomials_of_a_sensor_follow_its_pixels(tmp_path):
    ground = {f"{name}_{part}": 10.0 + len(name) for name in ("lat", "long", "height") for part in ("off", "scale")}
    terms = {f"{name}_{part}_coeff": [*RNG.random(20)] for name in ("line", "samp") for part in ("num", "den")}
    raster = {"line_off": 21.0, "line_scale": 20.0, "samp_off": 25.0, "samp_scale": 30.0}
    profile = {"driver": "GTiff", "width": 52, "height": 41, "count": 1, "dtype": "float32"}
    with rasterio.open(tmp_path / "a.tif", "w", rpcs=RPC(**ground, **terms, **raster), **profile) as opened:
        opened.write(spot(20, 24))
    done("filter", tmp_path / "a.tif", "-k", "box:size=3", "--stride", "2x3", "--padding", "valid", "-o", tmp_path / "out.tif")
    with rasterio.open(tmp_path / "out.tif") as result:
        polynomials = result.rpcs.to_dict()
    moved = {"line_off": 10.0, "line_scale": 10.0, "samp_off": 8.0, "samp_scale": 10.0}
    for name, value in (ground | terms | moved).items():
        assert polynomials[name] == pytest.approx(value, rel=1e-12), name


@pytest.mark.parametrize(
    "dtype, nodata", [("uint8", 0), ("uint8", 255), ("int16", -9999), ("uint16", 65535), ("float32", np.nan), ("float64", -1e38)]
)
def test_declared_missing_cells_are_ignored_and_stay_missing(tmp_path, dtype, nodata):
    pixels = np.full((5, *SIZE), 70, dtype)
    pixels[:, 10:15, 20:30] = nodata
    names = [f"band {n}" for n in range(5)]
    file = write(tmp_path / "a.tif", pixels, names=names, nodata=nodata)
    done("filter", file, "-k", "gaussian:sigma=2", "-o", tmp_path / "out.tif")
    with rasterio.open(tmp_path / "out.tif") as result:
        assert result.count == 5 and list(result.descriptions) == names
        assert result.nodata == nodata or (np.isnan(nodata) and np.isnan(result.nodata))
        cells = result.read(masked=True)
    assert np.array_equal(cells.mask, np.isnan(pixels) if np.isnan(nodata) else pixels == nodata)
    assert np.abs(cells.compressed() - 70).max() < 1e-4
    done("filter", file, "-k", "gaussian:sigma=2", "--missing", "fill", "-o", tmp_path / "filled.tif")
    with rasterio.open(tmp_path / "filled.tif") as result:
        assert np.abs(result.read() - 70.0).max() < 1e-4


def test_statistics_of_the_original_and_names_of_other_bands_are_not_copied(tmp_path):
    file = write(tmp_path / "a.tif", np.ones((3, *SIZE), np.uint8), names=["red", "green", "blue"])
    with rasterio.open(file, "r+") as opened:
        opened.update_tags(1, STATISTICS_MEAN="1")
        opened.update_tags(1, unit="m")
        opened.update_tags(survey="2026")
    done("filter", file, "-k", "box:size=3", "-o", tmp_path / "colour.tif")
    done("edge", file, "-o", tmp_path / "grey.tif")
    with rasterio.open(tmp_path / "colour.tif") as result:
        assert result.descriptions == ("red", "green", "blue") and result.tags(1) == {"unit": "m"} and result.tags()["survey"] == "2026"
    with rasterio.open(tmp_path / "grey.tif") as result:
        assert result.descriptions == (None,) and result.tags()["survey"] == "2026"


@pytest.mark.parametrize(
    "words, offset",
    [
        (["filter", "-k", "gaussian:sigma=1"], -273.15),
        (["filter", "-k", "0 1 0; 1 2 1; 0 1 0", "--range", "raw"], 6 * -273.15),
        (["filter", "-k", "laplacian8", "--range", "raw"], 0),
        (["filter", "-k", "sobel"], 0),
        (["edge"], 0),
        (["pool"], -273.15),
        (["pool", "--mode", "range"], 0),
        (["filter", "-k", "gaussian:sigma=1", "--range", "minmax"], None),
        (["filter", "-k", "gaussian:sigma=1", "--range", "abs"], None),
        (["filter", "-k", "gaussian:sigma=1", "--linear"], None),
        (["filter", "-k", "gaussian:sigma=1", "--invert"], None),
        (["canny"], None),
        (["run", "-s", "conv laplacian8"], None),
    ],
    ids=str,
)
def test_scale_and_offset_give_physical_values_of_results_or_are_left_out(tmp_path, words, offset):
    file = write(tmp_path / "a.tif", RNG.integers(50, 250, (1, *SIZE), np.uint8), names=["surface"])
    with rasterio.open(file, "r+") as opened:
        opened.scales, opened.offsets, opened.units = (0.01,), (-273.15,), ("K",)
    command, *options = words
    for memory in ([], ["--memory", "1M"]) if command != "canny" else ([],):
        finished = done(command, file, *options, *memory, "--json", "-o", tmp_path / "out.tif")
        with rasterio.open(tmp_path / "out.tif") as result:
            assert result.descriptions == ("surface",)
            assert result.units == ("K" if offset is not None else None,)
            assert (*result.scales, *result.offsets) == pytest.approx((0.01, offset) if offset is not None else (1, 0))
        assert (b"scale and offset of bands" in finished.out) == (offset is None)


def test_strip_location_drops_the_place_and_strip_everything(tmp_path):
    file = write(tmp_path / "a.tif", np.ones((1, *SIZE), np.uint8), nodata=0)
    done("filter", file, "-k", "box:size=3", "--strip-location", "-o", tmp_path / "a-out.tif")
    done("filter", file, "-k", "box:size=3", "--strip", "-o", tmp_path / "b-out.tif")
    with TiffFile(tmp_path / "a-out.tif") as first, TiffFile(tmp_path / "b-out.tif") as second:
        assert 33550 not in first.pages[0].tags and 42113 in first.pages[0].tags
        assert not {33550, 34735, 42113} & set(second.pages[0].tags.keys())


def test_a_png_has_no_place_for_a_georeference(tmp_path):
    file = write(tmp_path / "a.tif", np.ones((1, *SIZE), np.uint8))
    finished = done("filter", file, "-k", "box:size=3", "--json", "-o", tmp_path / "out.png")
    assert b"georeference (no place in png)" in finished.out


def test_a_path_in_python_has_the_missing_cells_of_its_file(tmp_path):
    pixels = np.full((1, *SIZE), 70, np.float32)
    pixels[0, 10:15, 20:30] = -9999
    result = np.asarray(imgconv.filter(write(tmp_path / "a.tif", pixels, nodata=-9999), "gaussian:sigma=2"))
    assert np.array_equal(result == -9999, pixels[0] == -9999) and np.allclose(result[pixels[0] == 70], 70)


@pytest.mark.parametrize(
    "steps, pixel",
    [
        (["conv '0 0 0; 0 1 0; 0 0 0'", "max_pool 1 stride=2"], (21, 25)),
        (["conv '0 0 0; 0 1 0; 0 0 0' stride=3"], (22, 25)),
        (["conv '0 0 0 0 0; 0 0 1 0 0; 0 0 0 0 0' padding=same dilation=2", "conv '0 0 0; 0 1 0; 0 0 0'"], (20, 24)),
        (["conv_transpose '0 0 0; 0 1 0; 0 0 0' stride=2 padding=1"], (20, 24)),
    ],
)
def test_a_point_stays_through_the_steps_of_a_recipe(tmp_path, steps, pixel):
    file = write(tmp_path / "a.tif", spot(*pixel))
    done("run", file, *(word for step in steps for word in ("-s", step)), "--range", "raw", "-o", tmp_path / "out.tif")
    with rasterio.open(tmp_path / "out.tif") as result:
        row, column = np.unravel_index(np.argmax(result.read(1)), result.shape)
        assert result.read(1)[row, column] == 1000
        place = at(result.transform, column + 0.5, row + 0.5)
    assert np.hypot(*(np.subtract(place, at(SOUTH_UP, pixel[1] + 0.5, pixel[0] + 0.5)) / (10, 20))) < 0.01


@pytest.mark.parametrize("dtype, nodata", [("int16", -9999), ("uint16", 0), ("float32", np.nan), ("float32", -1e30)])
def test_reduced_copies_average_the_valid_cells_alone(tmp_path, dtype, nodata):
    """And they have the declared value where there is none."""
    rng = np.random.default_rng(2)
    pixels = rng.integers(100, 110, (1, 70, 84)).astype(dtype)
    pixels[0][rng.random((70, 84)) < 0.3] = nodata
    pixels[0, 20:40, 10:30] = nodata
    path = write(tmp_path / "dem.tif", pixels, nodata=nodata)
    done("filter", path, "-k", "identity", "-o", tmp_path / "out.tif", "--pyramid", "--tile", "16")
    with rasterio.open(tmp_path / "out.tif") as file:
        expected, factors = file.read(1, masked=True).astype(np.float64), file.overviews(1)
    assert factors == [2, 4, 8]
    for level in range(3):
        height, width = (cells // 2 for cells in expected.shape)
        quads = expected[: 2 * height, : 2 * width].reshape(height, 2, width, 2)
        expected = np.ma.round(quads.mean(axis=(1, 3))) if dtype == "uint16" else quads.mean(axis=(1, 3))
        with rasterio.open(tmp_path / "out.tif", overview_level=level) as file:
            copy = file.read(1, masked=True)
        assert np.array_equal(np.ma.getmaskarray(copy), np.ma.getmaskarray(expected))
        assert np.abs(copy.astype(np.float64) - expected).max() < 1e-4
        assert level == 2 or np.ma.getmaskarray(copy).any()


def test_colours_of_reduced_copies_weigh_as_much_as_they_are_opaque(tmp_path):
    pixels = np.zeros((64, 64, 4), np.uint8)
    pixels[::2] = 200, 100, 50, 255
    np.save(tmp_path / "colour.npy", pixels)
    done("filter", tmp_path / "colour.npy", "-k", "identity", "--axes", "HWC", "-o", tmp_path / "out.tif", "--pyramid", "--tile", "16")
    with TiffFile(tmp_path / "out.tif") as file:
        assert (file.pages[0].pages[0].asarray() == (200, 100, 50, 128)).all()


@pytest.mark.parametrize("level", [1, 2])
@pytest.mark.parametrize("writer", ["rasterio", "imgconv"])
def test_a_point_of_a_reduced_copy_stays_on_the_ground(tmp_path, level, writer):
    pixels = np.zeros((1, 64, 80), np.float32)
    pixels[0, 20:24, 40:44] = 1000
    pixels[0, 0, 0] = -5
    path = write(tmp_path / "in.tif", pixels, nodata=-5, tiled=True, blockxsize=16, blockysize=16)
    if writer == "rasterio":
        with rasterio.open(path, "r+") as file:
            file.build_overviews([2, 4], rasterio.enums.Resampling.average)
    else:
        done("filter", path, "-k", "identity", "-o", tmp_path / "copies.tif", "--pyramid", "--tile", "16")
        path = tmp_path / "copies.tif"
    for memory in ("1M", "1G"):
        done("filter", path, "-k", "identity", "--level", level, "-o", tmp_path / "out.tif", "--memory", memory)
        with rasterio.open(tmp_path / "out.tif") as file:
            row, column = (float(np.average(places)) for places in np.nonzero(file.read(1) > 500))
            actual, expected = at(file.transform, column + 0.5, row + 0.5), at(SOUTH_UP, 42, 22)
            assert np.abs(actual - expected).max() < 0.01 * 10
            assert (file.nodata, file.crs.to_epsg()) == (-5, 32633)
