"""Put the measured figures into README.md, from the committed results.

The figures come from ``demo.json``, ``quality.json``, ``rate_distortion/`` and ``speed/`` in
``results/``; the text between the markers names the commands that make them. --check only compares.
"""

import csv
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import dequantizer, rate_schemes, rate_steps
from benchmarks.documents import update, with_block

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
RESULTS = Path(__file__).parent / "results"
STAR = r"\*"
UNENCRYPTED = "encode default, decoded as by decrypt"
OPERATIONS = (
    *("encrypt", "encrypt, fast", "encrypt, best", "decrypt"),
    *("encode", "encode, fast", "encode, best", "decode"),
)


SPEED = """\
Speed: time of Pillow over ours, median of the rounds, one thread; above 1 we are faster. In
brackets the least time of Pillow over our least; where these fall on both sides of 1, call it even.
Threads, folders, memory and our targets: [performance](docs/performance.md).
"""


def figures() -> str:
    """Return the figures as Markdown."""
    demo, quality = (
        json.loads((RESULTS / f"{name}.json").read_text("utf-8")) for name in ("demo", "quality")
    )
    levels = [
        json.loads(path.read_text("utf-8")) for path in sorted((RESULTS / "speed").glob("*.json"))
    ]
    return "\n".join(
        [photographs(demo), differences(quality), sizes(), SPEED, *map(ratios, levels)]
    )


def photographs(demo: dict[str, Any]) -> str:
    rows = demo["photographs"]
    fresh = [row for row in rows if not row["was_jpeg"]]
    lines = [
        f"Quality {demo['quality']}, {demo['subsampling']}; PSNR against the original in dB.",
        "",
        "| photograph | Pillow, bytes | optimized | encrypted | PSNR of Pillow's | decrypted |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    lines += [
        f"| {row['name']}{STAR if row['was_jpeg'] else ''} | {row['plain_bytes']:,} "
        f"| {row['plain_optimized_bytes']:,} | {row['cipher_bytes']:,} "
        f"| {row['plain_psnr']:.2f} | {row['decrypted_psnr']:.2f} |"
        for row in rows
    ]
    lines += [
        "",
        f"All {len(rows)} together: {overhead(rows)}.",
        f"The {len(fresh)} without {STAR}: {overhead(fresh)}.",
        "Bytes and PSNR change a little with every key and nonce. `make figures`",
        "",
        f"{STAR} has been a JPEG, as most photographs have: saved as plain JPEG again it falls on",
        "its own block grid and loses little, while encryption turns and transforms the blocks.",
        "",
    ]
    return "\n".join(lines)


def overhead(rows: list[dict[str, Any]]) -> str:
    plain, optimized, cipher = (
        sum(row[f"{name}_bytes"] for row in rows) for name in ("plain", "plain_optimized", "cipher")
    )
    return (
        f"{cipher / plain - 1:+.1%} bytes over Pillow's default, "
        f"{cipher / optimized - 1:+.1%} over its `optimize=True`"
    )


def differences(quality: dict[str, Any]) -> str:
    found = {(row["quality"], row["subsampling"]): row for row in quality["settings"]}
    qualities, samplings = (list(dict.fromkeys(axis)) for axis in zip(*found, strict=True))
    gains = dequantizer.gains(quality["data"].partition(" (")[0].lower(), qualities)
    lines = [
        f"{quality['data']}: PSNR of the decrypted picture minus that of Pillow's JPEG in dB, mean",
        "(worst picture); then all bytes over those of Pillow with `optimize=True`. `decrypt` puts",
        "AC values [1/16 of a step nearer to zero](docs/format.md), Pillow does not; at 4:2:0 that",
        f"alone gives {gains}. At 4:4:4 it was not measured apart.",
        "`python benchmarks/quality.py --data FOLDER`",
        "",
        f"| | {' | '.join(f'quality {q}' for q in qualities)} |",
        f"|---|{'--:|' * len(qualities)}",
    ]
    for sampling in samplings:
        cells = [
            f"{row['mean']:+.2f} ({row['worst']:+.2f}); {row['bytes_over_optimized'] - 1:+.1%}"
            for row in (found[q, sampling] for q in qualities)
        ]
        lines.append(f"| {sampling} | {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def sizes() -> str:
    folder, known = RESULTS / "rate_distortion", rate_schemes.schemes()
    sets = json.loads((folder / "sets.json").read_text("utf-8"))
    with (folder / "differences.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    names = sorted(sets, key=lambda name: (sets[name]["jpeg_sources"], name))
    schemes = [
        name
        for name in dict.fromkeys(row["scheme"] for row in rows)
        if name == rate_steps.NONE
        or (known[name].kind in ("plain", "encrypted") and name != rate_schemes.PILLOW)
    ]

    def mean(data: str, scheme: str, column: str) -> str:
        of = (r[column] for r in rows if (r["data"], r["scheme"]) == (data, scheme))
        return mean_text(float(value) for value in of if value)

    heads = [
        f"{name}, {sets[name]['pictures']} pictures{STAR if sets[name]['jpeg_sources'] else ''}"
        for name in names
    ]
    lines = [
        "Size at equal quality: percent of bytes over Pillow's default at equal PSNR of RGB | over",
        "its `optimize=True` at equal PSNR | over that at equal SSIM of luma (Bjontegaard",
        "difference, qualities 10 to 90, 4:2:0, mean of pictures). **`best` and flat tables",
        "minimize squared error**, which is what PSNR measures: at equal SSIM, `best` with the",
        "default tables takes more bytes than `optimize=True`; so does jpegli, made for neither.",
        f"`{UNENCRYPTED}` less `encode default` is what the decoder",
        "alone gives with `fast` and `default`, which round to the nearest step.",
        "Curves, luma, medians, the worst pictures and where the cost comes from are in the",
        "[report](benchmarks/results/rate_distortion/report.md). `make bench-rate`",
        "",
        f"| | {' | '.join(heads)} |",
        f"|---|{'--:|' * len(names)}",
    ]
    for scheme in schemes:
        cells = (
            " \\| ".join(
                mean(name, scheme, column)
                for column in ("default_rgb", "optimize_rgb", "optimize_ssim")
            )
            for name in names
        )
        shown = UNENCRYPTED if scheme == rate_steps.NONE else scheme
        lines.append(f"| {shown} | {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def mean_text(values: Iterable[float]) -> str:
    known = list(values)
    return f"{sum(known) / len(known):+.1f}"


def ratios(speed: dict[str, Any]) -> str:
    sizes = list(dict.fromkeys(row["size"] for row in speed["timings"]))
    found = {(row["operation"], row["size"]): row for row in speed["timings"]}
    versions = ", ".join(f"{name} {v}" for name, v in speed["versions"].items())
    lines = [
        f"| | against | {' | '.join(sizes)} |",
        f"|---|---|{'--:|' * len(sizes)}",
    ]
    for operation in OPERATIONS:
        rows = (found[operation, size] for size in sizes)
        cells = [f"{row['median_ratio']:.2f} ({row['ratio_of_minima']:.2f})" for row in rows]
        rival = found[operation, sizes[0]]["rival"]
        lines.append(f"| {operation} | {rival} | {' | '.join(cells)} |")
    lines += [
        "",
        f"{speed['cpu']}, {speed['simd']} kernels, Python {speed['python']}, {versions}. "
        "`make bench-speed`",
        "",
    ]
    return "\n".join(lines)


def with_figures(readme: str) -> str:
    """Return the README with its figures made anew."""
    return with_block(readme, "python benchmarks/readme_figures.py", figures().rstrip())


def main(arguments: list[str] | None = None) -> int:
    """Write the document, or compare."""
    return update({README: with_figures}, __doc__, arguments)


if __name__ == "__main__":
    sys.exit(main())
