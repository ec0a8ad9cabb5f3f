"""An altered copy: a known picture that differs from the encrypted one in a part of it.

Has: one encrypted file, and a picture that equals the plain one but for some places, such as
another frame of a camera that does not move. Blocks of the known picture are matched with those of
the file as in `known_plaintext`; what is left over is new. Where known blocks are alike, as white
paper is, nobody can say which of them it replaced. Metric: share of the altered places among as
many that are explained worst, ties as draws, with the share of altered places for chance; share of
the other luma blocks whose place is found, chance 1 in n.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from jpegcrypt.api import decode
from jpegcrypt.audit.attacks.known_plaintext import costs, known
from jpegcrypt.audit.exact import Float, to_blocks
from jpegcrypt.audit.outcome import ATTACKED, Measure, Outcome, Panel, over_pictures
from jpegcrypt.audit.target import Lu2022, Pixels

PART = 4  # the altered part has one in so many of the blocks of each side
MCU = 16  # samples: whole ones are altered, so that of others only DC residuals change


def run(target: Lu2022, pictures: Sequence[Pixels]) -> list[Outcome]:
    """Alter up to `ATTACKED` pictures by the next one, and find out where."""
    others = [*pictures[1:], pictures[0]]
    chosen = list(zip(pictures, others, strict=True))[:ATTACKED]
    return over_pictures(
        [[_run(target, picture, other, i)] for i, (picture, other) in enumerate(chosen)]
    )


def _run(target: Lu2022, copy: Pixels, other: Pixels, serial: int) -> Outcome:
    altered = part(copy)
    picture = copy.copy()
    picture[altered] = other[altered]
    data = target.encrypt(picture, serial)
    pair = known(target, copy, data)[0]
    cost = costs(pair, target.bank)
    cipher_index, plain_index = linear_sum_assignment(cost)
    matched = np.empty(len(cost))
    matched[plain_index] = cost[cipher_index, plain_index]
    truth = target.luma_order(data)[cipher_index]
    changed = (picture != copy).reshape(*altered.shape, -1).any(2)
    new = to_blocks(changed).any((2, 3)).ravel()  # luma blocks in raster order
    suspected = worst(_shared(matched, pair.samples), int(new.sum()))
    return Outcome(
        "altered_copy",
        "one file, and the picture before it was altered",
        [
            Measure(
                "altered places found",
                float(suspected @ new / max(new.sum(), 1)),
                float(new.mean()),
                1,
            ),
            Measure(
                "other luma blocks placed",
                float((plain_index == truth)[~new[truth]].mean()),
                1 / len(new),
                1,
            ),
        ],
        [
            Panel("known", copy),
            Panel("as it was encrypted", picture),
            Panel("encrypted", decode(data)),
            Panel("places that look altered", _picture(suspected, copy.shape[:2])),
        ],
    )


def part(picture: Pixels) -> npt.NDArray[np.bool_]:
    """Return which pixels are altered: a rectangle of whole MCUs in the middle."""
    altered = np.zeros(picture.shape[:2], bool)
    rows, columns = (_middle(side // MCU) for side in picture.shape[:2])
    altered[rows, columns] = True
    return altered


def _middle(units: int) -> slice:
    """Return which samples of a side of so many MCUs are altered."""
    length = max(1, round(units / PART))
    start = (units - length) // 2
    return slice(start * MCU, (start + length) * MCU)


def worst(cost: Float, count: int) -> Float:
    """Return the `count` dearest as 1, the others as 0; who shares the last places, a part of them.

    Examples
    --------
    >>> worst(np.array([1.0, 3.0, 1.0, 0.0]), 2).tolist()
    [0.5, 1.0, 0.5, 0.0]
    """
    chosen = np.zeros(len(cost))
    if count:
        last = np.sort(cost)[-count]
        above, tied = cost > last, cost == last
        chosen[above] = 1
        chosen[tied] = (count - above.sum()) / tied.sum()
    return chosen


def _shared(cost: Float, samples: Float) -> Float:
    """Spread costs over plain blocks that are equal: which of them was matched is chance."""
    _, group = np.unique(samples.reshape(len(samples), -1), axis=0, return_inverse=True)
    group = group.reshape(-1)
    spread: Float = (np.bincount(group, cost) / np.bincount(group))[group]
    return spread


def _picture(blocks: Float, size: tuple[int, int]) -> Pixels:
    """Draw how far blocks are chosen, black on white."""
    height, width = size
    grid = blocks.reshape(-(-height // 8), -(-width // 8))
    drawn = np.rint(255 * (1 - grid)).astype(np.uint8).repeat(8, 0).repeat(8, 1)
    return np.ascontiguousarray(drawn[:height, :width])
