"""linear and kernel_matrix: numpy's products, conv2d, dtypes, and the shapes that they refuse."""

import numpy as np
import pytest
from closeness import assert_agrees, numbers

from imgconv import gradients
from imgconv.functional.conv import conv2d
from imgconv.functional.matrix import kernel_matrix, linear


@pytest.mark.parametrize(("stride", "padding"), [(1, 0), ((2, 1), (0, 1)), (2, "same"), (1, "full")])
def test_the_matrix_times_an_image_is_its_convolution(stride, padding):
    image, kernel = numbers(5, 7), numbers(2, 3, seed=1)
    expected = conv2d(image, kernel, stride=stride, padding=padding)
    np.testing.assert_allclose(kernel_matrix(kernel, (5, 7), stride, padding) @ image.ravel(), expected.ravel(), atol=1e-13)


def test_the_matrix_of_a_bank():
    image, bank = numbers(3, 5, 7), numbers(4, 3, 2, 3, seed=1)
    matrix = kernel_matrix(bank, (3, 5, 7), stride=2, padding=1)
    expected = conv2d(image, bank, stride=2, padding=1)
    np.testing.assert_allclose(matrix @ image.ravel(), expected.ravel(), atol=1e-13)


def test_a_bank_without_channels_has_a_matrix_without_columns():
    assert kernel_matrix(np.zeros((4, 0, 2, 3)), (5, 6)).shape == (4 * 4 * 4, 0)


def test_the_matrix_has_the_numbers_of_the_weight_in_its_dtype():
    kernel = np.array([[2**62 + 1, -1]])
    matrix = kernel_matrix(kernel, 2)
    assert matrix.dtype == kernel.dtype
    np.testing.assert_array_equal(matrix, [[2**62 + 1, -1, 0, 0], [0, 0, 2**62 + 1, -1]])
    assert not np.isnan(kernel_matrix(np.array([[np.inf]]), (2, 2))).any()


@pytest.mark.parametrize(
    ("input", "weight", "bias"),
    [
        ((4, 3), (2, 3), (2,)),
        ((3,), (2, 3), None),
        ((2, 4, 3), (3,), None),
        ((0, 3), (2, 3), (1,)),
        ((4, 0), (2, 0), (2,)),
        ((3,), (3,), None),
        ((2, 4, 3), (3,), ()),
    ],
)
def test_linear(input, weight, bias):
    x, w = numbers(*input), numbers(*weight, seed=1)
    b = None if bias is None else numbers(*bias, seed=2)
    assert_agrees(linear(x, w, b), np.asarray(x @ w.T + (0 if b is None else b)))


def test_linear_dtypes():
    assert linear(np.ones((2, 3), np.uint8), np.ones((4, 3), np.int32)).dtype == np.float32
    assert linear(np.ones((2, 3), np.float32), np.ones((4, 3), np.float32), np.ones(4)).dtype == np.float64


def test_infinity_passes_through_linear():
    assert np.isnan(linear(np.array([np.inf, 1]), np.array([[0.0, 1]]))).all()


REFUSED = [
    (lambda: linear(np.zeros((4, 3)), np.zeros((2, 4))), r"input \(4, 3\) and weight \(2, 4\)"),
    (lambda: linear(np.array(1.0), np.zeros((2, 1))), r"input \(\) and weight \(2, 1\)"),
    (lambda: linear(np.zeros((4, 3)), np.zeros((1, 2, 3))), r"input \(4, 3\) and weight \(1, 2, 3\)"),
    (lambda: linear(np.zeros((4, 3)), np.zeros((2, 3)), np.zeros(3)), r"bias \(3,\).*weight \(2, 3\).*\(2,\)"),
    (lambda: linear(np.zeros(3), np.zeros(3), np.zeros(1)), r"bias \(1,\).*weight \(3,\)"),
    (lambda: gradients.linear_input((4, 3), np.zeros((2, 3)), np.zeros((4, 3))), r"input_size \(4, 3\).*\(2, 3\).*grad_output \(4, 3\)"),
    (lambda: gradients.linear_weight(np.zeros((4, 3)), (3, 2), np.zeros((4, 2))), r"input \(4, 3\).*weight_size \(3, 2\)"),
    (lambda: gradients.linear_bias(np.array(1.0)), "grad_output.*at least one axis"),
    (lambda: kernel_matrix(np.zeros((3, 3)), (2, 5)), "kernel 3x3.*2x5"),
    (lambda: kernel_matrix(np.zeros((1, 2, 3, 3)), (3, 5, 5)), r"input_size \(3, 5, 5\).*3 channels.*weight \(1, 2, 3, 3\).*2"),
    (lambda: kernel_matrix(np.zeros(3), (5, 5)), "weight.*4 dimensions"),
]


@pytest.mark.parametrize(("call", "facts"), REFUSED)
def test_shapes_that_do_not_match_are_refused(call, facts):
    with pytest.raises(ValueError, match=facts):
        call()
