"""Arrays as images: the shapes and dtypes that are read, and how."""

import io
import pickle

import numpy as np
import pytest
from image_files import npy, read

from imgconv.errors import ImageError


@pytest.mark.parametrize(
    ("array", "dtype", "factor"),
    [
        (np.array([[False, True]]), "uint8", 255),
        (np.array([[0, 255]], np.uint8), "uint8", 1),
        (np.array([[0, 65535]], ">u2"), "uint16", 1),
        (np.array([[-5, 1 << 24]], np.int64), "float32", 1),
        (np.array([[0.25, -3]], np.float16), "float32", 1),
        (np.array([[0.1, np.nan]], ">f8"), "float32", 1),
    ],
)
def test_dtypes_are_unchanged_or_widened(array, dtype, factor):
    header, (frame,) = read(npy(array))
    assert header.dtype == frame.pixels.dtype == dtype
    assert frame.pixels.dtype.isnative
    np.testing.assert_array_equal(frame.pixels[..., 0], (array * factor).astype(dtype))


@pytest.mark.parametrize("shape", [(3, 4), (5, 3, 4), (2, 5, 3, 4)])
@pytest.mark.parametrize("order", ["C", "F"])
def test_shapes_are_maps_and_frames(shape, order):
    array = np.asarray(np.arange(np.prod(shape), dtype=np.float32).reshape(shape), order=order)
    header, frames = read(npy(array))
    frames_first = array.reshape((1, 1, *shape)[-4:] if len(shape) < 4 else shape)
    assert (header.frames, header.channels, header.size) == (frames_first.shape[0], frames_first.shape[1], (3, 4))
    for frame, wanted in zip(frames, frames_first, strict=True):
        np.testing.assert_array_equal(frame.pixels, wanted.transpose(1, 2, 0))


@pytest.mark.parametrize(
    "array", [np.zeros(3), np.zeros((1, 2, 3, 4, 5)), np.zeros((2, 2), complex), np.array([["a", "b"]]), np.zeros((2, 2), "f4,i4")]
)
def test_other_arrays_are_refused(array):
    with pytest.raises(ImageError, match=r"expected real numbers of shape \(H, W\)"):
        read(npy(array))


@pytest.mark.parametrize("shape", [(0, 4), (3, 0), (0, 3, 4), (0, 2, 3, 4)])
def test_empty_arrays_are_refused(shape):
    with pytest.raises(ImageError, match=r"has no pixels|is empty"):
        read(npy(np.zeros(shape, np.float32)))


def test_integers_that_float32_cannot_hold_are_refused():
    with pytest.raises(ImageError, match="do not fit float32"):
        read(npy(np.array([[0, (1 << 24) + 1]])))


def test_pickles_are_never_opened():
    class Trap:
        def __reduce__(self):
            return (pytest.fail, ("a pickle was opened",))

    file = io.BytesIO()
    np.save(file, np.array([[Trap(), 1]], object), allow_pickle=True)
    with pytest.raises(ImageError, match="expected real numbers"):
        read(file.getvalue())
    with pytest.raises(ImageError, match="not an image of a known format"):
        read(pickle.dumps([1]))


def test_newer_headers_are_read_and_unknown_ones_refused():
    file = io.BytesIO()
    np.lib.format.write_array(file, np.ones((2, 3), np.uint8), version=(2, 0))
    assert read(file.getvalue())[1][0].pixels.shape == (2, 3, 1)
    unknown = bytearray(file.getvalue())
    unknown[6] = 9
    with pytest.raises(ImageError, match=r"npy version 9\.0"):
        read(bytes(unknown))
