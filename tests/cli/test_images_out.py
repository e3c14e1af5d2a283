"""edge, filter and pool on real photographs, pixel by pixel against an independent computation."""

import io
import json
import shutil

import numpy as np
import oracle_image as oracle
import pytest
import tifffile
from command import PHOTO, SAMPLES, imgconv, refused
from image_files import pixels_of
from PIL import Image, ImageOps

from imgconv.images import open_frames

pytestmark = pytest.mark.sweep(3)

LAPLACIAN8 = np.array([[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]])


@pytest.fixture
def photo(tmp_path):
    """A PNG of odd size cut out of a photograph."""
    path = tmp_path / "photo.png"
    with Image.open(PHOTO) as image:
        image.crop((0, 0, 331, 257)).save(path)
    return path


def grey_of(path):
    with Image.open(path) as image:
        return np.array(image.convert("L"))[..., None]


def test_edge_is_the_absolute_laplacian_of_pillows_luma(photo):
    assert imgconv("edge", photo).code == 0
    expected = oracle.to_pixels(oracle.correlate(grey_of(photo), LAPLACIAN8), np.uint8, range_="abs")
    assert np.array_equal(pixels_of(photo.with_name("photo.edge.png")), expected[..., 0])


def test_edge_of_a_jpeg_uses_its_own_luma(tmp_path):
    photo = shutil.copy(PHOTO, tmp_path / "photo.jpg")
    assert imgconv("edge", photo).code == 0
    expected = oracle.to_pixels(oracle.correlate(jpeg_pixels(photo, "L")[..., None], LAPLACIAN8), np.uint8, range_="abs")
    assert np.array_equal(pixels_of(tmp_path / "photo.edge.png"), expected[..., 0])


@pytest.mark.parametrize("stride, padding, pads", [("2", "same", None), ("2x3", "valid", ((0, 0), (0, 0))), ("1", "3x4", ((3, 3), (4, 4)))])
@pytest.mark.parametrize("mode", ["replicate", "reflect"])
def test_filter_in_colour(photo, stride, padding, pads, mode):
    out = photo.with_name("out.png")
    words = ("-k", "1 2 1; 2 4 2; 1 2 1 / 16", "--stride", stride, "--padding", padding, "--padding-mode", mode)
    assert imgconv("filter", photo, *words, "-o", out).code == 0
    steps = tuple(int(s) for s in stride.split("x")) * (1 if "x" in stride else 2)
    sums = oracle.correlate(pixels_of(photo), [[1, 2, 1], [2, 4, 2], [1, 2, 1]], stride=steps, pads=pads, mode=mode)
    assert np.array_equal(pixels_of(out), oracle.to_pixels(sums, np.uint8, divisor=16))


@pytest.mark.parametrize("range_", ["clip", "abs", "offset", "minmax"])
def test_every_range(photo, range_):
    out = photo.with_name("out.png")
    assert imgconv("filter", photo, "-k", "sobel_x", "--range", range_, "--grey", "-o", out).code == 0
    sums = oracle.correlate(grey_of(photo), [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])
    assert np.array_equal(pixels_of(out), oracle.to_pixels(sums, np.uint8, range_=range_)[..., 0])


def test_sixteen_bits_stay_sixteen(tmp_path):
    pixels = np.random.default_rng(3).integers(0, 65536, (41, 57), dtype=np.uint16)
    Image.fromarray(pixels).save(tmp_path / "deep.png")
    assert imgconv("filter", tmp_path / "deep.png", "-k", "box:size=3").code == 0
    expected = oracle.to_pixels(oracle.correlate(pixels[..., None], np.ones((3, 3))), np.uint16, divisor=9)
    assert np.array_equal(pixels_of(tmp_path / "deep.box-size-3.png"), expected[..., 0])


@pytest.mark.parametrize("mode", ["max", "avg", "min", "median"])
def test_pool(photo, mode):
    out = photo.with_name("out.png")
    small = pixels_of(photo)[:61, :83]
    Image.fromarray(small).save(photo)
    assert imgconv("pool", photo, "--size", "3x2", "--stride", "2", "--padding", "1x1", "--mode", mode, "-o", out).code == 0
    assert np.array_equal(pixels_of(out), oracle.pool(small, mode, (3, 2), (2, 2), ((1, 1), (1, 1))))


def test_transparency_of_a_logo_survives_edges(tmp_path):
    pixels = np.random.default_rng(5).integers(0, 256, (33, 29, 4), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "logo.png")
    assert imgconv("filter", tmp_path / "logo.png", "-k", "laplacian8").code == 0
    assert np.array_equal(pixels_of(tmp_path / "logo.laplacian8.png")[..., 3], pixels[..., 3])
    assert imgconv("edge", tmp_path / "logo.png").code == 0
    over_black = (pixels[..., :3].astype(int) * pixels[..., 3:] + 127) // 255
    grey = (over_black @ [19595, 38470, 7471] + 32768 >> 16)[..., None]
    expected = oracle.to_pixels(oracle.correlate(grey, LAPLACIAN8), np.uint8, range_="abs")
    assert np.array_equal(pixels_of(tmp_path / "logo.edge.png"), expected[..., 0])


def test_threshold_and_invert(photo):
    assert imgconv("edge", photo, "--threshold", "60", "--invert").code == 0
    expected = oracle.to_pixels(oracle.correlate(grey_of(photo), LAPLACIAN8), np.uint8, range_="abs")
    assert np.array_equal(pixels_of(photo.with_name("photo.edge.png")), np.where(expected >= 60, 0, 255)[..., 0])


def test_overlay_keeps_the_photograph_where_there_is_no_edge(photo):
    assert imgconv("edge", photo, "--overlay", "--threshold", "60").code == 0
    edges = oracle.to_pixels(oracle.correlate(grey_of(photo), LAPLACIAN8), np.uint8, range_="abs")
    expected = np.where(edges >= 60, np.array([255, 0, 0], np.uint8), pixels_of(photo))
    assert np.array_equal(pixels_of(photo.with_name("photo.edge.png")), expected)


def jpeg_pixels(path, mode):
    """A JPEG upright, as colours or as its own luma."""
    with Image.open(path) as image:
        if mode == "L":
            image.draft("L", image.size)
        return np.array(ImageOps.exif_transpose(image))


@pytest.mark.parametrize("name", ["coffee.jpg", "chelsea.jpg", "rotated_exif6.jpg"])
@pytest.mark.parametrize("words", [("edge", "--threshold", "60"), ("edge", "--linear"), ("canny",)], ids=" ".join)
def test_edges_over_a_jpeg_are_those_of_its_own_luma(tmp_path, name, words):
    command, *options = words
    photo = SAMPLES / name
    for out, more in (("edges.png", ()), ("over.png", ("--overlay",))):
        assert imgconv(command, photo, *options, *more, "-o", tmp_path / out).code == 0
    part = pixels_of(tmp_path / "edges.png")[..., None] / 255
    expected = np.rint(jpeg_pixels(photo, "RGB") * (1 - part) + np.array([255, 0, 0]) * part)
    assert np.array_equal(pixels_of(tmp_path / "over.png"), expected)
    piped = imgconv(command, "-", *options, "--overlay", stdin=photo.read_bytes())
    assert piped.out == (tmp_path / "over.png").read_bytes()


@pytest.mark.parametrize("name, start", [("out.pfm", b"PF\n"), ("out.fits", b"SIMPLE"), ("out.tiff", b"II*")])
def test_raw_maps_have_the_format_of_their_name(photo, tmp_path, name, start):
    for output in (name, "out.npy"):
        assert imgconv("filter", photo, "-k", "sobel_x", "--range", "raw", "-o", tmp_path / output).code == 0
    assert (tmp_path / name).read_bytes().startswith(start)
    with open_frames(tmp_path / name) as frames:
        planes = np.concatenate([frame.pixels.transpose(2, 0, 1) for frame in frames])
    assert planes.min() < 0
    np.testing.assert_array_equal(planes, np.load(tmp_path / "out.npy"))


def test_raw_maps(photo, tmp_path):
    npy, npz, tiff = tmp_path / "maps.npy", tmp_path / "maps.npz", tmp_path / "maps.tiff"
    kernels = ("-k", "sobel_x", "-k", "laplacian8")
    for out, options in ((npy, ()), (npz, ()), (tiff, ("--range", "raw"))):
        assert imgconv("filter", photo, *kernels, "-o", out, *options).code == 0
    x = oracle.correlate(pixels_of(photo), [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]).transpose(2, 0, 1)
    laplacian = oracle.correlate(pixels_of(photo), LAPLACIAN8).transpose(2, 0, 1)
    maps = np.load(npy)
    assert maps.dtype == np.float32
    assert np.array_equal(maps, np.concatenate([x, laplacian]))
    with np.load(npz) as arrays:
        assert sorted(arrays) == ["laplacian8", "sobel_x"]
        assert np.array_equal(arrays["laplacian8"], laplacian)
    with Image.open(tiff) as pages:
        assert pages.n_frames == 6
        pages.seek(4)
        assert np.array_equal(np.array(pages), laplacian[1])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
@pytest.mark.parametrize("channels", [1, 3, 6])
def test_a_tiff_gives_a_tiff_like_it(tmp_path, dtype, channels):
    pixels = np.random.default_rng(0).integers(0, 200, (9, 11, channels)).astype(dtype) / dtype(3 if np.dtype(dtype).kind == "f" else 1)
    pixels = pixels.astype(dtype)
    kind = {"photometric": "rgb" if channels == 3 else "minisblack", "planarconfig": "contig" if channels > 1 else None}
    tifffile.imwrite(tmp_path / "a.tif", pixels.squeeze(), **kind)
    assert imgconv("filter", tmp_path / "a.tif", "-k", "identity", "-o", tmp_path / "b.tif").code == 0
    with tifffile.TiffFile(tmp_path / "b.tif") as file:
        (page,) = file.pages
        assert page.photometric.name == ("RGB" if channels == 3 else "MINISBLACK")
        np.testing.assert_array_equal(page.asarray(), pixels.squeeze(), strict=True)


@pytest.mark.parametrize("words", ["filter -k box", "pool", "run -s relu"])
def test_many_bands_stay_a_tiff_without_a_name(tmp_path, words):
    pixels = np.random.default_rng(0).integers(0, 256, (9, 11, 6), dtype=np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="minisblack", planarconfig="contig")
    assert imgconv(*words.split(), tmp_path / "a.tif", "-o", tmp_path / "out/").code == 0
    (result,) = (tmp_path / "out").iterdir()
    assert result.suffix == ".tiff" and tifffile.imread(result).shape[2] == 6


def test_from_stdin_to_stdout(photo):
    done = imgconv("edge", "-", stdin=photo.read_bytes())
    assert done.code == 0 and done.err.count("\n") <= 1
    expected = oracle.to_pixels(oracle.correlate(grey_of(photo), LAPLACIAN8), np.uint8, range_="abs")
    with Image.open(io.BytesIO(done.out)) as image:
        assert image.format == "PNG"
        assert np.array_equal(np.array(image), expected[..., 0])


def test_stages_joined_by_arrays_keep_sign_and_precision(photo):
    first = imgconv("filter", "-", "-k", "sobel_x", "--format", "npy", stdin=photo.read_bytes())
    second = imgconv("filter", "-", "-k", "-1 0 1", stdin=first.out)
    sums = oracle.correlate(pixels_of(photo), [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])
    assert np.array_equal(np.load(io.BytesIO(second.out)), oracle.correlate(sums, [[-1, 0, 1]]).transpose(2, 0, 1))


def test_pnm_in_pnm_out(photo):
    with Image.open(photo) as image:
        stream = io.BytesIO()
        image.save(stream, "PPM")
    done = imgconv("edge", "-", stdin=stream.getvalue())
    assert done.out.startswith(b"P5")


def test_json_has_shapes_and_statistics(photo):
    done = imgconv("edge", photo, "--json", "-q")
    line = json.loads(done.out)
    edges = pixels_of(photo.with_name("photo.edge.png"))
    assert line["source"] == str(photo) and line["error"] is None
    assert line["outputs"] == [str(photo.with_name("photo.edge.png"))]
    assert line["shapes"] == [[1, 257, 331]]
    assert line["maps"][0]["max"] == edges.max() and line["maps"][0]["mean"] == pytest.approx(edges.mean())
    assert done.err == ""


def test_frames_are_filtered_each_on_its_own(tmp_path):
    frames = [Image.fromarray(np.random.default_rng(i).integers(0, 256, (20, 31), dtype=np.uint8)) for i in range(3)]
    frames[0].save(tmp_path / "moving.png", save_all=True, append_images=frames[1:], duration=70, loop=2)
    frames[0].save(tmp_path / "pages.tiff", save_all=True, append_images=frames[1:])
    assert imgconv("edge", tmp_path / "moving.png", tmp_path / "pages.tiff").code == 0
    for name in ("moving.edge.png", "pages.edge.tiff"):
        with Image.open(tmp_path / name) as image:
            assert image.n_frames == 3
            for i in range(3):
                image.seek(i)
                source = np.array(frames[i])[..., None]
                expected = oracle.to_pixels(oracle.correlate(source, LAPLACIAN8), np.uint8, range_="abs")[..., 0]
                assert np.array_equal(np.array(image.convert("L")), expected), (name, i)


def test_metadata_survives_and_orientation_is_applied(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    profile = b"\0" * 16 + b"RGB " + b"\0" * 108
    pixels = np.random.default_rng(1).integers(0, 256, (16, 24, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "turned.png", exif=exif, dpi=(300, 300), icc_profile=profile)
    assert imgconv("filter", tmp_path / "turned.png", "-k", "identity").code == 0
    with Image.open(tmp_path / "turned.identity.png") as image:
        assert np.array_equal(np.array(image), np.rot90(pixels, -1))
        assert image.getexif().get(0x0112, 1) == 1
        assert image.info["icc_profile"] == profile
        assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)
    assert imgconv("edge", tmp_path / "turned.png").code == 0
    with Image.open(tmp_path / "turned.edge.png") as image:
        assert "icc_profile" not in image.info


def test_outputs_describe_their_recipe(photo):
    assert imgconv("edge", photo, "--stride", "2").code == 0
    with Image.open(photo.with_name("photo.edge.png")) as image:
        assert any("edge laplacian8 stride=2" in str(text) for text in image.info.values())


def test_the_readme_images_exist():
    assert {"coffee.jpg", "README.md"} <= {path.name for path in SAMPLES.iterdir()}


@pytest.mark.parametrize(
    "words, message",
    [
        (("--stride", "0"), "stride must be at least 1"),
        (("--stride", "two"), "--stride: expected a size such as 2 or 3x5, got 'two'"),
        (("--padding", "-1"), "padding must be at least 0"),
        (("--padding", "wide"), "padding 'wide' is unknown"),
        (("--padding-mode", "mirror"), "'mirror' is unknown"),
        (("--dilation", "0"), "dilation must be at least 1"),
        (("-k", "laplacain8"), "nearest: laplacian8"),
        (("-k", "1 2; 3"), "ragged"),
        (("-k", "nan 1"), ""),
        (("-k", "@missing.npy"), "missing.npy"),
        (("--range", "loud"), "range"),
        (("--range", "raw"), "--range raw needs"),
        (("--format", "docx"), "docx"),
        (("--quality", "90"), "--quality has no effect on png"),
        (("--max-pixels", "lots"), "--max-pixels: expected a whole number above 0"),
        (("-q", "-v"), "contradict"),
        (("--sttride", "2"), "--stride"),
        (("-o", "out.npy", "--invert"), "need pixels"),
        (("-o", "out.jpg", "--format", "png"), "contradicts"),
    ],
)
def test_wrong_options_are_one_line_and_exit_2(photo, words, message):
    assert message in refused(2, "edge", photo, *words)
    assert [path.name for path in photo.parent.iterdir()] == ["photo.png"]


def test_a_request_that_does_not_fit_names_the_image_and_exits_1(photo):
    line = refused(1, "edge", photo, "--dilation", "200", "--padding", "valid")
    assert str(photo) in line and "does not fit" in line
    assert str(photo) in refused(1, "pool", photo, "--size", "400")


def test_several_maps_do_not_go_into_one_image(photo):
    assert "give a folder" in refused(2, "filter", photo, "-k", "sobel_x", "-k", "sobel_y", "-o", photo.with_name("out.png"))
    assert "no kernel given" in refused(2, "filter", photo)


def test_a_missing_file_is_reported_and_the_others_are_processed(photo):
    done = imgconv("edge", photo.with_name("missing.jpg"), photo)
    assert done.code == 1
    assert "missing.jpg: " in done.err and "no such file" in done.err
    assert photo.with_name("photo.edge.png").exists()
