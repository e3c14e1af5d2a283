"""Lines of JSON that every parser takes: what is not a finite number is null."""

import json
import math
import sys
from typing import Any


def write_line(value: Any) -> None:
    """Write `value` to standard output, on one line, for whoever waits for it."""
    sys.stdout.write(json.dumps(finite(value), allow_nan=False) + "\n")
    sys.stdout.flush()


def finite(value: Any) -> Any:
    """`value` with None for every NaN and infinity in it.

    >>> finite({"pixel": [1.5, float("nan")]})
    {'pixel': [1.5, None]}
    """
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: finite(each) for key, each in value.items()}
    return [finite(each) for each in value] if isinstance(value, list | tuple) else value
