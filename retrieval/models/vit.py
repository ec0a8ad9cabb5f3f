"""The vision transformer of feng2021, with the sizes that the paper leaves open chosen by us.

Feng, Li, Lu, Liu, Huang, "End-to-end learning for encrypted image retrieval", APSIPA 2021, after
Dosovitskiy et al. 2020. Trained from scratch: nothing says that theirs was not. Nor is it said
which triplets of a batch count. With the hardest ones alone, as in lu2022, all features went to one
corner of the tanh, and the loss to margin + ln(classes), that of knowing nothing. Its weight decay
is decoupled here, which at 1e-5 is next to none; theirs may be a part of the gradient.
"""

from dataclasses import dataclass

import torch
from torch import nn

from jpegcrypt.retrieval.batches import Pixels
from jpegcrypt.retrieval.dropout import Dropout
from jpegcrypt.retrieval.encoder import encoder
from jpegcrypt.retrieval.head import Head, Kind
from jpegcrypt.retrieval.models import Network, Output
from jpegcrypt.retrieval.patches import count_patches, normalize, to_patches
from jpegcrypt.retrieval.recipe import Recipe

RECIPE = Recipe(
    epochs=60,
    learning_rate=5e-5,
    weight_decay=1e-5,
    warmup=0,
    milestones=(),
    margin=0.5,
    mining="all",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Sizes of a `Vit`.

    Attributes
    ----------
    classes : int
    height, width : int
        Of the pictures.
    patch : int
        P; the paper has 8 and 16, the sizes of its cipher's blocks.
    dimension, heads, mlp, depth, features : int
        Not stated in the paper.
    dropout : float
        As in Dosovitskiy et al., appendix B.1: none within the attention.
    head : {"batchnorm", "bnneck", "tanh", "posterior"}
        The paper has "tanh".
    levels : bool
        Put the level shifts back, which stand in the header of a file; no viewer does.
    """

    classes: int
    height: int = 192
    width: int = 128
    patch: int = 8
    dimension: int = 384
    heads: int = 6
    mlp: int = 1536
    depth: int = 8
    features: int = 256
    dropout: float = 0.1
    head: Kind = "tanh"
    levels: bool = False


class Vit(Network):
    """Class token, patches with their positions, pre-norm encoder: equations (6) to (9)."""

    domain = "pixels"

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        tokens = 1 + count_patches(config.height, config.width, config.patch)
        self.embed = nn.Linear(3 * config.patch**2, config.dimension)
        self.class_token = nn.Parameter(torch.zeros(1, 1, config.dimension))
        self.positions = nn.Parameter(torch.empty(1, tokens, config.dimension))
        nn.init.trunc_normal_(self.positions, std=0.02)
        self.dropout = Dropout(config.dropout)
        self.encoder = encoder(
            config.dimension,
            heads=config.heads,
            mlp=config.mlp,
            depth=config.depth,
            dropout=config.dropout,
            attention_dropout=0.0,
        )
        self.norm = nn.LayerNorm(config.dimension)
        self.head = Head(config.dimension, config.features, config.classes, config.head)

    def forward(self, batch: Pixels) -> Output:
        """Map a batch to features and logits."""
        x = to_patches(normalize(batch, levels=self.config.levels), self.config.patch)
        x = self.embed(x)  # (n, N, D)
        x = torch.cat([self.class_token.expand(len(x), -1, -1), x], dim=1) + self.positions
        x = self.encoder(self.dropout(x))  # (n, 1 + N, D)
        features, logits = self.head(self.norm(x[:, 0]))
        return features, logits
