"""Headers that lie, in a real process with little memory: each file gives its line, soon, and the rest of the folder is done."""

import resource
import shutil
import struct
import subprocess

import numpy as np
import pytest
from command import SAMPLES, imgconv, refused
from image_files import deep, photo, png, tiff
from processes import IMGCONV, environment, names

SIZE_TAGS = {"width": 256, "height": 257, "bits": 258, "samples": 277, "rows": 278, "tile_width": 322, "tile_height": 323}
PLACE_TAGS = {"strip_offset": 273, "strip_bytes": 279, "tile_offset": 324, "tile_bytes": 325}
VALUES = {"none": 0, "one": 1, "many": 0x7FFF, "huge": 0x7FFFFFFF, "all": 0xFFFFFFFF}


def with_wrong_tag(data, tag, value):
    """A little-endian TIFF with the first value of a tag replaced; None where it has no such tag, or one that holds no such value."""
    data = bytearray(data)
    (directory,) = struct.unpack_from("<I", data, 4)
    (entries,) = struct.unpack_from("<H", data, directory)
    for entry in range(directory + 2, directory + 2 + 12 * entries, 12):
        result, kind, count = struct.unpack_from("<HHI", data, entry)
        form, length = {3: ("<H", 2), 4: ("<I", 4)}.get(kind, ("", 9))
        if result == tag and form and value < 1 << (8 * length):
            at = entry + 8 if count * length <= 4 else struct.unpack_from("<I", data, entry + 8)[0]
            struct.pack_into(form, data, at, value)
            return bytes(data)
    return None


def liars():
    """Strips, tiles and planes that lie, 8 bits (libtiff) and 16 (tifffile), raw and packed, by name: bytes."""
    layouts = {"strips": {"rowsperstrip": 9}, "tiles": {"tile": (16, 32)}, "packed": {"tile": (16, 16), "compression": "zlib"}}
    for depth, pixels in (("8", photo()), ("16", deep(photo()))):
        for layout, options in layouts.items():
            whole = tiff(pixels, photometric="rgb", **options)
            yield f"{depth}_{layout}_whole.tiff", whole
            for name, tag in (SIZE_TAGS | PLACE_TAGS).items():
                for amount, value in VALUES.items():
                    data = with_wrong_tag(whole, tag, value)
                    if data is not None and data != whole:
                        yield f"{depth}_{layout}_{name}_{amount}.tiff", data


def limited(*words, megabytes=1500):
    """Run `imgconv` with little address space: exit code and standard error."""
    little = {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20, megabytes << 20))}
    settings = environment(OPENBLAS_NUM_THREADS="1")
    command = [*IMGCONV, *map(str, words)]
    done = subprocess.run(command, env=settings, capture_output=True, text=True, timeout=60, check=False, **little)
    assert "Traceback" not in done.stderr and "internal error" not in done.stderr, done.stderr
    return done.returncode, done.stderr


def test_wrong_offsets_of_tiles_and_strips(tmp_path):
    folder = tmp_path / "liars"
    folder.mkdir()
    for name, data in liars():
        (folder / name).write_bytes(data)
    code, err = limited("edge", folder, "-o", tmp_path / "out", "-q")
    written = {name.replace(".edge.png", ".tiff") for name in names(tmp_path / "out")}
    refused_names = {line.partition(": ")[2].partition(": ")[0].rpartition("/")[2] for line in err.splitlines()}
    assert code == 1 and len(names(folder)) > 150
    assert written | refused_names == set(names(folder)) and written & refused_names == set()
    for name in written:
        if not name.endswith(("_width_one.tiff", "_height_one.tiff")) or "tile_" in name:  # which leave a sound, smaller image
            depth, layout, *_ = name.split("_")
            whole = tmp_path / "out" / f"{depth}_{layout}_whole.edge.png"
            assert (tmp_path / "out" / name.replace(".tiff", ".edge.png")).read_bytes() == whole.read_bytes(), name


@pytest.mark.parametrize(
    "limit, message", [((), "more than the limit of 178956970; raise it with --max-pixels"), (("none",), "GB of memory")]
)
def test_a_few_bytes_that_claim_a_whole_disk_are_refused_at_once(tmp_path, limit, message):
    (tmp_path / "bomb.png").write_bytes(png(2_000_000, 2_000_000, 8, 0, []))
    shutil.copy(SAMPLES / "camera.png", tmp_path / "photo.png")
    options = ("--max-pixels", *limit) if limit else ()
    code, err = limited("edge", tmp_path, "-o", tmp_path / "out", *options)
    assert code == 1 and "bomb.png" in err and message in err and "1 file written, 1 failed" in err
    assert names(tmp_path / "out") == ["photo.edge.png"]


def test_the_limit_on_pixels_is_lifted_by_none_and_by_a_larger_number(tmp_path):
    np.save(tmp_path / "line.npy", np.zeros((1, 200_000_000), bool))
    line = refused(1, "pool", tmp_path / "line.npy", "--size", "1x1000")
    assert "200000000x1 is 200000000 pixels" in line
    for limit in ("none", "200000000"):
        done = imgconv("pool", tmp_path / "line.npy", "--size", "1x1000", "--max-pixels", limit, "-o", tmp_path / "out.png", "-q")
        assert (done.code, done.err) == (0, "")


def test_an_endless_gif_takes_the_memory_of_a_few_frames(tmp_path):
    head, frame = b"GIF89a\x02\0\x02\0\x80\0\0\0\0\0\xff\xff\xff", b",\0\0\0\0\x02\0\x02\0\0\x02\x03\x44\x02\x05\0"
    (tmp_path / "endless.gif").write_bytes(head + frame * 20_000)
    shutil.copy(SAMPLES / "camera.png", tmp_path / "photo.png")
    code, err = limited("edge", tmp_path, "-o", tmp_path / "out")
    assert code == 1 and "endless.gif: damaged gif: unexpected end of data" in err
    assert names(tmp_path / "out") == ["photo.edge.png"]
