"""Process many images of one size as one batch of a network, and write one file of arrays (`run --batch`).

If one image fails, nothing is written: the rows of an array have no names, so a missing image would shift all that follow.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from imgconv.arrays import Array
from imgconv.batch.destinations import ARRAYS, is_standard_output, standard_output
from imgconv.batch.paths import identified, path_or_bytes
from imgconv.batch.protection import open_output
from imgconv.batch.sources import FileNames, Source, inputs_of
from imgconv.batch.urls import AnyPath, parse_path
from imgconv.errors import DoesNotFit, ImageError, ImgconvError, UsageError, reason
from imgconv.images import ANY_SIZE, Frames, Raster, Request, format_for, open_frames, read_stream
from imgconv.inputs import Inputs
from imgconv.process import shape_of
from imgconv.process.missing import located
from imgconv.process.network import results_of
from imgconv.recipe import DECLARED, MissingData, Network, Recipe, Shape

CHUNK = 1 << 20  # input values per pass through the steps: 4 MB of float32, which layers may multiply by ten

NamedImage = tuple[str, Raster]
NamedShape = tuple[str, Shape]


@dataclass(frozen=True)
class Stack:
    """A planned batch: its sources in order, its network, and the output file (None: standard output) with its format."""

    sources: tuple[Source, ...]
    network: Network
    file: AnyPath | None
    format: str
    reading: Request = ANY_SIZE
    inputs: Inputs = field(default_factory=Inputs)
    missing_data: MissingData = DECLARED


def plan_stack(files: FileNames, recipe: Recipe, reading: Request = ANY_SIZE) -> Stack:
    """Plan what a batch reads and writes.

    Raises UsageError for anything but one file of arrays, ImageError for folders without images.
    """
    network, output = recipe.step, files.output
    if not isinstance(network, Network):
        raise UsageError("--batch needs a recipe of steps; give some with -s or --recipe")
    stdout = is_standard_output(output, files.inputs)
    from_name = format_for(output) if output is not None and not stdout and Path(output).suffix else None
    format_name = format_for(files.format) if files.format is not None else from_name or ("npy" if stdout else None)
    if format_name not in ARRAYS or (from_name is not None and from_name != format_name) or (output is None and not stdout):
        raise UsageError("--batch writes one array of all images; give it a file with -o NAME.npy or NAME.npz")
    network.check_format(format_name, holds_floats=True)
    sources = files.sources()
    if not sources:
        raise files.no_images()
    file = None if stdout or output is None else parse_path(output)
    protected = inputs_of(sources, files.others)
    protected.refuse_stdout()
    if file is not None:
        protected.refuse(identified(file))
    return Stack(tuple(sources), network, file, format_name, reading, protected, recipe.missing_data)


def check_sizes(stack: Stack) -> Shape | None:
    """Return the shape that all files have by their headers; None if there is only standard input.

    Raises DoesNotFit, which names two images of different sizes, or the step that a size does not fit.
    """
    first: NamedShape | None = None
    for source in stack.sources:
        if source.path is not None:
            for opened in _open_all(source, stack):
                with _naming(source), opened:
                    first = _check_shape(stack, first, str(source), shape_of(opened.header))
    return first[1] if first else None


def write_stack(stack: Stack) -> list[tuple[str, tuple[int, int, int]]]:
    """Decode all images, run the network on them in chunks, and write the file; return each image's name and output (C, H, W).

    Raises the error of the first image that fails, with its name, and then writes nothing.
    """
    outputs: list[list[Array]] = [[] for _ in stack.network.results]
    names: list[str] = []
    for chunk in _chunks(_images(stack)):
        names += [name for name, _ in chunk]
        for arrays, array in zip(outputs, results_of([image for _, image in chunk], stack.network), strict=True):
            arrays.append(array)
    joined = [np.concatenate(arrays) for arrays in outputs]
    with standard_output() if stack.file is None else open_output(stack.file, stack.inputs) as stream:
        if stack.format == "npy":
            np.save(stream, joined[0], allow_pickle=False)
        else:
            members = {output.name: array for output, array in zip(stack.network.results, joined, strict=True)}
            np.savez(stream, allow_pickle=False, **members)
    channels, height, width = (*joined[-1].shape[1:], 1, 1)[:3]
    return [(name, (channels, height, width)) for name in names]


def _images(stack: Stack) -> Iterator[NamedImage]:
    """Yield every frame of every source with its name, after a check of its shape."""
    first: NamedShape | None = None
    for source in stack.sources:
        for number, opened in enumerate(_open_all(source, stack), 1):
            with _naming(source), opened:
                for frame, image in enumerate(opened, 1):
                    name = f"{source}{f', image {number}' if number > 1 else ''}{f', frame {frame}' if frame > 1 else ''}"
                    first = _check_shape(stack, first, name, shape_of(image))
                    yield name, located(image, stack.missing_data)


def _open_all(source: Source, stack: Stack) -> Iterator[Frames]:
    """Open a file, or each image on standard input."""
    request = stack.reading._replace(luma="only" if stack.network.grey else "no")
    with _naming(source):
        if source.path is None:
            yield from read_stream(sys.stdin.buffer, request)
        else:
            yield open_frames(path_or_bytes(source.path, request.max_pixels), request)


def _chunks(images: Iterator[NamedImage]) -> Iterator[list[NamedImage]]:
    chunk: list[NamedImage] = []
    for name, image in images:
        chunk.append((name, image))
        if len(chunk) * image.pixels.size >= CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _check_shape(stack: Stack, first: NamedShape | None, name: str, shape: Shape) -> NamedShape:
    """Check that an image has the shape of the first one, or trace it if it is the first; return the first one."""
    if first is None:
        stack.network.trace(shape)
        return name, shape
    expected, actual = (_compared(stack, each) for each in (first[1], shape))
    if expected != actual:
        sizes = " is {}x{}x{}, {} is {}x{}x{}".format(*expected, name, *actual)
        raise DoesNotFit(f"images of a batch must have one size; {first[0]}{sizes}; leave out one of them, or --batch")
    return first


def _compared(stack: Stack, shape: Shape) -> tuple[int, int, int]:
    """Return (C, H, W) without alpha; C is 1 if the network converts images to grey."""
    return 1 if stack.network.grey else shape.channels - shape.alpha, shape.height, shape.width


@contextmanager
def _naming(source: Source) -> Iterator[None]:
    """Add the name of the source to errors."""
    try:
        yield
    except DoesNotFit as error:
        raise DoesNotFit(f"{source}: {error}") from None
    except ImgconvError as error:
        raise ImageError(f"{source}: {error}") from None
    except OSError as error:
        raise ImageError(f"{source}: {reason(error)}") from None
