"""The commands `imgconv kernels`: list, show, add, remove, path and gallery."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imgconv.cli.completion import complete_kernel, complete_own_kernel, complete_tag
from imgconv.cli.figure import FigureFile
from imgconv.cli.help import Command, Group
from imgconv.cli.options import MAX_PIXELS, Input, KernelsFile, MaxPixels
from imgconv.modes import Range

if TYPE_CHECKING:
    from imgconv.registry import Entry

ENTRY_KEYS = ("name", "kind", "description", "range", "tags", "parameters", "source", "origin", "file", "shadows")
Json = Annotated[bool, typer.Option("--json", help="Write lines of JSON to standard output.")]
Tag = Annotated[
    list[str] | None,
    typer.Option("--tag", metavar="TAG", help="Select entries with this tag. Repeat to require several.", autocompletion=complete_tag),
]
Reference = Annotated[
    str,
    typer.Argument(
        metavar="REFERENCE",
        help="A kernel as for -k: a name, a name with parameters, a matrix or @file.npy.",
        autocompletion=complete_kernel,
    ),
]

app = typer.Typer(
    name="kernels",
    cls=Group,
    rich_markup_mode=None,
    help="List, show, add, remove and draw kernels.",
    epilog="imgconv kernels list blur\nimgconv kernels show sobel",
)


@app.command("list", cls=Command, epilog="imgconv kernels list sobel\nimgconv kernels list --tag blur --json")
def list_entries(
    words: Annotated[list[str] | None, typer.Argument(metavar="[WORD]...", help="Select entries that contain all these words.")] = None,
    tag: Tag = None,
    kernels_file: KernelsFile = None,
    json: Json = False,
) -> None:
    """List kernels and banks.

    Shows which of your own entries replace built-in ones.
    """
    from imgconv.cli.console import write_json, write_message
    from imgconv.registry import Registry

    entries = [entry for entry in Registry.load(kernels_file).entries() if _matches(entry, words or [], tag or [])]
    if not entries:
        write_message("no kernel has all of these words and tags; imgconv kernels list shows all")
    elif json:
        for entry in entries:
            write_json({key: getattr(entry, key) for key in ENTRY_KEYS})
    else:
        _print_entries(entries)


@app.command(
    cls=Command,
    epilog="imgconv kernels show sobel\nimgconv kernels show gaussian:sigma=2",
    context_settings={"ignore_unknown_options": True},  # a matrix may begin with a minus
)
def show(reference: Reference, kernels_file: KernelsFile = None, json: Json = False) -> None:
    """Show the numbers of a kernel, or of each kernel of a bank.

    Also shows the sum, gain, divisor, rank and source.
    """
    from imgconv.cli.console import print_parts, write_json
    from imgconv.registry import Registry, resolve

    kernel = resolve(reference, Registry.load(kernels_file))
    if json:
        write_json(kernel.to_dict())
    else:
        print_parts(*kernel.parts())


@app.command(
    cls=Command, epilog="imgconv kernels add cross -k '0 1 0; 1 1 1; 0 1 0 / 5'\nimgconv kernels add blur9 -k gaussian:sigma=9 --tag blur"
)
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the kernel: a letter, then letters, digits, _ and -.")],
    kernel: Annotated[
        str, typer.Option("-k", "--kernel", metavar="REFERENCE", help="The kernel: a matrix, @file.npy, or a name with parameters.")
    ],
    description: Annotated[str, typer.Option("--description", metavar="TEXT", help="What the kernel does, in one sentence.")] = "",
    source: Annotated[str, typer.Option("--source", metavar="TEXT", help="Where the kernel comes from, such as a book or paper.")] = "",
    tag: Annotated[
        list[str] | None, typer.Option("--tag", metavar="TAG", help="A tag that `kernels list` can select. Repeat for several.")
    ] = None,
    default_range: Annotated[
        Range | None, typer.Option("--range", help="How to convert signed results of this kernel to pixels by default.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing entry of that name.")] = False,
    kernels_file: KernelsFile = None,
) -> None:
    """Add a kernel to your kernels file.

    Comments and order of the file are preserved.
    """
    from imgconv.cli.console import write_message
    from imgconv.registry import Registry, add_entry

    details = {"description": description, "source": source, "tags": tag, "range": default_range and default_range.value}
    path = add_entry(name, kernel, registry=Registry.load(kernels_file), details=details, replace=force)
    write_message(added_message(name, path, kernels_file))


@app.command(cls=Command, epilog="imgconv kernels remove cross\nimgconv kernels remove blur9")
def remove(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the kernel or bank.", autocompletion=complete_own_kernel)],
) -> None:
    """Remove a kernel from your kernels file.

    Comments and order of the file are preserved. Built-in kernels cannot be removed.
    """
    from imgconv.cli.console import write_message
    from imgconv.registry import remove_entry

    write_message(f"removed {name} from {remove_entry(name)}")


@app.command(cls=Command, epilog='imgconv kernels path\n$EDITOR "$(imgconv kernels path)"')
def path() -> None:
    """Print the path of your kernels file.

    The file does not need to exist.
    """
    from imgconv.cli.console import write_line
    from imgconv.registry import user_file

    write_line(str(user_file()))


@app.command(
    cls=Command, epilog="imgconv kernels gallery photo.jpg -o sheet.png\nimgconv kernels gallery photo.jpg --tag blur -o blurs.pdf"
)
def gallery(
    source: Input, output: FigureFile, tag: Tag = None, kernels_file: KernelsFile = None, max_pixels: MaxPixels = MAX_PIXELS
) -> None:
    """Draw the result of every kernel and bank on one contact sheet."""
    from imgconv.cli.figure import write_gallery
    from imgconv.errors import UsageError
    from imgconv.registry import Registry

    registry = Registry.load(kernels_file)
    names = [entry.name for entry in registry.entries() if _matches(entry, [], tag or [])]
    if not names:
        raise UsageError("no kernel has all of these tags; imgconv kernels list shows all")
    write_gallery(source, registry, names, output, max_pixels)


def added_message(name: str, path: Path, kernels_file: Path | None = None) -> str:
    """What has been added to a kernels file, and the kernel of that name that it replaces."""
    from imgconv.registry import Registry

    entry = next((entry for entry in Registry.load(kernels_file).entries() if entry.name == name), None)
    shadows = f"; it replaces the {entry.shadows} kernel" if entry and entry.shadows else ""
    return f"added {name} to {path}{shadows}"


def _matches(entry: "Entry", words: list[str], tags: list[str]) -> bool:
    text = " ".join((entry.name, entry.description, *entry.tags)).casefold()
    return all(word.casefold() in text for word in words) and set(tags) <= set(entry.tags)


def _print_entries(entries: "list[Entry]") -> None:
    from imgconv.cli.console import print_parts
    from imgconv.display.parts import table, text

    rows = table()
    rows.add_column(no_wrap=True, style="bold")
    rows.add_column(no_wrap=True, style="dim")
    rows.add_column()
    for entry in entries:
        shadows = f", replaces the {entry.shadows} one" if entry.shadows else ""
        origin = "" if entry.origin == "built-in" else f" ({entry.origin}{shadows})"
        parameters = f" [{', '.join(entry.parameters)}]" if entry.parameters else ""
        rows.add_row(text(entry.name), entry.kind, text(f"{entry.description or 'no description'}{parameters}{origin}"))
    print_parts(rows)
