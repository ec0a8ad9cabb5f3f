"""From what a network has seen to the feature that is searched and the class that is trained on."""

from typing import Literal

import torch
from torch import nn

Kind = Literal["batchnorm", "bnneck", "tanh"]


class Head(nn.Module):
    """A linear map to the feature f, and one from f to the classes.

    ========= ==================================================== ====================
    kind      feature f for search                                 metric loss works on
    ========= ==================================================== ====================
    batchnorm BN(W z), lu2022 equation (4)                         f
    bnneck    BN(W z), as Luo et al. 2019                          W z, before BN
    tanh      tanh(W z), feng2021 equation (8)                     f
    ========= ==================================================== ====================
    """

    def __init__(self, inputs: int, features: int, classes: int, kind: Kind) -> None:
        super().__init__()
        if kind not in ("batchnorm", "bnneck", "tanh"):
            raise ValueError(f"head {kind!r}, expected batchnorm, bnneck or tanh")
        self.kind = kind
        self.project = nn.Linear(inputs, features)
        self.norm = nn.Tanh() if kind == "tanh" else nn.BatchNorm1d(features)
        self.classify = nn.Linear(features, classes)

    def forward(self, z: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Map z (n, inputs) to features (n, features) and logits (n, classes)."""
        before = self.project(z)
        feature = self.norm(before)
        logits = self.classify(feature)  # lu2022 (5), feng2021 (9)
        return before if self.kind == "bnneck" and self.training else feature, logits
