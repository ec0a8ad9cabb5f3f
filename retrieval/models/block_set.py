"""Our model: what a picture's blocks are like, as a set, whatever the key did to them.

The cipher leaves three things of a block of quantized coefficients, and this model looks at nothing
else: magnitudes, since signs are keyed; a coefficient and its transpose as a pair without order,
since a rotated block is transposed; and the blocks of a component as a set, since they are
permuted. Rotations among neighboring frequencies, as the bank givens128 has them, move magnitude a
little and blur what is seen.

::

    blocks ── magnitudes of pairs, log scale ──> (n, blocks of a component, 64)
      ├── histograms of each frequency, and of pairs of what a block has: DC, energy, direction
      ├── mean and deviation
      └── learned words: how much of the picture is like each
    all components ──> batch norm ──> hidden layer ──> feature ──> classes
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from jpegcrypt.codec.tables import ZIGZAG
from jpegcrypt.retrieval.batches import Blocks
from jpegcrypt.retrieval.head import Head, Kind
from jpegcrypt.retrieval.models import Network, Output
from jpegcrypt.retrieval.recipe import Recipe

RECIPE = Recipe(
    epochs=30,
    batch_pictures=10,
    learning_rate=3e-3,
    weight_decay=0.05,
    schedule="cosine",
    warmup=3,
    triplet=0.0,
    label_smoothing=0.1,
)

ORDER = np.argsort(ZIGZAG).reshape(8, 8)  # place in zig-zag order of (v, u)
LOW, HIGH = np.triu_indices(8)  # pairs of frequencies, 36 of them
OFF_DIAGONAL = LOW != HIGH  # 28 are two different ones
FREQUENCY = np.concatenate([LOW + HIGH, (LOW + HIGH)[OFF_DIAGONAL]])  # u + v of the 64 magnitudes
UNIT = 8.0  # a DC of 8 is a mean one level off gray
LEVELS = (4.0, 12.0, 24.0, 48.0, 96.0, 192.0, 384.0)  # between the bins of a magnitude
BINS = len(LEVELS) + 1
DIAGONALS = (9, 5, 5)  # Y, Cb, Cr: histograms of frequencies u + v below this, others are near 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Sizes of a `BlockSet`.

    Attributes
    ----------
    classes : int
    components : int
        3, or 1 for gray pictures.
    histograms : bool
        Whether to count magnitudes and pairs.
    words, chroma_words : int
        Learned kinds of blocks of Y and of each other component; 0 for none.
    word_layer : int
        Width of the layer in front of the words; 0 for none.
    hidden, features : int
    keep : float
        Part of the blocks that a training step looks at, drawn anew for each.
    input_dropout, dropout : float
    head : {"posterior", "batchnorm", "bnneck", "tanh"}
    """

    classes: int
    components: int = 3
    histograms: bool = True
    words: int = 256
    chroma_words: int = 96
    word_layer: int = 0
    hidden: int = 512
    features: int = 256
    keep: float = 0.5
    input_dropout: float = 0.3
    dropout: float = 0.5
    head: Kind = "posterior"


def magnitudes(coefficients: torch.Tensor, steps: torch.Tensor) -> torch.Tensor:
    """Return what neither signs nor transposition change.

    Parameters
    ----------
    coefficients : int tensor (n, blocks, 64)
        Quantized, zig-zag order.
    steps : float tensor (n, 64)
        Their quantization steps.

    Returns
    -------
    float tensor (n, blocks, 64)
        Dequantized: the larger of |c[v, u]| and |c[u, v]| for the 36 pairs v <= u, then the smaller
        for the 28 with v < u.

    Examples
    --------
    >>> block = torch.randint(-9, 10, (1, 1, 8, 8))
    >>> def zigzag(block):
    ...     return block.reshape(1, 1, 64)[..., ZIGZAG]
    >>> one = torch.ones(1, 64)
    >>> turned = magnitudes(zigzag(-block.transpose(2, 3)), one)
    >>> bool((magnitudes(zigzag(block), one) == turned).all())
    True
    """
    size = coefficients.abs().float() * steps[:, None, :]
    below, above = size[..., ORDER[HIGH, LOW]], size[..., ORDER[LOW, HIGH]]
    smaller = torch.minimum(below, above)[..., OFF_DIAGONAL]
    return torch.cat([torch.maximum(below, above), smaller], dim=-1)


def histogram(bins: torch.Tensor, size: int) -> torch.Tensor:
    """Count integers (n, m) into (n, size), as parts of m."""
    ones = torch.ones((), device=bins.device).expand(bins.shape)
    counts = torch.zeros(len(bins), size, device=bins.device)
    return counts.scatter_add_(1, bins, ones) / bins.shape[1]


def count(size: torch.Tensor, diagonals: int) -> torch.Tensor:
    """Return square roots of histograms of a component's `magnitudes` (n, blocks, 64).

    Square roots, because their distance is the one between distributions (Hellinger).
    """
    n = len(size)
    used = np.flatnonzero(diagonals > FREQUENCY)
    level = torch.bucketize(size[..., used], torch.tensor(LEVELS, device=size.device))
    place = torch.arange(len(used), device=size.device) * BINS
    each = histogram((level + place).reshape(n, -1), BINS * len(used)) * len(used)

    dc, power = size[..., 0] / UNIT, size.square()
    ac = power[..., 1:].sum(-1)
    low = power[..., (FREQUENCY > 0) & (FREQUENCY <= 2)].sum(-1)
    along, across = power[..., 1:8].sum(-1), power[..., 36:43].sum(-1)  # (0, u), larger and smaller
    straight = along / (along + across + UNIT**2)

    def energy(power: torch.Tensor) -> torch.Tensor:
        return (torch.log2(power / UNIT**2 + 1) / 1.6).long().clamp(max=7)

    mean = (dc / 8).long().clamp(max=15)
    direction = ((straight - 0.4) * 13).long().clamp(0, 7)
    return torch.cat(
        [
            each,
            histogram((dc / 4).long().clamp(max=31), 32),
            histogram(mean * 8 + energy(ac), 128),
            histogram(energy(low) * 8 + energy((ac - low).clamp(min=0)), 64),
            histogram(direction * 8 + energy(ac), 64),
        ],
        dim=1,
    ).sqrt()


class ComponentSummary(nn.Module):
    """From the blocks of a component to a vector that their order does not change."""

    def __init__(self, config: Config, index: int) -> None:
        super().__init__()
        self.diagonals = DIAGONALS[index] if config.histograms else 0
        words = config.chroma_words if index else config.words
        self.scale = nn.BatchNorm1d(64, affine=False)
        self.words: nn.Module | None = None
        if words:
            layer = config.word_layer
            before = [nn.Linear(64, layer), nn.GELU()] if layer else []
            self.words = nn.Sequential(*before, nn.Linear(layer or 64, words))
        self.size = 2 * 64 + words
        if self.diagonals:
            self.size += BINS * int(np.sum(self.diagonals > FREQUENCY)) + 32 + 128 + 64 + 64

    def forward(self, coefficients: torch.Tensor, steps: torch.Tensor) -> torch.Tensor:
        """Map blocks (n, blocks, 64) and steps (n, 64) to (n, size)."""
        n, blocks, _ = coefficients.shape
        size = magnitudes(coefficients, steps)
        z = torch.log1p(size / UNIT)
        parts = [z.mean(1), z.std(1, correction=0)]
        if self.diagonals:
            parts.append(count(size, self.diagonals))
        if self.words is not None:
            z = self.scale(z.reshape(-1, 64)).reshape(n, blocks, 64)
            shares = self.words(z).softmax(-1).mean(1)  # (n, words)
            parts.append((shares.float() + 1e-6).sqrt())
        return torch.cat(parts, dim=1)


class BlockSet(Network):
    """Summaries of all components, one hidden layer, and the head."""

    domain = "coefficients"

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        components = [ComponentSummary(config, index) for index in range(config.components)]
        inputs = sum(component.size for component in components)
        self.components = nn.ModuleList(components)
        self.norm = nn.BatchNorm1d(inputs, affine=False)
        self.hidden = nn.Sequential(
            nn.Dropout(config.input_dropout),
            nn.Linear(inputs, config.hidden),
            nn.BatchNorm1d(config.hidden),
            nn.GELU(),
            nn.Dropout(config.dropout),
        )
        self.head = Head(config.hidden, config.features, config.classes, config.head)

    def forward(self, batch: Blocks) -> Output:
        """Map `Blocks` to features and logits."""
        summaries = []
        for index, summary in enumerate(self.components):
            coefficients = batch.coefficients[:, batch.component == index]
            if self.training and self.config.keep < 1:
                blocks = coefficients.shape[1]
                kept = max(1, round(blocks * self.config.keep))
                coefficients = coefficients[:, torch.randperm(blocks)[:kept]]
            summaries.append(summary(coefficients, batch.steps[:, index]))
        x = self.norm(torch.cat(summaries, dim=1)).clamp(-5, 5)  # (n, inputs)
        features, logits = self.head(self.hidden(x))
        return features, logits
