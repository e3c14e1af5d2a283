"""How a picture is filtered: which algorithm, for a kernel told in whole numbers.

Nothing here may depend on the number of threads or the size of a band: the choice fixes the order of the sums.
"""

from typing import Literal, NamedTuple

Algorithm = Literal["small", "running", "product", "factors", "fourier", "taps"]

SMALL = ((3, 3), (5, 5))  # sizes for which sums stay in registers
PRODUCT_SIZES = (7, 9, 11, 13)  # of square kernels of one product whose passes stay in registers
RUNNING_REACH = 30  # height + width from which running sums beat two passes
PASS_COST = 3  # taps that a row's way through scratch costs
FOURIER_LONGEST = 2048  # above that the transform of a tile is no longer exact enough
FOURIER_TAPS = 640  # what a Fourier transform by tiles costs; all measured on Zen 5 with AVX-512, 2026-11


class KernelSize(NamedTuple):
    """A kernel in whole numbers.

    `taps` counts those that are used. `rank` is the number of outer products that make the kernel, 0 where none were found. `equal`:
    all taps are one number. `exact`: sums are whole numbers and must stay so; `small_sums`: they are below 2**31, or need not be exact.
    `finite`: no value can be NaN or infinite. `apart`: channels are filtered each on its own.
    """

    height: int
    width: int
    taps: int
    rank: int
    equal: bool
    exact: bool
    small_sums: bool
    finite: bool
    apart: bool
    stride: tuple[int, int]
    dilation: tuple[int, int]


def algorithm_for(kernel: KernelSize) -> Algorithm:
    """The quickest algorithm that keeps the promises: whole sums exact, others within rounding, NaN and infinity where they belong.

    `small`: sums in registers; `running`: sums that slide (equal taps); `product`: down and then across, each in
    registers; `factors`: down and then across, once for each outer product; `fourier`: transforms of tiles; `taps`: tap by tap.

    >>> algorithm_for(KernelSize(9, 9, 81, 1, False, False, True, True, True, (1, 1), (1, 1)))
    'product'
    """
    plain = kernel.apart and kernel.stride == (1, 1) and kernel.dilation == (1, 1)
    if plain and (kernel.height, kernel.width) in SMALL:
        return "small"
    reach = kernel.height + kernel.width
    if plain and kernel.equal and kernel.exact and reach >= RUNNING_REACH:
        return "running"
    if plain and kernel.rank == 1 and kernel.height == kernel.width and kernel.height in PRODUCT_SIZES:
        return "product"
    costs: dict[Algorithm, int] = {"taps": kernel.taps}
    if kernel.apart and kernel.rank and (kernel.rank == 1 or (kernel.finite and not kernel.exact)):
        costs["factors"] = kernel.rank * (reach + PASS_COST)
    if plain and kernel.finite and kernel.small_sums and max(kernel.height, kernel.width) <= FOURIER_LONGEST:
        costs["fourier"] = FOURIER_TAPS
    return min(costs, key=lambda name: costs[name])
