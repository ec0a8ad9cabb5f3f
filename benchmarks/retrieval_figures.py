"""Put the measured figures into docs/retrieval.md, from the results of `benchmarks/retrieval.py`.

They come from ``results/retrieval/`` and, for the time that embedding takes, from ``speed/`` in
there. --check only compares.
"""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import paper_sweeps
from benchmarks.documents import update, with_block
from benchmarks.retrieval_report import (
    RATIOS,
    Result,
    average,
    by_run,
    epochs,
    fastest,
    is_cut_short,
    ratio,
    read,
    shortfall,
    spread,
)

DOCUMENT = Path(__file__).parents[1] / "docs" / "retrieval.md"
RESULTS = Path(__file__).parent / "results" / "retrieval"
COMMAND = "python benchmarks/retrieval_figures.py"
MEASURES = {"full": "mAP", "precision@10": "precision@10", "recall@30": "recall@30"}
LEAST = {  # of mAP of the first over the second
    ("block_set-nonce", "block_set-plain"): 0.9,
    ("block_set-nonce", "gmlp-nonce"): 1.5,
    ("block_set-nonce", "gmlp-nonce-levels"): 1.5,
    ("block_set-nonce", "gmlp-fixed"): 1.0,
    ("block_set-nonce", "gmlp-fixed-levels"): 1.0,
}
WHOLE = ("block_set-nonce", "gmlp-nonce")  # what the runs of an ablation are compared with
OURS = "block_set"
PICTURES_A_SECOND = 300  # to embed, on two processors


def lines(results: Path) -> Iterator[str]:
    """Yield the figures of a folder of results, line by line, as Markdown."""
    for name, found in read(results).items():
        runs = by_run(found)
        data = found[0]["data"]
        machines = sorted({one["environment"]["processor"] for one in found})
        quality = sorted({one["run"]["cipher"].get("quality") for one in found} - {None})
        yield f"On {name}: {data['pictures']} pictures of {data['classes']} classes, quality"
        yield f"{', '.join(map(str, quality))}, {', '.join(machines)}. Means over seeds,"
        yield "of mAP with the standard deviation; ratios are of the seeds that both sides have."
        yield ""
        parts = {k: v for k, v in runs.items() if v[0]["run"]["group"] == "ablation"}
        shown = {k: v for k, v in runs.items() if not apart(v[0])}
        yield from table(shown)
        for split, result in {one["run"]["split"]: one for one in found}.items():
            yield f"| chance, {split} | | | | {' | '.join(chance(result))} | |"
        yield ""
        yield from ratios(runs)
        if parts:
            yield ""
            yield "What parts are worth; names tell what differs from the whole model, above them,"
            yield "which stands here with the same seeds:"
            yield ""
            yield from table(dict(sorted({**dict(whole(runs, parts)), **parts}.items())))
        if "gmlp-fixed" in runs:
            yield ""
            yield "Tables of the papers; in brackets what they print, on Corel-10K, by a rule that"
            yield "they do not tell. Networks with fewer epochs than theirs say so."
            yield ""
            yield from paper_sweeps.lines(runs)
        yield ""
    speeds = [
        json.loads(path.read_text("utf-8")) for path in sorted((results / "speed").glob("*.json"))
    ]
    if speeds:
        yield from costs(speeds)


def apart(result: Result) -> bool:
    """Whether a run stands in a table of its own alone: of parts, or of what the papers varied."""
    group = result["run"]["group"]
    return group in ("ablation", "sweep") or (group == "feng2021" and is_cut_short(result))


def whole(
    runs: dict[str, list[Result]], parts: dict[str, list[Result]]
) -> Iterator[tuple[str, list[Result]]]:
    """Yield the whole models, with the seeds that all of their parts have: like with like."""
    for name in WHOLE:
        model = name.partition("-")[0]
        seeds = [
            {one["run"]["seed"] for one in same}
            for same in parts.values()
            if same[0]["run"]["model"] == model
        ]
        if seeds and name in runs:
            common = set.intersection(*seeds)
            if same := [one for one in runs[name] if one["run"]["seed"] in common]:
                yield name, same


def table(runs: dict[str, list[Result]]) -> Iterator[str]:
    yield (
        f"| run | seeds | epochs | precision | {' | '.join(MEASURES.values())} "
        "| training, minutes |"
    )
    yield f"|---|{'--:|' * (len(MEASURES) + 4)}"
    for name, same in runs.items():
        values = [f"{average(same, measure):.3f}" for measure in MEASURES]
        if len(same) > 1:
            values[0] += f" ± {spread(same, 'full'):.3f}"
        minutes = sum(one["seconds"]["training"] for one in same) / 60 / len(same)
        precision = same[0]["recipe"]["precision"]
        cells = [str(len(same)), epochs(same[0]), precision, *values, f"{minutes:.0f}"]
        yield f"| `{name}` | {' | '.join(cells)} |"


def chance(result: Result) -> list[str]:
    return [f"{result['scores'][measure]['chance']:.3f}" for measure in MEASURES]


def ratios(runs: dict[str, list[Result]]) -> Iterator[str]:
    for ours, other, what in RATIOS:
        least = LEAST.get((ours, other))
        aim = "" if least is None else f"; {least:g} was the aim"
        if ours not in runs or other not in runs:
            missing = other if ours in runs else ours
            yield f"* {what}{aim.replace(';', ':', 1)}; `{missing}` has not been run"
        else:
            found = ratio(runs[ours], runs[other])
            if least is not None:
                aim += ": reached" if found >= least else ": **missed**"
            yield f"* {what}: {found:.2f} of mAP{aim}{shortfall(runs[ours], runs[other])}"


def costs(speeds: list[Result]) -> Iterator[str]:
    yield "What a model costs: from files to features, pictures a second by the clock and"
    yield "milliseconds of processor time, the best of three rounds over so many; in training,"
    yield "processor time of a step forward and back, and of all steps of the recipe."
    yield f"{PICTURES_A_SECOND} pictures a second were the aim for `{OURS}`."
    yield "`python benchmarks/retrieval_speed.py`"
    yield ""
    yield (
        "| model | data | pictures | processor | threads | embedded a second | ms each | a step, s "
        "| training, hours |"
    )
    yield f"|---|---|--:|---|{'--:|' * 5}"
    for found in speeds:
        rate, cost = fastest(found)
        step, steps = (found["training"][k] for k in ("step_processor_seconds", "steps"))
        if found["model"] == OURS:
            told = f"{rate:.0f}, {'reached' if rate >= PICTURES_A_SECOND else '**missed**'}"
        else:
            told = f"{rate:.0f}"
        yield (
            f"| `{found['model']}` | {found['data']}, {found['size']} | {found['pictures']} "
            f"| {found['environment']['processor']} "
            f"| {found['environment']['threads']} | {told} | {cost:.1f} "
            f"| {step:.2f} | {step * steps / 3600:.2f} |"
        )


def with_figures(text: str, results: Path = RESULTS) -> str:
    """Return the document with its figures made anew."""
    figures = re.sub("\n{3,}", "\n\n", "\n".join(lines(results))).strip()
    return with_block(text, COMMAND, figures)


def main(arguments: list[str] | None = None) -> int:
    """Write the document, or compare."""
    return update({DOCUMENT: with_figures}, __doc__, arguments)


if __name__ == "__main__":
    sys.exit(main())
