"""Dropout, which on a CPU costs as much in PyTorch as the dense layer before it."""

import torch
from torch import nn
from torch.nn import functional

_LEVELS = 1 << 16  # of the number drawn for a value: four come with one step of the generator


class Dropout(nn.Dropout):
    """`drop` as a layer.

    Examples
    --------
    >>> dropped = Dropout(0.5)(torch.ones(1000))
    >>> sorted({float(value) for value in dropped})
    [0.0, 2.0]
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map a tensor to one of its shape; in evaluation to itself."""
        return drop(x, self.p) if self.training else x


def drop(x: torch.Tensor, share: float) -> torch.Tensor:
    """Return a tensor with values dropped at random, to 0, and the others scaled up for them.

    PyTorch's own; on a CPU in about half its time, with a share rounded to 1 / 65536.

    Examples
    --------
    >>> drop(torch.ones(3), 0)
    tensor([1., 1., 1.])
    """
    dropped = round(share * _LEVELS)
    if x.device.type != "cpu" or not 0 < dropped < _LEVELS:
        return functional.dropout(x, share)
    drawn = torch.empty(-(-x.numel() // 4), dtype=torch.int64).random_(-(1 << 63), None)
    levels = drawn.view(torch.int16)[: x.numel()].view(x.shape)  # -2**15 <= level < 2**15
    kept = (levels >= dropped - _LEVELS // 2).to(x.dtype)
    return x * kept.mul_(_LEVELS / (_LEVELS - dropped))
