"""Lines for people: whatever a file is called, it stays on its line and moves no cursor."""


def escaped(text: str) -> str:
    """`text` with control characters written out.

    >>> print(escaped("two\\nlines"))
    two\\nlines
    """
    return "".join(character if ord(character) >= 32 and not 127 <= ord(character) < 160 else repr(character)[1:-1] for character in text)
