"""How the page of an explanation is used: pointer, keyboard, commands to copy, questions, and what it must not do."""

import importlib.util
import json
import re
import shlex
import time
from pathlib import Path

import numpy as np
import pytest
from command import SAMPLES, imgconv
from pages import CHOOSE, IDLE, settle, shown
from PIL import Image

import imgconv as api

EVIL = "<script>alert(1)<img src=x onerror=alert(2)>.jpg"
PAGES = {
    "edge": ["-k", "laplacian8", "--grey", "--quiz"],
    "colour": ["-k", "sobel_x", "-k", "gaussian5"],
    "pool": ["--size", "3", "--stride", "2", "--grey"],
    "shape": ["--window", "disk:radius=3", "--mode", "rank:80", "--grey"],
    "morphology": ["-s", "grey", "-s", "erode '1 0; 1 1'", "-s", "tophat disk:radius=2", "-s", "gradient box:size=3"],
    "canny": ["--canny"],
    "masked_canny": ["--canny", "--mask", "mask.png"],
    "network": ["-s", "grey", "-s", "conv gaussian5", "-s", "max_pool 2", "-s", "conv sobel_x sobel_y padding=1", "-s", "relu"],
    "masked": ["-k", "gaussian5", "-k", "sobel", "--mask", "mask.png", "--grey", "--quiz"],
    "holes": ["-k", "box:size=5", "--nodata", "120", "--crop", "10,20,70,40"],
    "masked_network": ["-s", "conv sobel_x padding=1", "-s", "max_pool 2", "-s", "relu", "--mask", "mask.png", "--crop", "10,20,70,40"],
    "overlay": ["-k", "sobel", "--grey", "--overlay"],
    "clear": ["-k", "gaussian5"],
    "transposed": ["-s", "grey", "-s", "max_pool 4", "-s", "conv_transpose gaussian5 stride=2"],
}
LONG = ["grey", "pad 2x1", "conv sobel_x sobel_y stride=2", "combine max", "avg_pool 3 stride=2", "adaptive_avg_pool 5x7", "scale 2"]
MORE_PAGES = {
    "relief": ["-k", "relief_directions", "--grey"],
    "linear": ["-k", "gaussian3", "--grey", "--linear"],
    "long_network": [word for step in LONG for word in ("-s", step)],
    "deformed": ["-s", "scale 0.01", "-s", "deform_conv box:size=3 offset=offsets.npy stride=2", "-s", "relu"],
    "floats": ["-k", "sobel", "--grey", "--crop", "10,20,70,40"],
    "part_of_network": ["-s", "grey", "-s", "conv sobel_x padding=1", "--crop", "10,20,70,40"],
    "clear_part": ["-k", "sharpen8", "--crop", "10,20,70,40", "--alpha", "filter"],
    "clear_grey": ["-k", "gaussian5", "--grey", "--alpha", "keep"],
    "clear_overlay": ["-k", "sobel", "--grey", "--overlay"],
    "clear_canny": ["--canny", "--alpha", "keep"],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a photograph and a page of every kind."""
    folder = tmp_path_factory.mktemp("pages")
    assert imgconv("pool", SAMPLES / "chelsea.jpg", "--size", "4", "--mode", "avg", "-o", "photo.png", "-q", cwd=folder).code == 0
    rows, columns = np.indices((75, 112))
    holes = (np.hypot(rows - 37, columns - 50) < 9) | (columns == 20)
    Image.fromarray(np.where(holes, 0, 255).astype(np.uint8)).save(folder / "mask.png")
    with Image.open(folder / "photo.png") as photo:
        photo.putalpha(Image.fromarray((255 * ((columns - 20) / 60 + (rows % 7) / 20).clip(0, 1)).astype(np.uint8)))
        photo.save(folder / "clear.png")
    np.save(folder / "floats.npy", np.asarray(Image.open(folder / "photo.png")).astype(np.float32) / 255)
    np.save(folder / "offsets.npy", np.linspace(-2, 2, 18, dtype=np.float32))
    for name, words in (PAGES | MORE_PAGES).items():
        source = "floats.npy" if name == "floats" else "clear.png" if "clear" in name else "photo.png"
        done = imgconv("explain", source, *words, "--html", f"{name}.html", cwd=folder)
        assert done.code == 0, done.err
    return folder


def last_map(tab):
    """The planes of the selected map, (C, H, W), NaN in missing cells."""
    script = """(({ planes, height, width, valid }) => ({ height, width,
      planes: planes.map((plane, c) => [...plane].map((value, i) => (valid && !valid[c][i] ? null : value))) }))(imgconvPage.output)"""
    value = tab.value(script)
    return np.array(value["planes"], float).reshape(-1, value["height"], value["width"])


def at(tab):
    return tab.value("imgconvPage.at")


@pytest.mark.parametrize("name", PAGES)
def test_the_page_makes_no_request_and_reports_no_error(tab, folder, name):
    shown(tab, folder / f"{name}.html")
    requests = {event["request"]["url"].split(",")[0] for event in tab.events("Network.requestWillBeSent")}
    assert requests <= {(folder / f"{name}.html").as_uri(), "data:"}
    for event in ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded", "Page.javascriptDialogOpening"):
        assert tab.events(event) == []


def test_injected_code_in_the_page_reaches_nothing_outside(tab, folder):
    shown(tab, folder / "edge.html")
    probe = (
        "new Promise((tell) => { document.addEventListener('securitypolicyviolation', (event) => tell(event.effectiveDirective));"
        "{} setTimeout(() => tell('allowed'), 2000); })"
    )
    image = "const image = new Image(); image.src = 'https://imgconv.invalid/x.png'; document.body.append(image);"
    script = "const script = document.createElement('script'); script.textContent = 'window.ran = 1'; document.body.append(script);"
    fetched = "fetch('https://imgconv.invalid/').catch(() => 0);"
    assert tab.value(probe.replace("{}", image)) == "img-src"
    assert tab.value(probe.replace("{}", script)) == "script-src-elem"
    assert tab.value(probe.replace("{}", fetched)) == "connect-src"
    assert tab.value("window.ran") is None


@pytest.mark.parametrize("words", [[], ["-s", "conv '0 1; 2 3' bias=\"<img src=x onerror=alert(3)>.npy\""]], ids=["name", "step"])
def test_names_are_text(tab, folder, words):
    (folder / EVIL).write_bytes((folder / "photo.png").read_bytes())
    np.save(folder / "<img src=x onerror=alert(3)>.npy", np.ones(1, np.float32))
    done = imgconv("explain", EVIL, *words, "--html", "evil.html", cwd=folder)
    assert done.code == 0, done.err
    shown(tab, folder / "evil.html")
    assert tab.value("document.scripts.length") == 5 and tab.value("document.images.length") == 0
    assert tab.value("document.getElementById('title').textContent") == EVIL == tab.value("document.title").removesuffix(", cell by cell")
    assert tab.events("Page.javascriptDialogOpening") == []


@pytest.fixture(scope="module")
def axe():
    package = importlib.util.find_spec("axe_playwright_python")
    assert package and package.origin, "axe-playwright-python is not installed"
    return Path(package.origin).with_name("axe.min.js").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("width, scheme", [(1280, "light"), (1280, "dark"), (360, "dark")])
def test_no_rule_of_axe_is_broken(tab, folder, axe, name, width, scheme):
    tab.resize(width, 900)
    tab.colours(scheme)
    shown(tab, folder / f"{name}.html")
    assert tab.value("document.documentElement.scrollWidth") <= width
    if scheme == "dark":
        tab.value("for (const button of document.querySelectorAll('#views button:last-child, #questions button')) button.click()")
        assert tab.value("document.documentElement.scrollWidth") <= width
    tab.value(f"{axe}; 0")
    violations = "axe.run().then(({ violations }) => violations.map(({ id, nodes }) => [id, nodes[0].html]))"
    assert tab.value(violations) == []
    tab.resize(1280, 900)
    tab.colours("light")


def test_the_window_moves_by_keyboard_alone(tab, folder):
    shown(tab, folder / "edge.html")
    while not tab.value("document.activeElement.matches('.tile')"):
        tab.press("Tab")
    row, column = at(tab)[1:]
    for key in ("ArrowRight", "ArrowRight", "ArrowDown", "ArrowLeft", "ArrowUp", "ArrowUp"):
        tab.press(key)
    assert at(tab) == [0, row - 1, column + 1]
    tab.press("Home")
    assert at(tab) == [0, row - 1, 0]
    tab.press("ArrowLeft")
    tab.press("End")
    assert at(tab)[2] == tab.value("imgconvPage.output.width") - 1
    tab.press(" ")
    time.sleep(0.8)
    tab.press(" ")
    assert at(tab)[1:] >= [row, 0]
    assert tab.value("document.activeElement.matches('.tile')")


@pytest.mark.parametrize("name", PAGES)
def test_the_frame_is_dragged(tab, folder, name):
    shown(tab, folder / f"{name}.html")
    tab.value("window.scrollTo(0, 0)")
    box = tab.value(
        "(({ left, top, width, height }) => [left, top, width, height])(document.querySelector('.tile').getBoundingClientRect())"
    )
    tab.drag((box[0] + 5, box[1] + 5), (box[0] + box[2] * 0.25, box[1] + box[3] * 0.75))
    settle(tab)
    (top, bottom), (left, right) = tab.value("imgconvPage.fields()[0]")
    height, width = tab.value("[imgconvPage.photo.height, imgconvPage.photo.width]")
    assert abs((top + bottom) / 2 - 0.75 * height) <= 8 and abs((left + right) / 2 - 0.25 * width) <= 8


def test_the_arithmetic_of_every_cell_gives_its_value(tab, folder):
    script = """(() => { const model = imgconvPage; let most = 0;
      model.results.slice(1).forEach((maps, n) => { for (let k = 0; k < 60; k++) {
        const at = [k % maps.planes.length, (k * 7) % maps.height, (k * 13) % maps.width];
        const { value } = model.steps[n].explain(model.results[n], maps, at), cell = at[1] * maps.width + at[2];
        const isMissing = maps.valid && !maps.valid[at[0]][cell];
        most = Math.max(most, isMissing ? (Number.isNaN(value) ? 0 : 1) : Math.abs(value - maps.planes[at[0]][cell])); } });
      return most; })()"""
    for name in PAGES | MORE_PAGES:
        shown(tab, folder / f"{name}.html")
        assert tab.value(script) < 1e-3, name
    shown(tab, folder / "colour.html")
    for operation in ("pool", "conv", "conv_transpose", "deform"):
        tab.value(f"{CHOOSE}('set-operation', '{operation}')")
        assert tab.value(script) < 1e-3, operation


@pytest.mark.parametrize("name", ["long_network", "transposed", "deformed"])
def test_sizes_and_costs_are_those_of_the_plan(tab, folder, name, monkeypatch):
    monkeypatch.chdir(folder)
    shown(tab, folder / f"{name}.html")
    script = """imgconvPage.steps.map((step, n) => { const { planes, height, width, vector } = imgconvPage.results[n];
      const { parameters, multiplyAdds } = step.facts(vector ? [width] : [planes.length, height, width]);
      return [parameters, multiplyAdds, ...imgconvPage.receptiveFields()[n]]; })"""
    plan = api.plan("photo.png", step=(PAGES | MORE_PAGES)[name][1::2])
    expected = [[step.parameters, step.multiply_adds, *step.receptive_field] for step in plan.steps]
    assert tab.value(script)[1:] == expected[1:]  # the page begins with the luma


EDITS = {
    "kernel": ("edge", "imgconvPage.edit({ stride: [2, 3], padding: 'full', paddingMode: 'reflect', range: 'offset' })"),
    "matrix": ("edge", f"{CHOOSE}('set-tap-1-1', '5'); imgconvPage.edit({{ dilation: [2, 1], flip: true }})"),
    "bank": ("edge", f"{CHOOSE}('set-kernel', 'sobel'); imgconvPage.edit({{ padding: [1, 2], paddingMode: 'constant', paddingValue: 9 }})"),
    "gaussian": ("colour", f"{CHOOSE}('set-kernel', 'box')"),
    "pool": ("pool", "imgconvPage.edit({ mode: 'avg', size: [3, 4], padding: 'same', ceilMode: true })"),
    "shape": ("shape", "imgconvPage.edit({ mode: 'std', paddingMode: 'reflect', stride: [2, 1] })"),
    "canny": ("canny", "imgconvPage.edit({ sigma: 0.8 }); imgconvPage.edit({ low: 30, high: 90, invert: true })"),
    "network": (
        "network",
        "imgconvPage.select(4, [0, 0, 0]); imgconvPage.edit({ stride: [2, 2], padding: [2, 2], paddingMode: 'circular' })",
    ),
    "masked": ("masked", "imgconvPage.setRule({ mode: 'fill', least: 0.6 }); imgconvPage.edit({ stride: [2, 1], dilation: [1, 2] })"),
    "masked pool": ("masked", f"{CHOOSE}('set-operation', 'pool'); imgconvPage.edit({{ mode: 'median', size: [5, 3] }})"),
    "holes": ("holes", "imgconvPage.edit({ padding: 'full', paddingMode: 'constant', paddingValue: 9 })"),
    "holes in a layer": ("holes", f"{CHOOSE}('set-operation', 'conv')"),
    "masked network": ("masked_network", "imgconvPage.setRule({ mode: 'propagate' }); imgconvPage.edit({ stride: [1, 2] })"),
    "masked canny": ("masked_canny", "imgconvPage.edit({ sigma: 0, low: 60, high: 120, invert: true })"),
    "overlay": ("overlay", "imgconvPage.edit({ range: 'offset', dilation: [2, 2] })"),
    "overlay of canny": ("overlay", f"{CHOOSE}('set-operation', 'canny'); imgconvPage.edit({{ overlay: true }}, 'structure')"),
    "no overlay": ("overlay", "document.getElementById('set-overlay').click()"),
    "part of a network": ("part_of_network", "imgconvPage.select(2, [0, 0, 0]); imgconvPage.edit({ flip: true })"),
    "layer of grey": ("edge", f"{CHOOSE}('set-operation', 'conv')"),
    "weights": ("network", f"imgconvPage.select(2, [0, 0, 0]); {CHOOSE}('set-tap-0-0', '0.5')"),
    "layer": (
        "colour",
        f"{CHOOSE}('set-operation', 'conv'); {CHOOSE}('set-maps', '6'); {CHOOSE}('set-groups', '3'); {CHOOSE}('set-bias', '2')",
    ),
    "floats": ("floats", "imgconvPage.edit({ stride: [2, 1] })"),
    "a pool of floats": ("floats", f"{CHOOSE}('set-operation', 'pool')"),
    "alpha": ("clear", "imgconvPage.edit({ stride: [1, 2], padding: 'full', paddingMode: 'zeros' })"),
    "alpha kept": ("clear", "imgconvPage.setRule({ alpha: 'keep' }); imgconvPage.edit({ padding: 'valid', invert: true })"),
    "alpha dropped": ("clear", "imgconvPage.setRule({ alpha: 'drop' }); imgconvPage.edit({ range: 'offset' })"),
    "alpha and a pool": ("clear_part", f"{CHOOSE}('set-operation', 'pool')"),
    "alpha of a part": ("clear_part", "imgconvPage.edit({ dilation: [2, 1] })"),
    "alpha of grey": ("clear_grey", f"{CHOOSE}('set-alpha', 'filter')"),
    "alpha of a layer": ("clear_grey", f"{CHOOSE}('set-operation', 'conv')"),
    "alpha of an overlay": ("clear_overlay", "imgconvPage.edit({ flip: true })"),
    "alpha of canny": ("clear_canny", "imgconvPage.edit({ sigma: 1 })"),
    "member of a bank": ("relief", "imgconvPage.edit({ stride: [2, 1] })"),
    "enlarged": ("colour", f"{CHOOSE}('set-operation', 'conv_transpose'); imgconvPage.edit({{ outputPadding: [1, 0], padding: [1, 1] }})"),
}


@pytest.mark.parametrize("edit", EDITS)
def test_the_command_gives_the_same_maps(tab, folder, edit):
    page, script = EDITS[edit]
    shown(tab, folder / f"{page}.html")
    tab.value(f"{script}; 0")
    assert tab.value("imgconvPage.problem") is None
    tab.call("Page.setDownloadBehavior", behavior="allow", downloadPath=str(folder))
    for name in tab.value("[...document.querySelectorAll('#lines .buttons button')].map((button) => button.textContent.slice(5))"):
        (folder / name).unlink(missing_ok=True)
        tab.value(f"[...document.querySelectorAll('#lines button')].find((button) => button.textContent === 'Save {name}').click()")
        wait_for_file(folder / name)
    (line,) = tab.value("[...document.querySelectorAll('#lines code')].map((code) => code.textContent)")
    program, *words = shlex.split(line)
    done = imgconv(*words, "-q", cwd=folder)
    assert program == "imgconv" and done.code == 0, (line, done.err)
    written = folder / words[words.index("-o") + 1]
    index = tab.value("imgconvPage.results.length - 1")
    tab.value(f"imgconvPage.select({index}, [0, 0, 0]); 0")
    result = last_map(tab)
    expected = np.load(written) if written.suffix == ".npy" else pixels_of(written, len(result))
    if "--nodata" in words:  # the value that marks missing cells
        value = float(words[words.index("--nodata") + 1])
        assert (expected[np.isnan(result)] == value).all() and np.isnan(result).any()
        expected = np.where(np.isnan(result), np.nan, expected)
    np.testing.assert_allclose(result, expected, rtol=1e-6, atol=1e-4, err_msg=line)


def pixels_of(file, channels):
    """The pixels (C, H, W) of an image; if it has one channel more, the colours, NaN where it is transparent."""
    with Image.open(file) as image:
        pixels = np.atleast_3d(image).transpose(2, 0, 1).astype(float)
        return pixels if len(pixels) == channels else np.where(pixels[-1] > 0, pixels[:-1], np.nan)


def wait_for_file(path, seconds=10):
    limit = time.monotonic() + seconds
    while not (path.is_file() and path.stat().st_size):
        assert time.monotonic() < limit, path
        time.sleep(0.05)


NAN_UNDER_0 = """(() => { const { at, index, input } = imgconvPage;
  input.planes[0][at[1] * input.width + at[2]] = NaN; imgconvPage.select(index, at); })()"""
MATRICES = {  # a page, a script, and how many sums there are
    "bank": ("edge", f"{CHOOSE}('set-kernel', 'sobel')", 2),
    "alpha": ("clear_part", "0", 1),
    "linear": ("linear", "0", 1),
    "nan": ("floats", NAN_UNDER_0, 2),
}


@pytest.mark.parametrize("page, script, count", MATRICES.values(), ids=MATRICES)
@pytest.mark.parametrize("view", [1, 2], ids=["im2col", "kernel matrix"])
def test_matrices_give_the_sums_of_the_window(tab, folder, page, script, count, view):
    shown(tab, folder / f"{page}.html")
    tab.value(f"{script}; document.querySelectorAll('#views button')[{view}].click()")
    sums = tab.value(
        "imgconvPage.explained().parts.map(({ taps, cells }) => taps.flat().reduce((sum, tap, n) => sum + tap * cells.values.flat()[n], 0))"
    )
    totals = tab.value("[...document.querySelectorAll('.total.selected')].map((cell) => cell.textContent)")
    expected = [np.nan if value is None else value for value in sums]  # NaN comes as null
    assert [float(text.removeprefix("= ").replace("\u2212", "-")) for text in totals] == pytest.approx(expected, abs=0.6, nan_ok=True)
    assert len(sums) == count and all(expected)


def test_matrices_fit_on_paper(tab, folder):
    shown(tab, folder / "edge.html")
    tab.value(f"{CHOOSE}('set-kernel-rows', '6'); {CHOOSE}('set-kernel-columns', '6')")
    tab.call("Emulation.setEmulatedMedia", media="print")
    tab.resize(703, 1000)  # A4 with Chromium's margins
    for view in (1, 2):
        tab.value(f"document.querySelectorAll('#views button')[{view}].click()")
        widths = tab.value("[...document.querySelectorAll('.scroll')].map((node) => [node.scrollWidth, node.clientWidth])")
        assert len(widths) == 2 and all(needed <= room for needed, room in widths)
    assert tab.value("document.querySelector('.turned').rows[0].cells.length") == 66
    tab.call("Emulation.setEmulatedMedia", media="")
    tab.resize(1280, 900)


def test_the_gradient_of_a_pool_is_that_of_the_functions(tab, folder):
    shown(tab, folder / "pool.html")
    gradient = (
        "(({ step, input }) => [...Array(20 * 30).keys()].map((n) => step.gradientAt(input, 0, [Math.floor(n / 30), n % 30])))(imgconvPage)"
    )
    image = np.array(tab.value("[...imgconvPage.input.planes[0]]"), np.float32).reshape(1, 1, tab.value("imgconvPage.input.height"), -1)
    for mode in ("max", "avg"):
        tab.value(f"imgconvPage.edit({{ mode: '{mode}' }}); 0")
        if mode == "max":
            output, indices = api.max_pool2d(image, 3, 2, return_indices=True)
            expected = api.gradients.max_pool2d_input(np.ones_like(output), indices, image.shape)
        else:
            expected = api.gradients.avg_pool2d_input(np.ones_like(api.avg_pool2d(image, 3, 2)), image.shape, 3, 2)
        shown_gradient = np.array(tab.value(gradient)).reshape(20, 30)
        np.testing.assert_allclose(shown_gradient, expected[0, 0, :20, :30], atol=1e-6)


def test_a_deformable_convolution_equals_the_function(tab, folder):
    shown(tab, folder / "edge.html")
    tab.value(f"{CHOOSE}('set-operation', 'deform'); imgconvPage.edit({{ offsets: 'scatter', strength: 1.7, stride: [2, 1] }}); 0")
    lines = tab.value("[...document.querySelectorAll('#lines code')].map((code) => code.textContent)")
    tab.call("Page.setDownloadBehavior", behavior="allow", downloadPath=str(folder))
    (folder / "photo.npy").unlink(missing_ok=True)
    tab.value("document.querySelector('#lines .buttons button').click()")
    wait_for_file(folder / "photo.npy")
    names = {}
    exec("\n".join(lines).replace("photo.npy", str(folder / "photo.npy")), names)
    expected = np.concatenate([np.asarray(each)[0] for each in names["maps"]])
    np.testing.assert_allclose(last_map(tab), expected, atol=0.01)  # positions in float32 there


def test_five_questions_and_buttons_that_show_the_answers(tab, folder):
    shown(tab, folder / "edge.html")
    for _ in range(10):
        questions = tab.value("[...document.querySelectorAll('#questions li')].map((item) => item.firstChild.textContent)")
        assert len(questions) == 5 == len(set(questions))
        assert tab.value("[...document.querySelectorAll('.answer')].every((answer) => answer.hidden)")
        tab.value("document.querySelectorAll('#questions button').forEach((button) => button.click())")
        answers = tab.value("[...document.querySelectorAll('.answer strong')].map((answer) => answer.textContent)")
        numbers = map(int, re.findall(r"\d+", questions[0]))
        height, width, kernel, _, stride, padding, dilation = numbers
        expected = api.conv2d(np.zeros((1, height, width), np.float32), np.zeros((1, 1, kernel, kernel)), None, stride, padding, dilation)
        assert tuple(map(int, re.findall(r"\d+", answers[0]))) == expected.shape[1:]
        column, row = (int(number) for number in questions[1].split(" at ")[1].split(" ")[0].split(","))
        assert int(answers[1]) == last_map(tab)[0, row, column]
        tab.value("document.getElementById('again').click()")


MISFITS = {
    "edge": ("{ padding: 'valid', dilation: [60, 60] }", "{ padding: 'same', dilation: [1, 1] }"),
    "transposed": ("{ outputPadding: [2, 0] }", "{ outputPadding: [1, 0] }"),
    "shape": ("{ padding: 'full', dilation: [1, 6] }", "{ padding: 'same' }"),
    "masked_network": ("{ padding: [0, 2], dilation: [1, 9] }", "{ padding: [0, 1] }"),
}


@pytest.mark.parametrize("page", MISFITS)
def test_settings_that_do_not_fit_are_explained_and_change_nothing(tab, folder, page):
    shown(tab, folder / f"{page}.html")
    before, (misfit, fit) = last_map(tab), MISFITS[page]
    tab.value(f"imgconvPage.edit({misfit}); 0")
    assert "do not fit" in tab.value("document.getElementById('message').textContent")
    assert np.array_equal(last_map(tab), before, equal_nan=True)
    tab.value(f"imgconvPage.edit({fit}); 0")
    assert tab.value("document.getElementById('message').hidden")


def test_a_notebook_shows_the_page_in_a_frame(tab, folder):
    frame = api.explain(folder / "photo.png", "sobel_x", at=(7, 9)).show()._repr_html_()
    (folder / "notebook.html").write_text(f"<!doctype html><meta charset=utf-8>{frame}", encoding="utf-8")
    tab.visit(folder / "notebook.html")
    assert json.dumps(frame).count("iframe") == 2
    time.sleep(1.5)
    assert tab.events("Runtime.exceptionThrown") == [] and tab.events("Log.entryAdded") == []


def test_maps_that_are_drawn_later_are_those_of_the_change(tab, folder):
    """Maps that take longer than one frame stay until they are drawn anew, each step in its row."""
    shown(tab, folder / "network.html")
    sizes = "[...document.querySelectorAll('#rows .row .tile canvas')].map(({ width, height }) => [height, width])"
    expected = "imgconvPage.results.flatMap(({ planes, height, width }) => planes.map(() => [height, width]))"
    assert tab.value("imgconvPage.steps.length") == 5
    tab.value("imgconvPage.select(2, [0, 5, 5]); let now = performance.now(); performance.now = () => (now += 20); 0")
    tab.value("imgconvPage.edit({ stride: [2, 3] }); globalThis.seen = document.getElementById('rows').ariaBusy; 0")
    assert tab.value("seen") == "true"
    tab.value(IDLE)
    assert tab.value(sizes) == tab.value(expected)
