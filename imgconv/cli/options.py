"""The options that commands share, each declared once.

A command takes groups of options. `grouped` turns each attribute of a group into an option of its own for Typer.
"""

import inspect
from collections.abc import Callable
from enum import StrEnum
from functools import cache, wraps
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from imgconv import __version__
from imgconv.cli.completion import complete_compression, complete_format, complete_kernel, complete_padding
from imgconv.modes import AlphaRule, Axes, MissingMode, Mode, PaddingMode, PoolMode, Range

WHAT, WHERE, MESSAGES, HOW = "Processing", "Output", "Messages", "Execution"  # sections of --help
MAX_PIXELS = "178956970"


class OnError(StrEnum):
    """What a run does after an input has failed."""

    carry_on = "continue"
    stop = "stop"


def option(section: str, *names: str, help: str, **settings: Any) -> Any:
    """An option of one section of --help; `settings` are those of `typer.Option`."""
    return typer.Option(*names, help=help, rich_help_panel=section, **settings)


def mode_option(name: str, modes: type[Mode], help: str, more: str = "", **settings: Any) -> Any:
    """An option that takes one of `modes`, which its help lists."""
    text = f"{help}: {modes.described()}. {more}".rstrip()
    return option(WHAT, name, help=text, autocompletion=modes.completed, **settings)


Inputs = Annotated[
    list[str],
    typer.Argument(
        metavar="INPUT...",
        help="Image files, folders, patterns, addresses such as s3://bucket/photos, or - for standard input.",
        default_factory=list,
        show_default=False,
    ),
]


def _only_file(name: str) -> str:
    from imgconv.batch.sources import only_file

    return only_file(name)


Input = Annotated[
    str,
    typer.Argument(metavar="INPUT", help="An image file, an address, or - for standard input.", show_default=False, callback=_only_file),
]
Shape = Annotated[
    str | None,
    option(
        WHAT,
        "--window",
        metavar="REFERENCE",
        help="Pool: a window of any shape, the cells where this kernel is not zero (disk:radius=7, '0 1 0; 1 1 1; 0 1 0', @mask.npy).",
        autocompletion=complete_kernel,
    ),
]
KernelsFile = Annotated[
    Path | None,
    option(WHAT, "--kernels-file", metavar="FILE", help="Also read kernels from this file. They take precedence over all others."),
]
Stride = Annotated[
    str | None,
    option(WHAT, "--stride", metavar="N|HxW", help="Step between windows. Filters and --window default to 1, --size to the size."),
]
Padding = Annotated[
    str | None,
    option(
        WHAT,
        "--padding",
        metavar="N|HxW|same|valid|full",
        help="Pixels added on each side of the image, or a rule that chooses them.",
        autocompletion=complete_padding,
    ),
]
PoolPadding = Annotated[
    str | None,
    option(
        WHAT,
        "--padding",
        metavar="N|HxW|same|valid|full",
        help="Pixels added on each side of the image, or a rule that chooses them. --window defaults to same, --size to valid.",
        autocompletion=complete_padding,
    ),
]
Dilation = Annotated[str, option(WHAT, "--dilation", metavar="N|HxW", help="Distance between neighbouring cells of the window.")]
Grey = Annotated[
    bool | None,
    option(
        WHAT,
        "--grey/--color",
        "--gray/--colour",
        help="Process the luma, or each colour channel. edge defaults to --grey, other commands to --color.",
    ),
]
Alpha = Annotated[AlphaRule, mode_option("--alpha", AlphaRule, "How to treat transparency")]
Nodata = Annotated[
    str,
    option(
        WHAT,
        "--nodata",
        metavar="auto|VALUE|nan|none",
        help="The value of missing cells, which are left out. auto: the one that a file declares.",
    ),
]
Mask = Annotated[
    str | None, option(WHAT, "--mask", metavar="FILE", help="An image of the same size as the inputs, in which 0 means missing.")
]
Missing = Annotated[MissingMode, mode_option("--missing", MissingMode, "How to treat missing cells")]
MinValid = Annotated[
    float,
    option(
        WHAT,
        "--min-valid",
        metavar="SHARE",
        help="The share of a window that must be valid, weighted by the absolute taps. By default, any share above 0 is enough.",
        show_default=False,
    ),
]
Invert = Annotated[bool, option(WHAT, "--invert", help="Invert the result, to draw dark on white.")]
Overlay = Annotated[bool, option(WHAT, "--overlay", help="Draw the result over the photo, in red.")]
Recursive = Annotated[
    bool, option(WHERE, "-r", "--recursive/--no-recursive", help="Process subfolders (the default), or skip them.", show_default=False)
]
MaxPixels = Annotated[str, option(HOW, "--max-pixels", metavar="N|none", help="Refuse images with more pixels than this.")]
Salvage = Annotated[bool, option(HOW, "--salvage", help="Use the readable part of damaged images.")]
AxesOrder = Annotated[
    Axes | None,
    mode_option(
        "--axes",
        Axes,
        "Order of the axes of a .npy array with three axes",
        "By default, a last axis of 3 or 4 means HWC, and any other shape means CHW.",
    ),
]
Json = Annotated[bool, option(MESSAGES, "--json", help="Write a line of JSON for each image to standard output.")]
Quiet = Annotated[bool, option(MESSAGES, "-q", "--quiet", help="Show only errors.")]


PaddingModeName = Annotated[str | None, mode_option("--padding-mode", PaddingMode, "Values beyond the edge of the image", metavar="MODE")]


class Options:
    """A group of options, each an attribute with `Annotated[type, typer.Option(...)]` and a default.

    The groups of one command would take 4 ms of every start as dataclasses (2026-11).
    """

    def __init__(self, **values: Any) -> None:
        vars(self).update(values)

    @classmethod
    @cache
    def hints(cls) -> dict[str, Any]:
        """The annotation of each option."""
        return get_type_hints(cls, include_extras=True)


class FilterOptions(Options):
    """Options of what `edge` and `filter` compute."""

    kernel: Annotated[
        list[str] | None,
        option(
            WHAT,
            "-k",
            "--kernel",
            metavar="REFERENCE",
            help="Kernel: a name, a name with parameters (gaussian:sigma=2), a matrix ('0 -1 0; -1 4 -1; 0 -1 0') or a file (@w.npy). "
            "Repeat for several maps.",
            autocompletion=complete_kernel,
        ),
    ] = None
    range: Annotated[
        Range | None, mode_option("--range", Range, "How to convert signed results to pixels", "Each kernel has its own default.")
    ] = None
    threshold: Annotated[
        float | None, option(WHAT, "--threshold", metavar="LEVEL", help="Make pixels white from this level up, and black below it.")
    ] = None
    invert: Invert = False
    overlay: Overlay = False
    grey: Grey = None
    stride: Stride = None
    padding: Padding = "same"
    padding_mode: PaddingModeName = "replicate"
    dilation: Dilation = "1"
    flip: Annotated[bool, option(WHAT, "--flip", help="Rotate the kernel by 180 degrees (mathematical convolution).")] = False
    linear: Annotated[bool, option(WHAT, "--linear", help="Compute in linear light.")] = False
    alpha: Alpha = AlphaRule.auto
    nodata: Nodata = "auto"
    mask: Mask = None
    missing: Missing = MissingMode.keep
    min_valid: MinValid = 0.0
    kernels_file: KernelsFile = None


class PoolOptions(Options):
    """Options of what `pool` computes."""

    size: Annotated[str | None, option(WHAT, "--size", metavar="N|HxW", help="Window size in pixels. Defaults to 2.")] = None
    window: Shape = None
    mode: Annotated[str, mode_option("--mode", PoolMode, "How to reduce each window to one value", metavar="MODE")] = PoolMode.max.value
    stride: Stride = None
    padding: PoolPadding = None
    padding_mode: Annotated[
        str | None,
        mode_option("--padding-mode", PaddingMode, "Values beyond the edge of the image", "By default, they are ignored.", metavar="MODE"),
    ] = None
    dilation: Dilation = "1"
    ceil_mode: Annotated[bool, option(WHAT, "--ceil-mode", help="Include a last window that extends beyond the edge of the image.")] = False
    grey: Grey = None
    alpha: Alpha = AlphaRule.auto
    nodata: Nodata = "auto"
    mask: Mask = None
    missing: Missing = MissingMode.keep
    min_valid: MinValid = 0.0
    kernels_file: KernelsFile = None


class WhereOptions(Options):
    """Options of where inputs come from and where results go."""

    output: Annotated[
        str | None, option(WHERE, "-o", "--output", metavar="PATH", help="Output file, folder or address, or - for standard output.")
    ] = None
    format: Annotated[
        str | None,
        option(
            WHERE,
            "--format",
            metavar="NAME",
            help="Output format, such as png, jpeg, tiff, webp, pnm, npy, npz or zarr.",
            autocompletion=complete_format,
        ),
    ] = None
    quality: Annotated[
        int | None,
        option(
            WHERE,
            "--quality",
            metavar="N",
            min=1,
            max=100,
            help="Quality of JPEG, WebP, AVIF, JPEG 2000 and JPEG XL files, from 1 to 100.",
            show_default=False,
        ),
    ] = None
    tile: Annotated[
        str | None,
        option(
            WHERE,
            "--tile",
            metavar="N|HxW",
            help="Size of the tiles of TIFF files, a multiple of 16 (large ones have 256x256), or of the chunks of Zarr arrays (512x512).",
        ),
    ] = None
    compression: Annotated[
        str | None,
        option(
            WHERE,
            "--compression",
            metavar="NAME",
            help="Compression of TIFF files and Zarr arrays: deflate (the default of TIFF), zstd (that of Zarr) or none.",
            autocompletion=complete_compression,
        ),
    ] = None
    pyramid: Annotated[
        bool, option(WHERE, "--pyramid", help="Write TIFF files with reduced copies, or OME-Zarr images, for viewers and --level.")
    ] = False
    zarr_format: Annotated[
        int | None,
        option(WHERE, "--zarr-format", metavar="2|3", min=2, max=3, help="Version of Zarr outputs. Defaults to 3.", show_default=False),
    ] = None
    skip_existing: Annotated[
        bool, option(WHERE, "--skip-existing", help="Skip inputs whose output files exist and are not older than the input.")
    ] = False
    no_clobber: Annotated[bool, option(WHERE, "--no-clobber", help="Fail if an output file already exists.")] = False
    recursive: Recursive = True
    files0_from: Annotated[
        str | None,
        option(
            WHERE,
            "--files0-from",
            metavar="FILE",
            help="Read more inputs from a list separated by NUL characters, such as find -print0 writes; - for standard input.",
        ),
    ] = None
    shard: Annotated[
        str | None, option(WHERE, "--shard", metavar="I/N", help="Process every N-th input, starting with the I-th, for example 1/4.")
    ] = None


class MessageOptions(Options):
    """Options of what a run reports."""

    json: Json = False
    show: Annotated[bool, option(MESSAGES, "--show", help="Preview results in the terminal.")] = False
    report: Annotated[
        str | None, option(MESSAGES, "--report", metavar="FILE.html", help="Write a web page that shows each image before and after.")
    ] = None
    quiet: Quiet = False
    verbose: Annotated[bool, option(MESSAGES, "-v", "--verbose", help="Show details of each image.")] = False


class ReadingOptions(Options):
    """Options of how a command that inspects single images reads them."""

    max_pixels: MaxPixels = MAX_PIXELS
    salvage: Salvage = False
    axes: AxesOrder = None


class HowOptions(Options):
    """Options of how a run is carried out."""

    jobs: Annotated[
        int | None,
        option(
            HOW,
            "-j",
            "--jobs",
            metavar="N",
            min=1,
            max=256,
            help="Number of workers. Defaults to the number of processor cores.",
            show_default=False,
        ),
    ] = None
    on_error: Annotated[OnError, option(HOW, "--on-error", help="What to do after an input fails.")] = OnError.carry_on
    dry_run: Annotated[bool, option(HOW, "--dry-run", help="Show what would be written, and write nothing.")] = False
    max_pixels: MaxPixels = MAX_PIXELS
    region: Annotated[
        str | None,
        option(HOW, "--region", metavar="X,Y,WxH", help="Process only this part of each image: its left and upper edge, and its size."),
    ] = None
    level: Annotated[
        int | None,
        option(
            HOW,
            "--level",
            metavar="N",
            min=0,
            max=64,
            help="Read one image of a TIFF pyramid or an OME-Zarr: 0 is the full size, 1 the largest reduced copy.",
            show_default=False,
        ),
    ] = None
    memory: Annotated[
        str | None,
        option(
            HOW,
            "--memory",
            metavar="SIZE",
            help="Memory for one image, such as 100M or 2G (default 256M). An image that needs more is processed by bands of rows.",
            show_default=False,
        ),
    ] = None
    salvage: Salvage = False
    strip: Annotated[bool, option(HOW, "--strip", help="Write no metadata: neither the image's nor the recipe.")] = False
    strip_location: Annotated[bool, option(HOW, "--strip-location", help="Leave the location of the photograph out of the metadata.")] = (
        False
    )
    axes: AxesOrder = None
    dask: Annotated[
        str | None, option(HOW, "--dask", metavar="ADDRESS|local", help="Run on a Dask cluster: the address of its scheduler, or local.")
    ] = None


def _show_version(show: bool) -> None:
    if show:
        typer.echo(f"imgconv {__version__}")
        raise typer.Exit


def common(
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.", callback=_show_version, is_eager=True)] = False,
) -> None:
    """Filter images with convolution and pooling. Results match PyTorch."""


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """Return `command` with each group of options replaced, for Typer, by one keyword parameter for each of its attributes.

    The returned function packs the values into the groups and calls `command`. A name may occur in one group only.
    """
    hints = get_type_hints(command, include_extras=True)
    groups = {name: hint for name, hint in hints.items() if isinstance(hint, type) and issubclass(hint, Options)}
    parameters = []
    for parameter in inspect.signature(command).parameters.values():
        group = groups.get(parameter.name)
        if group is None:
            parameters.append(parameter.replace(annotation=hints[parameter.name]))
        else:
            parameters += _parameters(group)

    @wraps(command)
    def flat(**values: Any) -> None:
        packed = {name: group(**{each: values.pop(each) for each in group.hints()}) for name, group in groups.items()}
        command(**values, **packed)

    vars(flat)["__signature__"] = inspect.Signature(parameters)
    flat.__annotations__ = {p.name: p.annotation for p in parameters}
    del vars(flat)["__wrapped__"]
    return flat


def _parameters(group: type[Options]) -> list[inspect.Parameter]:
    kind, empty = inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.empty
    return [inspect.Parameter(name, kind, default=getattr(group, name, empty), annotation=hint) for name, hint in group.hints().items()]
