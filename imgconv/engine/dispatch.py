"""Choose how the work is done: the algorithm, and the sizes of blocks, for layers and for images.

All arguments are integers that describe the work. Nothing here that fixes the order of a sum may depend on the number of threads or on
the size of a band, since the last bits of a result would then depend on them too. The number of blocks of images, groups, outputs and
rows may depend on the threads; the number of blocks of channels may not.
"""

from math import prod
from typing import Literal, NamedTuple

LayerAlgorithm = Literal["tiles", "product"]

BLOCK_CELLS = 2**17  # half a megabyte of float32: a block stays in a core's second-level cache
SMALL_BLOCK = 2**14  # cells below which a block takes longer to describe than it is worth
SMALL_GROUP = 64  # channels times outputs, whose weights are few
MOST_SPREAD = 16  # cells for each output: zeros are multiplied, too
MOST_PHASES = 4  # of strides, each a correlation of its own
BLOCK_WORK = 2**23  # multiply-adds that are worth handing to another thread: a tenth to a fifth of a millisecond
MOST_ROW_TAPS = 1024  # whose sum in float32 is taken at once
COMMON_THREADS = 4  # blocks of channels are sized for this many threads, so that results do not depend on the actual number
LEAST_ROWS = 4  # that are summed together
LEAST_POSITIONS = 512  # flat positions below which rows are too short for the loops to run at full speed
STRIP_COLUMNS = 2**18  # output columns that row loops take: a row of cells is a megabyte of float32 for each channel
PATCH_CELLS = 2**20  # of the unfolded operand of a matrix product


class LayerSize(NamedTuple):
    """A convolution in whole numbers; `row_length` cells per row of a plane, `halo` rows of a block beyond its output rows."""

    images: int
    groups: int
    group_channels: int
    group_outputs: int
    kernel_rows: int
    kernel_columns: int
    rows: int
    row_length: int
    halo: int
    phases: int

    @property
    def kernel(self) -> int:
        """Cells of the kernel."""
        return self.kernel_rows * self.kernel_columns

    @property
    def taps(self) -> int:
        """Taps of one output: kernel cells times channels of a group."""
        return self.kernel * self.group_channels

    @property
    def work(self) -> int:
        """Multiply-adds, those thrown away at row ends included."""
        return self.images * self.groups * self.group_outputs * self.taps * self.rows * self.row_length

    def cells(self, rows: int) -> int:
        """Padded cells of one image and group that `rows` output rows need."""
        return self.group_channels * self.phases * (rows + self.halo) * self.row_length


class BlockSize(NamedTuple):
    """Images, groups, channels of a group, outputs of a group and rows that one block takes."""

    images: int
    groups: int
    channels: int
    outputs: int
    rows: int


def algorithm(size: LayerSize) -> LayerAlgorithm:
    """How to correlate: by `tiles` of cells, or by a matrix `product` where maps are too small to fill tiles and channels are many.

    Multiply-adds a second on one core, in billions: 64 to 64 channels 3x3 at 56x56, tiles 120, numpy.matmul 58 without its unfolding.
    CPU time of tiles over that of the product for 8 images, 256 to 256 channels: at 4x4 1.4, at 7x7 1.0, at 14x14 0.9 (Zen 5, 2026-11).
    """
    plane = (size.rows + size.halo) * size.row_length
    is_small = plane <= 9 or (plane <= 40 and size.images >= 4)
    return "product" if is_small and size.taps >= 512 and size.group_outputs >= 128 else "tiles"


def takes_tiles(size: LayerSize, phases: int) -> bool:
    """Whether the adjoint in the input is computed by tiles, a stride phase at a time, and not by products of patches that are added.

    The weights are rearranged for it, which takes longer than their products with a few cells: 8 images of 512 channels at 7x7 take 22 ms
    by tiles and 25 by products, one image 4.6 and 4.4; with a stride of 2, 8 images of 512 to 256 channels at 8x8 take 32 and 28. Groups of
    a few weights make products of their own: 4 images of 256 at 28x28 take 2.8 ms by tiles with a stride of 2, and 8.5 (Zen 4, 2026-11).
    """
    least = 0 if size.group_channels * size.group_outputs <= SMALL_GROUP else 384 if phases == 1 else 2 * LEAST_POSITIONS
    return phases <= MOST_PHASES and size.images * size.rows * size.row_length >= least


def spreads(group_channels: int, stride: tuple[int, ...]) -> bool:
    """Whether the adjoint in the input has zeros put between outputs, to be one correlation instead of one for each stride phase.

    Rows of a phase are short, and its cells lie apart: 4 images of 256 channels at 28x28, 3x3, each a group of its own, take 0.7 ms with a
    stride of 2 instead of 2.2, and 8 of 64 channels at 56x56, 7x7 with a stride of 3, 3.4 instead of 24 (Zen 4, 2026-11).
    """
    return group_channels == 1 and 1 < prod(stride) <= MOST_SPREAD


def takes_tiles_of_channels(size: LayerSize) -> bool:
    """Whether the gradient of the weight is computed by tiles of neighbouring channels, and not by products of patches.

    Interleaving the channels takes as long as copying the patches of a single cell; a row of the kernel should fill a tile.
    """
    return size.kernel > 1 and size.group_channels * size.kernel_columns >= 32 and size.group_outputs >= 4


def takes_planes(size: LayerSize) -> bool:
    """Whether the gradient of the weight is computed by planes, whose products with a plane of outputs are summed tap by tap.

    A product of matrices has to copy every cell once for each tap, which few outputs do not make up for.
    """
    return size.kernel > 1 or size.groups > 1


def product_block_size(size: LayerSize) -> BlockSize:
    """Blocks for the gradient of the weight by planes: rows and images of a group at a time, whatever the number of threads.

    What is added up at the end of a block costs more than cells from the third-level cache.
    """
    budget, output_row = 4 * BLOCK_CELLS, size.group_outputs * size.row_length
    rows = _even(size.rows, max(budget // (size.cells(1) - size.cells(0) + output_row) - size.halo, 1))
    most = size.images if size.groups > 1 else -(-size.images // COMMON_THREADS)
    images = max(min(budget // (size.cells(rows) + rows * output_row), most), 1) if rows == size.rows else 1
    groups = max(BLOCK_WORK * size.groups * size.rows // (size.work * rows), 1)
    return BlockSize(images, _even(size.groups, groups), size.group_channels, size.group_outputs, rows)


def takes_rows(size: LayerSize) -> bool:
    """Whether rows of a single output are summed together, so that a vector of cells is read once for several taps in a column."""
    return size.group_outputs == 1 and size.rows >= LEAST_ROWS and size.kernel_rows > 1 and size.taps <= MOST_ROW_TAPS


def copies_by_column(size: LayerSize, columns: int) -> bool:
    """Whether planes for each column of the kernel cost less than the sums at the end of rows, which are computed and not used.

    `columns` are those of the output. A cell is copied in about a cycle, in which sixteen sums grow by one tap.
    """
    return (size.row_length - columns) * size.group_outputs * size.kernel_rows > 12 * columns


def block_size(size: LayerSize, threads: int) -> BlockSize:
    """Blocks for the row loops: cells that stay in cache, rows long enough, and one for each thread where the work is worth it.

    Channels are taken a part at a time only where they must be, and then whatever the number of threads.
    """
    budget = BLOCK_CELLS if size.group_outputs > 2 else 2 * BLOCK_CELLS  # cells that are read once need not stay in cache
    rows = _rows(size, budget, _wanted(size, COMMON_THREADS))
    images = min(max(-(-LEAST_POSITIONS // (rows * size.row_length)), SMALL_BLOCK // size.cells(rows)), size.images)
    cells, wanted = images * size.cells(rows), _wanted(size, threads)
    if cells > 4 * budget:
        channels = _even(size.group_channels, max(2 * budget * size.group_channels // cells, 1))
    else:
        channels, rows = size.group_channels, _rows(size, budget, wanted)
        images = min(images, max(4 * budget // size.cells(rows), 1))
    outputs, parts = _outputs(size, rows, wanted), -(-size.rows // rows)
    groups = _even(size.groups, max(size.images * size.groups * parts // wanted, 1))
    return BlockSize(_even(size.images, max(min(images, size.images // wanted), 1)), groups, channels, outputs, rows)


def _wanted(size: LayerSize, threads: int) -> int:
    """The number of blocks, at most one for each of `threads`, for which waking a thread pays."""
    touched = size.images * size.groups * size.cells(size.rows)
    return min(max((size.work + touched * (BLOCK_WORK // BLOCK_CELLS)) // BLOCK_WORK, 1), threads)


def _rows(size: LayerSize, budget: int, wanted: int) -> int:
    """Output rows of a block of `budget` cells, if `wanted` blocks are useful; at least as many as the loops need for full speed."""
    least = min(-(-LEAST_POSITIONS // size.row_length), size.rows)
    fitting = max(budget // max(size.cells(1) - size.cells(0), 1) - size.halo, 1)
    shared = -(-size.rows // -(-wanted // (size.images * size.groups)))
    return _even(size.rows, max(min(fitting, shared), least))


def _outputs(size: LayerSize, rows: int, wanted: int) -> int:
    """Outputs of a group in one block: all, unless rows and groups leave too few blocks; a multiple of eight, at least 16."""
    count = size.images * size.groups * -(-size.rows // rows)
    if size.groups > 1 or 2 * count > wanted:
        return size.group_outputs
    return min(max(-(-size.group_outputs // -(-wanted // count) // 8) * 8, 16), size.group_outputs)


def _even(total: int, most: int) -> int:
    """The size of at most `most` that splits `total` into as few and as even parts as possible."""
    parts = -(-total // min(most, total))
    return -(-total // parts)


def patch_columns(kernel: int) -> int:
    """Output columns whose patches PATCH_CELLS hold for one channel: wider maps are taken in strips."""
    return max(PATCH_CELLS // kernel, 1)


def patch_block_size(size: LayerSize, columns: int) -> BlockSize:
    """Blocks for the gradients, which unfold: as many channels, then rows, then images as PATCH_CELLS hold patches for.

    Part of one group's channels or whole groups; `columns` are those of an output row.
    """
    channel_row = size.kernel * columns
    channels = max(PATCH_CELLS // channel_row, 1)
    if channels < size.group_channels:
        return BlockSize(1, 1, channels, size.group_outputs, 1)
    groups = min(channels // size.group_channels, size.groups)
    row = groups * size.group_channels * channel_row
    rows = min(max(PATCH_CELLS // row, 1), size.rows)
    images = max(min(PATCH_CELLS // (row * rows), size.images), 1) if rows == size.rows else 1
    return BlockSize(images, groups, size.group_channels, size.group_outputs, rows)


Algorithm = Literal["small", "running", "product", "factors", "fourier", "taps"]

SMALL, SMALL_REAL = 9, 25  # taps up to which sums are quickest in registers, and up to which those of floats are
PRODUCT_SIZES = (5, 7, 9, 11, 13)  # of square kernels of one product whose passes stay in registers
RUNNING_REACH = 10  # height + width from which running sums are quickest
PASS_COST = 3  # taps that a row's way through scratch costs
PASS_TAP = 2  # taps that take as long as one of a pass over rows in cache (Zen 3, 2026-11)
FOURIER_LONGEST = 2048  # above that the transform of a tile is not exact enough
FOURIER_TAPS = 250  # that take as long as Fourier transforms by tiles of which all gives output (Zen 3, 2026-11)
FOURIER_REACH = 200  # height + width from which tiles are larger; up to it, each adds the time of two taps, as less of a tile gives output


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
    registers; `factors`: down and then across, once for each outer product; `fourier`: transforms of tiles; `taps`: all taps of a tile
    of rows.

    >>> algorithm_for(KernelSize(9, 9, 81, 1, False, False, True, True, True, (1, 1), (1, 1)))
    'product'
    """
    size, plain = kernel.height * kernel.width, kernel.apart and kernel.stride == kernel.dilation == (1, 1)
    if kernel.apart and size <= SMALL:
        return "small"
    reach = kernel.height + kernel.width
    if plain and kernel.equal and kernel.exact and reach >= RUNNING_REACH:
        return "running"
    if plain and kernel.rank == 1 and kernel.height == kernel.width and kernel.height in PRODUCT_SIZES:
        return "product"
    if plain and size <= SMALL_REAL and not kernel.finite:
        return "small"
    costs: dict[Algorithm, int] = {"taps": kernel.taps}
    if kernel.apart and kernel.rank and (kernel.rank == 1 or (kernel.finite and not kernel.exact)):
        costs["factors"] = PASS_TAP * kernel.rank * (reach + PASS_COST)
    if plain and kernel.small_sums and max(kernel.height, kernel.width) <= FOURIER_LONGEST:
        costs["fourier"] = FOURIER_TAPS + 2 * min(reach, FOURIER_REACH)
    return min(costs, key=lambda name: costs[name])
