"""Lists every command of the program with its arguments, options and examples, for the manual page and the documentation site."""

from dataclasses import dataclass

import typer

from imgconv.cli.app import command_line

TAKES = {"int": "N", "integer": "N", "int range": "N", "integer range": "N", "float": "X"}


@dataclass(frozen=True)
class Option:
    """The long name of an option or argument, all its names, what it takes, its help with its default, and its section in `--help`."""

    name: str
    names: tuple[str, ...]
    takes: str
    help: str
    section: str


@dataclass(frozen=True)
class Command:
    """A command with its full name; `sections` are further lists of names with their help."""

    name: str
    help: str
    arguments: list[Option]
    options: list[Option]
    sections: dict[str, list[tuple[str, str]]]
    examples: list[str]

    @property
    def usage(self):
        """The name and the arguments."""
        return " ".join([self.name, *(argument.name for argument in self.arguments)])


def commands():
    """Every command in the order of `--help`."""
    return [_command(name, command) for name, command in _walk("imgconv", typer.main.get_command(command_line()))]


def _walk(name, group):
    for part, command in group.commands.items():
        yield from _walk(f"{name} {part}", command) if hasattr(command, "commands") else [(f"{name} {part}", command)]


def _command(name, command):
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    options = [each for each in command.params if each.param_type_name == "option" and not each.hidden]
    examples = [line.strip() for line in (command.epilog or "").strip().splitlines()]
    return Command(name, command.help or "", [*map(_argument, arguments)], [*map(_option, options)], command.more_sections(), examples)


def _argument(argument):
    name = argument.metavar or argument.name.upper()
    name += "..." if argument.nargs < 0 and not name.endswith("...") else ""
    return Option(name, (name,), "", argument.help or "", "Arguments")


def _option(option):
    choices = "|".join(getattr(option.type, "choices", ())) or TAKES.get(option.type.name.lower(), "TEXT")
    default = "" if option.default in (None, "", False, True) or option.multiple else f" Default: {option.default}."
    takes = "" if option.is_flag else option.metavar or choices
    names = (*option.opts, *option.secondary_opts)
    return Option(option.opts[-1], names, takes, (option.help or "") + default, option.rich_help_panel or "Options")
