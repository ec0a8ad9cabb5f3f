"""Put the measured table of all schemes into docs/schemes.md.

It comes from ``results/schemes.json`` of `benchmarks/schemes.py`; the mean average precision, and
the tables of the papers, from ``results/unsupervised.json`` and ``results/retrieval``. --check only
compares.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import dequantizer, paper_tables, retrieval_report
from benchmarks.documents import update, with_block

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs" / "schemes.md"
RESULTS = Path(__file__).parent / "results"
COMMAND = "python benchmarks/schemes_figures.py"
STAR = r"\*"
HISTOGRAMS = ("DCC", "DCH", "ACC", "ACH")
PRECISION = "full"  # the rule that is shown; all others are in the result file
# The run that searches the files of a scheme, each encrypted with a nonce of its own.
TRAINED = {
    "lu2022, givens128": "block_set-nonce",
    "feng2021": "vit-feng2021-p16-q3-m0.5-a1.0-nonce",  # P = 16, M = 72
}

Found = dict[str, Any]


def lines(found: Found, search: Found) -> Iterator[str]:
    width, height = found["timed"]
    versions = ", ".join(f"{name} {number}" for name, number in found["versions"].items())
    yield f"On {found['data']}, quality {found['quality']}. Speed in megapixels a second of"
    yield f"processor time at {width}x{height}, where Pillow saves a JPEG at"
    yield f"{found['pillow_save_mp_s']:.0f}, on {found['machine']}, Python {found['python']},"
    yield f"{versions}. `make bench-schemes`"
    yield "lu2022 and lisitu2019 run in the compiled codec of this project, the others mostly in"
    yield "NumPy: their speed says what this code does, not what they could."
    yield ""
    gains = dequantizer.gains(found["data"].partition(" (")[0], [found["quality"]])
    yield f"PSNR with {STAR}: decryption puts AC values [1/16 of a step nearer to zero](format.md),"
    yield f"which alone gives {gains} (all pictures of the set, see the"
    yield "[report on rates](../benchmarks/results/rate_distortion/report.md)); the files of other"
    yield "schemes are decoded without."
    yield ""
    yield "Bytes: with Huffman tables made for the picture in both files; the report on rates has"
    yield "the tables of Annex K, with which files of other schemes grow more."
    yield ""
    yield "Columns of histograms: 0 if all encrypted files have the histogram of their plain file,"
    yield "else the mean distance to it over that of two different plain files, both on raw counts;"
    yield "∞ without a JPEG."
    yield "Found again: how often an attacker picks the right one of the pictures by the best"
    yield "feature of the audit, encrypting all of them with a key of his own."
    yield ""
    heads = [
        "scheme",
        "encrypted",
        "file",
        "bytes over plain JPEG",
        "PSNR, dB",
        "encrypts",
        "decrypts",
    ]
    heads += [*HISTOGRAMS, "found again", f"mAP ({PRECISION})"]
    yield f"| {' | '.join(heads)} |"
    yield f"|---|---|---|{'--:|' * (len(heads) - 3)}"
    scores = {one["scheme"]: one["scores"] for one in search["schemes"]}
    supervised = [one["scheme"] for one in search["schemes"] if one["descriptor"] == "classes"]
    trained = paper_tables.trained_on(search["data"])
    for row in found["schemes"]:
        cells = [
            f"`{row['scheme']}`",
            row["domain"],
            "JPEG" if row["is_jpeg"] else "other",
            f"{row['bytes_over_plain']:.3f}",
            psnr_cell(row),
            f"{row['encrypt_mp_s']:.1f}",
            f"{row['decrypt_mp_s']:.1f}",
            *histogram_cells(row),
        ]
        if row["scheme"] in scores:
            mark = ", trained" if row["scheme"] in supervised else ""
            cells.append(f"{scores[row['scheme']][PRECISION]['mean']:.3f}{mark}")
        elif found_by := trained.get(TRAINED.get(row["scheme"], "")):
            network = TRAINED[row["scheme"]].partition("-")[0]
            value = retrieval_report.average(found_by, PRECISION)
            cells.append(f"{value:.3f}, trained `{network}`")
        else:
            cells.append("")
        yield f"| {' | '.join(cells)} |"
    chance = next(iter(scores.values()))[PRECISION]["chance"]
    yield ""
    parts = search["parts"]
    yield f"mAP on {search['data']}, chance {chance:.3f}: each of the {parts['test']}"
    yield "of the test part is searched among the others of it. Trained with labels of the other"
    yield f"{parts['train']}: networks for lu2022 and feng2021 (P = 16, M = 72), see"
    yield f"[how to search](retrieval.md), and a classifier for {', '.join(supervised)}."
    yield "`block_set` is ours, and finds much more than the network of lu2022 does; so this column"
    yield f"compares searches, not ciphers. Words are learned from {parts['words']} of these,"
    yield "without labels. `make bench-unsupervised`"
    yield ""
    yield "### The papers' tables of searches"
    yield ""
    yield from paper_tables.lines(search)


def psnr_cell(row: Found) -> str:
    """Return the PSNR, with a mark where a keyed transform is undone: see `dequantizer`."""
    mark = STAR if row["domain"] == "transforms" else ""
    return "exact" if row["lossless"] else f"{row['psnr']:.2f}{mark}"


def histogram_cells(row: Found) -> list[str]:
    if not row["is_jpeg"]:
        return ["∞"] * len(HISTOGRAMS) + [""]
    again = row["found_again"]
    cells = [
        "0" if row["same_histogram"][name] == 1 else f"{row['raw_leak_ratio'][name]:.2f}"
        for name in HISTOGRAMS
    ]
    feature = again["by"].replace("|", "\\|")
    return [*cells, f"{again['rate']:.0%} by {feature}"]


def with_figures(text: str) -> str:
    """Return the document with its table made anew."""
    found, search = (
        json.loads((RESULTS / f"{name}.json").read_text("utf-8"))
        for name in ("schemes", "unsupervised")
    )
    table = "\n".join(line.rstrip() for line in lines(found, search))
    return with_block(text, COMMAND, table)


def main(arguments: list[str] | None = None) -> int:
    """Write the document, or compare."""
    return update({DOCUMENT: with_figures}, __doc__, arguments)


if __name__ == "__main__":
    sys.exit(main())
