"""The command line: which commands there are, and how an error becomes one line and an exit code."""

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated

import typer

from imgconv import __version__
from imgconv.errors import ImgconvError

COMMANDS = ("edge", "filter", "pool", "run", "kernels", "warmup")


def command_line(words: Sequence[str]) -> typer.Typer:
    """The application for a command line of `words`: with the one command that it names, or with all where it names none.

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
    for name in words[:1] if words and words[0] in COMMANDS else COMMANDS:
        import_module(f"imgconv.cli.{name}").add_to(app)
    return app


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"imgconv {__version__}")
        raise typer.Exit


def _common(
    version: Annotated[bool, typer.Option("--version", help="Show the version.", callback=_version, is_eager=True)] = False,
) -> None:
    """Convolution and pooling on pictures, exactly as PyTorch means them."""


def main() -> None:
    """Run the command line and leave with 0, 1, 2 or 130; no error ever shows a traceback."""
    _fill_closed_streams()
    try:
        code = command_line(sys.argv[1:])(standalone_mode=False)
    except ImgconvError as error:
        code = _fail(str(error), error.exit_code)
    except KeyboardInterrupt:
        code = _fail("interrupted; run the same command with --skip-existing to go on", 130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nobody reads any more; that is no error
        code = 0
    except Exception as error:
        if not hasattr(error, "format_message"):  # Typer's own errors of usage, whichever Click it brings
            raise
        code = _fail(error.format_message(), 2)
    sys.exit(code if isinstance(code, int) else 0)


def _fill_closed_streams() -> None:
    """Put the null device where a standard stream is closed, so that no file that is opened later takes its place."""
    for descriptor, name in ((0, "stdin"), (1, "stdout"), (2, "stderr")):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
            if name == "stderr":
                sys.stderr = os.fdopen(descriptor, "w", closefd=False)


def _fail(message: str, code: int) -> int:
    sys.stderr.write(f"imgconv: {' '.join(message.split())}\n")
    return code
