"""NPCR, UACI, entropy, correlation of neighbors, key sensitivity: what papers print, and no attack.

Has: the file alone. **These numbers say little about security**: a file passes all of them and is
still re-identified (`leakage`) or opened (`known_plaintext`). They are here to be compared with
papers. NPCR and UACI tell how many pixels change, and how much, when one pixel of the picture does;
for independent pixels of 8 bits 0.9961 and 0.3346. Entropy of pixels has the ideal 8 bits,
neighbors the ideal correlation 0; a JPEG of noise is not ideal noise.
"""

from collections.abc import Sequence

import numpy as np

from jpegcrypt.api import decode
from jpegcrypt.audit.outcome import Measure, Outcome
from jpegcrypt.audit.picture import luma
from jpegcrypt.audit.target import ATTACKER, Pixels, Target
from jpegcrypt.codec.coefficients import read_coefficients


def npcr(a: Pixels, b: Pixels) -> float:
    """Return the share of pixels that differ.

    Examples
    --------
    >>> npcr(np.array([1, 2, 3, 4], np.uint8), np.array([1, 2, 3, 5], np.uint8))
    0.25
    """
    return float((a != b).mean())


def uaci(a: Pixels, b: Pixels) -> float:
    """Return the mean difference of pixels, in units of 255."""
    return float(np.abs(a.astype(np.float64) - b).mean() / 255)


def entropy(picture: Pixels) -> float:
    """Return the entropy of the gray values in bits.

    Examples
    --------
    >>> entropy(np.arange(256, dtype=np.uint8).reshape(16, 16))
    8.0
    """
    share = np.bincount(np.rint(luma(picture)).astype(np.int64).ravel(), minlength=256)
    share = share[share > 0] / share.sum()
    return float(-(share * np.log2(share)).sum())


def neighbor_correlation(picture: Pixels) -> float:
    """Return the mean correlation of horizontal, vertical and diagonal neighbors."""
    gray = luma(picture)
    pairs = ((gray[:, 1:], gray[:, :-1]), (gray[1:], gray[:-1]), (gray[1:, 1:], gray[:-1, :-1]))
    return float(np.mean([np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in pairs]))


def blocks_changed(a: bytes, b: bytes) -> float:
    """Return the share of luma blocks that differ between two files."""
    x, y = (read_coefficients(data).Y for data in (a, b))
    return float((x != y).any((2, 3)).mean())


def run(target: Target, pictures: Sequence[Pixels]) -> list[Outcome]:
    """Measure the first picture, and what changes with one pixel, with the key, with nothing."""
    picture = pictures[0]
    touched = picture.copy()
    touched[picture.shape[0] // 2, picture.shape[1] // 2] ^= 255
    data, after = target.encrypt(picture, 0), target.encrypt(touched, 0)
    other_key, again = target.encrypt(picture, 0, key=ATTACKER), target.encrypt(picture, 1)
    shown, changed = decode(data), decode(after)
    return [
        Outcome(
            "randomness",
            "the files, before and after a change",
            [
                Measure("NPCR, one pixel changed", npcr(shown, changed)),
                Measure("UACI, one pixel changed", uaci(shown, changed)),
                Measure("blocks changed, one pixel changed", blocks_changed(data, after)),
                Measure("blocks changed, another key", blocks_changed(data, other_key)),
                Measure("blocks changed, encrypted again", blocks_changed(data, again)),
                Measure("entropy of the encrypted picture", entropy(shown), unit="bits"),
                Measure("entropy of the picture", entropy(picture), unit="bits"),
                Measure("neighbor correlation, encrypted", neighbor_correlation(shown), unit=""),
                Measure("neighbor correlation, picture", neighbor_correlation(picture), unit=""),
            ],
        )
    ]
