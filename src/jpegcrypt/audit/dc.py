"""What a file of ours shows of DC values, and what plain DC values become: that needs no key.

``docs/format.md``, section 8: with L the level shift of a component, S about 8 (L - 128) / Q, and s
the sign that the key gives a block, the file holds s (d - S) in DC mode `permuted`; in mode
`residual` its DC differences in coded order are s e, where e is what a median prediction leaves of
d. All of it is modulo 2 B + 1. So |d - S| or |e| travels with each block in clear.
"""

import numpy as np
import numpy.typing as npt

from jpegcrypt.audit.histograms import components
from jpegcrypt.codec.coefficients import Blocks, Coefficients, coded_order

Values = npt.NDArray[np.int64]  # (rows, columns)


def wrap(values: Values, step: int) -> Values:
    """Take values modulo 2 B + 1, in -B..B.

    Examples
    --------
    >>> wrap(np.array([128, 129, -129, 257]), 8).tolist()
    [128, -128, 128, 0]
    """
    bound = min(1023, (2048 + step) // (2 * step))
    wrapped: Values = (values + bound) % (2 * bound + 1) - bound
    return wrapped


def shift(level: int, step: int) -> int:
    """Return S, the level shift in steps of DC."""
    magnitude = (16 * abs(level - 128) + step) // (2 * step)
    return magnitude if level >= 128 else -magnitude


def means(plain: Coefficients) -> list[float]:
    """Return the mean sample of each component of a plain file: its level shift, when rounded."""
    return [
        float(np.clip(128 + blocks[:, :, 0, 0].mean() * float(table[0, 0]) / 8, 0, 255))
        for blocks, table in zip(components(plain), plain.qt, strict=True)
    ]


def predicted(dc: Values, start: int) -> Values:
    """Return the median prediction of each value from its left, upper and corner neighbors."""
    prediction = np.empty_like(dc)
    prediction[0, 0], prediction[0, 1:], prediction[1:, 0] = start, dc[0, :-1], dc[:-1, 0]
    left, above, corner = dc[1:, :-1], dc[:-1, 1:], dc[:-1, :-1]
    low, high = np.minimum(left, above), np.maximum(left, above)
    prediction[1:, 1:] = np.clip(left + above - corner, low, high)
    return prediction


def travelling(dc: Values, level: int, step: int, *, residual: bool) -> Values:
    """Return d - S or e for the DC values d of a picture: what a block takes along, up to s."""
    start = shift(level, step)
    return wrap(dc - (predicted(dc, start) if residual else start), step)


def told_by_file(blocks: Blocks, factors: tuple[int, int], step: int) -> Blocks:
    """Replace the DC values of a file of DC mode `residual` by their differences."""
    rows, columns = blocks.shape[:2]
    order = coded_order(rows, columns, *factors)
    dc = blocks[:, :, 0, 0].ravel().astype(np.int64)
    told = np.empty_like(dc)
    told[order] = wrap(np.diff(dc[order], prepend=0), step)
    replaced = blocks.copy()
    replaced[:, :, 0, 0] = told.reshape(rows, columns)
    return replaced
