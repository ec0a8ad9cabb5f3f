"""From what a network has seen to the feature that is searched and the class that is trained on."""

from typing import Literal

import torch
from torch import nn
from torch.nn import functional as F

Kind = Literal["batchnorm", "bnneck", "tanh", "posterior"]

SHARPNESS = 16.0  # from cosines to logits
SEARCH = 1.5  # times the logits when searching: dropout and smoothed labels train them too soft
DIRECTION = 0.25  # weight of the feature's direction beside the probabilities, "posterior"


class Head(nn.Module):
    """A linear map to the feature f, and one from f to the classes.

    ========= ==================================================== ===================
    kind      feature for search                                   metric loss works on
    ========= ==================================================== ===================
    batchnorm f = BN(W z), lu2022 equation (4)                     f
    bnneck    f = BN(W z), as Luo et al. 2019                      W z, before BN
    tanh      f = tanh(W z), feng2021 equation (8)                 f
    posterior square roots of class probabilities, then f / 4 |f|  f
    ========= ==================================================== ===================

    With "posterior" logits are cosines between f and a direction for each class, and the cosine of
    two searched features is, up to a factor, the Bhattacharyya coefficient of their class
    probabilities plus a sixteenth of the cosine of their f: the first ranks classes that training
    knew, the second still tells apart what it did not.
    """

    def __init__(self, inputs: int, features: int, classes: int, kind: Kind) -> None:
        super().__init__()
        if kind not in ("batchnorm", "bnneck", "tanh", "posterior"):
            raise ValueError(f"head {kind!r}, expected batchnorm, bnneck, tanh or posterior")
        self.kind = kind
        self.project = nn.Linear(inputs, features)
        self.norm = nn.Tanh() if kind == "tanh" else nn.BatchNorm1d(features)
        self.classify = nn.Linear(features, classes, bias=kind != "posterior")

    def forward(self, z: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Map z (n, inputs) to features (n, features) and logits (n, classes).

        A "posterior" that is not training returns features (n, classes + features).
        """
        before = self.project(z)
        f = self.norm(before)
        if self.kind == "bnneck" and self.training:
            return before, self.classify(f)
        if self.kind != "posterior":
            return f, self.classify(f)  # lu2022 (5), feng2021 (9)
        direction = F.normalize(f)
        logits = SHARPNESS * direction @ F.normalize(self.classify.weight).T
        if self.training:
            return f, logits
        return torch.cat(
            [(SEARCH * logits).softmax(1).sqrt(), DIRECTION * direction], dim=1
        ), logits
