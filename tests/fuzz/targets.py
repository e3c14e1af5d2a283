"""What is fuzzed: each target takes any bytes, and ends in a result or in an error that is meant for people.

Anything else is a finding, warnings among it.
"""

import tempfile
import warnings
from functools import cache
from io import BytesIO
from pathlib import Path

import numpy as np
from image_files import read

from imgconv.errors import ImageError, ImgconvError
from imgconv.images import Encoding, Raster, encode
from imgconv.images.formats import OUTPUTS
from imgconv.process import process
from imgconv.recipe import Shape, network_recipe
from imgconv.registry import Registry, resolve
from imgconv.registry.weights import read_weights

SMALL = Raster(np.arange(7 * 9 * 3, dtype=np.uint8).reshape(7, 9, 3))
MOST_VALUES = 100_000  # of a step's result: larger ones are right, and take long


def references(data):
    """A kernel reference, as -k takes it."""
    try:
        resolve(_text(data))
    except ImgconvError as error:
        _for_people(error)


def kernels(data):
    """A kernels file, and every kernel in it."""
    try:
        registry = Registry.load(_file(".toml", data))
        for name in registry.names()[-20:]:
            registry.get(name)
    except ImgconvError as error:
        _for_people(error)


def recipes(data):
    """A recipe file, or after a first byte of `s` the steps of a command line, each on a line of its own; run on a small image."""
    try:
        typed = data[:1] == b"s"
        recipe = network_recipe(_text(data[1:]).split("\n")) if typed else network_recipe(file=_file(".toml", data))
        recipe.trace(Shape(3000, 4000, 1))
        shape = Shape(*SMALL.size, SMALL.channels)
        recipe.trace(shape)
        sizes = [np.prod(dims, dtype=float) for dims in recipe.step.trace_steps((shape.channels, shape.height, shape.width))]
        if max(sizes) < MOST_VALUES:
            process(SMALL, recipe, threads=1)
    except ImgconvError as error:
        _for_people(error)


def codec(data):
    """An image file of any format, strictly and as salvage; what was read of it is written, in a format that its length picks."""
    for salvage in (False, True):
        try:
            _, frames = read(data, max_pixels=10**6, salvage=salvage)
            encode(frames, list(OUTPUTS)[len(data) % len(OUTPUTS)], BytesIO(), Encoding(animated=len(frames) > 1))
        except ImageError as error:
            _for_people(error)
            assert "\n" not in str(error)


def weights(data):
    """A file of weights, all of it and one array of it; the first byte says which kind of file."""
    suffix = {b"n": ".npy", b"z": ".npz", b"s": ".safetensors"}.get(data[:1], ".npy")
    for member in ("", "w"):
        try:
            read_weights(_file(suffix, data[1:]), member)
        except ImgconvError as error:
            _for_people(error)


TARGETS = {target.__name__: target for target in (references, kernels, recipes, codec, weights)}


class Warned(BaseException):
    """A warning; no Exception, which a reader could take for one of a decoder."""


def watch_warnings():
    """Make a finding of every warning, though commands print none: but for those of libraries, which callers from Python may see."""

    def shown(message, *where):
        raise Warned(message, *where)

    warnings.showwarning = shown
    warnings.filterwarnings("ignore", "Reading `.npy` or `.npz` file required")
    warnings.filterwarnings("ignore", category=SyntaxWarning, module="<unknown>")  # of headers of arrays, which NumPy parses
    warnings.filterwarnings("ignore", module="PIL|pydicom|astropy|nibabel|tifffile")


def _text(data):
    return data.decode("utf-8", "surrogateescape")  # as Python reads a command line


def _file(suffix, data):
    path = _folder() / f"fuzzed{suffix}"
    path.write_bytes(data)
    return path


@cache
def _folder():
    return Path(tempfile.mkdtemp())


def _for_people(error):
    assert str(error)
