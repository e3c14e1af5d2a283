"""What conv1d and conv2d refuse, and in which words."""

import numpy as np
import pytest

from imgconv.functional.conv import conv1d, conv2d

IMAGE, BANK = np.zeros((1, 4, 5, 6)), np.zeros((6, 2, 3, 3))
REFUSED = [
    ({"input": [[1.0]]}, TypeError, "input must be a numpy array, not list; convert it with numpy.asarray"),
    (
        {"input": np.zeros((1, 4, 5, 6), complex)},
        TypeError,
        "input has dtype complex128; use bool, an integer type, float16, float32 or float64",
    ),
    ({"input": np.zeros((5, 6))}, ValueError, "input must have the shape (N,C,H,W) or (C,H,W), got (5, 6)"),
    ({"weight": np.zeros((6, 2, 3))}, ValueError, "weight must have 4 dimensions"),
    ({"weight": np.zeros((6, 2, 0, 3))}, ValueError, "weight (6, 2, 0, 3) has an empty kernel"),
    ({"weight": np.zeros((6, 3, 3, 3))}, ValueError, "input has 4 channels, weight (6, 3, 3, 3) takes 6"),
    ({"input": np.zeros((1, 4, 0, 6))}, ValueError, "input has the shape (1, 4, 0, 6); only the batch and the channels may be empty"),
    ({"bias": np.zeros(5)}, ValueError, "bias must have the shape (6,), one number per output channel, got (5,)"),
    ({"groups": 0}, ValueError, "groups must be at least 1, not 0"),
    ({"groups": 4}, ValueError, "groups 4 does not divide the 6 channels"),
    ({"groups": 2.0}, TypeError, "groups must be a whole number, not 2.0"),
    ({"stride": 0}, ValueError, "stride must be at least 1, not 0"),
    ({"stride": 1.5}, TypeError, "stride must be a whole number or a sequence of them, not 1.5"),
    ({"stride": (1, 1, 1)}, ValueError, "stride (1, 1, 1) has 3 numbers; give one, or 2"),
    ({"dilation": (1, 0)}, ValueError, "dilation must be at least 1, not (1, 0)"),
    ({"padding": -1}, ValueError, "padding must be at least 0, not -1"),
    ({"padding": "Same"}, ValueError, "padding 'Same' is unknown; use a number, or one of valid, same, full"),
    ({"padding_mode": "mirror"}, ValueError, "padding_mode 'mirror' is unknown"),
    ({"padding": 5, "padding_mode": "reflect"}, ValueError, "padding 5 is too wide for padding_mode 'reflect' on 5 cells; use at most 4"),
    ({"dilation": 3}, ValueError, "kernel 3x3 with dilation 3x3 (spanning 7x7) does not fit the padded input 5x6"),
]


@pytest.mark.parametrize(("wrong", "error", "text"), REFUSED)
def test_what_is_refused_and_why(wrong, error, text):
    with pytest.raises(error) as caught:
        conv2d(**{"input": IMAGE, "weight": BANK, "groups": 2} | wrong)
    assert str(caught.value).startswith(text)


def test_conv1d_refuses_pairs_and_images():
    with pytest.raises(ValueError, match="stride"):
        conv1d(np.zeros((1, 2, 9)), np.zeros((1, 2, 3)), stride=(1, 1))
    with pytest.raises(ValueError, match=r"\(N,C,L\) or \(C,L\)"):
        conv1d(np.zeros((1, 2, 9, 9)), np.zeros((1, 2, 3)))
