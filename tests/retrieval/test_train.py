"""Training: batches, losses, checkpoints, and runs that are cut off."""

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from accelerate.state import AcceleratorState
from tiny_training import BATCHES, CONFIG, RECIPE, SPLIT, CutOff, four_classes

from jpegcrypt.retrieval import checkpoint
from jpegcrypt.retrieval import train as training
from jpegcrypt.retrieval.batches import take
from jpegcrypt.retrieval.folders import mark
from jpegcrypt.retrieval.losses import triplet
from jpegcrypt.retrieval.metrics import mean_average_precision
from jpegcrypt.retrieval.models import create
from jpegcrypt.retrieval.recipe import Mining, Recipe
from jpegcrypt.retrieval.sampler import pk_batches
from jpegcrypt.retrieval.train import Diverged, Pictures, train


@pytest.fixture(scope="module")
def pictures() -> Pictures:
    return four_classes()


def test_every_picture_has_its_turn() -> None:
    labels = np.repeat(np.arange(7), [10, 10, 10, 10, 10, 10, 8])
    batches = pk_batches(labels, classes=3, pictures=5, seed=1, epoch=0)
    for batch in batches:
        _, counts = np.unique(labels[batch], return_counts=True)
        assert counts.tolist() == [5, 5, 5]
    # 14 groups in threes: the last batch has one of a class that had its turn.
    assert len(batches) == 5
    assert len(np.unique(np.concatenate(batches))) == len(labels)
    again = pk_batches(labels, classes=3, pictures=5, seed=1, epoch=0)
    assert all(np.array_equal(a, b) for a, b in zip(batches, again, strict=True))
    other = pk_batches(labels, classes=3, pictures=5, seed=1, epoch=1)
    assert not all(np.array_equal(a, b) for a, b in zip(batches, other, strict=True))


def test_pictures_of_large_classes_have_their_turn() -> None:
    labels = np.repeat([0, 1, 2], [100, 12, 1])
    batches = pk_batches(labels, classes=2, pictures=5, seed=1, epoch=0)
    for batch in batches:
        _, counts = np.unique(labels[batch], return_counts=True)
        assert counts.tolist() == [5, 5]
    shown = np.bincount(np.concatenate(batches), minlength=len(labels))
    assert shown.min() == 1
    assert (shown[:100] == 1).all()
    assert len(batches) == 20


def test_small_distances_are_exact() -> None:
    """A network whose features have shrunk to a point still learns to tell them apart."""
    rng = np.random.default_rng(0)
    features = torch.tensor(0.9 + 1e-4 * rng.standard_normal((50, 256)), dtype=torch.float32)
    labels = torch.arange(50) // 5
    with_margin = triplet(features, labels, margin=1.0, mining="hard").item() - 1
    exact = triplet(features.double(), labels, margin=1.0, mining="hard").item() - 1
    assert with_margin == pytest.approx(exact, rel=1e-2)


def test_triplets() -> None:
    rng = np.random.default_rng(0)
    features, labels = rng.normal(size=(12, 5)), np.repeat([0, 1, 2], 4)
    hardest, above_zero = [], []
    for i in range(12):
        d = np.sqrt(((features - features[i]) ** 2).sum(1))
        same, other = labels == labels[i], labels != labels[i]
        hardest.append(max(0, d[same].max() - d[other].min() + 0.3))
        same[i] = False
        above_zero += [t for p in d[same] for n in d[other] if (t := p - n + 0.3) > 0]
    assert 0 < len(above_zero) < 12 * 3 * 8
    expected: list[tuple[Mining, list[float]]] = [("hard", hardest), ("all", above_zero)]
    for mining, terms in expected:
        loss = triplet(torch.tensor(features), torch.tensor(labels), 0.3, mining)
        assert loss.item() == pytest.approx(np.mean(terms), rel=1e-9)


def test_triplets_that_all_fit_ask_for_nothing() -> None:
    features = torch.tensor([[0.0], [0.1], [9.0], [9.1]], requires_grad=True)
    loss = triplet(features, torch.tensor([0, 0, 1, 1]), 0.3, "all")
    loss.backward()
    assert loss.item() == 0
    assert features.grad is not None
    assert not features.grad.any()


@pytest.mark.parametrize(
    ("steps", "precision"),
    [(1, "float32"), (3, "float32"), (8, "float32"), (4, "bf16")],
    ids=["within an epoch", "at its end", "in the last", "bf16"],
)
def test_a_run_cut_off_ends_with_the_same_weights(tmp_path, pictures, steps, precision) -> None:
    # Dropout, two versions and Adam's moments: all that a step draws and remembers.
    recipe = replace(RECIPE, precision=precision)

    def run(path, watch=None, **options):
        return train(
            path, "vit", pictures, *SPLIT, recipe=recipe, config=CONFIG, watch=watch, **options
        )

    whole = run(tmp_path / "whole.safetensors").state_dict()

    def stop(step) -> None:
        if step.number == steps + 1:
            raise CutOff

    path = tmp_path / "cut.safetensors"
    with pytest.raises(CutOff):
        run(path, stop, save_every=0)
    assert checkpoint.load(path).training["step"] == steps
    numbers = []
    resumed = run(path, lambda step: numbers.append(step.number), resume=True).state_dict()
    assert numbers[0] == steps + 1
    for name, value in whole.items():
        assert torch.equal(value, resumed[name]), name
    logs = [
        [row.rpartition(",")[0] for row in log.read_text().splitlines()]  # without the seconds
        for log in (tmp_path / "whole.safetensors.csv", tmp_path / "cut.safetensors.csv")
    ]
    assert logs[0] == logs[1]
    assert len(logs[0]) == 1 + RECIPE.epochs
    # Ended: nothing to do, the optimizer is gone.
    assert run(path, lambda step: pytest.fail("went on"), resume=True).state_dict().keys()
    assert checkpoint.load(path).optimizer == {}


@pytest.mark.parametrize("steps", [4, 9, 10])  # on the way, at the end, behind it
def test_a_run_may_end_sooner_than_it_was_to(tmp_path, pictures, steps: int) -> None:
    def run(name: str, recipe: Recipe, watch=None, **options):
        path = tmp_path / f"{name}.safetensors"
        return _train(path, pictures, *SPLIT, recipe, watch=watch, **options)

    def stop(step) -> None:
        if step.number == steps + 1:
            raise CutOff

    longer = replace(RECIPE, epochs=5)
    whole = run("whole", RECIPE).state_dict()
    with pytest.raises(CutOff):
        run("cut", longer, stop, save_every=0)
    if steps > BATCHES * RECIPE.epochs:
        with pytest.raises(ValueError, match="expected one to end after 3"):
            run("cut", RECIPE, resume=True)
        return
    ended = run("cut", RECIPE, resume=True).state_dict()
    for name, value in whole.items():
        assert torch.equal(value, ended[name]), name
    found = checkpoint.load(tmp_path / "cut.safetensors")
    assert found.training["recipe"]["epochs"] == 3
    assert found.optimizer == {}
    straight = checkpoint.load(tmp_path / "whole.safetensors").training["history"]
    assert _without_seconds(found.training["history"]) == _without_seconds(straight)
    assert "mAP" in straight[-1]


def _without_seconds(history: list[dict[str, float]]) -> list[dict[str, float]]:
    return [{name: row[name] for name in row.keys() - {"seconds"}} for row in history]


@pytest.mark.parametrize("epoch", [2, RECIPE.epochs])
def test_a_run_cut_off_while_it_measures_has_all_rows(
    tmp_path, pictures, monkeypatch, epoch
) -> None:
    def run(name: str, **options) -> list[dict[str, float]]:
        path = tmp_path / f"{name}.safetensors"
        _train(path, pictures, *SPLIT, RECIPE, evaluate_every=2, save_every=0, **options)
        assert checkpoint.load(path).optimizer == {}
        return _without_seconds(checkpoint.load(path).training["history"])

    calls = []

    def cut_off(*arguments) -> float:
        calls.append(1)
        if len(calls) == epoch - 1:
            raise CutOff
        return mean_average_precision(*arguments)

    monkeypatch.setattr(training, "mean_average_precision", cut_off)
    with pytest.raises(CutOff):
        run("cut")
    monkeypatch.undo()
    assert run("cut", resume=True) == run("whole")


SMALL: dict[str, dict[str, Any]] = {
    "gmlp": {"height": 16, "width": 16, "dimension": 8, "hidden": 16, "depth": 2},
    "resnet": {"blocks": (1,), "channels": 4},
}


@pytest.mark.parametrize("model", ["gmlp", "resnet"])
def test_every_model_goes_on(tmp_path, pictures, model) -> None:
    path = tmp_path / "model.safetensors"
    options: dict[str, Any] = {"recipe": replace(RECIPE, epochs=2), "config": SMALL[model]}
    whole = train(tmp_path / "whole", model, pictures, *SPLIT, **options).state_dict()

    def cut_off(step) -> None:
        if step.number == BATCHES + 1:
            raise CutOff

    with pytest.raises(CutOff):
        train(path, model, pictures, *SPLIT, **options, watch=cut_off)
    resumed = train(path, model, pictures, *SPLIT, **options, resume=True).state_dict()
    assert checkpoint.load(path).training["step"] == 2 * BATCHES
    assert all(torch.equal(value, resumed[name]) for name, value in whole.items())


def test_processes_share_a_training(tmp_path) -> None:
    """Two of them, as `torchrun` starts them: they make one model, and resume is exact."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "1"}
    subprocess.run(
        [*command, Path(__file__).parents[1] / "tiny_training.py", tmp_path],
        check=True, env=environment, timeout=300,
    )  # fmt: skip
    whole, resumed, other = (
        checkpoint.load(tmp_path / name) for name in ("whole", "resumed", "other process")
    )
    steps = whole.training["step"]
    assert steps == resumed.training["step"] == RECIPE.epochs * 2  # of four batches an epoch
    for name, value in whole.network.state_dict().items():
        assert torch.equal(value, resumed.network.state_dict()[name]), name
        assert torch.equal(value, other.network.state_dict()[name]), name


def test_a_finished_run_is_left_alone(tmp_path, pictures) -> None:
    path = tmp_path / "model.safetensors"
    recipe = Recipe(epochs=1, batch_classes=2, batch_pictures=2)
    _train(path, pictures, *SPLIT, recipe)
    before = path.stat()
    _train(path, pictures, *SPLIT, recipe, resume=True)
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_the_environment_does_not_change_the_precision(tmp_path, pictures, monkeypatch) -> None:
    """`accelerate launch` tells by a variable what it was once set up with."""
    recipe = Recipe(epochs=1, batch_classes=2, batch_pictures=2)
    AcceleratorState._reset_state(reset_partial_state=True)
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "bf16")
    there = _train(tmp_path / "a", pictures, *SPLIT, recipe).state_dict()
    AcceleratorState._reset_state(reset_partial_state=True)
    monkeypatch.delenv("ACCELERATE_MIXED_PRECISION")
    without = _train(tmp_path / "b", pictures, *SPLIT, recipe).state_dict()
    assert all(torch.equal(there[name], without[name]) for name in there)


def test_the_log_of_a_finished_run_is_written_if_it_is_missing(tmp_path, pictures) -> None:
    path = tmp_path / "model.safetensors"
    recipe = Recipe(epochs=1, batch_classes=2, batch_pictures=2)
    _train(path, pictures, *SPLIT, recipe)
    log = tmp_path / "model.safetensors.csv"
    before = log.read_text()
    log.unlink()
    _train(path, pictures, *SPLIT, recipe, resume=True)
    assert log.read_text() == before


def test_a_seed_is_a_run(tmp_path, pictures) -> None:
    def run(name: str, seed: int):
        recipe = Recipe(epochs=1, batch_classes=2, batch_pictures=2, seed=seed)
        model = train(tmp_path / name, "vit", pictures, *SPLIT, recipe=recipe, config=CONFIG)
        return model.state_dict()["head.project.weight"]

    state = torch.get_rng_state()
    first = run("a", 1)
    assert torch.equal(first, run("b", 1))
    assert not torch.equal(first, run("c", 2))
    assert torch.equal(state, torch.get_rng_state())


def test_a_checkpoint_is_the_model(tmp_path, pictures) -> None:
    path = tmp_path / "model.safetensors"
    train, test = SPLIT
    recipe = Recipe(epochs=1, batch_classes=2, batch_pictures=2)
    unseen = pictures.labels != 1
    network = _train(path, pictures, train[unseen[train]], test, recipe)
    loaded = checkpoint.load(path)
    assert loaded.classes == ["a", "c", "d"]  # no logit for what was not learned
    assert not loaded.network.training
    batch = take(pictures.versions[0], np.arange(3))
    with torch.no_grad():
        assert torch.equal(loaded.network(batch)[0], network(batch)[0])


def _train(path, pictures, train_, test, recipe, **options):
    return train(path, "vit", pictures, train_, test, recipe=recipe, config=CONFIG, **options)


def test_nan_stops_the_run_and_spares_the_checkpoint(tmp_path, pictures) -> None:
    path = tmp_path / "model.safetensors"
    recipe = Recipe(
        epochs=40, batch_classes=2, batch_pictures=2, learning_rate=1e30, warmup=0, clip_norm=1e30
    )
    with pytest.raises(Diverged, match=r"the loss is (nan|inf) at step \d+ of .* 1e\+30"):
        _train(path, pictures, *SPLIT, recipe, save_every=0)
    if path.exists():  # saved after every step that was taken
        kept = checkpoint.load(path)
        assert all(torch.isfinite(one).all() for one in kept.network.state_dict().values())


def test_features_that_are_no_numbers_stop_the_run(tmp_path, pictures) -> None:
    recipe = Recipe(
        epochs=1, batch_classes=4, batch_pictures=4, learning_rate=1e30, warmup=0, clip_norm=1e30
    )
    assert len(pk_batches(pictures.labels[SPLIT[0]], classes=4, pictures=4, seed=0, epoch=0)) == 1
    path = tmp_path / "model.safetensors"
    with pytest.raises(Diverged, match="vit gives features that are no numbers; try a lower rate"):
        _train(path, pictures, *SPLIT, recipe)
    assert not path.exists()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"epochs": 0}, "epochs 0, expected at least 1"),
        ({"batch_classes": 1}, "batch_classes 1, expected at least 2"),
        ({"label_smoothing": 1.5}, r"label_smoothing 1.5, expected 0 to 1"),
        ({"clip_norm": 0.0}, "clip_norm 0.0, expected more than 0"),
        ({"learning_rate": 0.0}, "learning_rate 0.0, expected more than 0"),
        ({"milestones": (60, 40)}, r"milestones \[60, 40\], expected rising epochs"),
    ],
)
def test_a_recipe_that_trains_nothing(changed, message) -> None:
    with pytest.raises(ValueError, match=message):
        Recipe(**changed)


def test_encryptions_that_are_labelled_differently(tmp_path) -> None:
    for name, text in (("one", "aab"), ("other", "abb")):
        rows = [f"{i}.jpg,{label}" for i, label in enumerate(text)]
        (tmp_path / f"{name}.csv").write_text("\n".join(["path,label", *rows]))
    with pytest.raises(ValueError, match=r"other\.csv: 1 of class b, expected a as in .*one\.csv"):
        training.read_pictures([tmp_path / "one.csv", tmp_path / "other.csv"], "pixels")


def test_another_training_is_refused(tmp_path, pictures) -> None:
    path = tmp_path / "model.safetensors"
    recipe = Recipe(epochs=1, batch_classes=2, batch_pictures=2)
    _train(path, pictures, *SPLIT, recipe)
    with pytest.raises(FileExistsError):
        _train(path, pictures, *SPLIT, recipe)
    for changed, message in (
        ({"margin": 0.5}, "another recipe: margin 0.3, now 0.5"),
        ({"schedule": "cosine", "epochs": 2}, "epochs 1, now 2"),
        ({"epochs": 2}, "a checkpoint after 1 epochs, finished, expected one to end after 2"),
    ):
        with pytest.raises(ValueError, match=message):
            _train(path, pictures, *SPLIT, replace(recipe, **changed), resume=True)
    other_data = "another data, split or number of processes"
    with pytest.raises(ValueError, match=other_data):
        _train(path, pictures, SPLIT[1], SPLIT[0], recipe, resume=True)
    anew = replace(pictures, versions=pictures.versions[::-1])
    with pytest.raises(ValueError, match=other_data):
        _train(path, anew, *SPLIT, recipe, resume=True)
    checkpoint.save(path, checkpoint.load_model(path), pictures.classes, {})
    with pytest.raises(ValueError, match="a model without what its training goes on with"):
        _train(path, pictures, *SPLIT, recipe, resume=True)


def test_models_are_compared_before_data(tmp_path, pictures) -> None:
    path = tmp_path / "model.safetensors"
    recipe = Recipe(epochs=1, batch_classes=2, batch_pictures=2)
    _train(path, pictures, *SPLIT, recipe)
    with pytest.raises(ValueError, match="another model: depth 1, now 2"):
        train(
            path, "vit", pictures, *SPLIT, recipe=recipe, config=CONFIG | {"depth": 2}, resume=True
        )


def test_a_file_in_the_place_of_the_log_is_spared(tmp_path, pictures) -> None:
    path = tmp_path / "model.safetensors"
    log = tmp_path / "model.safetensors.csv"
    log.write_text("path,label\n")
    with pytest.raises(FileExistsError):
        _train(path, pictures, *SPLIT, RECIPE, resume=True)
    assert log.read_text() == "path,label\n"
    assert not path.exists()


def test_the_log_tells_the_rate_of_each_epoch(tmp_path, pictures) -> None:
    path = tmp_path / "model.safetensors"
    _train(path, pictures, *SPLIT, RECIPE)
    rates = [row["learning_rate"] for row in checkpoint.load(path).training["history"]]
    assert rates[1:] == pytest.approx([1e-3, 1e-4])  # the milestone is after the second epoch
    assert 1e-4 < rates[0] < 1e-3  # on the way up


def test_a_model_knows_what_it_learned_from(tmp_path, pictures) -> None:
    path = tmp_path / "model.safetensors"
    _train(path, pictures, *SPLIT, RECIPE)
    learned = checkpoint.load(path).training["learned"]
    assert learned == [mark(pictures.names[i]) for i in SPLIT[0]]


@pytest.mark.parametrize(
    ("model", "config", "message"),
    [
        ("gmlp", {"patch": 0}, "patch 0, expected at least 1"),
        ("gmlp", {}, "pictures of height 16, expected 192"),
        ("vit", {"heads": 3}, "3 heads, expected a divisor of the dimension 8"),
        ("vit", {"heads": 0}, "heads 0, expected at least 1"),
        ("block_set", {"components": 4}, "components 4, expected 1 or 3"),
        ("block_set", {"features": 0}, "features 0, expected at least 1"),
        ("block_set", {"dropout": 1}, "dropout 1, expected 0 to below 1"),
        ("block_set", {"keep": 0}, "keep 0, expected above 0 to 1"),
        ("gmlp", {"stochastic_depth": float("nan")}, "stochastic_depth nan, expected 0 to below"),
        ("resnet", {"blocks": ()}, "blocks (), expected at least 1"),
        ("resnet", {"blocks": (3, 0)}, "blocks (3, 0), expected at least 1"),
    ],
)
def test_settings_that_do_not_go_together(tmp_path, pictures, model, config, message) -> None:
    config = (CONFIG if model == "vit" else {}) | config
    with pytest.raises(ValueError, match=re.escape(message)):
        train(tmp_path / "a", model, pictures, *SPLIT, recipe=RECIPE, config=config)
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_checkpoint(tmp_path) -> None:
    path = tmp_path / "a"
    with pytest.raises(FileNotFoundError):
        checkpoint.load_model(path)
    path.write_bytes(b"no tensors")
    with pytest.raises(ValueError, match="not a model that jpegcrypt trained"):
        checkpoint.load_model(path)
    network = create("resnet", classes=2, blocks=[1], channels=8)
    checkpoint.save(path, network, ["a", "b"], {})
    data: bytes = path.read_bytes()
    size = int.from_bytes(data[:8], "little")
    tensors = {k: v for k, v in safetensors.torch.load(data).items() if "classify" not in k}
    with safetensors.safe_open(path, "pt") as file:
        lacking = safetensors.torch.save(tensors, file.metadata())

    def changed(old: bytes, new: bytes) -> bytes:
        header = data[8 : 8 + size].replace(old, new)
        assert header != data[8 : 8 + size]
        return len(header).to_bytes(8, "little") + header + data[8 + size :]

    for broken in (
        data[: len(data) // 2],
        data[:-1],
        data[:8] + b"x" + data[9:],
        lacking,
        changed(b"classes", b"klasses"),
        changed(rb"\"classes\": [\"a\", \"b\"]", rb"\"classes\": 7"),
        changed(b"resnet", b"nosuch"),
        changed(rb"\"training\": {}", rb"\"training\": {\"learned\": 5}"),
        changed(rb"\"channels\": 8", rb"\"channels\": 0"),
    ):
        path.write_bytes(broken)
        with pytest.raises(ValueError, match="not a model that jpegcrypt trained"):
            checkpoint.load_model(path)
