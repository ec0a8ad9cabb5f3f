"""The key space of Lu et al. (2022), equation (10), and what really bounds it.

The paper multiplies what is drawn for each component: 4^n rotations, (2^63)^n choices of nine out
of 128 matrices, n! permutations. Such numbers say nothing about attacks: structure decides
(`attacks.known_plaintext`), and no search is longer than that of the key.
"""

import math
from collections.abc import Sequence

from scipy.special import gammaln

from jpegcrypt.audit.attacks import key_schedule

KEY_BITS = 256  # of the key of this project, and of each of three digests in the paper


def log2_factorial(n: int) -> float:
    """Return log2 of n!."""
    return float(gammaln(n + 1)) / math.log(2)


def blocks(width: int, height: int) -> tuple[int, int, int]:
    """Return the blocks of Y, Cb and Cr at 4:2:0.

    Examples
    --------
    >>> blocks(192, 128)
    (384, 96, 96)
    """
    luma = -(-width // 8) * -(-height // 8)
    chroma = -(-width // 16) * -(-height // 16)
    return luma, chroma, chroma


def equation_10(components: Sequence[int]) -> float:
    """Return the key space of the paper in bits.

    Examples
    --------
    >>> round(equation_10(blocks(192, 128)), 1)
    41184.8
    """
    return sum(2 * n + 63 * n + log2_factorial(n) for n in components)


def bounds(components: Sequence[int]) -> dict[str, float]:
    """Return what bounds the key space, in bits, by the name of the bound."""
    return {
        "equation (10) of the paper": equation_10(components),
        "what the bank of the authors distinguishes: 1 + 32 bits a block": sum(
            33 * n + log2_factorial(n) for n in components
        ),
        "key stream that the authors' program reads for its permutations": float(
            sum(n + key_schedule.window(n) - 2 for n in components)
        ),
        "three digests of SHA-256, as in the paper": 3.0 * KEY_BITS,
        "one key of this project": float(KEY_BITS),
    }
