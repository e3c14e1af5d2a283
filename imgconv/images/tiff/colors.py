"""The colours of a TIFF page: from samples in the page's photometric interpretation to grey or RGB, with alpha last."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from imgconv.errors import ImageError
from imgconv.images.metadata.transfer import srgb_of
from imgconv.images.modes import exact_floats, rgb_of_cmyk, rounded, white_is_white, white_of
from imgconv.images.tiff.segments import stores_ycbcr

WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, MASK, CMYK, YCBCR, CIELAB, ICCLAB = 0, 1, 2, 3, 4, 5, 6, 8, 9
_STORED = {WHITE_IS_ZERO: 1, BLACK_IS_ZERO: 1, RGB: 3, PALETTE: 1, MASK: 1, CMYK: 4, YCBCR: 3, CIELAB: 3, ICCLAB: 3}  # samples
_COLOURS = _STORED | {PALETTE: 3, CMYK: 3}  # channels
_COLORMAP, _INK_SET, _COEFFICIENTS, _REFERENCE = 320, 332, 529, 532  # tags
_ASSOCIATED, _UNASSOCIATED = 1, 2  # extra samples
_INKS = (WHITE_IS_ZERO, CMYK)  # photometric interpretations in which 0 is white
_BT_601 = (299, 1000, 587, 1000, 114, 1000)

# CIE Lab of a D50 white to linear sRGB, with Bradford's adaptation (sRGB profile of ICC)
_WHITE = np.array([0.9642, 1.0, 0.8249])
_XYZ_TO_RGB = np.array([[3.1341359, -1.6172740, -0.4906623], [-0.9787955, 1.9162544, 0.0334427], [0.0719554, -0.2289768, 1.4053860]])


def dtype_of(page: Any) -> str:
    """Return the dtype of the pixels of a page: the smallest one that holds every level it can have."""
    bits, photometric = bits_of(page), int(page.photometric)
    if photometric == PALETTE:
        return "uint8" if bits <= 8 and _palette(page).dtype == np.uint8 else "uint16"
    if photometric in (CIELAB, ICCLAB):
        return f"uint{bits}"
    if page.dtype.kind in "bu" and bits <= 16:
        return "uint8" if bits <= 8 else "uint16"
    exact = bits <= 32 if page.dtype.kind == "f" else bits <= 24
    return "float32" if exact else "float64"


def bits_of(page: Any) -> int:
    """Return the bits of a sample: 8 where samples of 5 and 6 bits share two bytes, which are decoded to 8."""
    return 8 if isinstance(page.bitspersample, tuple) else int(page.bitspersample)


def channels_of(page: Any) -> int:
    """Return the number of channels of a page: its colours, and every extra sample."""
    photometric = int(page.photometric)
    return int(_COLOURS[photometric] + page.samplesperpixel - _STORED[photometric])


def alpha_index(page: Any) -> int | None:
    """Return the position of alpha in the samples of a page: declared, or one undeclared sample after grey or RGB; None without."""
    colours, kinds = _STORED[int(page.photometric)], [int(kind) for kind in page.extrasamples]
    if not kinds:
        return colours if page.samplesperpixel == colours + 1 else None
    return next((colours + i for i, kind in enumerate(kinds) if kind in (_ASSOCIATED, _UNASSOCIATED)), None)


def is_supported(page: Any) -> bool:
    """Return whether the samples of a page have a meaning here, by its tags."""
    photometric, kind = int(page.photometric), page.dtype.kind if page.dtype is not None else ""
    if photometric not in _STORED or kind not in "biuf" or not kind or page.samplesperpixel < _STORED[photometric]:
        return False
    if photometric in (BLACK_IS_ZERO, RGB):
        return True
    unsigned = kind in "bu" and dtype_of(page) in ("uint8", "uint16")
    if photometric == WHITE_IS_ZERO:
        return unsigned or kind == "f"
    if photometric in (CIELAB, ICCLAB):
        return bits_of(page) in (8, 16) and kind in "iu" and _has_alpha_only(page)
    if photometric == CMYK:
        return (unsigned or kind == "f") and page.tags.valueof(_INK_SET, 1) == 1 and _has_alpha_only(page)
    if photometric == PALETTE:
        return unsigned and _has_alpha_only(page) and page.tags.valueof(_COLORMAP) is not None
    return unsigned


def is_premultiplied(page: Any) -> bool:
    """Return whether all channels of a page but alpha are colours that are multiplied by it, and not inks."""
    return [int(kind) for kind in page.extrasamples] == [_ASSOCIATED] and int(page.photometric) not in _INKS


def pixels_of(page: Any, samples: NDArray[Any], *, premultiplied: bool = False) -> tuple[NDArray[Any], bool]:
    """Return the pixels (H, W, C) of a page, of `dtype_of` and `channels_of`, and whether the last channel is alpha.

    With `premultiplied` colours that are multiplied by alpha stay so; those that no colour gives are limited to alpha.
    """
    photometric, dtype = int(page.photometric), np.dtype(dtype_of(page))
    stored = _STORED[photometric]
    if photometric in (CIELAB, ICCLAB):
        samples = np.ascontiguousarray(samples).view(dtype)
    levels = _levels(samples, page, dtype)
    max_value = white_of(dtype)
    at = alpha_index(page)
    is_multiplied = at is not None and _ASSOCIATED in [int(kind) for kind in page.extrasamples]
    if is_multiplied and photometric in _INKS:
        levels = np.concatenate([_unpremultiplied(levels[..., :stored], levels[..., at, None], max_value), levels[..., stored:]], axis=2)
    colours = _colours(page, samples[..., :stored], levels[..., :stored], dtype, max_value)
    others = [levels[..., i, None] for i in range(stored, samples.shape[2]) if i != at]
    if at is None:
        return np.concatenate([colours, *others], axis=2) if others else colours, False
    alpha = levels[..., at, None]
    if premultiplied:
        colours = np.minimum(colours, alpha) if dtype.kind == "u" else np.where(alpha > 0, colours, 0)
    elif is_multiplied and photometric not in _INKS:
        colours = _unpremultiplied(colours, alpha, max_value)
    return np.concatenate([colours, *others, alpha], axis=2), True


def with_mask(pixels: NDArray[Any], alpha: bool, mask: NDArray[Any], *, premultiplied: bool = False) -> NDArray[Any]:
    """Return pixels whose last channel is alpha, which is 0 where the mask (H, W, 1) is 0, and so are `premultiplied` colours."""
    if premultiplied:
        return np.where(mask != 0, pixels, pixels.dtype.type(0))
    cover = np.where(mask != 0, pixels[..., -1:] if alpha else white_of(pixels.dtype), 0).astype(pixels.dtype)
    return np.concatenate([pixels[..., :-1] if alpha else pixels, cover], axis=2)


def _has_alpha_only(page: Any) -> bool:
    return alpha_index(page) is not None or page.samplesperpixel == _STORED[int(page.photometric)]


def _colours(page: Any, stored: NDArray[Any], levels: NDArray[Any], dtype: np.dtype[Any], max_value: int) -> NDArray[Any]:
    """Return grey or RGB of samples as they are `stored`, and as `levels` of the whole range of `dtype`."""
    photometric = int(page.photometric)
    if photometric == WHITE_IS_ZERO:
        inverted: NDArray[Any] = max_value - levels
        return inverted
    if photometric == PALETTE:
        palette = _palette(page)
        if stored.size and int(stored.max()) >= len(palette):
            raise ImageError(f"palette index {int(stored.max())} is beyond the {len(palette)} colours")
        return palette[stored[..., 0].astype(np.intp)].astype(dtype)
    if photometric == CMYK:
        return rgb_of_cmyk(levels)
    if photometric in (CIELAB, ICCLAB):
        return _rgb_of_lab(stored, photometric)
    return _rgb_of_ycbcr(page, stored, dtype, max_value) if stores_ycbcr(page) else levels


def _levels(samples: NDArray[Any], page: Any, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return unsigned samples of up to 16 bits as levels of the whole range of their dtype; others as floats."""
    bits = bits_of(page)
    if dtype.kind != "u":
        return exact_floats(samples, dtype)
    if bits == 8 * dtype.itemsize:
        return np.ascontiguousarray(samples)
    levels = white_is_white(samples, bits)
    return levels if levels.dtype == dtype else levels.astype(dtype) * 257  # alpha of 8 bits beside a palette of 16


def _palette(page: Any) -> NDArray[Any]:
    """Return the colours (n, 3) of a page as uint8, or as uint16 where 8 bits do not hold them.

    The entries have 16 bits by the standard; some programs write 8 bits, or leave the low ones 0.
    """
    entries = np.array(page.tags.valueof(_COLORMAP), np.uint16)
    palette = entries[: len(entries) // 3 * 3].reshape(3, -1).T
    high, low = palette >> 8, palette & 255
    if not high.any():
        return low.astype(np.uint8)
    return high.astype(np.uint8) if not low.any() or (low == high).all() else palette


def _rgb_of_ycbcr(page: Any, stored: NDArray[Any], dtype: np.dtype[Any], max_value: int) -> NDArray[Any]:
    """Return RGB by the formulas of TIFF 6.0, section 21."""
    red, green, blue = np.divide.reduce(np.reshape(page.tags.valueof(_COEFFICIENTS, _BT_601), (3, 2)), axis=1)
    half = (max_value + 1) // 2
    ends = page.tags.valueof(_REFERENCE)
    lows, highs = np.reshape([0, max_value, half, max_value, half, max_value] if ends is None else _numbers(ends), (3, 2)).T
    scaled = (stored - lows) / (highs - lows) * [max_value, half - 1, half - 1]
    luma, cb, cr = scaled[..., 0], scaled[..., 1], scaled[..., 2]
    r, b = cr * (2 - 2 * red) + luma, cb * (2 - 2 * blue) + luma
    g = (luma - blue * b - red * r) / green
    return rounded(np.clip(np.stack([r, g, b], axis=2), 0, max_value), dtype)


def _numbers(ends: Any) -> list[float]:
    """Return the values of a tag of six fractions, or of six numbers."""
    return [ends[i] / ends[i + 1] for i in range(0, 12, 2)] if len(ends) == 12 else list(ends)


def _rgb_of_lab(stored: NDArray[Any], photometric: int) -> NDArray[Any]:
    """Return sRGB of CIE Lab. a and b are signed; ICC Lab shifts them by half of their range, and its 16-bit white is 0xFF00."""
    max_value, scale = int(np.iinfo(stored.dtype).max), 1 << (8 * stored.itemsize - 8)
    white = 255 * scale if photometric == ICCLAB else max_value
    ab = stored[..., 1:] / scale
    ab = ab - 128 if photometric == ICCLAB else np.where(ab < 128, ab, ab - 256)
    fy = (stored[..., :1] * (100 / white) + 16) / 116
    f = np.concatenate([fy + ab[..., :1] / 500, fy, fy - ab[..., 1:] / 200], axis=2)
    xyz = np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29)) * _WHITE
    return rounded(srgb_of(np.clip(xyz @ _XYZ_TO_RGB.T, 0, 1)) * max_value, stored.dtype)


def _unpremultiplied(colours: NDArray[Any], alpha: NDArray[Any], max_value: int) -> NDArray[Any]:
    """Return colours divided by their alpha, 0 where alpha is 0."""
    divided = np.divide(colours * float(max_value), alpha, out=np.zeros(colours.shape), where=alpha > 0)
    return rounded(np.clip(divided, 0, max_value) if colours.dtype.kind == "u" else divided, colours.dtype)
