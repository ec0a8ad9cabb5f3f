"""Replacement: what is protected is replaced by a constant, and the file is decoded.

Has: one encrypted file; in the bounds also the permutation, or permutation and means.
Metric: structural similarity to the picture (luma). Chance: that of the same blocks in random
order. Named in the analyses of Li and Lo (2015). All signs are set to plus, the transforms are
taken for the DCT, and the mean of every block for mid-gray, unless it is given.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from jpegcrypt.audit.exact import in_place, render
from jpegcrypt.audit.outcome import ATTACKED, Measure, Outcome, Panel, over_pictures
from jpegcrypt.audit.picture import psnr, ssim
from jpegcrypt.audit.target import Lu2022, Pixels, Target
from jpegcrypt.codec.coefficients import Blocks, read_coefficients


def replaced(cipher: Blocks, dc: npt.NDArray[np.integer] | None = None) -> npt.NDArray[np.int16]:
    """Return blocks with all signs plus, and the given DC values or none."""
    plus = np.abs(cipher)
    plus[:, :, 0, 0] = 0 if dc is None else dc
    return plus


def run(target: Target, pictures: Sequence[Pixels]) -> list[Outcome]:
    """Attack the first pictures."""
    return over_pictures([attack(target, *one) for one in enumerate(pictures[:ATTACKED])])


def attack(target: Target, serial: int, picture: Pixels) -> list[Outcome]:
    """Attack a picture."""
    data = target.encrypt(picture, serial)
    plain, cipher = read_coefficients(target.encode(picture)), read_coefficients(data)
    shown, seen = render(plain.Y, plain.qt[0]), render(cipher.Y, cipher.qt[0])
    outcomes = [_outcome("one file", shown, seen, replaced(cipher.Y), cipher.qt[0], is_bound=False)]
    if isinstance(target, Lu2022):
        placed = in_place(cipher.Y, target.plan(data)[0].permutation)
        outcomes.append(
            _outcome("one file, and the permutation", shown, seen, replaced(placed), cipher.qt[0])
        )
        dc = plain.Y[:, :, 0, 0]
        outcomes.append(
            _outcome(
                "one file, the permutation, DC values right",
                shown, seen, replaced(placed, dc), cipher.qt[0],
            )
        )  # fmt: skip
    return outcomes


def _outcome(
    attacker: str,
    shown: Pixels,
    encrypted: Pixels,
    blocks: npt.NDArray[np.int16],
    table: npt.NDArray[np.uint16],
    *,
    is_bound: bool = True,
) -> Outcome:
    rng = np.random.default_rng(0)
    order = rng.permutation(blocks.shape[0] * blocks.shape[1])
    picture, anywhere = render(blocks, table), render(in_place(blocks, order), table)
    return Outcome(
        "replacement",
        attacker,
        [
            Measure("SSIM", ssim(shown, picture), ssim(shown, anywhere), 1, ""),
            Measure("PSNR", psnr(shown, picture), psnr(shown, anywhere), unit="dB"),
        ],
        [Panel("plain", shown), Panel("encrypted", encrypted), Panel("signs replaced", picture)],
        is_bound,
    )
