"""`imgconv run` as a process of its own, on real photographs."""

import io
import json
import re
import shutil
from pathlib import Path

import numpy as np
import oracle_image as oracle
import pytest
from command import PHOTO, SAMPLES, imgconv, refused
from image_files import pixels_of
from PIL import Image

NETWORKS = Path(__file__).parents[1] / "data" / "networks"
RECIPES = Path(__file__).parents[2] / "recipes"
DOCUMENT = (RECIPES.parent / "docs" / "recipes.md").read_text()
SOBEL = ("-s", "grey", "-s", "conv sobel_x sobel_y")


@pytest.fixture
def photo(tmp_path):
    """A PNG of odd size cut out of a photograph."""
    path = tmp_path / "photo.png"
    with Image.open(PHOTO) as image:
        image.crop((0, 0, 91, 67)).save(path)
    return path


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    folder = tmp_path_factory.mktemp("digits")
    for file in NETWORKS.glob("digit_*.png"):
        shutil.copy(file, folder)
    return folder


def sobel_of(path):
    with Image.open(path) as image:
        grey = np.array(image.convert("L"))[..., None]
    return [
        oracle.correlate(grey, taps, pads=((0, 0), (0, 0)))[..., 0]
        for taps in ([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], [[-1, -2, -1], [0, 0, 0], [1, 2, 1]])
    ]


def test_colours_stay_together_in_one_image(photo):
    done = imgconv("run", photo, "-s", "conv laplacian8 padding=1", "-s", "relu", "-s", "max_pool 2")
    assert done.code == 0 and done.out == b"" and done.err == f"{photo} -> {photo.with_name('photo.run.png')}\n"
    sums = oracle.correlate(pixels_of(photo), [[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]], mode="zeros")
    expected = np.clip(sums[:66, :90], 0, 255).reshape(33, 2, 45, 2, 3).max((1, 3))
    assert np.array_equal(pixels_of(photo.with_name("photo.run.png")), expected)


def test_an_image_and_a_json_entry_for_each_map(photo):
    done = imgconv("run", photo, *SOBEL, "--json")
    line = json.loads(done.out)
    paths = [photo.with_name(f"photo.run-{n}.png") for n in (1, 2)]
    assert line["outputs"] == list(map(str, paths)) and line["shapes"] == [[1, 65, 89]] * 2 and line["error"] is None
    for path, sums, entry in zip(paths, sobel_of(photo), line["maps"], strict=True):
        expected = np.minimum(np.abs(sums), 255)
        assert np.array_equal(pixels_of(path), expected)
        assert entry["max"] == expected.max() and entry["mean"] == pytest.approx(expected.mean())


def test_raw_numbers_in_every_format_that_holds_them(photo, tmp_path):
    for name, *options in (("m.npy",), ("m.npz",), ("m.tiff", "--range", "raw")):
        assert imgconv("run", photo, *SOBEL, "-o", tmp_path / name, *options).code == 0
    maps = np.load(tmp_path / "m.npy")
    assert maps.dtype == np.float32 and np.array_equal(maps, sobel_of(photo))
    with np.load(tmp_path / "m.npz") as arrays:
        assert {name: array.shape for name, array in arrays.items()} == {"run-1": (1, 65, 89), "run-2": (1, 65, 89)}
        assert np.array_equal(arrays["run-2"][0], maps[1])
    with Image.open(tmp_path / "m.tiff") as pages:
        pages.seek(1)
        assert np.array_equal(np.array(pages), maps[1])


def test_selected_steps_and_a_sheet(photo, tmp_path):
    assert imgconv("run", photo, *SOBEL, "-s", "combine", "--keep", "conv", "--keep", "3", "-o", tmp_path / "out").code == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "photo.run.2-conv-1.png",
        "photo.run.2-conv-2.png",
        "photo.run.3-combine.png",
    ]
    assert imgconv("run", photo, *SOBEL, "--sheet").code == 0
    sheet = pixels_of(photo.with_name("photo.run.png"))
    assert sheet.shape == (65, 89 * 2 + 2)
    assert imgconv("run", photo, *SOBEL, "--sheet", "-o", tmp_path / "sheet.tiff").code == 0
    assert np.array_equal(pixels_of(tmp_path / "sheet.tiff"), sheet)


def test_pipes_of_numbers_and_images(photo):
    first = imgconv("run", "-", "-s", "conv sobel_x", "--format", "npy", stdin=photo.read_bytes())
    second = imgconv("run", "-", "-s", "abs", stdin=first.out)
    assert np.array_equal(np.load(io.BytesIO(second.out)), np.abs(np.load(io.BytesIO(first.out))))
    drawn = imgconv("run", "-", "-s", "min_pool 2", stdin=photo.read_bytes())
    with Image.open(io.BytesIO(drawn.out)) as image:
        assert image.size == (45, 33)


def test_a_pipe_of_several_steps_needs_a_format(photo):
    words = ("run", "-", "-s", "max_pool 2", "-s", "max_pool 2", "--keep", "1", "--keep", "2")
    assert "add --format png, tiff or npz" in refused(2, *words, stdin=photo.read_bytes())
    done = imgconv(*words, "--format", "npz", stdin=photo.read_bytes())
    with np.load(io.BytesIO(done.out)) as arrays:
        assert [array.shape for array in arrays.values()] == [(3, 33, 45), (3, 16, 22)]


def test_frames_each_by_themselves(tmp_path):
    for name in ("animated.gif", "pages.tiff"):
        shutil.copy(SAMPLES / name, tmp_path)
        with Image.open(SAMPLES / name) as image:
            frames = image.n_frames
        assert imgconv("run", tmp_path / name, "-s", "conv laplacian4 padding=1").code == 0
        (written,) = tmp_path.glob(f"{Path(name).stem}.run.*")
        with Image.open(written) as image:
            assert image.n_frames == frames


def test_sixteen_bits_stay_sixteen(tmp_path):
    deep = np.random.default_rng(3).integers(0, 65536, (15, 22), dtype=np.uint16)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    assert imgconv("run", tmp_path / "deep.png", "-s", "max_pool 1x2").code == 0
    assert np.array_equal(pixels_of(tmp_path / "deep.run.png"), np.maximum(deep[:, ::2], deep[:, 1::2]))


def test_a_lenet_reads_digits(digits, tmp_path):
    done = imgconv("run", digits, "--recipe", RECIPES / "lenet.toml", "--json", "-o", tmp_path / "out", "-q")
    lines = [json.loads(line) for line in done.out.splitlines()]
    assert done.code == 0 and len(lines) == 10
    for number, line in enumerate(lines):
        assert line["outputs"] == [str(tmp_path / "out" / f"digit_{number}.lenet.npy")]
        odds = [entry["mean"] for entry in line["maps"]]
        assert int(np.argmax(odds)) == number and sum(odds) == pytest.approx(1, rel=1e-6)
        assert np.array_equal(np.load(line["outputs"][0]), np.float32(odds))


def test_vectors_and_maps_in_one_file(digits, tmp_path):
    words = ("--recipe", RECIPES / "lenet.toml", "--keep", "conv", "--keep", "linear", "-o", tmp_path / "all.npz")
    assert imgconv("run", digits / "digit_7.png", *words).code == 0
    with np.load(tmp_path / "all.npz") as arrays:
        assert len(arrays) == 31 and arrays["lenet.10-linear"].shape == (10,) and arrays["lenet.3-conv-10"].shape == (1, 24, 24)


def test_many_images_as_one_batch(digits, tmp_path):
    with np.load(NETWORKS / "expected.npz") as arrays:
        expected = arrays["lenet.softmax"]
    done = imgconv("run", digits, "--recipe", RECIPES / "lenet.toml", "--batch", "-o", tmp_path / "all.npy", "--json")
    assert np.allclose(np.load(tmp_path / "all.npy"), expected, rtol=0, atol=1e-5)
    assert [json.loads(line)["source"] for line in done.out.splitlines()] == [str(digits / f"digit_{n}.png") for n in range(10)]
    assert imgconv("run", digits, "--recipe", RECIPES / "lenet.toml", "--keep", "conv", "--batch", "-o", tmp_path / "all.npz").code == 0
    with np.load(tmp_path / "all.npz") as arrays:
        assert {name: array.shape for name, array in arrays.items()} == {"lenet.3-conv": (10, 10, 24, 24), "lenet.6-conv": (10, 20, 8, 8)}


def test_a_batch_from_a_stream_of_images(digits):
    stream = b"".join((digits / f"digit_{n}.png").read_bytes() for n in (3, 1, 4))
    done = imgconv("run", "-", "-s", "scale 1", "--batch", stdin=stream)
    expected = np.stack([pixels_of(digits / f"digit_{n}.png") for n in (3, 1, 4)])[:, None]
    assert np.array_equal(np.load(io.BytesIO(done.out)), expected.astype(np.float32))


def test_a_batch_is_all_or_nothing(digits, photo, tmp_path):
    out = tmp_path / "all.npy"
    error = refused(1, "run", digits / "digit_1.png", photo, "-s", "relu", "--batch", "-o", out)
    assert f"{digits / 'digit_1.png'} is 1x28x28, {photo} is 3x67x91" in error
    broken = tmp_path / "broken.png"
    broken.write_bytes((digits / "digit_2.png").read_bytes()[:300])
    assert str(broken) in refused(1, "run", digits / "digit_1.png", broken, "-s", "relu", "--batch", "-o", out)
    assert "give it a file with -o NAME.npy" in refused(2, "run", photo, "-s", "relu", "--batch")
    assert "give it a file with -o NAME.npy" in refused(2, "run", photo, "-s", "relu", "--batch", "-o", tmp_path / "x.png")
    assert not out.exists()
    assert imgconv("run", photo, "-s", "relu", "--batch", "-o", out, "--dry-run").code == 0 and not out.exists()
    out.write_bytes(b"mine")
    assert "exists; leave out --no-clobber" in refused(1, "run", photo, "-s", "relu", "--batch", "-o", out, "--no-clobber")
    assert imgconv("run", photo, "-s", "relu", "--batch", "-o", out, "--skip-existing").code == 0 and out.read_bytes() == b"mine"
    np.save(tmp_path / "in.npy", np.zeros((5, 7), np.float32))
    assert "is the input" in refused(2, "run", tmp_path / "in.npy", "-s", "relu", "--batch", "-o", tmp_path / "in.npy")


def test_a_folder_run_skips_its_own_outputs(photo, tmp_path):
    for _ in range(2):
        done = imgconv("run", tmp_path, *SOBEL)
        assert done.code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photo.png", "photo.run-1.png", "photo.run-2.png"]
    assert "exists" in imgconv("run", photo, *SOBEL, "--skip-existing", "--json").out.decode()


def test_outputs_describe_the_steps(photo):
    imgconv("run", photo, "-s", "conv laplacian8 padding=1")
    with Image.open(photo.with_name("photo.run.png")) as image:
        assert "run conv laplacian8 padding=1" in image.info["Description"]


def test_a_broken_recipe_is_reported_before_any_image_is_opened(tmp_path):
    file = tmp_path / "net.toml"
    file.write_text("[recipes.net]\nsteps = [{ op = 'conv', kernel = 'sobbel' }]")
    error = refused(2, "run", tmp_path / "nowhere.png", "--recipe", file)
    assert error.startswith(f"imgconv: {file}: recipes.net: step 1 (conv kernel=sobbel): kernel 'sobbel' is unknown; nearest: sobel")


def test_a_step_that_does_not_fit_fails_that_image_alone(photo, tmp_path):
    Image.new("L", (5, 4)).save(tmp_path / "small.png")
    done = imgconv("run", tmp_path, "-s", "max_pool 5", "-o", tmp_path / "out")
    assert done.code == 1 and "small.png: step 1 (max_pool 5): got 1x4x5: kernel 5x5 does not fit" in done.err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["photo.run.png"]


@pytest.mark.parametrize(
    "words, message",
    [
        ((), "no steps are given; give each step with -s STEP"),
        (("-s", "relu", "--recipe", "x.toml"), "both steps and a recipe file"),
        (("--recipe", "gone.toml"), "gone.toml: cannot read this recipe file"),
        (("-s", "flatten", "-o", "x.png"), "png cannot hold a vector"),
        (("-s", "relu", "--sheet", "-o", "x.npy"), "--sheet makes an image"),
        (("-s", "relu", "-s", "abs", "--keep", "1", "--keep", "2", "-o", "x.npy"), "one .npy file cannot hold"),
        (("-s", "conv sobel", "-s", "grey", "--keep", "7"), "--keep '7' is not a step"),
        (("-s", "conv sobel", "-o", "x.png"), "2 maps do not fit in one png file"),
        (("-s", "relu", "--range", "raw"), "--range raw needs an output that holds floats"),
    ],
)
def test_wrong_usage(photo, words, message):
    assert message in refused(2, "run", photo, *words, cwd=photo.parent)


def test_the_recipe_of_the_document(photo):
    (text,) = re.findall(r"```toml\n(.*?)```", DOCUMENT, re.DOTALL)
    file = photo.with_name("this.toml")
    file.write_text(text)
    assert imgconv("run", photo, "--recipe", file).code == 0
    assert sorted(path.name for path in photo.parent.glob("*-*.png")) == ["photo.first_layers-1.png", "photo.first_layers-2.png"]


def test_help_loads_nothing_heavy():
    from test_startup import HEAVY, command, modules_after

    assert modules_after(command("run", "--help")).isdisjoint(HEAVY)
