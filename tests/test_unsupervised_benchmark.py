"""The search benchmark, on pictures whose classes are easy to tell."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("sklearn", reason="scikit-learn is not installed; the dev extra has it")

from benchmarks import paper_tables, unsupervised
from jpegcrypt.retrieval.folders import LabelledFiles
from jpegcrypt.retrieval.metrics import AP_RULES, score
from jpegcrypt.schemes import names


def labelled_folder(root: Path) -> Path:
    """Write ten pictures each of flat areas, stripes and noise."""
    rng = np.random.default_rng(0)
    for kind in ("flat", "stripes", "noise"):
        folder = root / kind
        folder.mkdir(parents=True)
        for i in range(10):
            picture = np.full((48, 64, 3), rng.integers(60, 190), np.float64)
            if kind == "stripes":
                picture += 50 * np.sin(np.arange(64) * rng.uniform(0.9, 1.1))[None, :, None]
            elif kind == "noise":
                picture += rng.normal(0, 40, picture.shape)
            image = Image.fromarray(picture.clip(0, 255).astype(np.uint8))
            (image.convert("L") if i == 0 else image).save(folder / f"{i}.png")
    return root


def test_every_kind_of_descriptor_finds_the_class(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(unsupervised, "CACHE", tmp_path / "cache")
    data, out = labelled_folder(tmp_path / "data"), tmp_path / "found.json"
    chosen = ["zhang2014", "xia2020_lbp", "cheng2016_markov"]
    arguments = ["--data", str(data), "--out", str(out), "--schemes", *chosen]
    assert unsupervised.main(arguments) == 0
    rows = {row["scheme"]: row for row in json.loads(out.read_text("utf-8"))["schemes"]}
    assert [rows[name]["descriptor"] for name in chosen] == ["features", "words", "classes"]
    for row in rows.values():
        assert AP_RULES.keys() <= row["scores"].keys()
        full = row["scores"]["full"]
        assert full["chance"] < 0.5
        assert full["mean"] > 0.75
    said = capsys.readouterr().out
    assert "| Zhang | 0.1478 (12.1 or 4.1) | `zhang2014` | " in said
    assert "| Cheng, Markov process | 0.2651 (21.8 or 7.4) | `cheng2016_markov` | " in said
    assert "| Xu | 0.4252 (34.9 or 11.9) | `xu2017` | not run |" in said
    assert "| chance | 0.0122 or 0.0359 |" in said
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").iterdir()}
    assert unsupervised.main(arguments) == 0  # goes on from what is kept
    assert kept == {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").iterdir()}


def test_what_is_kept_is_true_of_code_settings_and_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unsupervised, "CACHE", tmp_path / "cache")
    monkeypatch.setenv("JPEGCRYPT_DATA", str(tmp_path))
    data = labelled_folder(tmp_path / "set")
    asked = []

    def measured(name: str, files: LabelledFiles, jobs: int) -> dict[str, Any]:
        asked.append(name)
        return {"scheme": name, "scores": {"full": {"mean": 0.5, "chance": 0.1}}}

    monkeypatch.setattr(unsupervised, "measure", measured)
    monkeypatch.setattr(paper_tables, "lines", lambda found: ())

    def runs(*more: str) -> int:
        asked.clear()
        out = str(tmp_path / "found.json")
        arguments = ["--data", "set", "--out", out, "--schemes", "zhang2014", *more]
        assert unsupervised.main(arguments) == 0
        return len(asked)

    assert (runs(), runs()) == (1, 0)
    assert runs("--fresh") == 1
    for name in ("SEED", "QUALITY"):
        monkeypatch.setattr(unsupervised, name, getattr(unsupervised, name) + 1)
        assert (runs(), runs()) == (1, 0)
    path = data / "noise" / "1.png"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1  # of the last chunk, which decoders do not need
    path.write_bytes(content)
    assert (runs(), runs()) == (1, 0)
    monkeypatch.setattr(unsupervised, "sources", lambda folder: [data / "flat" / "0.png"])
    assert (runs(), runs()) == (1, 0)
    found = json.loads((tmp_path / "found.json").read_text("utf-8"))
    assert found["data"] == "set (30 pictures, 3 classes)"
    assert found["parts"] == {"train": 21, "words": 21, "test": 9}


def test_a_folder_without_classes(tmp_path: Path) -> None:
    for data in (str(tmp_path), "no-such-set"):
        with pytest.raises(SystemExit):
            unsupervised.main(["--data", data, "--out", str(tmp_path / "x.json")])


def test_half_of_the_classes() -> None:
    """With features that tell all classes apart, times chance is one over the chance."""
    labels = np.repeat(np.arange(6), 5)
    similarity = (labels[:, None] == labels).astype(float)
    found = unsupervised.halved(similarity, labels)
    of_three = np.repeat(np.arange(3), 5)
    expected = score((of_three[:, None] == of_three).astype(float), of_three)
    for rule in paper_tables.LIKELY:
        assert found[rule] == pytest.approx(expected[rule].mean / expected[rule].chance)


def test_trained_runs_stand_beside_the_schemes(tmp_path: Path) -> None:
    search: dict[str, Any] = {
        "data": "some (30 pictures, 3 classes)",
        "machine": "some machine",
        "schemes": [
            {
                "scheme": "zhang2014",
                "scores": {rule: {"mean": 0.5, "chance": 0.1} for rule in paper_tables.RULES},
                "milliseconds": {"encrypt": 1.0, "features": 2.0, "query": 0.25},
                "half_of_the_classes": {"full": 4.0, "top100_found": 2.5},
            }
        ],
    }
    for data, value in (("some", 0.3), ("other", 0.9)):
        scores = {rule: {"mean": value} for rule in paper_tables.RULES}
        result = {"data": {"name": data}, "run": {"name": "gmlp-fixed-levels"}, "scores": scores}
        result |= {"recipe": {"epochs": 9}, "epochs_of_model": 70}
        (tmp_path / f"{data}.json").write_text(json.dumps(result))
    text = "\n".join(paper_tables.lines(search, tmp_path))
    assert "| Zhang | 0.1478 (12.1 or 4.1) | `zhang2014` | 0.5000 (5.0) |" in text
    assert "| 3.0 | 0.25 |" in text
    assert (
        "| their gMLP | 0.3172 (26.1 or 8.8) | `gmlp-fixed-levels`, 9 of 70 epochs | 0.3000 (3.0) |"
        in text
    )
    assert "1.25 to 1.25 by `full`, 2.00 to 2.00 by `top100_found`" in text
    assert "on some machine" in text
    search["schemes"][0]["scores"]["full"]["mean"] = 0.11  # next to nothing: tells no growth
    assert paper_tables.growth(search, "full") == []
    assert "0.9000" not in text
    printed = [what for rows in paper_tables.ROWS.values() for what in rows]
    assert len(printed) == sum(line.startswith("| ") for line in text.splitlines()) - 4


def test_every_run_of_the_tables_is_one_of_the_benchmark() -> None:
    retrieval = pytest.importorskip("benchmarks.retrieval", reason="PyTorch is not installed")
    known = {*names(), *(run.name for run in retrieval.runs())}
    assert {name for rows in paper_tables.ROWS.values() for name in rows.values()} <= known
