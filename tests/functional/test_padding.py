"""pad: the numbers of numpy.pad, torch's order of axes, negative padding, dtypes, and the arguments that it refuses."""

import numpy as np
import pytest
from closeness import layouts

from imgconv.functional.padding import pad

IMAGE = np.arange(24.0).reshape(2, 3, 4)
NUMPYS = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap", "symmetric": "symmetric"}


@pytest.mark.parametrize("mode", NUMPYS)
@pytest.mark.parametrize("padding", [(1, 2), (3, 0, 1, 2), (0, 0, 2, 2)])
def test_modes_under_the_names_of_numpy(mode, padding):
    widths = [(0, 0)] * (3 - len(padding) // 2) + [padding[i : i + 2] for i in range(len(padding) - 2, -2, -2)]
    np.testing.assert_array_equal(pad(IMAGE, padding, mode), np.pad(IMAGE, widths, NUMPYS[mode]))


@pytest.mark.parametrize(
    ("mode", "padding", "expected"),
    [
        ("constant", (-1, 2), [1, 2, 3, 0, 0]),
        ("reflect", (-1, 2), [1, 2, 3, 2, 1]),
        ("reflect", (-2, 3), [2, 3, 2, 1, 0]),
        ("replicate", (-1, 2), [1, 2, 3, 3, 3]),
        ("circular", (-1, 3), [1, 2, 3, 1, 2, 3]),
        ("constant", (-2, -2), []),
    ],
)
def test_negative_padding_crops_as_in_torch(mode, padding, expected):
    np.testing.assert_array_equal(pad(np.arange(4.0)[None], padding, mode), np.array([expected]).reshape(1, -1))


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
def test_one_axis_may_be_cropped_to_nothing_as_in_torch(mode):
    assert pad(IMAGE, (1, 1, -3, 0), mode).shape == (2, 0, 6)


def test_wrapping_takes_empty_arrays_as_torch_does():
    assert pad(np.zeros((0, 3, 4)), (1, 1, 2, 0), "circular").shape == (0, 5, 6)


@pytest.mark.parametrize(
    ("dtype", "value", "stored"), [(np.float32, 1.5, 1.5), (np.int16, 2.7, 2), (np.bool_, 3, True), (np.uint8, None, 0)]
)
def test_the_dtype_stays_and_holds_the_value(dtype, value, stored):
    result = pad(np.zeros((2, 2), dtype), (1, 0), value=value)
    assert result.dtype == dtype and (result[:, 0] == stored).all()


@pytest.mark.parametrize("name", layouts(np.zeros((1, 1))))
def test_every_layout_gives_a_new_array(name):
    array = layouts(IMAGE)[name]
    for mode in NUMPYS:
        result = pad(array, (0, 0), mode)
        np.testing.assert_array_equal(result, IMAGE)
        assert result.flags.c_contiguous and result.flags.writeable and not np.shares_memory(result, array)


REFUSED = [
    (lambda: pad(IMAGE, (1, 1, 1)), ValueError, r"padding \(1, 1, 1\).*3 numbers.*3"),
    (lambda: pad(IMAGE, (1,) * 8), ValueError, r"padding \(1, 1, 1, 1, 1, 1, 1, 1\).*8 numbers"),
    (lambda: pad(IMAGE, 1), TypeError, "padding.*sequence of whole numbers.*1"),
    (lambda: pad(IMAGE, (1.0, 1)), TypeError, "padding.*whole number.*1.0"),
    (lambda: pad(IMAGE, (1, 1), "zeros"), ValueError, "mode 'zeros'.*constant, replicate, reflect, symmetric, circular"),
    (lambda: pad(IMAGE, (1, 1), "reflect", 2.0), ValueError, "value 2.0.*'constant'.*'reflect'"),
    (lambda: pad(IMAGE, (4, 0), "reflect"), ValueError, "padding 4.*'reflect' on 4 cells.*at most 3"),
    (lambda: pad(IMAGE, (5, 0), "circular"), ValueError, "padding 5.*'circular' on 4 cells.*at most 4"),
    (lambda: pad(IMAGE[0, 0], (1, 1), "replicate"), ValueError, r"mode 'replicate'.*1 ax.*\(4,\)"),
    (lambda: pad(IMAGE, (1,) * 6, "reflect"), ValueError, r"mode 'reflect'.*3 axes.*\(2, 3, 4\)"),
    (lambda: pad(IMAGE, (-3, -2)), ValueError, r"padding \(-3, -2\).*\(2, 3, 4\)"),
    (lambda: pad(IMAGE, (-2, -2), "reflect"), ValueError, "mode 'reflect'.*empty"),
    (lambda: pad(IMAGE.astype(np.uint8), (1, 1), value=300), ValueError, "value 300.*uint8.*0 to 255"),
    (lambda: pad(IMAGE, (1, 1), value="1"), TypeError, "value.*number.*'1'"),
]


@pytest.mark.parametrize(("call", "error", "facts"), REFUSED)
def test_it_refuses(call, error, facts):
    with pytest.raises(error, match=facts):
        call()
