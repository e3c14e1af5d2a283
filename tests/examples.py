"""How many examples a property is tested with: a quarter of them in the quick run, all of them in `.ci/run full`."""

import os

from hypothesis import settings

FULL = os.environ.get("IMGCONV_TESTS") == "full"


def examples(count, **options):
    """Hypothesis settings for `count` examples in the full run."""
    return settings(max_examples=count if FULL else max(count // 4, 10), deadline=None, **options)
