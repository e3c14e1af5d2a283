"""The step behind `pool`."""

from dataclasses import dataclass
from functools import cached_property

from imgconv.errors import UsageError
from imgconv.recipe.filtering import ALPHAS
from imgconv.recipe.shape import Shape, Size, one_of
from imgconv.recipe.step import PixelStep
from imgconv.window import Window, sizes

POOL_MODES = ("max", "avg", "min", "median")


@dataclass(frozen=True)
class Pool(PixelStep):
    """Reduce every window of a picture to its maximum, average, minimum or median; stride None means the size."""

    size: Size = 2
    mode: str = "max"
    stride: Size | None = None
    padding: str | Size = "valid"
    dilation: Size = 1
    ceil_mode: bool = False
    grey: bool = False
    alpha: str = "auto"

    def __post_init__(self) -> None:
        one_of(self.mode, POOL_MODES, "mode")
        one_of(self.alpha, ALPHAS, "alpha")
        sizes(self.size, "size", 2, least=1)  # by its own name
        window = self.window
        if isinstance(window.padding, tuple) and any(p >= s for p, s in zip(window.padding, window.span, strict=True)):
            raise UsageError(f"padding {self.padding} leaves windows with nothing in them; use less than the pool's {self.size}")

    @cached_property
    def window(self) -> Window:
        """Where the pool's windows go."""
        stride = self.size if self.stride is None else self.stride
        return Window.of(self.size, stride, self.padding, self.dilation, ceil_mode=self.ceil_mode)

    def trace(self, shape: Shape) -> list[tuple[str, Shape]]:
        """The name and shape of the one map that a picture of `shape` gives. Raises DoesNotFit where the window does not fit."""
        height, width = self.window.output_size((shape.height, shape.width))
        alpha = shape.alpha and self.keeps_alpha()
        if self.grey:
            shape.check_luma()
        return [("pool", Shape(height, width, (1 if self.grey else shape.colours) + alpha, alpha))]

    def keeps_alpha(self) -> bool:
        """Whether the map has alpha where the picture has it."""
        return self.alpha in ("keep", "filter") or (self.alpha == "auto" and not self.grey)
