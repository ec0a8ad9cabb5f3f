"""The quality benchmark compares what it says, and a run repeats exactly."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("skimage", reason="scikit-image is not installed; the dev extra has it")

from benchmarks import quality
from benchmarks.photographs import JPEG_BORN, photograph


def test_two_small_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, stored = tmp_path / "two", tmp_path / "quality.json"
    folder.mkdir()
    Image.fromarray(photograph("chelsea")[:96, :128]).save(folder / "cat.png")
    Image.fromarray(photograph("camera")[100:180, 200:300]).save(folder / "man.tif")
    (folder / "LICENSE").touch()
    arguments = ["--data", str(folder), "--json", str(stored)]
    assert quality.main([*arguments, "--name", "Small ones"]) == 0
    first = stored.read_text()
    found = json.loads(first)
    assert found["data"] == "Small ones (2 pictures)"
    settings = {(row["quality"], row["subsampling"]) for row in found["settings"]}
    assert settings == {(q, s) for q in quality.QUALITIES for s in quality.SUBSAMPLINGS}
    for row in found["settings"]:
        assert row["worst"] <= row["mean"]
        assert row["worst"] > -0.3
        assert row["worst_picture"] in ("cat.png", "man.tif")
        assert 0 <= row["worse_by_a_tenth"] + row["better_by_a_tenth"] <= 2
        assert 0.8 < row["bytes_over_plain"] < row["bytes_over_optimized"] < 1.5
    assert "Small ones" in capsys.readouterr().out
    assert str(tmp_path) not in first

    assert quality.main(arguments) == 0
    assert json.loads(stored.read_text()) == found | {"data": "two (2 pictures)"}


def test_a_difference() -> None:
    original = np.full((10, 10), 100, np.uint8)
    assert quality.difference(original, original + np.uint8(1), original + np.uint8(10)) == (
        pytest.approx(20)
    )
    assert quality.difference(original, original, original) == 0
    off = original.copy()
    off[0, 0] += 1
    assert quality.difference(original, off, original) == 0


def test_a_summary() -> None:
    measured = [
        quality.Measured("one", 0.3, 100, 90, 110),
        quality.Measured("two", -0.2, 300, 270, 310),
        quality.Measured("three", -0.1, 100, 90, 90),
    ]
    found = quality.summary(measured, 75, "4:2:0")
    assert (found.mean, found.worst, found.worst_picture) == (0, -0.2, "two")
    assert (found.worse_by_a_tenth, found.better_by_a_tenth) == (1, 1)
    assert (found.bytes_over_plain, found.bytes_over_optimized) == (1.02, 1.1333)


def test_the_photographs_of_scikit_image() -> None:
    names = [name for name, _ in quality.pictures(None)]
    assert len(names) == 7
    assert not set(names) & {*JPEG_BORN}


def test_nothing_to_measure(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(SystemExit, match="2"):
            quality.main(["--data", str(folder)])


def test_the_committed_result_names_no_folder() -> None:
    stored = json.loads(quality.RESULT.read_text("utf-8"))
    assert "/" not in stored["data"]
    assert len(stored["settings"]) == len(quality.QUALITIES) * len(quality.SUBSAMPLINGS)
