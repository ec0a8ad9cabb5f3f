"""Tables III and IV of lu2022 and of feng2021: networks of other sizes and settings.

In brackets stands what the papers print, which is on other data, by a rule they do not name. Our
numbers are by the rule ``full``. Networks that stand side by side are compared after as many
epochs, the last at which all were measured; if there is none, each cell tells its own.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

from benchmarks.retrieval_report import Result, average, epochs, printed

DIMENSIONS, DEPTHS, PATCHES = (128, 192, 256, 384), (6, 8, 10, 12), (8, 16, 32)
MEASURES = {"full": "mAP", "recall@10": "recall@10", "recall@30": "recall@30"}
WEIGHTS = ((1.0, 0.3), (1.0, 0.5), (0.5, 0.3), (0.5, 0.5))  # alpha, margin
WARMUP = 10  # epochs of `gmlp`
QUARTERS = (1, 2, 3)  # of the blocks whose colors are substituted
BLOCKS = {8: 96, 16: 24}  # P, and how many blocks a quarter of a picture has

Runs = Mapping[str, Sequence[Result]]
Place = TypeVar("Place")  # of a cell in its table


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
    after, measured = _compare(found)
    told = f", mAP after {after} epochs of 70" if after else ""
    within = ", in which the learning rate still rises" if after and after <= WARMUP else ""
    yield f"lu2022, table III: `gmlp` with fixed keys{told}{within}."
    yield ""
    yield f"| dimension | {' | '.join(f'L = {depth}' for depth in DEPTHS)} |"
    yield f"|--:|{'--:|' * len(DEPTHS)}"
    for d in DIMENSIONS:
        cells = [
            _cell(measured.get((d, depth)), paper[f"mAP, dimension {d}, L = {depth}"])
            for depth in DEPTHS
        ]
        yield f"| {d} | {' | '.join(cells)} |"


def _patches(runs: Runs, paper: Mapping[str, str]) -> Iterator[str]:
    yield "lu2022, table IV: `gmlp` with fixed keys, of one seed."
    yield ""
    yield f"| patch | epochs | {' | '.join(MEASURES.values())} |"
    yield f"|--:|--:|{'--:|' * len(MEASURES)}"
    for patch in PATCHES:
        same = (runs.get("gmlp-fixed" if patch == 8 else f"gmlp-fixed-p{patch}") or [])[:1]
        cells = [
            _cell(f"{average(same, rule):.3f}" if same else None, paper[f"{what}, patch {patch}"])
            for rule, what in MEASURES.items()
        ]
        yield f"| {patch} | {epochs(same[0]) if same else ''} | {' | '.join(cells)} |"


def _weights(runs: Runs, paper: Mapping[str, str]) -> Iterator[str]:
    yield "feng2021, tables III and IV: `vit` with weight alpha and margin m, `resnet` with 0.5 and"
    yield "0.5; mAP after so many epochs of 60 as the third column tells."
    yield ""
    titles = [f"{alpha:g}, {margin}" for alpha, margin in WEIGHTS]
    yield f"| P | M | epochs | {' | '.join(titles)} | `resnet` |"
    yield f"|--:|--:|--:|{'--:|' * (len(WEIGHTS) + 1)}"
    for block, quarter in BLOCKS.items():
        named = {
            (quarters, what): name
            for quarters in QUARTERS
            for what, name in _weighted(f"feng2021-p{block}-q{quarters}")
        }
        after, measured = _compare({place: runs.get(name) for place, name in named.items()})
        for quarters in QUARTERS:
            size = f"P = {block}, M = {quarters * quarter}"
            cells = [
                _cell(measured.get((quarters, what)), paper[f"mAP, {what.format(size)}"])
                for what, _ in _weighted("")
            ]
            there = any((quarters, what) in measured for what, _ in _weighted(""))
            told = after if after and there else ""
            yield f"| {block} | {quarters * quarter} | {told} | {' | '.join(cells)} |"


def _weighted(scheme: str) -> Iterator[tuple[str, str]]:
    """Yield what the paper calls the networks of a row, and our runs of them."""
    for alpha, margin in WEIGHTS:
        yield f"ViT, {{}}, alpha {alpha:g}, m {margin}", f"vit-{scheme}-m{margin}-a{alpha}"
    yield "ResNet50, {}, alpha 0.5, m 0.5", f"resnet-{scheme}"


def _gmlp(runs: Runs, dimension: int, depth: int) -> Sequence[Result] | None:
    default = "gmlp-fixed" if (dimension, depth) == (128, 12) else ""
    return runs.get(f"gmlp-fixed-d{dimension}-l{depth}") or runs.get(default)


def _compare(
    found: Mapping[Place, Sequence[Result] | None],
) -> tuple[int | None, dict[Place, str]]:
    """Return the last epoch that all runs were measured at, and mAP there, of the first seed."""
    curves = {
        place: {row["epoch"]: row["mAP"] for row in same[0]["curve"] if "mAP" in row}
        for place, same in found.items()
        if same
    }
    common = set.intersection(*map(set, curves.values())) if curves else set()
    if common:
        last = max(common)
        return last, {place: f"{curve[last]:.3f}" for place, curve in curves.items()}
    ends = {place: max(curve.items()) for place, curve in curves.items()}
    return None, {place: f"{value:.3f}, {epoch} epochs" for place, (epoch, value) in ends.items()}


def _cell(measured: str | None, number: str) -> str:
    return f"{measured or 'not run'} ({number})"
