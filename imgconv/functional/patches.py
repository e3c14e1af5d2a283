"""Patches under a sliding window: unfold and fold as in torch, im2col and col2im with patches as rows, and their gradients."""

from collections.abc import Iterator, Sequence
from math import prod

import numpy as np

from imgconv.arrays import AnyArray, FloatArray, as_batch, as_real_array, from_batch, ignore_float_errors, sum_dtype
from imgconv.engine.dispatch import PATCH_CELLS
from imgconv.errors import ArgumentTypeError, DoesNotFit, UsageError
from imgconv.window import Size, Window, sizes
from imgconv.windows.layout import Block, Layout, gather, ranges, scatter

MOST_CELLS = 2**45  # of a matrix of patches: more than any machine can address


def unfold(input: AnyArray, kernel_size: Size, dilation: Size = 1, padding: Size = 0, stride: Size = 1) -> AnyArray:
    """Return the patch under every position of a window, as the columns of a matrix (im2col).

    Parameters
    ----------
    input : (N, C, H, W) or (C, H, W), any real dtype
    kernel_size, dilation, padding, stride : an int or (vertical, horizontal), as for `conv2d`; padded cells are zero

    Returns
    -------
    (N, C*kh*kw, h_out*w_out), without N if the input has none, in the input's dtype; h_out, w_out as for `conv2d`.
    A convolution is the product of its weight, as (O, C*kh*kw), with this matrix. The cost is one copy per element.

    Raises
    ------
    ArgumentTypeError (a TypeError)
        for anything but a real numpy array and whole numbers.
    UsageError, DoesNotFit (both ValueErrors)
        for sizes out of range, an empty input, and windows larger than the padded input.

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
    batch, axes = as_batch(input)
    if 0 in batch.shape[1:]:
        raise DoesNotFit(f"input has the shape {batch.shape}; only the batch may be empty")
    window = _window(kernel_size, stride, padding, dilation)
    cells = prod(batch.shape[:2]) * prod(window.kernel_size) * prod(window.output_size(batch.shape[2:]))
    if cells > MOST_CELLS:
        raise DoesNotFit(f"the patches would have {cells} cells; use a smaller kernel_size, or less padding")
    patches = _gather_all(batch, Layout(batch.shape, window))
    return patches if axes == 4 else patches[0]


def fold(input: AnyArray, output_size: Size, kernel_size: Size, dilation: Size = 1, padding: Size = 0, stride: Size = 1) -> FloatArray:
    """Add patches to the cells that they were copied from (col2im): the adjoint of `unfold`.

    Parameters
    ----------
    input : (N, C*kh*kw, L) or (C*kh*kw, L) with L = h_out*w_out, any real dtype
    output_size : (H, W) of the images
    kernel_size, dilation, padding, stride : as passed to `unfold`

    Returns
    -------
    (N, C, H, W) or (C, H, W); float64 if the input is, else float32. The cost is N * C * kh * kw * L additions.

    Raises
    ------
    ArgumentTypeError (a TypeError)
        for anything but a real numpy array and whole numbers.
    UsageError, DoesNotFit (both ValueErrors)
        for sizes out of range, and an input that does not have the shape of an `unfold` of such images.

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
        raise DoesNotFit(f"input must have the shape (N,C*kh*kw,L) or (C*kh*kw,L) with at most an empty batch, got {columns.shape}")
    batch = columns if columns.ndim == 3 else columns[None]
    height, width = _pair(output_size, "output_size", least=1)
    window = _window(kernel_size, stride, padding, dilation)
    taps = prod(window.kernel_size)
    if batch.shape[1] % taps:
        raise DoesNotFit(f"input has {batch.shape[1]} rows; expected a multiple of the {taps} cells of kernel_size {kernel_size!r}")
    layout = Layout((len(batch), batch.shape[1] // taps, height, width), window)
    if batch.shape[2] != prod(layout.output_size):
        raise DoesNotFit(f"input has {batch.shape[2]} patches; images of {height}x{width} have {prod(layout.output_size)}")
    return from_batch(_scatter_all(batch, layout), columns.ndim + 1)


def im2col(
    input: AnyArray,
    kernel_h: int | None = None,
    kernel_w: int | None = None,
    stride: Size = 1,
    pad: Size = 0,
    *,
    kernel_size: Size | None = None,
    padding: Size | None = None,
    dilation: Size = 1,
) -> AnyArray:
    """Return the patch under every position of a window, as the rows of a matrix: `unfold` in the form that courses print.

    Parameters
    ----------
    input : (N, C, H, W) or (C, H, W), any real dtype
    kernel_h, kernel_w : height and width of the window; a square without `kernel_w`. `kernel_size` is torch's spelling
    stride, pad : as for `unfold`; `padding` is torch's spelling of `pad`
    dilation : as for `unfold`

    Returns
    -------
    (N*h_out*w_out, C*kh*kw) in the input's dtype, N = 1 for an input without a batch axis. The cost is one copy per element.

    Raises
    ------
    ArgumentTypeError (a TypeError), UsageError, DoesNotFit (both ValueErrors)
        as `unfold`, and UsageError for a kernel size or a padding in both spellings.

    Notes
    -----
    Matches im2col(x, filter_h, filter_w, stride, pad) of Saitoh, Deep Learning from Scratch.

    Examples
    --------
    >>> import numpy as np, imgconv
    >>> imgconv.im2col(np.arange(6).reshape(1, 2, 3), 2, 2)
    array([[0, 1, 3, 4],
           [1, 2, 4, 5]])
    """
    columns = unfold(input, _kernel_size(kernel_h, kernel_w, kernel_size), dilation, _padding(pad, padding), stride)
    return np.ascontiguousarray(np.moveaxis(columns, -2, -1)).reshape(-1, columns.shape[-2])


def col2im(
    input: AnyArray,
    output_size: Size,
    kernel_h: int | None = None,
    kernel_w: int | None = None,
    stride: Size = 1,
    pad: Size = 0,
    *,
    kernel_size: Size | None = None,
    padding: Size | None = None,
    dilation: Size = 1,
) -> FloatArray:
    """Add the rows of an `im2col` to the cells that they were copied from: its adjoint.

    `input` is (N*h_out*w_out, C*kh*kw) of any real dtype, `output_size` the (H, W) or the whole shape (N, C, H, W) or (C, H, W) of the
    images; the other parameters are those of `im2col`. The result is (N, C, H, W), or (C, H, W) for three numbers; float64 if the
    input is, else float32. Raises the errors of `fold`. Matches col2im(col, input_shape, filter_h, filter_w, stride, pad) of Saitoh.

    Examples
    --------
    >>> import numpy as np, imgconv
    >>> imgconv.col2im(np.ones((2, 4)), (1, 1, 2, 3), 2, 2)
    array([[[[1., 2., 1.],
             [1., 2., 1.]]]])
    """
    rows = as_real_array(input, "input", dims=2)
    kernel_size, padding = _kernel_size(kernel_h, kernel_w, kernel_size), _padding(pad, padding)
    shape = tuple(output_size) if isinstance(output_size, Sequence) and len(output_size) in (3, 4) else ()
    size = shape[-2:] or _pair(output_size, "output_size", least=1)
    window = _window(kernel_size, stride, padding, dilation)
    count = prod(window.output_size(sizes(size, "output_size", 2, least=1)))
    if rows.shape[0] % count:
        raise DoesNotFit(f"input has {rows.shape[0]} rows; expected a multiple of the {count} patches of images of {size[0]}x{size[1]}")
    columns = rows.reshape(-1, count, rows.shape[1]).transpose(0, 2, 1)
    images = fold(columns, size, kernel_size, dilation, padding, stride)
    if (shape and images.shape[4 - len(shape) :] != shape) or (len(shape) == 3 and len(images) != 1):
        raise DoesNotFit(f"input {rows.shape} gives images {images.shape}, not the output_size {shape}")
    return images[0] if len(shape) == 3 else images


def unfold_input(
    grad_output: AnyArray, input_size: Size, kernel_size: Size, dilation: Size = 1, padding: Size = 0, stride: Size = 1
) -> FloatArray:
    """Return the gradient of `unfold`: `fold` to the height and width at the end of `input_size`.

    >>> import numpy as np, imgconv
    >>> imgconv.gradients.unfold_input(np.ones((4, 2)), (1, 2, 3), kernel_size=2)
    array([[[1., 2., 1.],
            [1., 2., 1.]]])
    """
    size = tuple(input_size)[-2:] if isinstance(input_size, Sequence) and not isinstance(input_size, str) else input_size
    return fold(grad_output, size, kernel_size, dilation, padding, stride)


def fold_input(grad_output: AnyArray, kernel_size: Size, dilation: Size = 1, padding: Size = 0, stride: Size = 1) -> AnyArray:
    """Return the gradient of `fold`: `unfold`.

    >>> import numpy as np, imgconv
    >>> imgconv.gradients.fold_input(np.arange(6.0).reshape(1, 2, 3), kernel_size=2)
    array([[0., 1.],
           [1., 2.],
           [3., 4.],
           [4., 5.]])
    """
    return unfold(grad_output, kernel_size, dilation, padding, stride)


def _gather_all(batch: AnyArray, layout: Layout) -> AnyArray:
    """Return the patches (N, C*kh*kw, h_out*w_out); cells are copied as bits, so that every dtype needs one loop per size."""
    bits = np.dtype(f"u{batch.dtype.itemsize}")
    source, (images, channels), taps = batch.view(bits), batch.shape[:2], prod(layout.window.kernel_size)
    patches = np.empty((images, channels * taps, *layout.output_size), bits)
    for n, rows, block in _blocks(layout):
        gather(layout.planes(source, block, bits), layout, block, patches[n, rows])
    return patches.view(batch.dtype).reshape(images, channels * taps, prod(layout.output_size))


@ignore_float_errors
def _scatter_all(batch: AnyArray, layout: Layout) -> FloatArray:
    """Return the images (N, C, H, W) with the patches of a batch (N, C*kh*kw, h_out*w_out) added to them."""
    images: FloatArray = np.zeros(layout.shape, sum_dtype(batch))
    for n, rows, block in _blocks(layout):
        patches = np.ascontiguousarray(batch[n, rows], images.dtype).reshape(-1, *layout.output_size)
        layout.add_planes(scatter(patches, layout, block), block, images)
    return images


def _blocks(layout: Layout) -> Iterator[tuple[int, slice, Block]]:
    """Yield blocks of channels whose padded cells fit the cache, each with its image and the rows of its patches."""
    (images, channels), (height, _), taps = layout.shape[:2], layout.output_size, prod(layout.window.kernel_size)
    step = max(PATCH_CELLS // (layout.phases * (height + layout.halo) * layout.row_length), 1)
    for n in range(images):
        for first, last in ranges(channels, step):
            yield n, slice(first * taps, last * taps), Block((n, n + 1), (first, last), (0, height))


def _kernel_size(kernel_h: int | None, kernel_w: int | None, kernel_size: Size | None) -> Size:
    """Return the kernel size from the courses' or from torch's spelling."""
    if kernel_size is not None and kernel_h is None and kernel_w is None:
        return kernel_size
    if kernel_size is None and kernel_h is not None:
        return kernel_h if kernel_w is None else (kernel_h, kernel_w)
    raise UsageError("the kernel size is missing or ambiguous; pass either kernel_h and kernel_w, or kernel_size")


def _padding(pad: Size, padding: Size | None) -> Size:
    if padding is not None and pad != 0:
        raise UsageError(f"pad {pad!r} and padding {padding!r} are two names of one parameter; pass one of them")
    return pad if padding is None else padding


def _window(kernel_size: Size, stride: Size, padding: Size, dilation: Size) -> Window:
    return Window.of(
        _pair(kernel_size, "kernel_size", least=1),
        _pair(stride, "stride", least=1),
        _pair(padding, "padding", least=0),
        _pair(dilation, "dilation", least=1),
    )


def _pair(value: Size, name: str, least: int) -> tuple[int, ...]:
    """Return `value` as two whole numbers; as torch, it refuses 1-tuples and names here."""
    if isinstance(value, str):
        raise ArgumentTypeError(f"{name} must be whole numbers, not {value!r}")
    if isinstance(value, Sequence) and len(value) == 1:
        raise UsageError(f"{name} {value!r} has 1 number; give an int or two numbers")
    return sizes(value, name, 2, least)
