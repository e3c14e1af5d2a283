"""Computed kernels: the name, range and default of each parameter of their generators.

The formulas are the functions of these names in `formulas`, which imports numpy and is imported when a kernel is computed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from imgconv.errors import UsageError

if TYPE_CHECKING:
    from imgconv.arrays import Array


class Parameter(NamedTuple):
    """A number from `least` to `most`; with the default None the formula computes it."""

    least: float
    most: float
    default: float | None = None
    whole: bool = False

    def checked(self, owner: str, name: str, value: object) -> float:
        """Return `value` as int or float. Raises UsageError, which names the owner, the parameter and its range."""
        number = value if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
        if not self.least <= number <= self.most or (self.whole and number != int(number)):
            kind = "whole number" if self.whole else "number"
            shown = f"{value:g}" if isinstance(value, float) else repr(value)
            raise UsageError(f"{owner}: {name} must be a {kind} from {self.least:g} to {self.most:g}, not {shown}")
        return int(number) if self.whole else float(number)


def _sigma(default: float | None) -> Parameter:
    return Parameter(0.01, 1e6, default)


LARGEST = 1.7e308  # TOML integers have no limit
SIZE = Parameter(1, 1024, whole=True)
SIDE = Parameter(1, 1024, 3, whole=True)
RADIUS = Parameter(1, 511, 3, whole=True)
ANGLE = Parameter(-36000, 36000, 0.0)

GENERATORS: Mapping[str, Mapping[str, Parameter]] = {
    "box": {"size": SIDE},
    "binomial": {"size": SIDE},
    "tent": {"size": SIDE},
    "gaussian": {"sigma": _sigma(1.0), "size": SIZE},
    "disk": {"radius": Parameter(0.1, 511, 3.0)},
    "motion": {"length": Parameter(1, 1023, 9.0), "angle": ANGLE},
    "square": {"size": SIDE},
    "cross": {"size": SIDE},
    "diamond": {"radius": RADIUS},
    "ring": {"radius": RADIUS},
    "segment": {"length": Parameter(1, 1023, 9.0), "angle": ANGLE},
    "unsharp": {"sigma": _sigma(1.0), "amount": Parameter(0, 1000, 1.0), "size": SIZE},
    "highboost": {"amount": Parameter(1, 1000, 1.0)},
    "log": {"sigma": _sigma(1.4), "size": SIZE},
    "dog": {"sigma1": _sigma(1.0), "sigma2": _sigma(None), "size": SIZE},
    "gauss_dx": {"sigma": _sigma(1.0), "order": Parameter(1, 8, 1, whole=True), "size": SIZE},
    "gauss_dy": {"sigma": _sigma(1.0), "order": Parameter(1, 8, 1, whole=True), "size": SIZE},
    "gauss_dxy": {"sigma": _sigma(1.0), "size": SIZE},
    "gabor": {
        "sigma": _sigma(2.0),
        "angle": ANGLE,
        "wavelength": Parameter(0.1, 1e6, 4.0),
        "phase": ANGLE,
        "aspect": Parameter(0.01, 100, 0.5),
        "size": SIZE,
    },
}
BANK_GENERATORS = ("laws",)


def check_parameters(owner: str, generator: str, values: Mapping[str, object]) -> dict[str, float]:
    """Check the parameters of a generator. Raises UsageError for an unknown name or a number out of range.

    >>> check_parameters("kernel blur", "gaussian", {"sigma": 2})
    {'sigma': 2.0}
    """
    allowed = GENERATORS[generator]
    for name in values:
        if name not in allowed:
            raise UsageError(f"{owner}: no parameter {name!r}; it takes {', '.join(allowed)}")
    return {name: allowed[name].checked(owner, name, value) for name, value in values.items()}


def generate(generator: str, values: Mapping[str, float]) -> tuple[Array, float]:
    """Compute (taps, divisor) by a generator's formula; missing parameters have their defaults.

    >>> taps, divisor = generate("box", {"size": 5})
    >>> taps.shape, divisor
    ((5, 5), 25.0)
    """
    defaults = {name: p.default for name, p in GENERATORS[generator].items() if p.default is not None}
    taps, divisor = _formula(generator)(**{**defaults, **values})
    return taps, divisor


def generate_bank(generator: str) -> dict[str, Array]:
    """Compute the taps of every kernel of a generated bank, by the kernel's name in the bank."""
    taps: dict[str, Array] = _formula(generator)()
    return taps


def _formula(name: str) -> Any:
    from imgconv.registry import formulas

    return getattr(formulas, name)


def is_number(value: object) -> bool:
    """Whether a TOML value is a finite number (TOML also has nan and inf)."""
    return isinstance(value, int | float) and not isinstance(value, bool) and -LARGEST <= value <= LARGEST
