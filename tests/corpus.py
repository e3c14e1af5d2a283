"""The corpus: every allowed format in every depth and layout that we can make, whole and damaged: `python tests/corpus.py FOLDER`.

Names are NAME.DAMAGE.img, `whole` among the damages; imgconv looks at content and not at names. Damage is drawn from a seeded generator.
"""

import random
import sys
from pathlib import Path

from examples import FULL
from image_files import every_file
from odd_files import odd_files

CUTS = (0.1, 0.5, 0.9, 0.999)
HEADER = 64  # bytes in which sizes, depths and offsets stand
LIES = (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\xea\x60")
BITS, HEADERS = (3, 4) if FULL else (1, 2)  # changes of a bit, and of the header in two ways


def originals():
    """All undamaged files, by name: bytes."""
    return every_file() | {f"odd_{name}": data for name, (data, _, _) in odd_files().items()}


def damaged(name, data):
    """What can happen to a file, by the kind of damage: bytes."""
    chance = random.Random(name)
    files = {f"cut_{part}": data[: max(1, min(int(len(data) * part), len(data) - 1))] for part in CUTS}
    for number in range(BITS):
        files[f"bits_{number}"] = _changed(data, chance, 1 << chance.randrange(8), len(data))
    for number in range(HEADERS):
        files[f"header_{number}"] = _changed(data, chance, 0xFF, HEADER)
        at = chance.randrange(4, max(5, min(HEADER, len(data) - 4)))
        files[f"lie_{number}"] = data[:at] + LIES[number] + data[at + 4 :]
    middle = len(data) // 2
    files["hole"] = data[:middle] + bytes(min(200, middle)) + data[middle + 200 :]
    files["shifted"] = data[:middle] + b"\n" + data[middle:]
    files["followed"] = data + b"garbage" * 9
    return files


def _changed(data, chance, mask, reach):
    """`data` with the bits of `mask` turned in one of its first `reach` bytes."""
    at = chance.randrange(min(reach, len(data)))
    return data[:at] + bytes([data[at] ^ mask]) + data[at + 1 :]


def make(folder):
    """Write the corpus into `folder`, which must exist."""
    for name, data in originals().items():
        for kind, changed in {"whole": data, **damaged(name, data)}.items():
            (folder / f"{name}.{kind}.img").write_bytes(changed)


if __name__ == "__main__":
    make(Path(sys.argv[1]))
