"""What a run on a cluster says before there is one, and what travels to its workers."""

import pickle
import subprocess
import sys
from pathlib import Path, PurePath

import pytest
from command import SAMPLES, refused
from processes import environment

from imgconv.batch.destinations import Destination
from imgconv.batch.job import Job
from imgconv.batch.outcome import Outcome
from imgconv.batch.run import in_order
from imgconv.batch.sources import Source
from imgconv.batch.tasks import Sender, unpickled
from imgconv.batch.urls import Url
from imgconv.errors import ClusterError
from imgconv.recipe import filter_recipe

PHOTO = SAMPLES / "coffee.jpg"


@pytest.mark.parametrize("address", ["", "here", "tcp://scheduler", "http://scheduler:8786", "scheduler:8786/x", "tcp://a b:1", "tcp://:1"])
def test_an_address_that_is_not_a_scheduler_is_refused(tmp_path, address):
    message = refused(2, "edge", PHOTO, "-o", tmp_path, "--dask", address)
    assert f"got {address!r}" in message


def test_a_batch_runs_on_one_machine(tmp_path):
    assert "cannot be used with --dask" in refused(2, "run", PHOTO, "-s", "grey", "--batch", "-o", tmp_path / "a.npy", "--dask", "local")


def test_the_extra_is_named_where_the_library_is_missing(tmp_path):
    script = "import sys; sys.modules['distributed'] = None; from imgconv.cli.app import main; main()"
    command = [sys.executable, "-c", script, "edge", str(PHOTO), "-o", str(tmp_path), "--dask", "local"]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=30, check=False)
    message = "imgconv: --dask needs another library; to use it: pip install 'imgconv[dask]'\n"
    assert (done.returncode, done.stderr) == (1, message)


class PreparedOutcome:
    """An image that was worked on elsewhere; `None` in place of a name is one that was stopped in time."""

    def __init__(self, name, error=None):
        self.outcome = name and Outcome(name, error=error)
        self.cancelled = False

    def result(self):
        return self.outcome

    def cancel(self):
        self.cancelled = True
        return False


def test_no_more_than_there_is_room_for_are_on_their_way():
    begun, done = [], []
    rooms = iter([2, 2, 0, 3, 3, 3, 3, 3, 3])

    def begin(name):
        begun.append(name)
        return PreparedOutcome(name)

    for outcome in in_order(["a", "b", "c", "d", "e"], begin, lambda: next(rooms), False):
        done.append((outcome.source, len(begun)))
    assert done == [("a", 2), ("b", 3), ("c", 3), ("d", 5), ("e", 5)]


def test_after_an_error_only_images_in_progress_have_outcomes():
    answers = {
        "a": PreparedOutcome("a"),
        "b": PreparedOutcome("b", "damaged"),
        "c": PreparedOutcome("c"),
        "d": PreparedOutcome(None),
        "e": PreparedOutcome("e"),
    }
    outcomes = list(in_order("abcdefgh", answers.__getitem__, lambda: 4, True))
    assert [outcome.source for outcome in outcomes] == ["a", "b", "c", "e"]
    assert [each.cancelled for each in answers.values()] == [False, False, True, True, True]


def sender(folder, **options):
    return Sender(Job(filter_recipe(["laplacian8"], command="edge"), Destination("png", ".png", folder=folder), **options))


@pytest.mark.parametrize(
    "folder, path, output, error",
    [
        (Path("out"), Path("a.jpg"), "out/a.edge.png", "a.jpg: bad"),
        (None, Path("deep/../a.jpg"), "deep/../a.edge.png", "deep/../a.jpg: bad"),
        (Url("s3", "b/out"), Path("a.jpg"), "s3://b/out/a.edge.png", "a.jpg: bad"),
        (Path("out"), Url("s3", "b/a.jpg"), "out/a.edge.png", "s3://b/a.jpg: bad"),
        (Path("/out"), Path("/in/a.jpg"), "/out/a.edge.png", "/in/a.jpg: bad"),
    ],
)
def test_names_travel_whole_and_come_back_as_they_were_typed(tmp_path, monkeypatch, folder, path, output, error):
    monkeypatch.chdir(tmp_path)
    sending = sender(folder)
    source = Source(path, PurePath("a.jpg"))
    sent = sending.absolute(source)
    assert isinstance(sent.path, Url) or sent.path.is_absolute()
    outcome = Outcome(str(sent), outputs=[str(place) for place in sending.outputs(source)][:1], error=f"{sent.path}: bad")
    restored = sending.with_user_names(outcome, source)
    assert (restored.source, restored.outputs, restored.error) == (str(path), [output], error)


def test_existing_outputs_are_listed_before_the_first_attempt(tmp_path):
    source = Source(PHOTO, PurePath("coffee.jpg"))
    (tmp_path / "coffee.edge.tiff").touch()
    assert sender(tmp_path).existing_outputs(source) is None
    assert sender(tmp_path, existing="refuse").existing_outputs(source) == {tmp_path / "coffee.edge.tiff"}
    assert sender(tmp_path, existing="skip").existing_outputs(Source(PHOTO, PurePath("camera.jpg"))) == frozenset()


def test_the_job_of_another_version_is_refused():
    with pytest.raises(ClusterError, match=r"a worker has imgconv .*, and this is 0\.0\.1"):
        unpickled(pickle.dumps(("0.0.1", b"")))
