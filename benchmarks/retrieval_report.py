"""The report on retrieval: what the result files say, with what the papers printed beside it.

Numbers of the papers stand in ``results/retrieval/paper-*.json``, under the data that they were
measured on. Ours never stand in such a column.
"""

import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

PAPERS = Path(__file__).parent / "results" / "retrieval"
RATIOS = (
    ("block_set-nonce", "block_set-plain", "the price of encryption for ours: cipher over plain"),
    (
        "block_set-nonce-other-split",
        "block_set-plain-other-split",
        "that price on another split of the pictures",
    ),
    (
        "block_set-nonce-unseen",
        "block_set-plain-unseen",
        "that price on classes that nobody learned",
    ),
    (
        "dct_histogram-nonce",
        "dct_histogram-plain",
        "that price for `dct_histogram`, which was not made for what encryption leaves",
    ),
    ("gmlp-fixed", "gmlp-plain", "that price for lu2022's model, fixed keys"),
    ("gmlp-fixed-levels", "gmlp-plain", "the same with level shifts"),
    ("gmlp-nonce", "gmlp-plain", "that price for lu2022's model, nonce keys"),
    ("block_set-nonce", "gmlp-plain", "ours with nonce keys over lu2022's model on plain files"),
    ("block_set-nonce", "gmlp-nonce", "ours over lu2022's model, nonce keys"),
    (
        "block_set-nonce-unseen",
        "gmlp-nonce-unseen",
        "ours over lu2022's model, nonce keys, classes that neither learned",
    ),
    (
        "block_set-nonce",
        "gmlp-nonce-levels",
        "ours over lu2022's model with level shifts, nonce keys",
    ),
    ("block_set-nonce", "gmlp-fixed", "ours with nonce keys over lu2022's model with fixed"),
    (
        "block_set-nonce",
        "gmlp-fixed-levels",
        "ours with nonce keys over lu2022's model with fixed and level shifts",
    ),
    (
        "block_set-nonce-batchnorm-head-triplet",
        "gmlp-fixed-levels",
        "ours with nonce keys and lu2022's head and loss over lu2022's model with fixed keys and "
        "level shifts",
    ),
)
RULES = ("full", "top100_found", "top100_R", "recall@10", "recall@30", "precision@10", "ndcg")

Result = dict[str, Any]


def report(folder: Path) -> str:
    """Return the report on all result files in a folder, as Markdown."""
    parts = ["# Retrieval on encrypted pictures\n", __doc__.partition("\n")[0] + "\n"]
    parts += [_data_set(name, results) for name, results in read(folder).items()]
    parts.append(_papers())
    return "\n".join(parts)


def read(folder: Path) -> dict[str, list[Result]]:
    """Return the results of each data set in a folder."""
    found: dict[str, list[Result]] = defaultdict(list)
    for path in sorted(folder.glob("*.json")):
        if not path.name.startswith("paper-"):
            result = json.loads(path.read_text("utf-8"))
            found[result["data"]["name"]].append(result)
    return found


def by_run(results: list[Result]) -> dict[str, list[Result]]:
    """Return the results of each run, one for each seed."""
    runs: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        runs[result["run"]["name"]].append(result)
    return runs


def _data_set(name: str, results: list[Result]) -> str:
    runs = by_run(results)
    data = results[0]["data"]
    lines = [
        f"## {name}\n",
        f"{data['pictures']} pictures of {data['classes']} classes. Each test picture is searched "
        "among the other test pictures. Means over seeds, with the standard deviation of `full` "
        "where there are several. Chance stands for a random order.\n",
        "| run | split | seeds | epochs | parameters | " + " | ".join(RULES) + " | training |",
        "|---|---|---|---|---|" + "---|" * len(RULES) + "---|",
    ]
    by_split: dict[str, Result] = {}
    for run, same in runs.items():
        first = same[0]
        by_split.setdefault(first["run"]["split"], first)
        cells = [f"{average(same, rule):.4f}" for rule in RULES]
        if len(same) > 1:
            cells[0] += f" ± {spread(same, 'full'):.4f}"
        minutes = mean(one["seconds"]["training"] for one in same) / 60
        lines.append(
            f"| {run} | {first['run']['split']} | {len(same)} | {epochs(first)} | "
            f"{first['parameters']:,} | {' | '.join(cells)} | {minutes:.1f} min |"
        )
    for split, first in by_split.items():
        cells = [f"{first['scores'][rule]['chance']:.4f}" for rule in RULES]
        lines.append(f"| chance | {split} | | | | {' | '.join(cells)} | |")
    lines.append("")
    for ours, other, what in RATIOS:
        if ours in runs and other in runs:
            found = ratio(runs[ours], runs[other])
            told = shortfall(runs[ours], runs[other])
            lines.append(f"* {what}: {found:.3f} of mAP, rule `full`{told}")
    machines = sorted({one["environment"]["processor"] for one in results})
    threads = sorted({str(one["environment"]["threads"]) for one in results})
    lines.append(f"\nMachine: {', '.join(machines)}; threads: {', '.join(threads)}.\n")
    return "\n".join(lines)


def average(results: Sequence[Result], rule: str) -> float:
    """Return the mean of a measure over seeds."""
    return mean(float(one["scores"][rule]["mean"]) for one in results)


def spread(results: Sequence[Result], rule: str) -> float:
    """Return the standard deviation of a measure over seeds, of which there are several."""
    return stdev(float(one["scores"][rule]["mean"]) for one in results)


def ratio(ours: Sequence[Result], other: Sequence[Result]) -> float:
    """Return how many times the mAP, rule "full", of another run ours has.

    Of the seeds that both have, where there are some: like with like.
    """
    common = {one["run"]["seed"] for one in ours} & {one["run"]["seed"] for one in other}
    same = [
        [one for one in run if not common or one["run"]["seed"] in common] for run in (ours, other)
    ]
    return average(same[0], "full") / average(same[1], "full")


def shortfall(*runs: Sequence[Result]) -> str:
    """Return which of the runs compared had fewer epochs than their models ask for."""
    return "".join(
        f"; `{first['run']['name']}` after {epochs(first)} epochs"
        for first, *_ in runs
        if is_cut_short(first)
    )


def epochs(result: Result) -> str:
    """Return how many epochs a run had, and how many its model asks for if it had fewer."""
    had = result["recipe"]["epochs"]
    return f"{had} of {result['epochs_of_model']}" if is_cut_short(result) else str(had)


def is_cut_short(result: Result) -> bool:
    """Whether a run had fewer epochs than its model asks for; old results do not say."""
    had = result["recipe"]["epochs"]
    return bool(had < result.get("epochs_of_model", had))


def printed(paper: str) -> dict[str, str]:
    """Return what the tables of a paper print, by what it is about."""
    rows = json.loads((PAPERS / f"paper-{paper}.json").read_text("utf-8"))["rows"]
    return {row["what"]: row["value"] for row in rows}


def fastest(found: dict[str, Any]) -> tuple[float, float]:
    """Return of `benchmarks/retrieval_speed.py` pictures a second, and processor ms for each."""
    pictures, rounds = found["pictures"], found["rounds"]
    rate = pictures / min(one["seconds"] for one in rounds)
    return rate, 1000 * min(one["processor_seconds"] for one in rounds) / pictures


def _papers() -> str:
    lines = ["## What the papers print\n", "On other data than ours, by a rule they do not name.\n"]
    for path in sorted(PAPERS.glob("paper-*.json")):
        paper = json.loads(path.read_text("utf-8"))
        lines += [
            f"### {paper['paper']}, {paper['data']}\n",
            "| table | what | number |",
            "|---|---|---|",
        ]
        lines += [f"| {row['table']} | {row['what']} | {row['value']} |" for row in paper["rows"]]
        lines.append("")
    return "\n".join(lines)
