"""The command line: which commands there are, and how an error becomes one line and an exit code."""

import os
import sys
from typing import Annotated

import typer

from imgconv import __version__
from imgconv.cli import kernels
from imgconv.cli.edge import edge
from imgconv.cli.filter import filter
from imgconv.cli.pool import pool
from imgconv.errors import ImgconvError

app = typer.Typer(
    name="imgconv",
    help="Convolution and pooling on pictures, exactly as PyTorch means them.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="imgconv edge photo.jpg          writes photo.edge.png",
)
app.command(epilog="imgconv edge photo.jpg   |   imgconv edge photos/ -k sobel --threshold 80 -o edges/")(edge)
app.command(epilog="imgconv filter photo.jpg -k gaussian:sigma=3   |   imgconv filter photo.jpg -k '0 -1 0; -1 5 -1; 0 -1 0' -o sharp.png")(
    filter
)
app.command(
    epilog="imgconv pool photo.jpg --size 4 --mode avg   |   imgconv pool scan.png --size 3 --stride 1 --padding same --mode median"
)(pool)
app.add_typer(kernels.app, name="kernels")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"imgconv {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[bool, typer.Option("--version", help="Show the version.", callback=_version, is_eager=True)] = False,
) -> None:
    """Convolution and pooling on pictures, exactly as PyTorch means them."""


def main() -> None:
    """Run the command line and leave with 0, 1, 2 or 130; no error ever shows a traceback."""
    try:
        code = app(standalone_mode=False)
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


def _fail(message: str, code: int) -> int:
    sys.stderr.write(f"imgconv: {' '.join(message.split())}\n")
    return code
