"""Writes the manual page beside it, imgconv.1, from the commands themselves: python docs/make_man_page.py"""

import re
from collections import Counter
from pathlib import Path

import typer

from imgconv import __version__
from imgconv.cli.app import command_line

PAGE = Path(__file__).with_name("imgconv.1")
TAKES = {"int": "N", "integer": "N", "int range": "N", "integer range": "N", "float": "X"}
COMMON = 4  # commands that share an option before it moves to a section of its own
ABOUT = """\
.SH NAME
imgconv \\- convolution and pooling on images, exactly as PyTorch means them
.SH SYNOPSIS
.B imgconv
.I COMMAND
.RI [ OPTION ...]
.RI [ INPUT ...]
.SH DESCRIPTION
Filters, edges, pools and whole networks of layers on single images, folders, frames and pipes, at compiled speed; and commands that
show what happens: sizes, arithmetic, figures.
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
All done.
.TP
.B 1
Some input failed, also when the request does not fit that image.
.TP
.B 2
Wrong usage.
.TP
.B 130
Interrupted.
.SH ENVIRONMENT
.TP
.B IMGCONV_KERNELS
A file of kernels that comes before your own.
.TP
.B IMGCONV_CACHE
The folder in which compiled loops are kept.
.TP
.B IMGCONV_TRACEBACK
With 1, internal errors show where they happened.
.SH FILES
.B imgconv kernels path
prints where your own kernels are;
.B imgconv warmup
says where compiled loops are kept. Completion, kernel names included:
.BR "imgconv \\-\\-install\\-completion" .
"""


def page():
    """The whole page, as roff; the same commands give the same text."""
    group = typer.main.get_command(command_line())
    commands = list(_commands("imgconv", group))
    counts = Counter(_told(option) for _, command in commands for option in _options(command))
    common = {told for told, count in counts.items() if count >= COMMON}
    parts = [f'.TH IMGCONV 1 "" "imgconv {__version__}" "User Commands"\n.nh\n.ad l\n', ABOUT, ".SH COMMANDS\n"]
    parts += [_section(name, command, common) for name, command in commands]
    parts.append(f".SH COMMON OPTIONS\nOptions that at least {COMMON} commands share.\n")
    parts += sorted(common, key=lambda told: told.replace("\\-", "").casefold())
    return "".join([*parts, REST])


def _commands(name, command):
    """Every command with its name in full, those of groups after the others of their place."""
    for part, each in getattr(command, "commands", {}).items():
        if hasattr(each, "commands"):
            yield from _commands(f"{name} {part}", each)
        else:
            yield f"{name} {part}", each


def _section(name, command, common):
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    parts = [f".SS {_escaped(' '.join([name, *map(_name_of, arguments)]))}\n", f"{_words(command.help)}\n"]
    parts += [f".TP\n{_italic(_name_of(each))}\n{_words(each.help)}\n" for each in arguments if each.help]
    options = {_told(option): option for option in _options(command)}
    parts += [told for told in options if told not in common]
    shared = sorted(_bold(option.opts[-1]) for told, option in options.items() if told in common)
    parts += [f".PP\nAlso {', '.join(shared)}.\n"] if shared else []
    for title, records in command.more_sections().items():
        parts += [f".PP\n{_words(title)}:\n", *(f".TP\n{_bold(name)}\n{_words(text)}\n" for name, text in records)]
    examples = [f"{_escaped(example.strip())}\n" for example in (command.epilog or "").strip().splitlines()]
    return "".join([*parts, ".PP\n.RS 4\n.nf\n", *examples, ".fi\n.RE\n"])


def _name_of(argument):
    name = argument.metavar or argument.name.upper()
    return f"{name}..." if argument.nargs < 0 and not name.endswith("...") else name


def _options(command):
    return [each for each in command.params if each.param_type_name == "option" and not each.hidden]


def _told(option):
    """An option with what it takes, what it means, and its default."""
    names = ", ".join(map(_bold, (*option.opts, *option.secondary_opts)))
    choices = "|".join(getattr(option.type, "choices", ())) or TAKES.get(option.type.name.lower(), "TEXT")
    takes = "" if option.is_flag else f" {_italic(option.metavar or choices)}"
    default = "" if option.default in (None, "", False, True) or option.multiple else f" Default: {_escaped(str(option.default))}."
    return f".TP\n{names}{takes}\n{_words(option.help)}{default}\n"


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
