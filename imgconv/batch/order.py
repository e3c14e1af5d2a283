"""Outcomes in the order of their sources, of work that goes on somewhere else: how far ahead it is begun, and when no more is."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Protocol

from imgconv.batch.outcome import Outcome
from imgconv.batch.sources import Source


class Begun(Protocol):
    """A picture on its way, as `concurrent.futures` has it."""

    def result(self) -> Outcome | None:
        """What became of it, once that is known; None if it was cancelled after all."""

    def cancel(self) -> bool:
        """Let it not begin; whether it is certain already that it will not."""


def in_order(
    sources: Sequence[Source], begin: Callable[[Source], Begun], room: Callable[[], int], stop_on_error: bool
) -> Iterator[Outcome]:
    """The outcome of each source. No more than `room()` are on their way at once.

    With `stop_on_error` nothing begins after the first outcome with an error; what has begun is finished and told.
    """
    remaining = iter(sources)
    begun: deque[Begun] = deque()
    while True:
        begun += [begin(source) for source in islice(remaining, max(0, room() - len(begun)))]
        if not begun:
            return
        outcome = begun.popleft().result()
        if outcome is None:
            continue
        yield outcome
        if outcome.error and stop_on_error:
            remaining = iter(())
            begun = deque(each for each in begun if not each.cancel())
