"""Draw the screenshots of docs/page.md with Chromium: `python docs/make_page_screenshots.py`."""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[1]
SCREENSHOTS = ROOT / "docs" / "screenshots"
OPERATION = """((type) => { const menu = document.getElementById("set-operation"); menu.value = type;
  menu.dispatchEvent(new Event("change")); })"""
VIEW = "((n) => document.querySelectorAll('#views button')[n].click())"
RECIPE = ["-s", "grey", "-s", "conv gaussian5", "-s", "max_pool 2", "-s", "conv sobel_x sobel_y padding=1", "-s", "relu"]
SMALL = ["-k", "sobel_x", "--grey", "--at", "60,70"]
HOLES = ["-k", "gaussian5", "--grey", "--mask", "mask.png", "--at", "100,60"]
# name: options of explain, size of the window, scheme, script, and the part of the page that is drawn
VIEWS = {
    "filter": (SMALL, (1280, 900), "light", "", "body"),
    "arithmetic": (SMALL, (1280, 900), "light", "", "#arithmetic"),
    "im2col": (SMALL, (1280, 900), "light", f"{VIEW}(1)", "#arithmetic"),
    "kernel-matrix": (SMALL, (1500, 900), "light", f"{VIEW}(2)", "#arithmetic"),
    "pool": (["--size", "3", "--stride", "2", "--grey"], (1280, 900), "dark", "imgconvPage.select(1, [0, 0, 0])", "#closeups"),
    "recipe": (RECIPE, (1280, 1000), "light", "imgconvPage.select(4, [0, 30, 40])", "#maps"),
    "layer": (["-k", "sobel_x"], (1280, 1100), "dark", f"{OPERATION}('conv')", "body"),
    "transposed": (["--size", "4", "--grey"], (1280, 900), "light", f"{OPERATION}('conv_transpose')", "#closeups"),
    "deformable": (SMALL, (1280, 900), "light", f"{OPERATION}('deform')", "#closeups"),
    "canny": (["--canny"], (1280, 900), "dark", "", "#maps"),
    "overlay": (["-k", "sobel", "--grey", "--overlay"], (760, 900), "light", "", "#rows .row:last-child"),
    "alpha": (["-k", "gaussian5", "--at", "60,2"], (1280, 900), "light", "", "#arithmetic"),
    "missing": (HOLES, (1000, 900), "dark", "", "#maps"),
    "missing-arithmetic": (HOLES, (1280, 900), "light", "", "#arithmetic"),
    "quiz": ([*SMALL, "--quiz"], (900, 900), "light", "document.querySelectorAll('#questions button').forEach((b) => b.click())", "#quiz"),
}


def main() -> None:
    """Write every screenshot."""
    sys.path.insert(0, str(ROOT / "tests"))
    from browser import browsing
    from command import SAMPLES, imgconv

    SCREENSHOTS.mkdir(exist_ok=True)
    with TemporaryDirectory() as name, browsing(Path(name) / "profile") as tab:
        folder = Path(name)
        assert imgconv("pool", SAMPLES / "chelsea.jpg", "--size", "2", "--mode", "avg", "-o", "cat.png", cwd=folder).code == 0
        assert imgconv("edge", "cat.png", "-k", "identity", "--threshold", "45", "-o", "mask.png", cwd=folder).code == 0
        for view, (options, (width, height), scheme, script, part) in VIEWS.items():
            source = SAMPLES / "logo_transparent.png" if view == "alpha" else "cat.png"
            done = imgconv("explain", source, *options, "--html", "page.html", cwd=folder)
            assert done.code == 0, done.err
            tab.resize(width, height)
            tab.colours(scheme)
            tab.visit(folder / "page.html")
            tab.value("new Promise((ready) => { const look = () => globalThis.imgconvPage ? ready() : setTimeout(look, 20); look(); })")
            tab.value(f"{script}; new Promise((done) => setTimeout(done, 300))")
            tab.screenshot(SCREENSHOTS / f"{view}.png", None if part == "body" else part)
            _reduced(SCREENSHOTS / f"{view}.png")


def _reduced(path: Path) -> None:
    """A smaller file: 128 colours, not dithered, are enough for a screenshot."""
    from PIL import Image

    with Image.open(path) as image:
        image.convert("RGB").quantize(128, dither=Image.Dither.NONE).save(path, optimize=True)


if __name__ == "__main__":
    main()
