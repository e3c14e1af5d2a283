"""One step of a plan, as data."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import prod
from typing import Any

import numpy as np


@dataclass(frozen=True)
class PlannedStep:
    """What one step takes and gives.

    Shapes are (C, H, W) or (L,). `sizes` are the formulas of height and width with their numbers, `padding` its name; both empty where
    nothing slides. `receptive_field` (height, width) is in pixels of the picture, through all steps so far. `multiply_adds` are those of
    the definition; `algorithm` names how the work will be done, and `performed` how many that takes, where it is another number.
    `input_rows` and `output_rows` lie in memory at a time, all of them unless given.
    """

    name: str
    input: tuple[int, ...]
    output: tuple[int, ...]
    sizes: tuple[str, ...] = ()
    padding: str = ""
    parameters: int = 0
    multiply_adds: int = 0
    performed: int | None = None
    receptive_field: tuple[int, int] = (1, 1)
    algorithm: str = ""
    input_dtype: str = "float32"
    output_dtype: str = "float32"
    input_rows: int | None = None
    output_rows: int | None = None

    @property
    def work(self) -> int:
        """Multiply-adds as they are done."""
        return self.multiply_adds if self.performed is None else self.performed

    @property
    def memory(self) -> int:
        """Bytes of the output."""
        return output_bytes(_held(self.output, self.output_rows), self.output_dtype)

    @property
    def peak_memory(self) -> int:
        """Bytes of input and output together."""
        return output_bytes(_held(self.input, self.input_rows), self.input_dtype) + self.memory

    def as_json(self) -> dict[str, Any]:
        """Its fields, and its memory."""
        return {**asdict(self), "performed": self.work, "memory": self.memory}


def _held(shape: tuple[int, ...], rows: int | None) -> tuple[int, ...]:
    return shape if rows is None else (shape[0], min(rows, shape[1]), *shape[2:])


def output_bytes(shape: Sequence[int], dtype: str) -> int:
    """Bytes of an array of `shape` and `dtype`.

    >>> output_bytes((3, 4, 5), "float32")
    240
    """
    return prod(shape) * np.dtype(dtype).itemsize
