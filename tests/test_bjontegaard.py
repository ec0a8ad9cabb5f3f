"""Bjontegaard differences against answers that are known without computing them."""

import math

import pytest

pytest.importorskip("scipy", reason="scipy is not installed; the dev extra has it")

from benchmarks.bjontegaard import NoDifference, rate_at, rate_difference

ANCHOR = [(4000, 27.1), (7000, 29.9), (12000, 32.6), (20000, 35.2), (40000, 39.0)]


@pytest.mark.parametrize("percent", [10, -20, 0, 300])
def test_a_shifted_rate(percent: float) -> None:
    curve = [(rate * (1 + percent / 100), db) for rate, db in ANCHOR]
    assert rate_difference(curve, ANCHOR) == pytest.approx(percent, abs=1e-9)
    assert rate_difference(curve[::-1], ANCHOR) == rate_difference(curve, ANCHOR)


def test_there_and_back() -> None:
    """The factors of a difference and of its inverse multiply to one."""
    curve = [(5000, 27.9), (9000, 31.2), (16000, 34.1), (30000, 37.2)]
    there, back = rate_difference(curve, ANCHOR), rate_difference(ANCHOR, curve)
    assert (1 + there / 100) * (1 + back / 100) == pytest.approx(1, abs=1e-12)


def test_straight_lines() -> None:
    """Between straight lines in log rate the mean distance is that in the middle.

    The anchor needs exp(db), the curve exp(db + 0.1 (db - 30)): 0 more at 30 dB, e^0.4 at 34, and
    both cover 30 to 34. The mean of the logarithms is 0.2.
    """
    anchor = [(math.exp(db), float(db)) for db in (28, 30, 32, 34)]
    curve = [(math.exp(db + 0.1 * (db - 30)), float(db)) for db in (30, 31, 34, 36)]
    assert rate_difference(curve, anchor) == pytest.approx(100 * math.expm1(0.2), abs=1e-9)


def test_a_rate_between_points() -> None:
    curve = [(math.exp(db), float(db)) for db in (28, 30, 34)]
    below, at, between = rate_at(curve, [27.9, 30, 33])
    assert math.isnan(below)
    assert [at, between] == pytest.approx([math.exp(30), math.exp(33)])


@pytest.mark.parametrize(
    ("curve", "reason"),
    [
        ([(100, 50.0), (200, 60.0)], "no quality in common"),
        ([], "two or more"),
        ([(100, 30.0)], "two or more"),
        ([(0, 30.0), (100, 32.0)], "above 0"),
        ([(100, 30.0), (200, 30.0)], "rise"),
        ([(100, 30.0), (200, math.inf)], "rise"),
        ([(100, 30.0), (200, 33.0), (300, 32.0)], "rise"),
    ],
)
def test_no_difference(curve: list[tuple[float, float]], reason: str) -> None:
    with pytest.raises(NoDifference, match=reason):
        rate_difference(curve, ANCHOR)
    with pytest.raises(NoDifference, match=reason):
        rate_difference(ANCHOR, curve)
