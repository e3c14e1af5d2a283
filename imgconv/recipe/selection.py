"""The options that select an operation, as commands and Python calls take them, and the recipe that follows from them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from imgconv.errors import UsageError
from imgconv.recipe.recipe import DECLARED, MissingData, Postprocess, Recipe, filter_recipe
from imgconv.recipe.references import window_shape
from imgconv.recipe.steps import Canny, Pool
from imgconv.registry import Bank, Kernel, Registry
from imgconv.window import Padding, Size

OF_POOL = ("size", "window", "mode", "ceil_mode")
OF_CANNY = ("canny", "sigma", "low", "high", "quantiles")
OF_NETWORK = ("step", "recipe")
WINDOW = ("stride", "padding", "padding_mode", "dilation")
OF_MISSING = ("missing", "min_valid", "missing_data")
POOL_TAKES = (*OF_POOL, *OF_MISSING, *WINDOW, "grey", "alpha", "kernels_file")
CANNY_TAKES = (*OF_CANNY, "invert", "overlay", "alpha", "missing_data")
NETWORK_TAKES = (*OF_NETWORK, *OF_MISSING, "kernels_file", "range")


@dataclass(frozen=True, eq=False, repr=False)
class Selection:
    """The options of the operation, each None or empty where the operation has a default of its own.

    Without any of them it is the filter of `imgconv edge`. `low` and `high` are percentages with `quantiles`.
    """

    kernel: Sequence[str | Kernel | Bank] = ()
    range: str | None = None
    threshold: float | None = None
    invert: bool = False
    overlay: bool = False
    grey: bool | None = None
    stride: Size | None = None
    padding: Padding | None = None
    padding_mode: str | tuple[str, float] | None = None
    dilation: Size = 1
    flip: bool = False
    linear: bool = False
    alpha: str = "auto"
    missing: str = "keep"
    min_valid: float = 0.0
    missing_data: MissingData = DECLARED
    kernels_file: Path | None = None
    size: Size | None = None
    window: str | Kernel | Bank | None = None
    mode: str | None = None
    ceil_mode: bool = False
    canny: bool = False
    sigma: float | None = None
    low: float | None = None
    high: float | None = None
    quantiles: bool = False
    step: Sequence[str] = ()
    recipe: str | PathLike[str] | None = None

    def to_recipe(self, keep: Sequence[str] = ()) -> Recipe:
        """The recipe of the operation; `keep` names steps of a network. Raises UsageError for options that exclude each other."""
        if self._has_any(OF_NETWORK):
            from imgconv.recipe.parsing import network_recipe  # other operations start without networks

            self._refuse_all_but(NETWORK_TAKES, "the steps of a network")
            file = None if self.recipe is None else fspath(self.recipe)
            return network_recipe(self.step, file=file, keep=keep, **self._fields("range", "kernels_file", *OF_MISSING))
        if keep:
            raise UsageError("--keep selects steps of a network; give -s or --recipe")
        if self._has_any(OF_CANNY):
            self._refuse_all_but(CANNY_TAKES, "canny")
            return self.canny_recipe()
        if self._has_any(OF_POOL):
            self._refuse_all_but(POOL_TAKES, "a pool")
            return self.pool_recipe()
        return filter_recipe(
            self.kernel or ["laplacian8"],
            command="filter" if self.kernel else "edge",
            registry=Registry.load(self.kernels_file),
            postprocess=Postprocess(self.invert, self.threshold, self.overlay),
            **self._fields(*WINDOW, "flip", "range", "grey", "linear", "alpha", *OF_MISSING),
        )

    def canny_recipe(self) -> Recipe:
        """The recipe of the command `canny` with these options."""
        sigma = Canny.sigma if self.sigma is None else self.sigma
        step = Canny(sigma, self.low, self.high, self.quantiles, self.alpha)
        return Recipe("canny", step, Postprocess(self.invert, None, self.overlay), self.missing_data)

    def pool_recipe(self) -> Recipe:
        """The recipe of the command `pool` with these options."""
        if self.window is not None and self.size is not None:
            raise UsageError("--size and --window exclude each other; leave one of them out")
        options = self._fields(*WINDOW, "ceil_mode", "alpha", "missing", "min_valid")
        footprint = window_shape(self.window, self.kernels_file)
        size = Pool.size if self.size is None else self.size
        step = Pool(size, self.mode or Pool.mode, footprint=footprint, grey=bool(self.grey), **options)
        return Recipe("pool", step, missing_data=self.missing_data)

    def _fields(self, *names: str) -> dict[str, Any]:
        return {name: getattr(self, name) for name in names}

    def _has_any(self, names: Collection[str]) -> bool:
        return any(field.name in names and getattr(self, field.name) != field.default for field in fields(self))

    def _refuse_all_but(self, allowed: Collection[str], operation: str) -> None:
        for field in fields(self):
            if field.name not in allowed and getattr(self, field.name) != field.default:
                raise UsageError(f"--{self._option(field.name)} cannot be used with {operation}; leave one of them out")

    def _option(self, name: str) -> str:
        """The option that gave a field its value."""
        if name == "grey":
            return "grey" if self.grey else "color"
        if name == "missing_data":
            return "nodata" if self.missing_data.mask is None else "mask"
        return name.replace("_", "-")
