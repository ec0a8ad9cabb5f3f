"""The index: exact search, ties, its file, what it says of itself by every measure."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jpegcrypt.retrieval import metrics
from jpegcrypt.retrieval.index import Index, similarity


@pytest.fixture
def index() -> Index:
    rng = np.random.default_rng(0)
    labels = np.arange(5).repeat(20)
    features = metrics.unit(rng.standard_normal((5, 8))[labels] + rng.standard_normal((100, 8)))
    paths = [f"{label}/{i}.jpg" for i, label in enumerate(labels)]
    learned = np.arange(100) % 10 < 7
    return Index(features.astype(np.float32), paths, labels, list("abcde"), learned, "model")


@pytest.mark.parametrize("k", [1, 7, 100, 1000])
def test_the_search_is_exact(index: Index, k: int) -> None:
    queries = np.random.default_rng(1).standard_normal((9, 8))
    similarity, places = index.search(queries, k)
    exact = metrics.cosine(queries, index.features)
    np.testing.assert_array_equal(places, metrics.ranking(exact)[:, :k])
    np.testing.assert_allclose(similarity, np.sort(exact)[:, ::-1][:, :k], atol=1e-6)


def test_equal_pictures_come_in_order() -> None:
    """Also where a product of matrices sums the last rows in another order."""
    n, d = 1003, 305
    one = metrics.unit(np.random.default_rng(0).standard_normal((1, d))).astype(np.float32)
    index = Index(one.repeat(n, axis=0), ["a"] * n, np.full(n, -1), [], np.zeros(n, bool), "model")
    assert index.search(one, 4)[1].tolist() == [[0, 1, 2, 3]]
    assert index.search(one, n)[1].tolist() == [list(range(n))]


def test_equal_pictures_are_equally_similar() -> None:
    n, d = 997, 305
    rows = metrics.unit(np.random.default_rng(0).standard_normal((n, d))).astype(np.float32)
    rows[500:] = rows[: n - 500]
    both = similarity(rows, rows.T)
    np.testing.assert_array_equal(both[:, 500:], both[:, : n - 500])


def test_the_file_brings_all_back(index: Index, tmp_path: Path) -> None:
    path = tmp_path / "index.npz"
    index.save(path)
    with pytest.raises(FileExistsError):
        index.save(path)
    index.save(path, overwrite=True)
    again = Index.load(path)
    np.testing.assert_array_equal(again.features, index.features)
    np.testing.assert_array_equal(again.labels, index.labels)
    np.testing.assert_array_equal(again.learned, index.learned)
    assert (again.paths, again.classes, again.model) == (index.paths, index.classes, index.model)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no more", b"\x93NUMPY", b"hello"])
def test_a_file_that_is_no_index(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "index.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"index\.npz: not an index"):
        Index.load(path)
    arrays: dict[str, Any] = {
        "features": np.eye(3)[:1],
        "paths": ["a"],
        "labels": [0],
        "learned": [True],
    }
    np.savez(path, **arrays, classes=["x"], model="m")
    assert Index.load(path).learned.tolist() == [True]
    np.savez(path, **{**arrays, "features": np.zeros((2, 3))}, classes=["x"], model="m")
    with pytest.raises(ValueError, match="sizes that do not go together"):
        Index.load(path)
    np.savez(path, **{**arrays, "labels": [7]}, classes=["x"], model="m")
    with pytest.raises(ValueError, match="labels without a class"):
        Index.load(path)
    for changed, message in (
        ({"features": np.full((1, 3), 7.0)}, "features that are not of length 1"),
        ({"labels": [-1]}, "labels for some of the pictures alone"),
        (
            {"features": np.zeros((0, 3)), "paths": [], "labels": [], "learned": []},
            "no pictures",
        ),
    ):
        np.savez(path, **{**arrays, **changed}, classes=["x"], model="m")
        with pytest.raises(ValueError, match=message):
            Index.load(path)
    np.savez(path, features=np.array([{}], object))
    with pytest.raises(ValueError, match="not an index"):
        Index.load(path)
    with pytest.raises(FileNotFoundError):
        Index.load(tmp_path / "missing.npz")


def test_no_broken_file_is_an_index(index: Index, tmp_path: Path) -> None:
    path = tmp_path / "index.npz"
    index.save(path)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for place in rng.choice(len(whole), 400, replace=False):
        broken = bytearray(whole)
        broken[place] ^= 1 << rng.integers(8)
        path.write_bytes(broken)
        try:
            loaded = Index.load(path)
        except ValueError:
            continue
        # Else what was broken is no content: a date or a flag of the archive.
        assert loaded.features.tobytes() == index.features.tobytes()
        assert (loaded.paths, loaded.classes, loaded.model) == (
            index.paths,
            index.classes,
            index.model,
        )


def test_features_that_are_no_numbers(index: Index, tmp_path: Path) -> None:
    broken = replace(index, features=np.full_like(index.features, np.nan))
    broken.save(tmp_path / "broken.npz")
    with pytest.raises(ValueError, match="features that are no numbers"):
        Index.load(tmp_path / "broken.npz")


def test_a_model_that_tells_nothing_scores_as_chance() -> None:
    labels = np.repeat(np.arange(20), 15)
    features = np.full((300, 4), 0.5, np.float32)
    index = Index(
        features, [""] * 300, labels, [str(i) for i in range(20)], np.zeros(300, bool), model="m"
    )
    full = index.evaluate(*index.split())["test"]["full"]
    assert full.mean == pytest.approx(full.chance, rel=0.05)
    assert full.ties_last == pytest.approx(full.chance, rel=0.05)
    assert metrics.mean_average_precision(features, labels) == full.mean


def test_evaluation_takes_the_pictures_that_are_new(index: Index) -> None:
    train, test = index.split()
    assert index.learned[train].all()
    assert not index.learned[test].any()
    scores = index.evaluate(train, test)
    cosines = index.features[test] @ index.features[test].T
    assert scores["test"] == metrics.score(cosines, index.labels[test])
    assert list(scores["test"]) == [*metrics.AP_RULES, *metrics.OTHERS]
    assert list(scores["train"]) == [*metrics.AP_RULES_APART, *metrics.OTHERS]
    assert scores["test"]["full"].mean > 1.5 * scores["test"]["full"].chance
    assert list(index.evaluate(*index.split(every=True))) == ["test"]
    all_learned = replace(index, learned=np.ones(100, bool))
    with pytest.raises(ValueError, match="learned from all of the 100 pictures"):
        all_learned.split()


def test_what_does_not_fit(index: Index) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        index.search(np.ones((1, 8)), 0)
    with pytest.raises(ValueError, match="queries of 3 features, expected 8"):
        index.search(np.ones((1, 3)), 1)
    with pytest.raises(ValueError, match="classes of these pictures are not known"):
        replace(index, labels=np.full(100, -1), classes=[]).split()
