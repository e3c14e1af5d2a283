"""Many images of one size through a network as one batch, into one file of arrays.

A batch is all or nothing: rows of an array have no names, so one image less would move all that follow.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from imgconv.batch.destinations import ARRAYS, Identity, identities, refuse_input, standard_output
from imgconv.batch.paths import Place, place_of, readable, writing
from imgconv.batch.sources import STDIN, Source, list_sources
from imgconv.errors import DoesNotFit, ImageError, ImgconvError, UsageError, reason
from imgconv.images import IMAGE_EXTENSIONS, Frames, Header, Luma, Raster, format_for, open_frames, read_stream
from imgconv.process import Recipe, Shape
from imgconv.process.network import results_of
from imgconv.recipe import Network

CHUNK = 1 << 20  # values of images that go through the steps at once: 4 MB of float32, which layers may make some ten times as many

Item = tuple[str, Raster]
Named = tuple[str, Shape]


@dataclass(frozen=True)
class Stack:
    """A batch to be made: its sources in order, its network, and the one file (None: standard output) and format it goes into."""

    sources: tuple[Source, ...]
    network: Network
    file: Place | None
    format: str
    max_pixels: int | None = None
    salvage: bool = False
    inputs: dict[Identity, str] = field(default_factory=dict)


def plan_stack(
    inputs: Sequence[str],
    recipe: Recipe,
    *,
    output: str | None,
    format: str | None,
    exact: Sequence[str] = (),
    recursive: bool = True,
    max_pixels: int | None = None,
    salvage: bool = False,
) -> Stack:
    """Settle what a batch reads and writes; names in `exact` are neither patterns nor standard input.

    Raises UsageError for anything but one file of arrays, ImageError for folders without images.
    """
    network = recipe.step
    if not isinstance(network, Network):
        raise UsageError("only the steps of a recipe take a batch")
    stdout = output == STDIN or (output is None and list(inputs) == [STDIN])
    named = format_for(output) if output is not None and not stdout and Path(output).suffix else None
    asked = format_for(format) if format is not None else named or ("npy" if stdout else None)
    if asked not in ARRAYS or (named is not None and named != asked) or (output is None and not stdout):
        raise UsageError("--batch makes one array of all images; give it a file with -o NAME.npy or NAME.npz")
    network.check_format(asked, holds_floats=True)
    sources = list_sources(inputs, IMAGE_EXTENSIONS, recursive=recursive, exact=exact)
    if not sources:
        raise ImageError(f"no images in {', '.join(inputs) or 'the list'}; give files, or a folder that holds some")
    file = None if stdout or output is None else place_of(output)
    known = identities(sources)
    if file is not None:
        refuse_input(file, known)
    return Stack(tuple(sources), network, file, asked, max_pixels, salvage, known)


def check_sizes(stack: Stack) -> Shape | None:
    """The one shape of all files, from their headers alone; None where there is only standard input.

    Raises DoesNotFit, which names two images of different sizes, or the step that a size does not fit.
    """
    first: Named | None = None
    for source in stack.sources:
        if source.path is not None:
            with _named(source), open_frames(readable(source.path), max_pixels=stack.max_pixels, salvage=stack.salvage) as opened:
                first = _same(stack, first, str(source), _shape_of(opened.header))
                stack.network.trace(first[1])
    return first[1] if first else None


def make_stack(stack: Stack) -> list[tuple[str, tuple[int, int, int]]]:
    """Decode all images, take them through the network in batches, write the file; each image's name, and its result's (C, H, W).

    Raises what the first image that fails raises, with its name, and writes nothing then.
    """
    rows: list[list[NDArray[np.float32]]] = [[] for _ in stack.network.results]
    names: list[str] = []
    for chunk in _chunks(_images(stack)):
        names += [name for name, _ in chunk]
        for kept, result in zip(rows, results_of([image for _, image in chunk], stack.network), strict=True):
            kept.append(result)
    arrays = [np.concatenate(kept) for kept in rows]
    with standard_output() if stack.file is None else _opened(stack.file, stack) as stream:
        if stack.format == "npy":
            np.save(stream, arrays[0], allow_pickle=False)
        else:
            np.savez(
                stream, allow_pickle=False, **{result.name: array for result, array in zip(stack.network.results, arrays, strict=True)}
            )
    channels, height, width = (*arrays[-1].shape[1:], 1, 1)[:3]
    return [(name, (channels, height, width)) for name in names]


@contextmanager
def _opened(file: Place, stack: Stack) -> Iterator[BinaryIO]:
    refuse_input(file, stack.inputs)
    with writing(file) as stream:
        yield stream


def _images(stack: Stack) -> Iterator[Item]:
    """Every frame of every source, with its name; all of one shape."""
    first: Named | None = None
    for source in stack.sources:
        for number, opened in enumerate(_openings(source, stack), 1):
            with _named(source), opened:
                for frame, image in enumerate(opened, 1):
                    name = f"{source}{f', image {number}' if number > 1 else ''}{f', frame {frame}' if frame > 1 else ''}"
                    first = _same(stack, first, name, Shape(*image.size, image.channels, image.alpha))
                    stack.network.trace(first[1])
                    yield name, image


def _openings(source: Source, stack: Stack) -> Iterator[Frames]:
    luma: Luma = "only" if stack.network.grey else "no"
    with _named(source):
        if source.path is None:
            yield from read_stream(sys.stdin.buffer, luma=luma, max_pixels=stack.max_pixels, salvage=stack.salvage)
        else:
            yield open_frames(readable(source.path), luma=luma, max_pixels=stack.max_pixels, salvage=stack.salvage)


def _chunks(items: Iterator[Item]) -> Iterator[list[Item]]:
    chunk: list[Item] = []
    for item in items:
        chunk.append(item)
        if len(chunk) * item[1].pixels.size >= CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _same(stack: Stack, first: Named | None, name: str, shape: Shape) -> Named:
    """The first image again, if this one is of its size, and of its channels where these are not made grey."""
    if first is not None and _parts(stack, first[1]) != _parts(stack, shape):
        sizes = f"{first[0]} is {_told(stack, first[1])}, {name} is {_told(stack, shape)}"
        raise DoesNotFit(f"images of a batch must be of one size; {sizes}; leave out one of them, or --batch")
    return first or (name, shape)


def _parts(stack: Stack, shape: Shape) -> tuple[int, int, int]:
    return 1 if stack.network.grey else shape.channels - shape.alpha, shape.height, shape.width


def _told(stack: Stack, shape: Shape) -> str:
    return "x".join(map(str, _parts(stack, shape)))


def _shape_of(header: Header) -> Shape:
    return Shape(*header.size, header.channels, header.alpha)


@contextmanager
def _named(source: Source) -> Iterator[None]:
    """Errors with the name of the source that they are about."""
    try:
        yield
    except DoesNotFit as error:
        raise DoesNotFit(f"{source}: {error}") from None
    except ImgconvError as error:
        raise ImageError(f"{source}: {error}") from None
    except OSError as error:
        raise ImageError(f"{source}: {reason(error)}") from None
