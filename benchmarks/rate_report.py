"""The report on rate and distortion: means, Bjontegaard differences, curves, and what they say.

Everything follows from the rows in the folder and from ``sets.json`` beside them.
"""

import csv
import json
import math
import statistics
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.bjontegaard import NoDifference, rate_difference
from benchmarks.data_sets import MOST, DataSet
from benchmarks.rate_plots import plot
from benchmarks.rate_rows import Row, load
from benchmarks.rate_schemes import (
    DIFFERENCE_QUALITIES,
    LU2022,
    PILLOW,
    PILLOW_OPTIMIZE,
    schemes,
)
from benchmarks.rate_steps import ALL, NONE, STEPS

SETS = "sets.json"
COMPARED = "compared"  # ends the names of their curves
RGB, LUMA, SSIM = "psnr", "psnr_luma", "ssim_db"
NEARER = (LU2022, "lisitu2019")  # compared schemes that are decoded as by `decrypt`
SIZE, PAYLOAD = "size", "payload"
ANCHORS = (PILLOW, PILLOW_OPTIMIZE)

# The most that a scheme may need over Pillow's default and over its optimize=True, in percent.
TARGETS: dict[str, tuple[float, float | None]] = {
    "encrypt fast": (12, None),
    "encrypt default": (1, 11),
    "encrypt best": (-8, 2),
    "encrypt best, dc residual": (-18, -9),
    "encode best": (-16, -10),
}

Differences = dict[str, float | None]  # by picture; None where there is none


@dataclass(frozen=True)
class Results:
    """The rows of one data set, as curves.

    Attributes
    ----------
    facts : dict
        From ``sets.json``.
    rows : dict
        By scheme, then by picture, in order of quality.
    """

    name: str
    facts: dict[str, Any]
    rows: dict[str, dict[str, list[Row]]] = field(repr=False)
    _differences: dict[tuple[str, ...], Differences] = field(default_factory=dict, repr=False)

    def kind(self, kind: str) -> list[str]:
        """Return the schemes of a kind that were measured, in the order of `schemes`."""
        return [name for name, one in schemes().items() if one.kind == kind and name in self.rows]

    def differences(
        self, scheme: str, anchor: str, quality: str = RGB, rate: str = SIZE
    ) -> Differences:
        """Return the Bjontegaard difference of each picture in percent."""
        asked = scheme, anchor, quality, rate
        if asked not in self._differences:
            self._differences[asked] = dict(self._differ(*asked))
        return self._differences[asked]

    def _differ(
        self, scheme: str, anchor: str, quality: str, rate: str
    ) -> Iterator[tuple[str, float | None]]:

        def curve(of: str, picture: str) -> list[tuple[float, float]]:
            return [
                (getattr(row, rate), getattr(row, quality))
                for row in self.rows[of].get(picture, ())
                if row.quality in DIFFERENCE_QUALITIES
            ]

        for picture in self.rows[scheme]:
            try:
                yield picture, rate_difference(curve(scheme, picture), curve(anchor, picture))
            except NoDifference:
                yield picture, None

    def mean(self, scheme: str, quality: int, value: Callable[[Row], float]) -> float:
        rows = (row for rows in self.rows[scheme].values() for row in rows)
        return statistics.fmean(value(row) for row in rows if row.quality == quality)

    def mean_curve(self, scheme: str) -> list[tuple[float, float]]:
        """Return (bits per pixel, PSNR), both as means of all pictures at each quality."""
        qualities = sorted({row.quality for rows in self.rows[scheme].values() for row in rows})
        return [
            (self.mean(scheme, q, lambda row: row.bpp), self.mean(scheme, q, lambda row: row.psnr))
            for q in qualities
        ]


# --- files ----------------------------------------------------------------------------------------


def remember(folder: Path, data: DataSet) -> None:
    """Note what a data set is."""
    facts = _facts(folder)
    facts[data.name] = {
        "pictures": len(data.names),
        "available": data.available,
        "jpeg_sources": data.jpeg_sources,
        "code": schemes()["encode default"].code,
        "versions": {
            one.package: version(one.package) for one in schemes().values() if one.installed
        },
    }
    (folder / SETS).write_text(json.dumps(facts, indent=1, sort_keys=True) + "\n", "utf-8")


def _facts(folder: Path) -> dict[str, Any]:
    path = folder / SETS
    facts: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {}
    return facts


def read(folder: Path) -> list[Results]:
    """Read all data sets of a folder; lossless ones first."""
    found = []
    for name, facts in _facts(folder).items():
        rows: dict[str, dict[str, list[Row]]] = {}
        for row in sorted(load(folder / f"{name}.csv.gz").values(), key=lambda row: row.quality):
            rows.setdefault(row.scheme, {}).setdefault(row.picture, []).append(row)
        if rows:  # none if another version of this benchmark wrote them
            found.append(Results(name, facts, rows))
    return sorted(found, key=lambda one: (one.facts["jpeg_sources"], one.name))


def write(folder: Path) -> list[str]:
    """Write report, tables and curves; return what was found in a few lines."""
    results = read(folder)
    for one in results:
        figures = {one.name: (one.kind("plain"), one.kind("encrypted"))}
        if others := one.kind("compared"):
            figures[f"{one.name}-{COMPARED}"] = [PILLOW], [LU2022, *others]
        for name, (dashed, solid) in figures.items():
            plot(
                dashed={scheme: one.mean_curve(scheme) for scheme in dashed},
                solid={scheme: one.mean_curve(scheme) for scheme in solid},
                anchor=PILLOW,
                title=f"{one.name}, mean of {one.facts['pictures']} pictures",
                path=folder / f"{name}.svg",
            )
    _write_csv(folder / "summary.csv", (row for one in results for row in _summary(one)))
    _write_csv(folder / "differences.csv", (row for one in results for row in _spread(one)))
    (folder / "report.md").write_text(report(results), "utf-8")
    return [line for one in results for line in verdicts(one)]


def _write_csv(path: Path, rows: Iterable[dict[str, object]]) -> None:
    rows = list(rows)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _summary(one: Results) -> Iterable[dict[str, object]]:
    for scheme in (name for name in schemes() if name in one.rows):
        for quality in schemes()[scheme].qualities:
            if not any(r.quality == quality for rows in one.rows[scheme].values() for r in rows):
                continue

            def mean(
                value: Callable[[Row], float], scheme: str = scheme, q: int = quality
            ) -> float:
                return one.mean(scheme, q, value)

            yield {
                "data": one.name,
                "scheme": scheme,
                "quality": quality,
                "bpp": round(mean(lambda row: row.bpp), 4),
                "bpp_without_headers": round(
                    mean(lambda r: 8 * r.payload / (r.width * r.height)), 4
                ),
                "psnr": round(mean(lambda row: row.psnr), 3),
                "psnr_luma": round(mean(lambda row: row.psnr_luma), 3),
                "ssim": round(mean(lambda row: row.ssim), 4),
            }


def _spread(one: Results) -> Iterable[dict[str, object]]:
    """Yield the differences of each picture over both anchors."""
    unencrypted = [NONE] if NONE in one.rows else []
    for scheme in (
        *one.kind("plain"),
        *unencrypted,
        *one.kind("encrypted"),
        *one.kind("compared"),
    ):
        columns = {
            f"{over}_{name}": one.differences(scheme, anchor, quality)
            for over, anchor in zip(("default", "optimize"), ANCHORS, strict=True)
            for name, quality in (("rgb", RGB), ("luma", LUMA), ("ssim", SSIM))
        }
        for picture in one.rows[scheme]:
            values = {name: found[picture] for name, found in columns.items()}
            row: dict[str, object] = {"data": one.name, "scheme": scheme, "picture": picture}
            yield row | {n: "" if value is None else f"{value:.2f}" for n, value in values.items()}


# --- the report -----------------------------------------------------------------------------------

HEAD = """# Rate and distortion

Made from the rows beside this file by

    {command}

* Quality settings 10 to 90 as in Fig. 4 of lu2022, and 25 and 75; chroma subsampling 4:2:0.
* Rate: bytes of the whole file. *Without headers*: its entropy-coded data alone.
* PSNR against the original, of all RGB samples or of luma. Plain files are decoded by Pillow
  (libjpeg-turbo), encrypted ones by our `decrypt`: nobody else has the key. It puts AC values
  nearer to zero; what that alone gives is told below the steps of the scheme.
* Difference: Bjontegaard rate difference in percent at equal PSNR, or equal SSIM of luma, over
  the qualities {qualities}, negative where files are smaller;
  computed for each picture, then the mean. In brackets: pictures without one, as two settings
  gave equal PSNR or SSIM.
* The trellis of `best` and flat tables minimize squared error, so PSNR favors them more than SSIM
  does: at equal SSIM the trellis costs bytes over `optimize=True`, and flat tables save some.
* Curves: mean bits per pixel and mean PSNR of all pictures at each setting, as in the paper.
"""


def report(results: Sequence[Results]) -> str:
    """Return the report as Markdown."""
    head = HEAD.format(
        command=_command(results), qualities=", ".join(map(str, DIFFERENCE_QUALITIES))
    )
    return "\n".join([head, *(_section(one) for one in results)])


def _command(results: Sequence[Results]) -> str:
    """Return the command that measures these data sets again."""
    words = ["python benchmarks/rate_distortion.py --data", *(one.name for one in results)]
    if any(one.facts["jpeg_sources"] for one in results):
        words.append("--allow-jpeg-sources")
    most = {
        one.facts["pictures"] for one in results if one.facts["available"] > one.facts["pictures"]
    }
    if most and max(most) != MOST:
        words.append(f"--pictures {max(most)}")
    return " ".join(words)


def _section(one: Results) -> str:
    count, available = one.facts["pictures"], one.facts["available"]
    of = f"{count} pictures" if count == available else f"{count} of {available} pictures"
    parts = [f"## {one.name}: {of}\n"]
    versions = ", ".join(f"{name} {number}" for name, number in one.facts["versions"].items())
    parts.append(f"{versions}; our code {one.facts['code']}.\n")
    if one.facts["jpeg_sources"]:
        parts.append(
            "**These pictures have been JPEGs.** Their pixels carry the block grid and the losses\n"
            "of those files, so that PSNR says little of what an original would lose. No targets\n"
            "here: they are for lossless pictures.\n"
        )
    parts += [f"![Curves]({one.name}.svg)\n", _differences(one), _spread_table(one), _steps(one)]
    return "\n".join([*parts, _compared(one), _paper(one)])


def _differences(one: Results) -> str:
    lines = [
        "| | over Pillow: RGB | luma | SSIM | without headers "
        "| over `optimize=True`: RGB | luma | SSIM | target, RGB | |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|---|",
    ]
    for scheme in (*one.kind("plain"), *one.kind("encrypted")):
        cells = [
            mean_text(one.differences(scheme, anchor, quality, rate))
            for anchor, quality, rate in (
                (PILLOW, RGB, SIZE), (PILLOW, LUMA, SIZE), (PILLOW, SSIM, SIZE),
                (PILLOW, RGB, PAYLOAD), (PILLOW_OPTIMIZE, RGB, SIZE),
                (PILLOW_OPTIMIZE, LUMA, SIZE), (PILLOW_OPTIMIZE, SSIM, SIZE),
            )
        ]  # fmt: skip
        lines.append(f"| {scheme} | {' | '.join(cells)} | {' | '.join(_target(one, scheme))} |")
    return "\n".join([*lines, ""])


def _target(one: Results, scheme: str) -> tuple[str, str]:
    """Return the target of a scheme, and if it is met."""
    if scheme not in TARGETS or one.facts["jpeg_sources"]:
        return "", ""
    over = TARGETS[scheme]
    text = " \\| ".join("" if most is None else f"{most:+g}" for most in over)
    missed = [
        f"{found - most:.1f} over {anchor}"
        for most, anchor in zip(over, ("default", "optimize"), strict=True)
        if most is not None
        and (found := mean(one.differences(scheme, ANCHORS[anchor == "optimize"]))) > most
    ]
    return (
        f"≤ {text.rstrip(' |' + chr(92))}",
        f"**missed**: {', '.join(missed)}" if missed else "met",
    )


def _spread_table(one: Results) -> str:
    lines = [
        "From picture to picture, RGB-PSNR over Pillow's `optimize=True`:",
        "",
        "| | best | median | worst | best picture | worst picture |",
        "|---|--:|--:|--:|---|---|",
    ]
    for scheme in (*one.kind("plain"), *one.kind("encrypted")):
        found = _known(one.differences(scheme, PILLOW_OPTIMIZE))
        if scheme == PILLOW_OPTIMIZE or not found:
            continue
        best, worst = min(found, key=found.__getitem__), max(found, key=found.__getitem__)
        middle = statistics.median(found.values())
        lines.append(
            f"| {scheme} | {found[best]:+.1f} | {middle:+.1f} | {found[worst]:+.1f} "
            f"| {best} | {worst} |"
        )
    return "\n".join([*lines, ""])


def _steps(one: Results) -> str:
    if ALL not in one.rows:
        return ""
    everything = mean(one.differences(ALL, NONE))
    lines = [
        "Where the cost comes from: the steps of `encrypt default` one by one. RGB-PSNR, percent",
        "of what the same path needs with every step left out; for the second column a step is",
        "left out while all others stay.",
        "",
        "| step | alone | saved by leaving it out |",
        "|---|--:|--:|",
    ]
    for step in STEPS:
        without = mean(one.differences(f"all but {step}", NONE))
        alone = mean_text(one.differences(f"only {step}", NONE))
        lines.append(f"| {step} | {alone} | {everything - without:+.1f} |")
    lines += [
        f"| all steps | {everything:+.1f} | |",
        "",
        f"That path without any step against `encode default`: {_decoder(one)}. Coefficients are",
        "the same; `decrypt` puts each of them a little nearer to zero than libjpeg does, where",
        "most of what was rounded to it lay.",
        "",
    ]
    return "\n".join(lines)


def _decoder(one: Results) -> str:
    """Return what the decoder of `decrypt` alone is worth, in percent at equal PSNR."""
    return mean_text(one.differences(NONE, "encode default"))


def _compared(one: Results) -> str:
    others = one.kind("compared")
    if not others:
        return ""
    qualities = (10, 50, 90)
    lines = [
        "All schemes whose files are JPEGs, as in Fig. 4 of lu2022, with the tables of Annex K, as",
        "Pillow has by default: bytes and PSNR over Pillow's at the same setting, then bytes at",
        "equal PSNR. feng2021 writes 4:4:4 and does not bring substituted blocks back exactly.",
        "With \\*: AC values are decoded nearer to zero, as by `decrypt`; that alone is worth",
        f"{_decoder(one)} % at equal PSNR, RGB.",
        "",
        f"![Curves of all schemes]({one.name}-{COMPARED}.svg)",
        "",
        f"| | {' | '.join(f'at {quality}' for quality in qualities)} | at equal PSNR, RGB | luma |",
        f"|---|{'--:|' * (len(qualities) + 2)}",
    ]
    for scheme in (LU2022, *others):
        cells = ["{:+.1%}, {:+.2f} dB".format(*over_pillow(one, scheme, q)) for q in qualities]
        cells += [mean_text(one.differences(scheme, PILLOW, quality)) for quality in (RGB, LUMA)]
        mark = "\\*" if scheme in NEARER else ""
        lines.append(f"| {scheme}{mark} | {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def over_pillow(one: Results, scheme: str, quality: int) -> tuple[float, float]:
    """Return the share of bytes and the decibels over Pillow's default at equal settings."""
    (size, psnr), (plain_size, plain_psnr) = (
        (one.mean(of, quality, lambda r: r.size), one.mean(of, quality, lambda r: r.psnr))
        for of in (scheme, PILLOW)
    )
    return size / plain_size - 1, psnr - plain_psnr


def _paper(one: Results) -> str:
    if LU2022 not in one.rows:
        return ""
    have = {row.quality for rows in one.rows[LU2022].values() for row in rows}
    over = []
    for quality in sorted(have.intersection((10, 50, 90))):
        size, psnr = over_pillow(one, LU2022, quality)
        over.append(f"{size:+.1%} bytes and {psnr:+.2f} dB at {quality}")
    return "\n".join(
        [
            "Beside the paper: lu2022 (Fig. 4, 100 pictures of UCID) prints no number; it says",
            "that its curve lies much closer to that of JPEG than those of schemes it compares.",
            "`--data` takes a folder of UCID as it is. Measured here on other pictures, the same",
            "bank with the tables of Annex K, against Pillow's default at equal settings:",
            f"{', '.join(over)}; at equal PSNR {mean_text(one.differences(LU2022, PILLOW))} %.",
            f"Our way to decode it is a part of that, worth {_decoder(one)} %.",
            "",
        ]
    )


def verdicts(one: Results) -> list[str]:
    """Return a line for each target of a data set."""
    lines = []
    for scheme in TARGETS:
        target, verdict = _target(one, scheme) if scheme in one.rows else ("", "")
        if target:
            over = " | ".join(mean_text(one.differences(scheme, anchor)) for anchor in ANCHORS)
            target, verdict = target.replace("\\", ""), verdict.replace("*", "")
            lines.append(f"{one.name}, {scheme}: {over} %, target {target}: {verdict}")
    return lines


def mean(differences: Differences) -> float:
    """Return the mean of the pictures that have a difference; nan if none has."""
    known = _known(differences)
    return statistics.fmean(known.values()) if known else math.nan


def mean_text(differences: Differences) -> str:
    missing = len(differences) - len(_known(differences))
    if missing == len(differences):
        return "none"
    return f"{mean(differences):+.1f}" + (f" ({missing})" if missing else "")


def _known(differences: Differences) -> dict[str, float]:
    return {name: value for name, value in differences.items() if value is not None}
