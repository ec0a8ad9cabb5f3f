"""How alike two pictures are: PSNR, structural similarity, edges."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.ndimage import binary_dilation
from skimage.color import rgb2gray
from skimage.feature import canny
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from jpegcrypt.audit.target import Pixels


def psnr(original: Pixels, other: Pixels) -> float:
    """Return the peak signal-to-noise ratio in dB; 100 for equal pictures, to stay finite."""
    if np.array_equal(original, other):
        return 100.0
    return float(peak_signal_noise_ratio(original, other, data_range=255))


def ssim(original: Pixels, other: Pixels) -> float:
    """Return the structural similarity of luma: 1 if equal, near 0 if unrelated."""
    return float(structural_similarity(luma(original), luma(other), data_range=255))


def most_alike(original: Pixels, others: Sequence[Pixels]) -> Pixels:
    """Return the picture of the highest structural similarity to the original."""
    return max(others, key=lambda other: ssim(original, other))


def edge_similarity(original: Pixels, other: Pixels) -> float:
    """Return how well two Canny edge maps overlap: shared edge pixels over all (Jaccard).

    A pixel counts as shared if the other map has an edge within one pixel of it.
    """
    a, b = canny(luma(original) / 255, sigma=1.5), canny(luma(other) / 255, sigma=1.5)
    shared = (a & _near(b)).sum() + (b & _near(a)).sum()
    total = a.sum() + b.sum()
    return float(shared / total) if total else 1.0


def luma(picture: Pixels) -> npt.NDArray[np.float64]:
    """Return the gray values 0 to 255 of a picture, float64 (H, W)."""
    if picture.ndim == 2:
        return picture.astype(np.float64)
    gray: npt.NDArray[np.float64] = rgb2gray(picture) * 255
    return gray


def stretched(values: npt.NDArray[np.floating]) -> Pixels:
    """Return a map as a gray picture, from its smallest to its largest value."""
    low, high = float(values.min()), float(values.max())
    gray: Pixels = np.rint((values - low) * (255 / (high - low or 1))).astype(np.uint8)
    return gray


def enlarged(values: npt.NDArray[np.floating], scale: int = 8) -> Pixels:
    """Return a map of blocks as a gray picture of `scale` pixels a block."""
    return stretched(values).repeat(scale, 0).repeat(scale, 1)


def _near(edges: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    near: npt.NDArray[np.bool_] = binary_dilation(edges, np.ones((3, 3), bool))
    return near
