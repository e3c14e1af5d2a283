"""Recipe files: chosen by name, paths of weights relative to them, and errors that name file, entry and remedy."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imgconv.errors import MissingExtra, UsageError
from imgconv.images import from_pil
from imgconv.process import process
from imgconv.recipe import network_recipe
from imgconv.recipe.parsing import read_recipe
from imgconv.registry.weights import read_layer

ROOT = Path(__file__).parents[2]
EXAMPLES = [f"{file.name}:{name}" for file in sorted((ROOT / "recipes").glob("*.toml")) for name in file.read_text().split("[recipes.")[1:]]


@pytest.fixture
def written(tmp_path):
    def write(text, name="net.toml"):
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return write


def test_one_recipe_needs_no_name_and_several_do(written):
    assert read_recipe(written("[recipes.edges]\nsteps = ['relu']\nrange = 'abs'")).name == "edges"
    file = written("[recipes.a]\nsteps = ['relu']\n[recipes.b]\nsteps = [{ op = 'abs' }, 'max_pool 2']")
    assert [step.op for step in read_recipe(f"{file}:b").steps] == ["abs", "max_pool"]
    with pytest.raises(UsageError, match=r"net.toml has 2 recipes; choose one as net.toml:NAME, of a, b"):
        read_recipe(file)
    with pytest.raises(UsageError, match="has no recipe 'c'; it has a, b"):
        read_recipe(f"{file}:c")


def test_paths_of_weights_are_relative_to_the_file(written, tmp_path, monkeypatch):
    (tmp_path / "nets").mkdir()
    np.save(tmp_path / "nets" / "w.npy", np.full((2, 1, 1, 1), 3.0))
    file = written("[recipes.x]\nsteps = [{ op = 'conv', weights = 'w.npy', bias = [1, 2] }, 'conv @w.npy groups=2']", "nets/net.toml")
    monkeypatch.chdir(tmp_path)
    first, second = read_recipe(file.relative_to(tmp_path)).steps
    assert first.operation.weight.ravel().tolist() == [3, 3] and first.operation.bias.tolist() == [1, 2]
    assert second.operation.groups == 2


def test_a_range_option_overrides_the_range_of_a_recipe(written):
    file = written("[recipes.edges]\nsteps = ['relu']\nrange = 'abs'")
    assert network_recipe(file=file).step.range == "abs"
    assert network_recipe(file=file, range="clip").step.range == "clip"


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "no recipe found; write"),
        ("[recipes]", "no recipe found; write"),
        ("[recipes.x", "not valid TOML: "),
        ("a = 1\n[recipes.x]\nsteps = ['relu',\n", "(at end of document)"),
        ("[recipes.x]\nsteps = ['relu']\nsteps = []", "not valid TOML: cannot overwrite a value (at "),
        ("[kernels.x]\nrows = [[1]]", "kernels: unknown section; recipes are [recipes.NAME]"),
        ("[recipes]\nx = 1", "recipes.x: must be a table"),
        ("[recipes.'a b']\nsteps = ['relu']", "recipes.a b: bad name"),
        ("[recipes.x]", "recipes.x: steps must be a list of at least one step"),
        ("[recipes.x]\nsteps = []", "recipes.x: steps must be a list"),
        ("[recipes.x]\nstep = ['relu']", "recipes.x: unknown key 'step'; allowed are description, source, range, steps"),
        ("[recipes.x]\nsteps = ['relu']\nrange = 'log'", "recipes.x: range 'log' is unknown"),
        ("[recipes.x]\nsteps = ['relu']\nsource = 3", "recipes.x: source must be a text"),
        ("[recipes.x]\nsteps = ['relu', { op = 'max_pool' }]", "recipes.x: step 2 (max_pool): kernel_size is missing"),
        ("[recipes.x]\nsteps = [{ kernel = 'sobel' }]", "recipes.x: step 1: a step must be a table with an op"),
        ("[recipes.x]\nsteps = [{ op = 'conv', weights = 'gone.npy' }]", "gone.npy: cannot read these weights"),
        ("[recipes.x]\nsteps = [{ op = 'conv', weights = [[nan]] }]", "weights must be finite numbers"),
    ],
)
def test_a_broken_file(written, text, message):
    file = written(text)
    with pytest.raises(UsageError) as error:
        read_recipe(file)
    text = str(error.value)
    assert text.startswith(f"{file}: ") and message in text and "\n" not in text


def test_files_that_cannot_be_read(tmp_path, written):
    with pytest.raises(UsageError, match="cannot read this recipe file"):
        read_recipe(tmp_path / "none.toml")
    with pytest.raises(UsageError, match="cannot read this recipe file"):
        read_recipe(tmp_path)
    (tmp_path / "latin.toml").write_bytes(b"# caf\xe9")
    with pytest.raises(UsageError, match="byte 5 is not UTF-8"):
        read_recipe(tmp_path / "latin.toml")


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_runs_on_a_photograph(example):
    file, _, name = example.partition(":")
    recipe = network_recipe(file=f"{ROOT / 'recipes' / file}:{name.partition(']')[0]}")
    with Image.open(ROOT / ("recipes/seven.png" if "lenet" in example else "sample_images/chelsea.jpg")) as image:
        raster = from_pil(image if "lenet" in example else image.crop((0, 0, 121, 91)))
    maps = process(raster, recipe)
    assert maps and all(np.isfinite(each.image.pixels).all() and each.image.pixels.any() for each in maps)
    if "lenet" in example:
        assert np.argmax([each.image.pixels.item() for each in maps]) == 7


def test_a_name_finds_weight_and_bias_of_a_layer(tmp_path):
    arrays = {"conv1.weight": np.ones((2, 1, 3, 3)), "conv1.bias": np.arange(2), "fc.weight": np.ones((4, 2))}
    np.savez(tmp_path / "net.npz", **arrays)
    for reference in ("net.npz:conv1", "@net.npz:conv1", "net.npz:conv1.weight"):
        weight, bias = read_layer(reference, tmp_path)
        assert weight.shape == (2, 1, 3, 3) and bias.tolist() == [0, 1]
    assert read_layer("net.npz:fc", tmp_path)[1] is None
    np.savez(tmp_path / "one.npz", weight=np.ones((2, 2)), bias=np.zeros(2))
    assert read_layer("one.npz", tmp_path)[1].tolist() == [0, 0]


@pytest.mark.parametrize(
    "reference, message",
    [
        ("net.npz", "holds several arrays; add :NAME, one of a, b"),
        ("net.npz:c", "has no array 'c'; it has a, b"),
        ("one.npy:a", "holds one array; leave out :a"),
        ("objects.npy", "holds Python objects, which are never loaded"),
        ("nan.npy", "is empty or holds NaN or infinity"),
        ("text.npy", "damaged, or not a file of weights"),
        ("gone.safetensors:a", "cannot read these weights"),
        ("photo.png", "is not a weights file"),
    ],
)
def test_weights_that_cannot_be_read(tmp_path, reference, message):
    np.savez(tmp_path / "net.npz", a=np.ones(2), b=np.ones(2))
    np.save(tmp_path / "one.npy", np.ones(2))
    np.save(tmp_path / "nan.npy", np.array([1, np.nan]))
    np.save(tmp_path / "objects.npy", np.array([{}]), allow_pickle=True)
    (tmp_path / "text.npy").write_text("weights")
    with pytest.raises(UsageError, match=message):
        read_layer(reference, tmp_path)


def test_safetensors_without_its_library(tmp_path, monkeypatch):
    (tmp_path / "net.safetensors").write_bytes(b"")
    monkeypatch.setitem(__import__("sys").modules, "safetensors", None)
    with pytest.raises(MissingExtra, match=r"step 1 .*pip install 'imgconv\[safetensors\]'"):
        network_recipe([f"linear {tmp_path / 'net.safetensors'}:fc"])
