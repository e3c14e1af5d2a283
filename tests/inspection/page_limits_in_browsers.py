"""How long the page of an explanation takes to redraw, and a frame of a drag. Run by name, with nothing else on the machine."""

import json
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from command import imgconv
from firefox import browsing_in_firefox
from pages import CHOOSE, DRAWN, IDLE, shown
from PIL import Image

SAMPLES = Path(__file__).parents[2] / "sample_images"

REDRAWS = {3: 50, 5: 50, 7: 50, 15: 100}  # milliseconds for a kernel of a size on a photograph of 0.3 megapixels
REDRAW = """((size, settings) => { const model = imgconvPage, line = [...Array(size).keys()];
  const taps = line.map((i) => line.map((j) => TAP));
  model.edit({ kernels: [{ ...model.spec.kernels[0], taps, divisor: 1 }], ...settings }); })"""
WHOLE = REDRAW.replace("TAP", "((7 * i + 3 * j) % 5) - 2")
FRACTIONS = REDRAW.replace("TAP", "Math.sin(7 * i + 3 * j)")  # no product of a column and a row
KERNELS = {
    "whole": (WHOLE, {}),
    "fractions": (FRACTIONS, {}),
    "fractions with dilation": (FRACTIONS, {"dilation": [2, 2]}),
    "fractions with stride": (FRACTIONS, {"stride": [2, 1]}),
    "minmax": (FRACTIONS, {"range": "minmax"}),
}
PLAIN = {"dilation": [1, 1], "stride": [1, 1], "range": "clip"}
HOLD = "globalThis.later = []; globalThis.timeout ??= setTimeout; globalThis.setTimeout = (work) => (later.push(work), -1); 0"
RELEASE = "globalThis.setTimeout = timeout; for (const work of later) work(); 0"
SIGNED = """imgconvPage.edit({ stride: [2, 2], weight: [[Array.from({ length: SIDE }, (_, i) =>
  Array.from({ length: SIDE }, (__, j) => (i + j) % 3 - COUNT % 2 / 2))]] })"""
POOL = "imgconvPage.edit({ mode: 'MODE', size: [7, 7], stride: [1, 1], padding: 'same', percent: 80, ceilMode: COUNT % 2 === 1 })"
OTHERS = {  # the slowest changes of each kind: an operation, and a script for it; milliseconds, those of 3x3 to 7x7 or those up to 15x15
    **{f"pool {mode}": ("pool", POOL.replace("MODE", mode), 50) for mode in ("max", "min", "range", "avg", "std", "median", "rank")},
    "median with stride 2": ("pool", POOL.replace("MODE", "median").replace("[1, 1]", "[2, 2]"), 50),
    "median with dilation": ("pool", POOL.replace("MODE", "median").replace("percent: 80", "dilation: [2, 2]"), 50),
    "conv": ("conv", "imgconvPage.edit({ flip: COUNT % 2 === 1 })", 50),
    "deform": ("deform", "imgconvPage.edit({ offsets: 'scatter', strength: 1 + (COUNT % 2) / 2 })", 50),
    "transposed 4x4": ("conv_transpose", SIGNED.replace("SIDE", "4"), 50),
    "transposed 7x7 with stride 1": ("conv_transpose", SIGNED.replace("SIDE", "7").replace("2, 2", "1, 1"), 50),
    "bank of 8 kernels": ("filter", f"{CHOOSE}('set-kernel', COUNT % 2 ? 'kirsch' : 'robinson3')", 100),
    "minmax": ("filter", "imgconvPage.edit({ range: 'minmax', dilation: [1 + COUNT % 2, 2] })", 100),
    "25 maps": ("filter", f"{CHOOSE}('set-kernel', COUNT % 2 ? 'laws' : 'sobel')", 50),
    "canny": ("canny", "imgconvPage.edit({ sigma: 0.7 + (COUNT % 2) / 9 })", 50),
    "canny, large": ("canny", "imgconvPage.edit({ sigma: 1.3 + (COUNT % 2) / 5 })", 100),
    "canny's threshold": ("canny", "imgconvPage.edit({ low: 20 + COUNT, high: 60 + COUNT })", 50),
}


MANY_STEPS = [*["conv gaussian5 padding=2"] * 4, "relu", "abs", "avg_pool 3 stride=1 padding=1", "conv sobel_x padding=1", "abs"]
MANY_STEPS += ["max_pool 3 stride=1 padding=1", "conv gaussian5 padding=2", "scale 0.5", "tanh", "sigmoid"]
COLOURED = {kind: OTHERS[kind] for kind in ("pool max", "pool avg", "pool std", "conv", "bank of 8 kernels", "minmax", "25 maps", "canny")}
MASKED = {kind: OTHERS[kind] for kind in ("pool max", "pool median", "pool rank", "pool avg")}
RANKS = {kind: OTHERS[kind] for kind in ("pool median", "pool rank", "median with stride 2")}
FLIP = "imgconvPage.index === 3 || imgconvPage.select(3, [0, 9, 9]); imgconvPage.edit({ flip: COUNT % 2 === 1 })"
LIMITS = {  # a photograph of 640x480 pixels, options, sizes of kernels, and other changes
    "colours": ("colours.png", ["-k", "laplacian8"], [3, 5, 7, 15], COLOURED),
    "alpha": ("alpha.png", ["-k", "laplacian8"], [3, 5], {}),
    "complete": ("large.png", ["-k", "laplacian8"], [3, 5, 7, 15], OTHERS),
    "missing": ("large.png", ["-k", "laplacian8", "--mask", "disk.png"], [3, 5, 7, 15], MASKED),
    "16 bits": ("deep.png", ["-k", "laplacian8"], [3, 5, 7, 15], RANKS),
    "float32": ("large.npy", ["-k", "laplacian8"], [3, 5, 7, 15], RANKS),
    "14 steps": ("large.png", [word for step in MANY_STEPS for word in ("-s", step)], [], {"third step": (None, FLIP, 50)}),
}


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", LIMITS)
def test_a_change_is_drawn_soon(tab, tmp_path, name):
    """The time of the page's thread alone, which other programs hardly change, until the next frame has the change."""
    open_page(tab, tmp_path, name)
    tab.call("Performance.enable", timeDomain="threadTicks")
    for kind, limit, script in scripts(tab, name):
        assert least(tab, lambda n, script=script: tab.value(f"{script.replace('COUNT', str(n))}; {DRAWN}")) < limit, kind
        assert tab.value("imgconvPage.problem") is None, kind
        assert frame_of_a_drag(tab) < 1000 / 60, kind
    tab.call("Performance.disable")


@pytest.mark.exhaustive
def test_a_change_is_computed_soon_in_firefox(tmp_path):
    with browsing_in_firefox(tmp_path / "profile") as tab:
        tab.resize(1280, 900)
        open_page(tab, tmp_path, "complete")
        for kind, limit, script in scripts(tab, "complete"):
            timed = f"(() => {{ const start = performance.now(); {script}; return performance.now() - start; }})()"
            times = []
            for n in range(12):
                tab.value(IDLE)
                times.append(tab.value(timed.replace("COUNT", str(n))))
            assert min(times) < limit, kind


def open_page(tab, folder, name):
    """Show a page of LIMITS."""
    source, words, *_ = LIMITS[name]
    photographs(folder)
    assert imgconv("explain", source, *words, "--html", "large.html", cwd=folder).code == 0
    shown(tab, folder / "large.html")
    assert tab.value("[imgconvPage.photo.width, imgconvPage.photo.height]") == [640, 480]


def scripts(tab, name):
    """Yield what is changed, its limit, and a script, in which COUNT is the number of the change; the operation is set before."""
    *_, sizes, changes = LIMITS[name]
    for (kind, (script, settings)), size in product(KERNELS.items(), sizes):
        yield f"{kind} {size}", REDRAWS[size], f"{script}({size}, {json.dumps({**PLAIN, **settings})})"
    if sizes:
        tab.value(f"{WHOLE}(3, {json.dumps(PLAIN)})")
    for kind, (operation, script, limit) in changes.items():
        if operation:
            tab.value(f"document.getElementById('set-operation').value === '{operation}' || {CHOOSE}('set-operation', '{operation}')")
        yield kind, limit, script


def photographs(folder):
    """A photograph of 640x480 pixels in all forms, in cells of 5x5 pixels, without which its colours had no room in a page at this size."""
    with Image.open(SAMPLES / "coffee.jpg") as photo:
        colours = photo.resize((128, 96)).resize((640, 480), Image.Resampling.NEAREST)
    grey = colours.convert("L")
    rows, columns = np.indices((480, 640))
    distance = np.hypot(rows - 200, columns - 300)
    Image.fromarray(np.where(distance < 60, 0, 255).astype(np.uint8)).save(folder / "disk.png")
    colours.save(folder / "colours.png")
    grey.save(folder / "large.png")
    colours.putalpha(Image.fromarray(np.clip(500 - distance, 0, 255).astype(np.uint8)))
    colours.save(folder / "alpha.png")
    deep = 257 * np.asarray(grey).astype(np.uint16) + rows.astype(np.uint16)
    Image.fromarray(deep).save(folder / "deep.png")
    np.save(folder / "large.npy", (deep / 65535).astype(np.float32))


def frame_of_a_drag(tab):
    """The mean milliseconds of the page's thread for a move of the mouse that drags the window, until it is drawn, in the best round."""
    tab.value("window.scrollTo(0, 0)")
    left, top = tab.value("(({ left, top }) => [left, top])(document.querySelector('.tile').getBoundingClientRect())")

    def mouse(kind, n):
        tab.call("Input.dispatchMouseEvent", type=kind, x=left + 60 + 3 * n, y=top + 60 + 2 * n, button="left", buttons=1, clickCount=1)

    def drag(n):
        for step in range(10):
            mouse("mouseMoved", 10 * n + step)
            tab.value(DRAWN)

    mouse("mousePressed", 0)
    before = tab.value("imgconvPage.at")
    spent = least(tab, drag, 4, holds=False) / 10
    mouse("mouseReleased", 0)
    assert tab.value("imgconvPage.at") != before
    return spent


def least(tab, work, rounds=8, *, holds=True):
    """The least milliseconds of the page's thread for `work(number of the round)`; what it leaves for later is held back."""

    def spent():
        metrics = tab.call("Performance.getMetrics")["metrics"]
        return 1000 * next(each["value"] for each in metrics if each["name"] == "TaskDuration")

    times = []
    for n in range(1, rounds + 1):
        tab.value(IDLE)
        tab.value(HOLD if holds else "0")
        before = spent()
        work(n)
        times.append(spent() - before)
        tab.value(RELEASE if holds else "0")
    return min(times)
