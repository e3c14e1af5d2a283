"""What a cluster is made of, as processes of its own: a Dask scheduler, workers that sit in another folder, an S3 endpoint."""

import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

from processes import environment, wait_for

PROGRAMS = Path(sys.executable).parent
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_DEFAULT_REGION": "us-east-1"}


def free_port():
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


@contextmanager
def running(*words, log, cwd="/", **more):
    """A program next to this Python, whose output goes into `log`, until the block ends."""
    with log.open("wb") as out:
        process = subprocess.Popen([PROGRAMS / words[0], *words[1:]], cwd=cwd, env=environment(**more), stdout=out, stderr=out)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def scheduler(folder, **more):
    """The address of a Dask scheduler, and its process."""
    port = free_port()
    words = ("scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard")
    with running("dask", *words, log=folder / "scheduler.log", **more) as process:
        wait_for(lambda: answers(port))
        yield f"tcp://127.0.0.1:{port}", process


@contextmanager
def worker(folder, address, *words, **more):
    """A Dask worker with one thread, at work in another folder than everybody else."""
    log = folder / f"worker{time.monotonic_ns()}.log"
    options = ("--nthreads", "1", "--no-dashboard", "--local-directory", folder / "scratch")
    with running("dask", "worker", address, *options, *words, log=log, **more) as process:
        wait_for(lambda: b"Registered to" in log.read_bytes())
        yield process


@contextmanager
def s3_endpoint(folder):
    """The environment in which an S3 with one bucket, `photos`, answers over HTTP."""
    port = free_port()
    with running("moto_server", "-H", "127.0.0.1", "-p", str(port), log=folder / "s3.log"):
        wait_for(lambda: answers(port))
        yield {**CREDENTIALS, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}


def answers(port):
    with socket.socket() as asking:
        return asking.connect_ex(("127.0.0.1", port)) == 0


def files_below(folder):
    """Every file below a folder, hidden ones too, by its name there."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}


def images_in(folder):
    """The number of images in a folder. Temporary files that are being written do not count."""
    return len(list(Path(folder).glob("*.png")))


def children(pid):
    """The processes that a process has begun and that are still at work."""
    tasks = Path(f"/proc/{pid}/task")
    try:
        child_ids = [int(child) for task in tasks.iterdir() for child in (task / "children").read_text().split()]
    except FileNotFoundError:
        return []
    return [child for child in child_ids if Path(f"/proc/{child}/cmdline").read_bytes()]


def copies(folder, count, *images):
    """A new folder of `count` images, of which every third lies one folder deeper."""
    for number in range(count):
        image = images[number % len(images)]
        path = folder / ("deep" if number % 3 == 0 else ".") / f"{number:03}{image.suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(image, path)
    return folder


def command_path():
    """A search path on which the programs next to this Python come first."""
    return f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}"
