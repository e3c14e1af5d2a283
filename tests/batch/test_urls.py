"""Addresses as names: parts, output names, and which of them are one place."""

from pathlib import Path, PurePath

import pytest
from command import refused

from imgconv.batch.destinations import destination_for
from imgconv.batch.paths import identified
from imgconv.batch.sources import Source, inputs_of
from imgconv.batch.urls import Url, parse_path
from imgconv.errors import UsageError


@pytest.mark.parametrize(
    "text, name, parent",
    [
        ("s3://bucket/a/b.jpg", "b.jpg", "s3://bucket/a"),
        ("s3a:///bucket/a/b.jpg", "b.jpg", "s3://bucket/a"),
        ("S3://bucket/a?#%20.jpg", "a?#%20.jpg", "s3://bucket"),
        ("https://host/a%20b.jpg?size=2#x", "a b.jpg", "https://host"),
        ("https://host/a/..%2F..%2Fb.jpg", "b.jpg", "https://host/a"),
        ("https://host/?size=2", "image", "https://host"),
        ("memory://b.jpg", "b.jpg", "memory://"),
    ],
)
def test_parts_of_an_address(text, name, parent):
    place = parse_path(text)
    assert (place.name, str(place.parent)) == (name, parent)


@pytest.mark.parametrize("text", ["photos/a.jpg", "C:/a.jpg", "a:b", "s3:/bucket/a.jpg", "://a", "file:///photos/a.jpg", "local:///a"])
def test_text_that_is_not_an_address_is_a_path(text):
    assert isinstance(parse_path(text), Path)


def test_a_place_below_a_folder():
    folder = Url("s3", "bucket/out/")
    assert str(folder / PurePath("deep/er") / "a.png") == "s3://bucket/out/deep/er/a.png"
    assert folder / PurePath() == folder


@pytest.mark.parametrize(
    "output, inputs, folder, file",
    [
        ("s3://bucket/out", ["a.jpg"], "s3://bucket/out", None),
        ("s3://bucket", ["a.jpg"], "s3://bucket", None),
        ("s3://bucket/out.d/", ["a.jpg"], "s3://bucket/out.d/", None),
        ("s3://bucket/out.png", ["a.jpg"], None, "s3://bucket/out.png"),
        ("memory://out.png", ["a.jpg"], None, "memory://out.png"),
        ("s3://bucket/out.d", ["a.jpg", "b.jpg"], "s3://bucket/out.d", None),
    ],
)
def test_meanings_of_output_addresses(output, inputs, folder, file):
    result = destination_for(output, None, inputs, 1)
    assert [place and str(place) for place in (result.folder, result.file)] == [folder, file]


def test_several_inputs_do_not_go_into_one_object():
    with pytest.raises(UsageError, match="give a folder"):
        destination_for("s3://bucket/out.png", None, ["a.jpg", "b.jpg"], 1)


@pytest.mark.parametrize("output", ["s3://bucket/a.png", "s3a://bucket/./a.png", "s3:///bucket//b/../a.png"])
def test_an_input_is_recognised_in_every_spelling_of_its_address(output):
    inputs = inputs_of([Source(parse_path("s3://bucket/a.png"), PurePath("a.png"))])
    with pytest.raises(UsageError, match=r"is the input s3://bucket/a\.png"):
        inputs.refuse(identified(parse_path(output)))
    inputs.refuse(identified(parse_path("s3://bucket/A.png")))


@pytest.mark.parametrize("words", [("s3://", "-o", "out"), ("photo.jpg", "-o", "s3://")])
def test_an_address_without_a_place_is_refused(words):
    assert "expected a bucket or file" in refused(2, "edge", *words)
