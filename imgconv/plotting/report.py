"""An HTML page that shows the results of a run: every image before and after, the failures, and the command.

The page is one file without network access. A few threads render its cards, which wait in a temporary file, not in memory.
"""

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path, PurePath
from tempfile import TemporaryFile
from typing import BinaryIO, Self

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from imgconv.ahead import submitted
from imgconv.display.web import document_head
from imgconv.display.words import visible
from imgconv.errors import ImgconvError
from imgconv.images import ANY_SIZE, Request
from imgconv.images.zarr.store import Readable
from imgconv.plotting.exhibits import size_text
from imgconv.plotting.thumbnails import Thumbnail, thumbnail

LARGE, SMALL = 480, 240  # pixels along a side of an image on a page of few, and of many
FEW = 100
MOST = 2000  # images, and failures, on a page; half of them were 17 MB, came up in 0.6 s and scrolled at 60 frames a second (2026-11)
ARRAYS = (".npy", ".npz")  # outputs that may hold something other than an image
TEMPLATES = Path(__file__).parent


@dataclass(frozen=True)
class Entry:
    """One input and its results.

    `name` is the name to show, `before` the file of the input if it can be read, `after` the files of the results, `error` the reason of a
    failure, `note` a remark.
    """

    name: str
    before: str | None = None
    after: Sequence[str] = ()
    error: str | None = None
    note: str = ""


class Report:
    """A page under construction, used as a context manager; the end of its block releases the threads and the temporary file.

    `facts`, names and values, are at the top of the page; `expected`, the number of results, determines the size of the images. `resolve`
    returns the source to open for a name, and `request` states how it is read. `results` counts the results so far, `failures` lists
    names and reasons.

    >>> from io import BytesIO
    >>> with Report("edges", [], expected=1, workers=1) as report:
    ...     report.add(Entry("lost.jpg", error="no such file"))
    ...     report.write(file := BytesIO())
    >>> b"no such file" in file.getvalue()
    True
    """

    def __init__(
        self,
        title: str,
        facts: Sequence[tuple[str, str]],
        resolve: Callable[[str], Readable] = Path,
        request: Request = ANY_SIZE,
        *,
        expected: int,
        workers: int,
    ):
        self.results, self.failures = 0, list[tuple[str, str]]()
        self._title, self._facts, self._resolve, self._request = title, facts, resolve, request
        self._longest = LARGE if expected <= FEW else SMALL
        self._cards = TemporaryFile("w+", encoding="utf-8", newline="\n")  # noqa: SIM115  __exit__ closes it
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="imgconv-report")
        self._ahead = 2 * workers
        self._pending: deque[Future[tuple[str, list[tuple[str, str]]]]] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._cards.close()

    def add(self, entry: Entry) -> None:
        """Add an input and its results to the end of the page."""
        room = max(0, MOST - self.results)
        self.results += len(entry.after)
        self._pending.append(submitted(self._pool, partial(self._render, room=room), entry))
        self._collect(self._ahead)

    def write(self, stream: BinaryIO) -> None:
        """Finish the page and write it."""
        self._collect(0)
        self._cards.seek(0)
        page = _templates().get_template("report.html")
        style, script = (_file(name) for name in ("report.css", "report.js"))
        for text in page.generate(
            head=Markup(document_head(visible(self._title), style, script)),
            title=self._title,
            facts=self._facts,
            summary=_summary(self.results, len(self.failures)),
            failures=self.failures[:MOST],
            cards=map(Markup, self._cards),
            script=Markup(script),
        ):
            stream.write(text.encode())

    def _collect(self, waiting: int) -> None:
        """Store rendered cards, in order, until at most `waiting` are pending."""
        while len(self._pending) > waiting:
            cards, failures = self._pending.popleft().result()
            self._cards.write(cards)
            self.failures += failures

    def _render(self, entry: Entry, room: int) -> tuple[str, list[tuple[str, str]]]:
        """The cards of the first `room` results of an entry, and the failures of the entry, as names and reasons."""
        before = None if entry.before is None or not entry.after[:room] else self._thumbnail(entry.before)
        failures = [] if entry.error is None else [(entry.name, entry.error)]
        cards = []
        for path in entry.after[:room]:
            after = self._thumbnail(path)
            if isinstance(after, str) and not path.lower().endswith(ARRAYS):
                failures.append((path, after))
            cards.append(_card(path, entry, before, after))
        return "".join(cards), failures

    def _thumbnail(self, path: str) -> Thumbnail | str:
        """A small version of a file, or the reason why it cannot be shown."""
        try:
            return thumbnail(self._resolve(path), self._longest, self._request)
        except (ImgconvError, OSError, MemoryError) as error:  # other images can still be shown
            return str(error) or "not enough memory to show it"


def _card(path: str, entry: Entry, before: Thumbnail | str | None, after: Thumbnail | str) -> str:
    sizes = dict.fromkeys(size_text(image.original) for image in (before, after) if isinstance(image, Thumbnail))
    return (
        _templates()
        .get_template("report_card.html")
        .render(name=PurePath(path).name, source=entry.name, before=before, after=after, sizes=" → ".join(sizes), note=entry.note)
    )


@cache
def _templates() -> Environment:
    """The templates. Every text that is put into a page is made visible and escaped, since names may contain anything."""
    templates = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        auto_reload=False,
        keep_trailing_newline=True,
        finalize=lambda value: visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value,
        trim_blocks=True,
        undefined=StrictUndefined,
    )
    templates.tests["image"] = lambda value: isinstance(value, Thumbnail)
    return templates


def _file(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")


def _summary(results: int, failed: int) -> str:
    counts = f"{results:,} {'image' if results == 1 else 'images'}" + (f", {failed:,} failed" if failed else "")
    return counts if max(results, failed) <= MOST else f"{counts}; the first {MOST:,} are shown"
