"""How a model is trained: every number of a training run that is not in the model."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Settings of a training run; the defaults are those of lu2022 and its authors' code.

    Attributes
    ----------
    epochs, classes, pictures : int
        A batch has `pictures` of each of `classes`; an epoch shows every picture about once.
    learning_rate, weight_decay : float
        Of Adam; the decay is decoupled (AdamW).
    schedule : {"steps", "cosine"}
        After the warm-up: times 0.1 at each milestone, or down to zero along a half cosine.
    warmup : float
        Epochs in which the rate climbs from a tenth.
    milestones : tuple of int
        Epochs, for "steps".
    metric_loss : {"triplet", "multi_similarity", "proxy_anchor", "supervised_contrastive"}
        What pulls features of a class together.
    margin : float
        Of "triplet", lu2022 equation (6).
    classification : float
        Weight of the cross entropy beside the metric loss, lambda in lu2022 equation (9).
    label_smoothing : float
        Of the cross entropy.
    clip_norm : float
        Gradients are scaled down to this length.
    precision : {"float32", "bf16"}
        Of the arithmetic; weights and optimizer stay float32.
    seed : int
        Of weights, batches, dropout and whatever else is drawn.
    """

    epochs: int = 70
    classes: int = 10
    pictures: int = 5
    learning_rate: float = 1e-4
    weight_decay: float = 0.0
    schedule: Literal["steps", "cosine"] = "steps"
    warmup: float = 10.0
    milestones: tuple[int, ...] = (40, 60)
    metric_loss: Literal["triplet"] = "triplet"
    margin: float = 0.3
    classification: float = 1.0
    label_smoothing: float = 0.0
    clip_norm: float = 10.0
    precision: Literal["float32", "bf16"] = "float32"
    seed: int = 0
