"""Deflate and CRC-32 as `fast_zlib`: ISA-L's, or those of zlib where isal has no wheel, such as on RISC-V. The pixels are the same.

Level 1 of zlib takes 4.5 times as long as that of ISA-L, and `imgconv edge` of a photograph of 12 megapixels 1.2 times as long (2026-11).
"""

from typing import cast

try:
    from isal import isal_zlib as fast_zlib
except ImportError:
    import zlib as fast_zlib  # type: ignore[no-redef]

__all__ = ["LEVEL", "DeflateError", "fast_zlib"]

# Levels 1 and 2 of ISA-L give other bytes in 1 of 1000 to 10,000 small images, also within one process; level 3 did not in 44,000.
# Level 3 takes 2.5 times as long as level 1, `imgconv edge` of 12 megapixels 3 % longer and `filter` of colours 10 % (2026-11).
LEVEL = 3
DeflateError = cast(type[Exception], fast_zlib.error)  # isal declares it as an instance
