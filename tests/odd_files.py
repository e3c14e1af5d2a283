"""Image files of allowed formats that few programs write, each with the pixels that must come out. None of them is made by imgconv."""

import io
import struct
from functools import cache

import imagecodecs
import numpy as np
import pillow_heif
from image_files import deep, npy, photo, png, saved, tiff, with_alpha
from PIL import Image

RGB = photo()
GREY = RGB[..., :1]
HEIGHT, WIDTH = GREY.shape[:2]
FEW = Image.fromarray(RGB).quantize(17)  # a palette
FEW_RGB = np.asarray(FEW.convert("RGB"))
COVER = with_alpha(RGB)[..., 3:]


@cache
def odd_files():
    """All of them, by name, the format first: (bytes, pixels (H, W, C), the most that a value may differ)."""
    exact = {**_png(), **_tiff(), **_bmp(), **_tga(), **_pnm(), **_npy(), **_gif(), **_jpeg2000(), **_jpegxl()}
    return {name: (data, pixels, 0) for name, (data, pixels) in exact.items()} | _lossy()


def packed(values, bits):
    """(H, W) values as rows of bytes, `bits` for each value, the first one highest."""
    return [np.packbits((row[:, None] >> np.arange(bits)[::-1] & 1).astype(np.uint8)).tobytes() for row in values.astype(np.uint16)]


def _png():
    files = {}
    for bits in (1, 2, 4, 8):
        values = GREY[..., 0] >> (8 - bits)
        palette = np.random.default_rng(bits).integers(0, 256, (2**bits, 3), np.uint8)
        chunks = [(b"PLTE", palette.tobytes())]
        opaque = np.where(values == 0, 7, 255).astype(np.uint8)[..., None]
        rows = packed(values, bits)
        files[f"png_grey_{bits}_bits"] = png(WIDTH, HEIGHT, bits, 0, rows), (values * (255 // (2**bits - 1)))[..., None]
        files[f"png_palette_{bits}_bits"] = png(WIDTH, HEIGHT, bits, 3, rows, extra=chunks), palette[values]
        clear = png(WIDTH, HEIGHT, bits, 3, rows, extra=[*chunks, (b"tRNS", b"\7")])
        files[f"png_palette_{bits}_bits_alpha"] = clear, np.concatenate([palette[values], opaque], axis=2)
    key = RGB[5, 7]
    clear = np.where((key == RGB).all(axis=2, keepdims=True), 0, 255).astype(np.uint8)
    chunks = [(b"tRNS", key.astype(">u2").tobytes())]
    files["png_colour_key"] = png(WIDTH, HEIGHT, 8, 2, RGB.reshape(HEIGHT, -1), extra=chunks), np.concatenate([RGB, clear], axis=2)
    passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]  # Adam7: y, x, dy, dx
    rows = [row.tobytes() for y, x, dy, dx in passes for row in RGB[y::dy, x::dx]]
    files["png_interlaced"] = png(WIDTH, HEIGHT, 8, 2, rows, interlace=1), RGB
    return files


def _tiff():
    colour, shade = {"photometric": "rgb"}, GREY[..., 0]
    planes = np.ascontiguousarray(RGB.transpose(2, 0, 1))
    apart = {"photometric": "rgb", "planarconfig": "separate"}
    files = {
        "tiff_tiles": (tiff(RGB, tile=(16, 32), **colour), RGB),
        "tiff_tiled_planes": (tiff(planes, tile=(16, 16), compression="zlib", **apart), RGB),
        "tiff_planes": (tiff(planes, **apart), RGB),
        "tiff_strips": (tiff(RGB, rowsperstrip=5, **colour), RGB),
        "tiff_big_endian": (tiff(RGB, byteorder=">", **colour), RGB),
        "tiff_white_is_0": (tiff(255 - shade, photometric="miniswhite"), GREY),
        "tiff_1_bit_white_is_0": (tiff(shade <= 99, photometric="miniswhite"), (GREY > 99) * np.uint8(255)),
        "tiff_2_bits": (few_bits(shade >> 6, 2), (GREY >> 6) * np.uint8(85)),
        "tiff_4_bits": (few_bits(shade >> 4, 4), (GREY >> 4) * np.uint8(17)),
        "tiff_palette": (saved(FEW, "TIFF"), FEW_RGB),
        "tiff_signed_8_bits": (tiff(shade.view(np.int8)), GREY.view(np.int8).astype(np.float32)),
        "tiff_signed_16_bits": (tiff(shade.astype(np.int16) - 99), GREY.astype(np.float32) - 99),
        "tiff_signed_16_bits_rgb": (tiff(RGB.astype(np.int16) - 99, **colour), RGB.astype(np.float32) - 99),
        "tiff_64_bits": (tiff(shade.astype(np.int64)), GREY.astype(np.float64)),
        "tiff_half_floats": (tiff((shade / 2).astype(np.float16)), GREY.astype(np.float32) / 2),
        "tiff_doubles_rgb": (tiff(RGB / 3, **colour), RGB / 3),
        "tiff_five_channels": (
            tiff(np.concatenate([RGB, RGB[..., :2]], axis=2), extrasamples=["unspecified"] * 2, **colour),
            np.concatenate([RGB, RGB[..., :2]], axis=2),
        ),
        "tiff_no_photo": (tiff(deep(RGB)[..., 0], resolution=(0, 0), software="\t"), deep(GREY)),
    }
    for method in ("zlib", "lzw", "zstd", "lzma", "packbits"):
        predictor = method in ("zlib", "lzw", "zstd")
        if method != "zstd":  # which Pillow 11 cannot unpack
            files[f"tiff_{method}"] = tiff(RGB, compression=method, predictor=predictor, **colour), RGB
        files[f"tiff_{method}_16_bits"] = tiff(deep(RGB), compression=method, predictor=predictor, **colour), deep(RGB)
    return files


def few_bits(values, bits):
    """A TIFF of one strip, grey (H, W) or colour (H, W, 3), `bits` for each value."""
    height, width, samples = (*values.shape, 1)[:3]
    strip = b"".join(packed(values.reshape(height, -1), bits))
    form = {258: bits, 259: 1, 262: 2 if samples == 3 else 1, 277: samples}
    tags = {256: width, 257: height, **form, 273: 8 + 2 + 12 * 9 + 4, 278: height, 279: len(strip)}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted(tags.items()))
    return struct.pack("<2sHIH", b"II", 42, 8, len(tags)) + entries + bytes(4) + strip


def bmp(bits, rows, *, packing=0, palette=b"", masks=b"", down=False, head=40, colours=0):
    """A BMP of rows as they are stored, from the last to the first unless `down`."""
    stored = b"".join(row + bytes(-len(row) % 4) for row in rows) if packing in (0, 3) else b"".join(rows)
    at = 14 + head + len(masks) + len(palette)
    if head == 12:
        about = struct.pack("<IHHHH", 12, WIDTH, HEIGHT, 1, bits)
    else:
        height = -HEIGHT if down else HEIGHT
        about = struct.pack("<IiiHHIIiiII", 40, WIDTH, height, 1, bits, packing, len(stored), 0, 0, colours, 0)
    return b"BM" + struct.pack("<IHHI", at + len(stored), 0, 0, at) + about + masks + palette + stored


def _bmp():
    greys = b"".join(bytes([v, v, v, 0]) for v in range(256))
    rows = [row.tobytes() for row in GREY[::-1, :, 0]]
    runs = [b"".join(bytes([1, value]) for value in row) + b"\0\0" for row in rows] + [b"\0\1"]
    singles = [b"\0" + bytes([WIDTH]) + row + bytes(WIDTH % 2) + b"\0\0" for row in rows]  # bytes that are not runs, in whole words
    few = [packed(row[None], 4)[0] for row in GREY[::-1, :, 0] >> 4]
    few = [bytes([2, row[0], 0, WIDTH - 2]) + row[1:] + bytes((len(row) - 1) % 2) + b"\0\0" for row in few]
    two = [row.tobytes() for row in GREY[::-1, :, 0] >> 7]
    few_greys = b"".join(bytes([v, v, v, 0]) for v in range(0, 256, 17))
    return {
        "bmp_palette": (saved(FEW, "BMP"), FEW_RGB),
        "bmp_grey_palette": (bmp(8, rows, palette=greys), GREY),
        "bmp_top_down": (bmp(8, rows[::-1], palette=greys, down=True), GREY),
        "bmp_runs": (bmp(8, runs, packing=1, palette=greys), GREY),
        "bmp_runs_odd_start": (bmp(8, singles, packing=1, palette=greys + b"\0", head=40), GREY),
        "bmp_runs_4_bits": (
            bmp(4, few, packing=2, palette=few_greys),
            np.repeat(GREY // 16 * 17, 3, 2),
        ),
        "bmp_32_bits": (bmp(32, [row.tobytes() for row in with_alpha(RGB)[::-1, :, [2, 1, 0, 3]]]), RGB),
        "bmp_two_greys": (bmp(8, two, palette=bytes([0, 0, 0, 0, 255, 255, 255, 0]), colours=2), GREY // 128 * 255),
        "bmp_os2": (bmp(24, [row[:, ::-1].tobytes() for row in RGB[::-1]], head=12), RGB),
    }


def _bmp_565():
    """Five, six and five bits of red, green and blue."""
    words = (RGB >> [3, 2, 3]).astype(np.uint16) @ np.array([1 << 11, 1 << 5, 1], np.uint16)
    rows = [row.tobytes() for row in words.astype("<u2")[::-1]]
    return bmp(16, rows, packing=3, masks=struct.pack("<III", 0xF800, 0x7E0, 0x1F))


def tga(kind, bits, rows, descriptor):
    return struct.pack("<BBBHHBHHHHBB", 0, 0, kind, 0, 0, 0, 0, 0, WIDTH, HEIGHT, bits, descriptor) + b"".join(rows)


def _tga():
    return {
        "tga_palette": (saved(FEW, "TGA"), FEW_RGB),
        "tga_top_down": (saved(Image.fromarray(RGB), "TGA", orientation=1), RGB),
        "tga_right_to_left": (tga(3, 8, [row.tobytes() for row in GREY[:, ::-1]], 0x30), GREY),
        "tga_runs_grey": (saved(Image.fromarray(GREY[..., 0]), "TGA", compression="tga_rle"), GREY),
    }


def _pnm():
    sixteen = deep(GREY)
    head = b"\n# a comment\n%d\t%d\n" % (WIDTH, HEIGHT)
    plain = "\n".join(" ".join(map(str, row)) for row in RGB.reshape(HEIGHT, -1)).encode()
    kind = b"P7\n# hello\nWIDTH %d\nHEIGHT %d\nDEPTH 1\nMAXVAL 1\nTUPLTYPE BLACKANDWHITE\nENDHDR\n" % (WIDTH, HEIGHT)
    return {
        "pnm_bits": (saved(Image.fromarray(GREY[..., 0] > 99), "PPM"), (GREY > 99) * np.uint8(255)),
        "pnm_plain_rgb": (b"P3" + head + b"255\n" + plain, RGB),
        "pnm_16_bits": (b"P5" + head + b"65535\n" + sixteen.astype(">u2").tobytes(), sixteen),
        "pnm_levels_to_15": (b"P5" + head + b"15\n" + (GREY >> 4).tobytes(), (GREY >> 4) * np.uint8(17)),
        "pnm_floats_big_endian": (b"PF" + head[12:] + b"1.0\n" + RGB[::-1].astype(">f4").tobytes(), RGB.astype(np.float32)),
        "pnm_black_and_white": (kind + (GREY > 99).tobytes(), (GREY > 99) * np.uint8(255)),
    }


def _npy():
    shade = GREY[..., 0]
    return {
        "npy_bool": (npy(shade > 99), (GREY > 99) * np.uint8(255)),
        "npy_fortran": (npy(np.asfortranarray(RGB.transpose(2, 0, 1))), RGB),
        "npy_big_endian": (npy(deep(shade).astype(">u2")), deep(GREY)),
        "npy_signed": (npy(shade.view(np.int8)), GREY.view(np.int8).astype(np.float32)),
        "npy_doubles": (npy(shade / 3), GREY / 3),
    }


def _gif():
    return {
        "gif_interlaced": (saved(FEW, "GIF", interlace=1), FEW_RGB),
        "gif_not_interlaced": (saved(FEW, "GIF", interlace=0), FEW_RGB),
    }


def _jpeg2000():
    colour, tall = Image.fromarray(RGB), np.concatenate([deep(RGB), deep(COVER)], axis=2)
    return {
        "jpeg2000_tiles": (saved(colour, "JPEG2000", tile_size=(16, 16)), RGB),
        "jpeg2000_stream": (saved(colour, "JPEG2000", no_jp2=True), RGB),
        "jpeg2000_16_bits_alpha": (imagecodecs.jpeg2k_encode(tall, reversible=True), tall),
    }


def _jpegxl():
    tall = np.concatenate([deep(RGB), deep(COVER)], axis=2)
    return {
        "jpegxl_stream": (imagecodecs.jpegxl_encode(RGB, lossless=True), RGB),
        "jpegxl_grey": (imagecodecs.jpegxl_encode(GREY[..., 0], lossless=True, usecontainer=True), GREY),
        "jpegxl_16_bits_alpha": (imagecodecs.jpegxl_encode(tall, lossless=True), tall),
    }


def _lossy():
    """Files that lose something when they are made: what another decoder than Pillow's makes of them, or the image they were made of."""
    colour = Image.fromarray(RGB)
    files = {}
    for name, options in {
        "420": {"subsampling": "4:2:0"},
        "restarts": {"restart_marker_blocks": 2},
        "progressive": {"progressive": True, "quality": 30},
        "rgb": {"keep_rgb": True},
        "grey": {},
    }.items():
        data = saved(colour.convert("L") if name == "grey" else colour, "JPEG", **options)
        files[f"jpeg_{name}"] = data, imagecodecs.jpeg_decode(data).reshape(HEIGHT, WIDTH, -1), 0
    files["jpeg_lossless"] = imagecodecs.jpeg8_encode(RGB, lossless=True, colorspace="rgb", outcolorspace="rgb"), RGB, 0
    clear = saved(Image.fromarray(with_alpha(RGB)), "WEBP", quality=80)
    files["webp_alpha"] = clear, imagecodecs.webp_decode(clear), 0
    rough = saved(colour, "JPEG2000", irreversible=True, quality_mode="rates", quality_layers=[5])
    files["jpeg2000_rough"] = rough, imagecodecs.jpeg2k_decode(rough), 0
    still = saved(Image.fromarray(with_alpha(RGB)), "AVIF", quality=90, subsampling="4:4:4")
    files["avif_alpha"] = still, imagecodecs.avif_decode(still), 2
    twelve = imagecodecs.avif_encode(RGB.astype(np.uint16) * 16, level=100, bitspersample=12, pixelformat="yuv444", codec="aom")
    files["avif_12_bits"] = twelve, RGB.astype(np.uint16) * 257, 2000
    levels = np.array([31, 63, 31])
    files["bmp_565"] = _bmp_565(), np.rint((RGB >> [3, 2, 3]) * (255 / levels)).astype(np.uint8), 0
    return files | _heif()


def _heif():
    return {
        "heif": (_heic("RGB", RGB, chroma=444), RGB, 3),
        "heif_alpha": (_heic("RGBA", with_alpha(RGB), chroma=444), with_alpha(RGB), 3),
        "heif_grey": (_heic("L", GREY), GREY, 3),
        "heif_10_bits": (_heic("RGB;16", deep(RGB), chroma=444), deep(RGB), 1000),
    }


def _heic(mode, pixels, **options):
    file = io.BytesIO()
    pillow_heif.from_bytes(mode, (WIDTH, HEIGHT), np.ascontiguousarray(pixels).tobytes()).save(file, quality=-1, **options)
    return file.getvalue()
