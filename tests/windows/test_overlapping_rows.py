"""Windows on long rows, whose common rows are folded once for two of them, have the cells of windows on their own."""

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

from imgconv.loops.pooling import LONG
from imgconv.window import Window
from imgconv.windows.planes import Planes
from imgconv.windows.reduce import extremes

HEIGHT, WIDTH = 23, LONG + 9


@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("rows", [2, 3, 4, 5, 6, 8, 9])
def test_extremes_equal_those_of_single_windows(rows, stride, dilation):
    values = np.random.default_rng(rows).integers(-99, 99, (2, HEIGHT, WIDTH)).astype(np.float32)
    values[np.random.default_rng(0).random(values.shape) < 0.02] = np.nan
    window = Window((rows, 3), (stride, 1), ((rows - 1) * dilation // 2, 1), (dilation, 1))
    padding = ((0, 0), ((rows - 1) * dilation // 2,) * 2, (1, 1))
    for largest, identity, reduce in ((True, -np.inf, np.max), (False, np.inf, np.min)):
        padded = np.pad(values, padding, constant_values=identity)
        windows = sliding_window_view(padded, window.span, axis=(1, 2))[:, ::stride, :, ::dilation]
        result = extremes(Planes.of_batch(values[None]), window, largest=largest)
        np.testing.assert_array_equal(result.reshape(2, -1, WIDTH), reduce(windows, axis=(3, 4)))
