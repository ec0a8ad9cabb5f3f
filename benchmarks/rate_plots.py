"""Curves of rate and distortion: PSNR over bits per pixel, and the rate over an anchor's."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from benchmarks.bjontegaard import Curve, NoDifference, rate_at

STYLE: dict[Any, Any] = {
    "svg.hashsalt": "jpegcrypt",  # equal curves give equal files
    "svg.fonttype": "none",
    "font.size": 9,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
POINTS = 200


def plot(
    dashed: Mapping[str, Curve], solid: Mapping[str, Curve], *, anchor: str, title: str, path: Path
) -> None:
    """Draw the curves of some schemes, (bits per pixel, PSNR in dB), into a file.

    On the right what each needs over the anchor, one of those that are dashed, to reach a PSNR:
    there the small differences of the curves on the left can be read.
    """
    with rc_context(STYLE):
        figure = Figure(figsize=(12, 6.2), layout="constrained")
        left, right = figure.subplots(1, 2)
        lines = [
            (name, curve, {"color": f"C{number % 10}", "linestyle": style, "linewidth": 1.3})
            for style, curves in (("--", dashed), ("-", solid))
            for number, (name, curve) in enumerate(curves.items())
        ]
        for name, curve, line in lines:
            rates, decibels = np.array(list(curve)).T
            left.plot(rates, decibels, marker=".", markersize=4, label=name, **line)
            at = np.linspace(decibels[0], decibels[-1], POINTS).tolist()
            try:
                over = np.array(rate_at(curve, at)) / np.array(rate_at(dashed[anchor], at)) - 1
            except NoDifference:
                continue
            right.plot(at, 100 * over, **line)
        left.set(xlabel="bits per pixel", ylabel="PSNR of RGB, dB", title=title)
        right.set(
            xlabel="PSNR of RGB, dB", ylabel="%", title=f"rate over that of {anchor} at equal PSNR"
        )
        figure.legend(loc="outside lower center", ncols=5, fontsize=8, frameon=False)
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None, dpi=110)
