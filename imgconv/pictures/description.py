"""The text that says how a picture was made: where each format keeps it, read and written."""

import re
from typing import Any

from PIL import Image

_IMAGE_DESCRIPTION = 270  # TIFF tag
_XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:description><rdf:Alt>'
    '<rdf:li xml:lang="x-default">{}</rdf:li></rdf:Alt></dc:description></rdf:Description></rdf:RDF></x:xmpmeta>'
)
_XMP_TEXT = re.compile(r"<dc:description>.*?<rdf:li[^>]*>(.*?)</rdf:li>", re.DOTALL)


def of(image: Image.Image) -> str | None:
    """The description in an opened image, None without one."""
    found: Any = image.info.get("Description") or image.info.get("comment")
    if not found and hasattr(image, "tag_v2"):
        found = str(image.tag_v2.get(_IMAGE_DESCRIPTION, "")).encode("latin-1", "replace")
    if not found and "xmp" in image.info:
        import html  # a large table of names, which few files need

        xmp = _text(image.info["xmp"])
        match = _XMP_TEXT.search(xmp)
        found = html.unescape(match[1]) if match else None
    return _text(found) if found else None


def save_options(name: str, text: str | None) -> dict[str, Any]:
    """Keyword arguments of Pillow's `save` that keep `text` in a file of format `name`; none where it cannot be kept."""
    if text and name in ("jpeg", "jpeg2000"):
        return {"comment": text.encode()}
    if text and name in ("webp", "avif"):
        import html

        return {"xmp": _XMP.format(html.escape(text, quote=False)).encode()}
    return {}


def _text(found: Any) -> str:
    return found.decode("utf-8", "replace") if isinstance(found, bytes) else str(found)
