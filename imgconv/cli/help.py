"""The layout of --help: plain text within 80 columns, options in sections, examples on lines of their own."""

import re
from inspect import cleandoc
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

RANGE = re.compile(r"  \[[\d<=x]+\]$")  # of numbers, which the help of the option describes in words


class Command(TyperCommand):
    """A command whose epilog is lines of examples."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write usage, description, arguments and options, and examples."""
        _format_help(self, ctx, formatter)


class Group(TyperGroup):
    """A group of commands. Without a command it prints its help."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write usage, description, commands, options and examples."""
        _format_help(self, ctx, formatter)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments; print the help and exit with 2 if there are none."""
        if not args and not ctx.resilient_parsing:
            typer.echo(ctx.get_help())
            ctx.exit(2)
        return super().parse_args(ctx, args)


def _format_help(command: TyperCommand | TyperGroup, ctx: Any, formatter: Any) -> None:
    command.format_usage(ctx, formatter)
    formatter.write_paragraph()
    formatter.write_text(cleandoc(command.help or ""))
    if isinstance(command, TyperGroup):
        _write_section(formatter, "Commands", [(name, _summary(each)) for name, each in command.commands.items()])
    sections: dict[str, list[tuple[str, str]]] = {}
    for parameter in command.get_params(ctx):
        record = parameter.get_help_record(ctx)
        if record is not None and record[1]:
            default = "Arguments" if parameter.param_type_name == "argument" else "Options"
            names, text = record
            section = getattr(parameter, "rich_help_panel", None) or default
            sections.setdefault(section, []).append((names, RANGE.sub("", text)))
    general = sections.pop("Options", [])  # with --help, which comes last
    for section, records in {**sections, "Options": general}.items():
        _write_section(formatter, section, records)
    if command.epilog:
        with formatter.section("Examples"):
            for line in command.epilog.strip().splitlines():
                formatter.write(f"{'':>{formatter.current_indent}}{line}\n")


def _write_section(formatter: Any, section: str, records: list[tuple[str, str]]) -> None:
    if records:
        with formatter.section(section):
            formatter.write_dl(records)


def _summary(command: Any) -> str:
    """The first paragraph of a command's help, on one line."""
    return " ".join(cleandoc(command.help or "").partition("\n\n")[0].split())
