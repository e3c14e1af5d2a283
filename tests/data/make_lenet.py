"""Write lenet.npz: a small LeNet that torch trains for a few steps of plain gradient descent. Needs torch; run by hand."""

from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

RATE, STEPS = 0.2, 15


def lenet():
    """Return a network from 28x28 images to 10 classes with a layer of every kind."""
    return nn.Sequential(
        nn.Conv2d(1, 4, 5, padding=2, padding_mode="reflect"),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(4, 8, 5, groups=2),
        nn.ReLU(),
        nn.AvgPool2d(2),
        nn.ConvTranspose2d(8, 4, 3, stride=2, padding=1, output_padding=1),
        nn.ReLU(),
        nn.MaxPool2d(3, stride=2, padding=1),
        nn.Flatten(),
        nn.Linear(100, 24),
        nn.ReLU(),
        nn.Linear(24, 10),
    )


def main():
    torch.manual_seed(7)
    net = lenet()
    images, classes = torch.randn(16, 1, 28, 28), torch.randint(0, 10, (16,))
    arrays = {f"parameter{n}": p.detach().numpy().copy() for n, p in enumerate(net.parameters())}
    losses = []
    for _ in range(STEPS):
        loss = functional.cross_entropy(net(images), classes)
        losses.append(loss.item())
        net.zero_grad()
        loss.backward()
        with torch.no_grad():
            for p in net.parameters():
                p -= RATE * p.grad
    trained = {f"trained{n}": p.detach().numpy() for n, p in enumerate(net.parameters())}
    arrays |= {"images": images.numpy(), "classes": classes.numpy(), "losses": np.array(losses), "rate": np.array(RATE)}
    np.savez_compressed(Path(__file__).with_name("lenet.npz"), **arrays, **trained)


if __name__ == "__main__":
    main()
