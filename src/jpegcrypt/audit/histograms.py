"""The histograms of Lu et al. (2022), Table I, and what else the coefficients of a file tell.

DCC counts DC values, DCH the categories of DC differences, ACC all AC values, ACH the AC codes
(run/size, T.81 F.1.2.2), each component by itself, one behind the other. The paper compares the
plain with the encrypted file by their Euclidean distance, and takes a distance that is not zero for
a proof that nothing leaks. The other features here are what that overlooks: they ignore signs,
rotation or the place of a block.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from jpegcrypt.cipher.additional_bits import category
from jpegcrypt.codec.coefficients import Blocks, Coefficients, coded_order
from jpegcrypt.codec.tables import ZIGZAG
from jpegcrypt.schemes.quantized import dc_differences
from jpegcrypt.schemes.statistics import ac_symbols

Feature = npt.NDArray[np.float64]

LIMIT = 1024  # of a quantized coefficient of 8-bit samples
CATEGORIES = 12  # of DC differences (T.81 Table F.1)
TOP = 255  # magnitudes from here on share a bin of `per_frequency`
QUANTILES = 512  # of block energies, so that pictures of any size compare


def components(c: Coefficients) -> list[Blocks]:
    """Return the coefficients of each component, (rows, columns, 8, 8)."""
    return [blocks for blocks in (c.Y, c.Cb, c.Cr) if blocks is not None]


def dcc(c: Coefficients) -> Feature:
    """Histogram of DC values, 2049 bins a component."""
    return _values(blocks[:, :, 0, 0] for blocks in components(c))


def acc(c: Coefficients) -> Feature:
    """Histogram of AC values, zeros included, 2049 bins a component."""
    return _values(_zigzag(blocks)[:, 1:] for blocks in components(c))


def acc_nonzero(c: Coefficients) -> Feature:
    """ACC without the zeros, which outnumber everything else."""
    counts = acc(c).reshape(-1, 2 * LIMIT + 1)
    counts[:, LIMIT] = 0
    return counts.ravel()


def dch(c: Coefficients) -> Feature:
    """Counts of the categories of DC differences, 12 bins a component.

    Differences run in the coded order of an interleaved scan (T.81 A.2.3), over the blocks that
    carry the picture.
    """
    counts = []
    for blocks, factors in zip(components(c), c.sampling, strict=True):
        h, v = factors if len(c.sampling) > 1 else (1, 1)
        order = coded_order(blocks.shape[0], blocks.shape[1], h, v)
        differences = dc_differences(blocks.reshape(-1, 64)[order])
        counts.append(np.bincount(category(differences), minlength=CATEGORIES)[:CATEGORIES])
    return np.concatenate(counts).astype(np.float64)


def ach(c: Coefficients) -> Feature:
    """Counts of AC codes, 162 bins a component: EOB, ZRL, run/size."""
    counts = [ac_symbols(_zigzag(blocks)) for blocks in components(c)]
    return np.concatenate(counts).astype(np.float64)


def absolute(feature: Callable[[Coefficients], Feature]) -> Callable[[Coefficients], Feature]:
    """Return DCC or ACC with the bins of v and -v added up."""

    def folded(c: Coefficients) -> Feature:
        counts = feature(c).reshape(-1, 2 * LIMIT + 1)
        both = counts[:, LIMIT:].copy()
        both[:, 1:] += counts[:, LIMIT - 1 :: -1]
        return both.ravel()

    return folded


def magnitudes(values: Sequence[npt.NDArray[np.integer]]) -> Feature:
    """Return the histogram of magnitudes of each array, 1025 bins each."""
    counts = [
        np.bincount(np.minimum(np.abs(one.ravel().astype(np.int64)), LIMIT), minlength=LIMIT + 1)
        for one in values
    ]
    return np.concatenate(counts).astype(np.float64)


def per_frequency(c: Coefficients) -> Feature:
    """Histograms of magnitudes for each pair of frequencies (u, v) and (v, u), 36 x 256 bins."""
    v, u = np.triu_indices(8)
    pair = np.empty((8, 8), np.int64)
    pair[v, u] = pair[u, v] = np.arange(36)
    counts = []
    for blocks in components(c):
        # Enciphered DC differences may add up to -32768, which has no magnitude of 16 bits.
        magnitude = np.minimum(np.abs(blocks.reshape(-1, 64).astype(np.int32)), TOP)
        bins = pair.ravel() * (TOP + 1) + magnitude
        counts.append(np.bincount(bins.ravel(), minlength=36 * (TOP + 1)))
    return np.concatenate(counts).astype(np.float64)


def nonzero_counts(c: Coefficients) -> Feature:
    """How many blocks have 0, 1, ... 63 AC coefficients that are not zero."""
    return _block_counts(c, lambda zigzag: (zigzag[:, 1:] != 0).sum(1))


def eob_positions(c: Coefficients) -> Feature:
    """How many blocks end at zig-zag position 0, 1, ... 63."""
    return _block_counts(c, last_nonzero)


def block_energies(c: Coefficients) -> Feature:
    """Sorted energies of the AC coefficients of the blocks, as 512 quantiles of their roots."""
    levels = (np.arange(QUANTILES) + 0.5) / QUANTILES
    return np.concatenate(
        [
            np.quantile(np.sqrt(ac_energy(blocks, table)), levels)
            for blocks, table in zip(components(c), c.qt, strict=True)
        ]
    )


def ac_energy(blocks: Blocks, table: npt.NDArray[np.uint16]) -> npt.NDArray[np.float64]:
    """Return the energy of the dequantized AC coefficients of each block, (n,)."""
    scaled = blocks.reshape(-1, 64)[:, 1:] * table.ravel()[1:].astype(np.float64)
    energy: npt.NDArray[np.float64] = (scaled**2).sum(1)
    return energy


HISTOGRAMS: dict[str, Callable[[Coefficients], Feature]] = {
    "DCC": dcc,
    "DCH": dch,
    "ACC": acc,
    "ACH": ach,
}
EXTENDED: dict[str, Callable[[Coefficients], Feature]] = {
    "ACC without zeros": acc_nonzero,
    "|DCC|": absolute(dcc),
    "|ACC|": absolute(acc),
    "per frequency": per_frequency,
    "nonzero counts": nonzero_counts,
    "EOB positions": eob_positions,
    "block energies": block_energies,
}
FEATURES = HISTOGRAMS | EXTENDED


def last_nonzero(zigzag: npt.NDArray[np.int16]) -> npt.NDArray[np.int64]:
    """Return the zig-zag position of the last AC coefficient that is not zero, 0 if none is."""
    positions: npt.NDArray[np.int64] = ((zigzag[:, 1:] != 0) * np.arange(1, 64)).max(1)
    return positions


def _zigzag(blocks: Blocks) -> npt.NDArray[np.int16]:
    zigzag: npt.NDArray[np.int16] = blocks.reshape(-1, 64)[:, ZIGZAG]
    return zigzag


def _values(components: Iterator[npt.NDArray[np.int16]]) -> Feature:
    counts = [  # enciphered DC differences may add up beyond the limit
        np.bincount(
            np.clip(values.ravel().astype(np.int64), -LIMIT, LIMIT) + LIMIT, minlength=2 * LIMIT + 1
        )
        for values in components
    ]
    return np.concatenate(counts).astype(np.float64)


def _block_counts(
    c: Coefficients, statistic: Callable[[npt.NDArray[np.int16]], npt.NDArray[np.int64]]
) -> Feature:
    counts = [
        np.bincount(statistic(_zigzag(blocks)), minlength=64)[:64] for blocks in components(c)
    ]
    return np.concatenate(counts).astype(np.float64)
