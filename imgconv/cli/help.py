"""The layout of --help: plain text within 80 columns, options in sections, examples on lines of their own."""

import os
import re
from collections.abc import Iterable
from inspect import cleandoc
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption

NOTES = re.compile(r"(?:(; )|  \[)\d+<=x<=\d+\]|  \[required\]")  # the usage line and the help text say so in words


class Command(TyperCommand):
    """A command whose epilog is lines of examples."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write usage, description, arguments and options, and examples."""
        _format_help(self, ctx, formatter)

    def more_sections(self) -> dict[str, list[tuple[str, str]]]:
        """Sections before the examples, of names and their help."""
        return {}


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

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command; fail with an example if the word is a file and not a command."""
        name = args[0]
        if name not in self.commands and (name == "-" or Path(name).suffix or os.path.exists(name)):
            ctx.fail(f"expected a command before {name}, for example {ctx.command_path} {next(iter(self.commands))} {name}")
        if name not in self.commands and "filter" in self.commands and _is_kernel(name):
            ctx.fail(f"{name} is a kernel and not a command; write {ctx.command_path} filter -k {name}")
        if name not in self.commands and not _similar(name, self.commands):
            ctx.fail(f"no such command {name!r}; {ctx.command_path} --help lists all")
        return super().resolve_command(ctx, args)


def _similar(name: str, others: Iterable[str]) -> list[str]:
    from difflib import get_close_matches  # only needed for wrong names

    return get_close_matches(name, list(others))


def _is_kernel(name: str) -> bool:
    from imgconv.registry import Registry

    return name in Registry.load().names()


def _format_help(command: TyperCommand | TyperGroup, ctx: Any, formatter: Any) -> None:
    parameters = command.get_params(ctx)
    operands = [each.metavar for each in parameters if each.param_type_name == "argument"]
    formatter.write_usage(ctx.command_path, " ".join(["[OPTIONS]", *(["COMMAND"] if isinstance(command, TyperGroup) else operands)]))
    formatter.write_paragraph()
    formatter.write_text(cleandoc(command.help or ""))
    if isinstance(command, TyperGroup):
        _write_section(formatter, "Commands", [(name, _summary(each)) for name, each in command.commands.items()])
    sections: dict[str, list[tuple[str, str]]] = {}
    has_sections = len({each.rich_help_panel for each in parameters if isinstance(each, TyperOption)} - {None}) > 1
    for parameter in parameters:
        names, text = parameter.get_help_record(ctx) or ("", "")
        section = "Arguments" if parameter.param_type_name == "argument" else "Options"
        if has_sections and isinstance(parameter, TyperOption):
            section = parameter.rich_help_panel or section
        sections.setdefault(section, []).append((names, NOTES.sub(lambda match: "]" if match[1] else "", text)))
    for section in sorted(sections, key="Options".__eq__):  # last, since it holds --help
        _write_section(formatter, section, sections[section])
    for section, records in command.more_sections().items() if isinstance(command, Command) else ():
        _write_section(formatter, section, records)
    if command.epilog:
        with formatter.section("Examples"):
            for line in command.epilog.strip().splitlines():
                formatter.write(f"{'':>{formatter.current_indent}}{line}\n")


def _write_section(formatter: Any, section: str, records: list[tuple[str, str]]) -> None:
    with formatter.section(section):
        formatter.write_dl(records)


def _summary(command: Any) -> str:
    """The first paragraph of a command's help, on one line."""
    return " ".join(cleandoc(command.help or "").partition("\n\n")[0].split())
