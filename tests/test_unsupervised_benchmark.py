"""The search benchmark, on pictures whose classes are easy to tell."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("sklearn", reason="scikit-learn is not installed; the dev extra has it")

from benchmarks import unsupervised
from jpegcrypt.retrieval.metrics import AP_RULES


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
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").iterdir()}
    assert unsupervised.main(arguments) == 0  # goes on from what is kept
    assert kept == {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").iterdir()}


def test_a_folder_without_classes(tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        unsupervised.main(["--data", str(tmp_path), "--out", str(tmp_path / "x.json")])
