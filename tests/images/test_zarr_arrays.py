"""Zarr arrays and OME-Zarr images: the meaning of axes, values, missing and damaged chunks, and what is written."""

import io
import json
import sys
import threading

import numcodecs
import numpy as np
import pytest
import zarr.core.sync
from zarr_files import COLOURS, levels, write, write_ome

import imgconv
from imgconv.errors import ImageError, MissingExtra
from imgconv.images import Encoding, Raster, Request, encode, fitted, open_frames, read_header
from imgconv.images.layout import Layout
from imgconv.images.raster import Metadata
from imgconv.images.zarr.store import Store

pytestmark = pytest.mark.sweep(2)

SIZE = (37, 53)
GREY, RGB = levels(1, size=SIZE)[..., 0], levels(3, size=SIZE)
MAPS = np.moveaxis(levels(5, "float32", SIZE), 2, 0)


def frames_of(path, **options):
    with open_frames(path, Request(**options)) as frames:
        return list(frames)


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize(
    "pixels, chunks",
    [
        (GREY, (10, 20)),
        (RGB, (16, 53, 2)),
        (levels(4, "uint16", SIZE), (37, 7, 4)),
        (MAPS, (2, 11, 50)),
        (levels(1, "float64", SIZE)[..., 0], (5, 5)),
        (GREY > 99, (9, 53)),
        ((GREY.astype(np.int16) - 99), (50, 60)),
        (GREY.astype(">u2"), (8, 8)),
        (np.asfortranarray(GREY.astype(np.float16)), (20, 20)),
    ],
    ids=lambda value: f"{value.dtype}{value.ndim}" if hasattr(value, "dtype") else None,
)
def test_an_array_is_read_as_a_npy_file(tmp_path, version, pixels, chunks):
    write(tmp_path / "a.zarr", pixels, chunks, version)
    np.save(tmp_path / "a.npy", pixels)
    (image,), (expected,) = frames_of(tmp_path / "a.zarr"), frames_of(tmp_path / "a.npy")
    assert image.pixels.dtype == expected.pixels.dtype and image.alpha == expected.alpha
    np.testing.assert_array_equal(image.pixels, expected.pixels)
    header, other = read_header(tmp_path / "a.zarr"), read_header(tmp_path / "a.npy")
    assert (header.size, header.channels, header.note) == (other.size, other.channels, other.note)


@pytest.mark.parametrize(
    "shape, axes, frames, channels",
    [
        ((2, 3, 4, *SIZE), "tczyx", 24, 1),
        ((3, *SIZE), "cyx", 3, 1),
        ((4, *SIZE), "zyx", 4, 1),
        (SIZE, "yx", 1, 1),
    ],
)
@pytest.mark.parametrize("version", [2, 3])
def test_axes_of_ome_are_pages_as_in_tiff_stacks(tmp_path, version, shape, axes, frames, channels):
    pixels = np.random.default_rng(1).integers(0, 60000, shape, dtype=np.uint16)
    write_ome(tmp_path / "a.zarr", pixels, axes, (*(1,) * (len(shape) - 2), 16, 16), version)
    header = read_header(tmp_path / "a.zarr")
    assert (header.size, header.channels, header.frames, header.dtype) == (SIZE, channels, frames, "uint16")
    pages = [image.pixels[..., 0] for image in frames_of(tmp_path / "a.zarr")]
    np.testing.assert_array_equal(pages, pixels.reshape(-1, *SIZE))
    reduced = [image.pixels[..., 0] for image in frames_of(tmp_path / "a.zarr", level=1)]
    np.testing.assert_array_equal(reduced, pixels[..., ::2, ::2].reshape(-1, 19, 27))
    with pytest.raises(ImageError, match="level 2 does not exist; the image has 1 reduced copy"):
        read_header(tmp_path / "a.zarr/") if frames < 0 else frames_of(tmp_path / "a.zarr", level=2)


@pytest.mark.parametrize("version", [2, 3])
def test_red_green_and_blue_of_ome_are_one_image(tmp_path, version):
    write_ome(tmp_path / "a.zarr", np.moveaxis(RGB, 2, 0), "cyx", (1, 20, 20), version, colours=COLOURS)
    (image,) = frames_of(tmp_path / "a.zarr")
    np.testing.assert_array_equal(image.pixels, RGB)


def test_sizes_of_pixels_follow_the_stride(tmp_path):
    pixels = np.random.default_rng(1).integers(0, 255, (2, 3, *SIZE), dtype=np.uint8)
    scale = [0.5, 2.0, 0.25, 0.5]
    write_ome(tmp_path / "a.zarr", pixels, "czyx", (1, 1, 16, 16), scale=scale, unit="micrometer")
    images = frames_of(tmp_path / "a.zarr")
    assert images[0].metadata.dpi == (50800, 101600)
    recipe = ["pool", tmp_path / "a.zarr", "--size", "2x3", "-o", tmp_path / "b.zarr", "--pyramid", "--tile", "8"]
    run(*recipe)
    image = zarr.open_group(tmp_path / "b.zarr", mode="r").attrs["ome"]["multiscales"][0]
    assert [axis["name"] for axis in image["axes"]] == ["c", "z", "y", "x"] and image["axes"][3]["unit"] == "micrometer"
    first, second = (each["coordinateTransformations"] for each in image["datasets"][:2])
    assert first[0]["scale"] == [0.5, 2.0, 0.5, 1.5] and second[0]["scale"] == [0.5, 2.0, 1.0, 3.0]
    assert first[1]["translation"] == [0, 0, 0.125, 0.5] and second[1]["translation"] == [0, 0, 0.375, 1.25]
    assert zarr.open_array(tmp_path / "b.zarr", path="0", mode="r").shape == (2, 3, 18, 17)


def run(*words):
    from command import imgconv as command

    done = command(*words)
    assert done.code == 0, done.err
    return done


def test_names_of_axes_count_more_than_their_lengths(tmp_path):
    write(tmp_path / "a.zarr", MAPS.transpose(2, 0, 1), (50, 5, 9), dimension_names=("x", "band", "y"))
    write(tmp_path / "b.zarr", MAPS, (1, 30, 30), 2, attributes={"_ARRAY_DIMENSIONS": ["time", "y", "x"]})
    (image,) = frames_of(tmp_path / "a.zarr")
    np.testing.assert_array_equal(image.pixels, MAPS.transpose(1, 2, 0))
    assert read_header(tmp_path / "b.zarr").frames == 5
    write(tmp_path / "five.zarr", np.zeros((1, 2, 3, *SIZE), np.uint8), (1, 1, 1, *SIZE))
    assert read_header(tmp_path / "five.zarr").frames == 6


@pytest.mark.parametrize("nodata, value", [(7, 7.0), (-9999.0, -9999.0), ("NaN", np.nan), ("AAAAAAAA8D8=", 1.0), (None, None)])
def test_the_value_of_missing_cells(tmp_path, nodata, value):
    write(tmp_path / "a.zarr", GREY, (30, 30), attributes={} if nodata is None else {"_FillValue": nodata})
    (image,) = frames_of(tmp_path / "a.zarr")
    np.testing.assert_equal(image.metadata.nodata, value)


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("compressors", ["auto", None])
def test_missing_chunks_hold_the_fill_value_and_damaged_ones_are_named(tmp_path, version, compressors):
    write(tmp_path / "a.zarr", RGB, (10, 20, 3), version, fill_value=9, compressors=compressors)
    chunk = tmp_path / "a.zarr" / ("c/2/1/0" if version == 3 else "2.1.0")
    chunk.unlink()
    expected = RGB.copy()
    expected[20:30, 20:40] = 9
    np.testing.assert_array_equal(frames_of(tmp_path / "a.zarr")[0].pixels, expected)
    chunk.write_bytes(b"damaged")
    with pytest.raises(ImageError, match=rf"damaged zarr: chunk in row 3, column 2 \({chunk.relative_to(tmp_path / 'a.zarr')}\): "):
        frames_of(tmp_path / "a.zarr")
    np.testing.assert_array_equal(frames_of(tmp_path / "a.zarr", salvage=True)[0].pixels, expected)


COMPRESSIONS = [
    (3, zarr.codecs.ZstdCodec(level=1), numcodecs.Zstd(1)),
    (3, zarr.codecs.GzipCodec(), numcodecs.GZip(1)),
    (3, zarr.codecs.BloscCodec(), numcodecs.Blosc()),
    (2, numcodecs.Zstd(1), numcodecs.Zstd(1)),
    (2, numcodecs.Zlib(1), numcodecs.Zlib(1)),
    (2, numcodecs.GZip(1), numcodecs.GZip(1)),
    (2, numcodecs.BZ2(1), numcodecs.BZ2(1)),
    (2, numcodecs.LZMA(preset=0), numcodecs.LZMA(preset=0)),
    (2, numcodecs.LZ4(), numcodecs.LZ4()),
    (2, numcodecs.Blosc(), numcodecs.Blosc()),
]


@pytest.mark.parametrize("version, codec, compression", COMPRESSIONS, ids=lambda value: getattr(value, "codec_id", ""))
def test_a_chunk_that_expands_beyond_its_shape_is_damaged(tmp_path, version, codec, compression):
    write(tmp_path / "in.zarr", GREY, (20, 20), version, compressors=codec)
    assert (frames_of(tmp_path / "in.zarr")[0].pixels[..., 0] == GREY).all()
    chunk = tmp_path / "in.zarr" / ("c/1/2" if version == 3 else "1.2")
    chunk.write_bytes(compression.encode(np.zeros(1 << 21, np.uint8)))
    with pytest.raises(ImageError, match=r"chunk in row 2, column 3 .* expands to more"):
        frames_of(tmp_path / "in.zarr")
    twice = compression.encode(np.zeros(9, np.uint8)) + compression.encode(np.zeros(1 << 21, np.uint8))
    if compression.codec_id in ("gzip", "bz2", "lzma"):  # streams may follow each other
        chunk.write_bytes(twice)
        with pytest.raises(ImageError, match="expands to more"):
            frames_of(tmp_path / "in.zarr")


def test_other_chunks_that_expand(tmp_path):
    """A frame without its size, inner chunks of shards, and compressed data that are compressed again."""
    path = zarr.config.get("codec_pipeline.path")
    write(tmp_path / "in.zarr", GREY, (20, 20), compressors=zarr.codecs.ZstdCodec())
    for size, message in ((400, None), (1 << 21, "expands to more")):
        frame = b"\x28\xb5\x2f\xfd\x00\x58" + b"".join(
            ((block << 3 | 2 | last) & 0xFFFFFF).to_bytes(3, "little") + b"\0"
            for last, block in [(0, 1 << 16)] * (size >> 16) + [(1, size & 0xFFFF)]
        )
        (tmp_path / "in.zarr/c/0/0").write_bytes(frame)
        if message is None:
            assert not frames_of(tmp_path / "in.zarr")[0].pixels[:20, :20].any()
        else:
            with pytest.raises(ImageError, match=message):
                frames_of(tmp_path / "in.zarr")
    write(tmp_path / "twice.zarr", GREY, (20, 20), compressors=(zarr.codecs.ZstdCodec(), zarr.codecs.GzipCodec()))
    with pytest.raises(ImageError, match="compressed with gzip and zstd"):
        frames_of(tmp_path / "twice.zarr")
    zeros = np.zeros((2048, 2048), np.uint8)
    write(tmp_path / "shards.zarr", zeros, (2048, 2048), shards=(2048, 2048), compressors=zarr.codecs.ZstdCodec(), fill_value=1)
    document = tmp_path / "shards.zarr/zarr.json"
    document.write_text(document.read_text().replace("2048", "32"))
    with pytest.raises(ImageError, match="expands to more"):
        frames_of(tmp_path / "shards.zarr")
    assert zarr.config.get("codec_pipeline.path") == path


def test_shards_are_read_by_their_inner_chunks(tmp_path):
    array = zarr.create_array(tmp_path / "a.zarr", shape=GREY.shape, dtype="uint8", chunks=(8, 8), shards=(24, 32))
    array[...] = GREY
    with open_frames(tmp_path / "a.zarr") as frames:
        (rows,) = frames.rows()
        assert rows.step == 8
        np.testing.assert_array_equal(rows.read(3, 30)[..., 0], GREY[3:30])


# the draft of version 3 that GDAL 3.6 writes
DRAFT = '{"zarr_format": "https://purl.org/zarr/spec/protocol/core/3.0", "metadata_encoding": "", "extensions": []}'


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda path: path.mkdir(), "holds no zarr.json"),
        (lambda path: write(path, np.zeros((3, 4), np.complex64), (3, 4)), "expected real numbers"),
        (lambda path: write(path, np.zeros(9), (3,)), "two axes or more"),
        (lambda path: write(path, np.zeros((1, 1, 1, 1, 2, 2)), (1, 1, 1, 1, 2, 2)), "6 axes needs their names"),
        (lambda path: zarr.create_group(path), "without arrays"),
        (lambda path: [write(path, GREY, (9, 9), name=name) for name in "ab"], "group of a, b; give one of them"),
        (lambda path: (path.mkdir(), (path / "zarr.json").write_text("{")), "damaged zarr"),
        (lambda path: (path.mkdir(), (path / "zarr.json").write_text(DRAFT)), "fields that are not supported"),
        (lambda path: (path.mkdir(), (path / ".zarray").write_text('{"zarr_format": 2}')), "damaged zarr"),
        (lambda path: zarr.create_group(path, attributes={"multiscales": [{"axes": 5}]}), "damaged zarr"),
        (lambda path: zarr.create_array(path, shape=(1 << 20, 99, 99), chunks=(9, 9, 9), dtype="u1"), "samples"),
        (lambda path: zarr.create_array(path, shape=(1 << 16, 1 << 16), chunks=(9, 9), dtype="u1"), "more than the limit"),
    ],
)
def test_files_that_are_not_images_are_refused_with_the_reason(tmp_path, make, message):
    make(tmp_path / "a.zarr")
    with pytest.raises(ImageError, match=message):
        read_header(tmp_path / "a.zarr")


def test_a_group_of_one_array_is_that_array(tmp_path):
    write(tmp_path / "group", GREY, (9, 9), name="only")
    for place in (tmp_path / "group", tmp_path / "group/only"):
        np.testing.assert_array_equal(frames_of(place)[0].pixels[..., 0], GREY)


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("pyramid", [False, True])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
@pytest.mark.parametrize("channels, alpha", [(1, False), (2, True), (3, False), (4, True), (5, False)])
def test_a_written_array_is_read_again(tmp_path, version, pyramid, dtype, channels, alpha):
    image = Raster(levels(channels, dtype, SIZE), alpha, Metadata(nodata=3.0))
    layout = Layout((16, 20), None, pyramid, version)
    encode([image], "zarr", Store(tmp_path / "a.zarr"), Encoding(description="imgconv words", layout=layout))
    read = frames_of(tmp_path / "a.zarr")
    if pyramid and channels == 5:
        np.testing.assert_array_equal(np.concatenate([each.pixels for each in read], axis=2), image.pixels)
    else:
        assert (read[0].alpha, len(read)) == (alpha, 1)
        np.testing.assert_array_equal(read[0].pixels, image.pixels)
    assert read[0].metadata.nodata == 3 and read_header(tmp_path / "a.zarr").description == "imgconv words"
    array = zarr.open(tmp_path / "a.zarr", mode="r")
    array = array["0"] if pyramid else array
    assert array.metadata.zarr_format == version
    is_last = not pyramid and channels in (2, 3, 4)
    colours = (channels,) if channels > 1 else ()
    assert array.shape == ((*SIZE, *colours) if is_last else (*colours, *SIZE))


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("compression", ["deflate", "zstd", "none"])
def test_the_same_pixels_give_the_same_bytes(tmp_path, monkeypatch, version, compression):
    written = []
    for name, seconds in (("a", 1e9), ("b", 2e9)):
        monkeypatch.setattr("time.time", lambda seconds=seconds: seconds)
        store = Store(tmp_path / name)
        encode([Raster(RGB)], "zarr", store, Encoding(layout=Layout((16, 20), compression, False, version)))
        written.append({path.relative_to(store.place): path.read_bytes() for path in store.place.rglob("*") if path.is_file()})
        np.testing.assert_array_equal(zarr.open_array(store.place, mode="r")[...], RGB)
    assert written[0] == written[1] and len(written[0]) >= 10


def test_an_array_holds_the_metadata_that_the_table_names(tmp_path):
    metadata = Metadata(dpi=(300.0, 150.0), nodata=-9999.0, icc_profile=b"profile")
    encode([Raster(RGB, metadata=metadata)], "zarr", Store(tmp_path / "a.zarr"))
    back = frames_of(tmp_path / "a.zarr")[0].metadata
    assert back.dpi == pytest.approx((300, 150)) and (back.nodata, back.icc_profile) == (-9999, None)
    assert fitted(metadata, "zarr", 3).dropped == ("ICC profile (no place in zarr)",)
    with pytest.raises(ImageError, match="a Zarr is a folder"):
        encode([Raster(RGB)], "zarr", io.BytesIO())


def test_pages_of_one_shape_are_an_axis(tmp_path):
    pages = [Raster(levels(3, size=SIZE)), Raster(255 - levels(3, size=SIZE))]
    encode(pages, "zarr", Store(tmp_path / "a.zarr"), Encoding(pages=2))
    assert zarr.open_array(tmp_path / "a.zarr", mode="r").shape == (2, *SIZE, 3)
    for image, page in zip(frames_of(tmp_path / "a.zarr"), pages, strict=True):
        np.testing.assert_array_equal(image.pixels, page.pixels)
    with pytest.raises(ImageError, match="several shapes"):
        encode([pages[0], Raster(levels(1))], "zarr", Store(tmp_path / "b.zarr"), Encoding(pages=2))


def test_python_reads_a_zarr(tmp_path):
    write(tmp_path / "a.zarr", GREY, (9, 9))
    np.testing.assert_array_equal(np.asarray(imgconv.pool(tmp_path / "a.zarr", 2)), imgconv.pool(GREY, 2))


def test_without_zarr_the_extra_is_named(tmp_path, monkeypatch):
    write(tmp_path / "a.zarr", GREY, (9, 9))
    monkeypatch.setitem(sys.modules, "zarr.storage", None)
    with pytest.raises(MissingExtra, match=r"imgconv\[zarr\]"):
        read_header(tmp_path / "a.zarr")


def test_metadata_are_plain_json(tmp_path):
    encode([Raster(levels(4, size=SIZE), True)], "zarr", Store(tmp_path / "a.zarr"), Encoding(layout=Layout((16, 16), None, True)))
    ome = json.loads((tmp_path / "a.zarr/zarr.json").read_text())["attributes"]["ome"]
    assert ome["version"] == "0.5" and [each["label"] for each in ome["omero"]["channels"]] == ["red", "green", "blue", "alpha"]


def test_without_a_thread_zarr_is_not_waited_for(tmp_path, monkeypatch):
    """Zarr waits for a thread that could not start, here and when the process ends."""
    synchronous = zarr.core.sync
    monkeypatch.setattr(synchronous, "loop", [None])
    monkeypatch.setattr(synchronous, "iothread", [None])

    start = threading.Thread.start

    def start_others(thread):
        if thread.name == "zarr_io":
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_others)
    store = Store(tmp_path / "new.zarr")
    with pytest.raises(RuntimeError, match="new thread"):
        store.opened()
    assert synchronous.loop == [None]
    store.wait()


@pytest.mark.parametrize("version", [2, 3])
def test_attributes_that_no_result_has_are_named(tmp_path, version):
    write(tmp_path / "a.zarr", GREY, (30, 30), version, attributes={"note": "by Ann", "latitude": 48.2, "_FillValue": 9})
    assert frames_of(tmp_path / "a.zarr")[0].metadata.dropped == ("attributes latitude note",)
    write_ome(tmp_path / "b.zarr", np.moveaxis(RGB, 2, 0), "cyx", (1, 20, 20), version, colours=COLOURS)
    assert frames_of(tmp_path / "b.zarr")[0].metadata.dropped == ()
