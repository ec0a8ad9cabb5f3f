"""Which pictures are audited: a sample of a folder, and parts of one size for the attacks."""

from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path

import numpy as np

from jpegcrypt import walk
from jpegcrypt.audit.target import Pixels

SIDE = 256  # of the parts that attacks work on, at most
LEAST_SIDE = 64


def choose(folder: Path, suffixes: Sequence[str], count: int, seed: int = 0) -> list[Path]:
    """Return as many files below a folder, one from each of its subfolders in turn.

    Corel-1K and Corel-10K come as a folder a class: so any first files are of all classes. What a
    small class lacks, others do not make up for.
    """
    classes: dict[Path, list[Path]] = {}
    for path in sorted(walk.files(folder)):
        if path.suffix.lower() in suffixes and path.is_file():
            classes.setdefault(path.parent, []).append(path)
    rng = np.random.default_rng(seed)
    share = -(-count // max(len(classes), 1))
    drawn = [[paths[i] for i in rng.permutation(len(paths))[:share]] for paths in classes.values()]
    turns = zip_longest(*drawn)
    return [path for turn in turns for path in turn if path is not None][:count]


def check_size(picture: Pixels) -> None:
    """Refuse a picture of too few blocks to attack.

    Raises
    ------
    ValueError
        If a side is shorter than 64 pixels.
    """
    height, width = picture.shape[:2]
    if min(height, width) < LEAST_SIDE:
        raise ValueError(
            f"a picture of {width}x{height} pixels, too few blocks to attack, expected at least "
            f"{LEAST_SIDE} each way"
        )


def same_size(pictures: Sequence[Pixels], side: int = SIDE) -> list[Pixels]:
    """Return the middle of each picture, RGB, all of the largest size that fits, in whole MCUs.

    Raises
    ------
    ValueError
        If a picture is smaller than 64 pixels a side.

    Examples
    --------
    >>> pictures = [np.zeros((100, 300, 3), np.uint8), np.zeros((200, 90), np.uint8)]
    >>> [picture.shape for picture in same_size(pictures)]
    [(96, 80, 3), (96, 80, 3)]
    """
    for picture in pictures:
        check_size(picture)
    height, width = (
        min(side, *(picture.shape[axis] for picture in pictures)) // 16 * 16 for axis in range(2)
    )
    return [_middle(picture, height, width) for picture in pictures]


def _middle(picture: Pixels, height: int, width: int) -> Pixels:
    top, left = (picture.shape[0] - height) // 2, (picture.shape[1] - width) // 2
    part = picture[top : top + height, left : left + width]
    color = part if part.ndim == 3 else part[:, :, None].repeat(3, 2)
    return np.ascontiguousarray(color)
