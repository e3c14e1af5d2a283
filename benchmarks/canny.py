"""`canny` on a 12-megapixel image against OpenCV's Gaussian and Canny: python benchmarks/canny.py

OpenCV rounds the smoothed image to 8 bits, adds |x| and |y| for the length of a gradient, and knows four directions; ours are those of
scikit-image, floats and interpolated. Both are given the same size of Gaussian and the same thresholds.
"""

from collections.abc import Iterator

import numpy as np
from images import HEIGHT, WIDTH, image
from measure import Line, measure, peer

import imgconv
from imgconv.filters.canny import canny_edges

SIGMA, LOW, HIGH = 1.4, 25.0, 51.0
SIZE = 13  # taps of the Gaussian: 4 sigma on each side


def lines() -> Iterator[Line]:
    """Noise, full of edges, and a smoothed one, whose edges are as many as those of a photograph."""
    cv2 = peer("cv2")
    noise = image()
    smooth = imgconv.filter(noise, "gaussian:sigma=3")
    stretched = np.clip((smooth.astype(np.float32) - 128) * 6 + 128, 0, 255).astype(np.uint8)
    for name, grey in (("noise", noise), ("smooth shapes", stretched)):
        theirs = (lambda g=grey: cv2.Canny(cv2.GaussianBlur(g, (SIZE, SIZE), SIGMA), LOW, HIGH)) if cv2 else None
        yield Line(
            f"canny, {name}", "cv2.GaussianBlur + cv2.Canny", 1.0, lambda g=grey: canny_edges(g[..., None], SIGMA, LOW, HIGH), theirs
        )


def main() -> None:
    """Print a line for each."""
    for line in lines():
        found = measure(line)
        theirs = "no OpenCV" if found.theirs is None else f"{line.peer} {1e3 * found.theirs:.0f} ms, {found.ratio:.2f} times as fast"
        print(f"{line.name}, {WIDTH}x{HEIGHT}: {1e3 * found.ours:.0f} ms; {theirs}")


if __name__ == "__main__":
    main()
