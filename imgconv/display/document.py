"""The head and the look that the HTML files of a report and of an explanation share."""

from base64 import b64encode
from functools import cache
from hashlib import sha256
from html import escape
from pathlib import Path

POLICY = "default-src 'none'; img-src data:; style-src {style}; script-src {scripts}; base-uri 'none'; form-action 'none'"


def document_head(title: str, style: str, *scripts: str) -> str:
    """Return the head of an HTML file with this title, which is escaped, and its style after the shared one.

    Its content security policy lets nothing but the style and the scripts of the file run, and lets nothing load.

    >>> document_head("a < b", "", "").count("a &lt; b")
    1
    """
    look = _shared_style() + style
    policy = POLICY.format(style=_csp_hash(look), scripts=" ".join(map(_csp_hash, scripts)))
    return f"""<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="imgconv">
<link rel="icon" href="data:,">
<title>{escape(title)}</title>
<style>{look}</style>
</head>"""


@cache
def _shared_style() -> str:
    return Path(__file__).with_name("document.css").read_text(encoding="utf-8")


def _csp_hash(text: str) -> str:
    """The name of an inline style or script in a content security policy."""
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
