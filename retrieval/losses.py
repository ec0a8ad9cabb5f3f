"""What training makes small: pictures of a class near each other, and told from other classes."""

import torch
from torch.nn import functional as F

from jpegcrypt.retrieval.recipe import Recipe


def batch_hard_triplet(features: torch.Tensor, labels: torch.Tensor, margin: float) -> torch.Tensor:
    """Mean of max(0, d(anchor, positive) - d(anchor, negative) + margin), lu2022 equation (6).

    Each feature is an anchor once, with the farthest of its class and the nearest of any other in
    the batch (Hermans et al. 2017); Euclidean distance, features not normalized.

    Parameters
    ----------
    features : float tensor (n, d)
    labels : int tensor (n,)
    margin : float

    Examples
    --------
    >>> features = torch.tensor([[0.0], [1.0], [1.5], [4.0]])
    >>> batch_hard_triplet(features, torch.tensor([0, 0, 1, 1]), margin=0.3)
    tensor(0.7750)
    """
    distance = torch.cdist(features, features)
    same = labels[:, None] == labels[None, :]
    positive = distance.masked_fill(~same, 0).amax(dim=1)
    negative = distance.masked_fill(same, torch.inf).amin(dim=1)
    return F.relu(positive - negative + margin).mean()


def total_loss(
    features: torch.Tensor, logits: torch.Tensor, labels: torch.Tensor, recipe: Recipe
) -> torch.Tensor:
    """Triplet loss plus weighted cross entropy, lu2022 equations (7) to (9).

    Parameters
    ----------
    features : float tensor (n, d)
    logits : float tensor (n, classes)
    labels : int tensor (n,)
    recipe : Recipe
        Its `metric`, `margin`, `classification` and `label_smoothing` count.
    """
    loss = recipe.classification * F.cross_entropy(
        logits, labels, label_smoothing=recipe.label_smoothing
    )
    if recipe.triplet:
        loss = loss + recipe.triplet * batch_hard_triplet(features, labels, recipe.margin)
    return loss
