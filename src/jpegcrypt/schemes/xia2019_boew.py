"""Xia, Jiang, Liu, Lu, Jeon 2019: colors substituted, blocks and their pixels moved; encrypted
words.

Re-implementation after "BOEW: A content-based image retrieval scheme using bag-of-encrypted-words
in cloud computing", IEEE Transactions on Services Computing, DOI 10.1109/TSC.2019.2927215. Color
values are substituted; blocks are permuted, and the pixels within each block. The server takes a
histogram of each encrypted block, clusters all of them into encrypted visual words, and compares
pictures by how often each word occurs, by the Manhattan distance.

Ours by choice, where the abstract is silent: blocks of 16x16; one substitution for each channel,
which the data set shares, or blocks of different pictures could not be compared; a permutation of
blocks, and one of the pixels of each block, drawn anew for each picture, the same for all channels;
square roots of histograms; 1000 words.

What leaks: the sorted histogram of each block, hence flat and textured areas, without their place;
how often a color occurs, under another name that serves the whole data set.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from jpegcrypt.cipher.permutation import inverse, permutation, permutations
from jpegcrypt.schemes import statistics
from jpegcrypt.schemes.envelope import Channels
from jpegcrypt.schemes.interface import Descriptor, Features, Metric, Pixels
from jpegcrypt.schemes.pixels import (
    PixelScheme,
    Streams,
    file_channels,
    from_blocks,
    to_blocks,
    value_counts,
)

SIDE = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Xia2019Boew(PixelScheme):
    """As the module says."""

    ID: ClassVar[int] = 11
    BLOCK: ClassVar[int] = SIDE
    descriptor: ClassVar[Descriptor] = "words"
    words: ClassVar[int] = 1000
    metric: ClassVar[Metric] = "cityblock"

    def scramble(self, channels: Pixels, streams: Streams) -> Channels:
        """Substitute colors, permute blocks, permute the pixels of each."""
        secret = np.stack([_substitution(streams, c)[plane] for c, plane in enumerate(channels)])
        blocks = to_blocks(secret, SIDE)
        blocks = blocks[permutation(streams.picture("blocks"), len(blocks))]
        pixels = blocks.reshape(*blocks.shape[:2], -1)
        orders = permutations(streams.picture("pixels"), len(blocks), SIDE**2)
        moved = np.take_along_axis(pixels, orders[:, None].astype(np.intp), 2)
        return from_blocks(moved.reshape(blocks.shape), channels.shape)

    def unscramble(self, channels: Channels, streams: Streams) -> Pixels:
        """Undo `scramble`."""
        blocks = to_blocks(channels.astype(np.uint8), SIDE)
        moved = blocks.reshape(*blocks.shape[:2], -1)
        pixels = np.empty_like(moved)
        orders = permutations(streams.picture("pixels"), len(blocks), SIDE**2)
        np.put_along_axis(pixels, orders[:, None].astype(np.intp), moved, 2)
        plain = np.empty_like(blocks)
        plain[permutation(streams.picture("blocks"), len(blocks))] = pixels.reshape(blocks.shape)
        back = from_blocks(plain, channels.shape)
        return np.stack(
            [
                inverse(_substitution(streams, c).astype(np.uint32)).astype(np.uint8)[plane]
                for c, plane in enumerate(back)
            ]
        )

    def features(self, data: bytes) -> Features:
        """Return the square roots of the histograms of each block, float32 (n, 256 c)."""
        counts = _counts(data)
        rows: Features = np.sqrt(counts / SIDE**2).astype(np.float32).reshape(len(counts), -1)
        return rows

    def invariants(self, data: bytes) -> Mapping[str, npt.NDArray[Any]]:
        """The sorted histograms of each block, blocks in lexical order."""
        counts = np.sort(_counts(data), axis=2)
        return {"counts of blocks": statistics.sorted_rows(counts.reshape(len(counts), -1))}


def _substitution(streams: Streams, c: int) -> Pixels:
    return permutation(streams.shared(f"values {c}"), 256).astype(np.uint8)


def _counts(data: bytes) -> npt.NDArray[np.intp]:
    """Count the values of each block and channel, (n, c, 256)."""
    blocks = to_blocks(file_channels(data, SIDE, np.uint8), SIDE)
    return value_counts(blocks.reshape(*blocks.shape[:2], -1))
