"""Chosen plaintext: the attacker has pictures of his choice encrypted, then opens another file.

Has: the encrypted files of four pictures of his own making, bank and settings, and a further file
to open. Metric and chance: as for `known_plaintext`, which this is, on the best pictures to know.
Every block of them is noise around a mean of its own, two times in luma and two times in color, so
that no two blocks look alike and hardly a coefficient is always zero: that gives the whole plan of
a fixed key. A nonce makes it worthless. A nonce that follows from the content makes it worthless
too, as long as nobody can make two pictures of one nonce; how the places of blocks change with a
single pixel is measured beside it, and how the key of the authors' kind, a digest of the *printed*
array, does not change.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
from PIL import Image

from jpegcrypt.audit.attacks.known_plaintext import known, recover, score
from jpegcrypt.audit.outcome import Measure, Outcome
from jpegcrypt.audit.target import Lu2022, Pixels

QUERIES = 2  # of luma, and as many of color


def chosen_pictures(shape: tuple[int, ...], seed: int = 0) -> list[Pixels]:
    """Return pictures of noise of a shape (H, W) or (H, W, 3), two of luma, two of color.

    Examples
    --------
    >>> [picture.shape for picture in chosen_pictures((16, 24, 3))]
    [(16, 24, 3), (16, 24, 3), (16, 24, 3), (16, 24, 3)]
    """
    rng = np.random.default_rng(seed)
    height, width = shape[:2]
    pictures = []
    for _ in range(QUERIES):
        light = _noise(rng, height, width, spread=127)
        if len(shape) == 2:
            pictures.append(light)
        else:
            gray = np.full_like(light, 128)
            pictures.append(np.stack([light, gray, gray], 2))
    if len(shape) == 3:
        for _ in range(QUERIES):  # of a color that no subsampling changes
            Cb, Cr = (
                _noise(rng, -(-height // 2), -(-width // 2), spread=70).repeat(2, 0).repeat(2, 1)
                for _ in range(2)
            )
            light = _noise(rng, height, width, spread=60)
            pictures.append(np.stack([light, Cb[:height, :width], Cr[:height, :width]], 2))
        pictures = [np.asarray(Image.fromarray(p, "YCbCr").convert("RGB")) for p in pictures]
    return pictures


def _noise(rng: np.random.Generator, height: int, width: int, *, spread: int) -> Pixels:
    """Half of the spread for the mean of a block, half of it for the noise around."""
    rows, columns = -(-height // 8), -(-width // 8)
    mean = rng.uniform(-0.4, 0.4, (rows, columns)).repeat(8, 0).repeat(8, 1)[:height, :width]
    noise = rng.uniform(-0.6, 0.6, (height, width))
    return np.rint(128 + spread * (mean + noise)).astype(np.uint8)


def changed_by_one_pixel(target: Lu2022, picture: Pixels) -> float:
    """Return the share of luma blocks whose place changes when one inner pixel does."""
    other = picture.copy()
    other[picture.shape[0] // 2, picture.shape[1] // 2] ^= 1
    a, b = (target.plan(target.encrypt(one, 0))[0].permutation for one in (picture, other))
    return float((a != b).mean())


def printed_digest(picture: Pixels) -> bytes:
    """Return SHA-256 of an array as NumPy prints it: the rim, and dots for the rest."""
    return hashlib.sha256(str(picture).encode()).digest()


def collides_when_printed(picture: Pixels) -> bool:
    """Tell whether a picture with another inside has the same printed digest."""
    other = picture.copy()
    other[4:-4, 4:-4] ^= 255
    return printed_digest(picture) == printed_digest(other)


def run(target: Lu2022, pictures: Sequence[Pixels]) -> list[Outcome]:
    """Ask for the encryption of four pictures, and open the last of the given ones."""
    last = pictures[-1]
    chosen = chosen_pictures(last.shape)
    queries = [target.encrypt(picture, serial) for serial, picture in enumerate(chosen, 1)]
    data = target.encrypt(last, 0)
    learned = [known(target, *pair) for pair in zip(chosen, queries, strict=True)]
    found = [recover(pairs, target.bank) for pairs in zip(*learned, strict=True)]
    outcome = score(target, "chosen_plaintext", found, queries[0], learned[0][0], last, data, 4)
    extra = []
    if target.key_mode == "content":
        extra = [
            Measure("blocks that move when one pixel changes", changed_by_one_pixel(target, last)),
            Measure(
                "two pictures of one key, digest of the printed array",
                float(collides_when_printed(last)),
            ),
        ]
    return [Outcome(outcome.attack, outcome.attacker, [*outcome.measures, *extra], outcome.panels)]
