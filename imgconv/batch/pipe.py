"""Standard output as the place where results go."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedIOBase
from typing import Any, BinaryIO, cast


@contextmanager
def standard_output() -> Iterator[BinaryIO]:
    """Standard output, handed on at the end of the block, for a reader that waits for each picture."""
    yield cast(BinaryIO, _Pipe())
    sys.stdout.buffer.flush()


class _Pipe(BufferedIOBase):
    """A stream that is only written to: NumPy would write past the buffer of a file, and ask a pipe for its position."""

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        return sys.stdout.buffer.write(data)
