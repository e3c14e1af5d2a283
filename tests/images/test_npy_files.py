"""Arrays as images: the shapes and dtypes that are read, and how."""

import io
import pickle
import re
import zipfile

import numpy as np
import pytest
from image_files import npy, read

from imgconv.errors import ImageError
from imgconv.modes import Axes


@pytest.mark.parametrize(
    ("array", "dtype", "factor"),
    [
        (np.array([[False, True]]), "uint8", 255),
        (np.array([[0, 255]], np.uint8), "uint8", 1),
        (np.array([[0, 65535]], ">u2"), "uint16", 1),
        (np.array([[-5, 1 << 53]], np.int64), "float64", 1),
        (np.array([[-5, 200]], np.int16), "float32", 1),
        (np.array([[0.25, -3]], np.float16), "float32", 1),
        (np.array([[0.1, np.nan]], ">f8"), "float64", 1),
    ],
)
def test_dtypes_are_unchanged_or_widened(array, dtype, factor):
    header, (frame,) = read(npy(array))
    assert header.dtype == frame.pixels.dtype == dtype
    assert frame.pixels.dtype.isnative
    np.testing.assert_array_equal(frame.pixels[..., 0], (array * factor).astype(dtype))


@pytest.mark.parametrize("shape", [(3, 4), (5, 3, 7), (2, 5, 3, 7)])
@pytest.mark.parametrize("order", ["C", "F"])
def test_shapes_are_maps_and_frames(shape, order):
    array = np.asarray(np.arange(np.prod(shape), dtype=np.float32).reshape(shape), order=order)
    header, frames = read(npy(array))
    frames_first = array.reshape((1, 1, *shape)[-4:] if len(shape) < 4 else shape)
    assert (header.frames, header.channels, header.size) == (frames_first.shape[0], frames_first.shape[1], (3, shape[-1]))
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
    with pytest.raises(ImageError, match="do not fit float64"):
        read(npy(np.array([[0, (1 << 53) + 1]])))


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


@pytest.mark.parametrize("frames", [(), (2,)])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
@pytest.mark.parametrize("channels", [3, 4])
def test_a_last_axis_of_3_or_4_is_colour(channels, dtype, order, frames):
    array = np.asarray(np.random.default_rng(0).integers(0, 250, (*frames, 9, 7, channels)).astype(dtype), order=order)
    header, rasters = read(npy(array))
    assert (header.size, header.channels, header.alpha, header.note) == ((9, 7), channels, channels == 4, None)
    assert header.dtype == dtype().dtype.name
    np.testing.assert_array_equal([raster.pixels for raster in rasters], array.reshape(-1, 9, 7, channels))


@pytest.mark.parametrize(
    ("shape", "axes", "size", "channels", "note"),
    [
        ((3, 5, 4), None, (3, 5), 4, "read as a colour image .* --axes CHW reads 3 maps"),
        ((3, 5, 4), "CHW", (5, 4), 3, None),
        ((5, 3, 1), None, (3, 1), 5, "read as 5 maps .* --axes HWC reads an image of 1 channel"),
        ((5, 3, 1), "HWC", (5, 3), 1, None),
        ((5, 7, 3), "CHW", (7, 3), 5, None),
        ((3, 5, 7), None, (5, 7), 3, None),
        ((3, 5, 7), "HWC", (3, 5), 7, None),
        ((2, 6, 5, 3), "CHW", (5, 3), 6, None),
        ((6, 5), "HWC", (6, 5), 1, None),
    ],
)
def test_axes_decide_and_a_note_names_the_other_reading(shape, axes, size, channels, note):
    array = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    header, rasters = read(npy(array), axes=None if axes is None else Axes(axes))
    assert (header.size, header.channels) == (size, channels)
    assert (header.note is None) == (note is None) and re.search(note or "", header.note or "")
    expected = array.reshape(-1, *size, channels) if array.ndim == 2 or shape[-1] == channels else np.moveaxis(array, -3, -1)
    np.testing.assert_array_equal([raster.pixels for raster in rasters], expected.reshape(-1, *size, channels))


def npz(save=np.savez, **arrays):
    file = io.BytesIO()
    save(file, **arrays)
    return file.getvalue()


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_each_array_of_an_archive_is_a_page(save):
    arrays = {"b": np.ones((4, 5, 3), np.uint16), "a": np.arange(20, dtype=np.uint8).reshape(4, 5), "maps": np.zeros((7, 2, 9), np.uint16)}
    header, rasters = read(npz(save, **arrays))
    assert (header.format, header.frames, header.size, header.dtype) == ("npz", 3, (4, 5), "uint16")
    assert [raster.pixels.shape for raster in rasters] == [(4, 5, 3), (4, 5, 1), (2, 9, 7)]
    np.testing.assert_array_equal(rasters[1].pixels[..., 0], arrays["a"])


def test_one_array_of_frames_is_those_frames():
    array = np.arange(2 * 4 * 5 * 3, dtype=np.float64).reshape(2, 4, 5, 3)
    header, rasters = read(npz(x=array))
    assert header.frames == 2
    np.testing.assert_array_equal([raster.pixels for raster in rasters], array)


def test_other_archives_and_damaged_ones_are_refused():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.npy", npy(np.ones((4, 5))))
        archive.writestr("word/document.xml", "<xml/>")
    with pytest.raises(ImageError, match="archive of something other"):
        read(file.getvalue())
    whole = npz(a=np.ones((40, 50)))
    for data in (whole[: len(whole) // 2], whole.replace(b"\xf0?", b"\xf1?", 1), npz(a=np.zeros((4, 0)))):
        with pytest.raises(ImageError, match=r"damaged npz|has no pixels"):
            read(data)
    with pytest.raises(ImageError, match="array 2 is deeper"):
        read(npz(a=np.ones((4, 5), np.uint8), b=np.ones((4, 5))))
