"""Results in a folder, and the inputs that they were made of."""

import shutil

import pytest
from command import PHOTO, SAMPLES, imgconv
from PIL import Image

from imgconv.batch.pairing import find_results
from imgconv.errors import ImageError, UsageError


def plain(path, **options):
    """A small image that says nothing, or what `options` have Pillow save with it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (5, 4)).save(path, **options)
    return path


def write_output(path):
    """A small image that says that imgconv made it."""
    return plain(path, comment=b"imgconv 0.1.0 edge laplacian8")


def pairs(folder, *words, **options):
    return {str(each.path.relative_to(folder)): each.input for each in find_results(folder, *words, **options).results}


def test_results_of_a_run_are_paired_with_their_inputs(tmp_path):
    photos, maps = tmp_path / "photos", tmp_path / "maps"
    (photos / "deep").mkdir(parents=True)
    for name in ("coffee.jpg", "camera.png", "deep/coffee.jpg"):
        shutil.copy(SAMPLES / name.rpartition("/")[2], photos / name)
    for ending in ("png", "jpg", "tiff", "webp", "gif", "bmp", "pgm", "jp2", "avif"):
        words = ("-k", "sobel_x", "-k", "gaussian:sigma=1.5", "--format", ending, "--grey", "-q")
        assert imgconv("filter", photos, *words, "-o", maps / ending).code == 0
        result = find_results(maps / ending, photos).results
        assert len(result) == 6 and all(each.path.name.startswith(f"{each.input.stem}.") for each in result)
        assert {each.input.parent == photos / "deep" for each in result if "deep" in each.path.parts} == {True}
        described = {each.description for each in result}
        assert described == {None} if ending in ("bmp", "pgm") else all("gaussian-sigma-1.5" in each for each in described)


def test_the_name_that_is_longest_counts(tmp_path):
    for name in ("a.jpg", "a.b.jpg", "a.b.c.png"):
        plain(tmp_path / "in" / name)
    for name in ("a.edge.jpg", "a.b.edge.jpg", "a.b.c.edge.jpg", "a.b.x.net-conv1.weight.jpg"):
        write_output(tmp_path / "out" / name)
    before = {name: path.name for name, path in pairs(tmp_path / "out", tmp_path / "in").items()}
    assert before == {
        "a.edge.jpg": "a.jpg",
        "a.b.edge.jpg": "a.b.jpg",
        "a.b.c.edge.jpg": "a.b.c.png",
        "a.b.x.net-conv1.weight.jpg": "a.b.jpg",
    }


def test_two_inputs_of_a_name_are_none(tmp_path):
    plain(tmp_path / "in" / "a.jpg"), plain(tmp_path / "in" / "a.png")
    write_output(tmp_path / "out" / "a.edge.jpg")
    assert pairs(tmp_path / "out", tmp_path / "in") == {"a.edge.jpg": None}


def test_results_next_to_their_inputs(tmp_path):
    plain(tmp_path / "a.jpg"), plain(tmp_path / "b.jpg"), plain(tmp_path / "a.small.jpg")
    write_output(tmp_path / "a.edge.jpg"), write_output(tmp_path / "a.edge.edge.jpg")
    plain(tmp_path / "b.edge.bmp"), plain(tmp_path / "c.bmp")
    results = find_results(tmp_path)
    assert results.inputs == tmp_path
    result = {each.path.name: each.input and each.input.name for each in results.results}
    assert result == {"a.edge.jpg": "a.jpg", "a.edge.edge.jpg": "a.edge.jpg", "b.edge.bmp": "b.jpg"}


def test_inputs_are_searched_next_to_the_folder_and_in_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for number in range(3):
        plain(tmp_path / "photos" / "deep" / f"{number}.jpg")
        write_output(tmp_path / "out" / "deep" / f"{number}.edge.jpg")
        write_output(tmp_path / "far" / "away" / "deep" / f"{number}.edge.jpg")
    plain(tmp_path / "other" / "deep" / "1.jpg"), plain(tmp_path / "photos" / "1.jpg")
    assert set(pairs(tmp_path / "out").values()) == {tmp_path / "photos" / "deep" / f"{number}.jpg" for number in range(3)}
    assert find_results(tmp_path / "far" / "away").inputs.resolve() == tmp_path / "photos"


def test_ambiguous_inputs_are_not_used(tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    plain(tmp_path / "in" / "a.jpg"), plain(tmp_path / "in2" / "a.jpg"), write_output(tmp_path / "out" / "a.edge.jpg")
    assert find_results(tmp_path / "out").inputs is None and pairs(tmp_path / "out") == {"a.edge.jpg": None}
    assert pairs(tmp_path / "out", tmp_path / "in2") == {"a.edge.jpg": tmp_path / "in2" / "a.jpg"}


def test_an_unreadable_result_has_an_error(tmp_path):
    write_output(tmp_path / "a.edge.jpg")
    (tmp_path / "b.edge.png").write_bytes(b"no image")
    result = find_results(tmp_path).results
    assert [each.path.name for each in result] == ["a.edge.jpg", "b.edge.png"]
    assert result[0].error is None and "not an image" in result[1].error


def test_folders_without_results_are_refused(tmp_path):
    shutil.copy(PHOTO, tmp_path / "photo.jpg")
    with pytest.raises(ImageError, match="no images made by imgconv"):
        find_results(tmp_path)
    for words in ((tmp_path / "none",), (tmp_path / "photo.jpg",), (tmp_path, tmp_path / "photo.jpg")):
        with pytest.raises(UsageError, match="expected a folder"):
            find_results(*words)


def test_folders_may_stay_closed(tmp_path):
    write_output(tmp_path / "a.edge.jpg"), write_output(tmp_path / "deep" / "b.edge.jpg")
    assert set(pairs(tmp_path, recursive=False)) == {"a.edge.jpg"}
