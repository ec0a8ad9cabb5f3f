"""The pre-norm transformer encoder that models with tokens share."""

from torch import nn


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
        Of the weights of the attention. With 0 they are never held in memory.

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
    layers = nn.TransformerEncoder(layer, depth, enable_nested_tensor=False)
    for one in layers.layers:  # they come as copies of the first
        one.self_attn.dropout = attention_dropout
        for parameter in one.parameters():
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)
    return layers
