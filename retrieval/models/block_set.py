"""Our model: what a picture's blocks are like, as a set, whatever the key did to them.

The cipher leaves three things of a block of quantized coefficients, and this model looks at nothing
else: magnitudes, since signs are keyed; a coefficient and its transpose as a pair without order,
since a rotated block is transposed; and the blocks of a component as a set, since they are
permuted. Rotations among neighboring frequencies, as the bank givens128 has them, move magnitude a
little and blur what is seen. The header adds the mean of each component, from which DC values
count: a block is as much brighter or darker than that as its DC value is large.

::

    blocks ── magnitudes of pairs, log scale ──> (n, blocks of a component, 64)
      ├── histograms of each frequency, and of pairs of what a block has: DC, energy, direction
      ├── with the mean: histograms of the two levels that a block may have, and its energy
      ├── mean and deviation
      └── learned words: how much of the picture is like each
    means ──> soft histograms: gray, and both chroma components together
    all of these ──> batch norm ──> hidden layer ──> feature ──> classes
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from jpegcrypt.codec.tables import ZIGZAG
from jpegcrypt.retrieval.batches import Blocks, some_blocks
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
BINS = 8  # of a magnitude: 0 to 3, to 15, to 37, 83, 173, 354, 716, above
DIAGONALS = (9, 5, 5)  # Y, Cb, Cr: histograms of frequencies u + v below this, others are near 0
LEVEL_BINS = (8.0, 4.0, 4.0)  # Y, Cb, Cr: width of 32 bins of a block's level around 128
GRAYS = (32.0, 224.0, 16)  # lowest, highest and number of the soft bins of a picture's mean
COLORS = (98.0, 158.0, 11)


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
    levels : bool
        Whether to look at the mean of each component, which the header has.
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
    levels: bool = True
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


def energy(power: torch.Tensor) -> torch.Tensor:
    """Return one of 8 bins for the energy of blocks, on a log scale."""
    return (torch.log2(power / UNIT**2 + 1) / 1.6).long().clamp(max=7)


def count(size: torch.Tensor, diagonals: int) -> torch.Tensor:
    """Return square roots of histograms of a component's `magnitudes` (n, blocks, 64).

    Square roots, because their distance is the one between distributions (Hellinger).
    """
    n = len(size)
    used = np.flatnonzero(diagonals > FREQUENCY)
    bins = (torch.log2(size[..., used] / UNIT + 1) + 0.5).long().clamp(max=BINS - 1)
    place = torch.arange(len(used), device=size.device) * BINS
    each = histogram((bins + place).reshape(n, -1), BINS * len(used)) * len(used)

    dc, power = size[..., 0] / UNIT, size.square()
    ac = power[..., 1:].sum(-1)
    low = power[..., (FREQUENCY > 0) & (FREQUENCY <= 2)].sum(-1)
    along, across = power[..., 1:8].sum(-1), power[..., 36:43].sum(-1)  # (0, u), larger and smaller
    straight = along / (along + across + UNIT**2)
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


def count_levels(size: torch.Tensor, mean: torch.Tensor, width: float) -> torch.Tensor:
    """Return square roots of histograms of what levels blocks may have, alone and with energy.

    The sign of a DC value is keyed, so each block counts twice: above and below the mean.

    Parameters
    ----------
    size : float tensor (n, blocks, 64)
        The `magnitudes` of a component.
    mean : float tensor (n,)
        Its level shift.
    width : float
        Of a bin, in levels.

    Returns
    -------
    float tensor (n, 160)

    Examples
    --------
    >>> size = torch.zeros(1, 1, 64)
    >>> size[..., 0] = 8 * 20  # flat, 20 levels off
    >>> (count_levels(size, torch.tensor([130.0]), 8)[0, :32] ** 2).nonzero().flatten()
    tensor([13, 18])
    """
    deviation = size[..., 0] / UNIT  # (n, blocks)
    level = mean[:, None] + torch.cat([-deviation, deviation], dim=1)
    ac = energy(size[..., 1:].square().sum(-1)).repeat(1, 2)
    place = (level - 128) / width + 16
    fine = place.long().clamp(0, 31)
    return torch.cat([histogram(fine, 32), histogram(fine // 2 * 8 + ac, 128)], dim=1).sqrt()


def soft_bins(values: torch.Tensor, lowest: float, highest: float, bins: int) -> torch.Tensor:
    """Share each of n values between the two nearest bins (n, bins), by distance.

    Examples
    --------
    >>> soft_bins(torch.tensor([2.5, 9.0]), 0, 4, 5)
    tensor([[0.0000, 0.0000, 0.5000, 0.5000, 0.0000],
            [0.0000, 0.0000, 0.0000, 0.0000, 1.0000]])
    """
    place = (values.clamp(lowest, highest) - lowest) / (highest - lowest) * (bins - 1)
    return (1 - (place[:, None] - torch.arange(bins, device=values.device)).abs()).clamp(min=0)


def describe_means(means: torch.Tensor) -> torch.Tensor:
    """Map the means of the components (n, components) to soft histograms (n, 16 or 159)."""
    gray = soft_bins(means[:, 0], *GRAYS)
    if means.shape[1] == 1:
        return gray
    blue, red = soft_bins(means[:, 1], *COLORS), soft_bins(means[:, 2], *COLORS)
    both = blue[:, :, None] * red[:, None, :]
    return torch.cat([gray, blue, red, both.flatten(1)], dim=1)


class ComponentSummary(nn.Module):
    """From the blocks of a component to a vector that their order does not change."""

    def __init__(self, config: Config, index: int) -> None:
        super().__init__()
        self.diagonals = DIAGONALS[index] if config.histograms else 0
        self.width = LEVEL_BINS[index] if config.levels else 0.0
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
        if self.width:
            self.size += 32 + 128

    def forward(
        self, coefficients: torch.Tensor, steps: torch.Tensor, mean: torch.Tensor
    ) -> torch.Tensor:
        """Map blocks (n, blocks, 64), steps (n, 64) and means (n,) to (n, size)."""
        n, blocks, _ = coefficients.shape
        size = magnitudes(coefficients, steps)
        z = torch.log1p(size / UNIT)
        mean_z = z.mean(1)
        variance = (z.square().mean(1) - mean_z.square()).clamp(min=0)  # quicker than std
        parts = [mean_z, variance.sqrt()]
        if self.diagonals:
            parts.append(count(size, self.diagonals))
        if self.width:
            parts.append(count_levels(size, mean, self.width))
        if self.words is not None:
            z = self.scale(z.reshape(-1, 64)).reshape(n, blocks, 64)
            shares = self.words(z).softmax(-1).sum(1) / blocks  # (n, words)
            parts.append((shares.float() + 1e-6).sqrt())
        return torch.cat(parts, dim=1)


class BlockSet(Network):
    """Summaries of all components, one hidden layer, and the head."""

    domain = "coefficients"
    optional = ("words", "chroma_words", "word_layer")

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        components = [ComponentSummary(config, index) for index in range(config.components)]
        inputs = sum(component.size for component in components)
        if config.levels:
            inputs += describe_means(torch.zeros(1, config.components)).shape[1]
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
            if self.training:
                coefficients = some_blocks(coefficients, self.config.keep)
            summaries.append(summary(coefficients, batch.steps[:, index], batch.levels[:, index]))
        if self.config.levels:
            summaries.append(describe_means(batch.levels))
        x = self.norm(torch.cat(summaries, dim=1)).clamp(-5, 5)  # (n, inputs)
        features, logits = self.head(self.hidden(x))
        return features, logits
