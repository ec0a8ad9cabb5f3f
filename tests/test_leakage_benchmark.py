"""The benchmark of leaks runs, goes on where it stopped, and the documents say what it found."""

import json
from pathlib import Path

import pytest
from PIL import Image

pytest.importorskip("matplotlib", reason="matplotlib is not installed; the dev extra has it")

from benchmarks import leakage, leakage_figures, leakage_schemes
from checks import tiles
from jpegcrypt.schemes import load, names

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
    beside = (tmp_path / "out/schemes.json").read_text()
    assert leakage_figures.schemes_text(json.loads(beside)).count("| as expected |") == 9

    def again(*_: object) -> None:
        raise AssertionError("done already")

    monkeypatch.setattr(leakage, "one_configuration", again)
    monkeypatch.setattr(leakage_schemes, "histograms", again)
    page = tmp_path / "out/authors16-fixed-permuted.html"
    before = page.read_bytes()
    page.write_text("another run's")
    assert leakage.main(arguments) == 0
    assert (tmp_path / "out/leakage.json").read_text() == text
    assert page.read_bytes() == before
    (tmp_path / "out/leakage.json").unlink()
    assert leakage.main([*arguments, "--schemes"]) == 0
    assert not (tmp_path / "out/leakage.json").exists()
    assert (tmp_path / "out/schemes.json").read_text() == beside

    shown = leakage_figures.policy_text(found | {"one_known_picture": []})
    assert "known plaintext opens the other pictures" in shown
    assert leakage_figures.short_text(found, bank="authors16").count("\n| ") == 3


def test_all_pictures_that_a_unit_sees_tell_if_it_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leakage, "CACHE", tmp_path)
    few, many, others = tiles(1), tiles(2), tiles(3)
    monkeypatch.setattr(leakage, "units", lambda few, many, quick: {"crowds": lambda: len(many)})
    counts = []
    for crowd in (many, others, many):
        monkeypatch.setattr(leakage, "load", lambda folder, count, crowd=crowd: crowd)
        counts.append(leakage.run(tmp_path, few, "some", quick=False)[1]["crowds"])
    assert counts == [2, 3, 2]


def test_statistics_are_counted_over_all_key_modes() -> None:
    """One that finds 297 of 300 counts, whichever mode the misses are in; 296 do not."""
    rates = {"nonce": (1, 0.99, 0.96), "content": (0.99, 1, 1), "fixed": (0.98, 0.98, 1)}
    configurations = [
        {
            "settings": {"quality": 75, "bank": "a", "dc": "permuted", "key_mode": mode},
            "leakage": [{"own_key": {"value": value}} for value in values],
        }
        for mode, values in rates.items()
    ]
    found = {"configurations": configurations}
    assert [leakage_figures.sure_statistics(found, one) for one in configurations] == [2, 2, 2]


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
    for one in found["transforms_told"]:
        rows = {m["name"]: m["value"] - m["chance"] for m in one["measures"]}
        if one["bank"] == leakage.BANKS[0] and one["quality"] == 95:
            assert one["verdict"] == "works", one["attack"]
        if one["bank"] == leakage.BANKS[0] and one["quality"] == 75 and "former" in one["attack"]:
            assert one["verdict"] == "fails"
            assert rows["first columns found, quality 75 before"] < 0.02
        if one["quality"] == 95 and "former" in one["attack"]:
            assert rows["old quality told, 75"] == 1, one["bank"]
    for one in found["copies"]:
        if "24 pixels" not in one["copy"]:
            assert one["level shifts"]["value"] > 0.9, one["copy"]
    assert all(one["blocks"] > 0.5 for one in found["letters"])
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


# --- all schemes ----------------------------------------------------------------------------------


def test_the_zeros_of_table_one_are_those_of_the_constructions() -> None:
    rows = leakage_schemes.histograms(tiles(3), leakage.QUALITIES)
    named = {name for name in names() if load(name).is_jpeg}
    assert {row["scheme"] for row in rows} >= named | {"cheng2016_ac", "lu2022, authors16"}
    assert leakage_schemes.EXPECTED.keys() >= named
    for row in rows:
        assert row["as_expected"], row
        for histogram, sign in zip(row["raw"], row["found"], strict=True):
            distance = row["raw"][histogram]
            assert (sign == "0") == (distance == 0)
            assert (sign == "∞") == (distance is None)


def test_a_zero_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(leakage_schemes.EXPECTED, "zhang2014", ("0", "0", "0", "x"))
    monkeypatch.delitem(leakage_schemes.EXPECTED, "liang2019")
    rows = {row["scheme"]: row for row in leakage_schemes.histograms(tiles(3), (75,))}
    text = "\n".join(leakage_schemes.lines([*rows.values()]))
    assert rows["zhang2014"]["as_expected"] is False
    assert "| 0, 0, 0, x | 0, x, 0, x | **not as expected** |" in text
    assert rows["liang2019"]["as_expected"] is None
    assert "| not said | x, x, x, 0 |  |" in text


def test_psnr_of_feng2021_falls_with_the_substituted_blocks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(leakage_schemes, "KEYS", leakage_schemes.KEYS[:3])
    rows = leakage_schemes.psnr_of_feng2021([*tiles(2), tiles(1, 192, 128)[0]])
    for block in (16, 8):
        found = [row["psnr"] for row in rows if row["P"] == block]
        assert found == sorted(found, reverse=True)
        assert 5 < found[-1] < found[0] < 15
    for row in rows:
        assert row["keys"] == 3
        assert 0 < row["deviation"] < 2
    assert " ± " in [*leakage_schemes.psnr_lines(rows)][-1]


def test_the_committed_tables_of_all_schemes() -> None:
    found = json.loads((leakage.RESULTS / "schemes.json").read_text())
    assert all(row["as_expected"] for row in found["histograms"])
    assert {row["quality"] for row in found["histograms"]} == {*leakage.QUALITIES}
    assert "/" not in found["data"]
