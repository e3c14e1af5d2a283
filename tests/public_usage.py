"""Uses every public name as a script of a user does. mypy checks it with --strict, and a test runs it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import imgconv
from imgconv import functional, gradients, layers

Array = NDArray[Any]
PHOTO = Path(__file__).parents[1] / "sample_images" / "camera.png"


class Lender:
    """An object that numpy converts to an array."""

    def __array__(self, dtype: object = None, copy: bool | None = None) -> Array:
        return np.eye(9, dtype=np.uint8)


def ones(*shape: int) -> NDArray[np.float32]:
    """An array of the type that networks mostly have, for which most loops are there already."""
    return np.ones(shape, np.float32)


def use(*values: object) -> None:
    """Take values of any type."""


def masked() -> np.ma.MaskedArray[tuple[int, int], np.dtype[np.float64]]:
    """Return an image with missing cells."""
    cells: np.ma.MaskedArray[tuple[int, int], np.dtype[np.float64]] = np.ma.masked_equal(np.eye(9), 0)
    return cells


def images() -> None:
    """The calls for whole images, with every kind of image and kernel."""
    kernel: imgconv.Kernel | imgconv.Bank = imgconv.kernel("sobel_x")
    own = imgconv.Kernel("own", np.ones((3, 3)), divisor=9)
    bank = imgconv.Bank("pair", (own, own), "hypot")
    weights: Array = np.asarray(bank)
    with Image.open(PHOTO) as opened:
        for image in (str(PHOTO), PHOTO, opened, np.eye(9), Lender()):
            imgconv.edge(image, alpha="none")
            imgconv.filter(image, own, stride=(1, 2), padding="same", padding_mode=("constant", 0), range="raw")
    edges: Array = imgconv.filter(np.eye(9), Lender())
    holes: np.ma.MaskedArray[Any, Any] = imgconv.pool(masked(), 2, "avg", stride=1, ceil_mode=True)
    lines: Image.Image = imgconv.canny(PHOTO, low=0.1, high=0.2, quantiles=True)
    maps: list[Array] = list(imgconv.run(np.eye(9), ["conv sobel", "combine"], keep=[1], range="abs"))
    use(edges, holes.mask, lines.size, maps)
    use(weights.shape, kernel, bank.to_dict(), len(imgconv.kernels()), imgconv.__version__)


def results() -> None:
    """The fields of what plan, explain, figure and learn return."""
    plan: imgconv.ImagePlan = imgconv.plan((3, 20, 30), ["sobel", imgconv.kernel("box")], padding=(1, 2))
    imgconv.plan(shape=[20, 30], step="max_pool 2")
    step = plan.steps[0]
    sizes: tuple[str, ...] = step.sizes
    work: int = plan.work + step.multiply_adds + step.memory
    explanation: imgconv.Explanation = imgconv.explain(np.eye(9), np.ones((3, 3)), at=(4, 4), matrix=True, grey=True)
    at: tuple[int, int] = explanation.at
    values: list[float] = [stage.value for channel in explanation.maps[0].channels for stage in channel.stages]
    sums: Array = explanation.matrices[0].sums
    figure: imgconv.Figure = imgconv.figure(Lender(), recipe=["conv sobel_x", "relu"], keep="conv")
    page: bytes = figure.draw("svg")
    noise = np.random.default_rng(0).integers(0, 256, (20, 30), np.uint8)
    learnt: imgconv.LearntKernels = imgconv.learn(
        [noise], [imgconv.filter(noise, "box")], size=(3, 3), channels="each", steps=9, descend=True
    )
    r2: NDArray[np.float64] = learnt.fits[0].r2
    texts: list[str] = [str(result) for result in (plan, explanation, figure, learnt)]
    records: list[dict[str, Any]] = [result.to_dict() for result in (plan, explanation, figure, learnt, learnt.kernel)]
    use(sizes, work, at, values, sums, len(page), figure.exhibit.title, learnt.weights, r2, texts, records)


def arrays() -> None:
    """The calls on arrays."""
    x, w = ones(1, 2, 6, 7), ones(2, 2, 3, 3)
    lines, taps = ones(1, 2, 9), ones(2, 2, 3)
    y: NDArray[np.floating[Any]] = imgconv.conv2d(x, w, None, stride=(1, 2), padding="same", padding_mode="reflect")
    imgconv.conv1d(lines, taps, padding=1)
    imgconv.conv_transpose2d(x, w, stride=2, output_padding=1)
    imgconv.conv_transpose1d(lines, taps)
    imgconv.deform_conv2d(x, np.zeros((1, 18, 4, 5), np.float32), w)
    pooled, indices = imgconv.max_pool2d(x, 2, return_indices=True)
    imgconv.max_unpool2d(pooled, indices, 2)
    for pool in (imgconv.max_pool2d, imgconv.min_pool2d, imgconv.avg_pool2d, imgconv.median_pool2d):
        use(pool(x, (2, 3)).shape)
    for pool1d in (imgconv.max_pool1d, imgconv.avg_pool1d):
        use(pool1d(lines, 2).shape)
    imgconv.adaptive_avg_pool2d(x, (1, None))
    imgconv.adaptive_max_pool2d(x, 2)
    imgconv.fold(imgconv.unfold(x, 2), (6, 7), 2)
    imgconv.col2im(imgconv.im2col(x, 3, 3, stride=1, pad=1), x.shape, 3, 3, stride=1, pad=1)
    imgconv.linear(imgconv.flatten(x, 1), ones(3, 84))
    imgconv.softmax(imgconv.tanh(imgconv.sigmoid(imgconv.leaky_relu(imgconv.relu(x), 0.1))), 1)
    use(imgconv.pad(x, (1, 1), "constant", 2.0).shape, imgconv.kernel_matrix(w, (2, 6, 7)).shape, y.shape, functional.conv2d(x, w).shape)


def derivatives() -> None:
    """The gradients."""
    x, w, grad = ones(1, 2, 6, 7), ones(2, 2, 3, 3), ones(1, 2, 4, 5)
    lines, taps, line_grad = ones(1, 2, 9), ones(2, 2, 3), ones(1, 2, 7)
    gradients.conv2d_input(x.shape, w, grad), gradients.conv2d_weight(x, w.shape, grad), gradients.conv2d_bias(grad)
    gradients.conv1d_input(lines.shape, taps, line_grad), gradients.conv1d_weight(lines, taps.shape, line_grad)
    gradients.conv1d_bias(line_grad), gradients.conv_transpose1d_bias(line_grad), gradients.conv_transpose2d_bias(grad)
    gradients.conv_transpose2d_input(grad.shape, w, x), gradients.conv_transpose2d_weight(grad, w.shape, x)
    gradients.conv_transpose1d_input(line_grad.shape, taps, lines), gradients.conv_transpose1d_weight(line_grad, taps.shape, lines)
    gradients.linear_input((1, 4), ones(3, 4), ones(1, 3)), gradients.linear_bias(ones(1, 3))
    gradients.linear_weight(ones(1, 4), (3, 4), ones(1, 3))
    gradients.avg_pool2d_input(ones(1, 2, 3, 3), x.shape, 2), gradients.avg_pool1d_input(ones(1, 2, 4), lines.shape, 2)
    gradients.max_pool2d_input(ones(1, 2, 3, 3), np.zeros((1, 2, 3, 3), np.int64), x.shape)
    gradients.max_pool1d_input(ones(1, 2, 4), np.zeros((1, 2, 4), np.int64), lines.shape)
    gradients.unfold_input(ones(1, 8, 30), x.shape, 2), gradients.fold_input(ones(1, 2, 6, 7), 2)


def networks() -> None:
    """The layers."""
    net = layers.Sequential(
        layers.Conv2d(1, 4, 3, padding="same", generator=0),
        layers.ReLU(),
        layers.MaxPool2d(2),
        layers.ConvTranspose2d(4, 2, 2, stride=2),
        layers.AvgPool2d((2, 2)),
        layers.Flatten(),
        layers.Linear(32, 3),
    )
    layer: layers.Layer = net.layers[0]
    summary = net.summary((1, 1, 8, 8))
    size: tuple[int, ...] = summary.output_size
    net.backward(np.ones_like(net.forward(np.ones((1, 1, 8, 8), np.float32))))
    for parameter, gradient in net.parameters():
        parameter -= 0.1 * gradient if gradient is not None else 0.0
    use(net, layer, summary, size, summary.layers[0].multiply_adds)


def errors() -> None:
    """The errors, and the built-in ones that they are."""
    refused: list[tuple[Callable[[], object], type[Exception]]] = [
        (lambda: imgconv.plan((3, 4), "none"), imgconv.UsageError),
        (lambda: imgconv.pool(np.eye(9), 99), imgconv.DoesNotFit),
        (lambda: imgconv.edge("none.png"), imgconv.ImageError),
        (lambda: imgconv.edge("none.png"), imgconv.PictureError),
        (lambda: imgconv.edge(np.eye(3, dtype=complex)), imgconv.ArgumentTypeError),
    ]
    for call, kind in refused:
        try:
            call()
        except kind as error:
            assert isinstance(error, imgconv.ImgconvError) and not isinstance(error, imgconv.MissingExtra)
        else:
            raise AssertionError(kind)
