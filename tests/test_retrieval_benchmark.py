"""The retrieval benchmark: what it runs, that it goes on, and what its report may say."""

import json
from dataclasses import replace

import pytest
import torch
from PIL import Image

from benchmarks import (
    paper_sweeps,
    retrieval,
    retrieval_figures,
    retrieval_report,
    retrieval_speed,
)
from benchmarks.photographs import labelled_crops
from benchmarks.retrieval_report import Result
from jpegcrypt.retrieval import models


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_every_run_can_be_built() -> None:
    runs = list(retrieval.runs())
    names = [run.name for run in runs]
    assert len(set(names)) == len(names)
    assert {run.model for run in runs} == set(models.names())
    for run in runs:
        models.find(run.model)
        assert set(run.config) <= models.settings(run.model).keys()
        replace(models.recipe(run.model), **run.recipe)


def test_a_ratio_is_of_the_same_seeds() -> None:
    def results(**values: float) -> list[Result]:
        return [
            {"run": {"seed": int(seed[1:])}, "scores": {"full": {"mean": value}}}
            for seed, value in values.items()
        ]

    ours = results(s0=0.5, s1=1.0)
    assert retrieval_report.ratio(ours, results(s0=0.25)) == 2
    assert retrieval_report.ratio(ours, results(s0=0.25, s1=0.25)) == 3
    assert retrieval_report.ratio(ours, results(s2=0.25)) == 3  # none in common


def test_a_run_leaves_its_file_and_is_not_run_again(tmp_path, monkeypatch, capsys) -> None:
    source = tmp_path / "scikit-image-parts-quick" / "source"
    labelled_crops(source)
    (next(source.iterdir()) / "broken.png").touch()
    arguments = ["--quick", "--work", str(tmp_path), "--only", "block_set-nonce$"]
    retrieval.main(arguments)
    folder = tmp_path / "scikit-image-parts-quick" / "results"
    (path,) = folder.glob("*.json")
    result = json.loads(path.read_text())
    assert result["data"]["name"] == "scikit-image parts"
    assert result["data"]["left_out"] == 1
    assert result["data"]["trained_on"] + result["data"]["tested_on"] == 100
    assert result["scores"]["full"]["mean"] > 2 * result["scores"]["full"]["chance"]
    assert [row["epoch"] for row in result["curve"]] == [1, 2, 3]
    monkeypatch.setattr(retrieval, "train", lambda *_, **__: pytest.fail("trained again"))
    retrieval.main(arguments)
    report = (folder / "report.md").read_text()
    assert f"| block_set-nonce | stratified | 1 | 3 of 30 | {result['parameters']:,} |" in report
    with pytest.raises(SystemExit, match="of other settings"):
        retrieval.main([*arguments, "--set", "epochs=4"])
    next(source.rglob("[0-9]*.png")).unlink()
    path.unlink()
    with pytest.raises(SystemExit, match="made of other pictures than"):
        retrieval.main(arguments)


def test_plain_and_encrypted_pictures_are_the_same(tmp_path) -> None:
    source, work = tmp_path / "source", tmp_path / "work"
    picture = Image.new("RGB", (16, 8), "teal")
    for name in ("a/1.png", "a/2.webp", "b/1.bmp"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        picture.save(source / name)
    (source / "b" / "broken.png").touch()
    found = []
    for run in retrieval.runs():
        if run.name in ("block_set-nonce", "block_set-plain"):
            (root, *_), failed = retrieval.make_data(source, work, run, lambda done, of: None)
            found.append(
                ({path.relative_to(root).as_posix() for path in root.rglob("*.jpg")}, failed)
            )
    assert found == [({"a/1.jpg", "a/2.jpg", "b/1.jpg"}, 1)] * 2


def test_the_page_is_current() -> None:
    text = retrieval_figures.DOCUMENT.read_text("utf-8")
    assert retrieval_figures.with_figures(text) == text, f"run: {retrieval_figures.COMMAND}"


def test_speed_of_embedding(tmp_path, capsys) -> None:
    retrieval_speed.main(["--results", str(tmp_path), "--work", str(tmp_path)])
    found = json.loads((tmp_path / "scikit-image-parts-block_set.json").read_text())
    assert found["pictures"] == 100
    assert found["training"]["steps"] == 30 * 70 / 100
    assert found["training"]["step_processor_seconds"] > 0
    assert all(one["seconds"] > 0 for one in found["rounds"])
    rate, cost = retrieval_report.fastest(found)
    assert rate > 1
    assert 0 < cost < 1000
    assert f"{rate:.0f} pictures of " in capsys.readouterr().out


def test_tables_of_the_papers() -> None:
    def run(name: str, epochs: int, of: int, value: float) -> dict[str, list[Result]]:
        curve = [{"epoch": n, "loss": 1.0} for n in range(1, epochs + 1)]
        curve[4]["mAP"], curve[-1]["mAP"] = value / 2, value
        scores = {rule: {"mean": value} for rule in paper_sweeps.MEASURES}
        recipe = {"epochs": epochs}
        return {name: [{"recipe": recipe, "epochs_of_model": of, "curve": curve, "scores": scores}]}

    text = "\n".join(
        paper_sweeps.lines(
            run("gmlp-fixed", 70, 70, 0.4)
            | run("gmlp-fixed-d192-l6", 5, 70, 0.1)
            | run("gmlp-fixed-p32", 70, 70, 0.3)
            | run("vit-feng2021-p16-q3-m0.5-a1.0", 60, 60, 0.22)
            | run("vit-feng2021-p16-q2-m0.3-a0.5", 5, 60, 0.12)
            | run("resnet-feng2021-p8-q1", 60, 60, 0.13)
        )
    )
    assert "mAP after 5 epochs of 70, in which the learning rate still rises." in text
    assert models.recipe("gmlp").warmup == paper_sweeps.WARMUP
    assert (
        "| 128 | not run (0.2484) | not run (0.2741) | not run (0.2987) | 0.200 (0.3172) |" in text
    )
    assert "| 192 | 0.100 (0.2550) | not run (0.2818) |" in text
    assert "| 8 | 70 | 0.400 (0.3172) | 0.400 (0.1526) | 0.400 (0.3370) |" in text
    assert "| 16 |  | not run (0.2824) |" in text
    assert "| 32 | 70 | 0.300 (0.3046) |" in text
    assert "| 16 | 72 | 5 | not run (0.4060) | 0.110 (0.4342) | not run (0.4232) |" in text
    assert "| 16 | 48 | 5 | not run (0.4681) | not run (0.4756) | 0.120 (0.4818) |" in text
    assert "| 8 | 96 | 60 | not run (0.4910) | not run (0.5373) |" in text
    assert "not run (0.5211) | 0.130 (0.2197) |" in text
    # Every number that the papers print in these tables has its place.
    for paper in ("lu2022", "feng2021"):
        rows = json.loads((retrieval_report.PAPERS / f"paper-{paper}.json").read_text())["rows"]
        assert all(f"({row['value']})" in text for row in rows if row["table"] in ("III", "IV"))
    sizes = {f"d{d}-l{n}" for d in paper_sweeps.DIMENSIONS for n in paper_sweeps.DEPTHS}
    assert {f"gmlp-fixed-{size}" for size in sizes} <= {run.name for run in retrieval.runs()}


def test_networks_without_a_common_epoch_tell_their_own() -> None:
    def run(name: str, epochs: int) -> dict[str, list[Result]]:
        return {name: [{"curve": [{"epoch": epochs, "mAP": epochs / 100}]}]}

    text = "\n".join(
        paper_sweeps.lines(run("gmlp-fixed-d192-l6", 4) | run("gmlp-fixed-d192-l8", 3))
    )
    assert "`gmlp` with fixed keys.\n" in text
    assert "| 192 | 0.040, 4 epochs (0.2550) | 0.030, 3 epochs (0.2818) | not run" in text


def test_the_report_keeps_data_sets_apart(tmp_path) -> None:
    def result(data: str, name: str, value: float, seed: int) -> None:
        one = {
            "run": {"name": name, "split": "stratified", "seed": seed},
            "recipe": {"epochs": 7},
            "parameters": 1234,
            "data": {"name": data, "pictures": 10, "classes": 2},
            "scores": {rule: {"mean": value, "chance": 0.1} for rule in retrieval_report.RULES},
            "seconds": {"training": 90.0},
            "environment": {"processor": "abacus", "threads": 1},
        }
        (tmp_path / f"{data}-{name}-{seed}.json").write_text(json.dumps(one))

    result("a", "block_set-nonce", 0.25, 0)
    result("a", "block_set-nonce", 0.35, 1)
    result("a", "block_set-plain", 0.6, 0)
    result("b", "block_set-nonce", 0.9, 0)
    report = retrieval_report.report(tmp_path)
    first, second = report.split("## a\n")[1].split("## b\n")
    assert "| block_set-nonce | stratified | 2 | 7 | 1,234 | 0.3000 ± 0.0707 |" in first
    assert "cipher over plain: 0.417 of mAP" in first  # of seed 0
    assert "0.9000" in second.split("## What the papers print")[0]
    assert "0.9000" not in first
    assert "cipher over plain" not in second
    # The papers' numbers stand apart, under the data that they were measured on.
    ours, papers = report.split("## What the papers print")
    assert "Corel-10K" not in ours
    assert "| II | mAP, their gMLP | 0.3172 |" in papers.split("lu2022", 1)[1]


def test_a_ratio_tells_which_run_was_cut_short() -> None:
    def run(name: str, epochs: int, mean: float) -> list[Result]:
        scores = {"full": {"mean": mean}}
        return [
            {
                "run": {"name": name, "seed": 0},
                "recipe": {"epochs": epochs},
                "epochs_of_model": 70,
                "scores": scores,
            }
        ]

    runs = {"block_set-nonce": run("block_set-nonce", 70, 0.4), "gmlp-fixed": run("it", 31, 0.2)}
    lines = [line for line in retrieval_figures.ratios(runs) if "not been run" not in line]
    assert len(lines) == 1
    assert lines[0].endswith("2.00 of mAP; 1 was the aim: reached; `it` after 31 of 70 epochs")
    whole = {**runs, "gmlp-fixed": run("it", 70, 0.2)}
    assert "after" not in "".join(retrieval_figures.ratios(whole))


def test_parts_are_compared_with_the_whole_of_the_same_seeds() -> None:
    def run(name: str, values: dict[int, float]) -> dict[str, list[Result]]:
        model = name.partition("-")[0]
        return {
            name: [
                {
                    "run": {"name": name, "model": model, "seed": seed},
                    "recipe": {"epochs": 7, "precision": "bf16"},
                    "scores": {m: {"mean": value} for m in retrieval_figures.MEASURES},
                    "seconds": {"training": 60.0},
                }
                for seed, value in values.items()
            ]
        }

    parts = run("block_set-nonce-a", {0: 0.3}) | run("block_set-nonce-b", {0: 0.2, 1: 0.4})
    runs = run("block_set-nonce", {0: 0.5, 1: 0.7}) | run("gmlp-nonce", {0: 0.1}) | parts
    lines = list(retrieval_figures.table(dict(retrieval_figures.whole(runs, parts)) | parts))[2:]
    assert lines == [
        "| `block_set-nonce` | 1 | 7 | bf16 | 0.500 | 0.500 | 0.500 | 1 |",
        "| `block_set-nonce-a` | 1 | 7 | bf16 | 0.300 | 0.300 | 0.300 | 1 |",
        "| `block_set-nonce-b` | 2 | 7 | bf16 | 0.300 ± 0.141 | 0.300 | 0.300 | 1 |",
    ]
    apart = run("block_set-nonce-c", {1: 0.3})
    assert dict(retrieval_figures.whole(run("block_set-nonce", {0: 0.5}), apart)) == {}
