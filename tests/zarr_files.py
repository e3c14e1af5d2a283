"""Zarr arrays and OME-Zarr groups for tests, written with zarr itself."""

import numpy as np
import zarr

COLOURS = [{"color": color, "label": label} for color, label in (("FF0000", "R"), ("00FF00", "G"), ("0000FF", "B"))]


def levels(channels, dtype="uint8", size=(301, 223)):
    """Smooth gradients with noise, so that every row differs."""
    generator = np.random.default_rng(channels)
    ramp = np.add.outer(np.arange(size[0]), np.arange(size[1]))[..., None] % 200
    noisy = ramp + generator.integers(0, 56, (*size, channels))
    if np.dtype(dtype).kind == "f":
        return (noisy / 255).astype(dtype)
    return (noisy * (257 if dtype == "uint16" else 1)).astype(dtype)


def write(path, pixels, chunks, version=3, name=None, **options):
    """Write an array."""
    array = zarr.create_array(path, name=name, shape=pixels.shape, dtype=pixels.dtype, chunks=chunks, zarr_format=version, **options)
    array[...] = pixels
    return array


def write_ome(path, pixels, axes, chunks, version=3, scale=None, unit=None, colours=None):
    """Write an OME-Zarr image with one reduced copy of every second row and column."""
    kinds = {"t": "time", "c": "channel"}
    described = [
        {"name": axis, "type": kinds.get(axis, "space"), **({"unit": unit} if unit and axis not in kinds else {})} for axis in axes
    ]
    sizes = scale or [1.0] * len(axes)
    datasets = []
    for level in (0, 1):
        factors = [size * (1 + level * (axis in "yx")) for axis, size in zip(axes, sizes, strict=True)]
        datasets.append({"path": str(level), "coordinateTransformations": [{"type": "scale", "scale": factors}]})
    image = {"multiscales": [{"version": "0.4", "axes": described, "datasets": datasets}]}
    image |= {"omero": {"channels": colours}} if colours else {}
    attributes = image if version == 2 else {"ome": {"version": "0.5", **image}}
    zarr.create_group(path, zarr_format=version, attributes=attributes)
    write(path, pixels, chunks, version, "0")
    reduced = pixels[..., ::2, ::2]
    write(path, reduced, tuple(min(pair) for pair in zip(chunks, reduced.shape, strict=True)), version, "1")
