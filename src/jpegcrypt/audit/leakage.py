"""Tables of what leaks: distances, leak ratios, and how often a picture is found again.

For each feature of `histograms`:

* *distance* of an encrypted file from its own plain file, as Table I of Lu et al. (2022), on raw
  counts and on counts that sum to one. Not zero is necessary, and says little;
* *leak ratio*: that distance over the mean distance of two different plain files, again on raw
  counts and on counts that sum to one. At 1 the encrypted file tells no more about its own picture
  than about another;
* *re-identification*: how often the nearest of N candidates is the right one. The naive attacker
  compares with the plain files of the candidates; the other one, after Kerckhoffs, encrypts them
  with a key of his own. Chance is 1 in N; ties count as a draw.

Our own files say more in clear than these features see, and have rows for it: the level shifts, and
the magnitudes of what each block took along for its DC value (`audit.dc`), which anybody works out
for the plain file of a candidate as well.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import cdist, pdist
from scipy.stats import binom, binomtest

from jpegcrypt.audit import dc
from jpegcrypt.audit.histograms import FEATURES, Feature, components, magnitudes
from jpegcrypt.audit.outcome import Measure, Outcome
from jpegcrypt.audit.target import ATTACKER, Lu2022, Pixels, Target
from jpegcrypt.codec.coefficients import Coefficients, read_coefficients

Described = Mapping[str, Feature]  # a file by its features

FILE_SIZE = "file size"
SHOWN = 5  # features that the attack names
CARRIED, LEVELS = "|DC carried|", "level shifts"
COUNTS = {*FEATURES, CARRIED} - {"block energies"}  # the features that are histograms


@dataclass(frozen=True, slots=True)
class Rate:
    """A share of n trials, with its 95 % confidence interval (Wilson)."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Row:
    """What one feature gives away. The rates are those of the normalized feature.

    Attributes
    ----------
    raw, normalized : float
        Mean distance of an encrypted file from its own plain file.
    smallest, largest : float
        Of the raw distances.
    zero : int
        Files at distance 0: nothing of this feature is hidden.
    raw_between, between : float
        Mean distance of two different plain files, raw and normalized.
    raw_leak_ratio, leak_ratio : float
        ``raw / raw_between`` and ``normalized / between``.
    naive, own_key : Rate
        Re-identification.
    """

    feature: str
    raw: float
    normalized: float
    smallest: float
    largest: float
    zero: int
    raw_between: float
    raw_leak_ratio: float
    between: float
    leak_ratio: float
    naive: Rate
    own_key: Rate


def measure(
    target: Target, pictures: Sequence[Pixels], *, tick: Callable[[], object] = lambda: None
) -> list[Row]:
    """Return the leakage table of a scheme on at least two pictures; `tick` is called for each."""
    plain, cipher, own = [], [], []
    for serial, picture in enumerate(pictures):
        plain.append(describe_plain(target, target.encode(picture)))
        cipher.append(describe_encrypted(target, target.encrypt(picture, serial)))
        own.append(describe_encrypted(target, target.encrypt(picture, serial, key=ATTACKER)))
        tick()
    return table(plain, cipher, own)


def describe(c: Coefficients) -> dict[str, Feature]:
    """Return all features of coefficients."""
    return {name: feature(c) for name, feature in FEATURES.items()}


def describe_encrypted(target: Target, data: bytes) -> dict[str, Feature]:
    """Return all features of an encrypted file, as anyone reads them off."""
    found = describe(read_coefficients(data)) | _length(data)
    if isinstance(target, Lu2022):
        carried = [blocks[:, :, 0, 0] for blocks in components(target.coefficients(data))]
        found |= _said(carried, target.levels(data))
    return found


def describe_plain(target: Target, data: bytes) -> dict[str, Feature]:
    """Return the same features of a plain file: what encryption would make of it needs no key."""
    c = read_coefficients(data)
    found = describe(c) | _length(data)
    if isinstance(target, Lu2022):
        means = dc.means(c)
        found |= _said(target.travelling(c, [round(mean) for mean in means]), means)
    return found


def _length(data: bytes) -> dict[str, Feature]:
    return {FILE_SIZE: np.array([len(data)], np.float64)}


def _said(
    carried: Sequence[npt.NDArray[np.integer]], levels: Sequence[float]
) -> dict[str, Feature]:
    return {CARRIED: magnitudes(carried), LEVELS: np.array(levels, np.float64)}


def table(
    plain: Sequence[Described], cipher: Sequence[Described], own: Sequence[Described]
) -> list[Row]:
    """Compare plain files, their encrypted ones, and those of the attacker's own key.

    Examples
    --------
    >>> files = [{"DCC": np.array([1.0, 0.0])}, {"DCC": np.array([0.0, 1.0])}]
    >>> row = table(files, files, files)[0]
    >>> row.raw, row.zero, row.leak_ratio, row.naive.value
    (0.0, 2, 0.0, 1.0)
    """
    return [
        _row(name, *(_stack(files, name) for files in (plain, cipher, own))) for name in plain[0]
    ]


def _row(
    name: str,
    plain: npt.NDArray[np.float64],
    cipher: npt.NDArray[np.float64],
    own: npt.NDArray[np.float64],
) -> Row:
    raw = np.linalg.norm(plain - cipher, axis=1)
    raw_between = mean_distance(plain)
    if name in COUNTS:
        plain, cipher, own = (
            a / np.maximum(a.sum(1, keepdims=True), 1) for a in (plain, cipher, own)
        )
    normalized = float(np.linalg.norm(plain - cipher, axis=1).mean())
    between = mean_distance(plain)
    return Row(
        feature=name,
        raw=float(raw.mean()),
        normalized=normalized,
        smallest=float(raw.min()),
        largest=float(raw.max()),
        zero=int((raw == 0).sum()),
        raw_between=raw_between,
        raw_leak_ratio=float(raw.mean()) / raw_between if raw_between else float("nan"),
        between=between,
        leak_ratio=normalized / between if between else float("nan"),
        naive=reidentification(cdist(cipher, plain)),
        own_key=reidentification(cdist(cipher, own)),
    )


def mean_distance(features: npt.NDArray[np.float64]) -> float:
    """Return the mean distance of two different rows.

    Examples
    --------
    >>> mean_distance(np.array([[0.0], [1.0], [3.0]]))
    2.0
    """
    return float(pdist(features).mean())


def reidentification(distances: npt.NDArray[np.float64]) -> Rate:
    """Return how often row i is nearest to column i; a tie of k columns counts 1/k.

    Examples
    --------
    >>> reidentification(np.eye(4) == 0).value, reidentification(np.ones((4, 4))).value
    (1.0, 0.25)
    """
    nearest = distances <= distances.min(1, keepdims=True)
    return rate(float((np.diag(nearest) / nearest.sum(1)).sum()), len(distances))


def reidentified(rows: Sequence[Row], n: int) -> Outcome:
    """Return the table as an attack: a list of candidates, and a key of the attacker's own.

    Chance is what the best of so many features finds, were each no more than a guess of its own.
    """
    hits = np.arange(n)
    chance = float((1 - binom.cdf(hits, n, 1 / n) ** len(rows)).sum() / n)
    ranked = sorted(rows, key=lambda row: -row.own_key.value)
    return Outcome(
        "reidentification",
        f"one file, and {n} candidates",
        [
            Measure(f"right one found by {row.feature}", row.own_key.value, chance, 1)
            for row in ranked[:SHOWN]
        ],
    )


def rate(hits: float, trials: int) -> Rate:
    """Return a share with its confidence interval; part hits are rounded for the interval."""
    interval = binomtest(round(hits), trials).proportion_ci(method="wilson")
    return Rate(hits / trials, float(interval.low), float(interval.high))


def _stack(files: Sequence[Described], name: str) -> npt.NDArray[np.float64]:
    return np.stack([file[name] for file in files])
