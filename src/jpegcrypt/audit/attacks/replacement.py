"""Replacement: what is protected is replaced by a constant, and the file is decoded.

Has: one encrypted file; in the bounds also the permutation, or permutation and means.
Metric: structural similarity to the picture (luma). Chance: that of the same blocks in random
order, or of a flat picture, whichever is more. Named in the analyses of Li and Lo (2015). The
transforms are taken for the DCT and all signs for plus, and the mean of every block for that of the
picture, where files tell it, or mid-gray. Where the means are given, all AC coefficients may be set
to zero instead, if that shows more.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from jpegcrypt.audit import dc
from jpegcrypt.audit.exact import in_place, render
from jpegcrypt.audit.outcome import ATTACKED, Measure, Outcome, Panel, over_pictures
from jpegcrypt.audit.picture import most_alike, psnr, ssim
from jpegcrypt.audit.target import Lu2022, Pixels, Target
from jpegcrypt.codec.coefficients import Blocks, read_coefficients


def all_plus(cipher: Blocks, means: int | npt.NDArray[np.integer]) -> npt.NDArray[np.int16]:
    """Return blocks with all signs plus, and the given DC values."""
    plus = np.abs(cipher)
    plus[:, :, 0, 0] = means
    return plus


def without_ac(means: npt.NDArray[np.int16]) -> npt.NDArray[np.int16]:
    """Return blocks with the given DC values (rows, columns) alone."""
    blocks = np.zeros((*means.shape, 8, 8), np.int16)
    blocks[:, :, 0, 0] = means
    return blocks


def run(target: Target, pictures: Sequence[Pixels]) -> list[Outcome]:
    """Attack the first pictures."""
    return over_pictures([attack(target, *one) for one in enumerate(pictures[:ATTACKED])])


def attack(target: Target, serial: int, picture: Pixels) -> list[Outcome]:
    """Attack a picture."""
    data = target.encrypt(picture, serial)
    plain, cipher = read_coefficients(target.encode(picture)), read_coefficients(data)
    shown, seen = render(plain.Y, plain.qt[0]), render(cipher.Y, cipher.qt[0])
    table = cipher.qt[0]
    level = target.levels(data)[0] if isinstance(target, Lu2022) else 128
    mean = dc.shift(level, int(table[0, 0]))
    flat = np.full_like(shown, level)
    cases = [("one file", [all_plus(cipher.Y, mean)], False)]
    if isinstance(target, Lu2022):
        placed = in_place(cipher.Y, target.plan(data)[0].permutation)
        right = plain.Y[:, :, 0, 0]
        cases += [
            ("one file, and the permutation", [all_plus(placed, mean)], True),
            (
                "one file, the permutation, DC values right",
                [all_plus(placed, right), without_ac(right)],
                True,
            ),
        ]
    return [
        _outcome(attacker, [shown, seen, flat], blocks, table, is_bound=is_bound)
        for attacker, blocks, is_bound in cases
    ]


def _outcome(
    attacker: str,
    pictures: Sequence[Pixels],
    candidates: Sequence[npt.NDArray[np.int16]],
    table: npt.NDArray[np.uint16],
    *,
    is_bound: bool,
) -> Outcome:
    """Take the better one of the candidates, for chance too, which may also be a flat picture."""
    shown, seen, flat = pictures
    order = np.random.default_rng(0).permutation(candidates[0].shape[0] * candidates[0].shape[1])
    found = most_alike(shown, [render(blocks, table) for blocks in candidates])
    by_chance = [render(in_place(blocks, order), table) for blocks in candidates]
    luck = most_alike(shown, [*by_chance, flat])
    return Outcome(
        "replacement",
        attacker,
        [
            Measure("SSIM", ssim(shown, found), ssim(shown, luck), 1, ""),
            Measure("PSNR", psnr(shown, found), psnr(shown, luck), unit="dB"),
        ],
        [Panel("plain", shown), Panel("encrypted", seen), Panel("protected parts replaced", found)],
        is_bound,
    )
