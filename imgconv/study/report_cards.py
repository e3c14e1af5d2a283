"""The parts of a report as HTML: cards of pictures, rows of failures, facts. Names come from anywhere, and are escaped here."""

import os
from base64 import b64encode
from collections.abc import Sequence
from html import escape
from pathlib import PurePath

from imgconv.study.panels import size_text
from imgconv.study.thumbnails import Thumbnail

TINY = 64  # pixels; a picture with no more of them along its sides is enlarged with all its pixels to be seen
SLIDER = (
    '<input type="range" min="0" max="100" value="50" autocomplete="off" aria-valuetext="50 % before" aria-label="Before and after, {}">'
)


def card(after: str, before: str, shown: Thumbnail | str, source: Thumbnail | str | None, note: str = "") -> str:
    """One result: its name, a slider over itself and its input where both can be shown, and what else is to be said.

    `after` and `before` are the names of the result and its input, `shown` and `source` their pictures, or the reasons why there are none.
    """
    name = words(PurePath(after).name)
    pictures = [] if isinstance(shown, str) else [_image(shown, "after", name)]
    pictures += [_image(source, "before", words(before))] if isinstance(source, Thumbnail) else []
    slider = SLIDER.format(name) if len(pictures) == 2 else ""
    kind = "compare" if slider else "single"
    told = f'<div class="{kind}">{"".join(pictures)}{slider}</div>' if pictures else ""
    lines = [f"<bdi>{words(before)}</bdi>", _sizes(shown, source)]
    lines += [f"No picture of it: {words(shown)}"] if isinstance(shown, str) else []
    lines += [f"No picture of its input: {words(source)}"] if isinstance(source, str) else []
    lines += [words(note)] if note else []
    texts = "".join(f"<p>{line}</p>" for line in lines if line)
    return f'<li class="card" data-entry><h3><bdi>{name}</bdi></h3>{told}{texts}</li>\n'


def failure(name: str, reason: str) -> str:
    """One input that failed, and why."""
    return f"<li data-entry><bdi>{words(name)}</bdi><span>{words(reason)}</span></li>\n"


def facts(told: Sequence[tuple[str, str]]) -> str:
    """Names beside their values, each on a line of its own."""
    return "".join(f"<div><dt>{words(name)}</dt><dd><code>{words(value)}</code></dd></div>" for name, value in told)


def words(text: str) -> str:
    r"""`text` as HTML that shows all of it: markup, what is no UTF-8 and what would not be seen is written out.

    >>> words("<b>\udcff\n")
    '&lt;b&gt;\\xff\\n'
    """
    decoded = os.fsencode(text).decode("utf-8", "backslashreplace")
    seen = "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in decoded)
    return escape(seen)


def _image(picture: Thumbnail, role: str, name: str) -> str:
    height, width = picture.size
    looks = [role, *(["clear"] if picture.alpha else []), *(["tiny"] if max(picture.original) <= TINY else [])]
    data = b64encode(picture.webp).decode()
    return (
        f'<img class="{" ".join(looks)}" alt="{role.capitalize()}: {name}" width="{width}" height="{height}" decoding="async" '
        f'src="data:image/webp;base64,{data}">'
    )


def _sizes(shown: Thumbnail | str, source: Thumbnail | str | None) -> str:
    sizes = [size_text(picture.original) for picture in (source, shown) if isinstance(picture, Thumbnail)]
    return " → ".join(dict.fromkeys(sizes))
