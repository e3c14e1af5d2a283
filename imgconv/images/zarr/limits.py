"""A limit on the expansion of the chunks of a Zarr array: to the size of their shape, since a few bytes can expand to gigabytes."""

import asyncio
import bz2
import lzma
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from math import prod
from typing import Any

from imgconv.images.damage import DECODER_ERRORS
from imgconv.images.zarr.store import library

_DEFAULT = "zarr.core.codec_pipeline.BatchedCodecPipeline"
_SLACK = 1 << 20  # bytes: checksums, the index of a shard
_PIECE = 1 << 16  # bytes that are expanded at a time
_STREAMS: dict[str, Callable[[], Any]] = {
    "zlib": zlib.decompressobj,
    "gzip": lambda: zlib.decompressobj(zlib.MAX_WBITS | 16),
    "bz2": bz2.BZ2Decompressor,
    "lzma": lzma.LZMADecompressor,
}
_COMPRESSIONS = (*_STREAMS, "blosc", "lz4", "zstd")


@contextmanager
def limited_expansion() -> Iterator[None]:
    """Let zarr check the chunks of arrays that are opened in the block, unless another program has chosen how they are decoded.

    The inner chunks of shards are checked if they are read in the block.
    """
    config, pipeline = library().config, _pipeline()
    name = f"{pipeline.__module__}.{pipeline.__qualname__}"
    if config.get("codec_pipeline.path") not in (_DEFAULT, name):
        yield
        return
    with config.set({"codec_pipeline.path": name}):
        yield


def check_expansion(compression: str, data: bytes, most: int) -> None:
    """Raise ValueError if `data`, a chunk in a compression of zarr, expands to more than `most` bytes.

    >>> check_expansion("zlib", zlib.compress(bytes(1000)), 1000)
    >>> check_expansion("zlib", zlib.compress(bytes(1001)), 1000)
    Traceback (most recent call last):
    ValueError: it expands to more than the 1000 bytes that its shape allows
    """
    if compression in _STREAMS:
        is_larger = _exceeds(_STREAMS[compression], data, most)
    elif compression == "zstd":
        is_larger = _zstd_exceeds(data, most)
    else:
        begin = 4 if compression == "blosc" else 0
        is_larger = int.from_bytes(data[begin : begin + 4], "little") > most
    if is_larger:
        raise ValueError(f"it expands to more than the {most} bytes that its shape allows")


def _exceeds(stream: Callable[[], Any], data: bytes, most: int) -> bool:
    """Whether streams that follow each other expand to more than `most` bytes; those before damage, which decoders report."""
    size, decompressor = 0, stream()
    try:
        while size <= most:
            piece = decompressor.decompress(data, _PIECE)
            size += len(piece)
            data = getattr(decompressor, "unconsumed_tail", b"")
            if decompressor.eof:
                data, decompressor = decompressor.unused_data, stream()
            if not piece and not data:
                return False
    except (*DECODER_ERRORS, lzma.LZMAError):
        return False
    return True


def _zstd_exceeds(data: bytes, most: int) -> bool:
    """Whether a frame expands to more than `most` bytes: by its header, or by decoding it into so many (RFC 8878, section 3.1.1)."""
    descriptor = data[4] if len(data) > 4 else 0
    is_single, kind = descriptor >> 5 & 1, descriptor >> 6
    begin = 5 + (not is_single) + (0, 1, 2, 4)[descriptor & 3]
    length = (is_single, 2, 4, 8)[kind]
    if length:
        return int.from_bytes(data[begin : begin + length], "little") + (256 if length == 2 else 0) > most
    from imagecodecs import ZstdError, zstd_decode

    try:
        zstd_decode(data, out=most)
    except ZstdError as error:
        return "too small" in str(error)
    return False


@cache
def _pipeline() -> Any:
    """Return the class by which zarr decodes chunks, with the check before."""
    base: Any = library("zarr.core.codec_pipeline").BatchedCodecPipeline

    class CheckedPipeline(base):  # type: ignore[misc]
        """The pipeline of zarr, for chunks that do not expand beyond their shape."""

        async def decode_batch(self, chunk_bytes_and_specs: Iterable[tuple[Any, Any]]) -> Any:
            """Decode chunks. Raises ValueError for one that expands too far."""
            chunks = list(chunk_bytes_and_specs)
            for data, spec in chunks:
                if data is not None:
                    await asyncio.to_thread(_check_chunk, self, data, spec)
            return await super().decode_batch(chunks)

    library("zarr.registry").register_pipeline(CheckedPipeline)
    return CheckedPipeline


def _check_chunk(pipeline: Any, data: Any, spec: Any) -> None:
    codec = pipeline.array_bytes_codec
    names = [str(each.to_dict()["name"]).removeprefix("numcodecs.") for each in reversed(pipeline.bytes_bytes_codecs)]
    if hasattr(codec, "compressor"):  # of version 2
        names = [each.codec_id for each in (codec.compressor, *reversed(codec.filters or ())) if each is not None]
    names = [name for name in names if name in _COMPRESSIONS]
    if len(names) > 1:
        raise ValueError(f"it is compressed with {' and '.join(names)}; arrays with several compressions are not supported")
    size = prod(spec.shape) * spec.dtype.to_native_dtype().itemsize
    if names:
        check_expansion(names[0], data.to_bytes(), size + size // 4 + _SLACK)
