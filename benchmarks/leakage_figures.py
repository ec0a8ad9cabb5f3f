"""Put what was measured of leaks into docs/threat_model.md, README.md and docs/schemes.md.

All of it comes from ``leakage.json`` and ``schemes.json`` in ``results/leakage``; the text between
the markers names the command that makes them. --check only compares.
"""

import json
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import leakage_schemes
from benchmarks.documents import update, with_block

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results" / "leakage"
COMMAND = "python benchmarks/leakage_figures.py"


# Attacks by what they bring, the worst first, and what to call that.
SEVERITY = {
    "known_plaintext": "known plaintext opens the other pictures",
    "chosen_plaintext": "chosen plaintext opens the other pictures",
    "many_pictures": "many files together tell which blocks are neighbors",
    "jigsaw": "jigsaw solver",
    "outline": "outlines",
    "replacement": "replacement",
    "reidentification": "the right one of a list of candidates is found",
    "altered_copy": "where a picture differs from a known one is found",
    "file_level": "the file length tells candidates apart",
}
HISTOGRAMS = ("DCC", "DCH", "ACC", "ACH")
Found = dict[str, Any]


def configuration(found: Found, **wanted: Any) -> Found:
    """Return the one configuration with these settings."""
    (one,) = (c for c in found["configurations"] if wanted.items() <= c["settings"].items())
    return dict(one)


def axis(found: Found, name: str) -> list[Any]:
    return list(dict.fromkeys(c["settings"][name] for c in found["configurations"]))


def attack(one: Found, name: str, *, bound: bool = False, last: bool = True) -> Found:
    """Return an outcome of an attack: with most knowledge, or with least."""
    outcomes = [a for a in one["attacks"] if a["attack"] == name and a["is_bound"] == bound]
    return dict(outcomes[-1 if last else 0])


def measure(outcome: Found, name: str | None = None) -> Found:
    return next(m for m in outcome["measures"] if name in (None, m["name"]))


def row(one: Found, feature: str) -> Found:
    return next(r for r in one["leakage"] if r["feature"] == feature)


def strongest(one: Found) -> str:
    """Name the worst attack that works, with its first number."""
    for verdict in ("works", "partly"):
        for name, what in SEVERITY.items():
            for outcome in one["attacks"]:
                if (outcome["attack"], outcome["verdict"]) == (name, verdict) and not outcome[
                    "is_bound"
                ]:
                    first = measure(outcome)
                    return (
                        f"{what}: {outcome['attacker']}; {first['name']} {first['value']:.0%}, "
                        f"chance {first['chance']:.1%}"
                    )
    return "none of ours"


def hides(one: Found) -> str:
    """List what no attack of the audit got out of a single file."""
    hidden = {
        "outline": "outlines",
        "jigsaw": "places of blocks",
        "replacement": "the look of the picture",
    }
    found = [what for name, what in hidden.items() if attack(one, name)["verdict"] == "fails"]
    if not measure(attack(one, "file_level"), "metadata in clear")["value"]:
        found.append("metadata")
    return ", ".join(found) or "nothing"


def leaks(found: Found, *ones: Found) -> str:
    """Say how surely a file is found among candidates, at least, and by how many statistics."""
    best = min(measure(attack(one, "reidentification"))["value"] for one in ones)
    counts = [sure_statistics(found, one) for one in ones]
    low, high = min(counts), max(counts)
    number = f"{low}" if low == high else f"{low} to {high}"
    return (
        f"which of the candidates it is ({best:.0%}), by {number} of "
        f"{len(ones[0]['leakage'])} statistics"
    )


def sure_statistics(found: Found, one: Found) -> int:
    """Count the statistics that find 99 in 100 files, over all key modes.

    These change nothing in a single file; a count of each mode would hang on single files.
    """
    shared = {name: value for name, value in one["settings"].items() if name != "key_mode"}
    alike = [
        configuration(found, **shared, key_mode=mode)["leakage"] for mode in axis(found, "key_mode")
    ]
    rates = (fmean(r["own_key"]["value"] for r in rows) for rows in zip(*alike, strict=True))
    return sum(round(rate, 4) >= 0.99 for rate in rates)


# --- the tables ---------------------------------------------------------------------------------


def policy(found: Found) -> Iterator[str]:
    """Configurations whose attacks came out alike share a row."""
    quality = axis(found, "quality")[0]
    pairs = [(bank, dc) for bank in axis(found, "bank") for dc in axis(found, "dc")]
    yield "| key mode | bank, DC | hides, in one file | leaks, in one file | strongest attack |"
    yield "|---|---|---|---|---|"
    for mode in axis(found, "key_mode"):
        alike: dict[tuple[str, str], dict[tuple[str, str], Found]] = {}
        for bank, dc in pairs:
            one = configuration(found, bank=bank, dc=dc, key_mode=mode, quality=quality)
            alike.setdefault((hides(one), strongest(one)), {})[bank, dc] = one
        for (hidden, attacked), ones in alike.items():
            names = ", ".join(f"`{bank}` {dc}" for bank, dc in ones)
            which = "all" if len(ones) == len(pairs) else names
            leaked = leaks(found, *ones.values())
            yield f"| {mode} | {which} | {hidden} | {leaked} | {attacked} |"


def costs(found: Found) -> Iterator[str]:
    qualities = axis(found, "quality")
    yield f"| bank, DC | {' | '.join(f'bytes, quality {q}' for q in qualities)} | time |"
    yield f"|---|{'--:|' * len(qualities)}--:|"
    for bank in axis(found, "bank"):
        for dc in axis(found, "dc"):
            ones = [
                configuration(found, bank=bank, dc=dc, key_mode="nonce", quality=q)
                for q in qualities
            ]
            sizes = " | ".join(f"{one['bytes_over_plain'] - 1:+.1%}" for one in ones)
            yield f"| `{bank}`, {dc} | {sizes} | x {ones[0]['time_over_plain']:.1f} |"


def distances(found: Found) -> Iterator[str]:
    heads = (f"{name} (smallest), ratio" for name in HISTOGRAMS)
    yield f"| bank, DC, quality | {' | '.join(heads)} |"
    yield f"|---|{'--:|' * len(HISTOGRAMS)}"
    for bank in axis(found, "bank"):
        for dc in axis(found, "dc"):
            for quality in axis(found, "quality"):
                one = configuration(found, bank=bank, dc=dc, key_mode="nonce", quality=quality)
                cells = [
                    f"{r['raw']:.0f} ({r['smallest']:.1f}), {r['raw_leak_ratio']:.2f}"
                    for r in (row(one, name) for name in HISTOGRAMS)
                ]
                yield f"| `{bank}`, {dc}, {quality} | {' | '.join(cells)} |"


def rates(found: Found) -> Iterator[str]:
    quality = axis(found, "quality")[0]
    shown = (*HISTOGRAMS, "|DC carried|", "level shifts", "block energies", "file size")
    headings = (name.replace("|", "\\|") for name in shown)
    yield f"| bank, DC | {' | '.join(headings)} |"
    yield f"|---|{'--:|' * len(shown)}"
    for bank in axis(found, "bank"):
        for dc in axis(found, "dc"):
            one = configuration(found, bank=bank, dc=dc, key_mode="nonce", quality=quality)
            cells = [found_again(row(one, name)) for name in shown]
            yield f"| `{bank}`, {dc} | {' | '.join(cells)} |"


def found_again(row: Found) -> str:
    """Write how often one statistic finds a file: naive, with a key of one's own, its interval."""
    return f"{row['naive']['value']:.0%}, {interval(row['own_key'])}"


def interval(rate: Found) -> str:
    return f"{rate['value']:.0%} ({rate['low']:.0%}-{rate['high']:.0%})"


def fixed_keys(found: Found) -> Iterator[str]:
    quality = axis(found, "quality")[0]
    names = {
        "known_plaintext": ("1 known picture", False),
        "known_plaintext ": ("4 known pictures", True),
        "chosen_plaintext": ("4 chosen pictures", True),
    }
    yield (
        "| bank, DC | key mode | attacker has | blocks placed, next picture | chance "
        "| PSNR, next picture | wrong plan | right plan |"
    )
    yield "|---|---|---|--:|--:|--:|--:|--:|"
    for bank in axis(found, "bank"):
        for dc in axis(found, "dc"):
            for mode in axis(found, "key_mode"):
                one = configuration(found, bank=bank, dc=dc, key_mode=mode, quality=quality)
                for name, (label, last) in names.items():
                    if mode != "fixed" and label != "4 known pictures":
                        continue
                    outcome = attack(one, name.strip(), last=last)
                    placed = measure(outcome)
                    psnr = measure(outcome, "PSNR of the next picture")
                    yield (
                        f"| `{bank}`, {dc} | {mode} | {label} | {placed['value']:.1%} "
                        f"| {placed['chance']:.1%} | {psnr['value']:.1f} dB "
                        f"| {psnr['chance']:.1f} dB | {psnr['perfect']:.1f} dB |"
                    )


def one_picture(found: Found) -> Iterator[str]:
    yield "| bank, quality | picture | placed | up to blocks that look alike | PSNR, next picture |"
    yield "|---|---|--:|--:|--:|"
    for r in found["one_known_picture"]:
        yield (
            f"| `{r['bank']}`, {r['quality']} | {r['picture']} "
            f"| {r['luma blocks placed, known picture']:.1%} "
            f"| {r['the same, up to blocks that look alike']:.1%} "
            f"| {r['PSNR of the next picture']:.1f} dB |"
        )


def together(found: Found) -> Iterator[str]:
    counts = list(dict.fromkeys(r["files"] for r in found["crowds"]))
    yield f"| neighbors told by files of one fixed key | {' | '.join(map(str, counts))} |"
    yield f"|---|{'--:|' * len(counts)}"
    for bank, dc in dict.fromkeys((r["bank"], r["dc"]) for r in found["crowds"]):
        rows = [r for r in found["crowds"] if (r["bank"], r["dc"]) == (bank, dc)]
        cells = " | ".join(f"{r['neighbors']:.0%} ({r['error']:.2f})" for r in rows)
        yield f"| `{bank}`, {dc} | {cells} |"


def alone(found: Found) -> Iterator[str]:
    """Attacks on one file, and bounds, in the default mode."""
    quality = axis(found, "quality")[0]
    yield "| attack | given | found | chance | verdict |"
    yield "|---|---|--:|--:|---|"
    bank = axis(found, "bank")[0]
    one = configuration(found, bank=bank, dc="permuted", key_mode="nonce", quality=quality)
    for outcome in one["attacks"]:
        if outcome["attack"] in ("known_plaintext", "chosen_plaintext", "randomness"):
            continue
        first = measure(outcome)
        kind = " (bound)" if outcome["is_bound"] else ""
        low, high = first.get("low"), first.get("high")
        span = "" if low is None else f" ({low:.2f} to {high:.2f})"
        yield (
            f"| {outcome['attack']}{kind} | {outcome['attacker']} "
            f"| {first['name'].replace('|', chr(92) + '|')} {first['value']:.2f}{span} "
            f"| {first['chance']:.3f} | {outcome['verdict']} |"
        )


def transforms(found: Found, attack: str) -> Iterator[str]:
    """Every measure of an attack on transforms, by bank and quality.

    Where all transforms of a bank are of one kind, no attack tells them apart.
    """
    outcomes = [one for one in found["transforms_told"] if one["attack"] == attack]
    if not outcomes:
        return
    yield f"| bank, quality | {' | '.join(m['name'] for m in outcomes[0]['measures'])} |"
    yield f"|---|{'--:|' * len(outcomes[0]['measures'])}"
    for one in outcomes:
        cells = (
            "-"
            if one["kinds"] == 1 and "columns" in m["name"]
            else f"{m['value']:.0%} ({m['chance']:.1%})"
            for m in one["measures"]
        )
        yield f"| `{one['bank']}`, {one['quality']} | {' | '.join(cells)} |"


def copied(found: Found) -> Iterator[str]:
    shown = ("level shifts", "|DC carried|", "block energies", "EOB positions")
    yield f"| copy | {' | '.join(name.replace('|', chr(92) + '|') for name in shown)} |"
    yield f"|---|{'--:|' * len(shown)}"
    for one in found["copies"]:
        cells = " | ".join(interval(one[name]) for name in shown)
        yield f"| {one['copy']} | {cells} |"


def letters(found: Found) -> Iterator[str]:
    yield "| bank | blocks told | chance |"
    yield "|---|--:|--:|"
    for one in found["letters"]:
        yield f"| `{one['bank']}` | {one['blocks']:.0%} | {one['chance']:.1%} |"


def zeros(found: Found) -> Iterator[str]:
    names = ("DCC", "|DCC|", "ACC", "|ACC|", "DCH", "ACH")
    headings = (name.replace("|", "\\|") for name in names)
    yield f"| `authors16`, exact arithmetic | {' | '.join(headings)} |"
    yield f"|---|{'--:|' * len(names)}"
    for r in found["exact"]:
        cells = " | ".join(f"{r[name]:g}" for name in names)
        rotation = "with" if r["rotation"] else "without"
        yield f"| quality {r['quality']}, {rotation} rotation | {cells} |"


def keys(found: Found) -> Iterator[str]:
    width, height = found["key_space"]["size"]
    yield f"| key space at {width}x{height} | bits |"
    yield "|---|--:|"
    for name, bits in found["key_space"]["bits"].items():
        yield f"| {name} | {bits:,.1f} |"
    for m in found["key_schedule"][0]["measures"]:
        if m["unit"] == "bits":
            text = f"of {m['perfect']} key stream bits of the authors' program"
            yield f"| {text}, what one known permutation tells | {m['value']:.1f} |"


# --- the documents ------------------------------------------------------------------------------


def policy_text(found: Found) -> str:
    """Return the part of the threat model."""
    data, quality = found["data"], axis(found, "quality")[0]
    size = "x".join(map(str, found["attacked"]["size"]))
    return "\n".join(
        [
            f"Measured on {data}; attacks on single pictures, on photographs of scikit-image at",
            f"{size}; quality {quality} unless said. `make bench-leakage`",
            "",
            "A statistic is counted if it finds 99 of 100 files, taken over all key modes, which",
            "change nothing in a single file.",
            "",
            *policy(found),
            "",
            "What it costs, against the plain JPEG by the same codec and settings:",
            "",
            *costs(found),
            "",
            "Found again among all pictures, by an attacker who compares with plain files, and by",
            "one who encrypts the candidates with a key of his own (95 % interval). DC carried is",
            "what each block takes along: the file shows it as it is, or with `residual` added up:",
            "",
            *rates(found),
            "",
            f"Found among parts of {size} by copies of them, encrypted with a key of his own:",
            "",
            *copied(found),
            "",
            f"A page of random letters, {size}, gray, whose font is known and lies on the grid:",
            "halves of letters that are told from their blocks, though not where they stand:",
            "",
            *letters(found),
            "",
            "Known and chosen pictures, luma:",
            "",
            *fixed_keys(found),
            "",
            "Fixed keys, one known picture of 384x256:",
            "",
            *one_picture(found),
            "",
            "Photographs that were JPEGs before: first columns whose transform is found out, and",
            "pictures whose old quality is; in brackets chance, for the quality the answer without",
            "an old JPEG. Where transforms differ by signs alone nobody tells them apart (-):",
            "",
            *transforms(found, "former_jpeg"),
            "",
            "Photographs that are encrypted again and again with fresh nonces:",
            "",
            *transforms(found, "re_encryption"),
            "",
            "Share of blocks whose nearest relative is a neighbor, and in brackets the error of",
            "the layout, 1 for a random one:",
            "",
            *together(found),
            "",
            "The default settings; a range in brackets is that over the photographs. A bound gives",
            "the attacker something that is hidden:",
            "",
            *alone(found),
            "",
            "Distances of lu2022, Table I, on raw counts: mean (smallest), and ratio of the mean",
            "to that of two different plain files:",
            "",
            *distances(found),
            "",
            "The published scheme without our level shifts and rounding, largest raw distance of",
            "all pictures:",
            "",
            *zeros(found),
            "",
            *keys(found),
        ]
    )


def short_text(found: Found, bank: str = "givens128") -> str:
    """Return the part of the README, about the default bank."""
    quality = axis(found, "quality")[0]
    lines = [
        f"Measured on {found['data']}, `make bench-leakage`; bank `{bank}`:",
        "",
        "| key mode | hides, in one file | leaks, in one file | strongest attack that works |",
        "|---|---|---|---|",
    ]
    for mode in axis(found, "key_mode"):
        one = configuration(found, bank=bank, dc="permuted", key_mode=mode, quality=quality)
        lines.append(f"| {mode} | {hides(one)} | {leaks(found, one)} | {strongest(one)} |")
    return "\n".join(lines)


def schemes_text(found: Found) -> str:
    """Return the part of the page of all schemes."""
    return "\n".join(
        [
            f"On {found['data']}: mean distance of encrypted from plain files on raw counts,",
            "and its ratio to the mean distance of two different plain files, on raw counts too;",
            "0 where that is the distance of all files, x of none, ∞ where the file has no such",
            "values in clear.",
            "`make bench-leakage`",
            "",
            *leakage_schemes.lines(found["histograms"]),
            "",
            "Table I of feng2021, plain against encrypted pictures of 192x128. All pictures have",
            "one key; what varies from key to key is the mean of their PSNR.",
            "",
            *leakage_schemes.psnr_lines(found["psnr_of_feng2021"]),
        ]
    )


# A document with the file that its figures come from.
DOCUMENTS: dict[str, tuple[str, Callable[[Found], str]]] = {
    "docs/threat_model.md": ("leakage.json", policy_text),
    "README.md": ("leakage.json", short_text),
    "docs/schemes.md": ("schemes.json", schemes_text),
}


def with_figures(text: str, figures: str) -> str:
    """Return a document with its figures made anew; ValueError if it has no place for them."""
    return with_block(text, COMMAND, figures)


def main(arguments: list[str] | None = None) -> int:
    """Write the documents, or compare."""

    def figures_of(result: str, make: Callable[[Any], str], text: str) -> str:
        return with_figures(text, make(json.loads((RESULTS / result).read_text("utf-8"))))

    documents = {ROOT / name: partial(figures_of, *made) for name, made in DOCUMENTS.items()}
    return update(documents, __doc__, arguments)


if __name__ == "__main__":
    sys.exit(main())
