"""Write an output whose bands arrive one after the other, on a thread of its own."""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import Any, BinaryIO

from imgconv.arrays import Array
from imgconv.atomic import is_stream
from imgconv.batch.job import Job, Sink
from imgconv.images.rows import BandedImage, StoredRows
from imgconv.images.writing import encode_bands
from imgconv.images.zarr.store import Store, Writable

_PAUSE = 0.1  # seconds between checks of the other thread
_BLOCK = 1 << 25  # bytes that are written before the disk begins with them
_END: Any = object()  # of a page, or of all pages


@contextmanager
def band_writers(sinks: Sequence[Sink], job: Job, counts: Sequence[int]) -> "Iterator[list[BandWriter]]":
    """Yield a writer for each output and its number of pages; outputs that are not complete when the block fails are removed."""
    writers = [BandWriter(sink, job, count) for sink, count in zip(sinks, counts, strict=True)]
    try:
        yield writers
        for writer in writers:
            writer.finish()
    finally:
        for writer in writers:
            writer.abandon()


class _Abandoned(BaseException):
    """Raised on the thread that writes when the bands end before the image does."""


class BandWriter:
    """The thread that encodes and writes an output; the output is replaced when `finish` is called, or not at all."""

    def __init__(self, sink: Sink, job: Job, pages: int):
        self._sink, self._job, self._count = sink, job, pages
        self._queue: Queue[Any] = Queue(1)
        self._abandoned = Event()
        self._error: BaseException | None = None
        self._file: BinaryIO | None = None  # a local one
        self._flushed = 0
        self._thread = Thread(target=self._run, name="imgconv-write", daemon=True)
        self._thread.start()
        self.in_page = False

    def begin(self, page: BandedImage) -> None:
        """Begin a page, whose bands follow."""
        self._send(page)
        self.in_page = True

    def put(self, band: Array | StoredRows) -> None:
        """Write some rows of the page; wait until those before are encoded. Raises what stopped the thread."""
        self._send(band)

    def end(self) -> None:
        """End a page."""
        self._send(_END)
        self.in_page = False

    def finish(self) -> None:
        """Wait until the output is complete and in its place. Raises what stopped the thread."""
        self._send(_END)
        while self._thread.is_alive():
            self._thread.join(_PAUSE)
        if self._error is not None:
            raise self._error

    def abandon(self) -> None:
        """Stop the thread, if it has not finished, and wait for it; an output that is not complete is removed."""
        self._abandoned.set()
        self._thread.join()

    def _send(self, item: Any) -> None:
        while self._thread.is_alive() and self._error is None:
            try:
                self._queue.put(item, timeout=_PAUSE)
                return
            except Full:
                continue
        raise self._error or RuntimeError("the writer has ended before its image")

    def _run(self) -> None:
        try:
            with self._stream() as stream:
                encode_bands(self._pages(), self._job.destination.format, stream, self._job.encoding._replace(pages=self._count))
        except BaseException as error:  # raised again by the thread that computes
            self._error = error

    @contextmanager
    def _stream(self) -> Iterator[Writable]:
        """Open the output; what goes to standard output is complete before it goes there."""
        if self._sink.path is not None:
            with self._sink.open() as stream:
                if isinstance(self._sink.path, Path) and not isinstance(stream, Store) and not is_stream(self._sink.path):
                    self._file = stream
                yield stream
            return
        with tempfile.TemporaryFile() as spool:
            yield spool
            spool.seek(0)
            shutil.copyfileobj(spool, sys.stdout.buffer)
            sys.stdout.buffer.flush()

    def _pages(self) -> Iterator[BandedImage]:
        while (page := self._next()) is not _END:
            page.bands = self._bands()
            yield page
            for _ in page.bands:  # an encoder may stop at the last row, before the end of the page arrives
                pass

    def _bands(self) -> Iterator[Array]:
        while (band := self._next()) is not _END:
            yield band
            self._start_flush()

    def _start_flush(self) -> None:
        """Let the disk write what the file has, so that less is left for the end."""
        if self._file is None or not hasattr(os, "posix_fadvise"):
            return
        end = self._file.tell()
        if end - self._flushed >= _BLOCK:
            with suppress(OSError):
                os.posix_fadvise(self._file.fileno(), self._flushed, end - self._flushed, os.POSIX_FADV_DONTNEED)
            self._flushed = end

    def _next(self) -> Any:
        while True:
            if self._abandoned.is_set():
                raise _Abandoned
            try:
                return self._queue.get(timeout=_PAUSE)
            except Empty:
                continue
