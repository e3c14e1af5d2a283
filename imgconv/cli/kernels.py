"""`imgconv kernels`: list, show, add and path."""

from typing import TYPE_CHECKING, Annotated

import typer

from imgconv.cli.figure import FigureFile, MaxPixels
from imgconv.cli.options import KernelsFile, complete_kernel
from imgconv.modes import Range

if TYPE_CHECKING:
    from imgconv.registry import Entry

Json = Annotated[bool, typer.Option("--json", help="Lines of JSON on standard output.")]
Reference = Annotated[
    str,
    typer.Argument(metavar="REFERENCE", help="As -k takes it: a name, a matrix, @file.npy.", autocompletion=complete_kernel),
]

app = typer.Typer(name="kernels", help="The kernels that -k knows, and your own.", no_args_is_help=True)


def add_to(parent: typer.Typer) -> None:
    """Add the commands to `parent`."""
    parent.add_typer(app, name="kernels")


@app.command("list", epilog="imgconv kernels list sobel   |   imgconv kernels list --tag blur --json")
def list_entries(
    words: Annotated[list[str] | None, typer.Argument(metavar="WORD", help="Only entries with all these words.")] = None,
    tag: Annotated[list[str] | None, typer.Option("--tag", help="Only entries with this tag; repeat for several.")] = None,
    kernels_file: KernelsFile = None,
    json: Json = False,
) -> None:
    """List kernels and banks, and say which of your own hide built-in ones."""
    from imgconv.cli import kernels_view
    from imgconv.registry import Registry

    found = [entry for entry in Registry.load(kernels_file).entries() if _wanted(entry, words or [], tag or [])]
    if not found:
        typer.echo("no kernel has all of these words and tags; imgconv kernels list shows all", err=True)
    (kernels_view.print_entry_lines if json else kernels_view.print_entries)(found)


@app.command(
    epilog="imgconv kernels show sobel   |   imgconv kernels show gaussian:sigma=2",
    context_settings={"ignore_unknown_options": True},  # a matrix may begin with a minus
)
def show(reference: Reference, kernels_file: KernelsFile = None, json: Json = False) -> None:
    """Show the numbers of a kernel, or of every kernel of a bank, with their sum, gain, divisor, rank and source."""
    from imgconv.cli import kernels_view
    from imgconv.registry import Registry, resolve

    shown = resolve(reference, Registry.load(kernels_file))
    (kernels_view.print_kernel_line if json else kernels_view.print_kernel)(shown)


@app.command(epilog="imgconv kernels add cross -k '0 1 0; 1 1 1; 0 1 0 / 5'   |   imgconv kernels add blur9 -k gaussian:sigma=9 --tag blur")
def add(
    name: Annotated[str, typer.Argument(help="Letters, digits, _ and -, a letter first.")],
    kernel: Annotated[str, typer.Option("-k", "--kernel", metavar="REFERENCE", help="What the name stands for: a matrix, @file.npy, ...")],
    description: Annotated[str, typer.Option("--description", metavar="TEXT", help="What it does, in a sentence.")] = "",
    source: Annotated[str, typer.Option("--source", metavar="TEXT", help="Where it comes from.")] = "",
    tag: Annotated[list[str] | None, typer.Option("--tag", help="A word to find it by; repeat for several.")] = None,
    default_range: Annotated[Range | None, typer.Option("--range", help="How signed results become pixels by default.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an entry of that name.")] = False,
    kernels_file: KernelsFile = None,
) -> None:
    """Add a kernel to your own kernels file, whose comments and order are kept."""
    from imgconv.registry import Registry, add_entry

    registry = Registry.load(kernels_file)
    written = add_entry(
        name,
        kernel,
        registry=registry,
        description=description,
        source=source,
        tags=tuple(tag or ()),
        default_range=default_range.value if default_range else "",
        replace=force,
    )
    hidden = next((entry for entry in Registry.load(kernels_file).entries() if entry.name == name), None)
    shadows = f"; it now hides the {hidden.shadows} one" if hidden and hidden.shadows else ""
    typer.echo(f"added {name} to {written}{shadows}", err=True)


@app.command(epilog='imgconv kernels path   |   $EDITOR "$(imgconv kernels path)"')
def path() -> None:
    """Print the path of your own kernels file, whether or not it exists yet."""
    from imgconv.registry import user_file

    typer.echo(user_file())


@app.command(epilog="imgconv kernels gallery photo.jpg -o sheet.png   |   imgconv kernels gallery photo.jpg --tag blur -o blurs.pdf")
def gallery(
    source: Annotated[str, typer.Argument(metavar="INPUT", help="An image, or - for standard input.", show_default=False)],
    output: FigureFile,
    tag: Annotated[list[str] | None, typer.Option("--tag", help="Only entries with this tag; repeat for several.")] = None,
    kernels_file: KernelsFile = None,
    max_pixels: MaxPixels = "178956970",
) -> None:
    """Draw what every kernel and bank makes of an image, as one contact sheet."""
    from imgconv.cli.figuring import write_gallery
    from imgconv.errors import UsageError
    from imgconv.registry import Registry

    registry = Registry.load(kernels_file)
    names = [entry.name for entry in registry.entries() if _wanted(entry, [], tag or [])]
    if not names:
        raise UsageError("no kernel has all of these tags; imgconv kernels list shows all")
    write_gallery(source, registry, names, output, max_pixels)


def _wanted(entry: "Entry", words: list[str], tags: list[str]) -> bool:
    text = " ".join((entry.name, entry.description, *entry.tags)).casefold()
    return all(word.casefold() in text for word in words) and set(tags) <= set(entry.tags)
