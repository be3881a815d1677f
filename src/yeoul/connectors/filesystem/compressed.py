"""Compressed text files, decompressed as they are read.

Owns the recognition by name and the stream. Invariants: memory is bounded by the piece asked for; positions are those
of the decompressed text, and going on at one means decompressing what lies before it again. Callers: `reader`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from yeoul.connectors.filesystem.listing import explain_failure
from yeoul.errors import EnvironmentFailure

__all__ = ["CODECS", "CompressedFile", "codec_of"]

CODECS = {".gz": "gzip", ".gzip": "gzip", ".zst": "zstd", ".zstd": "zstd", ".bz2": "bz2", ".lz4": "lz4"}
_SKIP_BYTES = 1 << 20


def codec_of(path: str) -> str | None:
    """Returns the codec that a file's name tells, None if it is not compressed.

    Example:
        >>> codec_of("clicks.ndjson.gz"), codec_of("clicks.json")
        ('gzip', None)
    """
    return next((codec for ending, codec in CODECS.items() if path.endswith(ending)), None)


class CompressedFile:
    """A file that is decompressed from its beginning."""

    def __init__(self, path: str, codec: str) -> None:
        self.path = path
        self._codec = codec
        self._stream: Any = None
        self._stands_at = 0
        self._rest = np.empty(0, np.uint8)

    def read(self, position: int, size_bytes: int) -> tuple[NDArray[np.uint8], bool]:
        try:
            self._move_to(position)
            buffer = np.empty(size_bytes, np.uint8)
            filled = min(len(self._rest), size_bytes)
            buffer[:filled] = self._rest[:filled]
            while filled < size_bytes:
                count = self._stream.readinto(buffer.data[filled:])
                if count == 0:
                    break
                filled += count
        except OSError as error:
            # Arrow reports damaged data as an OSError without a number.
            raise explain_failure("read", self.path, error) if error.errno else self._damaged(error) from error
        except pa.ArrowException as error:
            raise self._damaged(error) from error
        self._rest, self._stands_at = buffer[:filled], position + filled
        return self._rest, filled < size_bytes

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _move_to(self, position: int) -> None:
        """Keeps of the last answer what lies behind `position`, or decompresses up to it."""
        if self._stream is None:
            self._stream = pa.CompressedInputStream(pa.OSFile(self.path), self._codec)
        if position < self._stands_at:
            self._rest = self._rest[len(self._rest) - (self._stands_at - position) :]
            return
        self._rest = self._rest[:0]
        while self._stands_at < position:
            skipped = len(self._stream.read(min(_SKIP_BYTES, position - self._stands_at)))
            if skipped == 0:
                break
            self._stands_at += skipped

    def _damaged(self, error: Exception) -> EnvironmentFailure:
        reason = str(error).splitlines()[0]
        return EnvironmentFailure(
            f"Cannot decompress {self.path!r} as {self._codec}: {reason}", hint="The file may be damaged or cut off."
        )
