"""What fuzzing begins with: files and words that are right, or nearly, for each target."""

import io
from pathlib import Path

import numpy as np
from image_files import every_file
from odd_files import odd_files
from safetensors.numpy import save as tensors_of

from imgconv.recipe.operations import OPERATIONS

ROOT = Path(__file__).parents[2]
FINDINGS = ROOT / "tests" / "data" / "fuzz"
MOST_BYTES = 40_000  # of a seed: larger ones are changed too slowly

REFERENCES = (
    "laplacian8",
    "sobel",
    "gaussian:sigma=2,size=9",
    "gabor:sigma=2,wavelength=5,angle=45,phase=90,aspect=0.5",
    "kirsch_n:angle=45",
    "sobel:angle=45",
    "0 -1 0; -1 4 -1; 0 -1 0",
    "1,2,1;2,4,2;1,2,1 / 16",
    "-.5e1 +1. 1e-3",
    "@w.npy",
    "@model.safetensors:conv1.weight",
)
STEPS = (
    "conv laplacian8 padding=1\nabs\nmax_pool 2",
    "grey\nconv sobel_x sobel_y padding=same padding_mode=replicate\ncombine hypot",
    "conv '1 0; 0 -1' stride=2x1 dilation=2 padding=full padding_mode=constant:0.5 flip=true",
    "scale 1/255\nnormalize 0.5,0.4,0.3 std=0.2\nleaky_relu negative_slope=0.1\nsigmoid\ntanh",
    "conv_transpose bilinear4 stride=4 padding=1 output_padding=1\nadaptive_avg_pool 7xnone\nflatten\nsoftmax",
    "avg_pool 2 stride=1 padding=1 ceil_mode=true count_include_pad=false divisor_override=3",
    "median_pool 3x5\nmin_pool 2 dilation=2\nadaptive_max_pool 1\nrelu",
    "depthwise gaussian:sigma=1 bias=b.npy\npointwise weights=w.npz:p",
)


def seeds(target):
    """The seeds of a target, as bytes; what was found before is one too."""
    findings = [path.read_bytes() for path in sorted((FINDINGS / target).glob("*"))]
    return [seed for seed in [*_MADE[target](), *findings] if len(seed) <= MOST_BYTES]


def _references():
    return [reference.encode() for reference in REFERENCES]


def _kernels():
    """The built-in file, an entry at a time."""
    entries = (ROOT / "kernels.toml").read_text().split("\n\n")
    return [entry.encode() for entry in entries]


def _recipes():
    files = [path.read_bytes() for path in sorted((ROOT / "recipes").glob("*.toml"))]
    ops = [f"[recipes.a]\nsteps = [{{ op = '{op}' }}]\n".encode() for op in OPERATIONS]
    numbers = b"[recipes.a]\nrange = 'raw'\nsteps = [{ op = 'conv', weights = [[[[1, -1]]]], bias = [1], groups = 1 }, 'relu']\n"
    return [*files, *ops, numbers, *(b"s" + steps.encode() for steps in STEPS)]


def _codec():
    return [*every_file().values(), *(data for data, _, _ in odd_files().values())]


def _weights():
    arrays = {"w": np.ones((2, 3, 1, 3), np.float32), "w.bias": np.zeros(2, np.float32)}
    zipped, packed = io.BytesIO(), io.BytesIO()
    np.savez(zipped, **arrays)
    np.savez_compressed(packed, w=np.arange(9).reshape(3, 3))
    single = [_npy(array) for array in (np.eye(3), np.ones((2, 2), bool), np.ones((2, 1, 3, 3), ">f2"))]
    return [*single, b"z" + zipped.getvalue(), b"z" + packed.getvalue(), b"s" + tensors_of(arrays)]


def _npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return b"n" + file.getvalue()


_MADE = {"references": _references, "kernels": _kernels, "recipes": _recipes, "codec": _codec, "weights": _weights}
