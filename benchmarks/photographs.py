"""Real photographs: those that the scikit-image wheel carries, and parts and mosaics of them."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image
from skimage import data

Pixels = npt.NDArray[np.uint8]

# Functions of skimage.data whose pictures are in the wheel, so that nothing is downloaded. Not
# coins: it came out of a JPEG and lies on its block grid, which flatters the plain JPEG.
COLOR = ("astronaut", "chelsea", "coffee", "rocket", "stereo_motorcycle", "retina")
GRAY = ("camera", "clock", "brick")
FULL_FRAME = COLOR[:5]  # retina is a disk on black

# JPEGs in the wheel. Saved as JPEG again they fall on their own block grid and lose little.
JPEG_BORN = ("rocket", "retina")

# Free to copy (CC0 or public domain) by the docstrings of skimage.data: fit for our README.
FREE = ("astronaut", "chelsea", "coffee", "camera")


def photograph(name: str) -> Pixels:
    """Return a photograph, uint8 (H, W, 3) or (H, W)."""
    picture = getattr(data, name)()
    if isinstance(picture, tuple):  # a stereo pair, and its disparity
        picture = picture[0]
    return np.ascontiguousarray(picture)


def labelled_crops(
    root: Path, *, names: tuple[str, ...] = FULL_FRAME, per_class: int = 20, seed: int = 0
) -> None:
    """Write a small data set: a folder per photograph, of 192x128 parts of it as PNG files.

    Every class is one photograph, and parts overlap: enough to see that a model learns, and no
    measure of how well.
    """
    rng = np.random.default_rng(seed)
    for name in names:
        picture = photograph(name)
        (root / name).mkdir(parents=True)
        for i in range(per_class):
            top = rng.integers(picture.shape[0] - 192 + 1)
            left = rng.integers(picture.shape[1] - 128 + 1)
            part = picture[top : top + 192, left : left + 128]
            part = part[:, ::-1] if rng.integers(2) else part
            Image.fromarray(part).save(root / name / f"{i}.png")


def mosaic(width: int, height: int, *, tile: int = 256, seed: int = 0) -> Pixels:
    """Return a picture of any size, uint8 (height, width, 3), with the statistics of photographs.

    Random parts of photographs at their own resolution, some of them mirrored: enlarging would make
    them smooth, and repeating one block would flatter caches and Huffman tables.
    """
    rng = np.random.default_rng(seed)
    photographs = [photograph(name) for name in FULL_FRAME]
    picture = np.empty((height, width, 3), np.uint8)
    for y in range(0, height, tile):
        for x in range(0, width, tile):
            h, w = min(tile, height - y), min(tile, width - x)
            source = photographs[rng.integers(len(photographs))]
            top = rng.integers(source.shape[0] - h + 1)
            left = rng.integers(source.shape[1] - w + 1)
            part = source[top : top + h, left : left + w]
            picture[y : y + h, x : x + w] = part[:, ::-1] if rng.integers(2) else part
    return picture
