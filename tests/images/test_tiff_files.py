"""TIFF files of every kind that tifffile writes, and of kinds made by hand: the pixels are exact, or the file is refused."""

import io
import struct
import zlib
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from image_files import deep, photo, read, tiff, with_alpha
from PIL import Image

from imgconv.errors import ImageError
from imgconv.images import encode
from imgconv.images.tiff import segments

AWKWARD = Path(__file__).parents[1] / "data" / "awkward"
GREY = np.ascontiguousarray(photo()[..., :1])
BYTE_COMPRESSIONS = [None, "lzw", "zlib", "packbits", "lzma", "zstd"]
LAYOUTS = [{"rowsperstrip": 9}, {"tile": (16, 32)}]
DTYPES = ["uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64", "float16", "float32", "float64"]
HELD = {"uint8": "uint8", "uint16": "uint16", "int8": "float32", "int16": "float32", "float16": "float32", "float32": "float32"}


def stored(dtype, channels, seed=0):
    """Random samples (H, W, C) of a dtype."""
    rng = np.random.default_rng(seed)
    if np.dtype(dtype).kind == "f":
        return rng.normal(0, 100, (35, 50, channels)).astype(dtype)
    info = np.iinfo(dtype)
    return rng.integers(max(info.min, -(1 << 40)), min(info.max, 1 << 40), (35, 50, channels)).astype(dtype)


def exact(data, expected, alpha=False):
    header, (frame,) = read(data)
    assert (header.size, header.channels, header.dtype, header.alpha) == (expected.shape[:2], expected.shape[2], expected.dtype, alpha)
    assert frame.alpha == alpha
    np.testing.assert_array_equal(frame.pixels, expected, strict=True)


@pytest.mark.sweep(2)
@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("bigtiff", [False, True])
@pytest.mark.parametrize("layout", LAYOUTS, ids=["strips", "tiles"])
@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("channels", [1, 3, 13])
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype_layout_and_number_of_bands(dtype, channels, planar, layout, bigtiff, byteorder):
    samples = stored(dtype, channels)
    planes = samples.transpose(2, 0, 1) if planar == "separate" and channels > 1 else samples.squeeze()
    photometric = "rgb" if channels == 3 else "minisblack"
    options = {"photometric": photometric, "planarconfig": planar if channels > 1 else None, "byteorder": byteorder, "bigtiff": bigtiff}
    compression = BYTE_COMPRESSIONS[(DTYPES.index(dtype) + channels + bigtiff) % len(BYTE_COMPRESSIONS)]
    data = tiff(np.ascontiguousarray(planes), compression=compression, **options, **layout)
    exact(data, samples.astype(HELD.get(dtype, "float64")))


@pytest.mark.parametrize("predictor", [False, True])
@pytest.mark.parametrize("layout", LAYOUTS, ids=["strips", "tiles"])
@pytest.mark.parametrize("compression", ["lzw", "zlib", "lzma", "zstd"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
def test_predictors(dtype, compression, layout, predictor):
    samples = stored(dtype, 3)
    exact(tiff(samples, photometric="rgb", compression=compression, predictor=predictor, **layout), samples)


@pytest.mark.parametrize("compression", ["jpeg2000", "png", "webp", "jpegxl", "lerc", "jpegxr"])
@pytest.mark.parametrize("layout", LAYOUTS, ids=["strips", "tiles"])
def test_compressions_of_images_without_loss(compression, layout):
    lossless = {"webp": {"lossless": True}, "jpegxl": {"lossless": True}, "jpegxr": {"level": 1.0}}
    arguments = {"compressionargs": lossless.get(compression, {})}
    exact(tiff(photo(), photometric="rgb", compression=compression, **arguments, **layout), photo())
    narrow = np.where(np.arange(photo().shape[1])[:, None] < 40, photo(), 0)  # blocks of one value at the end
    exact(tiff(narrow, photometric="rgb", compression=compression, **arguments, **layout), narrow)


@pytest.mark.parametrize("bits", [1, 2, 4, 6, 8, 10, 12, 14, 16])
@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite"])
def test_white_is_white_at_every_depth(bits, photometric):
    most = (1 << bits) - 1
    samples = np.random.default_rng(0).integers(0, most + 1, (9, 16)).astype(np.uint8 if bits <= 8 else np.uint16)
    samples[0, :2] = 0, most
    packed = packed_bits(samples, bits)
    data = by_hand(packed, (9, 16), bits=bits, photometric={"miniswhite": 0, "minisblack": 1}[photometric])
    shown = most - samples if photometric == "miniswhite" else samples
    _, (frame,) = read(data)
    scaled = shown.astype(np.float64) * ((255 if bits <= 8 else 65535) / most)
    assert np.abs(frame.pixels[..., 0] - scaled).max() <= (0.5 if bits <= 8 else 1)
    assert frame.pixels[0, :2, 0].tolist() == ([0, scaled.max()] if photometric == "minisblack" else [scaled.max(), 0])


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("sample_format", [1, 4])
def test_24_bits_and_undefined_formats_are_unsigned(sample_format, order):
    values = np.random.default_rng(0).integers(0, 1 << 24, (9, 16))
    stored = b"".join(int(value).to_bytes(3, "big") for value in values.ravel())
    data = by_hand(stored, (9, 16), bits=24, sample_format=sample_format, order=order)
    exact(data, values[..., None].astype(np.float32))


@pytest.mark.parametrize("factor", [1, 256, 257])
def test_palettes_have_entries_of_16_or_of_8_bits(factor):
    colours = np.random.default_rng(0).integers(0, 256, (3, 256)).astype(np.uint16)
    data = tiff(GREY[..., 0], photometric="palette", colormap=colours * factor)
    exact(data, colours.T[GREY[..., 0]].astype(np.uint8))


def test_a_palette_of_16_bits_is_not_narrowed():
    colours = np.random.default_rng(0).integers(0, 65536, (3, 256)).astype(np.uint16)
    exact(tiff(GREY[..., 0], photometric="palette", colormap=colours), colours.T[GREY[..., 0]])


@pytest.mark.parametrize("factor", [1, 200])
@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_alpha_beside_palette_indices_has_their_bits(bits, factor):
    most = (1 << bits) - 1
    colours = np.random.default_rng(0).integers(1, 256, (3, 1 << bits)).astype(np.uint16) * np.uint16(factor)
    samples = np.random.default_rng(1).integers(0, most + 1, (9, 8, 2)).astype(np.uint16)
    samples[0, 0] = most
    more = {320: (3, colours.ravel().tolist()), 338: (3, [2])}
    data = by_hand(packed_bits(samples.reshape(9, 16), bits), (9, 8), bits=bits, photometric=3, samples=2, more=more)
    _, (frame,) = read(data)
    white = 255 if bits <= 8 and factor == 1 else 65535
    assert frame.alpha and frame.pixels.dtype.itemsize == (1 if white == 255 else 2)
    assert np.array_equal(frame.pixels[..., :3], colours.T[samples[..., 0]])
    assert np.abs(frame.pixels[..., 3] - samples[..., 1] * (white / most)).max() <= (0.5 if bits < 8 else 0) * white / 255


@pytest.mark.parametrize("subsampling", [(1, 1), (2, 1), (2, 2), (4, 1), (4, 2), (4, 4), (1, 2)])
@pytest.mark.parametrize("compression", [1, 5, 8, 32773])
def test_subsampled_ycbcr_is_decoded_as_by_libtiff(subsampling, compression):
    across, down = subsampling
    height, width = 19, 23
    rng = np.random.default_rng(0)
    luma = rng.integers(0, 256, (-(-height // down) * down, -(-width // across) * across)).astype(np.uint8)
    chroma = rng.integers(60, 200, (luma.shape[0] // down, luma.shape[1] // across, 2)).astype(np.uint8)
    blocks = luma.reshape(chroma.shape[0], down, chroma.shape[1], across).swapaxes(1, 2).reshape(*chroma.shape[:2], -1)
    units = np.concatenate([blocks, chroma], axis=2).tobytes()
    encoded = units if compression == 1 else bytes(tifffile.TIFF.COMPRESSORS[compression](units))
    data = by_hand(encoded, (height, width), photometric=6, samples=3, compression=compression, more={530: (3, subsampling)})
    _, (frame,) = read(data)
    y = luma[:height, :width].astype(float)
    cb, cr = (chroma.repeat(down, 0).repeat(across, 1)[:height, :width, i].astype(float) - 128 for i in (0, 1))
    expected = np.stack([y + 1.402 * cr, y - 0.344136 * cb - 0.714136 * cr, y + 1.772 * cb], axis=2).clip(0, 255)
    assert np.abs(frame.pixels - expected).max() <= 0.51


@pytest.mark.parametrize("layout", [{"tile": (32, 48)}, {"rowsperstrip": 16}], ids=["tiles", "strips"])
def test_planes_that_are_jpeg_images_of_their_own_are_read(layout):
    planes = np.ascontiguousarray(np.moveaxis(photo(), 2, 0))
    options = {"planarconfig": "separate", "compression": "jpeg", **layout}
    exact(tiff(planes, photometric="rgb", **options), read(tiff(planes, photometric="minisblack", **options))[1][0].pixels)


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
def test_jpeg_is_decoded_as_by_libtiff(subsampling):
    file = io.BytesIO()
    Image.fromarray(photo()).save(file, "TIFF", compression="jpeg", quality=90)
    _, (frame,) = read(file.getvalue())
    with Image.open(file) as image:
        np.testing.assert_array_equal(frame.pixels, np.asarray(image))


@pytest.mark.parametrize("photometric", [1, 8, 9])
def test_three_samples_in_a_jpeg_are_ycbcr_only_where_the_page_is(photometric):
    files = []
    for options in ({}, {"compression": "jpeg", "quality": 100}):
        file = io.BytesIO()
        Image.frombytes("LAB", photo().shape[1::-1], photo().tobytes()).save(file, "TIFF", **options)
        entry = struct.pack("<HHIHH", 262, 3, 1, 8, 0)
        assert file.getvalue().count(entry) == 1
        files.append(file.getvalue().replace(entry, struct.pack("<HHIHH", 262, 3, 1, photometric, 0)))
    (plain,), (frame,) = (read(data)[1] for data in files)
    assert np.abs(frame.pixels.astype(int) - plain.pixels).mean() < 3


@pytest.mark.parametrize("photometric", ["miniswhite", "separated"])
def test_premultiplied_inks_are_divided_before_they_become_light(photometric):
    inks = np.array([[[0, 10, 100, 255], [255, 100, 40, 0], [9, 9, 9, 9]]], np.uint8)[..., -1 if photometric == "miniswhite" else 0 :]
    alpha = np.full((1, 3, 1), 51, np.uint8)
    files = [
        tiff(np.concatenate([samples, alpha], axis=2), photometric=photometric, planarconfig="contig", extrasamples=[kind])
        for samples, kind in ((inks, "unassalpha"), (np.rint(inks * 0.2).astype(np.uint8), "assocalpha"))
    ]
    (plain,), (frame,) = (read(data)[1] for data in files)
    assert np.abs(frame.pixels.astype(int) - plain.pixels).max() <= 5


@pytest.mark.parametrize("make", [lambda pixels: pixels, deep])
@pytest.mark.parametrize("bands", [0, 1, 3])
@pytest.mark.parametrize("kind", ["unassalpha", "assocalpha", None])
def test_alpha_is_last_and_other_samples_are_preserved(kind, bands, make):
    rgba = make(with_alpha(photo()))
    others = make(photo())[..., [0] * bands]
    kinds = ["unspecified"] * bands + ([kind] if kind else [])
    samples = np.concatenate([rgba[..., :3], others, *([rgba[..., 3:]] if kind else [])], axis=2)
    if not kinds:
        return
    _, (frame,) = read(tiff(samples, photometric="rgb", extrasamples=kinds))
    assert (frame.channels, frame.alpha) == (3 + len(kinds), kind is not None)
    np.testing.assert_array_equal(frame.pixels[..., 3:], samples[..., 3:])
    if kind != "assocalpha":
        np.testing.assert_array_equal(frame.pixels, samples)


@pytest.mark.parametrize("channels", [2, 4, 13])
def test_grey_and_infrared_bands_stay(channels):
    samples = stored("uint16", channels)
    kinds = ["unspecified"] * (channels - 1)
    exact(tiff(samples, photometric="minisblack", planarconfig="contig", extrasamples=kinds), samples)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("photometric", ["cielab", "icclab"])
def test_lab_greys_and_colours(photometric, bits):
    scale, white = 1 << (bits - 8), (255 << (bits - 8)) if photometric == "icclab" else (1 << bits) - 1
    zero = 128 * scale if photometric == "icclab" else 0
    lab = np.array([[[white, zero, zero], [0, zero, zero], [round(white * 0.5429), zero + 81 * scale, zero + 70 * scale]]])
    _, (frame,) = read(tiff(lab.astype(f"u{bits // 8}"), photometric=photometric))
    expected = np.array([[[255, 255, 255], [0, 0, 0], [255, 0, 0]]]) / 255
    assert np.abs(frame.pixels / np.iinfo(frame.pixels.dtype).max - expected).max() < 0.03


@pytest.mark.parametrize("pixels", [photo(), deep(photo())])
def test_a_mask_is_alpha_and_reduced_copies_are_not_pages(pixels):
    opaque, file = GREY[..., 0] > 99, io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        writer.write(pixels, photometric="rgb", subifds=1, metadata=None)
        writer.write(np.ascontiguousarray(pixels[::2, ::2]), photometric="rgb", subfiletype=1, metadata=None)
        writer.write(opaque, photometric="mask", subfiletype=4, metadata=None)
        writer.write(np.ascontiguousarray(pixels[::2, ::2]), photometric="rgb", subfiletype=1, metadata=None)
        writer.write(np.ascontiguousarray(opaque[::2, ::2]), photometric="mask", subfiletype=5, metadata=None)
    alpha = np.where(opaque, np.iinfo(pixels.dtype).max, 0).astype(pixels.dtype)
    exact(file.getvalue(), np.concatenate([pixels, alpha[..., None]], axis=2), alpha=True)


def test_the_larger_page_after_a_thumbnail_is_the_image():
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        writer.write(np.ascontiguousarray(photo()[::2, ::2]), photometric="rgb", subifds=1, subfiletype=1, metadata=None)
        writer.write(photo(), photometric="rgb", metadata=None)
    exact(file.getvalue(), photo())


@pytest.mark.parametrize("depth", [photo, lambda: deep(photo())])
def test_sparse_strips_are_zero(depth):
    data = bytearray(tiff(depth(), photometric="rgb", rowsperstrip=10, compression="zlib"))
    with tifffile.TiffFile(io.BytesIO(bytes(data))) as file:
        for tag in (273, 279):
            data[file.pages[0].tags[tag].valueoffset :][:4] = bytes(4)
            where = file.pages[0].tags[tag].valueoffset
            width = {3: 2, 4: 4}[int(file.pages[0].tags[tag].dtype)]
            data[where : where + width] = bytes(width)
    expected = depth().copy()
    expected[:10] = 0
    exact(bytes(data), expected)


COMPRESSIONS = ["lzw", "zlib", "packbits", "lzma", "zstd", "jpeg", "jpeg2000", "png", "webp", "jpegxl", "lerc", "jpegxr", None]


@pytest.mark.parametrize("fraction", [0.2, 0.5, 0.9, 0.97])
@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_a_strip_that_lacks_bytes_is_an_error_and_is_salvaged(compression, fraction):
    whole = tiff(photo(), photometric="rgb", compression=compression, rowsperstrip=16)
    cut = with_shorter_strip(whole, 1, fraction)
    with pytest.raises(ImageError, match=r"damaged tiff: strip 2 of 3: "):
        read(cut)
    _, (frame,) = read(cut, salvage=True)
    (complete,) = read(whole)[1]
    np.testing.assert_array_equal(frame.pixels[:16], complete.pixels[:16])
    np.testing.assert_array_equal(frame.pixels[32:], complete.pixels[32:])
    if compression in (None, "zlib", "lzw", "packbits", "lzma") and fraction > 0.4:
        np.testing.assert_array_equal(frame.pixels[16:18], complete.pixels[16:18])


@pytest.mark.parametrize(
    ("compression", "codec"),
    [(7, "jpeg8"), (34712, "jpeg2k"), (50002, "jpegxl"), (34934, "jpegxr"), (34933, "png"), (50001, "webp"), (34887, "lerc")],
)
def test_an_image_larger_than_its_strip_is_damage(compression, codec):
    """Else 64x64 pixels can take gigabytes, and are a part of another image."""
    segment = getattr(imagecodecs, f"{codec}_encode")(photo())
    with pytest.raises(ImageError, match="61x47 pixels in a place of 24x8"):
        read(by_hand(bytes(segment), (8, 24), photometric=2, samples=3, compression=compression))


def test_a_strip_that_is_not_cut_at_the_end_of_the_image():
    segment = imagecodecs.png_encode(photo())
    data = by_hand(bytes(segment), (8, 61), photometric=2, samples=3, compression=34933, more={278: (4, [47])})
    np.testing.assert_array_equal(read(data)[1][0].pixels, photo()[:8])


def test_tiles_far_larger_than_the_image_are_refused_by_their_size():
    data = by_hand(b"\0" * 64, (8, 8), more={322: (4, [60000]), 323: (4, [60000]), 324: (4, [8]), 325: (4, [64])})
    with pytest.raises(ImageError, match="tiles of 60000x60000 are not supported in a tiff of 8x8"):
        read(data)


@pytest.mark.parametrize("place", [4, 34, 46, 107, 145, 200])
def test_a_damaged_jpeg_xr_is_an_error_in_silence(place, capfd):
    whole = tiff(photo(), photometric="rgb", compression="jpegxr", rowsperstrip=48)
    start = whole.index(b"II\xbc\1")
    damaged = bytearray(whole)
    damaged[start + place] ^= 8
    damaged[start + 1000 :] = bytes(len(whole) - start - 1000)
    with pytest.raises(ImageError, match="damaged tiff"):
        read(bytes(damaged))
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("fraction", [0.2, 0.5, 0.9, 0.97])
@pytest.mark.parametrize("compression", ["group3", "group4", "tiff_ccitt"])
def test_a_fax_that_lacks_bytes_is_an_error(compression, fraction):
    whole = fax(compression)
    assert read(whole)[0].size == photo().shape[:2]
    with pytest.raises(ImageError, match=r"damaged tiff: strip 1 of 1: "):
        read(with_shorter_strip(whole, 0, fraction))


@pytest.mark.parametrize(
    ("compression", "damage"),
    [
        ("group4", lambda part: bytes([part[0] ^ 16]) + part[1:]),
        ("group4", lambda part: part[5:] + bytes(5)),
        ("group4", lambda part: bytes(20) + part[20:]),
        ("tiff_ccitt", lambda part: bytes(20) + part[20:]),
    ],
    ids=["a flipped bit", "bytes left out", "zeros", "zeros in rows on their own"],
)
def test_damage_in_the_middle_of_a_fax_is_an_error(compression, damage, capfd):
    whole = fax(compression)
    segment = segment_of(whole)
    for position in (40, 150, 300):
        damaged = whole.replace(segment, segment[:position] + damage(segment[position:]))
        with pytest.raises(ImageError, match=r"damaged tiff: strip 1 of 1: "):
            read(damaged)
        assert read(damaged, salvage=True)[0].size == photo().shape[:2]
    assert capfd.readouterr().err == ""


def test_a_fax_has_the_pixels_that_libtiff_decodes():
    file = AWKWARD / "testfax4_rows.tif"
    with Image.open(file) as image:
        np.testing.assert_array_equal(read(file.read_bytes())[1][0].pixels[..., 0] > 0, np.asarray(image))


def test_tiles_of_a_fax():
    image = Image.fromarray(photo()).convert("1")
    places = [(left, top, left + 32, top + 16) for top in range(0, image.height, 16) for left in range(0, image.width, 32)]
    tiles = [segment_of(fax("group4", image.crop(place))) for place in places]
    counts = [len(tile) for tile in tiles]
    offsets = [8 + sum(counts[:index]) for index in range(len(tiles))]
    more = {322: (3, [32]), 323: (3, [16]), 324: (4, offsets), 325: (4, counts)}
    data = by_hand(b"".join(tiles), image.size[::-1], bits=1, compression=4, more=more)
    exact(data, np.asarray(image)[..., None] * np.uint8(255))
    with pytest.raises(ImageError, match="tile 2 of"):
        read(data.replace(tiles[1], bytes(counts[1])))


def test_a_jpeg_strip_that_is_closed_early_is_an_error():
    whole = tiff(photo(), photometric="rgb", compression="jpeg", rowsperstrip=48)
    with tifffile.TiffFile(io.BytesIO(whole)) as file:
        offset, length = file.pages[0].dataoffsets[0], file.pages[0].databytecounts[0]
    data = bytearray(whole)
    data[offset + length // 2 : offset + length] = b"\xff\xd9" + bytes(length - length // 2 - 2)
    with pytest.raises(ImageError, match="strip 1 of 1: unexpected end"):
        read(bytes(data))


@pytest.mark.parametrize("compression", [7, 9, 32809, 34661, 34676, 34677, 65000, 12345])
def test_valid_files_that_cannot_be_decoded_are_not_supported_and_not_damaged(compression):
    if compression in segments.COMPRESSIONS:
        return
    with pytest.raises(ImageError, match="not supported") as caught:
        read(by_hand(bytes(144), (9, 16), compression=compression))
    assert "damaged" not in str(caught.value)


def fax(compression, image=None):
    """A TIFF of one strip, in which libtiff compresses a bilevel image."""
    file = io.BytesIO()
    (image or Image.fromarray(photo()).convert("1")).save(file, "TIFF", compression=compression)
    return file.getvalue()


def segment_of(data):
    """The bytes of the only strip of a TIFF."""
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        (offset,), (length,) = file.pages[0].dataoffsets, file.pages[0].databytecounts
    return data[offset : offset + length]


def with_shorter_strip(data, index, fraction):
    """A TIFF of which the byte count of one strip is smaller."""
    changed = bytearray(data)
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        tag = file.pages[0].tags[279]
        code, size = {3: ("H", 2), 4: ("I", 4)}[int(tag.dtype)]
        count = file.pages[0].databytecounts[index]
        struct.pack_into(file.byteorder + code, changed, tag.valueoffset + size * index, max(1, int(count * fraction)))
    return bytes(changed)


def packed_bits(samples, bits):
    """Rows of samples of some bits, most significant bit first, each row filled up to whole bytes."""
    each = (samples[..., None].astype(np.uint32) >> np.arange(bits - 1, -1, -1)) & 1
    if bits == 16:
        return samples.astype("<u2").tobytes()
    return np.packbits(each.reshape(len(samples), -1).astype(np.uint8), axis=1).tobytes()


def by_hand(data, size, *, bits=8, photometric=1, samples=1, compression=1, sample_format=None, more=(), order="<"):
    """A TIFF of one strip."""
    tags = {256: (4, [size[1]]), 257: (4, [size[0]]), 258: (3, [bits] * samples), 259: (3, [compression]), 262: (3, [photometric])}
    tags |= {273: (4, [8]), 277: (3, [samples]), 278: (4, [size[0]]), 279: (4, [len(data)])} | dict(more)
    if sample_format is not None:
        tags[339] = (3, [sample_format] * samples)
    body = data + b"\0" * (len(data) % 2)
    directory, tail, at = b"", b"", 8 + len(body) + 2 + 12 * len(tags) + 4
    for tag, (kind, values) in sorted(tags.items()):
        value = struct.pack(order + {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i"}[kind] * len(values), *values)
        if len(value) > 4:
            value, tail = struct.pack(order + "I", at + len(tail)), tail + value
        directory += struct.pack(order + "HHI", tag, kind, len(values)) + value.ljust(4, b"\0")
    head = struct.pack(order + "2sHI", b"II" if order == "<" else b"MM", 42, 8 + len(body))
    return head + body + struct.pack(order + "H", len(tags)) + directory + bytes(4) + tail


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("kind", [1, 3, 4, 6, 8, 9])
@pytest.mark.parametrize("tags", [{274: 6}, {256: 12, 257: 8}, {259: 1, 262: 2, 277: 3, 278: 8}, {284: 1, 317: 1, 266: 1, 254: 0}], ids=str)
def test_numbers_have_any_integer_type(tags, kind, order):
    pixels = np.ascontiguousarray(photo()[:8, :12])
    more = {tag: (kind, [value]) for tag, value in tags.items()}
    data = by_hand(pixels.tobytes(), (8, 12), samples=3, photometric=2, order=order, more=more)
    exact(data, np.ascontiguousarray(np.rot90(pixels, -1)) if 274 in tags else pixels)


@pytest.mark.parametrize("samples", [1, 3])
def test_a_missing_photometric_interpretation_is_grey_or_rgb_as_in_libtiff(samples):
    pixels = photo()[..., :samples]
    data = by_hand(pixels.tobytes(), pixels.shape[:2], samples=samples, photometric=samples)
    without = data.replace(struct.pack("<HH", 262, 3), struct.pack("<HH", 263, 3))  # 263: thresholding
    exact(without, np.ascontiguousarray(pixels))


def test_missing_bits_are_one_bit_or_damage():
    opaque = GREY > 99
    packed = np.packbits(opaque, axis=1)
    tag, other = struct.pack("<HH", 258, 3), struct.pack("<HH", 254, 3)
    exact(by_hand(packed.tobytes(), GREY.shape[:2], bits=1).replace(tag, other[:2] + tag[2:]), opaque.astype(np.uint8) * 255)
    for layout in LAYOUTS:
        for compression in (None, "deflate", "lzw", "packbits", "zstd"):  # tifffile leaves the tag of booleans out
            exact(tiff(opaque[..., 0], photometric="minisblack", compression=compression, **layout), opaque.astype(np.uint8) * 255)
    turned = imagecodecs.bitorder_encode(zlib.compress(packed.tobytes()))  # as tiffcp -f lsb2msb leaves it out
    without = by_hand(turned, GREY.shape[:2], bits=1, compression=8, more={266: (3, [2])}).replace(tag, other[:2] + tag[2:])
    exact(without, opaque.astype(np.uint8) * 255)
    with pytest.raises(ImageError, match="tag 258 is missing"):
        read(by_hand(GREY.tobytes(), GREY.shape[:2]).replace(tag, other))


@pytest.mark.parametrize("colours, kinds", [(3, ["unspecified"]), (3, ["unspecified", "unassalpha"]), (1, ["unspecified"] * 2)])
def test_bands_besides_rgb_or_grey_are_written_as_they_were(colours, kinds):
    samples = np.concatenate([photo()[..., :colours], *[GREY] * len(kinds)], axis=2)
    photometric = "rgb" if colours == 3 else "minisblack"
    _, frames = read(tiff(samples, photometric=photometric, planarconfig="contig", extrasamples=kinds))
    file = io.BytesIO()
    encode(frames, "tiff", file)
    exact(file.getvalue(), samples, alpha="unassalpha" in kinds)
    with tifffile.TiffFile(io.BytesIO(file.getvalue())) as written:
        page = written.pages[0]
        assert page.photometric.name.lower() == photometric
        assert [kind.name.lower() for kind in page.extrasamples] == kinds
