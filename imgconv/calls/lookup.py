"""Kernels by their names, as `kernels list` and `kernels show` have them."""

from imgconv.registry import Bank, Kernel


def kernels() -> list[str]:
    """Names of all kernels and banks: built-in, and those of the user's files.

    >>> import imgconv
    >>> "laplacian8" in imgconv.kernels()
    True
    """
    from imgconv.registry import Registry

    return Registry.load().names()


def kernel(reference: str) -> Kernel | Bank:
    """The kernel or bank that a reference means, as typed on the command line.

    >>> import imgconv
    >>> imgconv.kernel("laplacian4").taps.tolist()
    [[0.0, -1.0, 0.0], [-1.0, 4.0, -1.0], [0.0, -1.0, 0.0]]
    """
    from imgconv.registry import resolve

    return resolve(reference)
