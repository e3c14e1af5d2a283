"""Images larger than memory against `vips conv`: python benchmarks/large.py [SIDE [FOLDER [grey|RGB]]]

Makes tiled TIFF files of SIDE x SIDE pixels (10,000 by default; 30,000 needs some 12 GB in FOLDER), grey and RGB, plain and deflated, and
filters each with a 3x3 kernel and a Gaussian of sigma 5. Both programs write tiles of 256x256 with the compression of the input. Prints
lines of a table: seconds, processor seconds, and the most memory that a process ever held. `sparse` instead of SIDE filters a grey image
of 100,000 x 100,000 whose tiles are all alike, and `wide` its first 12,288 rows, which take as much memory. `zarr` filters a grey Zarr
array of 20,000 x 20,000 into another, and `cluster` grey images of several sizes with one core, and with two workers of a Dask cluster
that have one core each.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

SMOOTH = "1 2 1; 2 4 2; 1 2 1 / 16"
SMOOTH_OF_VIPS = "3 3 16 0\n1 2 1\n2 4 2\n1 2 1\n"
SIGMA = 5
WIDTH = "0.001"  # the least height at which a Gaussian of vips ends, at 3.7 sigma; ours ends at 4
TILE = 256
CLUSTER_SIDES = (3000, 6000, 12_000, 24_000)


def tiles(side: int, channels: int, changes: bool, rows: int) -> Iterator[np.ndarray[Any, Any]]:
    """Yield tiles of noise on shades that differ from tile to tile, or of one tile again and again."""
    noise = np.random.default_rng(0).integers(0, 40, (TILE, 4096, channels), dtype=np.uint8)
    for y in range(0, rows, TILE):
        for x in range(0, side, TILE):
            first = (x * 7 + y * 3) % 3800 if changes else 0
            tile = noise[:, first : first + TILE] + np.uint8((x // TILE * 5 + y // TILE * 3) % 200 if changes else 0)
            tile = tile if changes else tile // 40
            yield np.ascontiguousarray(tile if channels > 1 else tile[..., 0])


def make(path: Path, side: int, channels: int, compression: str, changes: bool = True, rows: int | None = None) -> None:
    """Write an image, square without `rows`."""
    rows = rows or side
    tifffile.imwrite(
        path,
        tiles(side, channels, changes, rows),
        shape=(rows, side, channels) if channels > 1 else (rows, side),
        dtype=np.uint8,
        tile=(TILE, TILE),
        photometric="rgb" if channels == 3 else "minisblack",
        compression=None if compression == "none" else "zlib",
        compressionargs=None if compression == "none" else {"level": 1},
        bigtiff=True,
    )


def measured(command: list[str]) -> str:
    """Run a program: its seconds, processor seconds and megabytes; `failed` with its last line of errors."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stderr=subprocess.PIPE)
    said = process.stderr.read().decode() if process.stderr else ""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        return f"failed: {said.strip().splitlines()[-1:]}"
    seconds = time.perf_counter() - started
    return f"{seconds:.1f} s, {usage.ru_utime + usage.ru_stime:.1f} s CPU, {usage.ru_maxrss / 1024:.0f} MB"


def commands(image: Path, output: Path, compression: str, matrix: Path) -> Iterator[tuple[str, str, list[str]]]:
    """Yield what is measured: the work, the program and its command."""
    ours = [
        sys.executable,
        "-m",
        "imgconv",
        "filter",
        str(image),
        "-o",
        str(output),
        "--tile",
        str(TILE),
        "--compression",
        compression,
        "-q",
    ]
    theirs = f"{output}[tile,tile-width={TILE},tile-height={TILE},compression={compression},bigtiff]"
    yield "3x3", "imgconv", [*ours, "-k", SMOOTH]
    yield "3x3", "vips conv", ["vips", "conv", str(image), theirs, str(matrix), "--precision", "integer"]
    yield f"gaussian sigma {SIGMA}", "imgconv", [*ours, "-k", f"gaussian:sigma={SIGMA}"]
    yield f"gaussian sigma {SIGMA}", "vips gaussblur", ["vips", "gaussblur", str(image), theirs, str(SIGMA), "--min-ampl", WIDTH]


def compile_loops(place: Path, channels: int, command: str = "filter", words: tuple[str, ...] = ()) -> None:
    """Run a command by bands on a small image, since the first run on a machine compiles its loops and holds 90 MB more for it."""
    make(place / "small.tif", 4 * TILE, channels, "deflate")
    ours = [sys.executable, "-m", "imgconv", command, str(place / "small.tif"), "-o", str(place / "out.tif"), "--memory", "1M", "-q"]
    subprocess.run([*ours, *words], check=True)


def zarr_arrays(place: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield the commands that make a Zarr array and filter it, with what is measured."""
    make(place / "image.tif", 20_000, 1, "deflate")
    ours = [sys.executable, "-m", "imgconv", "filter", "-q"]
    yield "TIFF to Zarr, identity", [*ours, str(place / "image.tif"), "-k", "identity", "-o", str(place / "image.zarr")]
    for kernel in (SMOOTH, f"gaussian:sigma={SIGMA}"):
        yield f"Zarr to Zarr, {kernel}", [*ours, str(place / "image.zarr"), "-k", kernel, "-o", str(place / "out.zarr")]
    yield "Zarr to OME-Zarr, identity", [*ours, str(place / "image.zarr"), "-k", "identity", "-o", str(place / "out.zarr"), "--pyramid"]


def cluster(place: Path) -> None:
    """Compare one core with two workers of one core each, for images of several sizes: what the command takes, and what they take."""
    port, programs = "18799", Path(sys.executable).parent
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": place}
    address = f"tcp://127.0.0.1:{port}"
    with subprocess.Popen([programs / "dask", "scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard"], **quiet) as scheduler:
        words = [programs / "dask", "worker", address, "--nworkers", "1", "--nthreads", "1", "--no-dashboard", "--no-nanny"]
        with subprocess.Popen(words, **quiet) as one, subprocess.Popen(words, **quiet) as other:
            time.sleep(10)
            for side in CLUSTER_SIDES:
                make(place / "image.tif", side, 1, "deflate")
                for output in ("out.zarr", "out.tif"):
                    ours = [sys.executable, "-m", "imgconv", "filter", str(place / "image.tif"), "-k", f"gaussian:sigma={SIGMA}", "-q"]
                    ours += ["--memory", "64M", "--tile", str(TILE), "-o", str(place / output)]
                    print(f"| {side:,} x {side:,}, {output} | one core | {measured([*ours, '-j', '1'])} |", flush=True)
                    measured([*ours, "--dask", address])  # the workers import libraries and load loops
                    before = sum(map(processor_seconds, (one.pid, other.pid)))
                    result = measured([*ours, "--dask", address])
                    both = sum(map(processor_seconds, (one.pid, other.pid))) - before
                    print(f"| {side:,} x {side:,}, {output} | two workers | {result}; the workers {both:.1f} s CPU |", flush=True)
            one.terminate()
            other.terminate()
        scheduler.terminate()


def processor_seconds(process: int) -> float:
    """Return the processor seconds of a process, on Linux."""
    words = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, words[11:13])) / os.sysconf("SC_CLK_TCK")


def main(side: str = "10000", folder: str | None = None, colours: str = "grey RGB") -> None:
    """Measure every file with every command."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        place = Path(name)
        if side in ("sparse", "wide"):
            rows = 100_000 if side == "sparse" else 12_288
            compile_loops(place, 1, "edge")
            make(place / "sparse.tif", 100_000, 1, "deflate", changes=False, rows=rows)
            ours = [sys.executable, "-m", "imgconv", "edge", str(place / "sparse.tif"), "-o", str(place / "out.tif"), "-q"]
            print(f"| 100,000 x {rows:,}, grey, edge | imgconv | {measured(ours)} |", flush=True)
            return
        if side == "zarr":
            for kernel in ("identity", SMOOTH, f"gaussian:sigma={SIGMA}"):
                compile_loops(place, 1, words=("-k", kernel))
            for what, command in zarr_arrays(place):
                print(f"| 20,000 x 20,000, grey, {what} | imgconv | {measured(command)} |", flush=True)
            return
        if side == "cluster":
            cluster(place)
            return
        matrix = place / "smooth.mat"
        matrix.write_text(SMOOTH_OF_VIPS)
        for channels in (number for number, name in ((1, "grey"), (3, "RGB")) if name in colours):
            for kernel in (SMOOTH, f"gaussian:sigma={SIGMA}"):
                compile_loops(place, channels, words=("-k", kernel))
            for compression in ("none", "deflate"):
                image = place / "image.tif"
                make(image, int(side), channels, compression)
                for work, program, command in commands(image, place / "out.tif", compression, matrix):
                    result = measured(command) if shutil.which(command[0]) else "not installed"
                    what = f"{int(side):,} x {int(side):,}, {'grey' if channels == 1 else 'RGB'}, {compression}, {work}"
                    print(f"| {what} | {program} | {result} |", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
