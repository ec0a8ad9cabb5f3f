"""The key schedule of the authors' program, not of ours: what a known permutation tells.

Has: one permutation of 384 blocks, as `known_plaintext` finds it. Metric: bits of the key stream
that follow from it; chance is 0 of 392.

That program shuffles with windows of the key stream that overlap: draw t takes the bits from t on,
w = bit_length(n) + 1 of them, for i = n down to 2, and swaps element i with element
(value + 1) mod i. Each draw is told by the permutation and leaves a few values; neighboring windows
share all bits but one, which leaves nearly one stream. The same bits then choose rotations and
matrices. The shuffle is not uniform either. Ours (`cipher.plan`) reads 32 bits a draw that serve
nothing else, and rejects what would be biased.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from cryptography.hazmat.decrepit.ciphers.algorithms import ARC4
from cryptography.hazmat.primitives.ciphers import Cipher
from scipy.stats import chi2

from jpegcrypt.audit.outcome import Measure, Outcome
from jpegcrypt.audit.target import Pixels, Target
from jpegcrypt.cipher.plan import component_plan

Bits = npt.NDArray[np.uint8]

BLOCKS = 384  # luma of 192x128, the pictures of the paper
SHUFFLES, SHUFFLED = 4000, 96  # for the test of uniformity


def window(n: int) -> int:
    """Return the bits of a draw.

    Examples
    --------
    >>> window(384), window(96)
    (10, 8)
    """
    return n.bit_length() + 1


def key_stream(key: bytes, n_bits: int) -> Bits:
    """Return bits of RC4, as that program reads them, most significant first."""
    stream = Cipher(ARC4(key), None).encryptor().update(bytes(-(-n_bits // 8)))
    return np.unpackbits(np.frombuffer(stream, np.uint8))[:n_bits]


def shuffle(bits: Bits, n: int) -> npt.NDArray[np.int64]:
    """Shuffle n elements once for each row of bits (rows, at least n + w - 2)."""
    permutation = np.tile(np.arange(n), (len(bits), 1))
    lanes, weights = np.arange(len(bits)), 1 << np.arange(window(n))[::-1]
    for t, i in enumerate(range(n, 1, -1)):
        j = (bits[:, t : t + window(n)] @ weights + 1) % i
        swapped = permutation[lanes, j]
        permutation[lanes, j] = permutation[:, i - 1]
        permutation[:, i - 1] = swapped
    return permutation


def draws(permutation: npt.NDArray[np.integer]) -> list[int]:
    """Return the j of each draw, i = n down to 2: the shuffle run again, towards its result."""
    elements = list(range(len(permutation)))
    found = []
    for i in range(len(elements), 1, -1):
        j = elements.index(int(permutation[i - 1]))
        elements[j], elements[i - 1] = elements[i - 1], elements[j]
        found.append(j)
    return found


def derive_bits(permutation: npt.NDArray[np.integer]) -> tuple[npt.NDArray[np.int8], float]:
    """Return the key stream bits that a permutation fixes, -1 where it does not, and the bits left.

    Dynamic programming over the values of a window, forward and backward: a stream is possible if
    every window gives its draw. Bits left: binary logarithm of the number of possible streams.
    """
    n, w = len(permutation), window(len(permutation))
    values = np.arange(1 << w)
    allowed = [
        (values + 1) % i == j for i, j in zip(range(n, 1, -1), draws(permutation), strict=True)
    ]
    before = values >> 1, values >> 1 | 1 << w - 1  # windows one bit earlier
    after = values << 1 & (1 << w) - 1, values << 1 & (1 << w) - 1 | 1  # and later
    forward = [allowed[0] / allowed[0].sum()]
    left = float(np.log2(allowed[0].sum()))
    for fits in allowed[1:]:
        ways = fits * (forward[-1][before[0]] + forward[-1][before[1]])
        left += float(np.log2(ways.sum()))
        forward.append(ways / ways.sum())
    backward = np.ones(1 << w, bool)
    possible = []
    for fits, ways in zip(reversed(allowed), reversed(forward), strict=True):
        backward &= fits
        possible.append(backward & (ways > 0))
        backward = backward[after[0]] | backward[after[1]]
    possible.reverse()
    bits = np.full(n + w - 2, -1, np.int8)
    for t, windows in enumerate(possible):
        for k in range(w):
            seen = np.unique(values[windows] >> (w - 1 - k) & 1)
            if len(seen) == 1:
                bits[t + k] = seen[0]
    return bits, left


def uniformity(permutations: npt.NDArray[np.integer]) -> float:
    """Return the p-value of "every element is equally likely at every place" (chi-square)."""
    count, n = permutations.shape
    table = np.zeros((n, n))
    np.add.at(table, (np.arange(n)[None].repeat(count, 0), permutations), 1)
    expected = count / n
    statistic = ((table - expected) ** 2 / expected).sum()
    # Rows and columns both have fixed sums, so its mean is n (n - 1), not (n - 1)**2.
    return float(chi2.sf(statistic * (n - 1) / n, (n - 1) ** 2))


def run(target: Target, pictures: Sequence[Pixels]) -> list[Outcome]:
    """Derive key stream from a permutation of 384; the target plays no part."""
    rng = np.random.default_rng(0)
    needed = BLOCKS + window(BLOCKS) - 2
    stream = key_stream(rng.bytes(16), needed)
    known, left = derive_bits(shuffle(stream[None], BLOCKS)[0])
    length = SHUFFLED + window(SHUFFLED) - 2
    theirs = shuffle(rng.integers(0, 2, (SHUFFLES, length), np.uint8), SHUFFLED)
    ours = np.stack([component_plan(rng.bytes(32), SHUFFLED).permutation for _ in range(SHUFFLES)])
    end = int(np.argmax(np.append(known, -1) < 0))  # bits known without a gap
    return [
        Outcome(
            "key_schedule",
            "one permutation of the authors' program",
            [
                Measure("key stream bits that follow", needed - left, 0, needed, "bits"),
                Measure("rotations that follow", max(0, (end - 64) // 2), 0, BLOCKS, "blocks"),
                Measure("transforms that follow", max(0, (end - 64) // 65), 0, BLOCKS, "blocks"),
                Measure("p-value of uniformity, authors' shuffle", uniformity(theirs), unit=""),
                Measure("p-value of uniformity, our shuffle", uniformity(ours), unit=""),
            ],
        )
    ]
