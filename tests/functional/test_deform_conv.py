"""deform_conv2d: an oracle written from its paper, and conv2d for offsets of zero or of whole cells."""

import naive
import numpy as np
import pytest
from closeness import assert_agrees, layouts, numbers
from examples import examples
from hypothesis import given
from hypothesis import strategies as st

from imgconv.functional.conv import conv2d
from imgconv.functional.deform_conv import deform_conv2d
from imgconv.window import Window


@examples(25)
@given(st.integers(1, 2), st.integers(1, 2), st.integers(1, 2), st.integers(0, 2), st.integers(1, 2), st.booleans())
def test_it_agrees_with_the_oracle(groups, offset_groups, stride, padding, dilation, masked):
    input, weight, bias = numbers(2, 4, 6, 7), numbers(2 * groups, 4 // groups, 3, 2, seed=1), numbers(2 * groups, seed=2)
    window = {"stride": (stride, 1), "padding": (padding, 1), "dilation": (dilation, 1)}
    size = Window.of((3, 2), **window).output_size((6, 7))
    offset = 3 * numbers(2, 2 * offset_groups * 6, *size, seed=3)
    mask = numbers(2, offset_groups * 6, *size, seed=4) if masked else None
    assert_agrees(
        deform_conv2d(input, offset, weight, bias, mask=mask, **window),
        naive.deform_conv2d(input, offset, weight, bias, mask=mask, **window),
    )


def test_offsets_of_zero_leave_conv2d():
    input, weight = numbers(1, 4, 9, 8).astype(np.float32), numbers(6, 2, 3, 3, seed=1).astype(np.float32)
    expected = conv2d(input, weight, stride=2, padding=1, groups=2)
    assert_agrees(deform_conv2d(input, np.zeros((1, 18, 5, 4), np.float32), weight, stride=2, padding=1), expected)


def test_whole_offsets_shift_conv2d():
    input, weight = numbers(1, 3, 12, 11), numbers(2, 3, 3, 3, seed=1)
    offset = np.zeros((1, 18, 10, 9))
    offset[:, 0::2], offset[:, 1::2] = 2, -1
    shifted = np.pad(input, ((0, 0), (0, 0), (0, 2), (1, 0)))[:, :, 2:]
    assert_agrees(deform_conv2d(input, offset, weight), conv2d(shifted, weight)[..., :9])


def test_a_mask_scales_each_sample():
    input, weight, mask = numbers(1, 2, 5, 6), numbers(1, 2, 2, 2, seed=1), np.zeros((1, 4, 4, 5))
    mask[:, 3] = 2
    assert_agrees(deform_conv2d(input, np.zeros((1, 8, 4, 5)), weight, mask=mask), conv2d(input[:, :, 1:, 1:], 2 * weight[:, :, 1:, 1:]))


def test_samples_fade_out_over_one_cell_beyond_the_edge():
    offset = np.zeros((1, 2, 1, 3))
    offset[0, 0] = [-0.25, -0.999, -1]
    result = deform_conv2d(np.full((1, 1, 1, 3), 8.0), offset, np.ones((1, 1, 1, 1)))
    np.testing.assert_allclose(result[0, 0, 0], [6, 0.008, 0], atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("value", [np.inf, -np.inf, 1e30, -1e30, 2.0**31, np.nan])
def test_samples_out_of_reach_are_zero_and_offsets_of_nan_give_nan(value, axis, dtype):
    input, offset = numbers(1, 2, 5, 4).astype(dtype), np.zeros((1, 2, 5, 4), dtype)
    offset[0, axis, 2, 1] = value
    expected = input.sum(1, keepdims=True)
    expected[0, 0, 2, 1] = np.nan if np.isnan(value) else 0
    np.testing.assert_array_equal(deform_conv2d(input, offset, np.ones((1, 2, 1, 1), dtype)), expected)


@pytest.mark.parametrize("name", layouts(np.zeros((1, 1))))
def test_every_layout_of_the_same_numbers(name):
    arrays = [numbers(2, 4, 5, 6), numbers(2, 8, 4, 5, seed=1), numbers(4, 4, 2, 2, seed=2)]
    np.testing.assert_array_equal(deform_conv2d(*(layouts(a)[name] for a in arrays)), deform_conv2d(*arrays))


def test_dtypes_and_empty_batches():
    result = deform_conv2d(np.ones((1, 1, 3, 3), np.uint8), np.zeros((1, 2, 3, 3), np.float32), np.ones((1, 1, 1, 1), np.int8))
    assert result.dtype == np.float32 and (result == 1).all()
    assert deform_conv2d(np.ones((0, 1, 3, 3)), np.zeros((0, 2, 3, 3)), np.ones((2, 1, 1, 1))).shape == (0, 2, 3, 3)


REFUSED = [
    ({"input": np.zeros((4, 5, 6))}, ValueError, r"input.*4 dimensions.*\(4, 5, 6\)"),
    ({"offset": np.zeros((1, 7, 4, 5))}, ValueError, r"offset.*\(1, 2\*D\*4, 4, 5\).*4 channels.*\(1, 7, 4, 5\)"),
    ({"offset": np.zeros((1, 24, 4, 5))}, ValueError, r"offset.*\(1, 2\*D\*4, 4, 5\).*4 channels.*\(1, 24, 4, 5\)"),
    ({"offset": np.zeros((1, 8, 4, 4))}, ValueError, r"offset.*\(1, 2\*D\*4, 4, 5\).*\(1, 8, 4, 4\)"),
    ({"mask": np.zeros((1, 8, 4, 5))}, ValueError, r"mask.*\(1, 4, 4, 5\).*\(1, 8, 4, 5\)"),
    ({"weight": np.zeros((3, 2, 2, 2))}, ValueError, r"input.*4 channels.*2 groups.*weight \(3, 2, 2, 2\)"),
    ({"weight": np.zeros((3, 3, 2, 2))}, ValueError, r"input.*4 channels.*weight \(3, 3, 2, 2\).*3"),
    ({"padding": "same"}, TypeError, "padding of a deformable convolution.*'same'"),
    ({"bias": np.zeros(1)}, ValueError, r"bias.*\(3,\)"),
]


@pytest.mark.parametrize(("argument", "error", "facts"), REFUSED)
def test_it_refuses(argument, error, facts):
    arguments = {"input": np.zeros((1, 4, 5, 6)), "offset": np.zeros((1, 8, 4, 5)), "weight": np.zeros((3, 4, 2, 2))}
    with pytest.raises(error, match=facts):
        deform_conv2d(**arguments | argument)
