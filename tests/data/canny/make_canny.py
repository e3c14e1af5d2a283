"""Make the edge maps beside this script: what `skimage.feature.canny` finds in the sample photographs.

Run with scikit-image and Pillow installed: python tests/data/canny/make_canny.py
"""

from pathlib import Path

import numpy as np
from PIL import Image
from skimage.feature import canny

HERE = Path(__file__).parent
SAMPLES = HERE.parents[2] / "sample_images"
PHOTOGRAPHS = ("astronaut.jpg", "camera.png", "chelsea.jpg", "coffee.jpg")
SETTINGS = {  # name: sigma, low, high, whether those are quantiles
    "default": (1.4, None, None, False),
    "levels": (2.0, 15, 60, False),
    "shares": (1.0, 0.85, 0.95, True),
}


def main():
    """One bit a pixel, rows padded to whole bytes."""
    maps = {}
    for photograph in PHOTOGRAPHS:
        with Image.open(SAMPLES / photograph) as image:
            grey = np.array(image.convert("L"))
        for name, (sigma, low, high, quantiles) in SETTINGS.items():
            maps[f"{photograph}.{name}"] = np.packbits(canny(grey, sigma, low, high, use_quantiles=quantiles), axis=1)
    np.savez_compressed(HERE / "edges.npz", **maps)


if __name__ == "__main__":
    main()
