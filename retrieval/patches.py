"""Pixels as the pixel models take them: numbers around 0, in square patches."""

import torch

from jpegcrypt.retrieval.batches import Pixels

# Of YCbCr in RGB, T.871 section 7; a row a component.
YCC_TO_RGB = ((1.0, 1.0, 1.0), (0.0, -0.344136, 1.772), (1.402, -0.714136, 0.0))


def normalize(batch: Pixels, *, levels: bool) -> torch.Tensor:
    """Scale pixels to [-1, 1]: mean 0.5 and deviation 0.5, as lu2022's authors do.

    Parameters
    ----------
    batch : Pixels
    levels : bool
        Move each picture by the color of its level shifts, which is gray in what viewers show.

    Returns
    -------
    float32 tensor (n, H, W, 3)
        With `levels` up to 1 + 2.772 * 128 / 127.5 in magnitude, for the darkest blue.

    Examples
    --------
    >>> gray = torch.full((1, 8, 8, 3), 128, dtype=torch.uint8)
    >>> red = Pixels(gray, torch.tensor([[76.0, 85, 255]]))
    >>> normalize(red, levels=True)[0, 0, 0]
    tensor([ 0.9926, -0.9992, -1.0015])
    """
    x = batch.pixels.float() / 127.5 - 1
    if not levels:
        return x
    color = (batch.levels - 128) / 127.5 @ x.new_tensor(YCC_TO_RGB)
    return x + color[:, None, None]


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


def to_patches(x: torch.Tensor, patch: int) -> torch.Tensor:
    """Cut pictures into patches that do not overlap.

    Parameters
    ----------
    x : float32 tensor (n, H, W, 3)
    patch : int
        Side P.

    Returns
    -------
    float32 tensor (n, N, 3 P^2)
        Row by row; within a patch row, column, color.

    Examples
    --------
    >>> picture = torch.arange(4.0 * 4 * 3).reshape(1, 4, 4, 3)
    >>> patches = to_patches(picture, 2)
    >>> patches.shape, bool((patches[0, 1, :3] == picture[0, 0, 2]).all())
    (torch.Size([1, 4, 12]), True)
    """
    n, height, width, colors = x.shape
    x = x.reshape(n, height // patch, patch, width // patch, patch, colors)
    x = x.permute(0, 1, 3, 2, 4, 5)  # (n, rows, columns, P, P, 3)
    return x.reshape(n, -1, patch * patch * colors)
