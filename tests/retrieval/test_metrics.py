"""Measures against scikit-learn, against the mean over all orders, and against known levels."""

import itertools

import numpy as np
import pytest

from jpegcrypt.retrieval import metrics
from jpegcrypt.retrieval.metrics import (
    AP_RULES,
    AP_RULES_APART,
    NDCG,
    OTHERS,
    AveragePrecision,
    Measure,
    Precision,
    Recall,
    cosine,
    hits,
    mean_average_precision,
    ranking,
    score,
)

LABELS = np.repeat(np.arange(50), 30)  # as many as corel5k has for testing

# A gallery of 8, three of them relevant, the query taken out.
RANKS = np.array([[0, 1, 0, 0, 1, 1, 0, 0]], bool)


@pytest.mark.parametrize(
    ("measure", "value"),
    [
        (AveragePrecision(), (1 / 2 + 2 / 5 + 3 / 6) / 3),
        (AveragePrecision(5), (1 / 2 + 2 / 5) / 3),
        (AveragePrecision(5, "found"), (1 / 2 + 2 / 5) / 2),
        (AveragePrecision(1, "found"), 0),
        (Recall(5), 2 / 3),
        (Precision(5), 2 / 5),
        (Precision(16), 3 / 16),
        (NDCG(2), (1 / np.log2(3)) / (1 + 1 / np.log2(3))),
    ],
)
def test_by_hand(measure, value: float) -> None:
    assert measure(RANKS) == pytest.approx([value])


def test_against_scikit_learn() -> None:
    sklearn = pytest.importorskip(
        "sklearn.metrics", reason="scikit-learn is not installed; the retrieval extra brings it"
    )
    rng = np.random.default_rng(1)
    similarity, relevant = rng.random((20, 40)), rng.random((20, 40)) < 0.3
    labels = np.arange(20)
    gallery = np.where(relevant, labels[:, None], -1)
    for i in range(20):
        found = hits(ranking(similarity[i : i + 1]), labels[i : i + 1], gallery[i])
        ap = sklearn.average_precision_score(relevant[i], similarity[i])
        assert AveragePrecision()(found) == pytest.approx(ap)
        for k in (None, 5):
            ndcg = sklearn.ndcg_score(relevant[i : i + 1], similarity[i : i + 1], k=k)
            assert NDCG(k)(found) == pytest.approx(ndcg)


@pytest.mark.parametrize("depth", [None, 1, 2, 4, 9])
@pytest.mark.parametrize("n_relevant", [1, 2, 5, 6])
def test_chance_is_the_mean_over_all_orders(depth: int | None, n_relevant: int) -> None:
    n = 6
    orders = [
        np.isin(np.arange(n), places) for places in itertools.combinations(range(n), n_relevant)
    ]
    measures: list[Measure] = [
        AveragePrecision(depth),
        AveragePrecision(depth, "found"),
        NDCG(depth),
    ]
    measures += [Recall(depth), Precision(depth)] if depth else []
    for measure in measures:
        chance = measure.chance(np.array([n_relevant]), n)
        assert chance == pytest.approx(measure(np.array(orders)).mean())


@pytest.mark.parametrize(
    ("rule", "gallery", "level"),
    [("full", 2999, 0.0122), ("top100_found", 2999, 0.0359), ("top100_R", 2999, 0.0020),
     ("full", 1499, 0.0239)],
)  # fmt: skip
def test_chance_levels_of_the_corel_sets(rule: str, gallery: int, level: float) -> None:
    assert AP_RULES[rule].chance(np.array([29]), gallery) == pytest.approx(level, abs=5e-5)


def test_random_features_stand_on_the_chance_line() -> None:
    rng = np.random.default_rng(0)
    features, gallery = rng.standard_normal((2, 1500, 64))
    among = score(cosine(features, features), LABELS)
    assert among["full"].mean == pytest.approx(0.024, abs=0.001)
    apart = score(cosine(features, gallery), LABELS, LABELS)
    assert list(apart) == [*AP_RULES_APART, *OTHERS]
    for scores in (among, apart):
        for name, one in scores.items():
            assert one.mean == pytest.approx(one.chance, rel=0.15, abs=0.01), name


def test_perfect_features_reach_the_top() -> None:
    scores = score(LABELS[:, None] == LABELS, LABELS)
    assert {scores[name].mean for name in (*AP_RULES, "ndcg", "precision@10")} == {1}
    assert scores["recall@10"].mean == pytest.approx(10 / 29)


def test_the_query_is_taken_out_where_it_stands() -> None:
    # All equal: the query is not the first of its own list.
    found = hits(ranking(np.ones((3, 3))), [0, 1, 0], [0, 1, 0], queries_in_gallery=range(3))
    assert found.tolist() == [[False, True], [False, False], [True, False]]


def test_ties_in_either_order() -> None:
    same = score(np.ones((1500, 1500)), LABELS)["full"]  # sorted by class, as folders are
    assert same.mean == pytest.approx(same.chance, rel=0.02)
    assert same.ties_last == pytest.approx(same.chance, rel=0.02)
    assert same.mean != same.ties_last
    distinct = score(np.random.default_rng(0).random((4, 4)), [0, 0, 1, 1])
    assert distinct["full"].mean == distinct["full"].ties_last


def test_a_class_of_one_has_no_value() -> None:
    found = np.array([[True, False], [False, False]])
    for measure in (*AP_RULES.values(), *OTHERS.values()):
        assert np.isnan(measure(found)).tolist() == [False, True]
        assert np.isnan(measure.chance(np.array([1, 0]), 2)).tolist() == [False, True]
    lonely = score(np.array([[9, 1, 0], [1, 9, 0], [0, 0, 9]]), [0, 0, 1])
    assert lonely["full"].mean == pytest.approx(np.mean([1, 1]))
    with pytest.raises(ValueError, match="no query has another"):
        score(np.eye(3), [0, 1, 2])
    with pytest.raises(ValueError, match="no query has another"):
        score(np.eye(1), [0])
    with pytest.raises(ValueError, match="no query has another"):
        score(np.empty((2, 0)), [0, 1], [])


def test_sizes_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match=r"shape \(2, 3\), expected \(2, 2\)"):
        score(np.zeros((2, 3)), [0, 0])


def test_cosine_of_zeros() -> None:
    assert cosine(np.zeros((1, 3)), np.ones((1, 3))).tolist() == [[0]]


def test_pictures_without_another_of_their_class_do_not_count() -> None:
    features = np.random.default_rng(0).normal(size=(6, 3))
    labels = [0, 0, 1, 2, 2, 2]
    expected = score(cosine(features, features), labels)["full"].mean
    assert mean_average_precision(features, labels) == pytest.approx(expected)
    assert np.isnan(mean_average_precision(features, np.arange(6)))
    assert np.isnan(mean_average_precision(np.empty((0, 3)), []))


def test_many_queries_are_ranked_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    labels = np.arange(40) // 4
    similarity = np.random.default_rng(0).integers(9, size=(40, 40)) / 9
    among, apart = score(similarity, labels), score(similarity, labels, labels)
    features = np.random.default_rng(0).normal(size=(40, 5))
    whole = mean_average_precision(features, labels)
    assert whole == score(cosine(features, features), labels)["full"].mean
    monkeypatch.setattr(metrics, "_PAIRS", 300)
    assert mean_average_precision(features, labels) == pytest.approx(whole, abs=1e-15)
    assert score(similarity, labels) == among
    assert score(similarity, labels, labels) == apart
