"""The base class of results and kernels, which a terminal, a string and a notebook show alike."""

from typing import TYPE_CHECKING, Any

from imgconv.display.words import finite

if TYPE_CHECKING:
    from collections.abc import Iterable

    from imgconv.display.parts import Part


class Displayable:
    """Base class of results and kernels: `parts` are displayed as text and as HTML, `as_json` as JSON values."""

    def parts(self) -> "Iterable[Part]":
        """Return the lines and tables that are displayed."""
        raise NotImplementedError

    def as_json(self) -> dict[str, Any]:
        """Return the fields as JSON values, among which NaN and infinity may be."""
        raise NotImplementedError

    def to_dict(self) -> dict[str, Any]:
        """Return what the command writes with --json: JSON values, with None for NaN and infinity."""
        values: dict[str, Any] = finite(self.as_json())
        return values

    def __str__(self) -> str:
        """The text that the command prints where standard output is not a terminal."""
        from imgconv.display.parts import plain

        return plain(self.parts())

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from imgconv.display.web import html

        return html(self.parts())
