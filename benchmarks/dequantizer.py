"""What `decrypt` gains by its dequantizer alone, as the committed rates tell.

It puts AC values of components at full resolution 1/16 of a step nearer to zero (docs/format.md,
section 8). Plain files, and those of schemes that change no transform, are decoded without, so that
a part of each difference in PSNR is none of the encryption's.
"""

import csv
from collections.abc import Sequence
from pathlib import Path

from benchmarks.rate_steps import NONE

SUMMARY = Path(__file__).parent / "results" / "rate_distortion" / "summary.csv"
PLAIN = "encode default"  # the same coefficients as `NONE`


def gains(data: str, qualities: Sequence[int]) -> str:
    """Return in words what it gains on a data set at some qualities, in dB of RGB, mean."""
    with SUMMARY.open(encoding="utf-8", newline="") as file:
        psnr = {
            (row["scheme"], int(row["quality"])): float(row["psnr"])
            for row in csv.DictReader(file)
            if row["data"] == data
        }
    found = [(q, psnr[NONE, q] - psnr[PLAIN, q]) for q in qualities if (NONE, q) in psnr]
    return ", ".join(f"{gain:+.2f} dB at quality {q}" for q, gain in found)
