"""Real photographs, encrypted with a fresh nonce each, are found again without the key."""

import json
import shutil
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.photographs import labelled_crops
from jpegcrypt import Key, encrypt
from jpegcrypt.dataset import encrypt_dataset
from jpegcrypt.retrieval import checkpoint, models
from jpegcrypt.retrieval.embed import features_of
from jpegcrypt.retrieval.folders import stratified
from jpegcrypt.retrieval.metrics import cosine, score
from jpegcrypt.retrieval.models import recipe
from jpegcrypt.retrieval.train import read_pictures, train
from transcripts import jpegcrypt


@pytest.fixture(scope="session")
def ciphers(tmp_path_factory) -> Path:
    """A folder for each of five photographs, with 20 encrypted parts of it."""
    root = Path(tmp_path_factory.mktemp("learning"))
    labelled_crops(root / "plain")
    encrypt_dataset(root / "plain", root / "cipher", Key(bytes(32)))
    return root / "cipher"


@pytest.fixture(autouse=True)
def one_thread():
    """Small models gain nothing from threads, and lose much where processors are shared."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


SIZES = {"words": 32, "chroma_words": 16, "hidden": 64, "features": 32}
SETTINGS = " ".join(f"--set {name}={value}" for name, value in SIZES.items())


def test_finds_parts_of_the_same_photograph(tmp_path, ciphers) -> None:
    pictures, skipped = read_pictures([ciphers], "coefficients")
    assert skipped == []
    learn, test = stratified(pictures.labels)
    short = replace(recipe("block_set"), epochs=5, warmup=1, batch_pictures=5)
    path = tmp_path / "model.safetensors"
    network = train(path, "block_set", pictures, learn, test, recipe=short, config=SIZES)
    features = features_of(network, pictures.versions[0], test)
    full = score(cosine(features, features), pictures.labels[test])["full"]
    assert full.chance < 0.3
    assert full.mean > 0.75
    assert checkpoint.load(path).training["history"][-1]["mAP"] == pytest.approx(full.mean)


def test_the_command_trains_and_goes_on(tmp_path, ciphers) -> None:
    out = tmp_path / "model.safetensors"
    line = f"train {ciphers} {out} {SETTINGS} --set epochs=1 --set batch_pictures=5"
    result = jpegcrypt(line)
    assert result.exit_code == 0, result.output
    assert "trained on 70 pictures of 5 classes, mAP 0." in result.output
    assert checkpoint.load(out).training["recipe"]["epochs"] == 1
    assert (
        (tmp_path / "model.safetensors.csv")
        .read_text()
        .startswith("epoch,loss,learning_rate,mAP,seconds\n1,")
    )
    result = jpegcrypt(line)
    assert result.exit_code == 1
    assert "the file exists\nhint: --resume goes on with it" in result.output
    again = jpegcrypt(f"{line} --resume")
    assert again.exit_code == 0
    assert again.output.endswith("already trained on 70 pictures of 5 classes\n")
    result = jpegcrypt(f"{line} --resume --set epochs=2")
    assert "a checkpoint of another recipe: epochs 1, now 2" in result.output
    assert result.exit_code == 1


def test_only_pictures_that_are_new_are_evaluated(tmp_path, ciphers) -> None:
    out, index = tmp_path / "model.safetensors", tmp_path / "index.npz"
    options = f"{SETTINGS} --set epochs=1 --set batch_pictures=5 --split unseen-classes"
    told = jpegcrypt(f"train {ciphers} {out} {options}")
    assert "trained on 60 pictures of 3 classes" in told.output
    encrypt_dataset(ciphers.parent / "plain", tmp_path / "anew", Key(bytes(32)))
    assert jpegcrypt(f"embed {tmp_path / 'anew'} {index} --model {out}").exit_code == 0
    told = json.loads(jpegcrypt(f"evaluate {index} --json").stdout)
    assert (told["learned"], told["queries"]) == (60, 40)


def test_other_encryptions_are_of_the_same_pictures(tmp_path, ciphers) -> None:
    def chosen(name: str, numbers: range):
        table = tmp_path / f"{name}.csv"
        rows = [f"{ciphers / f'coffee/{i}.jpg'},x" for i in numbers]
        table.write_text("\n".join(["path,label", *rows]))
        return table

    with pytest.raises(ValueError, match=r"expected the same pictures .* is in one of them alone"):
        read_pictures([chosen("a", range(3)), chosen("b", range(1, 4))], "coefficients")
    small = tmp_path / "small" / "coffee"
    small.mkdir(parents=True)
    for i in range(3):
        (small / f"{i}.jpg").write_bytes(encrypt(np.zeros((16, 16), np.uint8), Key(bytes(32))))
    large = tmp_path / "large" / "coffee"
    shutil.copytree(
        ciphers / "coffee", large, ignore=lambda _, n: {f for f in n if len(f) > 5 or f[0] > "2"}
    )
    for domain in ("pixels", "coefficients"):
        with pytest.raises(
            ValueError, match=r"small: pictures of (height 16|components 1), .* as in .*large"
        ):
            read_pictures([large.parent, small.parent], domain)


def test_the_command_leaves_broken_files_out(tmp_path, ciphers) -> None:
    listed = [
        path for path in sorted(ciphers.rglob("*.jpg")) if int(path.name.partition(".")[0]) < 4
    ]
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(listed[0].read_bytes()[:300])
    rows = [f"{path},{path.parent.name}" for path in listed] + [f"{broken},coffee"]
    (tmp_path / "data.csv").write_text("\n".join(["path,label", *rows]))
    out = tmp_path / "model.safetensors"
    line = f"train {tmp_path / 'data.csv'} {out} {SETTINGS} --set epochs=1 --split all"
    result = jpegcrypt(line)
    assert result.exit_code == 0, result.output
    assert f"{broken}: " in result.output
    assert "1 pictures left out" in result.output
    assert "trained on 20 pictures of 5 classes" in result.output


def test_what_the_command_refuses(tmp_path, ciphers) -> None:
    out = tmp_path / "model.safetensors"
    for options, said in (
        (
            "--model mlp",
            "no model mlp\nhint: one of block_set, code_transformer, dct_histogram, gmlp, "
            "resnet, vit",
        ),
        (
            "--set depth=3",
            "no setting 'depth=3' of block_set\nhint: NAME=VALUE, NAME one of batch_",
        ),
        ("--model gmlp --set patch=7", "pictures of 128x192, expected multiples of the patch, 7"),
        ("--model gmlp --set patch=0", "jpegcrypt: patch 0, expected at least 1"),
        ("--set components=1", "jpegcrypt: pictures of components 3, expected 1 as the model"),
    ):
        result = jpegcrypt(f"train {ciphers} {out} {options}")
        assert result.exit_code == 1
        assert said in result.output
    assert not out.exists()
    log = tmp_path / "model.safetensors.csv"
    log.write_text("path,label\n")
    result = jpegcrypt(f"train {log} {out}")
    assert f"{log}: the file exists\nhint: the log of {out} goes there: move it" in result.output
    assert log.read_text() == "path,label\n"
    result = jpegcrypt(f"train {ciphers} {tmp_path / 'missing' / 'model'}")
    assert result.exit_code == 1
    assert "missing" in result.output


def test_the_command_says_what_is_missing(tmp_path) -> None:
    program = (
        "import sys; sys.modules['torch'] = None; from jpegcrypt.cli import main; "
        f"main(['train', 'photos', {str(tmp_path / 'out')!r}])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == (
        "jpegcrypt: this needs torch, which is not installed\n"
        "hint: pip install 'jpegcrypt[retrieval]'\n"
    )


def test_settings_of_models_and_training_have_different_names() -> None:
    for name in models.names():
        assert not models.settings(name).keys() & {field.name for field in fields(recipe(name))}
