"""How good a ranking is: average precision by every rule in use, recall, precision, nDCG.

::

    similarity (queries, gallery) ── ranking ──> hits (queries, ranks) ── a measure ──> (queries,)

Papers on encrypted retrieval print "mAP" and mean different things, which cannot be converted into
one another: each measure here has a name of its own, and knows its chance line, what a random
order gives on average. A query without a relevant picture has no value: NaN.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

Hits = npt.NDArray[np.bool_]  # (queries, ranks): is the picture at this rank of the query's class?
Values = npt.NDArray[np.float64]  # (queries,)
Counts = npt.NDArray[np.intp]

_PAIRS = 1 << 24  # queries by gallery ranked at a time, at some 25 bytes a pair


# --- from similarities to hits ------------------------------------------------------------------


def cosine(queries: npt.ArrayLike, gallery: npt.ArrayLike) -> Values:
    """Return the cosine of each query with each picture, (queries, gallery).

    Parameters
    ----------
    queries, gallery : float arrays (queries, d), (gallery, d)
        Features. One of all zeros has cosine 0 with everything.

    Examples
    --------
    >>> cosine([[3.0, 4.0]], [[6.0, 8.0], [0.0, 5.0]]).round(3)
    array([[1. , 0.8]])
    """
    similarity: Values = unit(queries) @ unit(gallery).T
    return similarity


def unit(features: npt.ArrayLike) -> Values:
    """Scale features (n, d) to length 1; zeros stay zeros."""
    vectors = np.asarray(features, np.float64)
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: Values = vectors / np.where(length == 0, 1, length)
    return scaled


def ranking(similarity: npt.ArrayLike, *, ties: Literal["first", "last"] = "first") -> Counts:
    """Order the gallery for each query, the most similar first.

    Parameters
    ----------
    similarity : float array (queries, gallery)
    ties : {"first", "last"}
        Which of equally similar pictures comes first, by its place in the gallery. What changes
        between the two is owed to chance.

    Returns
    -------
    intp array (queries, gallery)
        Places in the gallery.

    Examples
    --------
    >>> ranking([[0.5, 0.9, 0.5]]), ranking([[0.5, 0.9, 0.5]], ties="last")
    (array([[1, 0, 2]]), array([[1, 2, 0]]))
    """
    scores = -np.asarray(similarity, np.float64)
    if ties == "first":
        return np.argsort(scores, axis=1, kind="stable")
    places = np.arange(scores.shape[1])[::-1]
    return places[np.argsort(scores[:, ::-1], axis=1, kind="stable")]


def hits(
    order: Counts,
    query_labels: npt.ArrayLike,
    gallery_labels: npt.ArrayLike,
    *,
    queries_in_gallery: npt.ArrayLike | None = None,
) -> Hits:
    """Tell at which ranks a picture of the query's class stands.

    Parameters
    ----------
    order : intp array (queries, gallery)
        From `ranking`.
    query_labels, gallery_labels : int arrays (queries,), (gallery,)
    queries_in_gallery : int array (queries,), optional
        The place of each query itself in the gallery. It is taken out by this place, not as the
        first of its list, where a tie may have put another picture.

    Returns
    -------
    bool array (queries, gallery), or (queries, gallery - 1) without the queries

    Examples
    --------
    >>> hits(np.array([[1, 0, 2]]), [7], [7, 7, 8], queries_in_gallery=[0])
    array([[ True, False]])
    """
    query_labels, gallery_labels = np.asarray(query_labels), np.asarray(gallery_labels)
    if queries_in_gallery is not None:
        others = order != np.asarray(queries_in_gallery)[:, None]
        order = order[others].reshape(len(order), -1)
    found: Hits = gallery_labels[order] == query_labels[:, None]
    return found


# --- measures, each with its chance line ----------------------------------------------------------


class Measure(Protocol):
    """A number for each query, and what a random order of the same gallery gives on average."""

    def __call__(self, hits: Hits) -> Values:
        """Return the value of each query, (queries,)."""

    def chance(self, relevant: Counts, gallery: int) -> Values:
        """Return its mean over all orders of `gallery` pictures, of which some are relevant."""


@dataclass(frozen=True, slots=True)
class AveragePrecision:
    """The mean of the precisions at the ranks where a relevant picture stands.

    Parameters
    ----------
    depth : int, optional
        Only the first ranks count; all by default.
    divide_by : {"relevant", "found"}
        The sum is divided by the number of relevant pictures in the gallery, or of those that the
        first ranks hold: then a single hit at rank 1 is already worth 1.

    Examples
    --------
    >>> ranks = np.array([[True, False, True, False, True]])
    >>> AveragePrecision()(ranks).round(4)
    array([0.7556])
    >>> AveragePrecision(2)(ranks).round(4), AveragePrecision(2, "found")(ranks)
    (array([0.3333]), array([1.]))
    """

    depth: int | None = None
    divide_by: Literal["relevant", "found"] = "relevant"

    def __call__(self, hits: Hits) -> Values:
        """Return the value of each query, (queries,)."""
        top = hits[:, : self.depth]
        precision = np.cumsum(top, axis=1) / np.arange(1, top.shape[1] + 1)
        counted = hits if self.divide_by == "relevant" else top
        total = (precision * top).sum(axis=1)
        return _defined(total / np.maximum(counted.sum(axis=1), 1), hits.sum(axis=1))

    def chance(self, relevant: Counts, gallery: int) -> Values:
        """Return the mean over all orders.

        A picture at rank k is relevant with probability R / N, and then each of the k - 1 before it
        with (R - 1) / (N - 1): the sum over k of their precisions has a closed form.
        """
        depth = gallery if self.depth is None else min(self.depth, gallery)

        def mean(r: int) -> float:
            if self.divide_by == "relevant":
                return _expected_sum(r, gallery, depth) / r
            return sum(
                p * _expected_sum(found, depth, depth) / found
                for found, p in _hypergeometric(r, gallery, depth)
                if found
            )

        return _by_count(mean, relevant)


@dataclass(frozen=True, slots=True)
class Recall:
    """The part of the relevant pictures that the first `depth` ranks hold.

    Examples
    --------
    >>> Recall(2)(np.array([[True, False, True, False]]))
    array([0.5])
    """

    depth: int

    def __call__(self, hits: Hits) -> Values:
        """Return the value of each query, (queries,)."""
        relevant = hits.sum(axis=1)
        found = hits[:, : self.depth].sum(axis=1)
        return _defined(found / np.maximum(relevant, 1), relevant)

    def chance(self, relevant: Counts, gallery: int) -> Values:
        """Return the mean over all orders."""
        return _by_count(lambda r: min(self.depth, gallery) / gallery, relevant)


@dataclass(frozen=True, slots=True)
class Precision:
    """The part of the first `depth` ranks that is relevant.

    Examples
    --------
    >>> Precision(2)(np.array([[True, False, True, False]]))
    array([0.5])
    """

    depth: int

    def __call__(self, hits: Hits) -> Values:
        """Return the value of each query, (queries,)."""
        return _defined(hits[:, : self.depth].sum(axis=1) / self.depth, hits.sum(axis=1))

    def chance(self, relevant: Counts, gallery: int) -> Values:
        """Return the mean over all orders."""
        part = min(self.depth, gallery) / self.depth
        return _by_count(lambda r: part * r / gallery, relevant)


@dataclass(frozen=True, slots=True)
class NDCG:
    """Normalized discounted cumulative gain: a hit at rank k is worth 1 / log2(k + 1).

    Divided by the best that the number of relevant pictures allows. Jarvelin and Kekalainen, ACM
    TOIS 20(4), 2002, with gains of 0 and 1.

    Examples
    --------
    >>> NDCG(2)(np.array([[False, True, False]])).round(4)
    array([0.6309])
    """

    depth: int | None = None

    def __call__(self, hits: Hits) -> Values:
        """Return the value of each query, (queries,)."""
        relevant = hits.sum(axis=1)
        top = hits[:, : self.depth]
        worth = np.cumsum(_discounts(top.shape[1]))
        best = worth[np.clip(relevant, 1, top.shape[1]) - 1]
        return _defined((top * _discounts(top.shape[1])).sum(axis=1) / best, relevant)

    def chance(self, relevant: Counts, gallery: int) -> Values:
        """Return the mean over all orders."""
        depth = gallery if self.depth is None else min(self.depth, gallery)
        worth = np.cumsum(_discounts(depth))
        return _by_count(lambda r: r / gallery * worth[-1] / worth[min(r, depth) - 1], relevant)


# Where the query is in the gallery, code of the field takes the first 100 (or 10) ranks with it and
# then drops it: 99 (or 9) are left.
AP_RULES: dict[str, AveragePrecision] = {
    "full": AveragePrecision(),
    "top100_found": AveragePrecision(99, "found"),
    "top100_R": AveragePrecision(99),
    "top10_found": AveragePrecision(9, "found"),
}
# For a gallery that the queries are no part of.
AP_RULES_APART: dict[str, AveragePrecision] = {
    "full": AveragePrecision(),
    "top100_found": AveragePrecision(100, "found"),
    "top300_found": AveragePrecision(300, "found"),
}
OTHERS: dict[str, Measure] = {
    **{f"recall@{k}": Recall(k) for k in (1, 10, 30, 100)},
    **{f"precision@{k}": Precision(k) for k in (1, 10, 30, 100)},
    "ndcg": NDCG(),
    "ndcg@10": NDCG(10),
}


@dataclass(frozen=True, slots=True)
class Score:
    """A measure over all queries.

    Attributes
    ----------
    mean : float
        Over the queries that have relevant pictures.
    chance : float
        The same for a random order.
    ties_last : float
        The mean with equally similar pictures in reverse order.
    """

    mean: float
    chance: float
    ties_last: float


def score(
    similarity: npt.ArrayLike | Callable[[Counts], npt.ArrayLike],
    query_labels: npt.ArrayLike,
    gallery_labels: npt.ArrayLike | None = None,
) -> dict[str, Score]:
    """Score similarities by every measure.

    Equally similar pictures are in an order drawn for the size of the gallery: in the gallery's
    own, which mostly goes by classes, a picture would come among its like.

    Parameters
    ----------
    similarity : float array (queries, gallery), or callable
        From an array of queries to as many rows of it, where the whole would be too large.
    query_labels : int array (queries,)
    gallery_labels : int array (gallery,), optional
        Left out, the gallery is the queries themselves, each searched among the others.

    Returns
    -------
    dict
        From the name of a measure to its `Score`; AP rules first.

    Raises
    ------
    ValueError
        If there is no query, none has a relevant picture, or sizes differ.

    Examples
    --------
    >>> scores = score(np.eye(4)[[1, 0, 3, 2]], [0, 0, 1, 1])
    >>> scores["full"].mean, round(scores["full"].chance, 3)
    (1.0, 0.611)
    """
    labels = np.asarray(query_labels)
    apart = gallery_labels is not None
    gallery = np.asarray(gallery_labels) if apart else labels
    if callable(similarity):
        rows_of = similarity
    else:
        whole = np.asarray(similarity)
        if whole.shape != (len(labels), len(gallery)):
            raise ValueError(
                f"similarities of shape {whole.shape}, "
                f"expected ({len(labels)}, {len(gallery)}) for so many labels"
            )
        rows_of = whole.__getitem__
    if not len(labels):
        raise ValueError("no query")
    found = np.isin(labels, gallery) if apart else np.unique(labels, return_counts=True)[1] > 1
    if not found.any():
        raise ValueError("no query has another picture of its class in the gallery")
    measures: dict[str, Measure] = {**(AP_RULES_APART if apart else AP_RULES), **OTHERS}
    order, places = draw(len(gallery))
    parts = [
        _values(
            np.asarray(rows_of(rows))[:, order],
            labels[rows],
            gallery[order],
            None if apart else places[rows],
            measures,
        )
        for rows in _in_parts(np.arange(len(labels)), len(gallery))
    ]
    # (3, measures, queries): the values, those of a random order, those with ties reversed
    means, chances, ties_last = np.concatenate(parts, axis=2)
    return {
        name: Score(*(float(np.nanmean(values)) for values in columns))
        for name, *columns in zip(measures, means, chances, ties_last, strict=True)
    }


def mean_average_precision(features: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """Return mAP, rule "full", of each picture searched among the others by cosine.

    What `score` calls full, without the rest and without holding all similarities: for use while a
    model trains.

    Parameters
    ----------
    features : float array (n, d)
    labels : int array (n,)

    Returns
    -------
    float
        NaN without two pictures of a class.

    Examples
    --------
    >>> mean_average_precision([[1, 0], [0, 1], [2, 0], [0, 2]], [0, 1, 0, 1])
    1.0
    """
    vectors, classes = unit(features), np.asarray(labels)
    _, inverse, counts = np.unique(classes, return_inverse=True, return_counts=True)
    queries = np.flatnonzero(counts[inverse] > 1)
    if not len(queries):
        return math.nan
    order, places = draw(len(classes))
    gallery = vectors[order].T
    found = (
        hits(
            ranking(vectors[rows] @ gallery),
            classes[rows],
            classes[order],
            queries_in_gallery=places[rows],
        )
        for rows in _in_parts(queries, len(classes))
    )
    return float(np.concatenate([AP_RULES["full"](part) for part in found]).mean())


def draw(gallery: int) -> tuple[Counts, Counts]:
    """Return an order of the gallery that hangs on its size alone, and the places in it.

    Examples
    --------
    >>> order, places = draw(5)
    >>> order[places].tolist()
    [0, 1, 2, 3, 4]
    """
    order = np.random.default_rng(gallery).permutation(gallery)
    return order, np.argsort(order)


def _in_parts(queries: Counts, gallery: int) -> list[Counts]:
    """Share queries out so that a part has about `_PAIRS` with the gallery."""
    return np.array_split(queries, -(-len(queries) * gallery // _PAIRS))


def _values(
    similarity: Values,
    labels: Counts,
    gallery: Counts,
    own: Counts | None,
    measures: dict[str, Measure],
) -> Values:
    """Measure some queries, (3, measures, queries): as they are, by chance, with ties reversed."""
    found, reverse = (
        hits(ranking(similarity, ties=ties), labels, gallery, queries_in_gallery=own)
        for ties in ("first", "last")
    )
    relevant = found.sum(axis=1)
    return np.array(
        [
            [measure(found) for measure in measures.values()],
            [measure.chance(relevant, found.shape[1]) for measure in measures.values()],
            [measure(reverse) for measure in measures.values()],
        ]
    )


# --- sums --------------------------------------------------------------------------------------


def _discounts(n: int) -> Values:
    return 1 / np.log2(np.arange(2, n + 2))


def _expected_sum(relevant: int, gallery: int, depth: int) -> float:
    """Mean over all orders of the sum of precisions at the relevant ranks among the first."""
    harmonic = float((1 / np.arange(1, depth + 1)).sum())
    before = (relevant - 1) / (gallery - 1) if gallery > 1 else 0.0
    return relevant / gallery * (harmonic + before * (depth - harmonic))


def _hypergeometric(relevant: int, gallery: int, depth: int) -> list[tuple[int, float]]:
    """How many relevant pictures are among `depth` drawn of the gallery, with probabilities."""
    total = math.comb(gallery, depth)
    return [
        (found, math.comb(relevant, found) * math.comb(gallery - relevant, depth - found) / total)
        for found in range(min(relevant, depth) + 1)
    ]


class _OfCount(Protocol):
    def __call__(self, r: int, /) -> float: ...


def _by_count(mean: _OfCount, relevant: Counts) -> Values:
    """Apply a function of the number of relevant pictures, once for each number that occurs."""
    counts, inverse = np.unique(relevant, return_inverse=True)
    return np.array([mean(int(r)) if r else np.nan for r in counts])[inverse]


def _defined(values: Values, relevant: Counts) -> Values:
    return np.where(relevant > 0, values, np.nan)
