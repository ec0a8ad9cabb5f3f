"""The schemes side by side: the page holds what the committed results say, of every scheme."""

import json
from pathlib import Path

import pytest

pytest.importorskip("skimage", reason="scikit-image is not installed; the dev extra has it")

from benchmarks import schemes, schemes_figures
from jpegcrypt.schemes import names

RESULTS = json.loads(schemes.RESULTS.read_text("utf-8"))


def test_the_document_is_current() -> None:
    text = schemes_figures.DOCUMENT.read_text("utf-8")
    assert schemes_figures.with_figures(text) == text, f"run: {schemes_figures.COMMAND}"
    for name in names():
        assert f"[`{name}`]" in text
        assert f"\n| `{name}` |" in text


def test_what_is_trained_and_what_is_decoded_in_another_way_is_marked() -> None:
    text = schemes_figures.DOCUMENT.read_text("utf-8")
    cells = {line.split(" | ")[0][3:-1]: line for line in text.splitlines() if "| JPEG |" in line}
    assert {name for name, line in cells.items() if "\\* |" in line} == {
        "lu2022, givens128",
        "lu2022, authors16",
        "lisitu2019",
    }
    searched = {
        line.split(" | ")[0][3:-1] for line in text.splitlines() if ", trained" in line[-30:]
    }
    assert searched == {"lu2022, givens128", "cheng2016_markov", "feng2021"}
    assert ", trained `block_set` |" in cells["lu2022, givens128"]
    assert "each of the 1500\nof the test part" in text


def test_the_results_are_whole() -> None:
    rows = {row["scheme"]: row for row in RESULTS["schemes"]}
    assert {"feng2021", *names()} <= rows.keys()
    for row in rows.values():
        assert row["bytes_over_plain"] > 0.9
        assert row["psnr"] > 25
        assert row["encrypt_mp_s"] >= 5, row["scheme"]


@pytest.mark.parametrize(
    ("name", "stay"),
    [
        ("zhang2014", {"DCC", "ACC"}),
        ("cheng2016_blockwise", {"DCH", "ACH"}),
        ("cheng2016_markov", {"DCH", "ACH"}),
        ("lu2022, givens128", set()),
    ],
)
def test_table_1_has_its_zeros(name: str, stay: set[str]) -> None:
    (row,) = (one for one in RESULTS["schemes"] if one["scheme"] == name)
    assert {one for one, share in row["same_histogram"].items() if share == 1} == stay


def test_the_benchmark_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schemes, "names", lambda: ("zhang2014", "liu2017"))
    monkeypatch.setattr(schemes, "TIMED", (64, 48))
    out = tmp_path / "schemes.json"
    assert schemes.main(["--data", "scikit-image", "--pictures", "3", "--out", str(out)]) == 0
    rows = {row["scheme"]: row for row in json.loads(out.read_text("utf-8"))["schemes"]}
    assert rows["zhang2014"]["same_histogram"]["ACC"] == 1
    assert rows["liu2017"]["lossless"]
    assert "same_histogram" not in rows["liu2017"]
