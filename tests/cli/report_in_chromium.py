"""Reports in a real Chromium. Run by name: `python -m pytest tests/cli/report_in_chromium.py`; fails without chromium."""

import shutil
import time

import pytest
from command import SAMPLES, imgconv
from PIL import Image
from processes import wait_for

from imgconv.plotting.report import Entry, Report

EVIL = "<script>alert(1)<img src=x onerror=alert(2)>.jpg"
MANY = 1000


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder of photographs, two of them damaged and two badly named, with the page of a run."""
    folder = tmp_path_factory.mktemp("run")
    (folder / "photos").mkdir()
    for name in ("coffee.jpg", "chelsea.jpg", "astronaut.jpg", "camera.png", "logo_transparent.png", "ramp_16bit.png"):
        shutil.copy(SAMPLES / name, folder / "photos" / name)
    shutil.copy(SAMPLES / "coffee.jpg", folder / "photos" / EVIL)
    shutil.copy(SAMPLES / "coffee.jpg", folder / "photos" / f"{'long' * 50}.jpg")
    (folder / "photos" / "cut.jpg").write_bytes((SAMPLES / "coffee.jpg").read_bytes()[:9000])
    (folder / "photos" / "none.png").write_bytes(b"no image")
    done = imgconv("edge", "photos", "-k", "sobel", "-o", "maps", "--report", "page.html", cwd=folder)
    assert done.code == 1
    return folder


@pytest.fixture
def report(tab, folder):
    """The page, loaded anew."""
    tab.visit(folder / "page.html")
    return tab


def test_the_page_makes_no_request_and_reports_no_error(report, folder):
    requests = {event["request"]["url"].split(",")[0] for event in report.events("Network.requestWillBeSent")}
    assert requests <= {(folder / "page.html").as_uri(), "data:image/webp;base64", "data:"}
    for event in ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded", "Page.javascriptDialogOpening"):
        assert report.events(event) == []
    assert report.value("Array.from(document.images, (image) => image.complete && image.naturalWidth > 0).every(Boolean)")


def test_injected_code_in_the_page_reaches_nothing_outside(report):
    probe = (
        "new Promise((tell) => { document.addEventListener('securitypolicyviolation', (event) => tell(event.effectiveDirective));"
        "{} setTimeout(() => tell('allowed'), 2000); })"
    )
    image = "const image = new Image(); image.src = 'https://imgconv.invalid/x.png'; document.body.append(image);"
    script = "const script = document.createElement('script'); script.textContent = 'window.ran = 1'; document.body.append(script);"
    assert report.value(probe.replace("{}", image)) == "img-src"
    assert report.value(probe.replace("{}", script)) == "script-src-elem"
    assert report.value("window.ran") is None


def test_names_are_text(report):
    assert report.value("document.scripts.length") == 1
    assert report.value("document.querySelectorAll('img:not(.before, .after)').length") == 0
    assert EVIL in report.value("document.body.textContent")


def test_a_slider_moves_by_keyboard(report):
    for _ in range(4):  # the link that skips, the filter, the slider of all, the first image's
        report.press("Tab")
    assert report.value("document.activeElement.matches('.compare input')")
    clip_path = "getComputedStyle(document.activeElement.parentElement.querySelector('.before')).clipPath"
    assert report.value(clip_path) == "inset(0px 50% 0px 0px)" and report.value("document.activeElement.value") == "50"
    report.press("ArrowRight")
    assert report.value("document.activeElement.value") == "51" and report.value(clip_path) == "inset(0px 49% 0px 0px)"
    assert report.value("document.activeElement.getAttribute('aria-valuetext')") == "51 % before"
    report.press("Home")
    assert report.value(clip_path) == "inset(0px 100% 0px 0px)"
    assert report.value("getComputedStyle(document.activeElement.parentElement).outlineStyle") == "solid"
    assert report.value("new Set(Array.from(document.querySelectorAll('.compare input'), (each) => each.value)).size") == 2


def test_a_slider_follows_the_mouse(report):
    report.value("document.querySelector('.compare').scrollIntoView({block: 'center'})")
    box = "(({x, y, width, height}) => [x, y, width, height])(document.querySelector('.compare').getBoundingClientRect())"
    left, top, width, height = report.value(box)
    for share in (0.8, 0.25):
        report.drag((left + width / 2, top + height / 2), (left + share * width, top + height / 2))
        assert abs(float(report.value("document.querySelector('.compare input').value")) - 100 * share) <= 1


def test_one_slider_moves_all(report):
    report.value("document.getElementById('all').focus()")
    report.press("End")
    assert (
        report.value("new Set(Array.from(document.querySelectorAll('.compare'), (each) => each.style.getPropertyValue('--at'))).size") == 1
    )
    assert report.value("document.querySelector('.compare').style.getPropertyValue('--at')") == "100%"


def test_the_filter_narrows_the_list_and_counts_it(report):
    count = "document.getElementById('count').textContent"
    shown = "Array.from(document.querySelectorAll('.card')).filter((card) => card.checkVisibility())"
    left = f"{shown}.map((card) => card.querySelector('h3').textContent)"
    assert report.value(count) == "8 of 8 images, 2 of 2 failures"
    report.value("document.getElementById('filter').focus()")
    report.write("C")
    assert len(report.value(left)) == 4
    report.write("HEL")
    assert report.value(left) == ["chelsea.edge.png"] and report.value(count) == "1 of 8 images, 0 of 2 failures"
    report.write("x")
    assert report.value(left) == [] and report.value(count) == "0 of 8 images, 0 of 2 failures"
    report.value("document.getElementById('filter').value = ''")
    report.write("photos/n")  # a folder's name counts too, a size does not
    assert report.value(count) == "0 of 8 images, 1 of 2 failures"


def accessible(report):
    """Role and name of everything that Chromium tells a screen reader."""
    nodes = [node for node in report.call("Accessibility.getFullAXTree")["nodes"] if not node["ignored"]]
    return [(node["role"]["value"], node.get("name", {}).get("value", "")) for node in nodes]


def test_text_for_screen_readers(report):
    wait_for(lambda: ("slider", "Before and after, coffee.edge.png") in accessible(report))  # Chromium makes the tree when it finds time
    named = accessible(report)
    roles = [role for role, _ in named]
    assert {"banner", "main", "status", "searchbox"} <= set(roles) and ("region", "Failures") in named and ("region", "Images") in named
    assert ("searchbox", "Filter by name") in named and ("slider", "Before and after, coffee.edge.png") in named
    assert ("image", "Before: photos/coffee.jpg") in named and ("image", "After: coffee.edge.png") in named
    assert all(name for role, name in named if role in ("image", "slider", "searchbox", "heading", "link"))
    levels = report.value("Array.from(document.querySelectorAll('h1, h2, h3'), (heading) => heading.tagName).join(' ')")
    assert levels == "H1 H2 H2" + " H3" * 8


CONTRAST = """
(() => {
  const channel = (value) => (value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  const light = (colour) => {
    const [red, green, blue] = colour.match(/[\\d.]+/g).map(Number).map(channel);
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05;
  };
  const ground = (element) => {
    const colour = getComputedStyle(element).backgroundColor;
    return /, 0\\)$/.test(colour) ? ground(element.parentElement) : colour;
  };
  const hasText = (element) => Array.from(element.childNodes).some((node) => node.nodeType === 3 && node.data.trim());
  const texts = Array.from(document.body.querySelectorAll(":not(script, noscript)")).filter(hasText);
  return Math.min(...texts.map((element) => {
    const pair = [light(getComputedStyle(element).color), light(ground(element))];
    return Math.max(...pair) / Math.min(...pair);
  }));
})()
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast_and_look(report, scheme, tmp_path):
    report.colours(scheme)
    assert report.value(CONTRAST) >= 4.5
    report.screenshot(tmp_path / "seen.png")
    with Image.open(tmp_path / "seen.png") as clip_path:
        assert clip_path.size == (1280, 900)
        corner = clip_path.convert("L").getpixel((2, 2))
        assert corner > 230 if scheme == "light" else corner < 40
        assert len(clip_path.convert("RGB").getcolors(1 << 24)) > 5000  # photographs are seen
    report.colours("light")


@pytest.mark.parametrize("width", [320, 700])
def test_a_narrow_window_needs_no_sideways_scrolling(report, width):
    report.resize(width, 800)
    assert report.value("document.documentElement.scrollWidth") <= width
    report.resize(1280, 900)


@pytest.fixture(scope="module")
def thousand(folder, tmp_path_factory):
    """A page of a thousand images, and its size in bytes."""
    path = tmp_path_factory.mktemp("many") / "many.html"
    photo, output = str(folder / "photos" / "camera.png"), str(folder / "maps" / "camera.edge.png")
    with Report("many", [], expected=MANY, workers=2) as many, path.open("wb") as file:
        for number in range(MANY):
            many.add(Entry(f"photos/{number:04}.png", photo, [output]))
        many.write(file)
    return path


def test_a_thousand_images_stay_fluid(tab, thousand):
    assert thousand.stat().st_size < 40_000_000
    assert tab.visit(thousand) < 20
    assert tab.value("document.getElementById('count').textContent") == "1,000 of 1,000 images"
    worst, usual, down = tab.value(SCROLL)
    assert down > 20_000 and usual < 100 and worst < 3000
    started = time.perf_counter()
    tab.value("document.getElementById('filter').focus()")
    tab.write("99")
    assert tab.value(NEXT_FRAME) == "19 of 1,000 images"  # x99 and 99x, of which 999 is both
    assert time.perf_counter() - started < 5
    tab.value("document.getElementById('all').focus()")
    tab.press("End")
    assert tab.value("Array.from(document.querySelectorAll('.compare input')).every((slider) => slider.value === '100')")
    assert time.perf_counter() - started < 10


SCROLL = """
(async () => {
  const times = [];
  for (let i = 0, before = performance.now(); i < 60; i++) {
    scrollBy(0, 400);
    await new Promise(requestAnimationFrame);
    const now = performance.now();
    times.push(now - before);
    before = now;
  }
  times.sort((a, b) => b - a);
  return [times[0], times[30], scrollY];
})()
"""
NEXT_FRAME = """
new Promise((tell) => requestAnimationFrame(() => requestAnimationFrame(() => tell(document.getElementById("count").textContent))))
"""
