"""An image file made small enough for a page: its first frame as WebP, without the metadata of the file.

The parts of a report as HTML: cards of images, rows of failures, facts. Names come from anywhere, and are escaped here.

One page that shows what a run did: every image before and after, what failed, and the command. Needs no network.

Knows the template beside it and nothing of runs. Cards are packed by a few threads, and wait in a temporary file rather than in memory.
"""

import os
import shutil
from base64 import b64encode
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from html import escape
from io import BytesIO
from pathlib import Path, PurePath
from string import Template
from tempfile import TemporaryFile
from typing import BinaryIO

import numpy as np

from imgconv.errors import ImageError, ImgconvError
from imgconv.images import Raster, encode, open_frames
from imgconv.plotting.exhibits import shrunk, size_text
from imgconv.plotting.preview import levels
from imgconv.process import process
from imgconv.recipe import Pool, Recipe

QUALITY = 65  # of 100: noise of the packing is not seen at this size, and the page is half as large as at 85 (2026-11)


@dataclass(frozen=True)
class Thumbnail:
    """A small image: its WebP file, its height and width, those of the image that it stands for, and whether it is transparent."""

    webp: bytes
    size: tuple[int, int]
    original: tuple[int, int]
    alpha: bool


def thumbnail(source: Path | bytes, *, longest: int, max_pixels: int | None = None, salvage: bool = False) -> Thumbnail:
    """The first frame of a file, or of the bytes of one, averaged to at most `longest` pixels along a side.

    Floats beyond 0 to 1 are shown from their smallest to their largest value, transparency is kept.
    Raises ImageError, which does not name the file, for what is no regular file or no image.
    """
    if isinstance(source, Path) and not source.is_file():  # nobody may ever write to a pipe that results went into
        raise ImageError("there is no such file")
    with open_frames(source, max_pixels=max_pixels, salvage=salvage) as opened:
        image = next(iter(opened))
    small = _small(image, longest)
    file = BytesIO()
    encode([small], "webp", stream=file, quality=QUALITY)
    return Thumbnail(file.getvalue(), small.size, image.size, small.alpha)


def _small(image: Raster, longest: int) -> Raster:
    """8 bits, grey or colour, with alpha where the image has it; of arrays of other maps the first."""
    colours = image.channels - image.alpha
    if colours not in (1, 3):
        image = Raster(np.ascontiguousarray(image.pixels[..., :1]))
    step = max(image.size) // longest
    if step > 1:  # most of the way by whole pixels, which takes a tenth of the time
        size = min(step, image.size[0]), min(step, image.size[1])
        pool = Pool(size, "avg", ceil_mode=True, alpha="keep")
        image = process(image, Recipe("pool", pool), threads=1)[0].image
    return Raster(levels(shrunk(image.pixels, longest), image), image.alpha)


TINY = 64  # pixels; an image with no more of them along its sides is enlarged with all its pixels to be seen
SLIDER = (
    '<input type="range" min="0" max="100" value="50" autocomplete="off" aria-valuetext="50 % before" aria-label="Before and after, {}">'
)


def card(after: str, before: str, shown: Thumbnail | str, source: Thumbnail | str | None, note: str = "") -> str:
    """One result: its name, a slider over itself and its input where both can be shown, and what else is to be said.

    `after` and `before` are the names of the result and its input, `shown` and `source` their images, or the reasons why there are none.
    """
    name = words(PurePath(after).name)
    images = [] if isinstance(shown, str) else [_image(shown, "after", name)]
    images += [_image(source, "before", words(before))] if isinstance(source, Thumbnail) else []
    slider = SLIDER.format(name) if len(images) == 2 else ""
    kind = "compare" if slider else "single"
    told = f'<div class="{kind}">{"".join(images)}{slider}</div>' if images else ""
    lines = [f"<bdi>{words(before)}</bdi>", _sizes(shown, source)]
    lines += [f"No image of it: {words(shown)}"] if isinstance(shown, str) else []
    lines += [f"No image of its input: {words(source)}"] if isinstance(source, str) else []
    lines += [words(note)] if note else []
    texts = "".join(f"<p>{line}</p>" for line in lines if line)
    return f'<li class="card" data-entry><h3><bdi>{name}</bdi></h3>{told}{texts}</li>\n'


def failure(name: str, reason: str) -> str:
    """One input that failed, and why."""
    return f"<li data-entry><bdi>{words(name)}</bdi><span>{words(reason)}</span></li>\n"


def fact_list(told: Sequence[tuple[str, str]]) -> str:
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


def _image(image: Thumbnail, role: str, name: str) -> str:
    height, width = image.size
    looks = [role, *(["clear"] if image.alpha else []), *(["tiny"] if max(image.original) <= TINY else [])]
    data = b64encode(image.webp).decode()
    return (
        f'<img class="{" ".join(looks)}" alt="{role.capitalize()}: {name}" width="{width}" height="{height}" decoding="async" '
        f'src="data:image/webp;base64,{data}">'
    )


def _sizes(shown: Thumbnail | str, source: Thumbnail | str | None) -> str:
    sizes = [size_text(image.original) for image in (source, shown) if isinstance(image, Thumbnail)]
    return " → ".join(dict.fromkeys(sizes))


LARGE, SMALL = 480, 240  # pixels along a side of an image on a page of few, and of many
FEW = 100
MOST = 2000  # images, and failures, on a page; half of them were 17 MB, came up in 0.6 s and scrolled at 60 frames a second (2026-11)
ARRAYS = (".npy", ".npz")  # outputs that need not hold anything that can be shown
PARTS = Path(__file__).parent
CARDS = "<!-- cards -->"


@dataclass(frozen=True)
class Entry:
    """One input and what came of it.

    `name` is what people call it, `before` the name of its file where that is known, `after` those of its results, `error` why it failed,
    `note` what else there is to say.
    """

    name: str
    before: str | None = None
    after: Sequence[str] = ()
    error: str | None = None
    note: str = ""


@dataclass(frozen=True)
class _Made:
    """What an entry gives: its cards, and what went wrong with it or its results, by name."""

    cards: str
    failures: list[tuple[str, str]]


@dataclass(frozen=True)
class Reading:
    """How the images of a report are read: what is opened for a name, and as in `open_frames`."""

    readable: Callable[[str], Path | bytes] = Path
    max_pixels: int | None = None
    salvage: bool = False


@contextmanager
def collecting(title: str, facts: Sequence[tuple[str, str]], reading: Reading, *, expected: int, workers: int) -> "Iterator[Report]":
    """A page to be filled and written within the block, whose end lets go of its threads and of what was collected.

    `facts` stand at its head, names and values; `expected` is the number of results to come, which settles how large they are shown.

    >>> from io import BytesIO
    >>> with collecting("edges", [], Reading(), expected=1, workers=1) as report:
    ...     report.add(Entry("lost.jpg", error="no such file"))
    ...     report.write(file := BytesIO())
    >>> b"no such file" in file.getvalue()
    True
    """
    with TemporaryFile() as cards:
        pool = ThreadPoolExecutor(workers, thread_name_prefix="imgconv-report")
        try:
            yield Report(title, facts, reading, LARGE if expected <= FEW else SMALL, cards, pool, ahead=2 * workers)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


class Report:
    """A page being collected; see `collecting`. `results` counts the results on it, `failures` lists what went wrong: names and reasons."""

    def __init__(
        self,
        title: str,
        facts: Sequence[tuple[str, str]],
        reading: Reading,
        longest: int,
        cards: BinaryIO,
        pool: Executor,
        ahead: int,
    ):
        self.results, self.failures = 0, list[tuple[str, str]]()
        self._title, self._facts, self._reading, self._longest = title, facts, reading, longest
        self._cards, self._pool, self._ahead = cards, pool, ahead
        self._begun: deque[Future[_Made]] = deque()

    def add(self, entry: Entry) -> None:
        """Put an input and its results on the page, below those before."""
        room = max(0, MOST - self.results)
        self.results += len(entry.after)
        self._begun.append(self._pool.submit(self._made, entry, room))
        self._settle(self._ahead)

    def write(self, stream: BinaryIO) -> None:
        """Finish the page and write it."""
        self._settle(0)
        above, below = _page(self._title, self._facts, self.results, self.failures).split(CARDS)
        stream.write(above.encode())
        self._cards.seek(0)
        shutil.copyfileobj(self._cards, stream)
        stream.write(below.encode())

    def _settle(self, waiting: int) -> None:
        """Collect what has begun, in order, until only so much of it is left."""
        while len(self._begun) > waiting:
            made = self._begun.popleft().result()
            self._cards.write(made.cards.encode())
            self.failures += made.failures

    def _made(self, entry: Entry, room: int) -> _Made:
        source = None if entry.before is None or not entry.after[:room] else self._shown(entry.before)
        failures = [] if entry.error is None else [(entry.name, entry.error)]
        cards = []
        for path in entry.after[:room]:
            shown = self._shown(path)
            if isinstance(shown, str) and not path.lower().endswith(ARRAYS):
                failures.append((path, shown))
            cards.append(card(path, entry.name, shown, source, entry.note))
        return _Made("".join(cards), failures)

    def _shown(self, path: str) -> Thumbnail | str:
        """A file made small, or the reason why it cannot be shown."""
        try:
            source, limit = self._reading.readable(path), self._reading.max_pixels
            return thumbnail(source, longest=self._longest, max_pixels=limit, salvage=self._reading.salvage)
        except (ImgconvError, OSError, MemoryError) as error:  # the run goes on
            return str(error) or "not enough memory to show it"


def _page(title: str, facts: Sequence[tuple[str, str]], results: int, failures: Sequence[tuple[str, str]]) -> str:
    """The page with a mark in place of its cards."""
    style, script = ((PARTS / name).read_text(encoding="utf-8") for name in ("report.css", "report.js"))
    return Template((PARTS / "report.html").read_text(encoding="utf-8")).substitute(
        title=words(title),
        facts=fact_list(facts),
        summary=_summary(results, len(failures)),
        style=style,
        style_hash=_hash(style),
        script=script,
        script_hash=_hash(script),
        no_failures="" if failures else "hidden",
        failures="".join(failure(name, reason) for name, reason in failures[:MOST]),
        cards=CARDS,
    )


def _summary(results: int, failed: int) -> str:
    told = f"{results:,} {'image' if results == 1 else 'images'}" + (f", {failed:,} failed" if failed else "")
    most = max(results, failed)
    return told if most <= MOST else f"{told}; the first {MOST:,} are shown"


def _hash(text: str) -> str:
    """How a page's own rules name the one style and the one script that may take part in it."""
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"
