"""What training makes small: pictures of a class near each other, and told from other classes."""

import torch
from torch.nn import functional as F

from jpegcrypt.retrieval.recipe import Mining, Recipe


def triplet(
    features: torch.Tensor, labels: torch.Tensor, margin: float, mining: Mining
) -> torch.Tensor:
    """Mean of max(0, d(anchor, positive) - d(anchor, negative) + margin), lu2022 equation (6).

    Euclidean distance, features not normalized. Which triplets of a batch count (Hermans et al.
    2017): "hard", each feature as an anchor once, with the farthest of its class and the nearest of
    any other; or "all" whose term is above zero.

    Parameters
    ----------
    features : float tensor (n, d)
    labels : int tensor (n,)
    margin : float
    mining : {"hard", "all"}

    Examples
    --------
    >>> features, labels = torch.tensor([[0.0], [1.0], [1.5], [4.0]]), torch.tensor([0, 0, 1, 1])
    >>> triplet(features, labels, margin=0.3, mining="hard")
    tensor(0.7750)
    >>> triplet(features, labels, margin=0.3, mining="all")
    tensor(1.4667)
    """
    # Not by way of a product of matrices, as torch does from 26 features on: what that rounds is
    # more than the small distances to which a network may shrink.
    distance = torch.cdist(features, features, compute_mode="donot_use_mm_for_euclid_dist")
    same = labels[:, None] == labels[None, :]
    if mining == "hard":
        positive = distance.masked_fill(~same, 0).amax(dim=1)
        negative = distance.masked_fill(same, torch.inf).amin(dim=1)
        return F.relu(positive - negative + margin).mean()
    positive = distance.masked_fill(~same, -torch.inf).fill_diagonal_(-torch.inf)
    negative = distance.masked_fill(same, torch.inf)
    terms = F.relu(positive[:, :, None] - negative[:, None, :] + margin)
    return terms.sum() / terms.count_nonzero().clamp(min=1)


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
        Its `triplet`, `margin`, `mining`, `classification` and `label_smoothing` count.
    """
    loss = recipe.classification * F.cross_entropy(
        logits, labels, label_smoothing=recipe.label_smoothing
    )
    if recipe.triplet:
        loss = loss + recipe.triplet * triplet(features, labels, recipe.margin, recipe.mining)
    return loss
