"""XMP packets: correct what a filter changes, remove what no longer holds, and add the description of the recipe."""

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from imgconv.images.metadata.places import names_place

if TYPE_CHECKING:
    from fractions import Fraction
    from xml.dom.minidom import Element, Node

_LARGEST = 1 << 22  # bytes that are parsed
_MOST_TAGS = 1 << 17  # and attributes, for which minidom takes five seconds
_DEEPEST = 100  # levels of elements
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_TIFF, _EXIF = "http://ns.adobe.com/tiff/1.0/", "http://ns.adobe.com/exif/1.0/"
_IMGCONV = "https://pypi.org/project/imgconv/ns/1.0/"
_ORIENTATION = re.compile(rb'tiff:Orientation\s*(?:=\s*["\']|>)\s*([1-8])')
_DESCRIPTION = re.compile(r"<dc:description>.*?<rdf:li[^>]*>(.*?)</rdf:li>", re.DOTALL)
_RECIPE = re.compile(r"<imgconv:recipe>(.*?)</imgconv:recipe>", re.DOTALL)
_END = re.compile(r"</(?:\w+:)?RDF>")
_PACKET = (
    f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{_RDF}">'
    '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:description><rdf:Alt>'
    '<rdf:li xml:lang="x-default">{}</rdf:li></rdf:Alt></dc:description></rdf:Description></rdf:RDF></x:xmpmeta>'
)
_ADDITION = (
    f'<rdf:Description xmlns:rdf="{_RDF}" rdf:about="" xmlns:imgconv="{_IMGCONV}"><imgconv:recipe>{{}}</imgconv:recipe></rdf:Description>'
)
_STALE_NAMESPACES = {  # of properties that a filtered image no longer has: beginning of the namespace -> description
    "http://ns.adobe.com/hdr-gain-map/": "gain map",
    "http://ns.apple.com/HDRGainMap/": "gain map",
    "http://ns.google.com/photos/1.0/container/": "",  # lists the files that follow the image; they are named by what they are
    "http://ns.google.com/photos/1.0/depthmap/": "depth map",
    "http://ns.google.com/photos/1.0/image/": "original image in XMP",
    "http://ns.google.com/photos/dd/1.0/": "depth map",
    "http://ns.google.com/photos/1.0/audio/": "sound",
}
_STALE_NAMES = {
    "Thumbnails": "thumbnail",
    "HasExtendedXMP": "extended XMP",
    "provenance": "C2PA manifest",
    "MotionPhoto": "motion photo",
    "MicroVideo": "motion photo",
}
_WIDTHS, _HEIGHTS = ("ImageWidth", "PixelXDimension", "ExifImageWidth"), ("ImageLength", "ImageHeight", "PixelYDimension")
_DENSITIES = {"XResolution": 1, "YResolution": 0, "FocalPlaneXResolution": 1, "FocalPlaneYResolution": 0}  # name -> axis
_NUMBER = re.compile(r"\s*(\d{1,12})(?:/(\d{1,12}))?\s*", re.ASCII)
_IN_PIXELS = re.compile(r"Regions$|RegionInfo$|SubjectArea$|SubjectLocation$")
_PANORAMA = "http://ns.google.com/photos/1.0/panorama/"
_SUSPECTS = re.compile(
    rb"Thumbnails|HasExtendedXMP|provenance|MotionPhoto|MicroVideo|hdr-gain-map|HDRGainMap|photos/(?:1\.0|dd)/|tiff:|exif:|Region", re.ASCII
)
Rule = Callable[[str, str], str | None]


def orientation(packet: bytes) -> int:
    """Return the orientation in a packet, which Pillow applies where EXIF has none; 1 without one."""
    match = _ORIENTATION.search(packet)
    return int(match[1]) if match else 1


def resampled(
    packet: bytes, size: tuple[int, int], stride: "tuple[int | Fraction, int | Fraction]", *, moved: bool
) -> tuple[bytes | None, tuple[str, ...]]:
    """Return a packet that is right for an image of `size`, and names of what was removed; None for a packet that is damaged.

    `moved`: pixels are not where they were.
    """
    if not _SUSPECTS.search(packet):
        return packet, ()
    root = _parsed(packet)
    if root is None:
        return None, ("damaged XMP",)

    def stale(namespace: str, name: str) -> str | None:
        for beginning, what in _STALE_NAMESPACES.items():
            if namespace.startswith(beginning):
                return what
        for beginning, what in _STALE_NAMES.items():
            if name.startswith(beginning):
                return what
        if moved and (_IN_PIXELS.search(name) or namespace == _PANORAMA):
            return "positions in XMP"
        return None

    dropped = _remove(root, stale)
    for place in list(_properties(root)):
        _correct(place, size, stride)
    return _serialized(packet, root), dropped


def without_location(packet: bytes) -> bytes | None:
    """Return a packet without any property with the location of an image; None for a packet that is damaged."""
    root = _parsed(packet)
    if root is None:
        return None
    _remove(root, lambda namespace, name: "" if names_place(name) or "/wgs84_pos#" in namespace else None)
    return _serialized(packet, root)


def with_description(packet: bytes | None, text: str) -> bytes | None:
    """Return a packet that also holds the description of a recipe; None for a packet to which nothing can be added."""
    import html  # a large table of names, needed for few files

    escaped = html.escape(text, quote=False)
    if packet is None:
        return _PACKET.format(escaped).encode()
    plain = packet.decode("utf-8", "surrogateescape")
    ends = list(_END.finditer(plain))
    if not ends:
        return None
    at = ends[-1].start()
    return (plain[:at] + _ADDITION.format(escaped) + plain[at:]).encode("utf-8", "surrogateescape")


def description(packet: bytes | str) -> str | None:
    """Return the description that `with_description` wrote; None without one."""
    import html

    text = packet.decode("utf-8", "replace") if isinstance(packet, bytes) else packet
    match = _RECIPE.search(text) or _DESCRIPTION.search(text)
    return html.unescape(match[1]) if match else None


def _parsed(packet: bytes) -> "Element | None":
    """Return the root of a packet; None for one that is damaged, too long, or declares entities, which no XMP does."""
    from xml.dom.minidom import parseString
    from xml.parsers.expat import ExpatError

    data = packet.strip(b"\0 \t\r\n")
    if (
        len(data) > _LARGEST
        or data.count(b"<") + data.count(b"=") > _MOST_TAGS
        or b"<!" in data.replace(b"<!--", b"").replace(b"<![CDATA[", b"")
    ):
        return None
    try:
        root = parseString(data).documentElement
    except (ExpatError, ValueError):
        return None
    return root if root is not None and _depth(root) <= _DEEPEST else None


def _depth(root: "Element") -> int:
    """Return how deep elements are nested; `toxml` calls itself for each level."""
    depth, level = 0, [root]
    while level:
        depth += 1
        level = [child for element in level for child in element.childNodes if child.nodeType == child.ELEMENT_NODE]
    return depth


def _serialized(packet: bytes, root: "Element") -> bytes:
    """Return the packet with `root` in place of what it had."""
    begin = b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>\n' if b"<?xpacket begin" in packet else b""
    return begin + root.toxml().encode() + (b'\n<?xpacket end="w"?>' if begin else b"")


def _remove(root: "Element", rule: Rule) -> tuple[str, ...]:
    """Remove the properties for which `rule` of namespace and name returns a text; return these texts."""
    removed: dict[str, None] = {}
    stack: list[Node] = [root]
    while stack:
        element: Any = stack.pop()
        for attribute in list((element.attributes or {}).values()):
            what = rule(attribute.namespaceURI or "", attribute.localName or "") if _is_property(attribute) else None
            if what is not None:
                element.removeAttributeNode(attribute)
                removed[what] = None
        for child in list(element.childNodes):
            what = rule(child.namespaceURI or "", child.localName or "") if child.nodeType == child.ELEMENT_NODE else None
            if what is not None:
                element.removeChild(child)
                removed[what] = None
            elif child.nodeType == child.ELEMENT_NODE:
                stack.append(child)
    return tuple(what for what in removed if what)


def _is_property(attribute: Any) -> bool:
    return attribute.prefix not in ("xmlns", "xml", "rdf") and attribute.name != "xmlns"


def _properties(root: "Element") -> Iterator[Any]:
    """Yield the attributes and elements that hold a plain value."""
    stack: list[Any] = [root]
    while stack:
        element = stack.pop()
        yield from (attribute for attribute in (element.attributes or {}).values() if _is_property(attribute))
        children = [child for child in element.childNodes if child.nodeType == child.ELEMENT_NODE]
        stack += children
        if not children and element.firstChild is not None:
            yield element


def _correct(place: Any, size: tuple[int, int], stride: "tuple[int | Fraction, int | Fraction]") -> None:
    """Correct a size, a resolution or the orientation."""
    namespace, name = place.namespaceURI, place.localName
    if namespace not in (_TIFF, _EXIF):
        return
    target = place.firstChild if place.nodeType == place.ELEMENT_NODE else place
    attribute = "data" if target is not place else "value"
    if name == "Orientation":
        setattr(target, attribute, "1")
    elif name in _WIDTHS or name in _HEIGHTS:
        setattr(target, attribute, str(size[1] if name in _WIDTHS else size[0]))
    elif name in _DENSITIES:
        from fractions import Fraction  # takes 3 ms

        match = _NUMBER.fullmatch(str(getattr(target, attribute)))
        if match is None or not int(match[2] or 1):
            return
        density = Fraction(int(match[1]), int(match[2] or 1)) / stride[_DENSITIES[name]]
        setattr(target, attribute, f"{density.numerator}/{density.denominator}")
