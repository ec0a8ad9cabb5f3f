"""Put the measured figures into docs/performance.md, from the committed results.

They come from ``speed/`` and ``instructions.json`` in ``results/``. --check only compares.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.documents import update
from benchmarks.speed import RATIO_TARGETS, RESULTS, Target, target, verdict

DOCUMENT = Path(__file__).parents[1] / "docs" / "performance.md"
INSTRUCTIONS = Path(__file__).parent / "results" / "instructions.json"

_BLOCK = re.compile(r"(<!-- begin: (\w+) -->\n).*?(<!-- end -->)", re.S)


def speed() -> str:
    """Return the tables of each instruction set that was measured."""
    results = [json.loads(path.read_text("utf-8")) for path in sorted(RESULTS.glob("*.json"))]
    return "\n".join(line for result in results for line in [*of_level(result), ""])


def of_level(result: dict[str, Any]) -> list[str]:
    versions = ", ".join(f"{name} {v}" for name, v in result["versions"].items())
    goals = RATIO_TARGETS.get(result["simd"], {})
    lines = [
        f"**{result['simd']}**: {result['cpu']}, {result['processors']} processors, "
        f"Python {result['python']}, {versions}. `make bench-speed`",
        "",
        "| picture | operation | ms | against | ratio | least | aim | |",
        "|---|---|--:|---|--:|--:|--:|---|",
    ]
    for row in result["timings"]:
        goal = goals.get((row["size"], row["operation"]))
        ratio = row["median_ratio"]
        lines.append(
            f"| {row['size']} | {row['operation']} | {row['min_ms']:.3f} | {row['rival'] or ''} | "
            + (f"{ratio:.2f} ({row['ratio_of_minima']:.2f})" if ratio else "")
            + f" | {both(goal)} | {verdict(ratio, goal) if ratio else ''} |"
        )
    lines += [
        "",
        "| many pictures, threads, folders, memory | against | value | least | aim | |",
        "|---|---|--:|--:|--:|---|",
    ]
    for row in result["figures"]:
        goal = target(row)
        lines.append(
            f"| {row['name']} | {row['against']} | {row['value']:.2f} {row['unit']} "
            f"| {both(goal)} | {verdict(row['value'], goal)} |"
        )
    return lines


def both(goal: Target | None) -> str:
    return " | " if goal is None else f"{goal[0]:g} | {goal[1]:g}"


def instructions() -> str:
    """Return instructions per pixel: a row a stage, a column an operation and size."""
    rows = json.loads(INSTRUCTIONS.read_text("utf-8"))["rows"]
    heads = [f"{row['operation']}, {row['size']}" for row in rows]
    stages = sorted(
        {stage for row in rows for stage in row["stages"]},
        key=lambda stage: -sum(row["stages"].get(stage, 0) for row in rows),
    )
    lines = [f"| stage | {' | '.join(heads)} |", f"|---|{'--:|' * len(rows)}"]
    for stage in stages:
        numbers = (row["stages"].get(stage) for row in rows)
        lines.append(
            f"| {stage} | {' | '.join('' if n is None else f'{n:.2f}' for n in numbers)} |"
        )
    sums = (sum(row["stages"].values()) for row in rows)
    lines.append(f"| all | {' | '.join(f'{n:.2f}' for n in sums)} |")
    return "\n".join([*lines, ""])


def with_figures(text: str) -> str:
    """Return the document with its figures made anew."""
    made = {"speed": speed, "instructions": instructions}
    return _BLOCK.sub(lambda match: f"{match[1]}\n{made[match[2]]()}\n{match[3]}", text)


def main(arguments: list[str] | None = None) -> int:
    """Write the document, or compare."""
    return update({DOCUMENT: with_figures}, __doc__, arguments)


if __name__ == "__main__":
    sys.exit(main())
