"""The index: exact search, ties, its file, what it says of itself by every measure."""

from pathlib import Path

import numpy as np
import pytest

from jpegcrypt.retrieval import metrics
from jpegcrypt.retrieval.index import Index


@pytest.fixture
def index() -> Index:
    rng = np.random.default_rng(0)
    labels = np.arange(5).repeat(20)
    features = metrics.unit(rng.standard_normal((5, 8))[labels] + rng.standard_normal((100, 8)))
    paths = [f"{label}/{i}.jpg" for i, label in enumerate(labels)]
    return Index(features.astype(np.float32), paths, labels, list("abcde"), "model")


@pytest.mark.parametrize("k", [1, 7, 100, 1000])
def test_the_search_is_exact(index: Index, k: int) -> None:
    queries = np.random.default_rng(1).standard_normal((9, 8))
    similarity, places = index.search(queries, k)
    exact = metrics.cosine(queries, index.features)
    np.testing.assert_array_equal(places, metrics.ranking(exact)[:, :k])
    np.testing.assert_allclose(similarity, np.sort(exact)[:, ::-1][:, :k], atol=1e-6)


def test_equal_pictures_come_in_order() -> None:
    index = Index(np.ones((6, 1), np.float32), list("abcdef"), np.full(6, -1), [], "model")
    assert index.search([[2.0]], 4)[1].tolist() == [[0, 1, 2, 3]]


def test_the_file_brings_all_back(index: Index, tmp_path: Path) -> None:
    path = tmp_path / "index.npz"
    index.save(path)
    with pytest.raises(FileExistsError):
        index.save(path)
    index.save(path, overwrite=True)
    again = Index.load(path)
    np.testing.assert_array_equal(again.features, index.features)
    np.testing.assert_array_equal(again.labels, index.labels)
    assert (again.paths, again.classes, again.model) == (index.paths, index.classes, index.model)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no more", b"\x93NUMPY", b"hello"])
def test_a_file_that_is_no_index(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "index.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"index\.npz: not an index"):
        Index.load(path)
    np.savez(path, features=np.zeros((2, 3)), paths=["a"], labels=[0], classes=["x"], model="m")
    with pytest.raises(ValueError, match="sizes that do not go together"):
        Index.load(path)
    np.savez(path, features=np.array([{}], object))
    with pytest.raises(ValueError, match="not an index"):
        Index.load(path)
    with pytest.raises(FileNotFoundError):
        Index.load(tmp_path / "missing.npz")


def test_evaluation_takes_the_test_pictures(index: Index) -> None:
    train, test = index.split("stratified")
    scores = index.evaluate(train, test)
    cosines = index.features[test] @ index.features[test].T
    assert scores["test"] == metrics.score(cosines, index.labels[test])
    assert list(scores["test"]) == [*metrics.AP_RULES, *metrics.OTHERS]
    assert list(scores["train"]) == [*metrics.AP_RULES_APART, *metrics.OTHERS]
    assert scores["test"]["full"].mean > 2 * scores["test"]["full"].chance
    assert list(index.evaluate(*index.split("unseen-classes"))) == ["test"]
    assert list(index.evaluate(*index.split(None))) == ["test"]


def test_what_does_not_fit(index: Index) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        index.search(np.ones((1, 8)), 0)
    with pytest.raises(ValueError, match="queries of 3 features, expected 8"):
        index.search(np.ones((1, 3)), 1)
    with pytest.raises(ValueError, match="classes of these pictures are not known"):
        Index(index.features, index.paths, np.full(100, -1), [], "model").split(None)
