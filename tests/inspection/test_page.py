"""The page of an explanation as a file: its size, its policy, its data, and the command that writes it."""

import json
import re
import zlib
from base64 import b64decode, b64encode
from dataclasses import replace
from hashlib import sha256
from math import ceil
from pathlib import Path

import numpy as np
import pytest
from command import PHOTO, SAMPLES, imgconv, refused

import imgconv as api
from imgconv.batch.sources import first_image
from imgconv.errors import DoesNotFit, UsageError
from imgconv.images import Raster, Request
from imgconv.inspection.page import bundle, explanation_page
from imgconv.modes import Morphology
from imgconv.process.missing import located
from imgconv.recipe import Canny, MissingData, Pool, Postprocess, Recipe, filter_recipe, network_recipe
from imgconv.recipe.operations import OPERATIONS

pytestmark = pytest.mark.sweep(2)

FOLDER = Path(bundle.__file__).parent
OVERLAY = Postprocess(overlay=True)
RECIPES = [
    filter_recipe(["laplacian8"], command="edge"),
    filter_recipe(["sobel", "gaussian:sigma=2"]),
    Recipe("pool", Pool(3, "median")),
    Recipe("canny", Canny()),
    network_recipe(["conv sobel_x sobel_y padding=1", "relu", "max_pool 2"]),
]


def photograph(size, channels=3, dtype=np.uint8):
    """Something like a photograph of a noisy camera, (H, W, C)."""
    rng = np.random.default_rng(7)
    rows, columns = np.indices(size)
    waves = 120 + 60 * np.sin(rows / 17) + 50 * np.cos(columns / 23)
    levels = (waves[..., None] + rng.normal(0, 6, (*size, channels))).clip(0, 255)
    return Raster((levels * (257 if dtype == np.uint16 else 1)).astype(dtype))


def data_of(page):
    """The data in a page, as its script reads them."""
    packed = re.search(r'<script type="text/plain" id="data">([^<]*)</script>', page.html)
    return json.loads(zlib.decompress(b64decode(packed[1])))


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.command)
@pytest.mark.parametrize("name", ["chelsea.jpg", "camera.png", "logo_transparent.png", "ramp_16bit.png", "animated.gif"])
def test_pages_of_the_samples_are_small(recipe, name):
    image = first_image(str(SAMPLES / name), Request(recipe.luma))
    page = explanation_page(image, recipe, source=name)
    assert len(page.html.encode()) < bundle.LARGEST
    photo = data_of(page)["photo"]
    assert photo["width"] <= 640 and photo["height"] <= 480


@pytest.mark.parametrize("size", [(480, 640), (640, 480), (481, 641), (1, 2000), (7, 5)])
@pytest.mark.parametrize("kind", [(3, np.uint8), (1, np.uint8), (3, np.uint16), (1, np.float32)], ids=str)
def test_a_photograph_is_scaled_down_until_its_page_is_small(size, kind):
    image = photograph(size, *kind)
    page = explanation_page(image, filter_recipe(["laplacian8"]), source="photo.png")
    data = data_of(page)
    height, width, factor = data["photo"]["height"], data["photo"]["width"], data["from"]["factor"]
    assert len(page.html.encode()) < bundle.LARGEST == 400_000 and max(height, width) <= 640 and min(height, width) <= 480
    assert (height, width) == (max(size[0] // factor, 1), max(size[1] // factor, 1))
    assert data["from"]["reduced"] == (factor > max(ceil(max(size) / 640), ceil(min(size) / 480)))


def test_the_pixels_are_those_of_an_average_pool():
    image = photograph((500, 900), 1)
    photo = bundle.page_photo(image, grey=False, crop=(40, 20, 700, 300))
    expected = api.pool(image.pixels[20:320, 40:740, 0], photo.factor, "avg")
    assert np.array_equal(photo.image.pixels[..., 0], expected)


def test_the_policy_names_both_scripts_and_the_one_style():
    html = explanation_page(photograph((9, 9)), RECIPES[0], source="photo.jpg").html
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', html)[1]
    script = re.search(r'<script type="module">(.*?)</script>', html, re.DOTALL)[1]
    unpacked = zlib.decompress(b64decode(re.search(r'id="script">([^<]*)</script>', html)[1])).decode()
    style = re.search(r"<style>(.*?)</style>", html, re.DOTALL)[1]
    for kind, texts in (("script", [script, unpacked]), ("style", [style])):
        hashes = [f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'" for text in texts]
        assert f"{kind}-src {' '.join(hashes)};" in policy
    assert policy.startswith("default-src 'none'") and "unsafe" not in policy
    assert "://" not in html and not re.search(r"\s(src|action|style|on\w+)=", html.replace(script, ""))


@pytest.mark.parametrize("name", ["</script><b>", "a'b\"c.jpg", "new\nline.jpg", "not utf-8 \udcff.jpg", "\u202eright to left"])
def test_a_name_stays_in_the_data(name):
    image = photograph((9, 9))
    page = explanation_page(image, RECIPES[0], source=name)
    plain = explanation_page(image, RECIPES[0], source="plain.jpg")
    assert page.html.count("<") == plain.html.count("<")
    assert data_of(page)["name"].isprintable()


def test_every_module_is_bundled_once_and_shares_one_scope():
    script = bundle.bundled(bundle.MAIN) + bundle.bundled(bundle.START)
    names = re.findall(r"^(?:async )?(?:function|class|const|let) (\w+)", "\n".join(top_lines()), re.MULTILINE)
    assert len(names) == len(set(names)) > 100
    assert all(re.search(rf"\b{name}\b", script) for name in names)
    assert not re.search(r"^(import|export) ", script, re.MULTILINE)


def top_lines():
    for file in sorted(FOLDER.glob("*.js")):
        yield from (re.sub(r"^export ", "", line) for line in file.read_text(encoding="utf-8").splitlines())


def test_every_kernel_is_in_the_menu():
    data = data_of(explanation_page(photograph((9, 9)), RECIPES[0], source="photo.jpg"))
    assert {entry["name"] for entry in data["menu"]} >= set(api.kernels())


def test_the_cell_is_that_of_the_pixel():
    image = photograph((600, 800), 1)
    for recipe, at in ((filter_recipe(["box:size=3"], stride=2), (100, 50)), (Recipe("pool", Pool(2)), (399, 299))):
        data = data_of(explanation_page(image, recipe, source="photo.png", at=at))
        factor = data["from"]["factor"]
        assert factor > 1 and data["at"] == [at[0] // factor, at[1] // factor]
    crop = data_of(explanation_page(image, filter_recipe(["identity"]), source="photo.png", at=(130, 45), crop=(120, 40, 50, 60)))
    assert crop["at"] == [10, 5] and crop["photo"]["width"] == 50


@pytest.mark.parametrize(
    "options, error, fact",
    [
        ({"crop": (0, 0, 10, 5)}, UsageError, "9 wide and 9 high"),
        ({"crop": (2, 2, 0, 5)}, UsageError, "2,2,0,5"),
        ({"at": (9, 0)}, DoesNotFit, "9 wide"),
        ({"at": (1, 1), "crop": (4, 4, 5, 5)}, DoesNotFit, "--crop"),
    ],
)
def test_parts_and_pixels_outside_are_refused(options, error, fact):
    with pytest.raises(error, match=fact):
        explanation_page(photograph((9, 9)), RECIPES[0], source="photo.png", **options)


@pytest.mark.parametrize("recipe", [filter_recipe(["sobel"], grey=True, postprocess=OVERLAY), Recipe("canny", Canny(), OVERLAY)], ids=str)
def test_grey_maps_are_drawn_over_colours(recipe):
    data = data_of(explanation_page(photograph((9, 9)), recipe, source="photo.png"))
    assert data["photo"]["names"] == ["red", "green", "blue"] and not data["grey"] and data["branches"][0][0]["overlay"]


@pytest.mark.parametrize("factor", [1, 2])
@pytest.mark.parametrize("nodata, mask", [("0", None), ("none", None), ("auto", "one"), ("auto", "each")])
def test_missing_cells_are_those_of_the_image(nodata, mask, factor):
    image = photograph((480 * factor, 64))
    masks = {"one": image.pixels[..., 0] > 100, "each": image.pixels > 100}
    image.pixels[5:9, 3:6, 1] = 0
    recipe = filter_recipe(["sobel"], missing_data=MissingData.of(nodata, masks.get(mask)))
    photo = bundle.page_photo(located(image, recipe.missing_data), grey=False, crop=None)
    facts = data_of(explanation_page(image, recipe, source="photo.png"))["photo"]
    assert facts["masks"] == {"none": 0, "auto": {"one": 1}.get(mask, 3), "0": 3}[nodata]
    if nodata == "none":
        assert photo.image.valid is None
        return
    valid = image.pixels != 0 if mask is None else np.broadcast_to(masks[mask].reshape(480 * factor, 64, -1), image.pixels.shape)
    blocks = lambda values: values.reshape(480, factor, 64 // factor, factor, 3)  # noqa: E731
    counts = blocks(valid).sum(axis=(1, 3))
    means = blocks(image.pixels * valid).sum(axis=(1, 3)) / np.maximum(counts, 1)
    assert np.array_equal(photo.image.valid == 0, counts == 0) and (counts == 0).any()
    assert np.array_equal(photo.image.pixels, np.rint(means))


STEPS = {
    **{op: op for op in ("grey", "relu", "leaky_relu", "sigmoid", "tanh", "abs", "combine", "flatten", "softmax")},
    **{op: f"{op} 2" for op in ("scale", "max_pool", "min_pool", "avg_pool", "median_pool", "adaptive_avg_pool", "adaptive_max_pool")},
    **{op: f"{op} sobel_x" for op in ("conv", "conv_transpose", "depthwise")},
    **{op: f"{op} '1 1; 0 1'" for op in Morphology.names()},
    **{"pad": "pad 2", "deform_conv": "deform_conv box:size=3 offset=offsets.npy"},
    **{"normalize": "normalize 0.5 0.5", "pointwise": "pointwise '1 0 0; 0 1 1'", "linear": "linear weights=w.npy"},
}


def test_every_step_has_a_view(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("w.npy", np.ones((2, 9), np.float32))
    np.save("offsets.npy", np.linspace(-1, 1, 18, dtype=np.float32))
    assert set(STEPS) == set(OPERATIONS)
    for op, text in STEPS.items():
        steps = ["flatten", text] if op == "linear" else [text]
        image = photograph((3, 3), 1 if op == "linear" else 3)
        (specs,) = data_of(explanation_page(image, network_recipe(steps), source="photo.png"))["branches"]
        assert specs[-1]["op"] == op


def test_a_large_network_gets_a_smaller_photograph():
    steps = ["conv sobel_x sobel_y laplacian8 box:size=3 padding=same"] * 3
    data = data_of(explanation_page(photograph((480, 640), 1), network_recipe(steps), source="photo.png"))
    assert data["from"]["factor"] > 1


@pytest.mark.parametrize("shape", [(64, 96, 5, 5), (512, 512, 3, 3)])
def test_a_network_with_too_many_weights_for_a_page_is_refused(tmp_path, monkeypatch, shape):
    monkeypatch.chdir(tmp_path)
    np.save("w.npy", np.random.default_rng(0).normal(size=shape).astype(np.float32))
    with pytest.raises(UsageError, match=r"the page would have \d+ KB with the weights, and may have 400 KB"):
        explanation_page(photograph((9, 9)), network_recipe(["conv weights=w.npy"]), source="photo.jpg")


@pytest.mark.parametrize("size", [(40, 30), (960, 1280)])
@pytest.mark.parametrize(
    "recipe, names",
    [
        (filter_recipe(["gaussian5"]), ["red", "green", "blue", "alpha"]),
        (filter_recipe(["gaussian5"], grey=True), ["grey"]),
        (filter_recipe(["gaussian5"], grey=True, alpha="keep"), ["grey", "alpha"]),
        (filter_recipe(["gaussian5"], alpha="drop"), ["red", "green", "blue"]),
        (network_recipe(["max_pool 2"]), ["red", "green", "blue", "alpha"]),
        (filter_recipe(["sobel"], grey=True, postprocess=OVERLAY), ["red", "green", "blue", "alpha"]),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else "",
)
def test_alpha_is_on_the_page_where_the_map_has_it(recipe, names, size):
    image = replace(photograph(size, 4), alpha=True)
    data = data_of(explanation_page(image, recipe, source="photo.png"))
    assert data["photo"]["names"] == names and data["overBlack"] == ("alpha" not in names)


def test_the_command_writes_a_page(tmp_path):
    done = imgconv("explain", PHOTO, "-k", "sobel_x", "--at", "3,4", "--crop", "0,0,40,30", "--quiz", "--html", "page.html", cwd=tmp_path)
    assert done.code == 0 and done.out == b"" and "page.html: " in done.err
    html = (tmp_path / "page.html").read_text(encoding="utf-8")
    data = data_of(bundle.Page(html))
    assert data["quiz"] and data["at"] == [3, 4] and data["branches"][0][0]["reference"] == "sobel_x"


@pytest.mark.parametrize(
    "words, fact",
    [
        (["--quiz"], "--html"),
        (["--crop", "1,2,3,4"], "--html"),
        (["--crop", "1,2,3", "--html", "a.html"], "X,Y,W,H"),
        (["--crop", "1,2,3,x", "--html", "a.html"], "100,50,320,240"),
        (["--html", "page.txt"], ".html"),
    ],
)
def test_wrong_options_are_refused(tmp_path, words, fact):
    assert fact in refused(2, "explain", PHOTO, *words, cwd=tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("at", [(5, 6), None])
def test_python_writes_and_returns_the_same_page(tmp_path, at):
    explanation = api.explain(PHOTO, "sobel_x", at=at, html=tmp_path / "page.html", crop=(0, 0, 40, 30))
    page = explanation.show(crop=(0, 0, 40, 30))
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == page.html
    frame = page._repr_html_()
    assert frame.startswith("<iframe srcdoc=") and 'sandbox="allow-scripts' in frame and frame.count("<") == 2
    with pytest.raises(ValueError, match="html="):
        api.explain(PHOTO, "sobel_x", quiz=True)
