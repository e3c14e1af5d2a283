"""Calls of compiled code that are ready to be made, and patterns by which such calls are made again with other arrays."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from imgconv.engine.signature import Array, address_of, places_of

Words: TypeAlias = "array[int]"  # of 64 bits; NumPy's arrays take ten times as long to make


class Entry(Protocol):
    """What runs a loop: the address of its code, 0 where only Numba knows it, and a call.

    A call takes words, and the arguments whose arrays they point into.
    """

    address: int

    def __call__(self, words: Sequence[int], arguments: tuple[Any, ...]) -> None: ...


@dataclass(slots=True)
class Call:
    """A call, to be made here by calling it, or natively from its words."""

    entry: Entry
    words: Words
    arguments: tuple[Any, ...]

    def __call__(self) -> None:
        self.entry(self.words, self.arguments)


class Pattern:
    """A call that is made again and again, each time with other arguments in the places `changing`.

    Other arrays are of the same kinds, and of the first one's shape to whoever reads them: rows left out at their end are not missed.
    """

    def __init__(self, entry: Entry, words: Sequence[int], arguments: tuple[Any, ...], changing: Sequence[int]):
        places = places_of(arguments)
        self._entry, self._words = entry, array("q", words)
        self._at = [places[number] for number in changing]
        self._kept = tuple(each for number, each in enumerate(arguments) if number not in changing)

    def __call__(self, *others: Array | int) -> Call:
        words = self._words[:]
        for at, other in zip(self._at, others, strict=True):
            words[at] = other if isinstance(other, int) else address_of(other)
        return Call(self._entry, words, (self._kept, others))
