"""What can go wrong, said once.

Every error of imgconv is an `ImgconvError`; each class also inherits the built-in error that a Python caller would expect,
and knows the exit code of a command that ends with it. Texts say what was given, what is allowed and what to do,
in lower case and without a full stop. This module imports nothing.
"""


class ImgconvError(Exception):
    """Any error that imgconv raises on purpose."""

    exit_code = 1


class UsageError(ImgconvError, ValueError):
    """An argument that is wrong for every image: a stride of 0, an unknown kernel, options that contradict each other."""

    exit_code = 2


class ArgumentTypeError(ImgconvError, TypeError):
    """An argument of the wrong type: a float as a size, a complex array, a string where an array belongs."""

    exit_code = 2


class DoesNotFit(ImgconvError, ValueError):
    """A sound request that this input is too small, or of the wrong shape, for."""


class ImageError(ImgconvError, OSError):
    """A file or stream that cannot be read, decoded, encoded or written."""


PictureError = ImageError  # the public name of earlier versions


class ClusterError(ImgconvError, ConnectionError):
    """A cluster that does not answer, has no workers, or cannot do what is asked of it."""


class MissingExtra(ImgconvError, ImportError):
    """An optional dependency is needed and not installed; the text names the extra that brings it."""
