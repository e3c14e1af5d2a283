"""The tolerance of sums, and random arrays in every memory layout."""

import numpy as np

TOLERANCE = {np.dtype(np.float32): 1e-5, np.dtype(np.float64): 1e-12}  # relative to |r| + max|r|


def numbers(*shape, seed=0, dtype=np.float64):
    """Normally distributed numbers, the same for the same seed."""
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def assert_agrees(result, reference):
    """`result` is a contiguous, writeable array within the tolerance of a float64 `reference`."""
    reference = np.asarray(reference, np.float64)
    assert result.shape == reference.shape
    assert result.flags.c_contiguous and result.flags.writeable
    bound = TOLERANCE[result.dtype] * (np.abs(reference) + np.abs(reference).max(initial=0))
    assert (np.abs(result - reference) <= bound).all()


def layouts(array):
    """The same numbers as Fortran order, negative strides, every second cell of a larger array, and so on."""
    wide = np.zeros((*array.shape[:-1], 2 * array.shape[-1]), array.dtype)
    wide[..., ::2] = array
    shifted = np.zeros(array.nbytes + 1, np.uint8)[1:].view(array.dtype).reshape(array.shape)
    shifted[...] = array
    read_only = array.copy()
    read_only.flags.writeable = False
    reverse = (slice(None, None, -1),) * array.ndim
    return {
        "fortran": np.asfortranarray(array),
        "negative strides": np.ascontiguousarray(array[reverse])[reverse],
        "every second": wide[..., ::2],
        "read-only": read_only,
        "not aligned": shifted,
        "other byte order": array.astype(array.dtype.newbyteorder()),
    }
