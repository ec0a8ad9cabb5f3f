"""The pre-norm transformer encoder that models with tokens share."""

from typing import Any

import torch
from torch import nn
from torch.nn import functional

from jpegcrypt.retrieval.dropout import Dropout, drop


def encoder(
    dimension: int,
    *,
    heads: int,
    mlp: int,
    depth: int,
    dropout: float,
    attention_dropout: float,
) -> nn.TransformerEncoder:
    """Return layers that map (n, tokens, dimension) to the same, each with weights of its own.

    Parameters
    ----------
    dimension, heads, mlp, depth : int
    dropout : float
        Behind every dense layer but those of queries, keys and values.
    attention_dropout : float
        Of the weights of the attention.

    Raises
    ------
    ValueError
        If the heads cannot share the dimension equally.

    Examples
    --------
    >>> len(encoder(32, heads=2, mlp=64, depth=3, dropout=0.1, attention_dropout=0).layers)
    3
    """
    if heads < 1 or dimension % heads:
        raise ValueError(f"{heads} heads, expected a divisor of the dimension {dimension}")
    layer = nn.TransformerEncoderLayer(
        dimension, heads, mlp, dropout, activation="gelu", batch_first=True, norm_first=True
    )
    with torch.random.fork_rng(devices=[]):  # all weights are drawn below
        layer.self_attn = Attention(dimension, heads, attention_dropout, batch_first=True)
    layer.dropout, layer.dropout1, layer.dropout2 = (Dropout(dropout) for _ in range(3))
    layers = nn.TransformerEncoder(layer, depth, enable_nested_tensor=False)
    for one in layers.layers:  # they come as copies of the first
        for parameter in one.parameters():
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)
    return layers


_WEIGHTS = 1 << 26  # of a layer, at 2 or 4 bytes


class Attention(nn.MultiheadAttention):
    """PyTorch's among the tokens of a picture; where a CPU trains, by products of matrices.

    PyTorch's fused kernel is slow there on its way back. It takes over where the weights of the
    attention, which are held until then, would take too much memory.
    """

    def forward(self, *inputs: Any, **options: Any) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Map three times the same (n, tokens, dimension) to one; without masks."""
        x = inputs[0]
        n, tokens, dimension = x.shape
        held = n * self.num_heads * tokens**2
        if x.device.type != "cpu" or not self.training or held > _WEIGHTS:
            return super().forward(*inputs, **options)
        joint = functional.linear(x, self.in_proj_weight, self.in_proj_bias)
        parts = joint.view(n, tokens, 3, self.num_heads, self.head_dim).permute(2, 0, 3, 1, 4)
        q, k, v = parts.unbind()  # each (n, heads, tokens, dimension / heads)
        weights = (q * self.head_dim**-0.5 @ k.mT).softmax(-1)  # (n, heads, tokens, tokens)
        mixed = drop(weights, self.dropout) @ v
        return self.out_proj(mixed.transpose(1, 2).reshape(n, tokens, dimension)), None
