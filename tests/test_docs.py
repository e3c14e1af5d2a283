"""Every guide in docs/ and the README run as printed, and every picture in them is what their commands make."""

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from guides import GUIDES, PICTURES, README, ROOT, blocks, pictures, play
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


def test_every_block_runs_and_every_picture_is_what_the_commands_make(played):
    guide, folder = played
    for name in pictures(guide):
        made, shown = frames(folder / name), frames(PICTURES / name)
        assert [frame.shape for frame in made] == [frame.shape for frame in shown], name
        # A level of difference is left to sums of fractions, which another processor may round elsewhere.
        assert max(np.abs(a - b).max() for a, b in zip(made, shown, strict=True)) <= 1, name


def test_files_that_commands_name_are_written(played):
    guide, folder = played
    for block in blocks(guide):
        if block.language == "sh" and not block.comment.startswith(("command", "needs", "folder")):
            for name in re.findall(r"(?:-o |--animate |[^<]> )([\w.-]+\.\w+)", block.text):
                assert (folder / name).stat().st_size > 0, name


def test_pictures_are_few_and_all_are_shown():
    files = {path.name: path.stat().st_size for path in PICTURES.iterdir()}
    assert set(files) == {name for guide in DOCUMENTS for name in pictures(guide)}
    assert sum(files.values()) < 2_000_000


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
