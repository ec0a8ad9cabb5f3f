"""The gMLP of lu2022: patches of the decoded cipher file, mixed by spatial gating units.

Lu, Feng, Li, arXiv 2208.11876, equations (1) to (5), after Liu et al., "Pay attention to MLPs",
2021. No position embedding: the gating matrix has a weight for each pair of positions.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from jpegcrypt.retrieval.batches import Pixels
from jpegcrypt.retrieval.head import Head, Kind
from jpegcrypt.retrieval.models import Network, Output
from jpegcrypt.retrieval.patches import count_patches, normalize, to_patches
from jpegcrypt.retrieval.recipe import Recipe

RECIPE = Recipe(epochs=70, learning_rate=1e-4, warmup=10, milestones=(40, 60), margin=0.3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Sizes of a `Gmlp`; the defaults are the best of lu2022's tables III and IV.

    Attributes
    ----------
    classes : int
    height, width : int
        Of the pictures.
    patch, dimension, hidden, depth, features : int
        P, D, F, L, and the length of the feature.
    head : {"batchnorm", "bnneck", "tanh", "posterior"}
        The paper, Luo et al. 2019, the authors' code.
    gating : {"identity", "linear"}
        How the gating matrix begins: near 0 with bias 1, so that a gate begins open (gMLP paper),
        or as any linear layer (authors' code).
    stochastic_depth : float
        How often training skips the last block; the first never, those between in proportion.
        Below 1; the authors' code has 1, so that the last block never learns and is used all the
        same.
    levels : bool
        Put the level shifts back, which stand in the header of a file; no viewer does.
    """

    classes: int
    height: int = 192
    width: int = 128
    patch: int = 8
    dimension: int = 128
    hidden: int = 256
    depth: int = 12
    features: int = 128
    head: Kind = "batchnorm"
    gating: Literal["identity", "linear"] = "identity"
    stochastic_depth: float = 0.0
    levels: bool = False


class SpatialGatingUnit(nn.Module):
    """s(Z) = Z1 o (W LN(Z2) + b): each channel is gated by a mix of all positions."""

    def __init__(self, channels: int, tokens: int, gating: Literal["identity", "linear"]) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.mix = nn.Conv1d(tokens, tokens, 1)  # W and b, the same for every channel
        if gating == "identity":
            nn.init.uniform_(self.mix.weight, -1e-3 / tokens, 1e-3 / tokens)
            nn.init.ones_(self.mix.bias)  # type: ignore[arg-type]

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        """Gate z (n, tokens, 2 channels) to (n, tokens, channels)."""
        z1, z2 = z.chunk(2, dim=-1)
        gate: torch.Tensor = self.mix(self.norm(z2))
        return z1 * gate


class Block(nn.Module):
    """X + s(GELU(LN(X) U)) V, equations (1) to (3)."""

    def __init__(self, config: Config, tokens: int, skipped: float) -> None:
        super().__init__()
        self.skipped = skipped
        self.norm = nn.LayerNorm(config.dimension)
        self.u = nn.Linear(config.dimension, config.hidden)
        self.gate = SpatialGatingUnit(config.hidden // 2, tokens, config.gating)
        self.v = nn.Linear(config.hidden // 2, config.dimension)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (n, tokens, D) to the same."""
        if self.training and self.skipped and torch.rand(()).item() < self.skipped:
            return x
        z = nn.functional.gelu(self.u(self.norm(x)))  # (n, tokens, F)
        out: torch.Tensor = x + self.v(self.gate(z))
        return out


class Gmlp(Network):
    """Class token and patches, `depth` blocks, and the class token's end as the feature."""

    domain = "pixels"

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        if config.hidden % 2:
            raise ValueError(f"hidden {config.hidden}, expected an even number: it is split in two")
        tokens = 1 + count_patches(config.height, config.width, config.patch)
        last = max(config.depth - 1, 1)
        self.embed = nn.Linear(3 * config.patch**2, config.dimension)  # E
        self.class_token = nn.Parameter(torch.zeros(1, 1, config.dimension))
        self.blocks = nn.Sequential(
            *(
                Block(config, tokens, config.stochastic_depth * i / last)
                for i in range(config.depth)
            )
        )
        self.head = Head(config.dimension, config.features, config.classes, config.head)

    def forward(self, batch: Pixels) -> Output:
        """Map a batch to features and logits."""
        x = to_patches(normalize(batch, levels=self.config.levels), self.config.patch)
        x = self.embed(x)  # (n, N, D)
        x = torch.cat([self.class_token.expand(len(x), -1, -1), x], dim=1)  # (n, 1 + N, D)
        features, logits = self.head(self.blocks(x)[:, 0])
        return features, logits
