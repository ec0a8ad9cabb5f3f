"""A reference beyond the two papers: histograms of magnitudes of coefficients, and an MLP.

After DHAN, Feng et al., Applied Soft Computing 133, 109935, 2023: histograms pass through blocks
that gate their channels (squeeze and excitation), then an MLP, around which the input passes.

Ours: our cipher files, whose blocks are permuted and whose signs are keyed, hence the magnitudes
that the scheme lisitu2019 counts, too; histograms normalized by batch norm; no center loss.

::

    blocks ── magnitudes ──> 17 bins of DC, six of each AC frequency, of each component
           ──> Linear ──> (gate, MLP) x depth ──> head
"""

from dataclasses import dataclass

import torch
from torch import nn

from jpegcrypt.retrieval.batches import Blocks
from jpegcrypt.retrieval.head import Head, Kind
from jpegcrypt.retrieval.models import Network, Output
from jpegcrypt.retrieval.models.block_set import histogram
from jpegcrypt.retrieval.recipe import Recipe

RECIPE = Recipe(
    epochs=50,
    batch_classes=20,
    batch_pictures=10,
    weight_decay=1e-5,
    warmup=0,
    milestones=(),
    margin=0.5,
    label_smoothing=0.1,
)

DC_BINS, DC_WIDTH = 17, 64
AC_EDGES = (1.0, 51.0, 101.0, 151.0, 201.0)
AC_BINS = len(AC_EDGES) + 1
SQUEEZE = 16  # channels over channels within a gate


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Sizes of a `DctHistogram`; the defaults are those of the authors' program.

    Attributes
    ----------
    classes : int
    components : int
        3, or 1 for gray pictures.
    hidden, depth, features : int
    dropout : float
    head : {"bnneck", "batchnorm", "tanh", "posterior"}
    """

    classes: int
    components: int = 3
    hidden: int = 1024
    depth: int = 6
    features: int = 512
    dropout: float = 0.1
    head: Kind = "bnneck"


def magnitude_histograms(coefficients: torch.Tensor, steps: torch.Tensor) -> torch.Tensor:
    """Return histograms of the dequantized magnitudes of a component, each with a sum of 1.

    Parameters
    ----------
    coefficients : int tensor (n, blocks, 64)
        Quantized, zig-zag order.
    steps : float tensor (n, 64)

    Returns
    -------
    float tensor (n, 395)

    Examples
    --------
    >>> found = magnitude_histograms(torch.full((1, 5, 64), -3), torch.ones(1, 64))
    >>> found.shape, found[0, :2].tolist(), found[0, 17:20].tolist()
    (torch.Size([1, 395]), [1.0, 0.0], [0.0, 1.0, 0.0])
    """
    size = coefficients.abs().float() * steps[:, None, :]
    dc = ((size[..., 0] + DC_WIDTH // 2) / DC_WIDTH).long().clamp(max=DC_BINS - 1)
    edges = torch.tensor(AC_EDGES, device=size.device)
    bins = torch.bucketize(size[..., 1:].contiguous(), edges, right=True)
    bins = bins + AC_BINS * torch.arange(63, device=size.device)
    ac = histogram(bins.flatten(1), 63 * AC_BINS) * 63
    return torch.cat([histogram(dc, DC_BINS), ac], dim=1)


class GatedBlock(nn.Module):
    """Squeeze and excitation of the channels, then an MLP; the input passes around both."""

    def __init__(self, hidden: int, dropout: float) -> None:
        super().__init__()
        within = max(1, hidden // SQUEEZE)
        self.norm = nn.LayerNorm(hidden)
        self.gate = nn.Sequential(
            nn.Linear(hidden, within), nn.GELU(), nn.Linear(within, hidden), nn.Sigmoid()
        )
        self.mlp = nn.Sequential(
            nn.Linear(hidden, hidden), nn.GELU(), nn.Dropout(dropout), nn.Linear(hidden, hidden)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (n, hidden) to (n, hidden)."""
        z = self.norm(x)
        out: torch.Tensor = x + self.mlp(z * self.gate(z))
        return out


class DctHistogram(Network):
    """Histograms of all components, gated blocks, and the head."""

    domain = "coefficients"

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        inputs = config.components * (DC_BINS + 63 * AC_BINS)
        self.norm = nn.BatchNorm1d(inputs, affine=False)
        self.embed = nn.Linear(inputs, config.hidden)
        blocks = (GatedBlock(config.hidden, config.dropout) for _ in range(config.depth))
        self.blocks = nn.Sequential(*blocks)
        self.head = Head(config.hidden, config.features, config.classes, config.head)

    def forward(self, batch: Blocks) -> Output:
        """Map `Blocks` to features and logits."""
        parts = [
            magnitude_histograms(
                batch.coefficients[:, batch.component == index], batch.steps[:, index]
            )
            for index in range(self.config.components)
        ]
        x = self.norm(torch.cat(parts, dim=1)).clamp(-5, 5)  # (n, 395 components)
        features, logits = self.head(self.blocks(self.embed(x)))
        return features, logits
