"""Descriptors learned without a network: bags of words and class probabilities."""

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed; the dev extra has it")

from jpegcrypt.retrieval.classes import ClassProbabilities
from jpegcrypt.retrieval.words import ROWS, VisualWords


def pictures(rng: np.random.Generator, shares: list[float]) -> np.ndarray:
    """Return 40 local features around three far centers, each with its share."""
    kinds = rng.choice(3, 40, p=shares)
    return (100 * np.eye(3)[kinds] + rng.normal(size=(40, 3))).astype(np.float32)


def test_words_are_the_centers_and_bags_their_shares() -> None:
    rng = np.random.default_rng(0)
    training = [pictures(rng, [0.2, 0.3, 0.5]) for _ in range(20)]
    words = VisualWords(3).fit(training)
    bags = words.transform([pictures(rng, [1, 0, 0]), pictures(rng, [0, 0.5, 0.5])])
    assert bags.shape == (2, 3)
    assert np.allclose(bags.sum(1), 1)
    assert sorted((bags[0] > 0).tolist()) == [False, False, True]
    assert ((bags[0] > 0) != (bags[1] > 0)).all()


def test_words_do_not_depend_on_chance_or_on_the_order_within_a_picture() -> None:
    rng = np.random.default_rng(1)
    training = [pictures(rng, [0.2, 0.3, 0.5]) for _ in range(5)]
    words = VisualWords(6).fit(training)
    again = VisualWords(6).fit(training)
    assert np.array_equal(words.transform(training), again.transform(training))
    turned = [rows[::-1] for rows in training]
    assert np.array_equal(words.transform(training), words.transform(turned))


def test_few_rows_make_few_words_and_many_are_sampled() -> None:
    rows = np.arange(6, dtype=np.float32).reshape(3, 2) * 50
    assert VisualWords(10).fit([rows]).transform([rows]).shape == (1, 3)
    many = np.random.default_rng(2).normal(size=(ROWS + 5, 1)).astype(np.float32)
    assert VisualWords(4).fit([many]).transform([many]).shape == (1, 4)


def test_probabilities_tell_classes() -> None:
    rng = np.random.default_rng(3)
    labels = np.repeat([0, 1, 2], 20)
    features = (3 * np.eye(3)[labels] + rng.normal(size=(60, 3))).astype(np.float32)
    model = ClassProbabilities().fit(features, labels)
    probabilities = model.transform(features)
    assert np.allclose(probabilities.sum(1), 1, atol=1e-5)
    assert (probabilities.argmax(1) == labels).mean() > 0.85


def test_fit_comes_first() -> None:
    rows = np.zeros((1, 2), np.float32)
    with pytest.raises(ValueError, match="fit comes first"):
        VisualWords(2).transform([rows])
    with pytest.raises(ValueError, match="fit comes first"):
        ClassProbabilities().transform(rows)
