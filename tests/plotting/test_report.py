"""The page of a report: what is on it, that it needs nothing beside it, and that no name does harm."""

import os
from base64 import b64decode
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imgconv.display.words import visible
from imgconv.errors import ImageError
from imgconv.images import Request
from imgconv.plotting import report as reports
from imgconv.plotting.report import Entry, Report
from imgconv.plotting.thumbnails import thumbnail

VOID = {"meta", "link", "img", "input"}


class Parsed(HTMLParser):
    """The elements of a page as (name, attributes, text), in the order in which they begin; all of them must be closed."""

    def __init__(self, page):
        super().__init__()
        self.elements, self._open = [], []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attributes):
        element = (tag, dict(attributes), [])
        self.elements.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_endtag(self, tag):
        assert self._open.pop()[0] == tag

    def handle_data(self, data):
        for _, _, texts in self._open:
            texts.append(data)

    def all(self, tag, kind=None):
        return [(its, "".join(texts)) for name, its, texts in self.elements if name == tag and kind in (None, its.get("class"))]


def page_of(*entries, title="edges", facts=(), expected=1):
    with Report(title, facts, expected=expected, workers=2) as report:
        for entry in entries:
            report.add(entry)
        report.write(file := BytesIO())
    return file.getvalue().decode()


def drawn(path, size=(60, 40), mode="RGB", **options):
    rng = np.random.default_rng(3)
    bands = len(Image.new(mode, (1, 1)).getbands())
    Image.fromarray(rng.integers(0, 255, (size[1], size[0], bands), np.uint8).squeeze()).save(path, **options)
    return str(path)


def data_of(image):
    kind, _, data = image["src"].partition(",")
    assert kind == "data:image/webp;base64"
    return Image.open(BytesIO(b64decode(data)))


def test_a_card_has_both_images_a_slider_names_and_sizes(tmp_path):
    before, after = drawn(tmp_path / "a.png", (60, 40)), drawn(tmp_path / "a.pool.png", (30, 20), "L")
    page = Parsed(page_of(Entry("photos/a.png", before, [after]), facts=[("Command", "imgconv pool photos")]))
    ((_, text),) = page.all("li", "card")
    assert "a.pool.png" in text and "photos/a.png" in text and "60 wide, 40 high → 30 wide, 20 high" in text
    images = {its["alt"]: data_of(its) for its, _ in page.all("img")}
    assert {alt: image.size for alt, image in images.items()} == {"After: a.pool.png": (30, 20), "Before: photos/a.png": (60, 40)}
    slider = next(its for its, _ in page.all("input") if its.get("aria-label"))
    assert slider["type"] == "range" and slider["aria-label"] == "Before and after, a.pool.png"
    assert [text for _, text in page.all("code")] == ["imgconv pool photos"]
    assert [text for _, text in page.all("h1")] == ["edges"] and page.all("main") and page.all("header")


def test_without_its_input_a_result_stands_alone(tmp_path):
    page = Parsed(page_of(Entry("standard input", None, [drawn(tmp_path / "stdin.edge.png")])))
    assert len(page.all("img")) == 1 and page.all("div", "single") and not page.all("div", "compare")


def test_failures_are_listed_with_reasons_and_only_then(tmp_path):
    cut = Path(drawn(tmp_path / "cut.png"))
    cut.write_bytes(cut.read_bytes()[:400])
    page = Parsed(page_of(Entry("a.jpg", error="damaged jpeg"), Entry("b.jpg", None, [str(cut)])))
    (section,) = [text for its, text in page.all("section") if its["id"] == "failures"]
    assert "a.jpg" in section and "damaged jpeg" in section and "cut.png" in section and "damaged png" in section
    assert "1 image, 2 failed" in page.all("p", "summary")[0][1]
    (its,) = [its for its, _ in Parsed(page_of(Entry("c.jpg"))).all("section") if its["id"] == "failures"]
    assert "hidden" in its


def test_arrays_are_results_that_need_no_image(tmp_path):
    np.savez(tmp_path / "a.npz", scores=np.zeros(10, np.float32))
    page = Parsed(page_of(Entry("a.jpg", drawn(tmp_path / "a.png"), [str(tmp_path / "a.npz")])))
    assert page.all("p", "summary")[0][1] == "1 image"
    assert "No image of the result" in page.all("li", "card")[0][1]


@pytest.mark.parametrize(
    "name", ["<script>alert(1)<.png", '" onerror="x', "a&amp;b", "$title", "<!-- cards -->", "\udcff\udc80", "two\nlines", "\u202egnp.exe"]
)
def test_no_name_becomes_anything_but_text(name, tmp_path):
    after = drawn(tmp_path / "a.png")
    entry = Entry(name, after, [after], note=name)
    page = Parsed(page_of(entry, Entry(name, error=name), title=name, facts=[(name, name)]))
    plain = Parsed(page_of(Entry("x", after, [after], note="x"), Entry("x", error="x"), title="x", facts=[("x", "x")]))
    assert [(tag, sorted(its)) for tag, its, _ in page.elements] == [(tag, sorted(its)) for tag, its, _ in plain.elements]
    shown = page.all("h1")[0][1]
    assert shown == visible(name) and shown.isprintable()
    assert shown == name or not name.isprintable()


def test_everything_is_in_the_page_and_nothing_else_may_come_in(tmp_path):
    after = drawn(tmp_path / "a.png")
    text = page_of(Entry("a.jpg", after, [after]))
    page = Parsed(text)
    assert "http:" not in text and "https:" not in text and "url(" not in text and "@import" not in text
    for _, its, _ in page.elements:
        assert its.get("src", "data:").startswith("data:") and its.get("href", "#").startswith(("#", "data:"))
        assert "style" not in its and not any(name.startswith("on") for name in its)
    (rules,) = [its["content"] for its, _ in page.all("meta") if its.get("http-equiv")]
    assert rules.startswith("default-src 'none'; img-src data:;") and "unsafe" not in rules


def test_many_images_are_smaller_and_the_page_has_an_end(tmp_path, monkeypatch):
    after = drawn(tmp_path / "a.png", (1200, 800))
    few, many = (Parsed(page_of(Entry("a", None, [after]), expected=count)) for count in (100, 101))
    assert [data_of(page.all("img")[0][0]).size for page in (few, many)] == [(480, 320), (240, 160)]
    monkeypatch.setattr(reports, "MOST", 3)
    page = Parsed(page_of(*[Entry("a", None, [after, after], error="bad") for _ in range(4)]))
    assert len(page.all("li", "card")) == 3 and len([its for its, _ in page.all("li") if "data-entry" in its]) == 6
    assert page.all("p", "summary")[0][1] == "8 images, 4 failed; the first 3 are shown"


def test_order_is_that_of_the_entries(tmp_path):
    after = drawn(tmp_path / "a.png")
    page = Parsed(page_of(*[Entry(f"{number}.jpg", None, [after]) for number in range(40)]))
    assert [text for _, text in page.all("p") if text.endswith(".jpg")] == [f"{number}.jpg" for number in range(40)]


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_thumbnails_are_averages_of_the_pixels(dtype, tmp_path):
    rows, columns = np.mgrid[:400, :96]
    values = (rows / 399 + (rows + columns) % 2).astype(np.float32) / 2  # a ramp, and single pixels of which none may win
    np.save(tmp_path / "a.npy", values if dtype == "float32" else np.rint(values * np.iinfo(dtype).max).astype(dtype))
    output = thumbnail(tmp_path / "a.npy", 50)
    assert output.size == (50, 12) and output.original == (400, 96) and not output.alpha
    pixels_shown = np.asarray(Image.open(BytesIO(output.webp)).convert("L"), np.float32)
    assert np.abs(pixels_shown - 255 * ((np.arange(50)[:, None] + 0.5) / 100 + 0.25)).max() < 8  # which packing may lose


def test_thumbnails_keep_transparency_and_no_metadata(tmp_path):
    drawn(tmp_path / "a.png", (300, 200), "RGBA", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0")
    output = thumbnail(tmp_path / "a.png", 100)
    with Image.open(BytesIO(output.webp)) as image:
        assert output.alpha and image.mode == "RGBA" and "exif" not in image.info and "icc_profile" not in image.info


def test_only_regular_files_are_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(ImageError, match="no such file"):
        thumbnail(tmp_path / "pipe.png", 100)
    with pytest.raises(ImageError, match="more than the limit"):
        thumbnail(BytesIO(b"P5 2 1 255 ab").getvalue(), 100, Request(max_pixels=1))
