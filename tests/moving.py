"""Animated GIF and APNG files written by hand, and what their specifications say must be shown, computed pixel by pixel."""

import struct
import zlib
from dataclasses import dataclass

import numpy as np
from image_files import png_chunk

SIZE = (5, 7)  # height, width of the canvas
PALETTE = np.random.default_rng(4).integers(0, 256, (4, 3)).astype(np.uint8)
PALETTE_ALPHA = (255, 0, 128, 255)


@dataclass
class Drawn:
    """One frame: stored values (H, W) or (H, W, samples), where it is drawn, and the numbers of its disposal and blending."""

    values: np.ndarray
    left: int = 0
    top: int = 0
    disposal: int = 0
    blending: int = 0
    delay: tuple[int, int] = (1, 10)
    transparent: int | None = None
    palette: np.ndarray | None = None
    interlaced: bool = False


@dataclass(frozen=True)
class Kind:
    """What the samples of an APNG mean."""

    colour_type: int
    depth: int
    key: tuple[int, ...] | None = None
    palette_alpha: tuple[int, ...] | None = None

    @property
    def samples(self):
        return {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[self.colour_type]

    def values(self, rng, height, width):
        """Random values, many of them at an end of their range, so that there are opaque and transparent pixels."""
        top = len(PALETTE) if self.colour_type == 3 else 1 << self.depth
        values = rng.integers(0, top, (height, width, self.samples))
        if self.colour_type in (4, 6):
            values[..., -1] = rng.choice([0, top // 3, top - 1], (height, width))
        if self.key is not None:
            values[rng.random((height, width)) < 0.4] = self.key
        return values

    def rgba(self, values):
        """Colours and alpha from 0 to 1."""
        top = (1 << self.depth) - 1
        alpha = np.ones(values.shape[:2])
        if self.colour_type == 3:
            alpha = np.array(self.palette_alpha or (255,) * 4)[values[..., 0]] / 255
            return np.concatenate([PALETTE[values[..., 0]] / 255, alpha[..., None]], axis=2)
        if self.colour_type in (4, 6):
            alpha = values[..., -1] / top
        elif self.key is not None:
            alpha = np.where((values == self.key).all(axis=2), 0.0, 1.0)
        colours = values[..., :3] if self.colour_type in (2, 6) else values[..., :1].repeat(3, axis=2)
        return np.concatenate([colours / top, alpha[..., None]], axis=2)


def png_rows(values, depth):
    """Unfiltered rows, deflated."""
    rows = values.reshape(len(values), -1)
    if depth < 8:
        packed = [np.packbits((row[:, None] >> np.arange(depth)[::-1] & 1).astype(np.uint8)).tobytes() for row in rows]
    else:
        packed = [row.astype(">u2" if depth == 16 else "u1").tobytes() for row in rows]
    return zlib.compress(b"".join(b"\0" + row for row in packed))


def apng(kind, frames, *, still=None, plays=0, size=SIZE):
    """An APNG; `still` is an image before the animation that is not a frame of it."""
    head = struct.pack(">IIBBBBB", size[1], size[0], kind.depth, kind.colour_type, 0, 0, 0)
    parts = [png_chunk(b"IHDR", head)]
    if kind.colour_type == 3:
        parts.append(png_chunk(b"PLTE", PALETTE.tobytes()))
    if kind.palette_alpha is not None or kind.key is not None:
        parts.append(png_chunk(b"tRNS", bytes(kind.palette_alpha) if kind.palette_alpha else struct.pack(f">{len(kind.key)}H", *kind.key)))
    parts.append(png_chunk(b"acTL", struct.pack(">II", len(frames), plays)))
    if still is not None:
        parts.append(png_chunk(b"IDAT", png_rows(still, kind.depth)))
    number = 0
    for frame in frames:
        height, width = frame.values.shape[:2]
        place = (width, height, frame.left, frame.top)
        parts.append(png_chunk(b"fcTL", struct.pack(">IIIIIHHBB", number, *place, *frame.delay, frame.disposal, frame.blending)))
        data, number = png_rows(frame.values, kind.depth), number + 1
        if frame is frames[0] and still is None:
            parts.append(png_chunk(b"IDAT", data))
            continue
        for piece in (data[:9], data[9:]):  # a frame can be in several chunks
            parts.append(png_chunk(b"fdAT", struct.pack(">I", number) + piece))
            number += 1
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts) + png_chunk(b"IEND")


def lzw(values):
    """Values of 8 bits as GIF compresses them, without compression: the table is cleared before its codes grow."""
    codes = [256]
    for number, value in enumerate(values):
        codes += [256, value] if number and number % 250 == 0 else [value]
    bits = sum(int(code) << 9 * place for place, code in enumerate([*codes, 257]))
    data = bits.to_bytes(-(-9 * (len(codes) + 1) // 8), "little")
    return b"\x08" + b"".join(bytes([len(data[at : at + 255])]) + data[at : at + 255] for at in range(0, len(data), 255)) + b"\0"


def gif(frames, *, palette=PALETTE, size=SIZE, plays=1, end=b";"):
    """A GIF of frames whose delays are in hundredths of a second; plays once without a block that counts repetitions."""
    data = b"GIF89a" + struct.pack("<HHBBB", size[1], size[0], 0x81, 2, 0) + palette.tobytes()
    if plays != 1:
        data += b"!\xff\x0bNETSCAPE2.0\3\1" + struct.pack("<H", max(plays - 1, 0)) + b"\0"
    for frame in frames:
        height, width = frame.values.shape
        flags = frame.disposal << 2 | (frame.transparent is not None)
        data += b"!\xf9\4" + struct.pack("<BHB", flags, frame.delay[0], frame.transparent or 0) + b"\0"
        own = frame.palette
        look = 0x40 * frame.interlaced | (0x81 if own is not None else 0)
        data += b"," + struct.pack("<HHHHB", frame.left, frame.top, width, height, look) + (b"" if own is None else own.tobytes())
        order = [y for first, step in ((0, 8), (4, 8), (2, 4), (1, 2)) for y in range(first, height, step)]
        data += lzw((frame.values[order] if frame.interlaced else frame.values).ravel())
    return data + end


def gif_rgba(frame):
    """Colours and alpha of a frame of a GIF, from 0 to 1."""
    palette = PALETTE if frame.palette is None else frame.palette
    alpha = np.where(frame.values == (-1 if frame.transparent is None else frame.transparent), 0.0, 1.0)
    return np.concatenate([palette[frame.values] / 255, alpha[..., None]], axis=2)


def shown(frames, rgba, disposals, *, size=SIZE):
    """What is shown, (H, W, RGBA) from 0 to 1, pixel by pixel. `disposals` names those of the numbers: keep, clear, restore."""
    canvas = [[(0.0, 0.0, 0.0, 0.0)] * size[1] for _ in range(size[0])]
    result = []
    for frame, pixels in zip(frames, rgba, strict=True):
        before = [list(row) for row in canvas]
        cells = [
            (y, x)
            for y in range(frame.top, frame.top + len(pixels))
            for x in range(frame.left, frame.left + pixels.shape[1])
            if y < size[0] and x < size[1]
        ]
        for y, x in cells:
            *colour, alpha = pixels[y - frame.top, x - frame.left]
            canvas[y][x] = _over((*colour, alpha), canvas[y][x]) if frame.blending else (*colour, alpha)
        result.append(np.array(canvas))
        rule = disposals[frame.disposal]
        for y, x in cells:
            if rule != "keep":
                canvas[y][x] = before[y][x] if rule == "restore" else (0.0, 0.0, 0.0, 0.0)
    return result


def _over(above, below):
    alpha = above[3] + below[3] * (1 - above[3])
    if not alpha:
        return below
    return (*((a * above[3] + b * below[3] * (1 - above[3])) / alpha for a, b in zip(above[:3], below[:3], strict=True)), alpha)
