"""Bjontegaard difference: how much larger one codec's files are than another's at equal quality.

G. Bjontegaard, VCEG-M33 (2001), with the piecewise cubic interpolation of JCTVC-L1100 (2013), which
does not swing between the points as one cubic through all of them does: the logarithm of the rate
is interpolated over the quality, and the mean distance of the two curves is taken over the range of
quality that both cover.
"""

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from scipy.interpolate import PchipInterpolator

Curve = Sequence[tuple[float, float]]  # (rate, quality), one a setting of the codec


class NoDifference(ValueError):
    """The curves have no Bjontegaard difference: they cover no common range, or one turns back."""


def rate_difference(curve: Curve, anchor: Curve) -> float:
    """Return the mean rate of a curve over that of the anchor at equal quality, in percent.

    Parameters
    ----------
    curve, anchor : sequence of (rate, quality)
        At least two points each; rates above 0 in any unit, qualities such as PSNR in dB.

    Returns
    -------
    float
        Negative where the curve needs less.

    Raises
    ------
    NoDifference

    Examples
    --------
    >>> anchor = [(100, 30.0), (200, 34.0), (400, 37.0)]
    >>> round(rate_difference([(1.1 * rate, db) for rate, db in anchor], anchor), 9)
    10.0
    """
    of_curve, of_anchor = _log_rate(tuple(sorted(curve))), _log_rate(tuple(sorted(anchor)))
    low = max(of_curve.x[0], of_anchor.x[0])
    high = min(of_curve.x[-1], of_anchor.x[-1])
    if low >= high:
        raise NoDifference(
            f"no quality in common: one begins at {low:g}, the other ends at {high:g}"
        )
    area = of_curve.integrate(low, high) - of_anchor.integrate(low, high)
    return 100 * math.expm1(float(area) / (high - low))


def rate_at(curve: Curve, qualities: Sequence[float]) -> list[float]:
    """Return the rates at which a curve reaches some qualities; nan outside of what it covers."""
    interpolated = _log_rate(tuple(sorted(curve)))
    return [float(rate) for rate in np.exp(interpolated(np.asarray(qualities), extrapolate=False))]


@lru_cache(maxsize=1 << 14)  # each is compared with several
def _log_rate(curve: tuple[tuple[float, float], ...]) -> PchipInterpolator:
    rates, qualities = np.array(curve, np.float64).reshape(-1, 2).T
    if len(rates) < 2 or np.any(rates <= 0):
        raise NoDifference(f"rates {rates.tolist()}, expected two or more above 0")
    if not np.all(np.isfinite(qualities)) or np.any(np.diff(qualities) <= 0):
        raise NoDifference(f"qualities {qualities.tolist()}, expected to rise with the rate")
    return PchipInterpolator(qualities, np.log(rates))
