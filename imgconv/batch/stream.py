"""Standard input: one picture, or many after each other, each worked on and written before the next is looked at."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from imgconv.batch.failures import told
from imgconv.batch.outcome import Outcome
from imgconv.batch.sources import Source
from imgconv.batch.work import Job, write_maps
from imgconv.errors import PictureError
from imgconv.pictures import Pictures, read_stream


def outcomes_of_stdin(source: Source, job: Job) -> Iterator[Outcome]:
    """One outcome for each picture on standard input; an error ends the stream, since nobody knows where the next one begins."""
    if sys.stdin is None:
        yield Outcome(str(source), error="it is closed; give a file, or a pipe")
        return
    pictures = read_stream(sys.stdin.buffer, luma=job.recipe.luma, max_pixels=job.max_pixels, salvage=job.salvage)
    number = 0
    while True:
        number += 1
        outcome = Outcome(str(source) if number == 1 else f"{source}, picture {number}")
        opened: Pictures | None = None
        with told(outcome):
            opened = next(pictures, None)
            if opened is None and number == 1:
                raise PictureError("standard input is empty; a picture is expected there")
            if opened is not None:
                write_maps(opened, job, _numbered(source, number, job), outcome)
        if outcome.error:
            outcome.error = outcome.error.removeprefix(f"picture {number} of the stream: ")
        if opened is not None or outcome.error:
            yield outcome
        if opened is None or outcome.error:
            return


def _numbered(source: Source, number: int, job: Job) -> Source:
    """A source with a name of its own for the outputs of picture `number` of a stream."""
    if number == 1:
        return source
    if job.destination.file is not None:
        raise PictureError(f"more than one picture comes in, and {job.destination.file} holds the first; give a folder with -o")
    return replace(source, relative=Path(f"{source.relative}-{number}"))
