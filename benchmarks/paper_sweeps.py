"""Tables III and IV of lu2022 and of feng2021: networks of other sizes and settings.

In brackets stands what the papers print, which is on other data, by a rule they do not name. Our
numbers are by the rule ``full``.
"""

from collections.abc import Iterator, Mapping, Sequence

from benchmarks.retrieval_report import Result, average, epochs, is_cut_short, printed

DIMENSIONS, DEPTHS, PATCHES = (128, 192, 256, 384), (6, 8, 10, 12), (8, 16, 32)
MEASURES = {"full": "mAP", "recall@10": "recall@10", "recall@30": "recall@30"}
WEIGHTS = ((1.0, 0.3), (1.0, 0.5), (0.5, 0.3), (0.5, 0.5))  # alpha, margin
BLOCKS = {8: 96, 16: 24}  # P, and how many blocks a quarter of a picture has

Runs = Mapping[str, Sequence[Result]]


def lines(runs: Runs) -> Iterator[str]:
    """Yield the tables as Markdown.

    Parameters
    ----------
    runs : dict
        Of `retrieval_report.by_run`, on one data set.
    """
    lu2022 = printed("lu2022")
    yield from _sizes(runs, lu2022)
    yield ""
    yield from _patches(runs, lu2022)
    yield ""
    yield from _weights(runs, printed("feng2021"))


def _sizes(runs: Runs, paper: Mapping[str, str]) -> Iterator[str]:
    found = {(d, depth): _gmlp(runs, d, depth) for d in DIMENSIONS for depth in DEPTHS}
    curves = {size: _curve(same) for size, same in found.items() if same}
    common = set.intersection(*map(set, curves.values())) if curves else set()
    after = f", mAP after {max(common)} epochs of 70" if common else ""
    yield f"lu2022, table III: `gmlp` with fixed keys{after}."
    yield ""
    yield f"| dimension | {' | '.join(f'L = {depth}' for depth in DEPTHS)} |"
    yield f"|--:|{'--:|' * len(DEPTHS)}"
    for d in DIMENSIONS:
        cells = []
        for depth in DEPTHS:
            curve = curves.get((d, depth))
            cells.append(
                _cell(
                    f"{curve[max(common)]:.3f}" if curve and common else None,
                    paper[f"mAP, dimension {d}, L = {depth}"],
                )
            )
        yield f"| {d} | {' | '.join(cells)} |"


def _patches(runs: Runs, paper: Mapping[str, str]) -> Iterator[str]:
    yield "lu2022, table IV: `gmlp` with fixed keys."
    yield ""
    yield f"| patch | epochs | {' | '.join(MEASURES.values())} |"
    yield f"|--:|--:|{'--:|' * len(MEASURES)}"
    for patch in PATCHES:
        same = runs.get("gmlp-fixed" if patch == 8 else f"gmlp-fixed-p{patch}")
        cells = [
            _cell(f"{average(same, rule):.3f}" if same else None, paper[f"{what}, patch {patch}"])
            for rule, what in MEASURES.items()
        ]
        yield f"| {patch} | {epochs(same[0]) if same else ''} | {' | '.join(cells)} |"


def _weights(runs: Runs, paper: Mapping[str, str]) -> Iterator[str]:
    yield "feng2021, tables III and IV: `vit` with weight alpha and margin m, `resnet` with 0.5 and"
    yield "0.5; mAP."
    yield ""
    titles = [f"{alpha:g}, {margin}" for alpha, margin in WEIGHTS]
    yield f"| P | M | {' | '.join(titles)} | `resnet` |"
    yield f"|--:|--:|{'--:|' * (len(WEIGHTS) + 1)}"
    for block, quarter in BLOCKS.items():
        for quarters in (1, 2, 3):
            scheme = f"feng2021-p{block}-q{quarters}"
            what = f"P = {block}, M = {quarters * quarter}, alpha"
            cells = [
                _cell(
                    _mean_and_epochs(runs.get(f"vit-{scheme}-m{margin}-a{alpha}")),
                    paper[f"mAP, ViT, {what} {alpha:g}, m {margin}"],
                )
                for alpha, margin in WEIGHTS
            ]
            cells.append(
                _cell(
                    _mean_and_epochs(runs.get(f"resnet-{scheme}")),
                    paper[f"mAP, ResNet50, {what} 0.5, m 0.5"],
                )
            )
            yield f"| {block} | {quarters * quarter} | {' | '.join(cells)} |"


def _gmlp(runs: Runs, dimension: int, depth: int) -> Sequence[Result] | None:
    default = "gmlp-fixed" if (dimension, depth) == (128, 12) else ""
    return runs.get(f"gmlp-fixed-d{dimension}-l{depth}") or runs.get(default)


def _curve(same: Sequence[Result]) -> dict[int, float]:
    """Return mAP by epoch, of the first seed."""
    return {row["epoch"]: row["mAP"] for row in same[0]["curve"] if "mAP" in row}


def _mean_and_epochs(same: Sequence[Result] | None) -> str | None:
    if not same:
        return None
    cut_short = f", {epochs(same[0])} epochs" if is_cut_short(same[0]) else ""
    return f"{average(same, 'full'):.3f}{cut_short}"


def _cell(measured: str | None, number: str) -> str:
    return f"{measured or 'not run'} ({number})"
