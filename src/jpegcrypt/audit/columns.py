"""First columns of luma blocks: what they were, under each transform that the key may have chosen.

The row matrix comes first, and in every bank its first row is that of the DCT, up to its sign. So
the first column of a block passes one more matrix and no other: but for that sign, its seven AC
coefficients lie a single choice of the bank away from those of the plain block (from its first row,
if it was turned by a right angle).
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from jpegcrypt.audit.exact import Float
from jpegcrypt.audit.target import Lu2022
from jpegcrypt.cipher.bank import dct_matrix, matrices

DECIMALS = 9  # that tell matrices apart


@dataclass(frozen=True, slots=True)
class Transforms:
    """The transforms of a bank, put together where they differ by the signs of plain coefficients.

    Attributes
    ----------
    mixing : float array (kinds, 7, 7)
        From plain AC coefficients to those of the file; one of each kind.
    kind : int array (matrices,)
        The kind of each matrix of the bank.
    sizes : int array (kinds,)
        How many different transforms each has.
    """

    mixing: Float
    kind: npt.NDArray[np.intp]
    sizes: npt.NDArray[np.intp]


@cache
def transforms(bank: str) -> Transforms:
    """Return the transforms of a bank.

    Examples
    --------
    >>> [len(transforms(bank).mixing) for bank in ("givens128", "signs256", "authors16")]
    [128, 1, 1]
    """
    mixing = np.round((matrices(bank) @ dct_matrix().T)[:, 1:, 1:], DECIMALS)
    largest = np.take_along_axis(mixing, np.abs(mixing).argmax(1)[:, None], 1)
    kinds, kind = np.unique(mixing * np.sign(largest), axis=0, return_inverse=True)
    different = [len(np.unique(matrices(bank)[kind == k].round(DECIMALS), axis=0))
                 for k in range(len(kinds))]  # fmt: skip
    return Transforms(kinds, kind.reshape(-1), np.array(different))


def undone(target: Lu2022, data: bytes) -> tuple[Float, Float]:
    """Return the first AC columns of luma blocks, as each kind of transform would have made them.

    Returns
    -------
    values : float array (n, kinds, 7)
        Dequantized, in cipher order.
    steps : float array (7,)
        Of the file.
    """
    c = target.coefficients(data)
    steps = c.qt[0][1:, 0].astype(np.float64)
    seen = c.Y.reshape(-1, 8, 8)[:, 1:, 0] * steps
    return np.einsum("kij,ni->nkj", transforms(target.bank).mixing, seen), steps


def found(target: Lu2022, data: bytes, cost: Float) -> tuple[float, float]:
    """Return the share of blocks whose transform is the cheapest, and what guessing finds.

    Parameters
    ----------
    target : Lu2022
    data : bytes
    cost : float array (n, kinds)
        Of luma blocks in cipher order. Those of one kind cannot be told apart; ties are draws.
    """
    known = transforms(target.bank)
    records = target.plan(data)[0].records
    truth = known.kind[records[:, 1].astype(np.intp) % len(known.kind)]
    cheapest = cost <= cost.min(1, keepdims=True)
    hits = cheapest[np.arange(len(cost)), truth] / (cheapest * known.sizes).sum(1)
    return float(hits.mean()), 1 / float(known.sizes.sum())
