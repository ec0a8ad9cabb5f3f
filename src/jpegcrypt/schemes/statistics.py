"""Histograms that several schemes take of the coefficients of a file, each with a sum of 1.

The bins of coefficients are those that the field uses on dequantized values: 33 of width 64 for DC
values, nine for AC values.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from jpegcrypt.cipher.additional_bits import category
from jpegcrypt.codec.coefficients import decode_scans
from jpegcrypt.codec.parse import parse
from jpegcrypt.codec.tables import ZIGZAG
from jpegcrypt.schemes.interface import Features
from jpegcrypt.schemes.quantized import Blocks, dc_differences, to_blocks

AC_EDGES = np.array([-200, -150, -100, -50, 0, 50, 100, 150])  # the outer two bins are open
AC_MAGNITUDES = np.array([1, 51, 101, 151, 201])
AC_SYMBOLS = np.array(
    [0x00, 0xF0, *(run << 4 | size for run in range(16) for size in range(1, 11))]
)
DC_CATEGORIES = 12


def scaled_blocks(data: bytes) -> list[npt.NDArray[np.int32]]:
    """Return the dequantized blocks of each component of a file, (n, 64) in zig-zag order."""
    jpeg = parse(data)
    return [
        blocks.astype(np.int32) * table[ZIGZAG]
        for blocks, table in zip(
            to_blocks(jpeg.frame, decode_scans(jpeg)), jpeg.tables, strict=True
        )
    ]


def dc_histogram(values: npt.NDArray[np.int32]) -> Features:
    """Histogram of dequantized DC values in 33 bins from -1056 to 1056."""
    return normalized(np.bincount(np.clip((values + 1056) // 64, 0, 32), minlength=33))


def dc_magnitudes(values: npt.NDArray[np.int32]) -> Features:
    """Histogram of their magnitudes in 17 bins, the same with v and -v together."""
    return normalized(np.bincount(np.clip((np.abs(values) + 32) // 64, 0, 16), minlength=17))


def column_histograms(
    values: npt.NDArray[np.int32], edges: npt.NDArray[np.integer]
) -> list[Features]:
    """Histogram of each column of (n, k), in the bins that the edges part."""
    lowest, size = int(edges[0]) - 1, int(edges[-1]) - int(edges[0]) + 2
    bin_of = np.searchsorted(edges, np.arange(lowest, lowest + size), side="right")
    bins = bin_of[np.clip(values - lowest, 0, size - 1)]
    n_bins = len(edges) + 1
    counts = np.bincount(
        (bins + n_bins * np.arange(values.shape[1])).ravel(), minlength=n_bins * values.shape[1]
    )
    return [normalized(row) for row in counts.reshape(-1, n_bins)]


def symbol_histograms(components: Sequence[Blocks]) -> Features:
    """Histograms of the 12 DC categories and of the 162 AC codes, one pair a component."""
    parts = []
    for blocks in components:
        categories = category(dc_differences(blocks))
        parts.append(normalized(np.bincount(categories, minlength=17)[:DC_CATEGORIES]))
        parts.append(normalized(ac_symbols(blocks)))
    return np.concatenate(parts)


def ac_symbols(blocks: Blocks) -> npt.NDArray[np.intp]:
    """Count the AC codes of blocks: EOB, ZRL, then run/size (T.81 F.1.2.2), (162,)."""
    block, position = np.nonzero(blocks[:, 1:])
    first = np.diff(block, prepend=-1) != 0
    run = np.where(first, position, np.diff(position, prepend=0) - 1)
    size = category(blocks[block, position + 1])
    counts = np.bincount(run % 16 << 4 | size, minlength=256)
    counts[0xF0] += (run // 16).sum()
    counts[0x00] += (blocks[:, 63] == 0).sum()
    symbols: npt.NDArray[np.intp] = counts[AC_SYMBOLS]
    return symbols


def normalized(counts: npt.NDArray[np.integer]) -> Features:
    """Return counts divided by their sum, float32."""
    shares: Features = (counts / max(counts.sum(), 1)).astype(np.float32)
    return shares


def sorted_rows(rows: npt.NDArray[np.integer]) -> npt.NDArray[np.integer]:
    """Return the rows of (n, k) in lexical order: the same for any order of them."""
    packed = np.ascontiguousarray(rows).view([("", rows.dtype)] * rows.shape[1])
    return np.sort(packed, axis=0).view(rows.dtype).reshape(rows.shape)
