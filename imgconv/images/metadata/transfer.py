"""The transfer function that a file declares: from cICP, an ICC profile, sRGB or gAMA, in the order in which PNG ranks them."""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

_BT709 = (1 / 0.45, 1 / 1.09929682680944, 0.09929682680944 / 1.09929682680944, 1 / 4.5, 4.5 * 0.018053968510807)
_SMPTE240 = (1 / 0.45, 1 / 1.111572195921731, 0.111572195921731 / 1.111572195921731, 1 / 4, 4 * 0.022821585529445)
_PARAMETERS = {0: 1, 1: 3, 2: 4, 3: 5, 4: 7}  # kind of an ICC parametric curve -> numbers
_MOST_SAMPLES = 1 << 16


@dataclass(frozen=True)
class Transfer:
    """How stored levels become light: light = (a*level + b)**g + e from the level d on, and c*level + f below it.

    `parameters` are (g, a, b, c, d, e, f), levels and light from 0 to 1. With `samples`, light at equally spaced levels, they do not
    matter. `name` is for messages.
    """

    name: str
    parameters: tuple[float, ...] = (1.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0)
    samples: tuple[float, ...] = ()


def gamma(exponent: float) -> Transfer | None:
    """Return the transfer function light = level**exponent; None for an exponent that no display has.

    >>> gamma(2.2).parameters[0]
    2.2
    """
    return Transfer(f"gamma {exponent:.4g}", (exponent, 1, 0, 0, 0, 0, 0)) if 0.1 <= exponent <= 10 else None


@cache
def of_cicp(code: int) -> Transfer | None:
    """Return the transfer function of a code point of H.273; None for sRGB (13), and for those that are not defined for display."""
    match code:
        case 1 | 6 | 14 | 15:
            return Transfer("BT.709", (*_BT709, 0.0, 0.0))
        case 4:
            return gamma(2.2)
        case 5:
            return gamma(2.8)
        case 7:
            return Transfer("SMPTE 240M", (*_SMPTE240, 0.0, 0.0))
        case 8:
            return Transfer("linear")
        case 16:
            return Transfer("PQ", samples=_sampled(_pq))
        case 17:
            return Transfer("SMPTE 428", (2.6, (52.37 / 48) ** (1 / 2.6), 0.0, 0.0, 0.0, 0.0, 0.0))
        case 18:
            return Transfer("HLG", samples=_sampled(_hlg))
    return None


def srgb_of(light: NDArray[Any]) -> NDArray[Any]:
    """Return levels of sRGB of linear light, both from 0 to 1.

    >>> srgb_of(np.array([0, 0.5, 1])).round(4)
    array([0.    , 0.7354, 1.    ])
    """
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def _sampled(light_of: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> tuple[float, ...]:
    return tuple(light_of(np.linspace(0, 1, _MOST_SAMPLES)).tolist())


def _pq(levels: NDArray[np.float64]) -> NDArray[np.float64]:
    """SMPTE ST 2084; light 1 is 10000 cd/m2."""
    root = levels ** (32 / 2523)
    return np.asarray((np.maximum(root - 3424 / 4096, 0) / (2413 / 128 - 2392 / 128 * root)) ** (16384 / 2610))


def _hlg(levels: NDArray[np.float64]) -> NDArray[np.float64]:
    """ARIB STD-B67, scene light."""
    bright = (np.exp((levels - 0.55991073) / 0.17883277) + 0.28466892) / 12
    return np.where(levels <= 0.5, levels**2 / 3, bright)


def of_profile(profile: bytes) -> Transfer | None:
    """Return the transfer function of an ICC profile whose channels share a curve; None without one, as for CMYK."""
    curves = {_tag(profile, name) for name in (b"rTRC", b"gTRC", b"bTRC")} if profile[16:20] == b"RGB " else {_tag(profile, b"kTRC")}
    curve = curves.pop() if len(curves) == 1 else b""
    try:
        return _curve(curve)
    except struct.error:
        return None


def _tag(profile: bytes, name: bytes) -> bytes:
    """Return the data of a tag of an ICC profile; empty without it."""
    count = int.from_bytes(profile[128:132], "big")
    for position in range(132, min(132 + 12 * count, len(profile) - 11), 12):
        if profile[position : position + 4] == name:
            offset, length = struct.unpack_from(">II", profile, position + 4)
            return profile[offset : offset + length]
    return b""


def _curve(data: bytes) -> Transfer | None:
    if data[:4] == b"para":
        (kind,) = struct.unpack_from(">H", data, 8)
        if kind not in _PARAMETERS:
            return None
        return _parametric(kind, [number / 65536 for number in struct.unpack_from(f">{_PARAMETERS[kind]}i", data, 12)])
    if data[:4] != b"curv":
        return None
    (count,) = struct.unpack_from(">I", data, 8)
    if count == 0:
        return Transfer("linear")
    if count == 1:
        return gamma(struct.unpack_from(">H", data, 12)[0] / 256)
    if count > _MOST_SAMPLES:
        return None
    samples = tuple(number / 65535 for number in struct.unpack_from(f">{count}H", data, 12))
    rising = all(low <= high for low, high in pairwise(samples)) and samples[0] < samples[-1]
    return Transfer("ICC curve", samples=samples) if rising else None


def _parametric(kind: int, numbers: list[float]) -> Transfer | None:
    """Return the curve of ICC.1, table 68, as one of kind 4."""
    g, a, b, c, d, e, f = (*numbers, *[0.0] * (7 - len(numbers)))
    if not (0 < g <= 10 and (kind == 0 or a > 0)):
        return None
    match kind:
        case 0:
            parameters = (g, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0)
        case 1:
            parameters = (g, a, b, 0.0, -b / a, 0.0, 0.0)
        case 2:
            parameters = (g, a, b, 0.0, -b / a, c, c)
        case 3:
            parameters = (g, a, b, c, d, 0.0, 0.0)
        case _:
            parameters = (g, a, b, c, d, e, f)
    return Transfer("ICC curve", parameters)
