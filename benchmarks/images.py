"""Lines about images: filters and pools of a 12-megapixel image, on arrays, against OpenCV and SciPy with their default threads."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from measure import Job, Line, peer

import imgconv

HEIGHT, WIDTH = 3000, 4000
LAPLACIAN8 = np.array([[-1.0, -1, -1], [-1, 8, -1], [-1, -1, -1]])


def taps(size: int) -> Any:
    """Dense real taps without structure, as float32 holds them, so that both sides have the same."""
    return np.random.default_rng(size).standard_normal((size, size)).astype(np.float32) / size


def noise(channels: int | None = None) -> Any:
    """Noise; no filter here minds what it sees."""
    shape = (HEIGHT, WIDTH) if channels is None else (HEIGHT, WIDTH, channels)
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def lines() -> Iterator[Line]:
    """Filters, then blurs, then pools."""
    cv2, grey = peer("cv2"), noise()

    def filter2d(image: Any, weights: Any) -> Job | None:
        return (lambda: cv2.filter2D(image, -1, weights, borderType=cv2.BORDER_REPLICATE)) if cv2 else None

    laplacian8 = imgconv.kernel("laplacian8")
    yield Line("laplacian8, 8-bit grey", "cv2.filter2D", 3.0, lambda: imgconv.edge(grey, laplacian8), filter2d(grey, LAPLACIAN8))
    for size, goal in ((3, 2.0), (5, 1.8), (7, 1.5), (11, 1.5), (15, 2.0), (31, 1.0), (63, None)):
        weights = taps(size)
        yield Line(f"{size}x{size}, 8-bit grey", "cv2.filter2D", goal, lambda w=weights: imgconv.filter(grey, w), filter2d(grey, weights))
    colour, real = noise(3), grey.astype(np.float32)
    yield Line("3x3, 8-bit RGB", "cv2.filter2D", 1.8, lambda: imgconv.filter(colour, taps(3)), filter2d(colour, taps(3)))
    yield Line("5x5, float32 grey", "cv2.filter2D", 1.5, lambda: imgconv.filter(real, taps(5)), filter2d(real, taps(5)))
    yield from blurs(cv2, grey)
    yield from scipy_lines(grey)
    yield from pools(cv2, grey)
    yield from holes()


def blurs(cv2: Any, grey: Any) -> Iterator[Line]:
    """Gaussians, with OpenCV's own choice of size (3 sigma on each side, ours is 4) and with our size, and a box."""
    for sigma in (1, 3, 10):
        kernel = imgconv.kernel(f"gaussian:sigma={sigma}")
        same = (8 * sigma + 1, 8 * sigma + 1)
        for text, size in (("", (0, 0)), (", same size", same)):
            yield Line(
                f"gaussian sigma {sigma}{text}",
                "cv2.GaussianBlur",
                1.0,
                lambda k=kernel: imgconv.filter(grey, k),
                (lambda n=size, s=sigma: cv2.GaussianBlur(grey, n, s, borderType=cv2.BORDER_REPLICATE)) if cv2 else None,
            )
    box = imgconv.kernel("box:size=31")
    blur = (lambda: cv2.blur(grey, (31, 31), borderType=cv2.BORDER_REPLICATE)) if cv2 else None
    yield Line("box 31x31", "cv2.blur", None, lambda: imgconv.filter(grey, box), blur)


def scipy_lines(grey: Any) -> Iterator[Line]:
    """SciPy computes in float64 and clips nothing; the nearest comparison there is."""
    ndimage = peer("scipy.ndimage")
    for size in (3, 5):
        correlate = (lambda n=size: ndimage.correlate(grey, taps(n), mode="nearest")) if ndimage else None
        yield Line(f"{size}x{size}, 8-bit grey", "scipy.ndimage.correlate", 15.0, lambda n=size: imgconv.filter(grey, taps(n)), correlate)


def pools(cv2: Any, grey: Any) -> Iterator[Line]:
    """Pools of images against OpenCV's morphology and scaling."""
    for size, goal in ((3, 1.0), (15, 0.8)):
        dilate = (lambda n=size: cv2.dilate(grey, np.ones((n, n), np.uint8))) if cv2 else None
        yield Line(
            f"max pool {size}x{size}, stride 1",
            "cv2.dilate",
            goal,
            lambda n=size: imgconv.pool(grey, n, "max", stride=1, padding="same"),
            dilate,
        )
    half = (lambda: cv2.resize(grey, (WIDTH // 2, HEIGHT // 2), interpolation=cv2.INTER_AREA)) if cv2 else None
    yield Line("average pool 2x2", "cv2.resize INTER_AREA", 1.0, lambda: imgconv.pool(grey, 2, "avg"), half)


def holes() -> Iterator[Line]:
    """A Gaussian of 25x25 over 3 megapixels of which a hundredth is missing, against astropy, SciPy, and itself without missing cells."""
    convolution, ndimage, kernel = peer("astropy.convolution"), peer("scipy.ndimage"), imgconv.kernel("gaussian:sigma=3")
    values = np.random.default_rng(1).random((1500, 2000), np.float32)
    valid = np.random.default_rng(2).random(values.shape) > 0.01
    holed, taps = np.where(valid, values, np.float32(np.nan)), np.asarray(kernel.taps)

    def ours() -> Any:
        return imgconv.filter(holed, kernel, nodata="nan")

    def twice() -> Any:
        sums, weights = (
            ndimage.gaussian_filter(each, 3, mode="nearest") for each in (np.where(valid, values, 0), valid.astype(np.float32))
        )
        return np.where(valid, sums / weights, np.nan)

    text = "gaussian sigma 3, 3 megapixels with holes"
    interpolated = {"boundary": "extend", "nan_treatment": "interpolate", "preserve_nan": True}
    yield Line(text, "astropy convolve", 20.0, ours, (lambda: convolution.convolve(holed, taps, **interpolated)) if convolution else None)
    yield Line(text, "scipy, two Gaussians", 3.0, ours, twice if ndimage else None)
    yield Line(text, "without holes", 0.4, ours, lambda: imgconv.filter(values, kernel))
    yield from small_windows((values * 255).astype(np.uint8), valid)


def small_windows(grey: Any, valid: Any) -> Iterator[Line]:
    """Small kernels, boxes and pools of 8-bit images with a mask, against the same without one."""
    for name in ("laplacian8", "box:size=3", "gaussian:sigma=1", "box:size=31"):
        kernel = imgconv.kernel(name)
        masked, plain = (lambda k=kernel, m=each: imgconv.filter(grey, k, mask=m) for each in (valid, None))
        yield Line(f"{name}, 8-bit grey with a mask", "without a mask", None, masked, plain)
    for mode in ("max", "avg", "median", "std"):
        masked, plain = (lambda m=mode, v=each: imgconv.pool(grey, 3, m, stride=1, mask=v) for each in (valid, None))
        yield Line(f"{mode} pool 3x3, stride 1, with a mask", "without a mask", None, masked, plain)
