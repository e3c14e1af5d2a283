"""Output names, and what is refused before any work."""

from pathlib import Path, PurePath

import pytest

from imgconv.batch.destinations import Destination, destination_for, refuse_long_names
from imgconv.batch.protection import OutputNames, check_outputs
from imgconv.batch.sources import Source, inputs_of
from imgconv.errors import ImageError, UsageError
from imgconv.inputs import Inputs
from imgconv.recipe import filter_recipe

EDGE = filter_recipe(["laplacian8"], command="edge")
SLOPES = filter_recipe(["sobel_x", "sobel_y"])


def source(path: Path | str, relative: str | None = None, named: bool = True) -> Source:
    return Source(Path(path), PurePath(relative or Path(path).name), named)


@pytest.mark.parametrize(
    "output, format, expected",
    [
        (None, None, "in/photo.edge.png"),
        (None, "jpg", "in/photo.edge.jpg"),
        (None, "jpeg", "in/photo.edge.jpeg"),
        (None, "tif", "in/photo.edge.tif"),
        (None, "npy", "in/photo.edge.npy"),
        ("out/", None, "out/photo.edge.png"),
        ("out", None, "out/photo.edge.png"),
        ("out/x.jpg", None, "out/x.jpg"),
        ("out/x.tiff", "tiff", "out/x.tiff"),
    ],
)
def test_names(output, format, expected):
    destination = destination_for(output, format, ["in/photo.jpg"], 1)
    assert destination.outputs(source("in/photo.jpg"), EDGE) == (Path(expected),)


def test_trees_are_mirrored_and_each_kernel_has_its_file():
    destination = destination_for("out", None, ["photos", "more"], 2)
    result = destination.outputs(source("photos/deep/a.b.jpg", "deep/a.b.jpg"), SLOPES)
    assert result == (Path("out/deep/a.b.sobel_x.png"), Path("out/deep/a.b.sobel_y.png"))


def test_arrays_hold_all_maps():
    destination = destination_for(None, "npz", ["a.jpg"], 2)
    assert destination.outputs(source("a.jpg"), SLOPES) == (Path("a.filter.npz"),)


@pytest.mark.parametrize(
    "output, format, inputs, maps, message",
    [
        ("x.png", None, ["a.jpg"], 2, "2 maps do not fit"),
        ("x.docx", None, ["a.jpg"], 1, "docx"),
        ("x.png", "jpeg", ["a.jpg"], 1, "contradicts"),
        (None, None, ["a.jpg", "-"], 1, "common folder"),
        (None, "bmpx", ["a.jpg"], 1, "bmpx"),
        ("x.png", None, ["a.jpg", "b.jpg"], 1, "is a file, but"),
        ("maps.NPY", None, ["a.jpg", "b.jpg"], 1, "is a file, but"),
    ],
)
def test_contradictions(output, format, inputs, maps, message):
    with pytest.raises(UsageError, match=message):
        destination_for(output, format, inputs, maps)


def test_a_file_cannot_hold_the_results_of_several_inputs(tmp_path):
    (tmp_path / "x.png").write_bytes(b"")
    with pytest.raises(UsageError, match="is a file"):
        destination_for(str(tmp_path / "x.png"), None, ["a.jpg", "b.jpg"], 1)


def test_standard_streams():
    assert destination_for(None, None, ["-"], 1).stdout
    assert destination_for("-", None, ["a.jpg"], 1).stdout
    assert destination_for("x.png", None, ["-"], 1).file == Path("x.png")


@pytest.mark.parametrize("first, second", [("a.jpg", "a.png"), ("A.jpg", "a.jpg")])
def test_two_inputs_with_the_same_output_name(tmp_path, first, second):
    sources = [source(tmp_path / first), source(tmp_path / second)]
    destination = Destination("png", ".png", folder=tmp_path / "out")
    with pytest.raises(UsageError, match="would both write"):
        check_outputs(sources, [destination.outputs(s, EDGE) for s in sources], Inputs())


@pytest.mark.parametrize("link", ["same", "symbolic", "hard", "dotted"])
def test_an_input_is_never_an_output(tmp_path, link):
    photo = tmp_path / "photo.png"
    photo.write_bytes(b"photo")
    out = {"same": photo, "dotted": tmp_path / "." / "x" / ".." / "photo.png"}.get(link, tmp_path / "out.png")
    (tmp_path / "x").mkdir()
    if link == "symbolic":
        out.symlink_to(photo)
    elif link == "hard":
        out.hardlink_to(photo)
    with pytest.raises(UsageError, match="is the input"):
        check_outputs([source(photo)], [(out,)], inputs_of([source(photo)]))
    with pytest.raises(UsageError, match="is the input"):
        inputs_of([source(photo)]).refuse(out)


def test_outputs_stay_in_their_folder(tmp_path):
    inside, outside = tmp_path / "out", tmp_path / "elsewhere"
    inside.mkdir()
    outside.mkdir()
    (inside / "deep").symlink_to(outside)
    (inside / "b.edge.png").symlink_to(outside / "b.png")
    destination = Destination("png", ".png", folder=inside)
    for each in (source("photos/deep/a.jpg", "deep/a.jpg"), source("photos/b.jpg")):
        with pytest.raises(UsageError, match="outside of"):
            check_outputs([each], [destination.outputs(each, EDGE)], Inputs(), inside)
    fine = source("photos/a.jpg")
    check_outputs([fine], [destination.outputs(fine, EDGE)], Inputs(), inside)


def test_names_that_are_too_long():
    refuse_long_names([Path("x" * 255)])
    with pytest.raises(ImageError, match="256 bytes, and 255 are allowed"):
        refuse_long_names([Path("ä" * 128)])


def test_a_name_belongs_to_the_first_source_that_has_it(tmp_path):
    photo, other = source(tmp_path / "photo.jpg"), source(tmp_path / "photo.JPG")
    names = OutputNames()
    assert names.add(tmp_path / "photo.edge.png", photo) is photo
    assert names.add(tmp_path / "PHOTO.edge.png", other) is photo
    assert (names.source_of(tmp_path / "Photo.Edge.png"), names.source_of(photo.path)) == (photo, None)


def test_names_that_no_file_system_takes_for_the_same_are_two_outputs(tmp_path):
    sources = [source(tmp_path / "straße.jpg"), source(tmp_path / "strasse.jpg")]
    destination = Destination("png", ".png", folder=tmp_path / "out")
    check_outputs(sources, [destination.outputs(each, EDGE) for each in sources], Inputs())


def test_unicode_forms_of_one_name_are_one_output(tmp_path):
    sources = [source(tmp_path / "\u00c9t\u00e9.jpg"), source(tmp_path / "e\u0301te\u0301.jpg")]
    destination = Destination("png", ".png", folder=tmp_path / "out")
    with pytest.raises(UsageError, match="would both write"):
        check_outputs(sources, [destination.outputs(each, EDGE) for each in sources], Inputs())
