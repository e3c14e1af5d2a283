"""unfold and fold, torch's im2col and col2im, and the two under their own names with patches as rows."""

from collections.abc import Sequence
from math import prod

import numpy as np

from imgconv.arrays import AnyArray, FloatArray, as_batch, as_real_array, from_batch, ignore_float_errors, sum_dtype
from imgconv.engine.dispatch import PATCH_CELLS
from imgconv.errors import ArgumentTypeError, DoesNotFit, UsageError
from imgconv.window import Size, Window, sizes
from imgconv.windows.correlation import spans
from imgconv.windows.layout import Block, Layout, gather, scatter


def unfold(input: AnyArray, kernel_size: Size, dilation: Size = 1, padding: Size = 0, stride: Size = 1) -> AnyArray:
    """Take every patch that a window covers, as the columns of a matrix (im2col).

    Parameters
    ----------
    input : (N, C, H, W) or (C, H, W), any real dtype
    kernel_size, dilation, padding, stride : an int or (vertical, horizontal), as for `conv2d`; padded cells are zero

    Returns
    -------
    (N, C*kh*kw, h_out*w_out), or without N as the input was, in the input's dtype; h_out, w_out as for `conv2d`.
    A convolution is the product of its weight, as (O, C*kh*kw), with this matrix; unfolding itself takes no arithmetic.

    Raises
    ------
    ArgumentTypeError (a TypeError)
        for anything but a real numpy array and whole numbers.
    UsageError, DoesNotFit (both ValueErrors)
        for sizes out of range, an input without cells, and windows larger than the padded input.

    Notes
    -----
    Matches torch.nn.functional.unfold; wider only in its dtypes. `fold` is its adjoint.

    Examples
    --------
    >>> import numpy as np, imgconv
    >>> imgconv.unfold(np.arange(6).reshape(1, 2, 3), kernel_size=2)
    array([[0, 1],
           [1, 2],
           [3, 4],
           [4, 5]])
    """
    batch, batched = as_batch(input)
    if 0 in batch.shape[1:]:
        raise DoesNotFit(f"input has the shape {batch.shape}; only its batch may be empty")
    layout = Layout(batch.shape, _window(kernel_size, stride, padding, dilation))
    patches = _patches(batch, layout)
    return patches if batched else patches[0]


def fold(input: AnyArray, output_size: Size, kernel_size: Size, dilation: Size = 1, padding: Size = 0, stride: Size = 1) -> FloatArray:
    """Lay patches back where a window took them, adding where they overlap (col2im): the adjoint of `unfold`.

    Parameters
    ----------
    input : (N, C*kh*kw, L) or (C*kh*kw, L) with L = h_out*w_out, any real dtype
    output_size : (H, W) of the images that the patches were taken from
    kernel_size, dilation, padding, stride : those of the `unfold`

    Returns
    -------
    (N, C, H, W) or (C, H, W); float64 if the input is, else float32. It takes N * C * kh * kw * L additions.

    Raises
    ------
    ArgumentTypeError (a TypeError)
        for anything but a real numpy array and whole numbers.
    UsageError, DoesNotFit (both ValueErrors)
        for sizes out of range, and an input whose shape is not that of an `unfold` of such images.

    Notes
    -----
    Matches torch.nn.functional.fold; wider only in its dtypes.

    Examples
    --------
    >>> import numpy as np, imgconv
    >>> imgconv.fold(np.ones((4, 2)), (2, 3), kernel_size=2)
    array([[[1., 2., 1.],
            [1., 2., 1.]]])
    """
    columns = as_real_array(input, "input")
    if columns.ndim not in (2, 3) or 0 in columns.shape[-2:]:
        raise DoesNotFit(f"input must have the shape (N,C*kh*kw,L) or (C*kh*kw,L), only the batch empty, not {columns.shape}")
    batch = columns if columns.ndim == 3 else columns[None]
    height, width = _pair(output_size, "output_size", least=1)
    window = _window(kernel_size, stride, padding, dilation)
    kernel = prod(window.kernel_size)
    if batch.shape[1] % kernel:
        raise DoesNotFit(f"input has {batch.shape[1]} rows, not a multiple of the {kernel} cells of kernel_size {kernel_size!r}")
    layout = Layout((len(batch), batch.shape[1] // kernel, height, width), window)
    if batch.shape[2] != prod(layout.output_size):
        raise DoesNotFit(f"input has {batch.shape[2]} patches where images of {height}x{width} have {prod(layout.output_size)}")
    return from_batch(_folded(batch, layout), columns.ndim == 3)


def im2col(input: AnyArray, kernel_size: Size, dilation: Size = 1, padding: Size = 0, stride: Size = 1) -> AnyArray:
    """Take every patch that a window covers, as the rows of a matrix: `unfold` as courses print it.

    Parameters
    ----------
    input, kernel_size, dilation, padding, stride : as for `unfold`

    Returns
    -------
    (N*h_out*w_out, C*kh*kw) in the input's dtype, N = 1 for an input without a batch axis.

    Raises
    ------
    ArgumentTypeError, UsageError, DoesNotFit
        as `unfold` does.

    Examples
    --------
    >>> import numpy as np, imgconv
    >>> imgconv.im2col(np.arange(6).reshape(1, 2, 3), kernel_size=2)
    array([[0, 1, 3, 4],
           [1, 2, 4, 5]])
    """
    columns = unfold(input, kernel_size, dilation, padding, stride)
    return np.ascontiguousarray(np.moveaxis(columns, -2, -1)).reshape(-1, columns.shape[-2])


def col2im(input: AnyArray, output_size: Size, kernel_size: Size, dilation: Size = 1, padding: Size = 0, stride: Size = 1) -> FloatArray:
    """Lay the rows of `im2col` back where a window took them, adding where they overlap: its adjoint.

    Parameters
    ----------
    input : (N*h_out*w_out, C*kh*kw), any real dtype
    output_size : (H, W), or the whole shape (N, C, H, W) or (C, H, W) of the images
    kernel_size, dilation, padding, stride : those of the `im2col`

    Returns
    -------
    (N, C, H, W), or (C, H, W) if `output_size` says so; float64 if the input is, else float32.

    Raises
    ------
    ArgumentTypeError, UsageError, DoesNotFit
        as `fold` does.

    Examples
    --------
    >>> import numpy as np, imgconv
    >>> imgconv.col2im(np.ones((2, 4)), (2, 3), kernel_size=2)
    array([[[[1., 2., 1.],
             [1., 2., 1.]]]])
    """
    rows = as_real_array(input, "input", dims=2)
    shape = tuple(output_size) if isinstance(output_size, Sequence) and len(output_size) in (3, 4) else ()
    size = shape[-2:] or _pair(output_size, "output_size", least=1)
    window = _window(kernel_size, stride, padding, dilation)
    count = prod(window.output_size(sizes(size, "output_size", 2, least=1)))
    if rows.shape[0] % count:
        raise DoesNotFit(f"input has {rows.shape[0]} rows, not a multiple of the {count} patches of images of {size[0]}x{size[1]}")
    columns = rows.reshape(-1, count, rows.shape[1]).transpose(0, 2, 1)
    images = fold(columns, size, kernel_size, dilation, padding, stride)
    if (shape and images.shape[4 - len(shape) :] != shape) or (len(shape) == 3 and len(images) != 1):
        raise DoesNotFit(f"input {rows.shape} makes images {images.shape}, not the output_size {shape}")
    return images[0] if len(shape) == 3 else images


def _patches(batch: AnyArray, layout: Layout) -> AnyArray:
    """Patches (N, C*kh*kw, h_out*w_out): bits are moved, whatever they mean."""
    bits = np.dtype(f"u{batch.dtype.itemsize}")
    source = batch.view(bits)
    (images, channels), (rows, columns), kernel = batch.shape[:2], layout.output_size, prod(layout.window.kernel_size)
    result = np.empty((images, channels * kernel, rows, columns), bits)
    for n, (first, last) in ((n, span) for n in range(images) for span in spans(channels, _channels(layout))):
        block = Block((n, n + 1), (first, last), (0, rows))
        gather(layout.cells(source, block, bits), layout, block, result[n, first * kernel : last * kernel])
    return result.view(batch.dtype).reshape(images, channels * kernel, rows * columns)


@ignore_float_errors
def _folded(batch: AnyArray, layout: Layout) -> FloatArray:
    (images, channels), (rows, columns), kernel = layout.shape[:2], layout.output_size, prod(layout.window.kernel_size)
    result: FloatArray = np.zeros(layout.shape, sum_dtype(batch))
    for n, (first, last) in ((n, span) for n in range(images) for span in spans(channels, _channels(layout))):
        block = Block((n, n + 1), (first, last), (0, rows))
        part = np.ascontiguousarray(batch[n, first * kernel : last * kernel], result.dtype)
        layout.add_cells(scatter(part.reshape(-1, rows, columns), layout, block), block, result)
    return result


def _channels(layout: Layout) -> int:
    """Channels of an image that are padded at a time."""
    return max(PATCH_CELLS // (layout.phases * (layout.output_size[0] + layout.halo) * layout.pitch), 1)


def _window(kernel_size: Size, stride: Size, padding: Size, dilation: Size) -> Window:
    return Window.of(
        _pair(kernel_size, "kernel_size", least=1),
        _pair(stride, "stride", least=1),
        _pair(padding, "padding", least=0),
        _pair(dilation, "dilation", least=1),
    )


def _pair(value: Size, name: str, least: int) -> tuple[int, ...]:
    """`value` as two whole numbers; torch takes no 1-tuples and no names here."""
    if isinstance(value, str):
        raise ArgumentTypeError(f"{name} must be whole numbers, not {value!r}")
    if isinstance(value, Sequence) and len(value) == 1:
        raise UsageError(f"{name} {value!r} has 1 number; give an int or two numbers")
    return sizes(value, name, 2, least)
