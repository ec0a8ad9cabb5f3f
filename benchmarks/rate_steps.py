"""The encryption taken apart: what each of its steps alone costs in bytes.

A plan of lu2022 in which single steps are made neutral: the permutation of the blocks, their
rotation, and the three things that the bank givens128 adds to the DCT, which are the sign of the DC
row, the signs of the AC rows, and the angles between neighboring AC rows; then the mean of each
component as its level shift, which saves what the signs of DC values cost. For measuring only: the
library never leaves a step out.
"""

from collections.abc import Collection
from functools import cache

import numpy as np
import numpy.typing as npt

from benchmarks.photographs import Pixels
from jpegcrypt import Key, _core
from jpegcrypt.cipher.bank import dct_matrix, matrices, to_fixed_point, transform_bank
from jpegcrypt.cipher.plan import ComponentPlan
from jpegcrypt.codec.decode import decode_planes, planes_to_image
from jpegcrypt.codec.parse import parse
from jpegcrypt.codec.write import jfif_segment
from jpegcrypt.encoder import Effort, EncoderInput
from jpegcrypt.schemes import lu2022

BANK, AUTHORS = "givens128", "authors16"
PERMUTATION, ROTATION = "block permutation", "block rotation"
DC_SIGN, AC_SIGNS, AC_ANGLES = "DC sign", "AC signs", "AC angles"
MEANS = "mean as level shift"
STEPS = (PERMUTATION, DC_SIGN, AC_ANGLES, AC_SIGNS, ROTATION, MEANS)

NONE, ALL = "no step", "all steps"
COMBINATIONS: dict[str, frozenset[str]] = {
    NONE: frozenset(),
    **{f"only {step}": frozenset([step]) for step in STEPS},
    **{f"all but {step}": frozenset(STEPS) - {step} for step in STEPS},
    ALL: frozenset(STEPS),
}


def round_trip(
    key: Key, steps: Collection[str], picture: Pixels, quality: int
) -> tuple[bytes, Pixels]:
    """Encrypt as by default, but with only some of the steps, and undo them."""
    settings = _settings(picture, quality, "default")
    plan = [neutralized(one, steps) for one in _plan(key, settings, picture, BANK)]
    return _round_trip(settings, partial_transform_bank(frozenset(steps)), plan, MEANS in steps)


def as_the_paper(key: Key, picture: Pixels, quality: int) -> tuple[bytes, Pixels]:
    """Encrypt with the authors' bank: level shift 128, tables of Annex K, nothing of ours in it.

    The decoder is ours, and puts AC values nearer to zero as `decrypt` does.
    """
    settings = _settings(picture, quality, "fast")
    plan = _plan(key, settings, picture, AUTHORS)
    return _round_trip(settings, transform_bank(AUTHORS), plan, means=False)


def _settings(picture: Pixels, quality: int, effort: Effort) -> EncoderInput:
    return EncoderInput.of(picture, quality, "4:2:0", "annex-k", effort, None, 0)


def _plan(key: Key, settings: EncoderInput, picture: Pixels, bank: str) -> list[ComponentPlan]:
    keys = key.derive(key.content_nonce(picture))
    return lu2022.make_plan(keys, settings.layout.frame, bank=bank, dc_residuals=False)


def _round_trip(
    settings: EncoderInput, bank: _core.TransformBank, plan: list[ComponentPlan], means: bool
) -> tuple[bytes, Pixels]:
    """Encode and decode with a plan; the file has neither a header of ours nor a tag."""
    planes = _core.image_to_planes(settings.pixels, settings.layout.frame)
    levels = planes.means if means else None
    scan, huffman, _ = _core.encode_scan(
        planes,
        settings.layout.quantizers,
        bank,
        plan=plan,
        levels=levels,
        tables=settings.huffman,
    )
    file = settings.file(huffman, scan, [jfif_segment()])
    jpeg = parse(file)
    decoded, _ = decode_planes(jpeg, bank=bank, plan=plan, levels=levels)
    return file, planes_to_image(jpeg, decoded)


def neutralized(plan: ComponentPlan, steps: Collection[str]) -> ComponentPlan:
    """Return the plan with only some of the steps; those of the bank are not its matter."""
    records, permutation = plan.records.copy(), plan.permutation
    if ROTATION not in steps:
        records[:, 9] = 0
    if PERMUTATION not in steps:
        permutation = np.arange(len(permutation), dtype=permutation.dtype)
    return ComponentPlan(records, permutation)


@cache
def partial_transform_bank(steps: frozenset[str]) -> _core.TransformBank:
    return _core.TransformBank(to_fixed_point(partial_bank(steps)))


def partial_bank(steps: Collection[str]) -> npt.NDArray[np.float64]:
    """Return givens128 with only some of what it does to the rows of the DCT, (128, 8, 8)."""
    dct, full = dct_matrix(), matrices(BANK)
    # Two angles of at most 0.35 rad turn a row by less than a right angle, so that its component
    # along the row of the DCT has the sign that the bank gave it.
    signs = np.sign(np.einsum("kin,in->ki", full, dct))
    rows = full * signs[:, :, None] if AC_ANGLES in steps else np.broadcast_to(dct, full.shape)
    kept = np.ones_like(signs)
    if DC_SIGN in steps:
        kept[:, 0] = signs[:, 0]
    if AC_SIGNS in steps:
        kept[:, 1:] = signs[:, 1:]
    found: npt.NDArray[np.float64] = rows * kept[:, :, None]
    return found
