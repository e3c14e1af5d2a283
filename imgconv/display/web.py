"""HTML: lines and tables of Rich, for notebooks with light and dark pages, and the head that all pages share."""

from base64 import b64encode
from collections.abc import Iterable
from functools import cache
from hashlib import sha256
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from imgconv.display.parts import Either

if TYPE_CHECKING:
    from rich.style import Style
    from rich.table import Table
    from rich.text import Text

    from imgconv.display.parts import Part

POLICY = "default-src 'none'; img-src data:; style-src {style}; script-src {scripts}; base-uri 'none'; form-action 'none'"
TINTS = {"green": "46,160,67", "red": "248,81,73", "blue": "56,139,253", "yellow": "210,153,34"}  # readable on white and on black
WINNER = "#ffd54f"
CELL = "padding:1px 6px;border:0;min-width:0;vertical-align:middle"


def html(parts: "Iterable[Part]") -> str:
    """Return parts as HTML: tables with the style of each cell, for light and dark pages. All text is escaped.

    >>> from imgconv.display.parts import text
    >>> html([text(("<b>", "bold"))])
    '<div class="imgconv"><div style="white-space:pre-wrap"><span style="font-weight:bold">&lt;b&gt;</span></div></div>'
    """
    return f'<div class="imgconv">{"".join(map(_html, parts))}</div>'


def _html(part: "Part") -> str:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    if isinstance(part, Either):
        return _html(part.first)
    if isinstance(part, Group):
        return "".join(map(_html, part.renderables))
    if isinstance(part, Table):
        return _html_table(part)
    if isinstance(part, Text) and "\n" in part.plain:
        return f'<pre style="line-height:1.05">{_spans(part)}</pre>'
    return f'<div style="white-space:pre-wrap">{_spans(part) or "&nbsp;"}</div>'


def _html_table(table: "Table") -> str:
    from rich.style import Style

    columns = table.columns
    heads = [_spans(column.header) for column in columns] if table.show_header else []
    lines = []
    if any(heads):
        sides = ["right" if column.justify == "right" else "left" for column in columns]
        lines.append(
            [f'<th scope="col" style="{CELL};text-align:{side};opacity:.65">{head}</th>' for head, side in zip(heads, sides, strict=True)]
        )
    styles = [Style.parse(column.style) if isinstance(column.style, str) else column.style for column in columns]
    for row in zip(*(column.cells for column in columns), strict=True):
        lines.append([_html_cell(cell, style, column.justify) for cell, style, column in zip(row, styles, columns, strict=True)])
    rows = "".join(f"<tr>{''.join(line)}</tr>" for line in lines)
    wrap = ";white-space:nowrap" if all(column.no_wrap for column in columns) else ""  # 1e-07 would be broken after its e-
    return f'<table style="border-collapse:collapse;width:auto;margin:4px 0{wrap}">{rows}</table>' if rows else ""


def _html_cell(cell: "Part", style: "Style", justify: str) -> str:
    from rich.text import Text

    css = f"{CELL};text-align:{'right' if justify == 'right' else 'left'}"
    if not isinstance(cell, str | Text):
        return f'<td style="{css}">{_html(cell)}</td>'
    line = _text(cell)
    if not line.spans:  # the whole cell has one style
        return f'<td style="{";".join(filter(None, (css, _css(style + _style_of(line)))))}">{escape(line.plain.strip())}</td>'
    return f'<td style="{";".join(filter(None, (css, _css(style))))}">{_spans(line)}</td>'


def _text(part: "Part") -> "Text":
    from rich.text import Text

    return part if isinstance(part, Text) else Text(str(part).strip())


def _style_of(line: "Text") -> "Style":
    from rich.style import Style

    return Style.parse(line.style) if isinstance(line.style, str) else line.style


def _spans(part: "Part") -> str:
    """Return a line of text as HTML, each run of one style in an element."""
    from rich.console import Console

    line = _text(part)
    if not line.spans:
        return _span(line.plain, _style_of(line))
    return "".join(_span(segment.text, segment.style) for segment in line.render(Console(force_jupyter=False)))


def _span(text: str, style: "Style | None") -> str:
    css = "" if style is None else _css(style)
    return f'<span style="{css}">{escape(text)}</span>' if css else escape(text)


def _css(style: "Style") -> str:
    """Return the declarations of a style: signs as tints, and the colours of cells as they are."""
    rules = (["font-weight:bold"] if style.bold else []) + (["opacity:.65"] if style.dim else [])
    if style.bgcolor is not None:
        background = WINNER if style.bgcolor.name == "yellow" else style.bgcolor.get_truecolor().hex
        rules.append(f"background:{background};color:{'white' if style.color and style.color.name == 'white' else 'black'}")
    elif style.color is not None and style.color.name in TINTS:
        rules.append(f"background:rgba({TINTS[style.color.name]},.25)")
    return ";".join(rules)


def document_head(title: str, style: str, *scripts: str) -> str:
    """Return the head of an HTML file with this title, which is escaped, and its style after the shared one.

    Its content security policy lets nothing but the style and the scripts of the file run, and lets nothing load.

    >>> document_head("a < b", "", "").count("a &lt; b")
    1
    """
    style = _shared_style() + style
    policy = POLICY.format(style=_csp_hash(style), scripts=" ".join(map(_csp_hash, scripts)))
    return f"""<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="imgconv">
<link rel="icon" href="data:,">
<title>{escape(title)}</title>
<style>{style}</style>
</head>"""


@cache
def _shared_style() -> str:
    return Path(__file__).with_name("document.css").read_text(encoding="utf-8")


def _csp_hash(text: str) -> str:
    """The name of an inline style or script in a content security policy."""
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
