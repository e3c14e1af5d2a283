"""Which image formats are allowed, how their content is recognised, and what each can hold. Reads nothing but a few first bytes."""

from dataclasses import dataclass
from pathlib import PurePath

from imgconv.errors import UsageError

SIGNATURE_LENGTH = 32  # bytes that `sniff` looks at


@dataclass(frozen=True)
class Output:
    """What a format can be written with: extensions, dtypes, channels per dtype, whether it holds several frames, its longest side."""

    extensions: tuple[str, ...]
    dtypes: tuple[str, ...]
    channels: tuple[int, ...]
    animation: bool = False
    pages: bool = False
    lossy: bool = False
    longest: int = (1 << 31) - 1


OUTPUTS: dict[str, Output] = {
    "png": Output((".png", ".apng"), ("uint8", "uint16"), (1, 2, 3, 4), animation=True),
    "jpeg": Output((".jpg", ".jpeg", ".jpe", ".jfif"), ("uint8",), (1, 3), lossy=True, longest=65500),  # libjpeg's limit
    "tiff": Output((".tif", ".tiff"), ("uint8", "uint16", "float32"), (1, 2, 3, 4), animation=True, pages=True),
    "webp": Output((".webp",), ("uint8",), (1, 2, 3, 4), animation=True, lossy=True, longest=16383),
    "gif": Output((".gif",), ("uint8",), (1, 3), animation=True, longest=65535),
    "bmp": Output((".bmp", ".dib"), ("uint8",), (1, 3)),
    "pnm": Output((".pnm", ".pgm", ".ppm", ".pam", ".pfm"), ("uint8", "uint16", "float32"), (1, 2, 3, 4), animation=True, pages=True),
    "jpeg2000": Output((".jp2", ".j2k", ".jpx", ".jpf"), ("uint8", "uint16"), (1, 2, 3, 4), lossy=True),
    "avif": Output((".avif",), ("uint8",), (1, 2, 3, 4), animation=True, lossy=True),
    "tga": Output((".tga",), ("uint8",), (1, 2, 3, 4), longest=65535),
    "qoi": Output((".qoi",), ("uint8",), (3, 4)),
    "npy": Output((".npy",), ("uint8", "uint16", "float32"), (), animation=True, pages=True),
    "npz": Output((".npz",), ("uint8", "uint16", "float32"), ()),
}

INPUTS = ("jpeg", "png", "tiff", "webp", "gif", "bmp", "pnm", "jpeg2000", "avif", "tga", "qoi", "heif", "npy")

IMAGE_EXTENSIONS = frozenset(
    extension for name, output in OUTPUTS.items() if name not in ("npy", "npz") for extension in output.extensions
) | {".pbm", ".jpx", ".heic", ".heif", ".hif", ".avifs"}

_SIGNATURES = (
    (b"\xff\xd8\xff", "jpeg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"II*\0", "tiff"),
    (b"MM\0*", "tiff"),
    (b"II+\0", "tiff"),
    (b"MM\0+", "tiff"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"BM", "bmp"),
    (b"\xff\x4f\xff\x51", "jpeg2000"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "jpeg2000"),
    (b"qoif", "qoi"),
    (b"\x93NUMPY", "npy"),
)


def sniff(head: bytes) -> str | None:
    """The allowed format that a file beginning with `head` (SIGNATURE_LENGTH bytes) has, whatever its name; None for any other.

    >>> sniff(b"GIF89a")
    'gif'
    """
    for signature, name in _SIGNATURES:
        if head.startswith(signature):
            return name
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    if head[:1] == b"P" and head[1:2] in b"1234567fF" and head[2:3].isspace():
        return "pnm"
    if head[4:8] == b"ftyp":
        return _isobmff(head)
    return "tga" if _is_tga(head) else None


def _isobmff(head: bytes) -> str | None:
    brands = [head[8:12], *(head[i : i + 4] for i in range(16, min(int.from_bytes(head[:4], "big"), len(head)) - 3, 4))]
    if any(brand in (b"avif", b"avis") for brand in brands):
        return "avif"
    return "heif" if any(brand in (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1") for brand in brands) else None


def _is_tga(head: bytes) -> bool:
    """TGA has no signature: every field of its header must make sense."""
    if len(head) < 18 or head[1] > 1 or head[2] not in (1, 2, 3, 9, 10, 11) or head[16] not in (1, 8, 16, 24, 32):
        return False
    mapped = head[2] in (1, 9)
    map_fits = head[7] in (15, 16, 24, 32) and any(head[5:7]) if head[1] else not any(head[3:8]) and not mapped
    return map_fits and any(head[12:14]) and any(head[14:16]) and head[17] & 0xC0 == 0


def format_for(name: str | PurePath) -> str:
    """The output format that a path, an extension or a format's name asks for.

    Raises UsageError, which lists the allowed ones.

    >>> format_for("photos/cat.JPG"), format_for(".tif"), format_for("png"), format_for("pgm")
    ('jpeg', 'tiff', 'png', 'pnm')
    """
    text = str(name)
    wanted = text.lower() if "." not in PurePath(text).name.lstrip(".") else PurePath(text).suffix.lower()
    for known, output in OUTPUTS.items():
        if wanted in (known, *output.extensions) or f".{wanted}" in output.extensions:
            return known
    allowed = ", ".join(output.extensions[0] for output in OUTPUTS.values())
    raise UsageError(f"no image format is known by {text!r}; use one of {allowed}")
