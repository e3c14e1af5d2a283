"""Every guide in docs/ and the README run as printed, and every image in them is what their commands make."""

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from guides import GUIDES, IMAGES, README, ROOT, blocks, is_drawn, play, shown_images
from make_page_screenshots import SCREENSHOTS, VIEWS
from PIL import Image, ImageSequence

DOCUMENTS = [README, *GUIDES]


@pytest.fixture(scope="module")
def plays(tmp_path_factory):
    """All guides on their way, two at a time: nearly all of it is the start of processes."""
    homes = {guide: tmp_path_factory.mktemp(guide.stem) for guide in DOCUMENTS}
    with ThreadPoolExecutor(2) as pool:
        yield {guide: pool.submit(play, guide, home) for guide, home in homes.items()}


@pytest.fixture(params=DOCUMENTS, ids=lambda guide: guide.stem)
def played(request, plays):
    """A guide, and the folder in which all of its blocks have run and printed what it shows."""
    return request.param, plays[request.param].result()


def test_every_block_runs_and_every_image_is_the_output_of_its_command(played):
    guide, folder = played
    for name in shown_images(guide):
        output, shown = frames(folder / name), frames(IMAGES / name)
        assert [frame.shape for frame in output] == [frame.shape for frame in shown], name
        differences = [np.abs(a - b) for a, b in zip(output, shown, strict=True)]
        if is_drawn(name):  # letters and lines differ a little from one matplotlib to the next
            assert max(each.mean() for each in differences) < 5, name
        else:  # a level is left to sums of fractions, which another processor may round elsewhere
            assert max(each.max() for each in differences) <= 1, name


def test_files_that_commands_name_are_written(played):
    guide, folder = played
    for block in blocks(guide):
        if block.language == "sh" and not block.comment.startswith(("command", "needs", "folder")):
            for name in re.findall(r"(?:-o |--animate |--html |[^<]> )([\w.-]+\.\w+)", block.text):
                assert (folder / name).stat().st_size > 0, name


def test_every_view_of_the_page_is_shown():
    shown = re.findall(r"!\[[^]]*\]\(screenshots/([\w-]+)\.png\)", (ROOT / "docs" / "page.md").read_text())
    assert set(shown) == set(VIEWS) == {path.stem for path in SCREENSHOTS.iterdir()}
    assert sum(path.stat().st_size for path in SCREENSHOTS.iterdir()) < 1_000_000


def test_images_are_few_and_all_are_shown():
    files = {path.name: path.stat().st_size for path in IMAGES.iterdir()}
    assert set(files) == {name for guide in DOCUMENTS for name in shown_images(guide)}
    assert sum(files.values()) < 3_200_000


@pytest.mark.parametrize("guide", DOCUMENTS, ids=lambda guide: guide.stem)
def test_every_image_shown_is_the_output_of_a_command(guide):
    """Beside those in docs/images only the README's first two, which test_readme.py sees to."""
    images = re.findall(r"!\[[^]]*\]\(([^)]+)\)", guide.read_text())
    others = {image for image in images if image.removeprefix("docs/").removeprefix("images/") not in shown_images(guide)}
    others -= {f"screenshots/{name}.png" for name in VIEWS}
    assert others <= ({"sample_images/astronaut.jpg", "docs/astronaut.edge.png"} if guide == README else set())


@pytest.mark.parametrize("guide", DOCUMENTS, ids=lambda guide: guide.stem)
def test_links_lead_to_files(guide):
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", guide.read_text()):
        assert (guide.parent / target).exists(), target


@pytest.mark.parametrize("guide", DOCUMENTS, ids=lambda guide: guide.stem)
def test_tests_that_are_named_exist(guide):
    for path, name in re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", guide.read_text()):
        assert f"def {name}" in (ROOT / path).read_text(), (path, name)


def test_the_readme_leads_to_every_guide():
    assert {path.name for path in GUIDES} <= set(re.findall(r"\(docs/([\w-]+\.md)\)", README.read_text()))


def frames(path: Path) -> list[np.ndarray]:
    with Image.open(path) as image:
        return [np.array(frame.convert("RGB"), np.int16) for frame in ImageSequence.Iterator(image)]
