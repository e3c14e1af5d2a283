"""Whatever another Numba or llvmlite might raise instead of working. Errors of a loop itself are Numba's own, and not among them."""

UNEXPECTED = (AssertionError, AttributeError, ImportError, LookupError, NameError, OSError, RuntimeError, TypeError, ValueError)
