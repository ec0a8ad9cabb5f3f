"""How a model is trained: every number of a training run that is not in the model."""

import bisect
import math
from dataclasses import dataclass
from typing import Literal

Mining = Literal["hard", "all"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Settings of a training run; the defaults are those of lu2022 and its authors' code.

    Attributes
    ----------
    epochs : int
        Each shows every picture about once.
    batch_classes, batch_pictures : int
        A batch has so many classes, and so many pictures of each.
    learning_rate, weight_decay : float
        Of Adam; the decay is decoupled (AdamW).
    schedule : {"steps", "cosine"}
        After the warm-up: times 0.1 at each milestone, or down to zero along a half cosine.
    warmup : float
        Epochs in which the rate climbs from a tenth.
    milestones : tuple of int
        Epochs, for "steps".
    triplet, margin : float
        Weight of the triplet loss and its margin, lu2022 equation (6).
    mining : {"hard", "all"}
        Which triplets of a batch count, see `losses.triplet`.
    classification : float
        Weight of the cross entropy, lambda in lu2022 equation (9).
    label_smoothing : float
        Of the cross entropy.
    clip_norm : float
        Gradients are scaled down to this length.
    precision : {"float32", "bf16"}
        Of the arithmetic; weights and optimizer stay float32.
    seed : int
        Of weights, batches, dropout and whatever else is drawn.

    Raises
    ------
    ValueError
        If there is nothing to train with, such as batches of one class, or a number is beyond its
        range.
    """

    epochs: int = 70
    batch_classes: int = 10
    batch_pictures: int = 5
    learning_rate: float = 1e-4
    weight_decay: float = 0.0
    schedule: Literal["steps", "cosine"] = "steps"
    warmup: float = 10.0
    milestones: tuple[int, ...] = (40, 60)
    triplet: float = 1.0
    margin: float = 0.3
    mining: Mining = "hard"
    classification: float = 1.0
    label_smoothing: float = 0.0
    clip_norm: float = 10.0
    precision: Literal["float32", "bf16"] = "float32"
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("epochs", 1), ("batch_classes", 2), ("batch_pictures", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} {getattr(self, name)}, expected at least {least}")
        for name in ("learning_rate", "clip_norm"):  # 0 moves no weight
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} {getattr(self, name)}, expected more than 0")
        if not 0 <= self.label_smoothing <= 1:
            raise ValueError(f"label_smoothing {self.label_smoothing}, expected 0 to 1")
        if list(self.milestones) != sorted(self.milestones):
            raise ValueError(f"milestones {list(self.milestones)}, expected rising epochs")

    def rate(self, epoch: float) -> float:
        """Return the learning rate after so many epochs, which need not be whole.

        Examples
        --------
        >>> recipe = Recipe(learning_rate=1.0, warmup=10, milestones=(40, 60))
        >>> [round(recipe.rate(epoch), 3) for epoch in (0, 5, 10, 39.9, 40, 60)]
        [0.1, 0.55, 1.0, 1.0, 0.1, 0.01]
        """
        if epoch < self.warmup:
            return self.learning_rate * (0.1 + 0.9 * epoch / self.warmup)
        if self.schedule == "steps":
            return self.learning_rate * 0.1 ** bisect.bisect(self.milestones, epoch)
        left = self.epochs - self.warmup
        done = (epoch - self.warmup) / left if left > 0 else 1.0
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * done))
