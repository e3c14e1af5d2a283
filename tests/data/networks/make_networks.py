"""Make the golden data of `imgconv run` with torch: weights, images, and what torch makes of them.

Run it as `python tests/data/networks/make_networks.py` where torch 2.13, safetensors and Pillow 13 are installed. The LeNet learns
printed digits from scratch in a minute, and goes to recipes/ too, where it is an example.
"""

from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from safetensors.torch import save_file
from torch import nn

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
DIGITS = 10


def main() -> None:
    """Write everything beside this file, and the LeNet and a digit into recipes/."""
    torch.manual_seed(5)
    expected: dict[str, np.ndarray] = {}
    lenet(expected)
    first_layers(expected)
    autoencoder(expected)
    reductions(expected)
    np.savez_compressed(HERE / "expected.npz", **expected)


def lenet(expected: dict[str, np.ndarray]) -> None:
    """conv 5x5 1->10, pool, relu, conv 5x5 10->20, pool, relu, linear 320->10, on grey digits of 28x28."""
    rng = np.random.default_rng(7)
    net = nn.Sequential()
    for name, layer in {
        "conv1": nn.Conv2d(1, 10, 5),
        "pool1": nn.MaxPool2d(2),
        "relu1": nn.ReLU(),
        "conv2": nn.Conv2d(10, 20, 5),
        "pool2": nn.MaxPool2d(2),
        "relu2": nn.ReLU(),
        "flatten": nn.Flatten(),
        "fc": nn.Linear(320, DIGITS),
    }.items():
        net.add_module(name, layer)
    optimizer = torch.optim.Adam(net.parameters(), 2e-3)
    for _ in range(600):
        labels = rng.integers(0, DIGITS, 64)
        loss = nn.functional.cross_entropy(net(as_batch([digit(int(label), rng) for label in labels])), torch.from_numpy(labels))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    weights = {name: value.detach().clone() for name, value in net.state_dict().items()}
    save(weights, "lenet")
    np.savez(ROOT / "recipes" / "lenet.npz", **{name: value.numpy() for name, value in weights.items()})
    images = [digit(n, rng) for n in range(DIGITS)]
    for n, image in enumerate(images):
        Image.fromarray(image).save(HERE / f"digit_{n}.png")
    Image.fromarray(images[7]).save(ROOT / "recipes" / "seven.png")
    with torch.no_grad():
        expected["lenet.conv1"] = net[0](as_batch(images)).numpy()[7]
        expected["lenet"] = net(as_batch(images)).numpy()
        expected["lenet.softmax"] = torch.softmax(net(as_batch(images)), 1).numpy()


def save(weights: dict[str, torch.Tensor], name: str) -> None:
    """Write weights as a .safetensors file, which the library makes for its owner alone."""
    file = HERE / f"{name}.safetensors"
    save_file(weights, file)
    file.chmod(0o644)


def digit(number: int, rng: np.random.Generator) -> np.ndarray:
    """A printed digit, white on black, turned, shifted and noisy: (28, 28) uint8."""
    image = Image.new("L", (28, 28))
    place = (14 + float(rng.uniform(-2, 2)), 14 + float(rng.uniform(-2, 2)))
    ImageDraw.Draw(image).text(place, str(number), 255, ImageFont.load_default(float(rng.uniform(18, 25))), "mm")
    turned = np.array(image.rotate(float(rng.uniform(-15, 15)), Image.Resampling.BILINEAR), np.float64)
    return np.clip(turned + rng.normal(0, 12, turned.shape), 0, 255).astype(np.uint8)


def as_batch(images: list[np.ndarray]) -> torch.Tensor:
    """(N, 1, 28, 28) from 0 to 1."""
    return torch.from_numpy(np.stack(images)[:, None].astype(np.float32) / 255)


def first_layers(expected: dict[str, np.ndarray]) -> None:
    """The first layers of a ResNet and a depthwise separable block, on a colour photograph of odd size."""
    stem = nn.Sequential(nn.Conv2d(3, 16, 7, 2, 3), nn.ReLU(), nn.MaxPool2d(3, 2, 1))
    block = nn.Sequential(
        nn.Conv2d(16, 16, 3, 1, 2, 2, groups=16, padding_mode="reflect"), nn.LeakyReLU(0.1), nn.Conv2d(16, 8, 1), nn.Tanh()
    )
    grouped = nn.Conv2d(8, 12, (3, 5), (2, 1), (1, 0), groups=4)
    net = nn.Sequential()
    net.add_module("stem", stem)
    net.add_module("block", block)
    net.add_module("grouped", grouped)
    save(dict(net.state_dict()), "first_layers")
    with Image.open(ROOT / "sample_images" / "chelsea.jpg") as photo:
        crop = photo.convert("RGB").crop((120, 60, 120 + 63, 60 + 49))
    crop.save(HERE / "crop.png")
    pixels = torch.from_numpy(np.array(crop, np.float32).transpose(2, 0, 1)[None] / 255)
    mean, std = (torch.tensor(each)[:, None, None] for each in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    with torch.no_grad():
        expected["first_layers.stem"] = stem((pixels - mean) / std)[0].numpy()
        expected["first_layers"] = net((pixels - mean) / std)[0].numpy()


def autoencoder(expected: dict[str, np.ndarray]) -> None:
    """Down with strided convolutions, up with transposed ones, on the same photograph."""
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU(), nn.ConvTranspose2d(8, 6, 4, (2, 3), (1, 0), (1, 2), groups=2), nn.ReLU(), nn.Conv2d(6, 3, 1)
    )
    np.savez(HERE / "autoencoder.npz", **{name: value.numpy() for name, value in net.state_dict().items()})
    with torch.no_grad():
        expected["autoencoder"] = torch.sigmoid(net(photograph()))[0].numpy()


def reductions(expected: dict[str, np.ndarray]) -> None:
    """Every pool, one after the other."""
    steps = (
        nn.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False),
        nn.MaxPool2d((2, 3), (1, 2), (1, 0), (2, 1), ceil_mode=True),
        nn.AvgPool2d(2, 1, divisor_override=3),
        nn.AdaptiveAvgPool2d((7, None)),
        nn.AdaptiveMaxPool2d((3, 2)),
    )
    maps = photograph()
    for number, step in enumerate(steps, 1):
        maps = step(maps)
        expected[f"reductions.{number}"] = maps[0].numpy()


def photograph() -> torch.Tensor:
    """(1, 3, 49, 63) stored values."""
    with Image.open(HERE / "crop.png") as image:
        return torch.from_numpy(np.array(image, np.float32).transpose(2, 0, 1)[None])


if __name__ == "__main__":
    main()
