"""Runs from and to S3, over HTTP, with moto as the endpoint. Run by name, with imgconv[dask,remote] and moto[server]."""

import json
import re
import subprocess
import sys
from urllib.request import Request, urlopen
from xml.etree import ElementTree

import pytest
from command import SAMPLES, imgconv, refused
from processes import environment, wait_for
from services import CREDENTIALS, answers, copies, files_below, free_port, running, s3_endpoint, scheduler, worker

PHOTOGRAPHS = [SAMPLES / name for name in ("coffee.jpg", "chelsea.jpg", "camera.png")]
COUNT = 12
HEADERS = {
    "Authorization": "AWS4-HMAC-SHA256 Credential=testing/20200101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=none",
    "Content-Type": "application/octet-stream",  # moto would wait for ever for the end of a form
}
NAMESPACE = "{http://s3.amazonaws.com/doc/2006-03-01/}"


class Store:
    """An S3 endpoint, looked at with nothing but HTTP, and the environment in which commands find it."""

    def __init__(self, endpoint_address):
        self.env, self.url = environment(**endpoint_address), endpoint_address["AWS_ENDPOINT_URL"]

    def put(self, name, data=b""):
        self._answer(name, data, "PUT")

    def get(self, name):
        return self._answer(name, None, "GET")

    def _answer(self, name, data, method):
        with urlopen(Request(f"{self.url}/{name}", data, HEADERS, method=method), timeout=10) as answer:
            return answer.read()

    def files(self, prefix):
        listed = ElementTree.fromstring(self.get(f"photos?list-type=2&prefix={prefix}"))
        keys = [key.text for key in listed.iter(f"{NAMESPACE}Key")]
        return {key.removeprefix(prefix): self.get(f"photos/{key}") for key in keys}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with photographs, and the edges that one machine finds in them."""
    home = tmp_path_factory.mktemp("s3")
    copies(home / "photos", COUNT, *PHOTOGRAPHS)
    assert imgconv("edge", "photos", "-o", "alone", cwd=home).code == 0
    return home


@pytest.fixture(scope="module")
def store(home):
    """The same photographs in a bucket."""
    with s3_endpoint(home) as endpoint_address:
        store = Store(endpoint_address)
        store.put("photos")
        for name, data in files_below(home / "photos").items():
            store.put(f"photos/album/{name}", data)
        yield store


@pytest.fixture(scope="module", params=["threads", "cluster"])
def cluster(request, home, store):
    """How a run is asked for: on this machine, or on workers that sit elsewhere and are told where by their own environment."""
    if request.param == "threads":
        yield ()
    else:
        more = {name: value for name, value in store.env.items() if name.startswith("AWS_")}
        with scheduler(home) as (address, _), worker(home, address, **more), worker(home, address, **more):
            yield ("--dask", address)


def test_from_store_to_store(home, store, cluster):
    done = imgconv("edge", "s3://photos/album/", "-o", "s3://photos/across/", "--json", *cluster, cwd=home, env=store.env)
    assert done.code == 0, done.err
    assert f"{COUNT} of {COUNT} images: {COUNT} files written, 0 failed" in done.err
    assert store.files("across/") == files_below(home / "alone")
    first = json.loads(done.out.splitlines()[0])
    assert first["source"] == "s3://photos/album/001.jpg" and first["outputs"] == ["s3://photos/across/001.edge.png"]


def test_from_disk_to_store_and_back(home, store, cluster):
    up = imgconv("edge", "photos", "-o", "s3://photos/up", *cluster, cwd=home, env=store.env)
    down = imgconv("edge", "s3://photos/album", "-o", "down/", *cluster, cwd=home, env=store.env)
    assert (up.code, down.code) == (0, 0), (up.err, down.err)
    assert store.files("up/") == files_below(home / "down") == files_below(home / "alone")


def test_existing_outputs_are_skipped_or_refused_or_replaced(home, store, cluster):
    words = ("edge", "s3://photos/album/", "-o", "s3://photos/again/", *cluster)
    for share in (1, 2):
        assert imgconv(*words, "--shard", f"{share}/2", cwd=home, env=store.env).code == 0
    before = store.files("again/")
    assert before == files_below(home / "alone")
    store.put("photos/again/001.edge.png", before["001.edge.png"][:-20])
    dry = imgconv(*words, "--dry-run", "--no-recursive", cwd=home, env=store.env)
    assert dry.code == 0 and dry.err.count("(not written: dry run)") == COUNT - COUNT // 3
    refusing = imgconv(*words, "--no-clobber", cwd=home, env=store.env)
    assert refusing.code == 1 and refusing.err.count("exists; leave out --no-clobber") == COUNT
    done = imgconv(*words, "--skip-existing", cwd=home, env=store.env)
    assert f"1 file written, {COUNT - 1} skipped" in done.err.replace("1 files", "1 file")
    assert store.files("again/") == before


def test_images_that_fail_fail_alone(home, store, cluster):
    store.put("photos/bad/damaged.jpg", PHOTOGRAPHS[0].read_bytes()[:2000])
    store.put("photos/bad/sound.jpg", PHOTOGRAPHS[1].read_bytes())
    inputs = ("s3://photos/bad/", "s3://photos/none.jpg", "s3://nobucket/gone.jpg", "s3://photos/nothing/")
    done = imgconv("edge", *inputs, "-o", "s3://photos/mended/", *cluster, cwd=home, env=store.env)
    lines = done.err.splitlines()
    assert done.code == 1 and len(lines) == 5, done.err
    assert lines[0].startswith("imgconv: s3://photos/bad/damaged.jpg: damaged jpeg")
    assert lines[1:4] == [
        "imgconv: s3://photos/none.jpg: no such file or directory",
        "imgconv: s3://nobucket/gone.jpg: no such bucket",
        "imgconv: s3://photos/nothing/: no such file or directory",
    ]
    assert list(store.files("mended/")) == ["sound.edge.png"]


def test_an_output_without_a_bucket(home, store, cluster):
    done = imgconv("edge", "photos/deep", "-o", "s3://nobucket/", *cluster, cwd=home, env=store.env)
    assert done.code == 1 and done.err.count(": no such bucket\n") == COUNT // 3


def test_names_that_only_a_store_allows(home, store):
    for name in ("two%20words", "question%3Fmark", "hash%23", "colons%3A%3A", "%5Bstar%5D%2A", "gr%C3%BC%C3%9Fe", ".hidden"):
        store.put(f"photos/odd/{name}.jpg", PHOTOGRAPHS[0].read_bytes())
    assert imgconv("edge", "s3://photos/odd/", "-o", "odd", cwd=home, env=store.env).code == 0
    stems = ("two words", "question?mark", "hash#", "colons::", "[star]*", "grüße")
    assert sorted(files_below(home / "odd")) == sorted(f"{stem}.edge.png" for stem in stems)


def test_an_input_is_never_written(home, store):
    before = store.files("album/")
    for words in (
        ("s3://photos/album/001.jpg", "-o", "s3://photos/album/001.jpg"),
        ("s3a://photos/album/", "-o", "s3://photos/album/001.jpg"),
    ):
        refused(2, "edge", *words, cwd=home, env=store.env)
    assert store.files("album/") == before


def test_one_array_of_a_whole_folder(home, store):
    words = ("run", "s3://photos/album/001.jpg", "photos/001.jpg", "-s", "grey", "--batch", "-o", "s3://photos/batch.npy")
    assert imgconv(*words, cwd=home, env=store.env).code == 0
    assert store.get("photos/batch.npy").startswith(b"\x93NUMPY")


def test_an_interrupted_upload_leaves_the_old_object(home, store):
    store.put("photos/old/coffee.edge.png", b"old")
    script = (
        "import imgconv.batch.work as work\n"
        "plain = work.encode\n"
        "def encode(*words):\n"
        "    plain(*words)\n"
        "    raise OSError('lost')\n"
        "work.encode = encode\n"
        "from imgconv.cli.app import main; main()"
    )
    command = [sys.executable, "-c", script, "edge", str(PHOTOGRAPHS[0]), "-o", "s3://photos/old/"]
    done = subprocess.run(command, cwd=home, env=store.env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1 and done.stderr.endswith(": lost\n")
    assert store.files("old/") == {"coffee.edge.png": b"old"}


def test_images_of_the_web(home, store):
    port = free_port()
    with running("python", "-m", "http.server", "--bind", "127.0.0.1", str(port), cwd=home, log=home / "web.log"):
        wait_for(lambda: answers(port))
        endpoint_address = f"http://127.0.0.1:{port}/photos/001.jpg?size=2"
        done = imgconv("edge", endpoint_address, f"http://127.0.0.1:{port}/none.jpg", "-o", "web/", cwd=home)
    assert done.code == 1 and f"imgconv: http://127.0.0.1:{port}/none.jpg: no such file or directory" in done.err
    assert files_below(home / "web") == {"001.edge.png": files_below(home / "alone")["001.edge.png"]}


def test_who_may_not_enter_and_who_does_not_answer(home):
    strangers = {name: value for name, value in environment().items() if not name.startswith("AWS_")}
    strangers = {**strangers, "AWS_EC2_METADATA_DISABLED": "true", "HOME": str(home)}
    assert re.search(
        "s3://photos/album/a.jpg: .*credentials", refused(1, "edge", "s3://photos/album/a.jpg", "-o", "x/", cwd=home, env=strangers)
    )
    silent = environment(**CREDENTIALS, AWS_ENDPOINT_URL="http://127.0.0.1:9", AWS_MAX_ATTEMPTS="1")
    assert "127.0.0.1:9" in refused(1, "edge", "photos/001.jpg", "-o", "s3://photos/x/", cwd=home, env=silent)
