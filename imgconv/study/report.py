"""One page that shows what a run did: every picture before and after, what failed, and the command. Needs no network.

Knows the template beside it and nothing of runs. Cards are packed by a few threads, and wait in a temporary file rather than in memory.
"""

import shutil
from base64 import b64encode
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from string import Template
from tempfile import TemporaryFile
from typing import BinaryIO

from imgconv.errors import ImgconvError
from imgconv.study import report_cards as html
from imgconv.study.thumbnails import Thumbnail, thumbnail

LARGE, SMALL = 480, 240  # pixels along a side of a picture on a page of few, and of many
FEW = 100
MOST = 2000  # pictures, and failures, on a page; half of them were 17 MB, came up in 0.6 s and scrolled at 60 frames a second (2026-11)
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
    """How the pictures of a report are read: what is opened for a name, and as in `open_pictures`."""

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
            cards.append(html.card(path, entry.name, shown, source, entry.note))
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
        title=html.words(title),
        facts=html.facts(facts),
        summary=_summary(results, len(failures)),
        style=style,
        style_hash=_hash(style),
        script=script,
        script_hash=_hash(script),
        no_failures="" if failures else "hidden",
        failures="".join(html.failure(name, reason) for name, reason in failures[:MOST]),
        cards=CARDS,
    )


def _summary(results: int, failed: int) -> str:
    told = f"{results:,} {'picture' if results == 1 else 'pictures'}" + (f", {failed:,} failed" if failed else "")
    most = max(results, failed)
    return told if most <= MOST else f"{told}; the first {MOST:,} are shown"


def _hash(text: str) -> str:
    """How a page's own rules name the one style and the one script that may take part in it."""
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"
