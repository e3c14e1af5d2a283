"""Images larger than --memory: every command writes the bytes that it writes of the whole image, whatever the memory and the threads."""

import io
import json
import random
import shlex

import imagecodecs
import numpy as np
import pytest
import tifffile
from command import imgconv, refused
from PIL import Image
from zarr_files import levels

from imgconv.batch.outcome import RunningStatistics, Statistics
from imgconv.images import Raster, open_frames
from imgconv.process import Map

pytestmark = pytest.mark.sweep(3)

SIZE = (301, 223)


def tiff(pixels, **options):
    file = io.BytesIO()
    photometric = "rgb" if pixels.shape[2] in (3, 4) else "minisblack"
    if options.get("planarconfig") == "separate":
        pixels = np.moveaxis(pixels, 2, 0)
    elif pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    extra = ["unassalpha"] if pixels.ndim == 3 and pixels.shape[2] in (2, 4) else None
    tifffile.imwrite(file, pixels, photometric=photometric, extrasamples=extra, **options)
    return file.getvalue()


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def pnm(kind, maxval, data, size=SIZE):
    return b"%s\n%d %d\n%s" % (kind, size[1], size[0], b"%d\n" % maxval if maxval else b"") + data


def png(image, **options):
    file = io.BytesIO()
    image.save(file, "png", **options)
    return file.getvalue()


FILES = {
    "strips.tif": lambda: tiff(levels(3), rowsperstrip=16),
    "one_strip.tif": lambda: tiff(levels(1)),
    "lzw.tif": lambda: tiff(levels(3), rowsperstrip=7, compression="lzw", predictor=True),
    "tiles.tif": lambda: tiff(levels(3), tile=(32, 48), compression="zlib"),
    "deep.tif": lambda: tiff(levels(1, "uint16"), tile=(16, 16), compression="zstd", byteorder=">"),
    "planes.tif": lambda: tiff(levels(3), tile=(64, 64), planarconfig="separate"),
    "planar_strips.tif": lambda: tiff(levels(3), rowsperstrip=20, planarconfig="separate", compression="packbits"),
    "alpha.tif": lambda: tiff(levels(4), tile=(32, 32), bigtiff=True),
    "floats.tif": lambda: tiff(levels(1, "float32"), rowsperstrip=50, compression="zlib", predictor=3),
    "jpeg.tif": lambda: tiff(levels(3), tile=(64, 64), compression="jpeg"),
    "colour.npy": lambda: npy(levels(3)),
    "maps.npy": lambda: npy(np.moveaxis(levels(3, "float32"), 2, 0)),
    "fortran.npy": lambda: npy(np.asfortranarray(levels(1, "uint16")[..., 0])),
    "grey.pgm": lambda: pnm(b"P5", 255, levels(1).tobytes()),
    "deep.ppm": lambda: pnm(b"P6", 65535, levels(3, "uint16").astype(">u2").tobytes()),
    "bits.pbm": lambda: pnm(b"P4", 0, np.packbits(levels(1)[..., 0] > 99, axis=1).tobytes()),
    "colour.png": lambda: png(Image.fromarray(levels(3))),
    "alpha.png": lambda: png(Image.fromarray(levels(4), "RGBA")),
    "palette.png": lambda: png(Image.fromarray(levels(3)).quantize(200)),
    "few_bits.png": lambda: png(Image.fromarray(levels(3)).quantize(4), bits=2),
    "key.png": lambda: png(Image.fromarray(levels(1)[..., 0]), transparency=100),
    "deep_grey.png": lambda: png(Image.fromarray(levels(1, "uint16")[..., 0])),
    "deep.png": lambda: imagecodecs.png_encode(levels(3, "uint16")),
    "floats.pfm": lambda: pnm(b"PF", 0, b"-1.0\n" + levels(3, "float32").astype("<f4").tobytes()),
}
COMMANDS = [
    "edge",
    "edge -k sobel --range minmax",
    "edge --overlay",
    "edge -k roberts --threshold 40 --invert",
    "edge -k kirsch --padding full --padding-mode reflect",
    "filter -k gaussian:sigma=2",
    "filter -k gaussian:sigma=6 --padding-mode circular",
    "filter -k box -k sobel_x --stride 2x3 --padding-mode zeros",
    "filter -k log:sigma=3 --dilation 2x1 --padding 9 --padding-mode symmetric",
    "filter -k motion:length=31,angle=20 --range offset",
    "filter -k sharpen8 --linear --grey",
    "filter -k emboss --padding valid --flip --alpha keep",
    "pool --size 3x2",
    "pool --size 5 --mode avg --stride 2 --padding 2",
    "pool --size 4 --mode median --ceil-mode",
    "pool --size 2 --mode min --dilation 3 --grey",
    "pool --size 2 --mode avg",
    "pool --window cross --mode max --stride 2",
    "pool --window disk:radius=3 --mode rank:30 --padding-mode circular",
    "pool --size 3 --mode std --stride 1 --padding full --padding-mode reflect",
    "run -s 'conv laplacian8 padding=1' -s relu -s 'max_pool 2'",
    "run -s grey -s 'conv gaussian:sigma=2 padding=same padding_mode=replicate stride=2' -s abs -s 'avg_pool 3 stride=2 padding=1'",
    "run -s 'conv sobel_x padding=1 padding_mode=reflect' -s 'conv_transpose box:size=3 stride=2 padding=1' -s 'max_pool 3' --range minmax",
]


def outputs(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("large")
    for name, make in FILES.items():
        (folder / name).write_bytes(make())
    return folder


def compare(file, command, tmp_path, memory, threads, format):
    words = [*shlex.split(command), file, *(["--format", format] if format else [])]
    whole = imgconv(*words, "-o", tmp_path / "whole/")
    banded = imgconv(*words, "-o", tmp_path / "banded/", "--memory", memory, "-j", threads)
    assert (whole.code, whole.err.replace("whole/", "banded/").split(",")[0]) == (banded.code, banded.err.split(",")[0]), banded.err
    if whole.code == 0:
        assert outputs(tmp_path / "whole") == outputs(tmp_path / "banded")
    return whole.code


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command(inputs, tmp_path, command):
    choice = random.Random(command)
    memory, threads = choice.choice(["1M", "1.3M", "2M", "4M"]), choice.choice([1, 2, 3])
    codes = [
        compare(inputs / name, command, tmp_path / name, memory, threads, "tiff") for name in choice.sample(["tiles.tif", "alpha.tif"], 1)
    ]
    assert codes == [0]


@pytest.mark.parametrize(
    "command",
    [
        "filter -k gaussian:sigma=2 --nodata 77",
        "filter -k gaussian:sigma=2 --nodata 77 --stride 3 --missing fill --min-valid 0.4",
        "filter -k sharpen8 --range raw --nodata 77",
        "edge --nodata 77 --padding-mode reflect",
        "filter -k box -k roberts --padding full --padding-mode zeros --missing propagate --nodata 77",
        "pool --size 3 --stride 2 --padding 1 --mode avg --nodata 77",
        "pool --size 4x3 --mode median --ceil-mode --nodata 77 --missing fill",
        "pool --size 2 --nodata 300",
        "filter -k box --nodata 77 --mask {}/mask.png",
        "filter -k gaussian:sigma=1 --mask {}/mask.png",
        "edge --mask {}/mask.png --stride 2",
        "filter -k disk:radius=18 --range minmax --nodata 77 --stride 2 --missing fill",
        "edge -k gabor -k sobel --range minmax --mask {}/mask.png",
        "pool --size 3 --mode median --mask {}/mask.png --missing propagate",
        "filter -k gaussian:sigma=2 --padding full --padding-mode circular --mask {}/mask.png --range minmax",
        "pool --window disk:radius=3 --mode rank:30 --padding 2 --padding-mode circular --nodata 77 --mask {}/mask.png",
        "filter -k box --stride 40 --nodata 77",  # between the windows are cells that no window sees
        "run -s 'conv gaussian:sigma=1 padding=same padding_mode=reflect stride=2' -s 'max_pool 3' --nodata 77 --min-valid 0.6",
        "run -s 'conv sobel_x padding=1' -s abs -s 'erode cross' --range minmax --mask {}/mask.png --missing fill",
    ],
)
def test_missing_cells(inputs, tmp_path, command):
    mask = np.full(SIZE, 255, np.uint8)
    mask[50:90, 60:70] = mask[:2, 5:9] = mask[-3:, 8:30] = 0
    Image.fromarray(mask).save(inputs / "mask.png")
    words = [*shlex.split(command.format(inputs)), inputs / "tiles.tif", "--format", "tiff", "--json"]
    lines = []
    for memory, folder in (("1G", "whole"), ("1M", "banded")):
        done = imgconv(*words, "-o", tmp_path / folder, "--memory", memory)
        assert done.code == 0, done.err
        lines.append(json.loads(done.out))
    assert outputs(tmp_path / "whole") == outputs(tmp_path / "banded")
    assert lines[0]["missing"] == lines[1]["missing"] and (lines[0]["missing"]["before"] > 0) == ("300" not in command)
    for one, other in zip(lines[0]["maps"], lines[1]["maps"], strict=True):
        assert one["mean"] == pytest.approx(other["mean"], rel=1e-12) and one["missing"] == other["missing"]


@pytest.mark.parametrize("format", ["png", "pgm", "tiff"])
def test_a_large_mask_is_read_by_rows(tmp_path, format):
    """Missing results are transparent where the format has that, also when the first bands have none, and 0 elsewhere."""
    height, width = 2300, 2000
    tifffile.imwrite(tmp_path / "photo.tif", np.full((height, width), 50, np.uint8), tile=(256, 256), compression="zlib")
    mask = np.full((height, width), 255, np.uint8)
    mask[2000:2010, 300:1700] = 0
    Image.fromarray(mask).save(tmp_path / "mask.png", compress_level=1)
    words = ["filter", tmp_path / "photo.tif", "-k", "box", "--mask", tmp_path / "mask.png", "--format", format, "--json"]
    done = [imgconv(*words, "-o", tmp_path / memory, "--memory", memory) for memory in ("1G", "16M")]
    assert [each.code for each in done] == [0, 0], done[1].err
    one, other = (json.loads(each.out) for each in done)
    assert one["missing"] == other["missing"] == {"before": 14000, "after": 14000}
    assert outputs(tmp_path / "1G") == outputs(tmp_path / "16M")
    assert "as a whole" not in done[1].err


@pytest.mark.parametrize("name", FILES)
def test_every_file_gives_its_rows(inputs, tmp_path, name):
    assert compare(inputs / name, "filter -k gaussian:sigma=1.5", tmp_path, "1M", 2, "tiff") == 0


@pytest.mark.parametrize("name", ["tiles.tif", "planes.tif", "colour.npy", "deep.ppm", "floats.pfm", "deep.png", "palette.png"])
def test_a_region_is_the_part_of_the_image(inputs, tmp_path, name):
    with open_frames(inputs / name) as frames:
        (whole,) = frames
    np.save(tmp_path / "part.npy", whole.pixels[40:240, 31:131])
    for memory in ("1M", "1G"):
        imgconv("pool", inputs / name, "--size", "3", "--region", "31,40,100x200", "-o", tmp_path / "region.npy", "--memory", memory)
        imgconv("pool", tmp_path / "part.npy", "--axes", "HWC", "--size", "3", "-o", tmp_path / "expected.npy")
        assert (tmp_path / "region.npy").read_bytes() == (tmp_path / "expected.npy").read_bytes()


def test_a_region_reads_no_tile_that_it_does_not_need(tmp_path):
    damaged = bytearray(FILES["tiles.tif"]())
    with tifffile.TiffFile(io.BytesIO(damaged)) as file:
        start, length = file.pages[0].dataoffsets[12], file.pages[0].databytecounts[12]
    damaged[start : start + length] = bytes(length)
    (tmp_path / "photo.tif").write_bytes(damaged)
    for memory in ("1M", "1G"):
        assert imgconv("edge", tmp_path / "photo.tif", "--region", "0,0,96x64", "-o", tmp_path / "part.png", "--memory", memory).code == 0
    message = refused(1, "edge", tmp_path / "photo.tif", "-o", tmp_path / "all.png", "--memory", "1M")
    assert "tile 13 of 50 (row 3, column 3)" in message
    assert not (tmp_path / "all.png").exists()


@pytest.mark.parametrize("name", ["photo.jpg", "animation.gif"])
def test_a_region_of_a_format_that_is_decoded_as_a_whole(tmp_path, name):
    frames = [Image.fromarray(levels(3)), Image.fromarray(255 - levels(3))]
    frames[0].save(tmp_path / name, save_all=name.endswith("gif"), append_images=frames[1:] if name.endswith("gif") else [])
    done = imgconv("filter", tmp_path / name, "-k", "identity", "--region", "5,7,50x30", "-o", tmp_path / "part.png", "--json")
    assert done.code == 0, done.err
    with open_frames(tmp_path / name) as whole, open_frames(tmp_path / "part.png") as part:
        for before, after in zip(whole, part, strict=True):
            np.testing.assert_array_equal(after.pixels[..., :3], before.pixels[7:37, 5:55, :3])


@pytest.mark.parametrize(
    "region, message", [("0,0,1000x10", "not inside"), ("1,2", "X,Y,WxH"), ("-1,0,5x5", "X,Y,WxH"), ("0,0,0x5", "X,Y,WxH")]
)
def test_a_region_that_is_not_one(inputs, tmp_path, region, message):
    assert message in refused(
        1 if "inside" in message else 2, "edge", inputs / "tiles.tif", f"--region={region}", "-o", tmp_path / "out.png"
    )


def test_pages_of_several_sizes(tmp_path):
    with tifffile.TiffWriter(tmp_path / "pages.tif") as file:
        for step, options in ((1, {"tile": (32, 32)}), (2, {"rowsperstrip": 9}), (3, {})):
            file.write(levels(3)[::step, ::step], photometric="rgb", **options)
    (tmp_path / "pages.ppm").write_bytes(FILES["deep.ppm"]() * 2)
    for name in ("pages.tif", "pages.ppm"):
        for words in ("filter -k box -k sobel_x --range offset", "filter -k box -k sobel_x --range raw --format tiff", "pool --format pnm"):
            compare(tmp_path / name, words, tmp_path / f"{name}{len(words)}", "1M", 2, None)
    done = imgconv("edge", tmp_path / "pages.tif", "--level", "0", "-o", tmp_path / "first.png", "--memory", "1M")
    assert done.code == 0, done.err


@pytest.mark.parametrize("compression", ["deflate", "zstd", "none"])
@pytest.mark.parametrize("name", ["strips.tif", "deep_grey.png", "floats.tif"])
def test_tiles_and_compressions_of_tiff_files(inputs, tmp_path, compression, name):
    words = ["filter", inputs / name, "-k", "box", "--tile", "32x64", "--compression", compression]
    written = []
    for memory in ("1M", "1G"):
        assert imgconv(*words, "-o", tmp_path / f"{memory}.tiff", "--memory", memory).code == 0
        written.append((tmp_path / f"{memory}.tiff").read_bytes())
    assert written[0] == written[1]
    imgconv("filter", inputs / name, "-k", "box", "-o", tmp_path / "plain.tiff")
    with tifffile.TiffFile(tmp_path / "1M.tiff") as tiled:
        page = tiled.pages[0]
        assert (page.tilelength, page.tilewidth) == (32, 64)
        assert int(page.compression) == {"deflate": 8, "zstd": 50000, "none": 1}[compression]
        np.testing.assert_array_equal(page.asarray(), tifffile.imread(tmp_path / "plain.tiff"))


@pytest.mark.parametrize("name", ["tiles.tif", "deep_grey.png", "floats.tif"])
def test_levels_of_a_pyramid_are_averages(inputs, tmp_path, name):
    compression = "deflate" if name == "tiles.tif" else "none"
    words = ["filter", inputs / name, "-k", "identity", "--pyramid", "--tile", "64", "--compression", compression]
    for memory in ("1M", "1G"):
        assert imgconv(*words, "-o", tmp_path / f"{memory}.tiff", "--memory", memory).code == 0
    assert (tmp_path / "1M.tiff").read_bytes() == (tmp_path / "1G.tiff").read_bytes()
    expected = inputs / name
    for level in (1, 2, 3):
        imgconv("pool", expected, "--mode", "avg", "-o", tmp_path / f"expected{level}.tiff")
        expected = tmp_path / f"expected{level}.tiff"
        imgconv("filter", tmp_path / "1M.tiff", "-k", "identity", "--level", level, "-o", tmp_path / "level.tiff")
        np.testing.assert_array_equal(tifffile.imread(tmp_path / "level.tiff"), tifffile.imread(expected))
    assert "3 reduced copies" in refused(1, "edge", tmp_path / "1M.tiff", "--level", "4", "-o", tmp_path / "out.png")
    assert "png images have no reduced copies" in refused(1, "edge", inputs / "deep_grey.png", "--level", "1", "-o", tmp_path / "out.png")


@pytest.mark.parametrize(
    "options, message",
    [
        ("--tile 100", "multiples of 16"),
        ("--compression gzip", "deflate, zstd, none"),
        ("--tile 64 --format png", "no effect on png"),
        ("--memory 10", "at least 1M"),
        ("--memory lots", "at least 1M"),
    ],
)
def test_options_that_are_refused(inputs, tmp_path, options, message):
    assert message in refused(2, "edge", inputs / "tiles.tif", *options.split(), "-o", tmp_path / "out/")


@pytest.mark.parametrize(
    "words, message",
    [
        ("canny {}/tiles.tif", "canny follows edges"),
        ("edge {}/photo.jpg", "jpeg is decoded as a whole"),
        ("run -s flatten -s 'softmax' {}/tiles.tif", "flatten"),
        ("edge {}/tiles.tif --format webp", "webp is written as a whole"),
        ("run -s 'adaptive_max_pool 9' {}/tiles.tif", "adaptive_max_pool 9"),
    ],
)
def test_recipes_that_bands_cannot_process_are_refused_with_their_memory(inputs, tmp_path, words, message):
    Image.fromarray(levels(3)).save(inputs / "photo.jpg")
    words = [*shlex.split(words.format(inputs)), "-o", tmp_path / "out/"]
    line = refused(1, *words, "--memory", "1M")
    assert message in line and "MB of memory" in line and "--memory" in line
    assert imgconv(*words).code == 0


def test_statistics_of_floats_are_those_of_float64():
    pixels = np.linspace(1e6, 1e6 + 3, 90_000, dtype=np.float32).reshape(300, 300, 1) ** 1.01  # large beside their differences
    parts = RunningStatistics("map", 300)
    for first in range(0, 300, 50):
        parts.add(Map("map", Raster(pixels[first : first + 50])), values=True)
    for result in (Statistics.of(Map("map", Raster(pixels))), parts.result()):
        assert result.std == pytest.approx(pixels.std(dtype=np.float64), rel=1e-8)


@pytest.mark.parametrize(
    "command", ["filter -k sobel_x -k box --range offset", "edge -k kirsch --linear", "edge -k box -k roberts", "pool"]
)
def test_statistics_and_threads(inputs, tmp_path, command):
    words = [*command.split(), inputs / "colour.npy", "-o", tmp_path / "out/", "--json"]
    whole, banded = (json.loads(imgconv(*words, "--memory", memory).out)["maps"] for memory in ("1G", "1M"))
    assert whole == banded


def test_the_limit_on_pixels_is_one_on_those_in_memory(inputs, tmp_path):
    for name in ("tiles.tif", "planes.tif", "colour.npy"):
        words = ["edge", inputs / name, "--max-pixels", "2000", "-o", tmp_path / "out.png"]
        assert imgconv(*words, "--memory", "1M").code == 0
        assert "limit" in refused(1, *words)


def test_standard_output_gets_a_whole_image(inputs, tmp_path):
    words = ["edge", inputs / "tiles.tif", "-o", "-", "--format", "png"]
    assert imgconv(*words, "--memory", "1M").out == imgconv(*words).out
    (tmp_path / "half.npy").write_bytes(FILES["colour.npy"]()[:-5000])
    done = imgconv("edge", tmp_path / "half.npy", "-o", "-", "--memory", "1M")
    assert (done.code, done.out) == (1, b"")


def test_damage_on_the_way_leaves_the_old_output(inputs, tmp_path):
    for name in ("colour.png", "lzw.tif", "deep.ppm"):
        data = FILES[name]()
        (tmp_path / name).write_bytes(data[: len(data) * 2 // 3] + bytes(5 if name != "deep.ppm" else 0))
        (tmp_path / "old.png").write_bytes(b"old")
        assert "damaged" in refused(1, "edge", tmp_path / name, "-o", tmp_path / "old.png", "--memory", "1M")
        assert (tmp_path / "old.png").read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["colour.png", "deep.ppm", "lzw.tif", "old.png"]


@pytest.mark.exhaustive
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", FILES)
def test_all_commands_on_all_files(inputs, tmp_path, name, command):
    for format in ("png", "tiff", "npy", "pnm"):
        compare(inputs / name, command, tmp_path / format, random.Random(name + command).choice(["1M", "3M"]), 2, format)
