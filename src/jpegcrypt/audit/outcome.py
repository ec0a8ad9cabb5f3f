"""What an attack reports: numbers beside what chance gives, and pictures to look at."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from jpegcrypt.audit.target import Pixels, Target

ATTACKED = 5  # pictures that attacks on one file are made on, each by itself
WORKS, PARTLY = 0.5, 0.1  # of the way from chance to a perfect result


@dataclass(frozen=True, slots=True)
class Measure:
    """One number of an attack.

    Attributes
    ----------
    name, unit : str
        What is measured; "share", "dB", "bits", ...
    value : float
    chance : float or None
        What an attacker gets who guesses. None where guessing has no meaning.
    perfect : float or None
        What a complete break gives.
    low, high : float or None
        Range of the value, where it is the mean over several pictures.
    """

    name: str
    value: float
    chance: float | None = None
    perfect: float | None = None
    unit: str = "share"
    low: float | None = None
    high: float | None = None

    @property
    def success(self) -> float:
        """How far from chance (0) to perfect (1), never outside; NaN where one is missing."""
        if self.chance is None or self.perfect is None:
            return float("nan")
        span = self.perfect - self.chance
        return float(np.clip((self.value - self.chance) / span, 0, 1)) if span else 0.0


@dataclass(frozen=True, slots=True)
class Panel:
    """A picture for the report, uint8 (H, W) or (H, W, 3), with what it shows."""

    label: str
    picture: Pixels = field(repr=False)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one attack on one configuration came to.

    Attributes
    ----------
    attack : str
        Name of its module.
    attacker : str
        What the attacker has.
    measures : sequence of Measure
        The first one decides.
    panels : sequence of Panel
    is_bound : bool
        The attacker was given something that the scheme hides, such as the permutation: this tells
        what a part of the scheme protects alone, and is no attack on the whole.
    """

    attack: str
    attacker: str
    measures: Sequence[Measure]
    panels: Sequence[Panel] = field(default=(), repr=False)
    is_bound: bool = False

    @property
    def verdict(self) -> str:
        """Whether the first measure lies nearer to a break or to chance.

        Examples
        --------
        >>> Outcome("guess", "nothing", [Measure("hits", 0.5, chance=0.5, perfect=1)]).verdict
        'fails'
        """
        success = self.measures[0].success
        if np.isnan(success):
            return "no verdict"
        return "works" if success >= WORKS else "partly" if success >= PARTLY else "fails"


def mean(measures: Sequence[Measure]) -> Measure:
    """Return the mean of a measure over pictures, with its range.

    Examples
    --------
    >>> found = mean([Measure("hits", value, chance=0, perfect=1) for value in (0.25, 0.75)])
    >>> found.value, found.low, found.high
    (0.5, 0.25, 0.75)
    """
    first, values = measures[0], [one.value for one in measures]
    if len(values) == 1:
        return first
    chances = [one.chance for one in measures if one.chance is not None]
    return replace(
        first,
        value=float(np.mean(values)),
        chance=float(np.mean(chances)) if chances else None,
        low=min(values),
        high=max(values),
    )


def over_pictures(found: Sequence[Sequence[Outcome]]) -> list[Outcome]:
    """Return the outcomes that each picture has, with the mean of each measure.

    Parameters
    ----------
    found : sequence of sequence of Outcome
        Of each picture, the same attacks in the same order. Panels are those of the first.
    """
    return [
        replace(
            outcomes[0],
            measures=[mean(one) for one in zip(*(o.measures for o in outcomes), strict=True)],
        )
        for outcomes in zip(*found, strict=True)
    ]


class Attack(Protocol):
    """An attack as `report` runs it: what its module calls ``run``."""

    def __call__(self, target: Target, pictures: Sequence[Pixels]) -> Sequence[Outcome]:
        """Attack files that the target makes of these pictures.

        Parameters
        ----------
        target : Target
        pictures : sequence of uint8 array
            At least two, all of one size.
        """
