"""What the calls accept as an array: objects that convert themselves, plain images, and no masked arrays."""

import numpy as np
import pytest
from examples import each_once

import imgconv
from imgconv import gradients, layers
from imgconv.errors import ArgumentTypeError, DoesNotFit

pytestmark = pytest.mark.sweep(4)

PLANE = np.arange(16, dtype=np.float32).reshape(4, 4)
ONES = np.ones((1, 1, 2, 2), np.float32)


class WithArray:
    """An object with `__array__`, such as a torch tensor or a dask array."""

    def __init__(self, array):
        self._array = array

    def __array__(self, dtype=None, copy=None):
        return self._array


class WithDlpack:
    """An object with `__dlpack__` alone."""

    def __init__(self, array):
        self._array = array

    def __dlpack__(self, **options):
        return self._array.__dlpack__(**options)

    def __dlpack_device__(self):
        return self._array.__dlpack_device__()


CALLS = {
    "filter": lambda a: imgconv.filter(a, "1 1; 1 1"),
    "kernel": lambda a: imgconv.filter(PLANE, a),
    "edge": imgconv.edge,
    "pool": lambda a: imgconv.pool(a, 2),
    "canny": imgconv.canny,
    "run": lambda a: imgconv.run(a, ["max_pool 2"]),
    "conv2d": lambda a: imgconv.conv2d(a, a),
    "conv_transpose2d": lambda a: imgconv.conv_transpose2d(a, a),
    "max_pool2d": lambda a: imgconv.max_pool2d(a, 2),
    "avg_pool2d": lambda a: imgconv.avg_pool2d(a, 2),
    "adaptive_avg_pool2d": lambda a: imgconv.adaptive_avg_pool2d(a, 2),
    "avg_pool2d_input": lambda a: gradients.avg_pool2d_input(a, (8, 8), 2),
    "relu": imgconv.relu,
    "linear": lambda a: imgconv.linear(a, a),
    "kernel_matrix": lambda a: imgconv.kernel_matrix(a, (5, 5)),
    "pad": lambda a: imgconv.pad(a, (1, 1)),
    "MaxPool2d": lambda a: layers.MaxPool2d(2).forward(a),
    "ReLU": lambda a: layers.ReLU().forward(a),
    "Flatten": lambda a: layers.Flatten().forward(a),
}


@pytest.mark.parametrize("wrapper", [WithArray, WithDlpack])
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_objects_that_convert_themselves_are_arrays(call, wrapper):
    np.testing.assert_array_equal(call(wrapper(PLANE)), call(PLANE))


MASKED = ("filter", "edge", "pool", "run", "canny")  # these calls take a masked array


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize("name", CALLS)
def test_masked_arrays_are_refused_where_missing_cells_have_no_meaning(name, wrapped):
    if name in MASKED and not wrapped:
        return
    call = CALLS[name]
    masked = np.ma.masked_array(PLANE, mask=PLANE > 3)
    with pytest.raises(ArgumentTypeError, match=r"masked array.*filled\(value\)"):
        call(WithArray(masked) if wrapped else masked)


@pytest.mark.parametrize(
    "call",
    [
        lambda masked: layers.Conv2d(1, 1, 2).forward(masked[None]),
        lambda masked: gradients.max_pool2d_input(PLANE, masked.astype(np.int64), (4, 4)),
        lambda masked: imgconv.max_unpool2d(PLANE, masked.astype(np.int64), 1),
        lambda masked: imgconv.conv2d(PLANE[None], ONES, masked[0, :1]),
        lambda masked: imgconv.deform_conv2d(PLANE[None, None], np.zeros((1, 2, 4, 4)), ONES[:, :, :1, :1], mask=masked[None, None]),
        lambda masked: imgconv.Kernel("k", masked),
    ],
)
def test_masked_weights_and_indices_are_refused(call):
    with pytest.raises(ArgumentTypeError, match="masked array"):
        call(np.ma.masked_array(PLANE, mask=PLANE > 3))


def test_an_object_that_cannot_be_converted_is_refused_with_a_reason():
    class OnTheGpu:
        def __array__(self, dtype=None, copy=None):
            raise TypeError("can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu().")

    for call in (imgconv.edge, imgconv.relu):
        with pytest.raises(ArgumentTypeError, match=r"OnTheGpu.*Tensor\.cpu\(\)"):
            call(OnTheGpu())


POOLS = {
    "max": lambda a: imgconv.max_pool2d(a, (2, 3), 1),
    "min": lambda a: imgconv.min_pool2d(a, (2, 3), 1),
    "avg": lambda a: imgconv.avg_pool2d(a, (2, 3), 1),
    "median": lambda a: imgconv.median_pool2d(a, (2, 3), 1),
    "indices": lambda a: imgconv.max_pool2d(a, (2, 3), 1, return_indices=True)[1],
    "adaptive max": lambda a: imgconv.adaptive_max_pool2d(a, (2, 3)),
    "adaptive avg": lambda a: imgconv.adaptive_avg_pool2d(a, (2, 3)),
    "unpool": lambda a: imgconv.max_unpool2d(*imgconv.max_pool2d(a, 2, return_indices=True), 2),
    "avg gradient": lambda a: gradients.avg_pool2d_input(a, (*a.shape[:-2], 10, 14), 2),
    "max gradient": lambda a: gradients.max_pool2d_input(
        imgconv.max_pool2d(a, 2), imgconv.max_pool2d(a, 2, return_indices=True)[1], a.shape
    ),
}


@pytest.mark.parametrize(("name", "dtype"), each_once(POOLS, [np.uint8, np.float32]))
def test_pools_take_a_plain_image(name, dtype):
    call = POOLS[name]
    plane = np.random.default_rng(3).permutation(35).reshape(5, 7).astype(dtype)
    result, expected = call(plane), call(plane[None])[0]
    assert result.dtype == expected.dtype and result.flags.c_contiguous and result.flags.writeable
    np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize("layer", [layers.MaxPool2d(2), layers.AvgPool2d(2)])
def test_layers_of_pools_take_a_plain_image(layer):
    output = layer.forward(PLANE)
    assert output.shape == (2, 2) and layer.backward(output).shape == (4, 4)


@pytest.mark.parametrize("shape", [(4,), (1, 1, 1, 4, 4)])
def test_pools_refuse_other_numbers_of_axes(shape):
    with pytest.raises(DoesNotFit, match=r"\(N,C,H,W\), \(C,H,W\) or \(H,W\)"):
        imgconv.max_pool2d(np.ones(shape), 2)


def test_four_bands_without_alpha_are_four_maps():
    bands = np.random.default_rng(5).integers(0, 256, (6, 7, 4), np.uint8)
    expected = np.stack([imgconv.filter(band, "box:size=3") for band in np.moveaxis(bands, -1, 0)], axis=-1)
    np.testing.assert_array_equal(imgconv.filter(bands, "box:size=3", alpha="none"), expected)
    assert not np.array_equal(imgconv.filter(bands, "box:size=3"), expected)
    pooled = imgconv.pool(bands[..., :2], 2, alpha="none")
    np.testing.assert_array_equal(pooled[..., 1], imgconv.pool(bands[..., 1], 2))
    assert imgconv.run(bands, ["max_pool 2"], alpha="none").shape == (3, 3, 4)
    with pytest.raises(DoesNotFit, match="4 channels has no luma; use grey=False"):
        imgconv.edge(bands, alpha="none")


@pytest.mark.parametrize(
    ("call", "remedy"),
    [
        (lambda: imgconv.canny(np.zeros((4, 4, 5))), "luma"),
        (lambda: imgconv.edge(np.zeros((4, 4, 5))), "grey=False"),
        (lambda: imgconv.run(PLANE, []), "list of steps"),
        (lambda: imgconv.run(PLANE, ["flatten"], sheet=True), "sheet"),
        (lambda: imgconv.filter(PLANE, np.ones((5, 5)), padding="valid"), "padding"),
        (lambda: imgconv.kernel("gaussien"), r"imgconv\.kernels\(\)"),
    ],
)
def test_remedies_are_those_of_python(call, remedy):
    with pytest.raises(imgconv.ImgconvError, match=remedy) as caught:
        call()
    assert "--" not in str(caught.value) and "imgconv kernels" not in str(caught.value)
