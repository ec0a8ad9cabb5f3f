"""A former JPEG: a picture that was compressed before keeps the grid of its old steps.

Has: one encrypted file, of a picture that was a JPEG of lower quality, on the same grid of blocks.
The right transform brings its coefficients back to multiples of the old steps, others do not, where
they mix coefficients. Transforms that differ by signs alone cannot be told apart. Metric: share of
luma blocks whose first column gives its transform away, and with it the signs of seven
coefficients, up to one that they have in common; chance: one in so many transforms. The lowest old
quality decides; the picture as it is, not compressed for this, is the control, if it was no JPEG on
this grid. The attacker knows the old quality, or takes the one that fits best: how often that is
the right one is measured, too, with the answers for the pictures as they are for chance.
"""

from collections.abc import Sequence

import numpy as np
from scipy.special import logsumexp

from jpegcrypt.api import decode, encode
from jpegcrypt.audit.columns import found, transforms, undone
from jpegcrypt.audit.exact import Float
from jpegcrypt.audit.outcome import ATTACKED, Measure, Outcome, over_pictures
from jpegcrypt.audit.target import Lu2022, Pixels
from jpegcrypt.codec.tables import quality_tables

FORMER = (50, 75, 90)  # qualities of pictures
QUALITIES = range(30, 100, 5)  # that the attacker thinks of, if they are below that of the file
LOOKED_AT = 500  # blocks tell the quality as well as all
SAMPLE_NOISE = 0.12  # squared: luma rounded to 8 bits, 1/12, and before that its three colors
ANYWHERE = 1e-4  # ratio that any value has, on the grid or not


def surprise(values: Float, steps: Float, bank: str, former: int) -> Float:
    """Return how badly each kind of transform fits an old quality, (n, kinds).

    The negative logarithm of a likelihood ratio: rounding errors of both files around multiples of
    the old steps, over a value that may be anywhere. Turned blocks have the old steps of rows.
    """
    table = quality_tables(former)[0].reshape(8, 8).astype(np.float64)
    noise = np.einsum("kij,i->kj", transforms(bank).mixing ** 2, steps**2 / 12) + SAMPLE_NOISE
    fits = []
    for old in (table[1:, 0], table[0, 1:]):
        off = values - old * np.rint(values / old)
        density = np.sum(
            [np.exp(-((off - m * old) ** 2) / (2 * noise)) for m in (-1, 0, 1)], axis=0
        )
        fits.append(-np.log(density * old / np.sqrt(2 * np.pi * noise) + ANYWHERE).sum(2))
    better: Float = np.minimum(*fits)
    return better


def run(target: Lu2022, pictures: Sequence[Pixels]) -> list[Outcome]:
    """Attack the files of up to `ATTACKED` pictures, each by itself."""
    return over_pictures(
        [[_run(target, picture, i)] for i, picture in enumerate(pictures[:ATTACKED])]
    )


def _run(target: Lu2022, picture: Pixels, serial: int) -> Outcome:
    values, steps, data = _undone(target, picture, serial)
    without = told_quality(target, values, steps)
    cost = surprise(values, steps, target.bank, FORMER[0])
    control = Measure("first columns found, picture as it is", *found(target, data, cost), 1)
    columns, qualities = [], []
    for former in FORMER:
        values, steps, data = _undone(target, decode(encode(picture, quality=former)), serial)
        cost = surprise(values, steps, target.bank, former)
        name = f"first columns found, quality {former} before"
        columns.append(Measure(name, *found(target, data, cost), 1))
        told = told_quality(target, values, steps)
        name = f"old quality told, {former}"
        qualities.append(Measure(name, float(told == former), float(without == former), 1))
    attacker = "one file, of a picture that was a JPEG"
    return Outcome("former_jpeg", attacker, [*columns, control, *qualities])


def told_quality(target: Lu2022, values: Float, steps: Float) -> int:
    """Return the quality whose grid fits best, whatever the transforms; 0 if none comes to mind.

    It is below that of the file, whose own grid all values lie on.
    """
    busy = values[(values != 0).any((1, 2))][:LOOKED_AT]
    if not len(busy):
        return 0
    return min(
        (one for one in QUALITIES if one < target.quality),
        key=lambda one: -logsumexp(-surprise(busy, steps, target.bank, one), axis=1).sum(),
        default=0,
    )


def _undone(target: Lu2022, picture: Pixels, serial: int) -> tuple[Float, Float, bytes]:
    data = target.encrypt(picture, serial)
    return *undone(target, data), data
