"""Writes the manual page imgconv.1 in this folder from the commands of the program: `python docs/make_man_page.py`."""

import re
from collections import Counter
from pathlib import Path

from commands import commands

from imgconv import __version__

PAGE = Path(__file__).with_name("imgconv.1")
COMMON = 4  # commands that share an option before it moves to a section of its own
ABOUT = """\
.SH NAME
imgconv \\- filter images with convolution and pooling; results match PyTorch
.SH SYNOPSIS
.B imgconv
.I COMMAND
.RI [ OPTION ...]
.RI [ INPUT ...]
.SH DESCRIPTION
Applies filters, edge detectors, pools and networks of layers to images, folders, animations and pipes. Further commands show what
happens: sizes, arithmetic, figures.
.PP
An
.I INPUT
is a file, a folder, a pattern or an address;
.B \\-
is standard input, and then results go to standard output. Standard output carries images or JSON and nothing else. An input is never
overwritten.
.PP
A
.I REFERENCE
to a kernel is a name
.RB ( laplacian8 ),
a name with parameters
.RB ( gaussian:sigma=2,size=9 ),
a matrix
.RB ( \\(aq0\\ \\-1\\ 0;\\ \\-1\\ 4\\ \\-1;\\ 0\\ \\-1\\ 0\\(aq ),
or a file
.RB ( @w.npy ).
Sizes are a number or
.IR H x W ,
height first.
"""
REST = """\
.SH EXIT STATUS
.TP
.B 0
Everything was done.
.TP
.B 1
Some input failed, or the request does not fit that image. The other inputs were processed.
.TP
.B 2
The usage is wrong. No image was opened.
.TP
.B 130
The run was interrupted.
.SH ENVIRONMENT
.TP
.B IMGCONV_KERNELS
A kernels file that takes precedence over your own.
.TP
.B IMGCONV_CACHE
The folder in which compiled loops are cached.
.TP
.B IMGCONV_TRACEBACK
With 1, internal errors show where they happened.
.SH FILES
.B imgconv kernels path
prints the path of your own kernels file.
.B imgconv warmup
prints the folder of compiled loops.
.B imgconv \\-\\-install\\-completion
adds shell completion, which includes the names of kernels.
"""


def page():
    """The whole page, as roff; the same commands give the same text."""
    described = commands()
    counts = Counter(_described(option) for command in described for option in command.options)
    common = {text for text, count in counts.items() if count >= COMMON}
    parts = [f'.TH IMGCONV 1 "" "imgconv {__version__}" "User Commands"\n.nh\n.ad l\n', ABOUT, ".SH COMMANDS\n"]
    parts += [_section(command, common) for command in described]
    parts.append(f".SH COMMON OPTIONS\nOptions that at least {COMMON} commands share.\n")
    parts += sorted(common, key=lambda text: text.replace("\\-", "").casefold())
    return "".join([*parts, REST])


def _section(command, common):
    parts = [f".SS {_escaped(command.usage)}\n", f"{_words(command.help)}\n"]
    parts += [f".TP\n{_italic(each.name)}\n{_words(each.help)}\n" for each in command.arguments if each.help]
    options = {_described(option): option for option in command.options}
    parts += [text for text in options if text not in common]
    shared = sorted(_bold(option.name) for text, option in options.items() if text in common)
    parts += [f".PP\nAlso {', '.join(shared)}.\n"] if shared else []
    for title, records in command.sections.items():
        parts += [f".PP\n{_words(title)}:\n", *(f".TP\n{_bold(name)}\n{_words(text)}\n" for name, text in records)]
    return "".join([*parts, ".PP\n.RS 4\n.nf\n", *(f"{_escaped(line)}\n" for line in command.examples), ".fi\n.RE\n"])


def _described(option):
    """An option with what it takes, what it means, and its default."""
    takes = f" {_italic(option.takes)}" if option.takes else ""
    return f".TP\n{', '.join(map(_bold, option.names))}{takes}\n{_words(option.help)}\n"


def _bold(text):
    return f"\\fB{_escaped(text)}\\fR"


def _italic(text):
    return f"\\fI{_escaped(text)}\\fR"


def _words(text):
    """Text as it stands in a paragraph; what stands between backticks is bold."""
    return re.sub(r"\\\(ga(.+?)\\\(ga", r"\\fB\1\\fR", _escaped(" ".join((text or "").split())))


def _escaped(text):
    for letter, roff in {"\\": "\\e", "-": "\\-", "'": "\\(aq", "`": "\\(ga", "^": "\\(ha", "~": "\\(ti"}.items():
        text = text.replace(letter, roff)
    return f"\\&{text}" if text.startswith((".", "\\(aq")) else text


if __name__ == "__main__":
    PAGE.write_text(page())
