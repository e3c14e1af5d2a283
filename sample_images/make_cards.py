"""Draw the test cards of this folder: python sample_images/make_cards.py [FOLDER]. The same files come out every time."""

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

ORIENTATION = 0x0112  # EXIF tag


def main() -> None:
    """Write every card into the folder given, or into this one."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    zone_plate().save(folder / "zone_plate.png", optimize=True)
    step_wedge().save(folder / "step_wedge.png", optimize=True)
    ramp().save(folder / "ramp_16bit.png")
    logo().save(folder / "logo_transparent.png", optimize=True)
    save_rotated(folder / "rotated_exif6.jpg")
    frames = [ball(position) for position in range(8)]
    frames[0].save(folder / "animated.gif", save_all=True, append_images=frames[1:], duration=80, loop=0)
    pages = [page(number) for number in (1, 2, 3)]
    pages[0].save(folder / "pages.tiff", save_all=True, append_images=pages[1:], compression="tiff_deflate", dpi=(150, 150))
    print(f"cards written to {folder}")


def zone_plate(height: int = 255, width: int = 257) -> Image.Image:
    """Rings whose frequency grows to half a cycle a pixel at the edges: what a filter does at every frequency and direction."""
    y, x = np.mgrid[:height, :width].astype(float)
    phase = np.pi * ((x - width // 2) ** 2 + (y - height // 2) ** 2) / max(height, width)
    return Image.fromarray(np.rint(127.5 + 127.5 * np.cos(phase)).astype(np.uint8))


def step_wedge(steps: int = 16, height: int = 60, width: int = 24) -> Image.Image:
    """Flat greys of 0, 17, ... 255: zero-sum kernels answer with 17 times a constant at each step, and 0 between."""
    greys = np.repeat(np.arange(steps) * 255 // (steps - 1), width).astype(np.uint8)
    return Image.fromarray(np.tile(greys, (height, 1)))


def ramp(height: int = 33, width: int = 513) -> Image.Image:
    """A 16-bit ramp of 128 a pixel, 0 to 65535: where 8 bits are lost, it shows steps of two pixels."""
    values = np.minimum(np.arange(width) * 128, 65535).astype(np.uint16)
    return Image.fromarray(np.tile(values, (height, 1)))


def logo(size: int = 121) -> Image.Image:
    """A kernel drawn as nine squares on a half transparent disc; what is fully transparent is bright green, and must never be seen."""
    image = Image.new("RGBA", (size, size), (0, 255, 0, 0))
    draw = ImageDraw.Draw(image)
    draw.ellipse((2, 2, size - 3, size - 3), fill=(30, 60, 160, 128))
    cell = size // 5
    for number in range(9):
        left, top = cell + cell * (number % 3), cell + cell * (number // 3)
        colour = (240, 120, 30, 255) if number == 4 else (245, 245, 245, 255)
        draw.rectangle((left + 1, top + 1, left + cell - 2, top + cell - 2), fill=colour)
    return image


def save_rotated(path: Path) -> None:
    """An arrow stored lying on its side, with an EXIF orientation of 6: shown rightly, it points up in an image 120 wide and 161 high."""
    upright = Image.new("RGB", (120, 161), (235, 235, 225))
    draw = ImageDraw.Draw(upright)
    draw.polygon([(60, 10), (105, 70), (75, 70), (75, 150), (45, 150), (45, 70), (15, 70)], fill=(180, 30, 40))
    draw.rectangle((4, 140, 24, 156), fill=(20, 90, 160))
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    upright.transpose(Image.Transpose.ROTATE_90).save(path, quality=92, exif=exif, dpi=(300, 300))


def ball(position: int) -> Image.Image:
    """One frame of a ball that rolls from left to right."""
    image = Image.new("RGB", (141, 61), (25, 25, 50))
    draw = ImageDraw.Draw(image)
    left = 5 + 13 * position
    draw.ellipse((left, 15, left + 32, 47), fill=(250, 200, 40))
    draw.line((0, 52, 140, 52), fill=(120, 120, 150), width=3)
    return image


def page(number: int) -> Image.Image:
    """A page of its own size with as many bars as its number."""
    image = Image.new("L", (80 + 10 * number, 101), 255)
    draw = ImageDraw.Draw(image)
    for bar in range(number):
        draw.rectangle((10 + 24 * bar, 15, 22 + 24 * bar, 85), fill=40)
    return image


if __name__ == "__main__":
    main()
