"""The benchmark of leaks runs, goes on where it stopped, and the documents say what it found."""

import json
from pathlib import Path

import pytest
from PIL import Image

pytest.importorskip("matplotlib", reason="matplotlib is not installed; the dev extra has it")

from benchmarks import leakage, leakage_figures
from checks import tiles

ROOT = Path(__file__).parents[1]
RESULT = leakage.RESULTS / "leakage.json"


def test_a_small_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leakage, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(leakage, "BANKS", ("authors16",))
    monkeypatch.setattr(leakage, "KEY_MODES", ("nonce", "fixed"))
    monkeypatch.setattr(leakage, "QUICK_PICTURES", 3)
    monkeypatch.setattr(leakage, "SIZE", (96, 64))
    (tmp_path / "photos").mkdir()
    for i, picture in enumerate(tiles(3)):
        Image.fromarray(picture).save(tmp_path / f"photos/{i}.png")
    arguments = ["--quick", "--data", str(tmp_path / "photos"), "--out", str(tmp_path / "out")]
    assert leakage.main(arguments) == 0
    text = (tmp_path / "out/leakage.json").read_text()
    found = json.loads(text)
    assert found["data"] == "photos (3 pictures)"
    assert str(tmp_path) not in text
    assert [c["settings"]["key_mode"] for c in found["configurations"]] == ["nonce", "fixed"]
    assert (tmp_path / "out/authors16-fixed-permuted.html").exists()

    def again(*_: object) -> None:
        raise AssertionError("done already")

    monkeypatch.setattr(leakage, "one_configuration", again)
    assert leakage.main(arguments) == 0
    assert (tmp_path / "out/leakage.json").read_text() == text

    shown = leakage_figures.policy_text(found | {"one_known_picture": []})
    assert "known plaintext opens the other pictures" in shown
    assert leakage_figures.short_text(found, bank="authors16").count("\n| ") == 3


def test_the_documents_are_current() -> None:
    assert leakage_figures.main(["--check"]) == 0, f"run: {leakage_figures.COMMAND}"
    with pytest.raises(ValueError, match="no line"):
        leakage_figures.with_figures("nothing", "x")


def test_the_results_are_small() -> None:
    assert sum(path.stat().st_size for path in leakage.RESULTS.iterdir()) < 1_000_000
    assert "/" not in json.loads(RESULT.read_text())["data"]


def test_what_was_measured() -> None:
    """The claims that the documents make in words, on the committed results."""
    found = json.loads(RESULT.read_text())
    for row in found["exact"]:
        assert row["|DCC|"] == 0
        assert (row["|ACC|"] == 0) == (row["ACH"] == 0) == (not row["rotation"])
    assert {c["settings"]["bank"] for c in found["configurations"]} == {*leakage.BANKS}
    for one in found["configurations"]:
        bank, mode = one["settings"]["bank"], one["settings"]["key_mode"]
        for name in leakage_figures.HISTOGRAMS:
            assert leakage_figures.row(one, name)["smallest"] > 0, (bank, name)
        assert leakage_figures.row(one, "block energies")["own_key"]["value"] > 0.95
        verdicts = {(a["attack"], a["verdict"]) for a in one["attacks"] if not a["is_bound"]}
        assert ("reidentification", "works") in verdicts
        if one["settings"]["quality"] != leakage.QUALITIES[0]:
            continue
        for name in ("known_plaintext", "chosen_plaintext", "many_pictures"):
            wanted = "works" if mode == "fixed" else "fails"
            assert {v for a, v in verdicts if a == name} == {wanted}, one["settings"]
        for name in ("outline", "jigsaw", "replacement"):
            assert {v for a, v in verdicts if a == name} == {"fails"}, one["settings"]
    best = {50: 0.0, 75: 0.0}
    for row in found["one_known_picture"]:
        if row["bank"] == "authors16":
            placed = row["luma blocks placed, known picture"]
            best[row["quality"]] = max(best[row["quality"]], placed)
    assert best[50] >= 0.95
    assert best[75] >= 0.99
    assert found["key_space"]["bits"]["equation (10) of the paper"] == pytest.approx(
        41184.8, abs=0.05
    )
