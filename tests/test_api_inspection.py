"""`imgconv.plan`, `explain`, `figure` and `learn`: the text and the JSON of the commands, from every kind of image."""

import inspect
import json
import shutil
from dataclasses import fields
from html.parser import HTMLParser
from io import BytesIO

import numpy as np
import pytest
from command import PHOTO, SAMPLES
from command import imgconv as command
from PIL import Image

import imgconv
from imgconv import layers
from imgconv.recipe.selection import Selection

CAMERA, LOGO = SAMPLES / "camera.png", SAMPLES / "logo_transparent.png"
STEPS = ["conv sobel_x sobel_y padding=1", "relu", "max_pool 2"]
OPERATIONS = [
    ({}, ()),
    ({"kernel": "sobel"}, ("-k", "sobel")),
    (
        {"kernel": ["sobel_x", "box:size=5"], "grey": True, "stride": (2, 3)},
        ("-k", "sobel_x", "-k", "box:size=5", "--grey", "--stride", "2x3"),
    ),
    ({"padding_mode": ("constant", 7), "padding": 2}, ("--padding-mode", "constant:7", "--padding", "2")),
    (
        {"kernel": "relief", "range": "minmax", "invert": True, "dilation": 2},
        ("-k", "relief", "--range", "minmax", "--invert", "--dilation", "2"),
    ),
    ({"overlay": True, "threshold": 40}, ("--overlay", "--threshold", "40")),
    ({"size": 3, "mode": "median", "stride": 2}, ("--size", "3", "--mode", "median", "--stride", "2")),
    ({"mode": "avg", "ceil_mode": True}, ("--mode", "avg", "--ceil-mode")),
    ({"canny": True}, ("--canny",)),
    ({"sigma": 2, "low": 0.8, "high": 0.95, "quantiles": True}, ("--sigma", "2", "--low", "80%", "--high", "95%")),
    ({"step": STEPS}, ("-s", STEPS[0], "-s", STEPS[1], "-s", STEPS[2])),
]
CALLS = (imgconv.plan, imgconv.explain, imgconv.figure)


def written(*words):
    done = command(*words)
    assert done.code == 0, done.err
    return done.out.decode()


@pytest.mark.parametrize("options, words", OPERATIONS, ids=lambda value: "" if isinstance(value, dict) else " ".join(value))
@pytest.mark.parametrize("name", ["plan", "explain"])
def test_results_have_the_text_and_the_json_of_the_command(name, options, words):
    result = getattr(imgconv, name)(PHOTO, **options)
    assert f"{result}\n" == written(name, PHOTO, *words)
    assert result.to_dict() == json.loads(written(name, PHOTO, *words, "--json"))
    assert repr(result) == str(result)


def test_a_pixel_and_its_matrices():
    explanation = imgconv.explain(str(CAMERA), "sobel_x", at=(30, 40), matrix=True)
    words = ("explain", CAMERA, "-k", "sobel_x", "--at", "30,40", "--matrix")
    assert f"{explanation}\n" == written(*words) and explanation.to_dict() == json.loads(written(*words, "--json"))
    assert explanation.at == (30, 40) and explanation.maps[0].written == [np.asarray(imgconv.filter(CAMERA, "sobel_x"))[40, 30]]


@pytest.mark.parametrize("shape, text", [((3, 224, 224), "3x224x224"), ([9, 12], "9x12")])
def test_a_plan_of_a_bare_shape(shape, text):
    plan = imgconv.plan(shape, step=STEPS)
    words = ("plan", "--shape", text, *(word for step in STEPS for word in ("-s", step)))
    assert plan.to_dict() == imgconv.plan(shape=shape, recipe=STEPS).to_dict() == json.loads(written(*words, "--json"))
    assert f"{plan}\n" == written(*words)


class Lender:
    """An object that lends its memory by one protocol only."""

    def __init__(self, array, protocol):
        setattr(type(self), protocol, lambda self, *args, **options: getattr(array, protocol)(*args, **options))


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.__name__)
@pytest.mark.parametrize("kind", ["PIL", "array", "__array__", "__dlpack__"])
def test_images_of_every_kind_give_the_result_of_the_file(call, kind):
    with Image.open(CAMERA) as image:
        array = np.array(image)
        lender = {"PIL": image, "array": array}.get(kind)
        if lender is None:
            lender = type("Lender", (Lender,), {"__dlpack_device__": lambda self: array.__dlpack_device__()})(array, kind)
        result, expected = call(lender, "sobel").to_dict(), call(CAMERA, "sobel").to_dict()
    same = result.keys() - {"source", "title"}
    assert {key: result[key] for key in same} == {key: expected[key] for key in same}
    assert result["source"] == ("an array of 512x512" if kind != "PIL" else str(CAMERA))


class Text(HTMLParser):
    """The text of a page, and its elements."""

    def __init__(self, page):
        super().__init__()
        self.elements, self.text = [], ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.elements.append(tag)

    def handle_data(self, data):
        self.text += f"{data} "


@pytest.mark.parametrize("options, words", OPERATIONS, ids=lambda value: "" if isinstance(value, dict) else " ".join(value))
@pytest.mark.parametrize("name", ["plan", "explain"])
def test_html_has_the_words_of_the_text_in_tables(name, options, words):
    result = getattr(imgconv, name)(PHOTO, **options)
    page = Text(result._repr_html_())
    assert set(str(result).split()) <= set(page.text.split()) and "table" in page.elements
    assert set(page.elements) <= {"div", "span", "table", "tr", "td", "th", "pre"}


def test_names_of_files_are_text_in_html(tmp_path):
    copy = shutil.copy(CAMERA, tmp_path / "<img src=x onerror=alert(1)>.png")
    for call in (imgconv.plan, imgconv.explain):
        page = call(copy, size=2)._repr_html_()
        assert "<img" not in page and "&lt;img" in page


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.__name__)
def test_signatures_have_the_options_of_a_selection(call):
    parameters = inspect.signature(call).parameters
    for field in fields(Selection):
        if field.name not in ("kernel", "kernels_file", "step", "recipe", "missing_data", "window"):  # these take more kinds in Python
            assert (parameters[field.name].annotation, parameters[field.name].default) == (field.type, field.default), field.name
    assert not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())


def test_alpha_and_other_bands():
    pixels = np.random.default_rng(1).integers(0, 256, (6, 7, 4), np.uint8)
    bands = imgconv.explain(pixels, "sobel_x", alpha="none", at=(2, 3)).maps[0]
    assert bands.written == imgconv.filter(pixels, "sobel_x", alpha="none")[3, 2].tolist()
    assert [channel.channel for channel in bands.channels] == ["channel 1", "channel 2", "channel 3", "channel 4"]
    assert imgconv.plan(pixels, "sobel_x", alpha="none").steps[0].output == (4, 6, 7)
    assert imgconv.explain(LOGO, "box", alpha="drop").maps[0].channels[-1].channel == "blue"


def test_a_figure_is_the_page_of_the_command(tmp_path):
    figure = imgconv.figure(PHOTO, "sobel_x", output=tmp_path / "python.png")
    figure.save(str(tmp_path / "saved.png"))
    assert (tmp_path / "saved.png").read_bytes() == (tmp_path / "python.png").read_bytes()
    assert command("figure", PHOTO, "-k", "sobel_x", "-o", tmp_path / "shell.png").code == 0
    page = (tmp_path / "shell.png").read_bytes()
    assert page == figure.draw() == (tmp_path / "python.png").read_bytes()
    with Image.open(BytesIO(figure._repr_png_())) as shown:
        assert shown.size == (1280, 720) and len(page) > 1.5 * len(figure._repr_png_())
    assert figure.exhibit.title == "sobel_x on coffee.jpg" and repr(figure) == "<Figure: sobel_x on coffee.jpg>"
    json.dumps(figure.to_dict())
    steps = imgconv.figure(CAMERA, step=STEPS, keep=["conv", 3]).exhibit
    assert [group.title for group in steps.groups] == ["input", "1 conv  sobel_x sobel_y padding=1", "3 max_pool  2"]


def test_an_animation(tmp_path):
    imgconv.explain(CAMERA, "box", at=(9, 9), animate=tmp_path / "a.gif")
    with Image.open(tmp_path / "a.gif") as image:
        assert image.n_frames == 25


@pytest.fixture(scope="module")
def sharp(tmp_path_factory):
    """A photograph, and what a kernel makes of it."""
    file = tmp_path_factory.mktemp("learn") / "sharp.png"
    imgconv.filter(PHOTO, "sharpen4").save(file)
    return file


@pytest.mark.parametrize(
    "options, words",
    [
        ({}, ()),
        ({"size": (3, 5), "channels": "each"}, ("--size", "3x5", "--channels", "each")),
        ({"descend": True, "steps": 30}, ("--descend", "--steps", "30")),
    ],
)
def test_learnt_kernels_have_the_text_and_the_json_of_the_command(sharp, options, words):
    learnt = imgconv.learn(PHOTO, sharp, **options)
    assert f"{learnt}\n" == written("learn", PHOTO, sharp, *words)
    assert learnt.to_dict() == json.loads(written("learn", PHOTO, sharp, *words, "--json"))
    assert "table" in Text(learnt._repr_html_()).elements


def test_missing_cells_of_arrays_and_files_are_not_used_for_learning(tmp_path):
    rng = np.random.default_rng(8)
    heights, valid = rng.integers(1, 250, (50, 60), np.uint8), rng.random((50, 60)) > 0.05
    soft, kernel = imgconv.filter(heights, "1 2 1; 2 4 2; 1 2 1 / 16"), [[1, 2, 1], [2, 4, 2], [1, 2, 1]]
    holed = np.where(valid, heights, 255).astype(np.uint8)
    assert imgconv.learn(holed, soft).kernel.divisor != 16
    for learnt in (
        imgconv.learn(np.ma.masked_array(holed, ~valid), soft),
        imgconv.learn(holed, soft, mask=valid),
        imgconv.learn(holed, soft, nodata=255),
    ):
        assert (learnt.kernel.taps.tolist(), learnt.kernel.divisor) == (kernel, 16)
    names = [tmp_path / name for name in ("holed.png", "soft.png", "mask.png")]
    for name, pixels in zip(names, (holed, soft, valid.astype(np.uint8)), strict=True):
        Image.fromarray(pixels).save(name)
    for words in (["--mask", names[2]], ["--nodata", "255"]):
        assert json.loads(written("learn", *names[:2], *words, "--json"))["fits"][0]["taps"] == [[kernel]]


def test_kernels_are_learnt_from_pairs_of_any_kind_and_stored(sharp, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    with Image.open(PHOTO) as before, Image.open(sharp) as after:
        pairs = ([before, CAMERA], [np.array(after), imgconv.filter(Image.open(CAMERA), "sharpen4")])
        learnt = imgconv.learn(*pairs, name="mine", output=tmp_path / "w.npy")
        with pytest.warns(UserWarning, match="the new kernel sobel replaces the built-in kernel"):
            imgconv.learn(*pairs, name="sobel").save(tmp_path / "again.npy")
    assert learnt.kernel.taps.tolist() == [[0, -1, 0], [-1, 5, -1], [0, -1, 0]] == imgconv.kernel("mine").taps.tolist()
    assert np.array_equal(np.load(tmp_path / "w.npy"), learnt.weights)
    with pytest.raises(ValueError, match=r"already has a kernel 'mine'.*force="):
        imgconv.learn(PHOTO, sharp, name="mine")
    assert imgconv.learn(PHOTO, sharp, name="mine", force=True).sources == (str(PHOTO), str(sharp))


BANDS = np.zeros((5, 6, 9), np.uint8)


@pytest.mark.parametrize(
    "call, error, facts",
    [
        (lambda: imgconv.plan(), ValueError, "no image given.*shape"),
        (lambda: imgconv.plan(PHOTO, shape=(3, 4)), ValueError, "both an image and a shape"),
        (lambda: imgconv.plan((3, 0, 4)), ValueError, "at least 1"),
        (lambda: imgconv.plan((3.5, 4)), TypeError, "whole number"),
        (lambda: imgconv.plan(PHOTO, "box", size=2), ValueError, "^kernel= cannot be used with a pool"),
        (lambda: imgconv.plan(PHOTO, "box", padding="valid", size=None, kernel_size=2), TypeError, "kernel_size"),
        (lambda: imgconv.plan(PHOTO, "box:size=999", padding="valid"), ValueError, r"coffee\.jpg: .*999x999"),
        (lambda: imgconv.plan(PHOTO, []), ValueError, "kernel is empty"),
        (lambda: imgconv.plan(PHOTO, [[1, 2]]), TypeError, "kernel is of type list"),
        (lambda: imgconv.plan(5), TypeError, "image is of type int"),
        (lambda: imgconv.plan(b"row"), ValueError, "shape must be .*not b'row'"),
        (lambda: imgconv.plan(PHOTO, threshold="9"), TypeError, "threshold must be a number, not '9'"),
        (lambda: imgconv.explain(PHOTO, sigma="9"), TypeError, "sigma must be a number, not '9'"),
        (lambda: imgconv.explain(PHOTO, min_valid="9"), TypeError, "min_valid must be a number, not '9'"),
        (lambda: imgconv.plan(PHOTO, padding_mode=("constant", "9")), TypeError, "constant of padding_mode must be a number, not '9'"),
        (lambda: imgconv.canny(PHOTO, low="9"), TypeError, "low must be a number, not '9'"),
        (lambda: imgconv.plan(PHOTO, step=["relu", 3]), TypeError, "a step is text.*not 3"),
        (lambda: imgconv.run(PHOTO, layers.Sequential(layers.ReLU())), TypeError, r"a step is text.*not Sequential\( \(0\): ReLU\(\) \)$"),
        (lambda: imgconv.run(PHOTO, "relu"), ValueError, "^'relu' is not a recipe file; give a list of steps, or a recipe file$"),
        (lambda: imgconv.kernel([[1, 2]]), TypeError, "^reference is of type list; use text"),
        (lambda: imgconv.pool(PHOTO, window=3), TypeError, "^window is of type int; use a reference such as 'disk:radius=3'.*size$"),
        (lambda: imgconv.plan(PHOTO, window="3x3"), ValueError, "name a kernel such as square:size=3, or use size="),
        (lambda: imgconv.edge(PHOTO, padding_mode="constant:3"), ValueError, r'use \("constant", value\)$'),
        (lambda: imgconv.run(PHOTO, 3), TypeError, "a step is text.*not 3"),
        (lambda: imgconv.plan(BANDS, "box", overlay=True), ValueError, "an image of 9 channels.*leave out overlay="),
        (lambda: imgconv.edge(BANDS), ValueError, "9 channels has no luma; use grey=False"),
        (lambda: imgconv.canny(BANDS), ValueError, "9 channels has no luma; use one of 1 or 3"),
        (lambda: imgconv.learn(BANDS, BANDS), ValueError, "9 channels has no luma; use channels='each' or all"),
        (lambda: imgconv.edge(BANDS, threads="9"), TypeError, "threads must be a whole number"),
        (lambda: imgconv.learn(BANDS, BANDS, steps="9"), TypeError, "steps must be a whole number"),
        (lambda: imgconv.edge(PHOTO, mask="nope.png"), OSError, r"^nope\.png: .*no such file"),
        (lambda: imgconv.plan(PHOTO, mask=3), TypeError, "^mask is of type int"),
        (lambda: imgconv.run(PHOTO, ["relu"], keep="conv"), ValueError, "^keep='conv' is not a step"),
        (lambda: imgconv.plan(PHOTO, canny=True, grey=False), ValueError, "^grey=False cannot be used with canny"),
        (lambda: imgconv.plan(PHOTO, canny=True, missing="fill"), ValueError, "^missing= cannot be used with canny"),
        (lambda: imgconv.plan(PHOTO, canny=True, min_valid=0.5), ValueError, "^min_valid= cannot be used with canny"),
        (lambda: imgconv.explain(PHOTO, quiz=True), ValueError, 'add html="FILE.html"'),
        (lambda: imgconv.run(BANDS, ["grey"]), ValueError, "step 1.*1 or 3 channels have a luma"),
        (lambda: imgconv.explain("nope.jpg"), OSError, r"nope\.jpg: .*no such file"),
        (lambda: imgconv.explain(PHOTO, at=(700, 0)), ValueError, r"coffee\.jpg: pixel 700,0 lies outside.*at="),
        (lambda: imgconv.explain(PHOTO, at=5), ValueError, "at must be"),
        (lambda: imgconv.explain(PHOTO, size=2, matrix=True), ValueError, "^matrix= shows one filter; give kernel="),
        (lambda: imgconv.explain(PHOTO, animate="a.bmp"), ValueError, r"^animate=.*\.gif"),
        (lambda: imgconv.figure(PHOTO, keep=1), ValueError, "^keep= selects steps.*give step= or recipe="),
        (lambda: imgconv.figure(PHOTO, output="a.jpg"), ValueError, r"^output=.*\.pdf"),
        (lambda: imgconv.figure(CAMERA, "box").save("a.jpg"), ValueError, r"^path: .*\.pdf"),
        (lambda: imgconv.explain(PHOTO, html="a.pdf"), ValueError, r"^html=: .*\.html"),
        (lambda: imgconv.explain(CAMERA, "box").show().write("a.pdf"), ValueError, r"^output: .*\.html"),
        (lambda: imgconv.figure(PHOTO, output="none/a.png"), OSError, "^none/a.png: no such file"),
        (lambda: imgconv.learn(PHOTO, PHOTO, size=99), ValueError, "size must be from 1 to 31, not 99"),
        (lambda: imgconv.learn(PHOTO, PHOTO, steps=0), ValueError, "steps must be"),
        (lambda: imgconv.learn(PHOTO, PHOTO, channels="rgb"), ValueError, "channels 'rgb' is unknown"),
        (lambda: imgconv.learn([PHOTO], [PHOTO, PHOTO]), ValueError, "1 images before and 2 after"),
        (lambda: imgconv.learn(PHOTO, CAMERA), ValueError, r"coffee\.jpg and .*camera\.png: images of 600x400 and 512x512"),
        (lambda: imgconv.learn(PHOTO, PHOTO, channels="all", name="x"), ValueError, "^name= cannot store.*output="),
    ],
)
def test_errors_speak_python_and_name_the_file(call, error, facts):
    with pytest.raises(error, match=facts) as caught:
        call()
    assert "--" not in str(caught.value) and " -k" not in str(caught.value)


def test_no_output_replaces_an_image(tmp_path):
    copy = shutil.copy(CAMERA, tmp_path / "camera.png")
    for call in (lambda: imgconv.figure(copy, output=copy), lambda: imgconv.explain(copy, animate=copy)):
        with pytest.raises(ValueError, match="is the input"):
            call()
