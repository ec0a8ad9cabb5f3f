"""Xia, Wang, Tang, Xiong, Weng 2020: pixels moved in 3x3 blocks under order-preserving
substitution.

Re-implementation after "A privacy-preserving image retrieval scheme using secure local binary
pattern in cloud computing", IEEE Transactions on Network Science and Engineering 8(1), pages
318-330. Big blocks are permuted, the 3x3 blocks within each, and the pixels within those; a
polyalphabetic cipher substitutes values by tables that preserve their order. The server takes local
binary patterns from the encrypted big blocks and compares bags of words.

Ours by choice, where the abstract is silent: big blocks of 24x24, of 64 blocks each; the pixel in
the middle of a 3x3 block stays, and its eight neighbors are permuted by one permutation that the
data set shares, or patterns could not be compared; each big block has a strictly rising table of
16-bit values of its own; places are the same for all channels; a bit of a pattern is set where a
neighbor is not less than the middle; one histogram of patterns for each big block and channel; 500
words, L1.

What leaks: the order of the values within each big block, hence its relative brightness, and the
patterns; without the places of big blocks.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from jpegcrypt.cipher.permutation import permutation, permutations
from jpegcrypt.schemes import statistics
from jpegcrypt.schemes.envelope import Channels
from jpegcrypt.schemes.interface import Descriptor, Features, Metric, Pixels
from jpegcrypt.schemes.pixels import (
    PixelScheme,
    Streams,
    file_channels,
    to_blocks,
    value_counts,
)

BIG, SMALL = 24, 3
CELLS = (BIG // SMALL) ** 2
MIDDLE = 4  # of the nine pixels
NEIGHBORS = np.delete(np.arange(SMALL**2), MIDDLE)

# Offsets of pixels in a plane.
_Offsets = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Xia2020Lbp(PixelScheme):
    """As the module says."""

    ID: ClassVar[int] = 14
    BLOCK: ClassVar[int] = BIG
    SAMPLE: ClassVar[npt.DTypeLike] = np.uint16
    descriptor: ClassVar[Descriptor] = "words"
    words: ClassVar[int] = 500
    metric: ClassVar[Metric] = "cityblock"

    def scramble(self, channels: Pixels, streams: Streams) -> Channels:
        """Permute big blocks, blocks and neighbors, then substitute."""
        sources, rows = _plan(channels.shape, streams)
        tables = _tables(streams, len(sources) // BIG**2).ravel()
        planes = channels.reshape(len(channels), -1)
        secret = np.stack([tables[rows + plane[sources]] for plane in planes])
        return secret.reshape(channels.shape)

    def unscramble(self, channels: Channels, streams: Streams) -> Pixels:
        """Undo `scramble`; a value that is in no table becomes the next one that is."""
        sources, rows = _plan(channels.shape, streams)
        tables = _tables(streams, len(sources) // BIG**2)
        rising = ((np.arange(len(tables))[:, None] << 16) + tables).ravel()  # all tables in one
        plain = np.empty((len(channels), len(sources)), np.uint8)
        for plane, target in zip(channels, plain, strict=True):
            found = np.searchsorted(rising, (rows.astype(np.int64) << 8) + plane.ravel()) - rows
            target[sources] = np.minimum(found, 255)
        return plain.reshape(channels.shape)

    def features(self, data: bytes) -> Features:
        """Return the histograms of patterns of each big block, float32 (n, 256 c)."""
        counts = value_counts(_patterns(data))
        return (counts / CELLS).astype(np.float32).reshape(len(counts), -1)

    def invariants(self, data: bytes) -> Mapping[str, npt.NDArray[Any]]:
        """How many bits the patterns of each big block have, big blocks in lexical order."""
        bits = np.sort(np.bitwise_count(_patterns(data)), axis=2)
        return {"bits of patterns": statistics.sorted_rows(bits.reshape(len(bits), -1))}


def _plan(shape: tuple[int, ...], streams: Streams) -> tuple[_Offsets, _Offsets]:
    """Return for each pixel of an encrypted plane which one it was, and where its table begins."""
    cells = _cells(shape)
    moved = cells[permutation(streams.picture("big blocks"), len(cells))]
    orders = permutations(streams.picture("blocks"), len(cells), CELLS)
    moved = np.take_along_axis(moved, orders[:, :, None].astype(np.intp), 1)
    sources, rows = np.empty((2, cells.size), np.int32)
    sources[cells] = moved.take(_pixel_order(streams), axis=2)
    rows[cells] = 256 * np.arange(len(cells), dtype=np.int32)[:, None, None]
    return sources, rows


def _cells(shape: tuple[int, ...]) -> _Offsets:
    """Return where the pixels of each 3x3 block are, (big blocks, 64, 9)."""
    _, height, width = shape
    offsets = np.arange(height * width, dtype=np.int32).reshape(1, height, width)
    big = to_blocks(offsets, BIG)
    small = to_blocks(big.reshape(-1, BIG, BIG), SMALL)
    return np.ascontiguousarray(small.reshape(CELLS, len(big), SMALL**2).transpose(1, 0, 2))


def _pixel_order(streams: Streams) -> npt.NDArray[np.intp]:
    order = np.arange(SMALL**2)
    order[NEIGHBORS] = NEIGHBORS[permutation(streams.shared("neighbors"), len(NEIGHBORS))]
    return order


def _tables(streams: Streams, n: int) -> npt.NDArray[np.uint16]:
    """Return strictly rising tables, uint16 (n, 256): sorted draws of 0..65280, plus 0..255.

    A draw of 32 bits is scaled to the range, which favors some values by 2**-16 at most.
    """
    draws = streams.picture("values").read(4 * 256 * n).view("<u4").astype(np.uint64)
    tables: npt.NDArray[np.uint16] = (draws * 65281 >> 32).astype(np.uint16).reshape(n, 256)
    tables.sort(axis=1, kind="stable")
    tables += np.arange(256, dtype=np.uint16)
    return tables


def _patterns(data: bytes) -> Pixels:
    """Return the local binary pattern of each 3x3 block, (n, c, 64)."""
    channels = file_channels(data, BIG, np.uint16)
    cells = np.stack([plane.ravel()[_cells(channels.shape)] for plane in channels], axis=1)
    bits = cells[..., NEIGHBORS] >= cells[..., MIDDLE : MIDDLE + 1]
    patterns: Pixels = np.packbits(bits, axis=3)[..., 0]
    return patterns
