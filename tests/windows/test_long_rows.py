"""Long signals: strips of them give the same bits, and scratch memory stays small."""

import tracemalloc

import numpy as np
import pytest

import imgconv
from imgconv import gradients
from imgconv.windows import planes, reduce

CELLS = 1 << 21
SIGNAL = np.random.default_rng(2).random((1, CELLS), np.float32)
CALLS = {
    "conv1d": lambda x: imgconv.conv1d(x, np.ones((1, 1, 3), np.float32), stride=2),
    "max_pool1d": lambda x: imgconv.max_pool1d(x, 3, stride=2),
    "avg_pool1d": lambda x: imgconv.avg_pool1d(x, 3, stride=2),
    "avg_pool1d without padding": lambda x: imgconv.avg_pool1d(x, 3, 2, 1, count_include_pad=False),
    "avg_pool2d": lambda x: imgconv.avg_pool2d(x[:, None], (1, 3), (1, 2), divisor_override=2),
    "row": lambda x: imgconv.max_pool2d(x[:, None], (1, 3), stride=(1, 2)),
    "image, max": lambda x: imgconv.pool(x, (1, 3), "max", stride=(1, 2), padding="same"),
    "image, avg": lambda x: imgconv.pool(x, (1, 3), "avg", stride=(1, 2), padding="same"),
    "median": lambda x: imgconv.median_pool2d(x[:, None], (1, 5), stride=(1, 2)),
    "image, rank": lambda x: imgconv.pool(x, (1, 9), "rank:20", stride=(1, 3), padding="same"),
    "image, filter": lambda x: imgconv.filter(x, "1 2 3 4 5 6 7 8 9", stride=(1, 2)),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_scratch_of_a_long_signal_is_small(call):
    call(SIGNAL[:, :-64])  # compiles; sizes that were computed for it are of no use
    tracemalloc.start()
    try:
        result = call(SIGNAL)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak - result.nbytes < 0.5 * 4 * CELLS + 8e6


def filters(x):
    """Filters of a dtype that images have, with every border, of signals and of colours."""
    image = x[0].astype(np.uint16 if x.dtype.kind == "i" else x.dtype)
    for mode in ("zeros", ("constant", 7), "replicate", "reflect", "symmetric", "circular"):
        yield lambda mode=mode: imgconv.filter(image, "1 -2 3", stride=(1, 2), padding_mode=mode)
        yield lambda mode=mode: imgconv.filter(image, "1 2; 3 4", padding=1, stride=(2, 3), padding_mode=mode)
    yield lambda: imgconv.filter(image.reshape(2, 27, 3), "sobel", padding="full", stride=2)
    yield lambda: imgconv.filter(image, "sobel_x", stride=2, range="minmax")
    mask = image % 5 > 1
    for kernel, mode, missing in (("1 2 3", "zeros", "keep"), ("1 -2 1; 0 2 0", "reflect", "fill"), ("1 -2 1", "replicate", "keep")):
        yield lambda options={"padding_mode": mode, "missing": missing, "mask": mask}, kernel=kernel: imgconv.filter(
            image, kernel, stride=(1, 2), **options
        ).filled(0)
    yield lambda: imgconv.pool(image, (1, 3), "avg", stride=2, padding="same", mask=mask).filled(0)
    yield lambda: imgconv.pool(image, (1, 3), "median", stride=2, padding="same", mask=mask).filled(0)


@pytest.mark.sweep(8)
@pytest.mark.parametrize("cells", [34, 24])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64, pytest.param(np.int32, marks=pytest.mark.exhaustive)])
def test_strips_change_no_bit(monkeypatch, cells, dtype):
    x = (np.random.default_rng(4).random((1, 2, 81)) * 200).astype(dtype)
    calls = [
        lambda: imgconv.max_pool1d(x[0], 3, 2, 1),
        lambda: imgconv.max_pool2d(x, (1, 4), 2, (0, 2), (1, 3)),
        lambda: imgconv.min_pool2d(x, (2, 3), (1, 3), (1, 1), ceil_mode=True),
        lambda: imgconv.avg_pool2d(x, (1, 3), 2, (0, 1), count_include_pad=False),
        lambda: imgconv.avg_pool1d(x[0], 4, 3, 2, True),
        lambda: imgconv.adaptive_avg_pool2d(x, (1, 7)),
        lambda: gradients.avg_pool1d_input(imgconv.avg_pool1d(x[0], 3, 2), (2, 81), 3, 2),
        lambda: imgconv.pool(x[0], (1, 3), "max", stride=2, padding="same"),
        lambda: imgconv.pool(x.reshape(2, 27, 3), (2, 5), "min", stride=1, padding="same"),
        lambda: imgconv.pool(x.reshape(2, 27, 3), (2, 4), "avg", stride=2, padding="same"),
        lambda: imgconv.median_pool2d(x, (1, 4), (1, 2), (0, 2)),
        lambda: imgconv.pool(x[0], (2, 3), "rank:80", stride=(1, 2), ceil_mode=True),
        lambda: imgconv.pool(x.reshape(2, 27, 3), (1, 3), "median", stride=1, padding="same"),
        *filters(x),
    ]
    whole = [call() for call in calls]
    monkeypatch.setattr(reduce, "STRIP_CELLS", cells)  # the real ones are millions of cells
    monkeypatch.setattr(planes, "LONG", cells * x.itemsize)
    monkeypatch.setattr(reduce, "STRIP_BYTES", 3 * cells)
    monkeypatch.setattr(reduce, "STRIP_LEAST", 1)
    for call, expected in zip(calls, whole, strict=True):
        np.testing.assert_array_equal(call(), expected)


def test_strips_change_no_bit_of_wide_kernels(monkeypatch):
    """Blocks of Fourier transforms begin where the image does."""
    image = np.random.default_rng(5).random((8, 300_000))
    striped = imgconv.filter(image, "log:sigma=5", range="clip")
    monkeypatch.setattr(planes, "LONG", 1 << 40)
    assert np.array_equal(imgconv.filter(image, "log:sigma=5", range="clip"), striped)
