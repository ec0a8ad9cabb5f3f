"""Files through a model: the features do not depend on the company, bad files are named."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed; the retrieval extra brings it")

import torch

import jpegcrypt
from jpegcrypt import Key
from jpegcrypt.retrieval import checkpoint
from jpegcrypt.retrieval import embed as embedding
from jpegcrypt.retrieval.batches import Arrays, Batch, take
from jpegcrypt.retrieval.checkpoint import identify
from jpegcrypt.retrieval.embed import embed, make_index
from jpegcrypt.retrieval.folders import Indices, mark, read_folder
from jpegcrypt.retrieval.models import create


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    key = Key(bytes(32))
    for name in ("a/1.jpg", "a/2.jpg", "b/1.jpg", "b/2.jpg"):
        path = tmp_path / "set" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        picture = rng.integers(0, 256, (2, 3, 3), dtype=np.uint8).repeat(16, 0).repeat(16, 1)
        path.write_bytes(jpegcrypt.encrypt(picture, key))
    (tmp_path / "set/b/3.jpg").write_text("no picture")
    return tmp_path / "set"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    path = tmp_path / "tiny.safetensors"
    network = create("gmlp", classes=2, height=48, width=32, dimension=16, hidden=32, depth=1)
    for parameter in network.parameters():  # a fresh gMLP sees nothing but its class token
        torch.nn.init.normal_(parameter, std=0.3)
    checkpoint.save(path, network, ["a", "b"], {"learned": []})
    return path


def test_an_index_of_a_folder(folder: Path, model: Path) -> None:
    index, skipped = make_index(model, read_folder(folder))
    assert [Path(path).name for path in index.paths] == ["1.jpg", "2.jpg"] * 2
    assert index.labels.tolist() == [0, 0, 1, 1]
    np.testing.assert_allclose(np.linalg.norm(index.features, axis=1), 1, atol=1e-6)
    assert [one.path.name for one in skipped] == ["3.jpg"]
    similarity, places = index.search(index.features, 1)
    assert places[:, 0].tolist() == [0, 1, 2, 3]
    np.testing.assert_allclose(similarity, 1, atol=1e-6)
    assert index.model == identify(checkpoint.load_model(model))
    assert not index.learned.any()


def test_a_model_is_its_weights(model: Path) -> None:
    network = checkpoint.load_model(model)
    told = identify(network)
    checkpoint.save(model, network, ["a", "b"], {"step": 1})
    assert identify(checkpoint.load_model(model)) == told
    with torch.no_grad():
        next(network.parameters())[0] += 1
    assert identify(network) != told


def test_an_index_knows_what_was_learned_from(folder: Path, model: Path) -> None:
    """Another encryption, fewer files, files that broke meanwhile: the names tell."""
    learned = {"learned": [mark("a/1"), mark("b/2")]}
    checkpoint.save(model, checkpoint.load_model(model), ["a", "b"], learned)
    index, _ = make_index(model, read_folder(folder))
    assert index.learned.tolist() == [True, False, False, True]
    (folder / "a/1.jpg").write_text("broken")
    index, _ = make_index(model, read_folder(folder))
    assert index.learned.tolist() == [False, False, True]
    checkpoint.save(model, checkpoint.load_model(model), ["a", "b"], {})  # it does not tell
    index, _ = make_index(model, read_folder(folder))
    assert index.learned.tolist() == [True, True, True]


@pytest.mark.parametrize("name", ["gmlp", "block_set"])
def test_pictures_of_another_kind_are_refused(folder: Path, tmp_path: Path, name: str) -> None:
    path = tmp_path / "other.jpg"
    gray = np.zeros((16, 16), np.uint8)
    path.write_bytes(jpegcrypt.encrypt(gray, Key(bytes(32))))
    network = create(name, classes=2)
    with pytest.raises(ValueError, match=r"expected (192|3) as the model"):
        embed(network, [path])


def test_a_feature_does_not_depend_on_its_company(folder: Path, model: Path) -> None:
    network = checkpoint.load_model(model)
    paths = read_folder(folder).paths[:4]
    together = embed(network, paths).features
    alone = np.concatenate([embed(network, [path]).features for path in paths])
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_large_pictures_go_through_a_model_one_by_one(
    folder: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []

    def counted(arrays: Arrays, rows: Indices, device: str) -> Batch:
        sizes.append(len(rows))
        return take(arrays, rows, device)

    monkeypatch.setattr(embedding, "take", counted)
    files = read_folder(folder)
    whole, _ = make_index(model, files)
    monkeypatch.setattr(embedding, "VALUES", 10)
    one_by_one, _ = make_index(model, files)
    assert sizes == [4, 1, 1, 1, 1]
    np.testing.assert_allclose(one_by_one.features, whole.features, atol=1e-6)


def test_plain_pictures_on_request(folder: Path, model: Path) -> None:
    plain = folder / "a" / "3.jpg"
    plain.write_bytes(jpegcrypt.encode(np.zeros((48, 32, 3), np.uint8)))
    network = checkpoint.load_model(model)
    with pytest.raises(ValueError, match="without a jpegcrypt header"):
        embed(network, [plain])
    assert len(embed(network, [plain], cipher_only=False).features) == 1
