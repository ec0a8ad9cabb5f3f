"""Table II of lu2022 and of feng2021: what they print, beside what was measured here by every rule.

The papers measure on Corel-10K and name no rule, so no number of theirs can be set against one of
ours. Nearer to it comes how many times chance a method finds; the printed numbers are divided by
the chance of the two rules that this family of papers uses. That still grows with the number of
classes, of which Corel-10K has twice as many: `unsupervised.py` measures by how much.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import retrieval_report
from jpegcrypt.retrieval.metrics import AP_RULES

RETRIEVAL = Path(__file__).parent / "results" / "retrieval"
RULES = (*AP_RULES, "recall@10", "recall@30")
LIKELY = ("full", "top100_found")
LEAST_TIMES = 1.5  # chance, of what `growth` looks at
RELEVANT, GALLERY = 29, 2999  # of a query in the test part of Corel-10K, 30 pictures of 100 classes

# What the papers print, and the scheme here, or the trained run.
ROWS: dict[str, dict[str, str]] = {
    "lu2022": {
        "mAP, Zhang": "zhang2014",
        "mAP, Liang, printed as Cheng [10]": "liang2019",
        "mAP, Xia, BOEW": "xia2019_boew",
        "mAP, Cheng, Markov process": "cheng2016_markov",
        "mAP, Feng, P = 16, M = 72": "vit-feng2021-p16-q3-m0.5-a1.0",
        "mAP, their gMLP": "gmlp-fixed-levels",  # their files keep colors where ours move them
    },
    "feng2021": {
        "mAP, Zhang": "zhang2014",
        "mAP, Li and Situ": "lisitu2019",
        "mAP, Liang": "liang2019",
        "mAP, Xia 2019": "xia2019",
        "mAP, Xia, BOEW": "xia2019_boew",
        "mAP, Xu": "xu2017",
        "mAP, Wang, AES": "wang2020",
        "mAP, Xia, LBP": "xia2020_lbp",
        "mAP, ViT, P = 8, M = 96, alpha 1, m 0.5": "vit-feng2021-p8-q1-m0.5-a1.0",
        "mAP, ViT, P = 8, M = 192, alpha 0.5, m 0.5": "vit-feng2021-p8-q2-m0.5-a0.5",
        "mAP, ViT, P = 8, M = 288, alpha 0.5, m 0.5": "vit-feng2021-p8-q3-m0.5-a0.5",
        "mAP, ViT, P = 16, M = 24, alpha 1, m 0.3": "vit-feng2021-p16-q1-m0.3-a1.0",
        "mAP, ViT, P = 16, M = 48, alpha 0.5, m 0.3": "vit-feng2021-p16-q2-m0.3-a0.5",
        "mAP, ViT, P = 16, M = 72, alpha 1, m 0.5": "vit-feng2021-p16-q3-m0.5-a1.0",
    },
}

Found = Mapping[str, Any]


def lines(search: Found, retrieval: Path = RETRIEVAL) -> Iterator[str]:
    """Yield both tables as Markdown.

    Parameters
    ----------
    search : dict
        The results of `benchmarks/unsupervised.py`.
    retrieval : Path
        The folder of the results of `benchmarks/retrieval.py`; runs on other data do not count.
    """
    data = search["data"].partition(" (")[0]
    trained = trained_on(search["data"], retrieval)
    measured = {row["scheme"]: row for row in search["schemes"]}
    chance = {rule: one["chance"] for rule, one in search["schemes"][0]["scores"].items()}
    likely = " and ".join(f"`{rule}`" for rule in LIKELY)
    yield f"On `{data}`; what is printed, on Corel-10K. In brackets: times chance, and of what is"
    yield f"printed how many times chance it would be by {likely}. Milliseconds of"
    yield "processor time: of owner and server for a picture, and of a search among all others,"
    yield f"on {search['machine']}, which did other work, too."
    grown = {rule: growth(search, rule) for rule in LIKELY}
    if all(grown.values()):
        ranges = (f"{min(one):.2f} to {max(one):.2f} by `{rule}`" for rule, one in grown.items())
        yield "Times chance changes with the number of classes: from half of those here to all it"
        yield f"grows by a factor of {', '.join(ranges)}, for the schemes that find at"
        yield f"least {LEAST_TIMES} times chance. Corel-10K has twice as many classes."
    for paper, rows in ROWS.items():
        printed = retrieval_report.printed(paper)
        yield ""
        yield f"Table II of {paper}:"
        yield ""
        yield f"| | printed | measured | {' | '.join(RULES)} | ms, picture | ms, query |"
        yield f"|---|---|---|{'--:|' * (len(RULES) + 2)}"
        for what, name in rows.items():
            cells = [what.removeprefix("mAP, "), over_chance(float(printed[what])), f"`{name}`"]
            if name in measured:
                cells += measured_cells(measured[name])
            elif name in trained:
                values = {rule: retrieval_report.average(trained[name], rule) for rule in RULES}
                cells += [
                    f"{values[rule]:.4f} ({values[rule] / chance[rule]:.1f})" for rule in RULES
                ]
                cells += ["", ""]
                if retrieval_report.is_cut_short(first := trained[name][0]):
                    cells[2] += f", {retrieval_report.epochs(first)} epochs"
            else:
                cells += ["not run", *[""] * (len(RULES) + 1)]
            yield f"| {' | '.join(cells)} |"
        by_rule = " or ".join(f"{one:.4f}" for one in likely_chance())
        yield f"| chance | {by_rule} | | {' | '.join(f'{chance[r]:.4f}' for r in RULES)} | | |"


def growth(search: Found, rule: str) -> list[float]:
    """Return by what factor times chance grows from half of the classes to all, for each scheme.

    Schemes that find less than `LEAST_TIMES` chance are left out, and those not measured this way.
    """
    found = []
    for row in search["schemes"]:
        score = row["scores"][rule]
        times = score["mean"] / score["chance"]
        if times >= LEAST_TIMES and "half_of_the_classes" in row:
            found.append(times / row["half_of_the_classes"][rule])
    return found


def trained_on(data: str, retrieval: Path = RETRIEVAL) -> dict[str, list[Any]]:
    """Return the results of the runs on some data, by name; one for each seed."""
    found = retrieval_report.read(retrieval)
    return retrieval_report.by_run(found.get(data.partition(" (")[0], []))


def measured_cells(row: Found) -> list[str]:
    scores, time = row["scores"], row["milliseconds"]
    return [
        *(
            f"{scores[rule]['mean']:.4f} ({scores[rule]['mean'] / scores[rule]['chance']:.1f})"
            for rule in RULES
        ),
        f"{time['encrypt'] + time['features']:.1f}",
        f"{time['query']:.2f}",
    ]


def likely_chance() -> list[float]:
    """Return the chance of each likely rule on Corel-10K."""
    relevant = np.array([RELEVANT])
    return [float(AP_RULES[rule].chance(relevant, GALLERY)[0]) for rule in LIKELY]


def over_chance(printed: float) -> str:
    """Return a printed number with how many times chance it is by each likely rule."""
    return f"{printed:.4f} ({' or '.join(f'{printed / one:.1f}' for one in likely_chance())})"
