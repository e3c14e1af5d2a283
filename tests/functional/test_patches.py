"""unfold, fold, im2col and col2im: torch's stored results, an oracle, and the function that courses print."""

import naive
import numpy as np
import pytest
from closeness import assert_agrees, layouts, numbers
from golden_cases import golden

from imgconv.functional import patches
from imgconv.functional.conv import conv2d
from imgconv.functional.patches import col2im, fold, im2col, unfold

pytestmark = pytest.mark.sweep(4)

WINDOW = {"kernel_size": (2, 3), "dilation": (2, 1), "padding": (1, 2), "stride": (1, 2)}


@pytest.mark.parametrize(("parameters", "arrays"), golden("unfold"))
def test_unfold_and_fold_golden(parameters, arrays):
    window = {name: value for name, value in parameters.items() if name != "output_size"}
    np.testing.assert_array_equal(unfold(arrays["input"], **window), arrays["unfolded"])
    assert_agrees(fold(unfold(arrays["input"].astype(np.float64), **window), **parameters), arrays["folded"])


@pytest.mark.parametrize("dtype", [np.bool_, np.int8, np.uint16, np.int32, np.int64, np.float16, np.float32, np.float64])
def test_unfold_keeps_the_dtype(dtype):
    input = (numbers(2, 3, 7, 8) * 9).astype(dtype)
    result = unfold(input, **WINDOW)
    assert result.dtype == dtype and result.flags.c_contiguous and result.flags.writeable
    np.testing.assert_array_equal(result, naive.unfold(input, **WINDOW))


@pytest.mark.parametrize("name", layouts(np.zeros((1, 1))))
def test_every_layout_of_the_same_numbers(name):
    input = numbers(2, 3, 7, 8)
    unfolded = unfold(input, **WINDOW)
    np.testing.assert_array_equal(unfold(layouts(input)[name], **WINDOW), unfolded)
    np.testing.assert_array_equal(fold(layouts(unfolded)[name], (7, 8), **WINDOW), fold(unfolded, (7, 8), **WINDOW))


def test_few_channels_at_a_time_give_the_same(monkeypatch):
    input = numbers(2, 5, 7, 8)
    whole = unfold(input, **WINDOW)
    folded = fold(whole, (7, 8), **WINDOW)
    monkeypatch.setattr(patches, "PATCH_CELLS", 200)
    np.testing.assert_array_equal(unfold(input, **WINDOW), whole)
    np.testing.assert_array_equal(fold(whole, (7, 8), **WINDOW), folded)


def test_fold_of_unfold_counts_the_windows_over_each_cell():
    patches = unfold(np.ones((1, 1, 5, 7), np.uint8), 3, stride=2)
    np.testing.assert_array_equal(fold(patches, (5, 7), 3, stride=2)[0, 0], np.outer([1, 1, 2, 1, 1], [1, 1, 2, 1, 2, 1, 1]))


def test_im2col_rows_times_the_weight_are_the_convolution():
    input, weight = numbers(2, 3, 7, 8), numbers(4, 3, 2, 3, seed=1)
    rows = im2col(input, **WINDOW)
    window = {name: value for name, value in WINDOW.items() if name != "kernel_size"}
    expected = conv2d(input, weight, **window)
    assert rows.shape == (2 * expected[0, 0].size, 3 * 2 * 3) and rows.flags.c_contiguous
    product = (rows @ weight.reshape(4, -1).T).reshape(2, *expected.shape[2:], 4).transpose(0, 3, 1, 2)
    np.testing.assert_allclose(product, expected, atol=1e-13)


@pytest.mark.parametrize("output_size", [(7, 8), (2, 3, 7, 8)])
def test_col2im_is_the_adjoint_of_im2col(output_size):
    input = numbers(2, 3, 7, 8)
    rows = im2col(input, **WINDOW)
    grad = numbers(*rows.shape, seed=1)
    back = col2im(grad, output_size, **WINDOW)
    assert back.shape == input.shape
    np.testing.assert_allclose((rows * grad).sum(), (input * back).sum(), rtol=1e-12)


def test_unbatched_and_empty_batches():
    input = numbers(3, 7, 8)
    np.testing.assert_array_equal(unfold(input, **WINDOW), unfold(input[None], **WINDOW)[0])
    assert unfold(np.zeros((0, 3, 7, 8)), **WINDOW).shape == (0, 18, 35)
    assert fold(np.zeros((0, 18, 35)), (7, 8), **WINDOW).shape == (0, 3, 7, 8)
    assert col2im(im2col(input, **WINDOW), input.shape, **WINDOW).shape == input.shape


def course_im2col(x, filter_h, filter_w, stride=1, pad=0):
    """Saitoh, Deep Learning from Scratch, common/util.py: one row per window."""
    images, channels, height, width = x.shape
    h_out, w_out = (height + 2 * pad - filter_h) // stride + 1, (width + 2 * pad - filter_w) // stride + 1
    padded = np.pad(x, [(0, 0), (0, 0), (pad, pad), (pad, pad)])
    columns = np.zeros((images, channels, filter_h, filter_w, h_out, w_out))
    for y in range(filter_h):
        for x_first in range(filter_w):
            columns[:, :, y, x_first] = padded[:, :, y : y + stride * h_out : stride, x_first : x_first + stride * w_out : stride]
    return columns.transpose(0, 4, 5, 1, 2, 3).reshape(images * h_out * w_out, -1)


@pytest.mark.parametrize("arguments", [(3, 3), (2, 3), (3, 2, 2), (2, 3, 1, 1), (5, 4, 3, 2), (1, 1, 2, 0)])
def test_im2col_and_col2im_take_the_arguments_of_the_course(arguments):
    input = numbers(2, 3, 9, 8)
    rows = im2col(input, *arguments)
    np.testing.assert_array_equal(rows, course_im2col(input, *arguments))
    kernel_size, (stride, pad) = arguments[:2], (arguments[2:] + (1, 0)[len(arguments) - 2 :])
    np.testing.assert_array_equal(rows, im2col(input, kernel_size=kernel_size, stride=stride, padding=pad))
    grad = numbers(*rows.shape, seed=1)
    back = col2im(grad, input.shape, *arguments)
    np.testing.assert_allclose((rows * grad).sum(), (input * back).sum(), rtol=1e-12)


def test_im2col_takes_one_number_for_a_square():
    input = numbers(1, 2, 5, 6)
    np.testing.assert_array_equal(im2col(input, 3), im2col(input, 3, 3))


REFUSED = [
    (lambda: unfold(np.zeros((5, 6)), 3), ValueError, r"input.*\(N,C,H,W\).*\(5, 6\)"),
    (lambda: unfold(np.zeros((1, 0, 5, 6)), 3), ValueError, r"input.*\(1, 0, 5, 6\).*empty"),
    (lambda: unfold(np.zeros((1, 2, 5, 6)), (3,)), ValueError, r"kernel_size \(3,\).*1 number"),
    (lambda: unfold(np.zeros((1, 2, 5, 6)), 3, padding="same"), TypeError, "padding.*whole numbers.*'same'"),
    (lambda: unfold(np.zeros((1, 2, 5, 6)), 7), ValueError, "kernel 7x7.*5x6"),
    (lambda: fold(np.zeros((1, 26, 9)), 5, 3), ValueError, "input.*26 rows.*9 cells of kernel_size 3"),
    (lambda: fold(np.zeros((1, 27, 8)), 5, 3), ValueError, "input.*8 patches.*5x5.*9"),
    (lambda: fold(np.zeros((1, 27, 3, 3)), 5, 3), ValueError, r"input.*\(N,C\*kh\*kw,L\).*\(1, 27, 3, 3\)"),
    (lambda: col2im(np.zeros((8, 27)), 5, 3), ValueError, "input.*8 rows.*9 patches.*5x5"),
    (lambda: col2im(np.zeros((9, 27)), (2, 3, 5, 5), 3), ValueError, r"input \(9, 27\).*\(1, 3, 5, 5\).*\(2, 3, 5, 5\)"),
    (lambda: im2col(np.zeros((1, 1, 5, 5))), ValueError, "kernel_h and kernel_w, or kernel_size"),
    (lambda: im2col(np.zeros((1, 1, 5, 5)), 3, 3, kernel_size=3), ValueError, "kernel_h and kernel_w, or kernel_size"),
    (lambda: im2col(np.zeros((1, 1, 5, 5)), 3, 3, pad=1, padding=2), ValueError, "pad 1 and padding 2"),
]


@pytest.mark.parametrize(("call", "error", "facts"), REFUSED)
def test_they_refuse(call, error, facts):
    with pytest.raises(error, match=facts):
        call()
