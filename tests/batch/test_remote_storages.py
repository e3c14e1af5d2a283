"""Runs from and to fsspec storages in this process: names, order, what exists, and nothing half-written."""

import shutil
import subprocess
import sys
from pathlib import Path

import fsspec
import numpy as np
import pytest
from command import SAMPLES, imgconv, refused
from fsspec.implementations.local import LocalFileSystem
from processes import environment

from imgconv.batch import remote
from imgconv.batch.job import Job
from imgconv.batch.planning import plan_run
from imgconv.batch.run import run_sources
from imgconv.batch.sources import FileNames, first_image, list_sources
from imgconv.batch.urls import parse_path
from imgconv.errors import ImageError, UsageError
from imgconv.images import Encoding, Request
from imgconv.images.layout import Layout
from imgconv.recipe import filter_recipe

NAMES = ("b.jpg", "a.png", "notes.txt", ".hidden.png", "deep/z.png", "deep/er/c.jpg", "Zoo/d.png", ".git/e.png")


class Renaming(LocalFileSystem):
    """A storage that is written step by step, and can rename: as sftp is."""

    protocol = "renaming"
    fails = False

    @classmethod
    def _strip_protocol(cls, path):
        return super()._strip_protocol(path.removeprefix("renaming://"))  # which fsspec itself knows from 2026.6 on

    def mv(self, path1, path2, **options):
        if type(self).fails:
            raise OSError("connection lost")
        super().mv(path1, path2, **options)


@pytest.fixture
def memory():
    """An empty storage in memory."""
    files = fsspec.filesystem("memory")
    files.rm("/", recursive=True)
    return files


@pytest.fixture
def photos(memory, tmp_path):
    """The same folder of photographs in memory and on disk."""
    for number, name in enumerate(NAMES):
        sample = SAMPLES / ("coffee.jpg" if name.endswith("jpg") else "step_wedge.png")
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(sample, path) if number != 2 else path.write_text("no image")
        memory.pipe_file(f"/photos/{name}", path.read_bytes())
    return tmp_path / "photos"


def outcomes(inputs, output, command="edge", jobs=2, **options):
    recipe = filter_recipe(["laplacian8"], command=command)
    plan = plan_run(FileNames([str(each) for each in inputs], output=str(output)), recipe)
    return list(run_sources(plan.sources, Job(recipe, plan.destination, inputs=plan.inputs, **options), jobs))


def stored(files, folder):
    return {name.removeprefix(folder): files.cat_file(name) for name in files.find(folder)}


@pytest.mark.parametrize("recursive", [True, False])
@pytest.mark.parametrize("url_list", ["memory://photos", "memory://photos/", "memory:///photos"])
def test_a_remote_folder_is_listed_as_one_on_disk_is(photos, url_list, recursive):
    here = [source.relative for source in list_sources([str(photos)], recursive=recursive)]
    there = [source.relative for source in list_sources([url_list], recursive=recursive)]
    assert there == here and len(here) == (5 if recursive else 2)


def test_patterns_are_listed_too_but_not_in_exact_names(photos):
    assert [str(source) for source in list_sources(["memory://photos/*.png"])] == ["memory://photos/a.png"]
    (source,) = list_sources([], exact=["memory://photos/*.png"])
    assert str(source) == "memory://photos/*.png"


def test_every_way_between_disk_and_storage_gives_the_same(memory, photos, tmp_path):
    assert all(outcome.error is None for outcome in outcomes([photos], f"{tmp_path}/out/"))
    expected = {f"/{path.relative_to(tmp_path / 'out')}": path.read_bytes() for path in (tmp_path / "out").rglob("*.png")}
    for inputs, output in ((photos, "memory://up/"), ("memory://photos", "memory://across/"), ("memory://photos/", f"{tmp_path}/down/")):
        assert all(outcome.error is None for outcome in outcomes([inputs], output))
        if not output.startswith("memory"):
            memory.put(output, "/down/", recursive=True)
    assert stored(memory, "/up") == stored(memory, "/across") == stored(memory, "/down") == expected and len(expected) == 5


def test_outputs_are_next_to_remote_inputs_and_the_next_run_skips_them(memory, photos):
    recipe = filter_recipe(["laplacian8"], command="edge")
    for _ in range(2):
        plan = plan_run(FileNames(["memory://photos/"]), recipe)
        assert len(list(run_sources(plan.sources, Job(recipe, plan.destination), 2))) == 5
    assert sorted(name for name in stored(memory, "/photos") if "edge" in name) == [
        "/Zoo/d.edge.png",
        "/a.edge.png",
        "/b.edge.png",
        "/deep/er/c.edge.png",
        "/deep/z.edge.png",
    ]


def test_only_whole_remote_outputs_are_passed_over(memory, photos):
    outcomes(["memory://photos/"], "memory://out/")
    whole = memory.cat_file("/out/a.edge.png")
    memory.pipe_file("/out/a.edge.png", whole[:-5])
    again = {outcome.source: outcome for outcome in outcomes(["memory://photos/"], "memory://out/", existing="skip")}
    assert [source for source, outcome in again.items() if not outcome.skipped] == ["memory://photos/a.png"]
    assert memory.cat_file("/out/a.edge.png") == whole
    assert "exists; leave out --no-clobber" in outcomes(["memory://photos/a.png"], "memory://out/", existing="refuse")[0].error
    changed = outcomes(["memory://photos/a.png"], "memory://out/", existing="skip", encoding=Encoding(description="imgconv something else"))
    assert changed[0].unchanged == ["memory://out/a.edge.png"]


def test_outputs_with_the_same_name_and_inputs_are_refused(memory, photos):
    memory.pipe_file("/photos/A.png", b"x")
    with pytest.raises(UsageError, match="would both write memory://out/a"):
        outcomes(["memory://photos/"], "memory://out/")
    with pytest.raises(UsageError, match=r"is the input memory://photos/a\.png"):
        outcomes(["memory://photos/a.png"], "memory://photos/a.png")


def test_names_that_would_lead_out_of_the_output_folder_are_passed_over(monkeypatch, photos):
    listed = ["/photos/../../b.png", "/photos/deep/../../c.png", "/photos/a.png"]
    monkeypatch.setattr(type(fsspec.filesystem("memory")), "find", lambda *words, **options: listed)
    assert [str(source) for source in list_sources(["memory://photos/"])] == ["memory://photos/a.png"]


def test_what_is_not_there_fails_alone(memory, photos):
    actual = outcomes(["memory://photos/a.png", "memory://photos/none.png", "memory://none/"], "memory://out/")
    assert [outcome.error for outcome in actual] == [None, *["no such file or directory"] * 2]
    with pytest.raises(ImageError, match=r"memory://photos/none\.png: no such file"):
        first_image("memory://photos/none.png", Request())


def test_commands_that_look_take_addresses_too(photos):
    assert first_image("memory://photos/b.jpg", Request()).size == (400, 600)


@pytest.fixture
def renaming(tmp_path):
    fsspec.register_implementation("renaming", Renaming, clobber=True)
    remote._filesystem_class.cache_clear()
    yield parse_path(f"renaming://{tmp_path}/store/out.png")
    Renaming.fails = False


def test_other_storage_gets_a_temporary_file_that_is_renamed(renaming, tmp_path):
    for content in (b"first", b"second"):
        with remote.atomic_write(renaming) as stream:
            stream.write(content)
            assert content == b"first" or (tmp_path / "store" / "out.png").read_bytes() == b"first"
        assert [path.read_bytes() for path in (tmp_path / "store").iterdir()] == [content]


def test_a_folder_never_has_metadata_of_one_and_chunks_of_another(renaming, tmp_path, monkeypatch):
    old = {"zarr.json": b"old", "0/zarr.json": b"old", "0/c/0/0": b"old", "0/c/0/1": b"old"}
    new = {"zarr.json": b"new", "0/zarr.json": b"new", "1/zarr.json": b"new", "0/c/0/0": b"new", "1/c/0/0": b"new"}
    place, states = tmp_path / "store" / "a.zarr", []

    def files():
        return {str(path.relative_to(place)): path.read_bytes() for path in place.rglob("*") if path.is_file()}

    def recorded(name):
        change = getattr(Renaming, name)

        def changing(self, *words, **options):
            change(self, *words, **options)
            states.append(files())

        monkeypatch.setattr(Renaming, name, changing)

    def write(contents):
        with remote.atomic_folder(parse_path(f"renaming://{place}")) as store:
            for name, data in contents.items():
                path = Path(store.place.removeprefix("renaming://")) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)

    write(old)
    recorded("cp_file")
    assert files() == old
    write(new)
    assert files() == states[-1] == new and len(states) == len(new)
    assert all(state == new for state in states if "zarr.json" in state)
    assert all(b"old" not in state.values() for state in states if "0/zarr.json" in state)
    monkeypatch.setattr(Renaming, "cp_file", lambda *words, **options: 1 // 0)
    with pytest.raises(ImageError, match=r"complete in renaming://.*imgconv-part"):
        write(old)
    (part,) = (path for path in place.parent.iterdir() if path != place)
    assert (part / "0/c/0/1").read_bytes() == b"old"


def test_a_large_output_is_sent_in_blocks(renaming, tmp_path, monkeypatch):
    np.save(tmp_path / "large.npy", np.arange(9000 * 8000, dtype=np.uint8).reshape(9000, 8000))
    encoding, place = Encoding(layout=Layout(compression="none")), tmp_path / "results"
    place.mkdir(exist_ok=True)
    (place / "large.laplacian8.tiff").write_bytes(b"old")
    recipe, memory, there = filter_recipe(["laplacian8"]), 1 << 24, f"renaming://{place}/large.laplacian8.tiff"
    for output, fails in ((tmp_path / "here.tiff", False), (there, True), (there, False)):
        monkeypatch.setattr(Renaming, "fails", fails)
        plan = plan_run(FileNames([str(tmp_path / "large.npy")], output=str(output)), recipe)
        (done,) = run_sources(plan.sources, Job(recipe, plan.destination, inputs=plan.inputs, encoding=encoding, large=memory), 2)
        assert (done.error is not None) == fails
        assert not fails or (place / "large.laplacian8.tiff").read_bytes() == b"old"
    assert (place / "large.laplacian8.tiff").read_bytes() == (tmp_path / "here.tiff").read_bytes()
    assert [path.name for path in place.iterdir()] == ["large.laplacian8.tiff"]


def test_a_connection_that_is_lost_leaves_the_old_file_alone(renaming, tmp_path):
    with remote.atomic_write(renaming) as stream:
        stream.write(b"old")
    Renaming.fails = True
    with pytest.raises(ImageError, match="connection lost"), remote.atomic_write(renaming) as stream:
        stream.write(b"new")
    with pytest.raises(ZeroDivisionError), remote.atomic_write(renaming) as stream:
        stream.write(b"half" and bytes(1 // 0))
    assert [path.read_bytes() for path in (tmp_path / "store").iterdir()] == [b"old"]


@pytest.mark.parametrize(
    "code, words, message",
    [
        (2, ("s4://bucket/a.jpg", "-o", "out/"), "unknown kind of URL, s4://"),
        (2, ("a.jpg", "-o", "s4://bucket/out/"), "unknown kind of URL, s4://"),
        (2, ("https://127.0.0.1:9/a.jpg",), "cannot be written to; give a folder of your own with -o"),
        (2, ("a.jpg", "-o", "https://127.0.0.1:9/"), "cannot be written to"),
        (1, ("memory://a.jpg", "-o", "out/"), "memory://a.jpg: no such file or directory"),
    ],
)
def test_addresses_that_cannot_be(tmp_path, code, words, message):
    shutil.copy(SAMPLES / "coffee.jpg", tmp_path / "a.jpg")
    assert message in refused(code, "edge", *words, cwd=tmp_path)


def test_the_extra_is_named_where_the_library_is_missing(tmp_path):
    script = "import sys; sys.modules['fsspec'] = None; from imgconv.cli.app import main; main()"
    command = [sys.executable, "-c", script, "edge", "s3://bucket/a.jpg", "-o", "out/"]
    done = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1 and done.stderr.endswith("pip install 'imgconv[remote]'\n") and done.stderr.count("\n") == 1


def test_paths_import_no_storage(tmp_path):
    script = (
        "import sys\ntry:\n    from imgconv.cli.app import main; main()\nexcept SystemExit:\n    pass\n"
        "print({'fsspec', 'distributed', 'dask', 'imgconv.batch.remote', 'imgconv.batch.cluster'} & set(sys.modules))"
    )
    command = [sys.executable, "-c", script, "edge", str(SAMPLES), "-o", str(tmp_path), "-q"]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout == "set()\n"


def test_an_address_of_this_machine_is_a_path(tmp_path):
    shutil.copy(SAMPLES / "coffee.jpg", tmp_path / "a.jpg")
    assert imgconv("edge", f"file://{tmp_path}/a.jpg", "-o", f"file://{tmp_path}/out/").code == 0
    assert (tmp_path / "out" / "a.edge.png").stat().st_size > 0
    assert "is the input" in refused(2, "edge", tmp_path / "a.jpg", "-o", f"file://{tmp_path}/a.jpg")
