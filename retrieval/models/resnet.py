"""ResNet50, which feng2021 compares with in its table IV; here from scratch, with the same head.

He et al., "Deep residual learning for image recognition", 2016, with the stride in the 3x3
convolution, as in every implementation today.
"""

from dataclasses import dataclass

import torch
from torch import nn

from jpegcrypt.retrieval.batches import Pixels
from jpegcrypt.retrieval.head import Head, Kind
from jpegcrypt.retrieval.models import Network, Output
from jpegcrypt.retrieval.patches import normalize
from jpegcrypt.retrieval.recipe import Recipe

RECIPE = Recipe(
    epochs=60,
    learning_rate=5e-5,
    weight_decay=1e-5,
    warmup=0,
    milestones=(),
    margin=0.5,
    mining="all",
    classification=0.5,
)

EXPANSION = 4  # channels out of a bottleneck over channels within


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Sizes of a `Resnet`.

    Attributes
    ----------
    classes, features : int
    blocks : tuple of int
        Bottlenecks of each stage; (3, 4, 6, 3) is ResNet50.
    channels : int
        Within the bottlenecks of the first stage; each stage doubles them.
    head : {"batchnorm", "bnneck", "tanh", "posterior"}
    levels : bool
        Put the level shifts back, which stand in the header of a file; no viewer does.
    """

    classes: int
    blocks: tuple[int, ...] = (3, 4, 6, 3)
    channels: int = 64
    features: int = 256
    head: Kind = "tanh"
    levels: bool = False


def convolution(inputs: int, outputs: int, size: int, stride: int = 1) -> nn.Sequential:
    """Return a convolution that keeps the size but for its stride, and the batch norm behind it."""
    conv = nn.Conv2d(inputs, outputs, size, stride, padding=size // 2, bias=False)
    nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
    return nn.Sequential(conv, nn.BatchNorm2d(outputs))


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1, around which the input passes."""

    def __init__(self, inputs: int, channels: int, stride: int) -> None:
        super().__init__()
        outputs = channels * EXPANSION
        self.residual = nn.Sequential(
            convolution(inputs, channels, 1),
            nn.ReLU(),
            convolution(channels, channels, 3, stride),
            nn.ReLU(),
            convolution(channels, outputs, 1),
        )
        same = inputs == outputs and stride == 1
        self.shortcut = nn.Identity() if same else convolution(inputs, outputs, 1, stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (n, inputs, h, w) to (n, 4 channels, h / stride, w / stride)."""
        return nn.functional.relu(self.residual(x) + self.shortcut(x))


class Resnet(Network):
    """Four stages of bottlenecks, their mean over the picture, and the head of `Vit`."""

    domain = "pixels"

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        inputs, stages = config.channels, []
        for i, blocks in enumerate(config.blocks):
            channels = config.channels << i
            for j in range(blocks):
                stages.append(Bottleneck(inputs, channels, 2 if i and not j else 1))
                inputs = channels * EXPANSION
        self.stem = nn.Sequential(
            convolution(3, config.channels, 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, padding=1)
        )
        self.stages = nn.Sequential(*stages)
        self.head = Head(inputs, config.features, config.classes, config.head)

    def forward(self, batch: Pixels) -> Output:
        """Map a batch to features and logits."""
        x = normalize(batch, levels=self.config.levels).permute(0, 3, 1, 2)  # (n, 3, H, W)
        x = self.stages(self.stem(x))  # (n, C, H / 32, W / 32)
        features, logits = self.head(x.mean(dim=(2, 3)))
        return features, logits
