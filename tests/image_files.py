"""Image files of every allowed format, made here by Pillow, tifffile and imagecodecs, none of them by imgconv."""

import io
import struct
import zlib
from functools import cache
from pathlib import Path

import imagecodecs
import numpy as np
import tifffile
from PIL import Image

from imgconv.images import Request, open_frames

PHOTO = Path(__file__).parents[1] / "sample_images" / "chelsea.jpg"
SIZE = (47, 61)  # height, width: odd, not square


def read(data, **options):
    """Header and frames of the bytes, or path, of a file."""
    with open_frames(data, Request(**options)) as images:
        return images.header, list(images)


def pixels_of(path):
    """The pixels of a file as Pillow gives them."""
    with Image.open(path) as image:
        return np.array(image)


def photo():
    """A small photograph, (47, 61, 3) uint8."""
    with Image.open(PHOTO) as image:
        return np.asarray(image.resize(SIZE[::-1]))


def with_alpha(rgb):
    """The same with alpha from 0 to 255."""
    alpha = np.linspace(0, 255, rgb.shape[0] * rgb.shape[1]).reshape(*rgb.shape[:2], 1)
    return np.concatenate([rgb, alpha.astype(np.uint8)], axis=2)


def deep(pixels):
    """8-bit pixels as 16-bit ones whose low bytes are not those of the high ones."""
    return (pixels.astype(np.uint32) * 256 + (255 - pixels) * 3 % 251).astype(np.uint16)


def saved(image, pillow_format, **options):
    """The bytes of a file that Pillow writes."""
    file = io.BytesIO()
    image.save(file, pillow_format, **options)
    return file.getvalue()


def tiff(pixels, **options):
    """The bytes of a TIFF that tifffile writes."""
    file = io.BytesIO()
    tifffile.imwrite(file, pixels, metadata=None, **options)
    return file.getvalue()


def png_chunk(name, data=b""):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width, height, depth, colour_type, rows, *, extra=(), interlace=0):
    """A PNG of unfiltered rows of bytes, with extra chunks before its pixels."""
    head = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, interlace))
    pixels = png_chunk(b"IDAT", zlib.compress(b"".join(b"\0" + bytes(row) for row in rows)))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(png_chunk(*chunk) for chunk in extra) + pixels + png_chunk(b"IEND")


def npy(array):
    """The bytes of a .npy file."""
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def pam(pixels):
    """The bytes of a PAM file, of 8 or 16 bits."""
    height, width, depth = pixels.shape
    kind = {1: "GRAYSCALE", 2: "GRAYSCALE_ALPHA", 3: "RGB", 4: "RGB_ALPHA"}[depth]
    largest = np.iinfo(pixels.dtype).max
    head = f"P7\nWIDTH {width}\nHEIGHT {height}\nDEPTH {depth}\nMAXVAL {largest}\nTUPLTYPE {kind}\nENDHDR\n"
    return head.encode() + pixels.astype(pixels.dtype.newbyteorder(">")).tobytes()


@cache  # modules of tests make them while they are imported
def exact_files():
    """Files that lose nothing, by name: (bytes, the pixels (H, W, C) that must come out)."""
    rgb = photo()
    grey, rgba = rgb[..., 1:2], with_alpha(rgb)
    ga = rgba[..., 2:]
    images = {"grey": grey, "ga": ga, "rgb": rgb, "rgba": rgba}
    files = {}
    for kind, pixels in images.items():
        image = Image.fromarray(pixels[..., 0] if kind == "grey" else pixels)
        for name in ("PNG", "TIFF", "JPEG2000", "TGA"):
            files[f"{name.lower()}_{kind}"] = saved(image, name), pixels
        files[f"pam_{kind}"] = pam(pixels), pixels
        files[f"pam16_{kind}"] = pam(deep(pixels)), deep(pixels)
        files[f"png16_{kind}"] = imagecodecs.png_encode(deep(pixels).squeeze()), deep(pixels)
        if kind in ("rgb", "rgba"):
            files[f"webp_{kind}"] = saved(image, "WEBP", lossless=True, exact=True), pixels
            files[f"qoi_{kind}"] = saved(image, "QOI"), pixels
    colour = Image.fromarray(rgb)
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits"):
        files[f"tiff_{compression}"] = saved(colour, "TIFF", compression=compression), rgb
    files["bmp_rgb"] = saved(colour, "BMP"), rgb
    files["bmp_grey"] = saved(Image.fromarray(grey[..., 0]), "BMP"), grey
    files["gif_grey"] = saved(Image.fromarray(grey[..., 0]), "GIF"), np.repeat(grey, 3, axis=2)
    files["pgm"] = saved(Image.fromarray(grey[..., 0]), "PPM"), grey
    files["ppm"] = saved(colour, "PPM"), rgb
    files["tga_rle"] = saved(colour, "TGA", compression="tga_rle"), rgb
    for name in ("PNG", "TIFF", "BMP"):
        files[f"{name.lower()}_1bit"] = saved(Image.fromarray(grey[..., 0] > 99), name), (grey > 99) * np.uint8(255)
    files["jpeg2000_16_grey"] = saved(Image.fromarray(deep(grey)[..., 0]), "JPEG2000"), deep(grey)
    files["jpeg2000_16_rgb"] = imagecodecs.jpeg2k_encode(deep(rgb), reversible=True), deep(rgb)
    files |= _deep_tiffs(rgb, rgba)
    files["npy_maps"] = npy(rgb.transpose(2, 0, 1).astype(np.float32)), rgb.astype(np.float32)
    files["npy_grey"] = npy(deep(grey)[..., 0]), deep(grey)
    return files


def _deep_tiffs(rgb, rgba):
    colour = {"photometric": "rgb"}
    floats = rgb.astype(np.float32) / 3 - 20
    planes = {"photometric": "rgb", "planarconfig": "separate"}
    return {
        "tiff16_rgb": (tiff(deep(rgb), **colour), deep(rgb)),
        "tiff16_big_endian": (tiff(deep(rgb), byteorder=">", **colour), deep(rgb)),
        "tiff16_rgba": (tiff(deep(rgba), extrasamples=["unassalpha"], **colour), deep(rgba)),
        "tiff16_tiles": (tiff(deep(rgb), tile=(16, 32), compression="zlib", **colour), deep(rgb)),
        "tiff16_planes": (tiff(np.ascontiguousarray(deep(rgb).transpose(2, 0, 1)), **planes), deep(rgb)),
        "tiff16_grey": (tiff(deep(rgb)[..., 0], byteorder=">"), deep(rgb)[..., :1]),
        "tiff16_white_is_0": (tiff(65535 - deep(rgb), photometric="rgb"), 65535 - deep(rgb)),
        "tiff_bigtiff": (tiff(rgb, bigtiff=True, **colour), rgb),
        "tiff_float_rgb": (tiff(floats, **colour), floats),
        "tiff_float_grey": (tiff(floats[..., 0]), floats[..., :1]),
        "tiff_double_grey": (tiff(floats[..., 0].astype(np.float64) / 3), floats[..., :1].astype(np.float64) / 3),
        "tiff_int32": (tiff(deep(rgb)[..., 0].astype(np.int32) - 9), deep(rgb)[..., :1].astype(np.float64) - 9),
        "tiff_uint32": (tiff(deep(rgb)[..., 0].astype(np.uint32)), deep(rgb)[..., :1].astype(np.float64)),
    }


def lossy_files():
    """Files that need not give back what was saved, by name: bytes."""
    rgb = photo()
    colour, clear = Image.fromarray(rgb), Image.fromarray(with_alpha(rgb))
    turned = [clear.rotate(90), clear.rotate(180)]
    moving = {"save_all": True, "append_images": turned, "duration": 50}
    return {
        "jpeg": saved(colour, "JPEG"),
        "jpeg_progressive": saved(colour, "JPEG", progressive=True),
        "jpeg_grey": saved(colour.convert("L"), "JPEG"),
        "jpeg_cmyk": saved(colour.convert("CMYK"), "JPEG"),
        "webp": saved(colour, "WEBP"),
        "avif": saved(colour, "AVIF"),
        "avif_10bit": imagecodecs.avif_encode(rgb.astype(np.uint16) * 4, level=95, bitspersample=10, pixelformat="yuv444", codec="aom"),
        "gif": saved(colour, "GIF"),
        "gif_moving": saved(clear, "GIF", **moving),
        "apng": saved(clear, "PNG", **moving),
        "webp_moving": saved(clear, "WEBP", **moving),
        "png_palette": saved(colour.quantize(17), "PNG", transparency=3),
        "tiff_cmyk": saved(colour.convert("CMYK"), "TIFF"),
        "tiff_lab": saved(colour.convert("LAB"), "TIFF"),
        "tiff_jpeg": saved(colour, "TIFF", compression="jpeg"),
        "tiff_fax": saved(colour.convert("1"), "TIFF", compression="group4"),
        "tiff_pages": saved(colour, "TIFF", save_all=True, append_images=[colour.rotate(20)], compression="tiff_lzw"),
        "pbm_plain": b"P1\n# bits\n3 2\n101\n0 1 0\n",
        "ppm_plain": b"P3 2 1 15 0 1 2 13 14 15",
        "pfm": b"Pf\n3 2\n-1.0\n" + np.arange(6, dtype="<f4").tobytes(),
    }


@cache
def every_file():
    """All of them, by name: bytes."""
    return {name: data for name, (data, _) in exact_files().items()} | lossy_files()
