"""Turns docstrings into Markdown for the Python reference of the documentation site: an extension of Griffe, which reads the sources."""

import re
from inspect import cleandoc

import griffe

SECTION = re.compile(r"^(\w[\w ]*)\n-{3,}\n", re.MULTILINE)
NAMES = re.compile(r"^([\w, ]+) : ")
LISTS = ("Attributes", "Parameters", "Raises", "Returns")


class Docstrings(griffe.Extension):
    """Replaces the docstring of every object."""

    def on_object(self, *, obj, **_):
        """Called by Griffe for each module, class, function and attribute."""
        if obj.docstring:
            obj.docstring.value = markdown(obj.docstring.value)


def markdown(docstring):
    """A docstring with sections of the NumPy style as Markdown: titles in bold, lists of arguments, and fenced examples."""
    first, *rest = SECTION.split(cleandoc(docstring))
    parts = [_prose(first)]
    for title, text in zip(rest[::2], rest[1::2], strict=True):
        parts += [f"**{title}**", _items(text) if title in LISTS else _prose(text)]
    return "\n\n".join(parts)


def _items(text):
    """A list of entries: each begins with `name : `, or not indented after a line that is indented."""
    entries, previous = [], " "
    for line in text.strip().splitlines():
        if NAMES.match(line) or previous.startswith(" ") > line.startswith(" "):
            entries.append(_escaped(line))
        else:
            is_heading = line.startswith(" ") > previous.startswith(" ") and not NAMES.match(previous)
            entries[-1] += ("  \n  " if is_heading else " ") + _escaped(line.strip())
        previous = line
    return "\n".join(f"- {NAMES.sub(_names, entry)}" for entry in entries)


def _names(match):
    return ", ".join(f"`{name.strip()}`" for name in match[1].split(",")) + ": "


def _prose(text):
    """Paragraphs, in which examples are fenced."""
    blocks = re.split(r"\n\n+", text.strip())
    return "\n\n".join(f"```pycon\n{block}\n```" if block.startswith(">>>") else _escaped(block) for block in blocks)


def _escaped(text):
    """Text in which asterisks and angle brackets outside of code are themselves."""
    return re.sub(r"(`[^`]*`)|([*<])", lambda match: match[1] or f"\\{match[2]}", text)
