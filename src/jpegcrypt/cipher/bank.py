"""Transform banks: the sets of orthogonal 8x8 matrices that the key chooses from, by formula.

Each bank keeps the energy compaction of the DCT, so that cipher files stay small:

* ``givens128``: neighboring rows of the DCT rotated into each other by up to 0.35 rad, then signs;
* ``authors16``: the DCT with signs flipped on pairs of rows, the bank of Lu et al. (2022);
* ``signs256``: the DCT with a free sign for each row.
"""

from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt

from jpegcrypt import _core

BANKS = {"givens128": 1, "authors16": 2, "signs256": 3}  # name -> id in the file header

FRACTION_BITS = 14  # fixed point, Q14: |entry| <= 1 is at most 16384 and fits int16


def dct_matrix() -> npt.NDArray[np.float64]:
    """Return the orthonormal DCT-II of eight points (T.81 A.3.3), float64 (8, 8), frequency first.

    Examples
    --------
    >>> C = dct_matrix()
    >>> np.allclose(C @ C.T, np.eye(8))
    True
    """
    i = np.arange(8)
    dct: npt.NDArray[np.float64] = np.cos(np.pi / 16 * np.outer(i, 2 * i + 1)) / 2
    dct[0] = np.sqrt(1 / 8)
    return dct


@cache
def matrices(name: str) -> npt.NDArray[np.float64]:
    """Return a bank, float64 (n, 8, 8) with n = 128 or 256, read-only.

    Raises
    ------
    ValueError
        If there is no such bank.

    Examples
    --------
    >>> matrices("givens128").shape
    (128, 8, 8)
    >>> np.array_equal(matrices("authors16")[0], dct_matrix())
    True
    """
    if name not in BANKS:
        raise ValueError(f"unknown bank {name!r}, expected one of {', '.join(BANKS)}")
    bank = {"givens128": _givens128, "authors16": _authors16, "signs256": _signs256}[name]()
    bank.flags.writeable = False
    return bank


@cache
def fixed_point(name: str) -> npt.NDArray[np.int16]:
    """Return a bank as the codec uses it: round(16384 M), int16 (n, 8, 8), read-only.

    Examples
    --------
    >>> fixed_point("givens128")[0, 1].tolist()
    [6847, 6283, 4959, 2683, -480, -4046, -7195, -9051]
    """
    bank = to_fixed_point(matrices(name))
    bank.flags.writeable = False
    return bank


def to_fixed_point(bank: npt.NDArray[np.float64]) -> npt.NDArray[np.int16]:
    """Round matrices to Q14."""
    return np.rint(bank * (1 << FRACTION_BITS)).astype(np.int16)


@cache
def transform_bank(name: str) -> _core.TransformBank:
    """Return a bank in the form that the compiled core works with.

    Examples
    --------
    >>> transform_bank("givens128") is transform_bank("givens128")
    True
    """
    return _core.TransformBank(fixed_point(name))


@cache
def dct_bank() -> _core.TransformBank:
    """Return the DCT alone, the bank of a plain JPEG."""
    return _core.TransformBank(to_fixed_point(dct_matrix()[None]))


def _givens128() -> npt.NDArray[np.float64]:
    """Rotate rows 1 to 7 in six planes; odd multipliers give each plane all 128 angles."""
    k = np.arange(128)
    bank = np.tile(dct_matrix(), (128, 1, 1))
    for j, (alpha, beta) in enumerate(
        zip((23, 43, 67, 89, 109, 121), (90, 35, 121, 62, 8, 103), strict=True), start=1
    ):
        theta = 0.35 * ((alpha * k + beta) % 128 - 63.5) / 63.5
        cos, sin = np.cos(theta)[:, None], np.sin(theta)[:, None]
        low, high = bank[:, j], bank[:, j + 1]
        bank[:, j], bank[:, j + 1] = cos * low - sin * high, sin * low + cos * high
    flips = _bits(k, [0, *range(7)])  # row i >= 1 flips with bit i - 1,
    flips[:, 0] ^= _bits(k, [6])[:, 0]  # row 0 with bit 0 xor bit 6
    return _flip_rows(bank, flips)


def _authors16() -> npt.NDArray[np.float64]:
    """Flip rows {0,4}, {2,6}, {1,7}, {3,5} by bits 6, 5, 3, 1; the others do nothing."""
    return _flip_rows(dct_matrix(), _bits(np.arange(128), [6, 3, 5, 1, 6, 1, 5, 3]))


def _signs256() -> npt.NDArray[np.float64]:
    """Flip row i by bit i."""
    return _flip_rows(dct_matrix(), _bits(np.arange(256), range(8)))


def _bits(k: npt.NDArray[np.int_], positions: Sequence[int]) -> npt.NDArray[np.int_]:
    """Return the bits of each k at some positions, (n, len(positions))."""
    bits: npt.NDArray[np.int_] = k[:, None] >> np.array(positions) & 1
    return bits


def _flip_rows(
    bank: npt.NDArray[np.float64], flips: npt.NDArray[np.int_]
) -> npt.NDArray[np.float64]:
    """Negate row i of matrix k where flips[k, i] is 1."""
    return (1.0 - 2.0 * flips)[:, :, None] * bank
