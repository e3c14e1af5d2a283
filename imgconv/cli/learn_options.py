"""The options of `learn`."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from imgconv.cli.options import HOW, TELL, WHAT, WHERE, SizeText


class Channels(StrEnum):
    """What is learnt of colours."""

    grey = "grey"
    each = "each"
    all = "all"


@dataclass(frozen=True)
class LearnOptions:
    """What is learnt, and where it goes."""

    size: SizeText = "3"
    channels: Annotated[
        Channels,
        typer.Option(
            "--channels", help="One kernel for the luma, one for each colour, or weights across all colours.", rich_help_panel=WHAT
        ),
    ] = Channels.grey
    descend: Annotated[
        bool, typer.Option("--descend", help="By gradient descent, as networks learn, instead of least squares.", rich_help_panel=WHAT)
    ] = False
    steps: Annotated[int, typer.Option("--steps", min=1, max=100_000, help="Steps of --descend.", rich_help_panel=WHAT)] = 600
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="Add what was learnt to your own kernels.", rich_help_panel=WHERE)
    ] = None
    force: Annotated[bool, typer.Option("--force", help="Replace a kernel of that name.", rich_help_panel=WHERE)] = False
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE.npy", help="Write the weights for -k @FILE.npy.", rich_help_panel=WHERE)
    ] = None
    max_pixels: Annotated[str, typer.Option("--max-pixels", metavar="N|none", help="Refuse larger images.", rich_help_panel=HOW)] = (
        "178956970"
    )
    salvage: Annotated[bool, typer.Option("--salvage", help="Take what can be had of damaged images.", rich_help_panel=HOW)] = False
    json: Annotated[bool, typer.Option("--json", help="A line of JSON on standard output.", rich_help_panel=TELL)] = False
