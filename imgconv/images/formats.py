"""The image formats: how each is recognised, which module reads and writes it, and what it can hold."""

from pathlib import PurePath
from typing import Literal, NamedTuple

from imgconv.errors import UsageError

SIGNATURE_LENGTH = 132  # bytes that `sniff` and `foreign` need
Reader = Literal[
    "pillow", "png.reader", "gif", "bmp", "tga", "jpegxl", "tiff.plain", "raw", "pnm", "npy", "npz", "fits", "dicom", "nifti", "zarr.reader"
]
Writer = Literal["pillow", "png.writer", "tiff.writer", "gif", "jpegxl", "pnm", "npy", "fits", "zarr.writer"]

_DEPTHS = ("uint8", "uint16", "float32")
_ALL_DEPTHS = (*_DEPTHS, "float64")
_RAW_NAMES = "3fr arw cr2 cr3 crw dcr dng erf iiq kdc mef mos mrw nef nrw orf pef raf rw2 rwl srw x3f"
_NIFTI = (b"\x5c\1\0\0", b"\0\0\1\x5c", b"\x1c\2\0\0", b"\0\0\2\x1c")  # the size of the header, in both byte orders
_FITS = b"SIMPLE  ="
_ANY = (1, 2, 3, 4)  # grey, grey and alpha, RGB, RGB and alpha


class Format(NamedTuple):
    """One image format; `metadata` are the fields of `Metadata` that its files hold; `codes` is cICP alone of `colour`.

    `reader` and `writer` are modules of this package, None where the format is not read or not written here; `plugin` is Pillow's class
    for it, and `signatures` are the bytes with which its files begin. The other fields describe what is written: `dtypes`, `channels`
    (empty for arrays, which are not images), whether it holds any number of `bands`, the longest side in pixels, the default quality, and
    whether a file holds an animation or several pages.
    """

    extensions: tuple[str, ...]
    dtypes: tuple[str, ...] = ("uint8",)
    channels: tuple[int, ...] = _ANY
    bands: bool = False
    animation: bool = False
    pages: bool = False
    lossy: bool = False
    quality: int | None = None
    longest: int = (1 << 31) - 1
    metadata: tuple[str, ...] = ()
    reader: Reader | None = "pillow"
    writer: Writer | None = "pillow"
    plugin: str = ""
    signatures: tuple[bytes, ...] = ()
    input_extensions: tuple[str, ...] = ()


FORMATS: dict[str, Format] = {
    "png": Format(
        (".png", ".apng"),
        ("uint8", "uint16"),
        animation=True,
        metadata=("icc_profile", "dpi", "aspect", "exif", "xmp", "iptc", "colour", "texts"),
        reader="png.reader",
        writer="png.writer",
        plugin="PIL.PngImagePlugin.PngImageFile",
        signatures=(b"\x89PNG\r\n\x1a\n",),
    ),
    "jpeg": Format(
        (".jpg", ".jpeg", ".jpe", ".jfif"),
        channels=(1, 3),
        lossy=True,
        quality=92,
        longest=65500,  # libjpeg's limit
        metadata=("icc_profile", "dpi", "aspect", "exif", "xmp", "iptc"),
        plugin="PIL.JpegImagePlugin.JpegImageFile",
        signatures=(b"\xff\xd8\xff",),
    ),
    "tiff": Format(
        (".tif", ".tiff"),
        _ALL_DEPTHS,
        bands=True,
        animation=True,
        pages=True,
        metadata=("icc_profile", "dpi", "aspect", "exif", "xmp", "iptc", "nodata", "ground", "bands", "stack"),
        reader="tiff.plain",
        writer="tiff.writer",
        plugin="PIL.TiffImagePlugin.TiffImageFile",
        signatures=(b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    ),
    "webp": Format(
        (".webp",),
        animation=True,
        lossy=True,
        longest=16383,
        metadata=("icc_profile", "exif", "xmp"),
        plugin="PIL.WebPImagePlugin.WebPImageFile",
    ),
    "gif": Format(
        (".gif",),
        channels=(1, 3),
        animation=True,
        longest=65535,
        reader="gif",
        writer="gif",
        plugin="PIL.GifImagePlugin.GifImageFile",
        signatures=(b"GIF87a", b"GIF89a"),
    ),
    "bmp": Format(
        (".bmp", ".dib"),
        channels=(1, 3),
        metadata=("dpi",),
        reader="bmp",
        plugin="PIL.BmpImagePlugin.BmpImageFile",
        signatures=(b"BM",),
    ),
    "pnm": Format(
        (".pnm", ".pgm", ".ppm", ".pam", ".pfm"),
        _DEPTHS,
        animation=True,
        pages=True,
        reader="pnm",
        writer="pnm",
        input_extensions=(".pbm",),
    ),
    "jpeg2000": Format(
        (".jp2", ".j2k", ".jpx", ".jpf"),
        ("uint8", "uint16"),
        lossy=True,
        metadata=("icc_profile", "dpi", "exif", "xmp", "iptc"),
        plugin="PIL.Jpeg2KImagePlugin.Jpeg2KImageFile",
        signatures=(b"\xff\x4f\xff\x51", b"\0\0\0\x0cjP  \r\n\x87\n"),
    ),
    "jpegxl": Format(
        (".jxl",),
        ("uint8", "uint16"),
        metadata=("exif", "xmp"),
        lossy=True,
        reader="jpegxl",
        writer="jpegxl",
        signatures=(b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n"),
    ),
    "avif": Format(
        (".avif",),
        animation=True,
        lossy=True,
        quality=90,
        metadata=("icc_profile", "exif", "xmp", "codes"),
        plugin="PIL.AvifImagePlugin.AvifImageFile",
        input_extensions=(".avifs",),
    ),
    "tga": Format((".tga",), longest=65535, reader="tga", plugin="PIL.TgaImagePlugin.TgaImageFile"),
    "qoi": Format((".qoi",), channels=(3, 4), plugin="PIL.QoiImagePlugin.QoiImageFile", signatures=(b"qoif",)),
    "heif": Format((), writer=None, plugin="pillow_heif.as_plugin.HeifImageFile", input_extensions=(".heic", ".heif", ".hif")),
    "raw": Format(
        (),
        reader="raw",
        writer=None,
        # many others are TIFF files, which are recognised by their directories
        signatures=(b"FUJIFILMCCD-RAW", b"FOVb", b"\0MRM", b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"II\x1a\0\0\0HEAPCCDR"),
        input_extensions=tuple(f".{name}" for name in _RAW_NAMES.split()),
    ),
    "fits": Format(
        (".fits", ".fit", ".fts"),
        _ALL_DEPTHS,
        (1, 3),
        bands=True,
        pages=True,
        metadata=("nodata", "cards"),
        reader="fits",
        writer="fits",
        signatures=(_FITS,),
        input_extensions=(".fits.gz", ".fit.gz", ".fts.gz"),
    ),
    "dicom": Format((), reader="dicom", writer=None, input_extensions=(".dcm", ".dicom")),
    "nifti": Format((), reader="nifti", writer=None, input_extensions=(".nii", ".nii.gz"), signatures=_NIFTI),
    "zarr": Format(  # a folder, which is recognised by the files in it
        (".zarr",),
        _ALL_DEPTHS,
        bands=True,
        animation=True,
        pages=True,
        metadata=("dpi", "nodata", "grid"),
        reader="zarr.reader",
        writer="zarr.writer",
    ),
    "npy": Format(
        (".npy",), _ALL_DEPTHS, (), bands=True, animation=True, pages=True, reader="npy", writer="npy", signatures=(b"\x93NUMPY",)
    ),
    "npz": Format(  # written by the batch: it holds one array for each kernel
        (".npz",), _ALL_DEPTHS, (), bands=True, reader="npz", writer=None
    ),
}
INPUTS = tuple(name for name, format in FORMATS.items() if format.reader)
OUTPUTS = {name: format for name, format in FORMATS.items() if format.extensions}
IMAGE_EXTENSIONS = frozenset(
    extension for format in FORMATS.values() if format.channels for extension in (*format.extensions, *format.input_extensions)
)
_OF_TWO_PARTS = tuple(extension for extension in IMAGE_EXTENSIONS if extension.count(".") > 1)

_SIGNATURES = tuple((signature, name) for name, format in FORMATS.items() for signature in format.signatures)
_AVIF_BRANDS = (b"avif", b"avis")
_HEIF_BRANDS = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")
_XV = b"P7 332"
_TO_PNG = "convert it to .png or .tiff first"
_FILM = "is a video; send its frames through a pipe: ffmpeg -i VIDEO -f image2pipe -c:v ppm - | imgconv edge -"
_FOREIGN = (  # offset, signature, and the error text for files with it
    (0, b"\x1aE\xdf\xa3", _FILM),  # Matroska and WebM
    (0, b"OggS", _FILM),
    (0, b"FLV\1", _FILM),
    (0, b"0&\xb2u\x8ef\xcf\x11", _FILM),  # Windows Media
    (0, b"\0\0\1\xba", _FILM),  # MPEG
    (0, b"\0\0\1\xb3", _FILM),
    (0, b"G@", _FILM),  # MPEG transport stream
    (4, b"G@", _FILM),  # with times, as cameras write it
    (0, b"DKIF", _FILM),
    (0, b"YUV4MPEG2 ", _FILM),
    (8, b"AVI ", _FILM),
    (4, b"ftyp", _FILM),  # other than AVIF and HEIF
    (4, b"moov", _FILM),
    (4, b"mdat", _FILM),
    (4, b"wide", _FILM),
    (0, b"8BPS", f"is a Photoshop document, which is not supported; {_TO_PNG}"),
    (0, b"%PDF", f"is a PDF document, which is not supported; {_TO_PNG}"),
    (0, b"v/1\1", "is an OpenEXR image, which is not supported; convert it to a .tiff of floats first"),
    (0, b"#?RADIANCE", "is a Radiance image, which is not supported; convert it to a .tiff of floats first"),
    (0, b"\x89HDF\r\n", "is an HDF5 file, which is not supported; save its array as .npy"),
    (0, b"DDS ", f"is a DDS texture, which is not supported; {_TO_PNG}"),
    (0, b"II\xbc\1", f"is a JPEG XR image, which is not supported; {_TO_PNG}"),
    (0, b"gimp xcf", f"is a GIMP document, which is not supported; {_TO_PNG}"),
    (0, _XV, f"is a thumbnail of xv, which is not supported; {_TO_PNG}"),
    (0, b"\0\0\1\0", f"is an icon, which is not supported; {_TO_PNG}"),
)


def has_image_extension(name: str) -> bool:
    """Return whether a file is an image by its name.

    >>> has_image_extension("a.JPG"), has_image_extension("brain.nii.gz"), has_image_extension("notes.gz")
    (True, True, False)
    """
    extension = f".{name.rpartition('.')[2].lower()}"
    return extension in IMAGE_EXTENSIONS or (extension == ".gz" and name.lower().endswith(_OF_TWO_PARTS))


def foreign(head: bytes) -> str | None:
    """Return the error text for a file that is recognised by its first bytes but not read; None for anything else.

    >>> foreign(b"%PDF-1.7")[:15]
    'is a PDF docume'
    """
    return next((text for offset, signature, text in _FOREIGN if head.startswith(signature, offset)), None)


def sniff(head: bytes) -> str | None:
    """Return the format of a file that begins with `head` (SIGNATURE_LENGTH bytes), or None if it is not an image format.

    >>> sniff(b"GIF89a")
    'gif'
    """
    if head[128:132] == b"DICM":  # after bytes for other programs, such as the beginning of a TIFF
        return "dicom"
    if _is_raw_tiff(head):
        return "raw"
    for signature, name in _SIGNATURES:
        if head.startswith(signature):
            return name
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    if head[:1] == b"P" and head[1:2] in b"1234567fF" and (head[2:3].isspace() or head[2:3] == b"#") and not head.startswith(_XV):
        return "pnm"
    if head[:4] == b"PK\3\4" and head[30 : 30 + int.from_bytes(head[26:28], "little")].endswith(b".npy"):  # the first name in a ZIP archive
        return "npz"
    if head[4:8] == b"ftyp":
        return _isobmff(head)
    if head[:2] == b"\x1f\x8b":
        packed = _unpacked(head, len(_FITS))
        return "nifti" if packed[:4] in _NIFTI else "fits" if packed == _FITS else None
    return "tga" if _is_tga(head) else None


def format_for(name: str | PurePath) -> str:
    """Return the output format that a path, an extension or the name of a format denotes.

    Raises UsageError, which lists the possible ones.

    >>> format_for("photos/cat.JPG"), format_for(".tif"), format_for("png"), format_for("pgm")
    ('jpeg', 'tiff', 'png', 'pnm')
    """
    text = str(name)
    extension = text.lower() if "." not in PurePath(text).name.lstrip(".") else PurePath(text).suffix.lower()
    for known, output in OUTPUTS.items():
        if extension in (known, *output.extensions) or f".{extension}" in output.extensions:
            return known
    allowed = ", ".join(output.extensions[0] for output in OUTPUTS.values())
    raise UsageError(f"unknown image format {text!r}; use one of {allowed}")


def _unpacked(head: bytes, length: int) -> bytes:
    """Return the first bytes of the contents of a gzip file."""
    import zlib  # rarely needed

    try:
        return zlib.decompressobj(31).decompress(head, length)
    except zlib.error:
        return b""


def _isobmff(head: bytes) -> str | None:
    """Return avif, heif or raw, by the brands in the first box of an ISO media file."""
    brands = [head[8:12], *(head[i : i + 4] for i in range(16, min(int.from_bytes(head[:4], "big"), len(head)) - 3, 4))]
    if any(brand in _AVIF_BRANDS for brand in brands):
        return "avif"
    if brands[0] == b"crx ":
        return "raw"
    return "heif" if any(brand in _HEIF_BRANDS for brand in brands) else None


def _is_raw_tiff(head: bytes) -> bool:
    """Return whether a file is a CR2 of Canon or an IIQ of Phase One: TIFF files whose first directory describes a preview."""
    is_iiq = (head[8:12] == b"IIII" and head[13:16] == b"waR") or (head[8:12] == b"MMMM" and head[12:15] == b"Raw")
    return head[:4] in (b"II*\0", b"MM\0*") and (head[8:11] == b"CR\2" or is_iiq)


def _is_tga(head: bytes) -> bool:
    """Return whether every field of a TGA header is valid; the format has no signature."""
    if len(head) < 18 or head[1] > 1 or head[2] not in (1, 2, 3, 9, 10, 11) or head[16] not in (1, 8, 15, 16, 24, 32):
        return False
    mapped = head[2] in (1, 9)
    map_fits = head[7] in (15, 16, 24, 32) and any(head[5:7]) if head[1] else not any(head[3:8]) and not mapped
    return map_fits and any(head[12:14]) and any(head[14:16]) and head[17] & 0xC0 == 0
