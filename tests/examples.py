"""How many examples a property and a sweep are tested with: a part of them in the quick run, all of them in `.ci/run full`."""

import os
from itertools import cycle, islice, product

from hypothesis import settings

FULL = os.environ.get("IMGCONV_TESTS") == "full"

settings.register_profile("without a clock", deadline=None)
settings.load_profile("without a clock")

FLOATS = ["float32", "float64"] if FULL else ["float32"]
"""Types for sweeps over layers, which compile a dozen loops for each."""


def examples(count, **options):
    """Hypothesis settings for `count` examples in the full run."""
    return settings(max_examples=count if FULL else max(count // 6, 8), **options)


def each_once(*values):
    """As many combinations of some values as it takes to meet every value in the quick run; all of them in the full run."""
    return list(product(*values)) if FULL else list(islice(zip(*map(cycle, values), strict=False), max(map(len, values))))
