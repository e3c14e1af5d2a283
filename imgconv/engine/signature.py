"""Arguments of a loop: the types that it is compiled for."""

from typing import Any, NamedTuple

import numpy as np


class ArrayType(NamedTuple):
    """An array argument: its dtype, which may be a record, its axes, and whether it is C-contiguous and aligned."""

    dtype: np.dtype[Any]
    axes: int
    contiguous: bool
    aligned: bool


class Signature(tuple[ArrayType | None, ...]):
    """The types of a loop's arguments, None for a whole number. Sizes and write permission are not part of a type.

    >>> Signature.of((np.zeros((2, 3), np.uint8)[:, 1:], 5))
    |u1 2A, int
    """

    __slots__ = ()

    @classmethod
    def of(cls, arguments: tuple[object, ...]) -> "Signature":
        """The signature of these arguments; TypeError for anything but arrays and whole numbers."""
        return cls(_type_of(argument) for argument in arguments)

    def __repr__(self) -> str:
        return ", ".join(
            "int" if t is None else f"{_spelling(t.dtype)} {t.axes}{'AC'[t.contiguous]}{'' if t.aligned else '!'}" for t in self
        )


def _spelling(dtype: np.dtype[Any]) -> str:
    """A dtype in NumPy's spelling (`<f4`), that of records with the names of their fields."""
    return dtype.str if dtype.names is None else str(dtype.descr)


def _type_of(argument: object) -> ArrayType | None:
    if isinstance(argument, np.ndarray):
        flags = argument.flags
        return ArrayType(argument.dtype, argument.ndim, flags.c_contiguous, flags.aligned)
    if isinstance(argument, int | np.integer):
        return None
    raise TypeError(f"a loop takes arrays and whole numbers, not {type(argument).__name__}")
