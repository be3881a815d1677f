"""Gives kafka-python the codecs it lacks here: it looks for three packages, and cramjam can do what they do.

`lend` must be called before `kafka` is imported for the first time. A package that is installed is left alone.
"""

from __future__ import annotations

import importlib.util
import io
import sys
from types import ModuleType

import cramjam

__all__ = ["lend"]


class _Zstandard:
    def compress(self, payload: bytes) -> bytes:
        return bytes(cramjam.zstd.compress(payload))

    def decompress(self, payload: bytes, max_output_size: int = 0) -> bytes:
        return bytes(cramjam.zstd.decompress(payload))

    def stream_reader(self, payload: io.BytesIO, read_across_frames: bool = False) -> io.BytesIO:
        return io.BytesIO(self.decompress(payload.read()))


def lend() -> None:
    """Puts stand-ins for python-snappy, lz4 and zstandard where `import` finds them."""
    snappy = ModuleType("snappy")
    snappy.compress = lambda payload: bytes(cramjam.snappy.compress_raw(payload))  # type: ignore[attr-defined]
    snappy.decompress = lambda payload: bytes(cramjam.snappy.decompress_raw(payload))  # type: ignore[attr-defined]
    frame = ModuleType("lz4.frame")
    frame.compress = lambda payload, **options: bytes(cramjam.lz4.compress(payload))  # type: ignore[attr-defined]
    frame.decompress = lambda payload: bytes(cramjam.lz4.decompress(payload))  # type: ignore[attr-defined]
    lz4 = ModuleType("lz4")
    lz4.frame = frame  # type: ignore[attr-defined]
    zstandard = ModuleType("zstandard")
    zstandard.ZstdCompressor = zstandard.ZstdDecompressor = _Zstandard  # type: ignore[attr-defined]
    for name, modules in (
        ("snappy", {"snappy": snappy}),
        ("lz4", {"lz4": lz4, "lz4.frame": frame}),
        ("zstandard", {"zstandard": zstandard}),
    ):
        if name not in sys.modules and importlib.util.find_spec(name) is None:
            sys.modules.update(modules)
