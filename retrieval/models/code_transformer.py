"""A reference beyond the two papers: lengths of codes, and counts of Huffman codes.

After EViT, Feng et al., arXiv 2208.14657, 2022: a token for each block, made of how many bits each
coefficient takes; the class token is made of how often each Huffman code occurs in the file.

Ours: our cipher files, with subsampled chroma, hence a token for each block of each component; no
positions, as blocks are permuted; the length of a DC value instead of its difference, which tells
little once blocks are permuted; a training step looks at a part of the blocks; trained with the
losses of the other models and no contrastive stage; smaller, to train without an accelerator.
"""

from dataclasses import dataclass

import torch
from torch import nn

from jpegcrypt.retrieval.batches import Blocks, some_blocks
from jpegcrypt.retrieval.encoder import encoder
from jpegcrypt.retrieval.head import Head, Kind
from jpegcrypt.retrieval.models import Network, Output
from jpegcrypt.retrieval.recipe import Recipe

RECIPE = Recipe(
    epochs=40,
    learning_rate=5e-4,
    weight_decay=0.01,
    schedule="cosine",
    warmup=3,
    label_smoothing=0.1,
)

LONGEST = 11  # bits of a DC value
ZRL, EOB = 0xF0, 0x00
AC_CODES = [EOB, ZRL, *(run << 4 | size for run in range(16) for size in range(1, 11))]


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Sizes of a `CodeTransformer`; EViT has dimension 256, 8 heads, mlp 2048, depth 6.

    Attributes
    ----------
    classes : int
    components : int
        3, or 1 for gray pictures.
    dimension, heads, mlp, depth, features : int
    keep : float
        Part of the blocks that a training step looks at, drawn anew for each.
    dropout : float
    head : {"batchnorm", "bnneck", "tanh", "posterior"}
    """

    classes: int
    components: int = 3
    dimension: int = 128
    heads: int = 4
    mlp: int = 512
    depth: int = 4
    features: int = 128
    keep: float = 0.25
    dropout: float = 0.1
    head: Kind = "batchnorm"


def lengths(coefficients: torch.Tensor) -> torch.Tensor:
    """Return the category of each coefficient, the bits that its magnitude takes (T.81 F.1.2.1).

    Examples
    --------
    >>> lengths(torch.tensor([0, 1, -1, 2, -3, 1023])).tolist()
    [0, 1, 1, 2, 2, 10]
    """
    return torch.frexp(coefficients.abs().float()).exponent.long()


def code_counts(coefficients: torch.Tensor) -> torch.Tensor:
    """Count the categories of DC values and the AC codes of a component, each with a sum of 1.

    Parameters
    ----------
    coefficients : int tensor (n, blocks, 64)
        Zig-zag order.

    Returns
    -------
    float tensor (n, 174)
        12 categories; then EOB, ZRL, and run/size of each of the other 160 codes.
    """
    n = len(coefficients)
    size = lengths(coefficients)
    place = torch.arange(64, device=size.device)
    coded = (size > 0) & (place > 0)
    last = torch.where(coded, place, 0).cummax(dim=-1).values
    run = place[1:] - last[..., :-1] - 1  # zeros in front of each AC coefficient, (n, blocks, 63)
    coded = coded[..., 1:]
    symbol = (run % 16 << 4 | size[..., 1:]).flatten(1)
    ac = torch.zeros(n, 256, device=size.device).scatter_add_(1, symbol, coded.flatten(1).float())
    ac[:, ZRL] += (run // 16 * coded).sum(dim=(1, 2))
    ac[:, EOB] += (size[..., 63] == 0).sum(dim=1)
    ac = ac[:, AC_CODES]
    dc = nn.functional.one_hot(size[..., 0].clamp(max=LONGEST), LONGEST + 1).sum(1).float()
    return torch.cat([counts / counts.sum(1, keepdim=True) for counts in (dc, ac)], dim=1)


class CodeTransformer(Network):
    """Class token of counts, tokens of lengths, pre-norm encoder, and the head."""

    domain = "coefficients"

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        counts = config.components * (LONGEST + 1 + len(AC_CODES))
        self.norm_counts = nn.BatchNorm1d(counts, affine=False)
        self.embed_counts = nn.Linear(counts, config.dimension)
        self.embed = nn.ModuleList(
            nn.Linear(64, config.dimension) for _ in range(config.components)
        )
        self.encoder = encoder(
            config.dimension,
            heads=config.heads,
            mlp=config.mlp,
            depth=config.depth,
            dropout=config.dropout,
            attention_dropout=config.dropout,
        )
        self.norm = nn.LayerNorm(config.dimension)
        self.head = Head(config.dimension, config.features, config.classes, config.head)

    def forward(self, batch: Blocks) -> Output:
        """Map `Blocks` to features and logits."""
        counts, tokens = [], []
        for index, embed in enumerate(self.embed):
            coefficients = batch.coefficients[:, batch.component == index]
            counts.append(code_counts(coefficients))
            if self.training:
                coefficients = some_blocks(coefficients, self.config.keep)
            tokens.append(embed(lengths(coefficients) / 4))  # (n, blocks, D)
        whole = self.norm_counts(torch.cat(counts, dim=1)).clamp(-5, 5)
        x = torch.cat([self.embed_counts(whole)[:, None], *tokens], dim=1)
        x = self.encoder(x)  # (n, 1 + blocks, D)
        features, logits = self.head(self.norm(x[:, 0]))
        return features, logits
