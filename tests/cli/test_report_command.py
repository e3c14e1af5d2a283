"""`imgconv report`, and `--report` on runs, as their users meet them."""

import json
import os
import re
import shutil
import signal

import pytest
from command import PHOTO, SAMPLES, imgconv, refused
from processes import finished, many, names, started, wait_for

CAMERA = SAMPLES / "camera.png"


def cards(page):
    """Name, path, and whether there is a slider, of each image on a page."""
    parts = page.read_text().split('<li class="card"')[1:]
    texts = [re.sub(r'src="[^"]*"', "", part) for part in parts]
    return [(*re.findall("<bdi>(.*?)</bdi>", text), 'type="range"' in text) for text in texts]


@pytest.fixture
def photos(tmp_path):
    """A folder in a folder to work in: two photographs, one of them below, and one that is damaged."""
    (tmp_path / "photos" / "deep").mkdir(parents=True)
    shutil.copy(PHOTO, tmp_path / "photos")
    shutil.copy(CAMERA, tmp_path / "photos" / "deep")
    (tmp_path / "photos" / "cut.jpg").write_bytes(PHOTO.read_bytes()[:9000])
    return tmp_path / "photos"


@pytest.mark.parametrize(
    "words, written",
    [
        (["edge"], ["edge"]),
        (["filter", "-k", "sobel_x", "-k", "gaussian:sigma=2"], ["sobel_x", "gaussian-sigma-2"]),
        (["pool", "--size", "3"], ["pool"]),
        (["canny"], ["canny"]),
        (["run", "-s", "grey", "-s", "conv sobel_x"], ["run"]),
    ],
)
def test_every_run_can_be_reported(words, written, photos, tmp_path):
    done = imgconv(*words, "photos", "-o", "out", "--report", "page.html", "--json", cwd=tmp_path)
    assert done.code == 1 and "report -> page.html" in done.err and len(done.out.splitlines()) == 3
    inputs = ("coffee", "photos/coffee.jpg"), ("camera", "photos/deep/camera.png")
    assert cards(tmp_path / "page.html") == [(f"{stem}.{part}.png", path, True) for stem, path in inputs for part in written]
    text = (tmp_path / "page.html").read_text()
    assert "damaged jpeg" in text and "<h1><bdi>imgconv " + words[0] in text
    assert "photos -o out --report page.html --json</code>" in text


def test_a_folder_is_reported_later(photos, tmp_path):
    assert imgconv("edge", "photos", "-o", "out", "--report", "page.html", cwd=tmp_path).code == 1
    done = imgconv("report", "out", cwd=tmp_path)
    assert done.code == 0 and done.out == b"" and done.err == "report -> out/report.html\n"
    assert cards(tmp_path / "out" / "report.html") == cards(tmp_path / "page.html")
    text = (tmp_path / "out" / "report.html").read_text()
    assert "<code>imgconv report out</code>" in text and re.search(r"<code>imgconv \S+ edge laplacian8", text)
    assert imgconv("report", "out", "--before", "photos/deep", "-o", "other/page.html", "-q", cwd=tmp_path).err == ""
    assert [slider for *_, slider in cards(tmp_path / "other" / "page.html")] == [False, False]


def test_a_folder_without_its_inputs(tmp_path):
    assert imgconv("edge", PHOTO, "-o", "out/maps/", cwd=tmp_path).code == 0
    done = imgconv("report", "maps", cwd=tmp_path / "out")
    assert done.code == 0 and "name the folder of the inputs with --before" in done.err
    assert cards(tmp_path / "out" / "maps" / "report.html") == [("coffee.edge.png", "maps/coffee.edge.png", False)]


def test_a_damaged_result_is_reported(tmp_path):
    assert imgconv("edge", PHOTO, CAMERA, "-o", f"{tmp_path}/").code == 0
    whole = (tmp_path / "camera.edge.png").read_bytes()
    (tmp_path / "camera.edge.png").write_bytes(whole[: len(whole) // 2])
    done = imgconv("report", tmp_path)
    assert done.code == 1 and f"imgconv: {tmp_path}/camera.edge.png: damaged png" in done.err
    assert "1 failed" in (tmp_path / "report.html").read_text()


@pytest.mark.parametrize("output", ["maps.npz", "maps.npy", "maps.tiff"])
def test_arrays_and_pages(output, tmp_path):
    done = imgconv("filter", CAMERA, "-k", "sobel_x", "-k", "sobel_y", "-o", output, "--report", "page.html", cwd=tmp_path)
    assert done.code == 0
    assert cards(tmp_path / "page.html") == [(output, str(CAMERA), True)]


def test_standard_input_has_no_before(tmp_path):
    done = imgconv("edge", "-", "-o", "out/", "--report", "page.html", stdin=PHOTO.read_bytes(), cwd=tmp_path)
    assert done.code == 0 and cards(tmp_path / "page.html") == [("stdin.edge.png", "standard input", False)]


def test_names_of_any_bytes(tmp_path):
    hostile_names = [os.fsdecode(b"\xff\xfe.jpg"), "two\nlines.jpg", "<script>alert(1)<.jpg"]
    for name in hostile_names:
        shutil.copy(PHOTO, tmp_path / name)
    done = imgconv("edge", *hostile_names, "-o", "out", "--report", "p.html", cwd=tmp_path)
    assert done.code == 0
    shown = [name for name, *_ in cards(tmp_path / "p.html")]
    assert shown == [r"\xff\xfe.edge.png", r"two\nlines.edge.png", "&lt;script&gt;alert(1)&lt;.edge.png"]
    assert (tmp_path / "p.html").read_text().count("<script") == 1
    assert imgconv("report", "out", cwd=tmp_path).code == 0
    assert sorted(name for name, *_ in cards(tmp_path / "out" / "report.html")) == sorted(shown)


def test_existing_outputs_are_on_the_page_too(photos, tmp_path):
    words = ("edge", "photos", "-o", "out", "-q")
    (photos / "cut.jpg").unlink()
    assert imgconv(*words, cwd=tmp_path).code == 0
    done = imgconv(*words, "--skip-existing", "--report", "page.html", cwd=tmp_path)
    assert done.code == 0 and done.err == "" and len(cards(tmp_path / "page.html")) == 2
    imgconv("edge", "photos", "-k", "sobel", "-o", "out", "--skip-existing", "--report", "page.html", cwd=tmp_path)
    assert "was made by another recipe" in (tmp_path / "page.html").read_text()


def test_json_is_the_same_with_a_page(photos, tmp_path):
    lines = [imgconv("edge", "photos", "-o", "out", "--json", *more, cwd=tmp_path).out for more in ([], ["--report", "page.html"])]
    first, second = ([{**json.loads(line), "seconds": 0} for line in out.splitlines()] for out in lines)
    assert first == second


def test_a_dry_run_writes_no_page(photos, tmp_path):
    assert imgconv("edge", "photos", "-o", "out", "--report", "page.html", "--dry-run", cwd=tmp_path).code == 0
    assert names(tmp_path) == ["photos"]


@pytest.mark.parametrize(
    "words, message",
    [
        (["--report", "page.htm"], "ends in .html"),
        (["--report", "photos/page.html"], "is a folder"),
        (["--report", "link.html"], "is the input photos/coffee.jpg"),
        (["--report", "page.html", "-o", "-"], "standard output"),
    ],
)
def test_pages_that_cannot_be_are_refused_before_any_work(words, message, photos, tmp_path):
    (tmp_path / "link.html").symlink_to(photos / "coffee.jpg")
    (photos / "page.html").mkdir()
    assert message in refused(2, "edge", "photos/coffee.jpg", *words, cwd=tmp_path)
    assert names(tmp_path) == ["link.html", "photos"] and names(photos) == ["coffee.jpg", "cut.jpg", "deep", "page.html"]


def test_a_batch_has_no_images_to_show(tmp_path):
    message = refused(2, "run", PHOTO, "-s", "grey", "--batch", "-o", "a.npy", "--report", "page.html", cwd=tmp_path)
    assert "--batch writes an array" in message and names(tmp_path) == []


def test_a_page_that_exists(photos, tmp_path):
    page = tmp_path / "page.html"
    page.write_text("old")
    message = refused(1, "edge", "photos/coffee.jpg", "-o", "a.png", "--report", "page.html", "--no-clobber", cwd=tmp_path)
    assert "output page.html exists" in message and page.read_text() == "old" and not (tmp_path / "a.png").exists()
    assert imgconv("edge", "photos/coffee.jpg", "-o", "a.png", "--report", "page.html", cwd=tmp_path).code == 0
    assert len(cards(page)) == 1


@pytest.mark.parametrize(
    "words", [["none"], ["photos"], ["photos", "--before", "none"], ["out", "-o", "page.png"], ["out", "-o", "photos"]]
)
def test_folders_that_cannot_be_reported(words, photos, tmp_path):
    assert imgconv("edge", PHOTO, "-o", "out/", cwd=tmp_path).code == 0
    (photos / "cut.jpg").unlink()
    before = names(tmp_path)
    refused(1 if words == ["photos"] else 2, "report", *words, cwd=tmp_path)
    assert names(tmp_path) == before and names(tmp_path / "out") == ["coffee.edge.png"]


def test_a_result_is_never_written_over(tmp_path):
    assert imgconv("edge", PHOTO, "-o", f"{tmp_path}/").code == 0
    (tmp_path / "report.html").symlink_to(tmp_path / "coffee.edge.png")
    before = (tmp_path / "coffee.edge.png").read_bytes()
    assert "is the input" in refused(2, "report", tmp_path)
    assert (tmp_path / "coffee.edge.png").read_bytes() == before


def test_an_interrupted_run_leaves_the_old_page(tmp_path):
    many(tmp_path / "photos", 400)
    (tmp_path / "page.html").write_text("old")
    with started("edge", "photos", "-o", "out", "--report", "page.html", cwd=tmp_path) as process:
        wait_for(lambda: (tmp_path / "out").is_dir() and len(names(tmp_path / "out")) > 3)
        process.send_signal(signal.SIGINT)
        code, _, _ = finished(process)
    assert code == 130 and (tmp_path / "page.html").read_text() == "old"
    assert names(tmp_path) == ["out", "page.html", "photos"]


def test_help_has_two_examples():
    wide = {"COLUMNS": "240"}
    assert imgconv("report", "--help", variables=wide).out.decode().count("imgconv report ") >= 3
    assert "--report" in imgconv("edge", "--help", variables=wide).out.decode()
