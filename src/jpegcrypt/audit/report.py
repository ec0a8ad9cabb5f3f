"""One report for each configuration: as Markdown, as JSON, and as one HTML page with figures."""

import html
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from markdown_it import MarkdownIt

from jpegcrypt.audit import attacks, figures, leakage
from jpegcrypt.audit.data import same_size
from jpegcrypt.audit.keyspace import blocks, bounds
from jpegcrypt.audit.leakage import Rate, Row
from jpegcrypt.audit.outcome import ATTACKED, Measure, Outcome
from jpegcrypt.audit.target import Pixels, Target


@dataclass(frozen=True, slots=True)
class Report:
    """What the audit of one configuration found.

    Attributes
    ----------
    target : Target
    data : str
        What the pictures are called.
    pictures : int
        How many the tables are about.
    size : tuple of int
        Width and height of the parts that were attacked.
    rows : sequence of Row
    outcomes : sequence of Outcome
    """

    target: Target
    data: str
    pictures: int
    size: tuple[int, int]
    rows: Sequence[Row]
    outcomes: Sequence[Outcome]


def steps(target: Target, pictures: int) -> int:
    """Return how often `audit` calls `tick`, for a progress bar."""
    return pictures + len(attacks.names(target))


def audit(
    target: Target,
    pictures: Sequence[Pixels],
    *,
    data: str,
    tick: Callable[[], object] = lambda: None,
) -> Report:
    """Measure and attack one configuration.

    Parameters
    ----------
    target : Target
    pictures : sequence of uint8 array
        At least two; the tables take them whole, the attacks their middle.
    data : str
        What to call them.
    tick : callable
        Called `steps` times.

    Raises
    ------
    ValueError
        For fewer than two pictures, or too small ones.
    """
    if len(pictures) < 2:
        raise ValueError(f"{len(pictures)} pictures, expected at least 2")
    parts = same_size(pictures)
    rows = leakage.measure(target, pictures, tick=tick)
    outcomes = [leakage.reidentified(rows, len(pictures))]
    for found in attacks.run(target, parts):
        outcomes += found
        tick()
    height, width = parts[0].shape[:2]
    return Report(target, data, len(pictures), (width, height), rows, outcomes)


# --- JSON ---------------------------------------------------------------------------------------


def to_json(report: Report) -> str:
    """Return a report as data, without pictures."""
    return json.dumps(as_data(report), indent=1) + "\n"


def as_data(report: Report) -> dict[str, Any]:
    """Return a report as plain values; numbers to four digits behind the point."""
    found: dict[str, Any] = rounded(
        {
            "settings": dict(report.target.settings),
            "data": report.data,
            "pictures": report.pictures,
            "attacked_size": list(report.size),
            "leakage": [asdict(row) for row in report.rows],
            "attacks": [outcome_as_data(outcome) for outcome in report.outcomes],
        }
    )
    return found


def outcome_as_data(outcome: Outcome) -> dict[str, Any]:
    """Return an outcome as plain values, without its panels."""
    return {
        "attack": outcome.attack,
        "attacker": outcome.attacker,
        "is_bound": outcome.is_bound,
        "verdict": outcome.verdict,
        "measures": [asdict(measure) for measure in outcome.measures],
    }


def rounded(value: Any) -> Any:
    """Round all numbers below, and turn what is not finite into None."""
    if isinstance(value, float):
        return round(value, 4) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: rounded(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(one) for one in value]
    return value


# --- Markdown -----------------------------------------------------------------------------------


def to_markdown(report: Report, *, with_figures: bool = False) -> str:
    """Return a report as Markdown; figures stand in the text itself."""
    return "\n".join(_markdown(report, with_figures=with_figures)) + "\n"


def to_html(report: Report) -> str:
    """Return a report as one page that needs no other file."""
    body = (
        MarkdownIt("commonmark", {"html": False})
        .enable("table")
        .render(to_markdown(report, with_figures=True))
    )
    return _PAGE.format(title=html.escape(report.target.name), body=body)


def _markdown(report: Report, *, with_figures: bool) -> Iterator[str]:
    width, height = report.size
    yield f"# What leaks: {report.target.name}"
    yield ""
    yield f"{report.pictures} pictures of {report.data}; attacks on parts of {width}x{height}."
    yield f"Those on one file were made on {min(report.pictures, ATTACKED)} of them, one at a time:"
    yield "the mean, and in brackets the range."
    yield "This is perceptual encryption with measured leakage. A distance that is not zero, a wide"
    yield "key space or pixels that look random are no evidence of secrecy; the attacks below are"
    yield "the evidence that there is."
    yield ""
    yield "## Attacks"
    yield ""
    yield "*works*, *partly*, *fails*: the first number is more than half, more than a tenth, or"
    yield "less of the way from chance to a full break. A *bound* gives the attacker something that"
    yield "the scheme hides, to see what the rest protects; it is no attack on the whole."
    yield ""
    yield from attack_table(report.outcomes)
    yield ""
    yield "## Statistics"
    yield ""
    yield from leakage_table(report.rows)
    yield ""
    yield "Distances are Euclidean, of the encrypted file from its plain file, mean over the"
    yield "pictures: on raw counts, and on counts that sum to one. *Ratio*: over the mean distance"
    yield "of two plain files. *Found again*: how often the right one of all pictures is nearest,"
    yield "for who compares with plain files, and for who encrypts the candidates with a key of his"
    yield f"own; with the 95 % interval. Chance is {1 / report.pictures:.2%}."
    yield ""
    yield "## Key space"
    yield ""
    yield from keyspace_table(width, height)
    yield ""
    yield "## Every number"
    for outcome in report.outcomes:
        yield ""
        yield f"### {outcome.attack}: {outcome.attacker}{' (bound)' if outcome.is_bound else ''}"
        yield ""
        if with_figures and outcome.panels:
            yield f"![{outcome.attack}]({figures.data_uri(figures.draw(outcome.panels))})"
            yield ""
        yield "| | found | chance | full break |"
        yield "|---|--:|--:|--:|"
        for m in outcome.measures:
            cells = (with_range(m), number(m, m.chance), number(m, m.perfect))
            yield f"| {escaped(m.name)} | {' | '.join(cells)} |"


def attack_table(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Yield a line for each attack: its verdict and its first number."""
    yield "| attack | the attacker has | verdict | | found | chance |"
    yield "|---|---|---|---|--:|--:|"
    for outcome in outcomes:
        first = outcome.measures[0]
        kind = " (bound)" if outcome.is_bound else ""
        yield (
            f"| {outcome.attack}{kind} | {outcome.attacker} | {outcome.verdict} "
            f"| {escaped(first.name)} | {with_range(first)} "
            f"| {number(first, first.chance)} |"
        )


def leakage_table(rows: Sequence[Row]) -> Iterator[str]:
    """Yield a line for each feature."""
    yield (
        "| feature | raw | smallest | at 0 | ratio, raw | normalized | ratio, normalized "
        "| found again, naive | found again, own key |"
    )
    yield "|---|--:|--:|--:|--:|--:|--:|--:|--:|"
    for row in rows:
        yield (
            f"| {escaped(row.feature)} | {row.raw:.1f} | {row.smallest:.1f} | {row.zero} "
            f"| {row.raw_leak_ratio:.3f} | {row.normalized:.4f} | {row.leak_ratio:.3f} "
            f"| {percent(row.naive)} | {percent(row.own_key)} |"
        )


def keyspace_table(width: int, height: int) -> Iterator[str]:
    """Yield the key space of pictures of a size, beside what bounds it."""
    yield f"| bits, {width}x{height} at 4:2:0 | |"
    yield "|---|--:|"
    for name, bits in bounds(blocks(width, height)).items():
        yield f"| {name} | {bits:,.1f} |"


def percent(rate: Rate) -> str:
    """Write a rate with its interval."""
    return f"{rate.value:.0%} ({rate.low:.0%} to {rate.high:.0%})"


def with_range(measure: Measure) -> str:
    """Write what was found, with its range over pictures if there is one."""
    found = number(measure, measure.value)
    if measure.low is None or measure.high is None:
        return found
    return f"{found} ({number(measure, measure.low)} to {number(measure, measure.high)})"


def number(measure: Measure, value: float | None) -> str:
    """Write a value of a measure with its unit."""
    if value is None:
        return ""
    digits = 1 if measure.unit in ("dB", "bits", "blocks") else 3
    unit = "" if measure.unit == "share" else f" {measure.unit}"
    return f"{value:.{digits}f}{unit}".rstrip()


def escaped(text: str) -> str:
    """Keep the bars of |DCC| from ending a cell."""
    return text.replace("|", "\\|")


_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>What leaks: {title}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto }}
table {{ border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums }}
td, th {{ padding: .2rem .7rem; border-bottom: 1px solid #ccc }}
img {{ max-width: 100% }}
</style>
{body}</html>
"""
