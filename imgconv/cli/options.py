"""Every shared option, declared once: its name, what it takes, what it means. Reads words; decides nothing."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from imgconv.modes import AlphaRule, PaddingMode, PoolMode, Range

WHERE, WHAT, HOW, TELL = "Where results go", "What is computed", "How it runs", "What is told"


class OnError(StrEnum):
    """What a run does once an input has failed."""

    carry_on = "continue"
    stop = "stop"


def complete_kernel(incomplete: str) -> list[str]:
    """Names of the registry that begin as typed, for shell completion."""
    from imgconv.errors import ImgconvError
    from imgconv.registry import Registry

    try:
        names = Registry.load().names()
    except ImgconvError:  # a broken kernels file is told by commands, not in the middle of typing
        return []
    return [name for name in names if name.startswith(incomplete)]


def complete_padding(incomplete: str) -> list[str]:
    """Names that --padding takes, for shell completion."""
    return [name for name in ("same", "valid", "full") if name.startswith(incomplete)]


Inputs = Annotated[
    list[str],
    typer.Argument(help="Images, folders, s3:// and other addresses, or - for standard input.", default_factory=list, show_default=False),
]
SizeText = Annotated[str, typer.Option("--size", metavar="N|HxW", help="Window, in pixels.", rich_help_panel=WHAT)]
KernelsFile = Annotated[
    Path | None, typer.Option("--kernels-file", metavar="FILE", help="More kernels, which come before all others.", rich_help_panel=WHAT)
]
Stride = Annotated[str | None, typer.Option("--stride", metavar="N|HxW", help="Step of the window.", rich_help_panel=WHAT)]
Padding = Annotated[
    str,
    typer.Option(
        "--padding",
        metavar="N|HxW|same|valid|full",
        help="Pixels added around the image.",
        autocompletion=complete_padding,
        rich_help_panel=WHAT,
    ),
]
Dilation = Annotated[str, typer.Option("--dilation", metavar="N|HxW", help="Step between the taps.", rich_help_panel=WHAT)]
Grey = Annotated[bool | None, typer.Option("--grey/--color", help="One map of the luma, or one for each colour.", rich_help_panel=WHAT)]
Alpha = Annotated[
    AlphaRule,
    typer.Option(
        "--alpha",
        help=f"What happens to transparency: {AlphaRule.described()}.",
        autocompletion=AlphaRule.completed,
        rich_help_panel=WHAT,
    ),
]


@dataclass(frozen=True)
class FilterOptions:
    """What `edge` and `filter` compute."""

    kernel: Annotated[
        list[str] | None,
        typer.Option(
            "-k",
            "--kernel",
            metavar="REFERENCE",
            help="A name, name:parameter=value,..., a matrix like '0 -1 0; -1 4 -1; 0 -1 0', or @file.npy. Repeat for several maps.",
            autocompletion=complete_kernel,
            rich_help_panel=WHAT,
        ),
    ] = None
    kernels_file: KernelsFile = None
    stride: Stride = None
    padding: Padding = "same"
    padding_mode: Annotated[
        str,
        typer.Option(
            "--padding-mode",
            metavar="MODE",
            help=f"What lies beyond the edge: {PaddingMode.described()}.",
            autocompletion=PaddingMode.completed,
            rich_help_panel=WHAT,
        ),
    ] = "replicate"
    dilation: Dilation = "1"
    flip: Annotated[
        bool, typer.Option("--flip", help="Mathematical convolution: turn the kernel by 180 degrees.", rich_help_panel=WHAT)
    ] = False
    range: Annotated[
        Range | None,
        typer.Option(
            "--range",
            help=f"How signed results become pixels: {Range.described()}. Each kernel has its own default.",
            autocompletion=Range.completed,
            rich_help_panel=WHAT,
        ),
    ] = None
    invert: Annotated[bool, typer.Option("--invert", help="Dark on white.", rich_help_panel=WHAT)] = False
    threshold: Annotated[
        float | None, typer.Option("--threshold", metavar="LEVEL", help="White from this level on, black below.", rich_help_panel=WHAT)
    ] = None
    overlay: Annotated[bool, typer.Option("--overlay", help="Draw the map over the photograph, in red.", rich_help_panel=WHAT)] = False
    grey: Grey = None
    linear: Annotated[bool, typer.Option("--linear", help="Compute in linear light.", rich_help_panel=WHAT)] = False
    alpha: Alpha = AlphaRule.auto


@dataclass(frozen=True)
class PoolOptions:
    """What `pool` computes."""

    size: SizeText = "2"
    mode: Annotated[
        PoolMode,
        typer.Option(
            "--mode",
            help=f"What a window is reduced to: {PoolMode.described()}.",
            autocompletion=PoolMode.completed,
            rich_help_panel=WHAT,
        ),
    ] = PoolMode.max
    stride: Stride = None
    padding: Padding = "valid"
    dilation: Dilation = "1"
    ceil_mode: Annotated[bool, typer.Option("--ceil-mode", help="Keep a last window that hangs over the edge.", rich_help_panel=WHAT)] = (
        False
    )
    grey: Grey = None
    alpha: Alpha = AlphaRule.auto


@dataclass(frozen=True)
class WhereOptions:
    """Where results go."""

    output: Annotated[
        str | None,
        typer.Option(
            "-o", "--output", metavar="PATH", help="A file, a folder, an address, or - for standard output.", rich_help_panel=WHERE
        ),
    ] = None
    format: Annotated[
        str | None, typer.Option("--format", metavar="NAME", help="png, jpeg, tiff, webp, pnm, npy, npz, ...", rich_help_panel=WHERE)
    ] = None
    quality: Annotated[
        int | None, typer.Option("--quality", min=1, max=100, help="For JPEG, WebP, AVIF.", show_default=False, rich_help_panel=WHERE)
    ] = None
    recursive: Annotated[
        bool, typer.Option("-r", "--recursive/--no-recursive", help="Enter the folders of folders.", rich_help_panel=WHERE)
    ] = True
    skip_existing: Annotated[bool, typer.Option("--skip-existing", help="Pass over inputs whose outputs exist.", rich_help_panel=WHERE)] = (
        False
    )
    no_clobber: Annotated[bool, typer.Option("--no-clobber", help="An output that exists is an error.", rich_help_panel=WHERE)] = False
    files0_from: Annotated[
        str | None,
        typer.Option("--files0-from", metavar="FILE", help="More inputs, as find -print0 lists them; - for stdin.", rich_help_panel=WHERE),
    ] = None
    shard: Annotated[
        str | None,
        typer.Option("--shard", metavar="I/N", help="Every N-th input from the I-th on, as in 1/4.", rich_help_panel=WHERE),
    ] = None


@dataclass(frozen=True)
class HowOptions:
    """How a run goes about it."""

    jobs: Annotated[
        int | None,
        typer.Option("-j", "--jobs", min=1, max=256, help="Workers; as many as there are cores.", show_default=False, rich_help_panel=HOW),
    ] = None
    max_pixels: Annotated[str, typer.Option("--max-pixels", metavar="N|none", help="Refuse larger images.", rich_help_panel=HOW)] = (
        "178956970"
    )
    salvage: Annotated[bool, typer.Option("--salvage", help="Take what can be had of damaged images.", rich_help_panel=HOW)] = False
    on_error: Annotated[OnError, typer.Option("--on-error", help="After a failed input.", rich_help_panel=HOW)] = OnError.carry_on
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be written.", rich_help_panel=HOW)] = False
    dask: Annotated[
        str | None,
        typer.Option("--dask", metavar="ADDRESS|local", help="Run on a Dask cluster: its scheduler, or local.", rich_help_panel=HOW),
    ] = None


@dataclass(frozen=True)
class TellOptions:
    """What a run says about itself."""

    json: Annotated[bool, typer.Option("--json", help="A line of JSON for each image, on standard output.", rich_help_panel=TELL)] = False
    show: Annotated[bool, typer.Option("--show", help="Preview results in the terminal.", rich_help_panel=TELL)] = False
    report: Annotated[
        str | None,
        typer.Option("--report", metavar="FILE.html", help="A page with every image before and after.", rich_help_panel=TELL),
    ] = None
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Nothing but errors.", rich_help_panel=TELL)] = False
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="More about each image.", rich_help_panel=TELL)] = False
