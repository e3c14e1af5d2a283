"""A call of compiled code that is ready to be made."""

from typing import Any, NamedTuple, Protocol


class Entry(Protocol):
    """Where compiled code begins: its address, and a call with words and the arguments whose arrays they point into."""

    address: int

    def __call__(self, words: list[int], arguments: tuple[Any, ...]) -> None: ...


class Call(NamedTuple):
    """A call, to be made here by calling it, or natively from its words."""

    entry: Entry
    words: list[int]
    arguments: tuple[Any, ...]

    def __call__(self) -> None:
        self.entry(self.words, self.arguments)
