"""Readers of option values that are more than a number or a name, and the check that an output is not an input."""

import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from imgconv.errors import UsageError, comma_hint

if TYPE_CHECKING:
    from imgconv.cli.options import HowOptions, ReadingOptions, WhereOptions
    from imgconv.images import Luma, Request
    from imgconv.images.layout import Layout
    from imgconv.images.region import Region
    from imgconv.inputs import Inputs

LEAST_MEMORY = 10**6  # bytes


def limit(text: str) -> int | None:
    """Read the value of --max-pixels: a whole number of at least 1, or None for `none`."""
    if text.lower() == "none":
        return None
    if re.fullmatch(r"\d{1,18}", text, re.ASCII) is None or int(text) < 1:
        raise UsageError(f"--max-pixels: expected a whole number above 0, or none, got {text!r}")
    return int(text)


def reading(options: "ReadingOptions | HowOptions", luma: "Luma" = "no") -> "Request":
    """How the images of a command are read, and which luma of a JPEG."""
    from imgconv.images import Request

    return Request(luma, limit(options.max_pixels), options.salvage, options.axes)


def memory(text: str) -> int:
    """Read the value of --memory: bytes, or thousands, millions or billions of them with K, M or G.

    >>> memory("256M"), memory("1.5g")
    (256000000, 1500000000)
    """
    match = re.fullmatch(r"(\d{1,15}(?:\.\d{1,3})?)([kmg]?)b?", text.strip().lower(), re.ASCII)
    size = int(float(match[1]) * {"": 1, "k": 10**3, "m": 10**6, "g": 10**9}[match[2]]) if match else 0
    if size < LEAST_MEMORY:
        raise UsageError(f"--memory: expected at least 1M, such as 100M or 2G, got {text!r}")
    return size


def layout(where: "WhereOptions", format: str) -> "Layout | None":
    """Read the values of --tile, --compression, --pyramid and --zarr-format; None without any of them."""
    tile, version = where.tile, where.zarr_format
    if tile is None and where.compression is None and not where.pyramid and version is None:
        return None
    if version is not None and format != "zarr":
        raise UsageError(f"--zarr-format has no effect on {format}; leave it out, or write .zarr")
    from imgconv.images.layout import Layout
    from imgconv.recipe.values import image_size, read
    from imgconv.window import sizes

    height, width = (256, 256) if tile is None else sizes(read("--tile", image_size, tile), "--tile", 2, least=1)
    zarr_format: Literal[2, 3] = 2 if version == 2 else 3
    size = (height, width) if tile else None
    return Layout.of(size, where.compression, format=format, pyramid=where.pyramid, zarr_format=zarr_format)


def region(text: str | None) -> "Region | None":
    """Read `X,Y,WxH`: whole numbers, the size at least 1x1.

    >>> region("10,20,300x200")
    Region(top=20, left=10, height=200, width=300)
    """
    if text is None:
        return None
    from imgconv.images.region import Region

    match = re.fullmatch(r"(\d{1,9}),(\d{1,9}),([1-9]\d{0,8})x([1-9]\d{0,8})", text.replace(" ", ""), re.ASCII)
    if match is None:
        raise UsageError(f"--region: expected X,Y,WxH, such as 1000,500,640x480, got {text!r}")
    left, top, width, height = map(int, match.groups())
    return Region(top, left, height, width)


def shard(text: str | None) -> tuple[int, int]:
    """Read `I/N` with 1 <= I <= N; None is 1/1, all inputs.

    >>> shard("2/8")
    (2, 8)
    """
    if text is None:
        return 1, 1
    match = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text, re.ASCII)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise UsageError(f"--shard: expected I/N with I from 1 to N, such as 1/4, got {text!r}")
    return int(match[1]), int(match[2])


def thresholds(low: str | None, high: str | None) -> tuple[float | None, float | None, bool]:
    """Read the values of --low and --high, and whether they are percentages. Raises UsageError where only one of them is."""
    percent = {text.endswith("%") for text in (low, high) if text is not None}
    if len(percent) == 2:
        raise UsageError(f"--low {low} and --high {high} have different units; give both as levels, or both as percentages")
    return _threshold(low, "--low"), _threshold(high, "--high"), percent == {True}


def _threshold(text: str | None, name: str) -> float | None:
    if text is None:
        return None
    try:
        level = float(text.removesuffix("%"))
    except ValueError:
        level = math.nan
    if not math.isfinite(level):
        raise UsageError(f"{name}: expected a level such as 25, or a percentage such as 80%, got {text!r}{comma_hint(text)}")
    return level


def check_output(output: Path, images: Iterable[str], option: str = "-o", others: Iterable[Path] = ()) -> "Inputs":
    """Return what a command reads: the named images, `others`, and all kernels, recipes and weights that were read so far.

    Raises UsageError, which names `option`, if `output` is one of these files.
    """
    from imgconv.batch.paths import identified
    from imgconv.batch.sources import STDIN
    from imgconv.batch.urls import parse_path
    from imgconv.inputs import Inputs
    from imgconv.registry.files import files_read

    images = list(images)
    files = (identified(parse_path(name)) for name in images if name != STDIN)
    inputs = Inputs((*files, *others, *files_read()), reads_stdin=STDIN in images)
    inputs.refuse(output, option)
    return inputs
