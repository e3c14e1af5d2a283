"""One large image with a Zarr or TIFF output on a Dask cluster, on a disk and in S3: with imgconv[dask,remote,zarr] and moto[server].

Run by name: `python -m pytest tests/cluster/on_large_images.py`.
"""

import json
import shlex
import signal

import fsspec
import numpy as np
import pytest
import tifffile
import zarr
from command import imgconv
from processes import environment, finished, started, wait_for
from services import files_below, s3_endpoint, scheduler, worker
from zarr_files import levels, write

SIZE = (1200, 700)
COMMANDS = [
    "filter -k gaussian:sigma=3 --pyramid --tile 128",
    "edge -k sobel --range minmax --tile 100",
    "filter -k box --stride 3 --range minmax --nodata 77 --tile 64",
    "filter -k box -k sobel_x --range raw --tile 64 --zarr-format 2",
    "run -s grey -s 'conv laplacian8 padding=1' -s 'max_pool 3' --range minmax --tile 50",
]
COMMANDS_OF_FILES = [
    "filter -k gaussian:sigma=3 --pyramid --tile 48x64",
    "edge -k sobel --range minmax --tile 64 --compression none",
    "filter -k box --stride 3 --nodata 77 --compression zstd",
    "filter -k box -k sobel_x --range raw --tile 64",
    "run -s grey -s 'conv laplacian8 padding=1' -s 'max_pool 3' --range minmax",
]


def size_of(path):
    return path.is_file() and path.stat().st_size


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("large")
    write(home / "in.zarr", levels(3, size=SIZE), (100, 200, 3))
    tifffile.imwrite(home / "in.tif", levels(3, size=SIZE), tile=(64, 64), photometric="rgb")
    return home


@pytest.fixture(scope="module")
def address(home):
    with scheduler(home) as (address, _), worker(home, address, "--no-nanny"), worker(home, address, "--no-nanny"):
        yield address


@pytest.mark.parametrize("source", ["in.zarr", "in.tif"])
@pytest.mark.parametrize("command", COMMANDS)
def test_the_cluster_writes_the_bytes_of_one_machine(home, address, command, source):
    words = [*shlex.split(command), source, "--memory", "2M", "--json"]
    alone = json.loads(imgconv(*words, "-o", "alone.zarr", cwd=home).out)
    done = imgconv(*words, "-o", "there.zarr", "--dask", address, cwd=home)
    assert done.code == 0, done.err
    there = json.loads(done.out)
    assert files_below(home / "alone.zarr") == files_below(home / "there.zarr")
    assert there["outputs"] == ["there.zarr"] and there["missing"] == alone["missing"] and there["shapes"] == alone["shapes"]
    for one, other in zip(alone["maps"], there["maps"], strict=True):
        assert one == {**other, "std": one["std"], "mean": one["mean"]}
        assert (one["std"], one["mean"]) == pytest.approx((other["std"], other["mean"]), rel=1e-6)
    assert not [path for path in home.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("command", COMMANDS_OF_FILES)
def test_the_cluster_writes_the_file_that_one_machine_writes(home, address, command):
    words = [*shlex.split(command), "in.zarr" if "raw" in command else "in.tif", "--memory", "2M", "--json"]
    alone = json.loads(imgconv(*words, "-o", "alone.tif", cwd=home).out)
    done = imgconv(*words, "-o", "there.tif", "--dask", address, cwd=home)
    assert done.code == 0, done.err
    there = json.loads(done.out)
    assert (home / "alone.tif").read_bytes() == (home / "there.tif").read_bytes()
    assert there["missing"] == alone["missing"] and there["shapes"] == alone["shapes"]
    for one, other in zip(alone["maps"], there["maps"], strict=True):
        assert one == {**other, "std": pytest.approx(other["std"], rel=1e-6), "mean": pytest.approx(other["mean"], rel=1e-6)}
    assert not [path for path in home.iterdir() if path.name.startswith(".")]


def test_every_map_has_a_file_of_its_own(home, address):
    words = ("filter", "in.tif", "-k", "box", "-k", "sobel_x", "--tile", "64", "--format", "tiff", "--memory", "2M", "-q")
    for folder, more in (("alone", ()), ("there", ("--dask", address))):
        assert imgconv(*words, "-o", f"{folder}/", *more, cwd=home).code == 0
    assert files_below(home / "alone") == files_below(home / "there") and len(files_below(home / "there")) == 2


@pytest.mark.parametrize("output", ["zarr", "tif"])
def test_a_worker_that_is_killed_costs_nothing(home, output):
    zarr.create_array(home / "tall.zarr", shape=(9000, 3000), dtype="u1", chunks=(300, 3000), fill_value=7, overwrite=True)
    words = ("filter", "tall.zarr", "-k", "gaussian:sigma=30", "--memory", "20M", "--tile", "96", "-q")
    assert imgconv(*words, "-o", f"alone.{output}", cwd=home).code == 0
    with (
        scheduler(home) as (address, _),
        worker(home, address, "--no-nanny") as first,
        worker(home, address, "--no-nanny"),
        started(*words, "-o", f"killed.{output}", "--dask", address, cwd=home) as process,
    ):
        wait_for(lambda: len(list(home.glob(".*.imgconv-part/c/*"))) > 9 or any(map(size_of, home.glob(".*.imgconv-part"))))
        first.kill()
        assert first.wait() == -signal.SIGKILL
        code, _, err = finished(process)
    assert code == 0, err
    if output == "zarr":
        assert files_below(home / "killed.zarr") == files_below(home / "alone.zarr")
    else:
        assert (home / "killed.tif").read_bytes() == (home / "alone.tif").read_bytes()


def test_damage_is_named_and_leaves_the_old_output(home, address):
    write(home / "bad.zarr", levels(3, size=SIZE), (100, 200, 3))
    (home / "bad.zarr/c/7/2/0").write_bytes(b"damaged")
    (home / "old.zarr").mkdir(exist_ok=True)
    done = imgconv("edge", "bad.zarr", "-o", "old.zarr", "--memory", "2M", "--dask", address, cwd=home)
    assert done.code == 1 and "imgconv: bad.zarr: damaged zarr: chunk in row 8, column 3 (c/7/2/0)" in done.err, done.err
    assert not list((home / "old.zarr").iterdir())


def test_a_bucket_holds_input_and_output(home):
    pixels = levels(1, size=SIZE)[..., 0]
    with s3_endpoint(home) as endpoint, scheduler(home, **endpoint) as (address, _):
        storage = fsspec.filesystem("s3", key="testing", secret="testing", endpoint_url=endpoint["AWS_ENDPOINT_URL"])
        storage.mkdir("photos")
        write(home / "grey.zarr", pixels, (100, 200))
        storage.put(str(home / "grey.zarr"), "photos/grey.zarr", recursive=True)
        storage.put(str(home / "grey.zarr"), "photos/old.zarr", recursive=True)
        words = ["edge", "--memory", "2M", "--tile", "128"]
        more = {"cwd": home, "env": environment(**endpoint)}
        assert imgconv(*words, "grey.zarr", "-o", "alone.zarr", cwd=home).code == 0
        with worker(home, address, "--no-nanny", **endpoint), worker(home, address, "--no-nanny", **endpoint):
            there = ("s3://photos/grey.zarr", "-o", "s3://photos/old.zarr")
            for options in ([], ["--dask", address]):
                done = imgconv(*words, *there, *options, **more)
                assert done.code == 0, done.err
                storage.invalidate_cache()
                names = [name.removeprefix("photos/old.zarr/") for name in storage.find("photos/old.zarr")]
                assert {name: storage.cat(f"photos/old.zarr/{name}") for name in names} == files_below(home / "alone.zarr")
                assert imgconv("edge", *there, "--no-clobber", *options, **more).code == 1
                assert "is the input" in imgconv("edge", there[0], "-o", there[0], *options, **more).err
        np.save(home / "large.npy", np.arange(9000 * 8000, dtype=np.uint8).reshape(9000, 8000))
        words = ["filter", "large.npy", "-k", "box", "--memory", "16M", "--compression", "none"]
        assert imgconv(*words, "-o", "large.tif", cwd=home).code == 0
        with worker(home, address, "--no-nanny", **endpoint), worker(home, address, "--no-nanny", **endpoint):
            assert imgconv(*words, "-o", "s3://photos/file/large.tif", "--dask", address, **more).code == 0
        storage.invalidate_cache()
        assert storage.cat("photos/file/large.tif") == (home / "large.tif").read_bytes()
        storage.rm("photos/file", recursive=True)
        folder = imgconv("pool", "s3://photos/", "-o", "pooled", "--json", **more)
        assert [json.loads(line)["source"] for line in folder.out.splitlines()] == ["s3://photos/grey.zarr", "s3://photos/old.zarr"]
        assert not [name for name in storage.find("photos") if "imgconv-part" in name]
