"""Pixels as the pixel models take them: square patches in a row, values in [-1, 1]."""

import torch


def normalize(pixels: torch.Tensor) -> torch.Tensor:
    """Scale uint8 pixels to [-1, 1]: mean 0.5 and deviation 0.5, as lu2022's authors do."""
    return pixels.float() / 127.5 - 1


def count_patches(height: int, width: int, patch: int) -> int:
    """Return the number N of patches of a picture.

    Raises
    ------
    ValueError
        If they do not fill it.

    Examples
    --------
    >>> count_patches(192, 128, 8)
    384
    """
    if height % patch or width % patch:
        raise ValueError(f"pictures of {width}x{height}, expected multiples of the patch, {patch}")
    return (height // patch) * (width // patch)


def to_patches(pixels: torch.Tensor, patch: int) -> torch.Tensor:
    """Cut pictures into patches that do not overlap.

    Parameters
    ----------
    pixels : uint8 tensor (n, H, W, 3)
    patch : int
        Side P.

    Returns
    -------
    float32 tensor (n, N, 3 P^2)
        Row by row; within a patch row, column, color.

    Examples
    --------
    >>> picture = torch.arange(4 * 4 * 3, dtype=torch.uint8).reshape(1, 4, 4, 3)
    >>> patches = to_patches(picture, 2)
    >>> patches.shape, bool((patches[0, 1, :3] == normalize(picture[0, 0, 2])).all())
    (torch.Size([1, 4, 12]), True)
    """
    n, height, width, colors = pixels.shape
    x = normalize(pixels)
    x = x.reshape(n, height // patch, patch, width // patch, patch, colors)
    x = x.permute(0, 1, 3, 2, 4, 5)  # (n, rows, columns, P, P, 3)
    return x.reshape(n, -1, patch * patch * colors)
