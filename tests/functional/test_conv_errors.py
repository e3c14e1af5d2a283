"""Arguments that conv1d and conv2d refuse: the class of the error and the facts in its text."""

import numpy as np
import pytest

from imgconv.functional.conv import conv1d, conv2d

IMAGE, BANK = np.zeros((1, 4, 5, 6)), np.zeros((6, 2, 3, 3))
REFUSED = [
    ({"input": [[1.0]]}, TypeError, "input.*list.*numpy.asarray"),
    ({"input": np.zeros((1, 4, 5, 6), complex)}, TypeError, "input.*complex128.*float32"),
    ({"input": np.zeros((5, 6))}, ValueError, r"input.*\(N,C,H,W\).*\(C,H,W\).*\(5, 6\)"),
    ({"weight": np.zeros((6, 2, 3))}, ValueError, r"weight.*4 dimensions.*\(6, 2, 3\)"),
    ({"weight": np.zeros((6, 2, 0, 3))}, ValueError, r"weight \(6, 2, 0, 3\).*at least 1"),
    ({"weight": np.zeros((6, 3, 3, 3))}, ValueError, r"input.*4 channels.*\(6, 3, 3, 3\).*6"),
    ({"input": np.zeros((1, 4, 0, 6))}, ValueError, r"input.*\(1, 4, 0, 6\).*empty"),
    ({"bias": np.zeros(5)}, ValueError, r"bias.*\(6,\).*\(5,\)"),
    ({"groups": 0}, ValueError, "groups.*at least 1.*0"),
    ({"groups": 4}, ValueError, r"groups 4.*6 channels.*first axis of weight"),
    ({"groups": 2.0}, TypeError, "groups.*whole number.*2.0"),
    ({"stride": 0}, ValueError, "stride.*at least 1.*0"),
    ({"stride": 1.5}, TypeError, "stride.*whole number.*1.5"),
    ({"stride": (1, 1, 1)}, ValueError, r"stride \(1, 1, 1\).*3 numbers.*2"),
    ({"dilation": (1, 0)}, ValueError, r"dilation.*at least 1.*\(1, 0\)"),
    ({"padding": -1}, ValueError, "padding.*at least 0.*-1"),
    ({"padding": "Same"}, ValueError, "padding 'Same'.*valid, same, full"),
    ({"padding_mode": "mirror"}, ValueError, "padding mode 'mirror'"),
    ({"padding": 5, "padding_mode": "reflect"}, ValueError, "padding 5.*'reflect' on 5 cells.*at most 4"),
    ({"dilation": 3}, ValueError, "kernel 3x3.*dilation 3x3.*7x7.*padded input 5x6"),
]


@pytest.mark.parametrize(("argument", "error", "facts"), REFUSED)
def test_conv2d_refuses(argument, error, facts):
    with pytest.raises(error, match=facts):
        conv2d(**{"input": IMAGE, "weight": BANK, "groups": 2} | argument)


def test_a_plain_image_is_not_blamed_for_its_kernel():
    with pytest.raises(TypeError, match=r"weight.*list.*numpy\.asarray"):
        conv2d(np.zeros((5, 6)), [[1.0]])


def test_conv1d_refuses_pairs_and_images():
    with pytest.raises(ValueError, match="stride"):
        conv1d(np.zeros((1, 2, 9)), np.zeros((1, 2, 3)), stride=(1, 1))
    with pytest.raises(ValueError, match=r"\(N,C,L\) or \(C,L\)"):
        conv1d(np.zeros((1, 2, 9, 9)), np.zeros((1, 2, 3)))
    with pytest.raises(ValueError, match=r"input has the shape \(1, 2, 0\)"):
        conv1d(np.zeros((2, 0)), np.zeros((1, 2, 3)))
    with pytest.raises(ValueError, match=r"weight \(1, 3, 5\)"):
        conv1d(np.zeros((1, 2, 9)), np.zeros((1, 3, 5)))
