"""Arrays of a data set as the tensors that a model takes."""

from typing import NamedTuple

import numpy as np
import torch

from jpegcrypt.retrieval.arrays import CoefficientArrays, PixelArrays
from jpegcrypt.retrieval.folders import Indices


class Pixels(NamedTuple):
    """Decoded pictures.

    Attributes
    ----------
    pixels : uint8 tensor (n, H, W, 3)
        As any viewer shows them.
    levels : float32 tensor (n, 3)
        The sample values of Y, Cb and Cr, 0 to 255, that viewers show as 128.
    """

    pixels: torch.Tensor
    levels: torch.Tensor


class Blocks(NamedTuple):
    """Blocks of quantized coefficients.

    Attributes
    ----------
    coefficients : int16 tensor (n, blocks, 64)
        Zig-zag order.
    component : int tensor (blocks,)
        0, 1 or 2 for each block, never falling.
    steps : float32 tensor (n, components, 64)
        Quantization steps, zig-zag order.
    levels : float32 tensor (n, components)
        The sample values, 0 to 255, for which DC values stand at zero.
    """

    coefficients: torch.Tensor
    component: torch.Tensor
    steps: torch.Tensor
    levels: torch.Tensor


Arrays = PixelArrays | CoefficientArrays
Batch = Pixels | Blocks


def take(arrays: Arrays, indices: Indices, device: torch.device | str = "cpu") -> Batch:
    """Return some pictures as a batch."""
    levels = torch.from_numpy(arrays.levels[indices].astype(np.float32)).to(device)
    if isinstance(arrays, PixelArrays):
        return Pixels(torch.from_numpy(arrays.pixels[indices]).to(device), levels)
    return Blocks(
        torch.from_numpy(arrays.coefficients[indices]).to(device),
        torch.from_numpy(arrays.component.astype(np.int64)).to(device),
        torch.from_numpy(arrays.steps[indices].astype(np.float32)).to(device),
        levels,
    )


def some_blocks(coefficients: torch.Tensor, part: float) -> torch.Tensor:
    """Draw a part of the blocks of a component (n, blocks, 64), the same of each picture; or all.

    Examples
    --------
    >>> some_blocks(torch.zeros(2, 8, 64), 0.25).shape
    torch.Size([2, 2, 64])
    """
    if part >= 1:
        return coefficients
    blocks = coefficients.shape[1]
    return coefficients[:, torch.randperm(blocks)[: max(1, round(blocks * part))]]
