"""Draw cost.png beside this file: what a filter costs over kernel size, image size and threads, next to a copy of the image.

python benchmarks/plot.py     needs matplotlib; draws OpenCV too where it is installed
"""

import os
import time
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from images import image, taps
from measure import Job, peer

import imgconv

OUT = Path(__file__).with_name("cost.png")
SIZES = (3, 5, 7, 9, 11, 13, 15, 19, 23, 27, 31, 41, 51, 63)
SIGMAS = (0.5, 1, 1.5, 2, 3, 4, 6, 8, 10)
MEGAPIXELS = (0.1, 0.3, 1, 3, 12, 48)
RUNS = 11
mpl.use("agg")


def main() -> None:
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, 3, figsize=(15, 4.5), layout="constrained")
    for panel, draw in zip(panels, (over_kernel_size, over_image_size, over_threads), strict=True):
        draw(panel)
        panel.set_yscale("log")
        panel.set_ylabel("ms")
        panel.grid(alpha=0.3, which="both")
        panel.legend(fontsize="small")
    figure.savefig(OUT, dpi=90)


def over_kernel_size(panel: Any) -> None:
    """Dense taps, Gaussians and boxes on 12 megapixels."""
    cv2, grey = peer("cv2"), image()
    panel.plot(SIZES, [cost(lambda n=n: imgconv.filter(grey, taps(n))) for n in SIZES], "o-", label="dense taps")
    gaussians = {2 * int(np.ceil(4 * s)) + 1: imgconv.kernel(f"gaussian:sigma={s}") for s in SIGMAS}
    panel.plot(list(gaussians), [cost(lambda k=k: imgconv.filter(grey, k)) for k in gaussians.values()], "s-", label="gaussian")
    boxes = {n: imgconv.kernel(f"box:size={n}") for n in SIZES}
    panel.plot(list(boxes), [cost(lambda k=k: imgconv.filter(grey, k)) for k in boxes.values()], "^-", label="box")
    if cv2:
        panel.plot(SIZES, [cost(lambda n=n: cv2.filter2D(grey, -1, taps(n))) for n in SIZES], "x--", label="cv2.filter2D")
    panel.axhline(cost(grey.copy), color="grey", linestyle=":", label="copy of the image")
    panel.set_title("12 megapixels, 8-bit grey")
    panel.set_xlabel("kernel size")


def over_image_size(panel: Any) -> None:
    """laplacian8 and dense 7x7 taps on growing images."""
    laplacian8, cv2 = imgconv.kernel("laplacian8"), peer("cv2")
    sides = [(round((m * 0.75e6) ** 0.5), round((m / 0.75 * 1e6) ** 0.5)) for m in MEGAPIXELS]
    made = [np.resize(image(), side) for side in sides]
    panel.plot(MEGAPIXELS, [cost(lambda p=p: imgconv.edge(p, laplacian8)) for p in made], "o-", label="laplacian8")
    panel.plot(MEGAPIXELS, [cost(lambda p=p: imgconv.filter(p, taps(7))) for p in made], "s-", label="dense 7x7")
    if cv2:
        panel.plot(MEGAPIXELS, [cost(lambda p=p: cv2.filter2D(p, -1, taps(7))) for p in made], "x--", label="cv2.filter2D 7x7")
    panel.plot(MEGAPIXELS, [cost(p.copy) for p in made], color="grey", linestyle=":", label="copy of the image")
    panel.set_title("8-bit grey")
    panel.set_xlabel("megapixels")
    panel.set_xscale("log")


def over_threads(panel: Any) -> None:
    """Three kernels on as many threads as there are cores, and twice that."""
    grey, cores = image(), len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = list(range(1, 2 * cores + 1))
    for name, kernel in (("laplacian8", imgconv.kernel("laplacian8")), ("dense 7x7", taps(7)), ("dense 15x15", taps(15))):
        costs = [cost(lambda n=n, k=kernel: imgconv.filter(grey, k, threads=n)) for n in threads]
        (drawn,) = panel.plot(threads, costs, "o-", label=name)
        panel.plot(threads, [costs[0] / min(n, cores) for n in threads], ":", color=drawn.get_color())
    panel.axhline(cost(grey.copy), color="grey", linestyle=":", label="copy of the image")
    panel.set_title(f"12 megapixels, {cores} cores; dotted: perfect sharing")
    panel.set_xlabel("threads")
    panel.set_xticks(threads)


def cost(job: Job) -> float:
    """Milliseconds: the best of several runs after one to warm up."""
    job()
    seconds = []
    for _ in range(RUNS):
        started = time.perf_counter()
        job()
        seconds.append(time.perf_counter() - started)
    return min(seconds) * 1e3


if __name__ == "__main__":
    main()
