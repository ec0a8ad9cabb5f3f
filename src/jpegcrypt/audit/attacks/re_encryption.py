"""Many encryptions of one picture: what fits all of them is the picture.

Has: several files of one picture under different nonces. Each transform that a block of one file
may have had makes another plain column of it; only the right one is seen again in other files,
in a block with the same DC value and like energies. Transforms that differ by signs alone cannot be
told apart. In other key modes than ``nonce`` all files are one. Metric: share of luma blocks of the
first file whose first column gives its transform away, and with it the signs of seven coefficients,
up to one that they have in common; chance: one in so many transforms.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.spatial import KDTree

from jpegcrypt.audit.columns import found, undone
from jpegcrypt.audit.exact import Float
from jpegcrypt.audit.outcome import ATTACKED, Measure, Outcome, over_pictures
from jpegcrypt.audit.target import Lu2022, Pixels

FILES = (2, 4, 8)
FAR = 2.0  # steps: blocks that lie further apart are not the same


def run(target: Lu2022, pictures: Sequence[Pixels]) -> list[Outcome]:
    """Encrypt each of up to `ATTACKED` pictures again and again."""
    return over_pictures(
        [[_run(target, picture, i)] for i, picture in enumerate(pictures[:ATTACKED])]
    )


def _run(target: Lu2022, picture: Pixels, serial: int) -> Outcome:
    first = FILES[-1] * serial
    files = [target.encrypt(picture, first + i) for i in range(FILES[-1])]
    looks = [look(target, data) for data in files]
    cost = np.zeros(looks[0].shape[:2])
    measures = []
    for count, other in enumerate(looks[1:], start=2):
        cost += distance(looks[0], other) ** 2
        if count in FILES:
            name = f"first columns found by {count} files"
            measures.append(Measure(name, *found(target, files[0], cost), 1))
    attacker = f"{FILES[-1]} files of one picture"
    return Outcome("re_encryption", attacker, measures[::-1])


def look(target: Lu2022, data: bytes) -> Float:
    """Return what encryptions of a block have in common if the transform is right, in steps.

    Of each block and kind of transform (n, kinds, 10): magnitudes of the seven coefficients, and
    what is the same for all kinds: that of the DC value, doubled so that a step is `FAR`, energies
    of the first row and of what is in neither.
    """
    values, steps = undone(target, data)
    c = target.coefficients(data)
    blocks, table = c.Y.reshape(-1, 8, 8).astype(np.float64), c.qt[0].astype(np.float64)
    squares = (blocks * table) ** 2
    shared = np.stack(
        [
            FAR * np.abs(blocks[:, 0, 0]),
            np.sqrt(squares[:, 0, 1:].sum(1) / (table[0, 1:] ** 2).mean()),
            np.sqrt(squares[:, 1:, 1:].sum((1, 2)) / (table[1:, 1:] ** 2).mean()),
        ],
        1,
    )
    kinds = values.shape[1]
    return np.concatenate([np.abs(values) / steps, np.repeat(shared[:, None], kinds, 1)], 2)


def distance(one: Float, other: Float) -> Float:
    """Return how far the nearest look in another file is, (n, kinds), at most `FAR`."""
    near = np.full(one.shape[:2], FAR)
    mine, others = _busy(one), _busy(other)
    if mine.any() and others.any():
        tree = KDTree(other[others].reshape(-1, other.shape[2]))
        nearest, _ = tree.query(one[mine].reshape(-1, one.shape[2]), distance_upper_bound=FAR)
        near[mine] = np.minimum(nearest, FAR).reshape(-1, one.shape[1])
    return near


def _busy(look: Float) -> npt.NDArray[np.bool_]:
    """Return which blocks have anything in their first column; the others tell nothing."""
    busy: npt.NDArray[np.bool_] = (look[:, 0, :7] != 0).any(1)
    return busy
