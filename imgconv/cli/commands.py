"""The application that Typer runs: the commands that a command line needs, and what all of them share."""

from collections.abc import Sequence
from importlib import import_module
from typing import Annotated

import typer

from imgconv import __version__


def command_line(words: Sequence[str], commands: Sequence[str]) -> typer.Typer:
    """The application for a command line of `words`: with the one of `commands` that it names, or with all where it names none.

    Building every command for a run of one costs as much as decoding a photograph.
    """
    app = typer.Typer(
        name="imgconv",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        epilog="imgconv edge photo.jpg   |   imgconv COMMAND --help",
    )
    app.callback()(_common)
    for name in words[:1] if words and words[0] in commands else commands:
        import_module(f"imgconv.cli.{name}").add_to(app)
    return app


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"imgconv {__version__}")
        raise typer.Exit


def _common(
    version: Annotated[bool, typer.Option("--version", help="Show the version.", callback=_version, is_eager=True)] = False,
) -> None:
    """Convolution and pooling on images, exactly as PyTorch means them."""
