"""The tables: nothing from equal files, chance from random ones, found where a leak is planted."""

import numpy as np
import pytest
from plain_scheme import Plain

from checks import components, tiles
from jpegcrypt import read_coefficients
from jpegcrypt.audit import exact, leakage
from jpegcrypt.audit.histograms import FEATURES
from jpegcrypt.audit.leakage import Row
from jpegcrypt.audit.target import OWNER, Lu2022


def rows(target, count: int = 12) -> dict[str, Row]:
    return {row.feature: row for row in leakage.measure(target, tiles(count))}


class Unrelated(Plain):
    """Hands out another picture, whatever it is given; its file depends on number and key alone."""

    def encrypt(self, picture, serial, *, key=OWNER):
        rng = np.random.default_rng([serial, *key.id])
        noise = rng.normal(128, rng.uniform(5, 60), (16, 24, 3)).clip(0, 255).astype(np.uint8)
        return self.encode(noise.repeat(8, 0).repeat(8, 1))


class Planted(Unrelated):
    """The same, but the mean of the picture is on top of all blocks."""

    def encrypt(self, picture, serial, *, key=OWNER):
        rng = np.random.default_rng([serial, *key.id])
        noise = rng.normal(0, 2, picture.shape) + picture.mean((0, 1))
        return self.encode(noise.clip(0, 255).astype(np.uint8))


def test_identical_files():
    for row in rows(Plain()).values():
        assert (row.raw, row.normalized, row.zero) == (0, 0, 12)
        assert row.raw_leak_ratio == row.leak_ratio == 0
        assert row.naive.value == row.own_key.value == 1 or row.feature == "file size"
        assert row.between > 0


def test_unrelated_files_are_found_by_chance():
    found = rows(Unrelated(), 40)
    assert found.keys() == {*FEATURES, "file size"}
    for row in found.values():
        assert row.zero == 0
        assert row.naive.value <= 5 / 40  # 1 expected; 6 or more in a row of 24: one in a hundred
        assert row.own_key.value <= 5 / 40
        assert row.leak_ratio > 0.5


@pytest.mark.parametrize("n", [2, 4, 8, 100])
def test_chance_is_that_of_the_best_feature(n):
    """The feature that finds most is chosen afterwards: with few pictures, one always does."""
    rng = np.random.default_rng(0)
    hits = rng.binomial(n, 1 / n, (20_000, len(FEATURES))).max(1) / n
    row = rows(Plain(), 2)["DCC"]
    (measure, *_) = leakage.reidentified([row] * len(FEATURES), n).measures
    assert measure.chance == pytest.approx(hits.mean(), abs=0.01)
    assert measure.value == 1


def test_each_ratio_is_that_of_its_own_distance():
    """Totals differ from file to file, so that the raw ratio is not the normalized one."""
    plain, cipher = (
        [{"ACH": np.array(counts, np.float64)} for counts in files]
        for files in ([[3, 1], [10, 30]], [[1, 3], [30, 10]])
    )
    (row,) = leakage.table(plain, cipher, cipher)
    assert row.raw == pytest.approx(np.sqrt(2) * (2 + 20) / 2)
    assert row.raw_between == pytest.approx(np.hypot(7, 29))
    assert row.raw_leak_ratio == pytest.approx(row.raw / row.raw_between)
    assert row.leak_ratio == pytest.approx(1)


def test_a_planted_leak_is_found():
    found = rows(Planted(), 40)
    assert found["DCC"].own_key.value > 0.8
    assert found["ACH"].own_key.high < 0.5


@pytest.mark.parametrize("dc", ["permuted", "residual"])
@pytest.mark.parametrize("bank", ["givens128", "signs256", "authors16"])
def test_lu2022_leaks_what_we_say(bank, dc):
    found = rows(Lu2022(bank=bank, dc=dc))
    for name in ("DCC", "DCH", "ACC", "ACH"):
        assert found[name].smallest > 0
    assert found["ACH"].own_key.value == found["block energies"].own_key.value == 1
    assert found["ACH"].leak_ratio < 0.3
    for name in ("|DC carried|", "level shifts"):  # plain files alone tell it, too
        assert found[name].own_key.value == found[name].naive.value == 1
    assert found["|DC carried|"].leak_ratio < 0.3
    assert (found["|DCC|"].own_key.value == 1) == (dc == "permuted")


@pytest.mark.parametrize("color", [True, False])
@pytest.mark.parametrize("dc", ["permuted", "residual"])
def test_what_blocks_carry_is_told_by_the_plain_file(dc, color):
    """The same magnitudes, but for blocks whose value is rounded another way."""
    target = Lu2022(dc=dc)
    picture = tiles(1)[0] if color else tiles(1)[0][:, :, 1].copy()
    plain = leakage.describe_plain(target, target.encode(picture))
    cipher = leakage.describe_encrypted(target, target.encrypt(picture, 0))
    carried = [one["|DC carried|"] for one in (plain, cipher)]
    blocks = carried[0].sum()
    assert carried[0].shape == (1025 * (3 if color else 1),)
    assert np.abs(carried[0] - carried[1]).sum() < 0.1 * blocks
    levels = [one["level shifts"] for one in (plain, cipher)]
    assert len(levels[0]) == (3 if color else 1)
    assert np.abs(levels[0] - levels[1]).max() <= 1


@pytest.mark.parametrize("quality", [75, 90])
def test_sign_banks_in_exact_arithmetic(quality):
    """|DCC| stays with every rotation; |ACC| and ACH stay without it, and change with it."""
    for bank in ("authors16", "signs256"):
        for rotation in (False, True):
            pairs = [
                [
                    leakage.describe(c)
                    for c in exact.encrypt(
                        picture, bank=bank, quality=quality, seed=i, rotation=rotation
                    )
                ]
                for i, picture in enumerate(tiles(4))
            ]
            plain, cipher = zip(*pairs, strict=True)
            found = {row.feature: row for row in leakage.table(plain, cipher, cipher)}
            assert found["|DCC|"].largest == 0
            assert found["DCC"].smallest > 0
            for name in ("|ACC|", "ACH"):
                if rotation:
                    assert found[name].smallest > 0
                else:
                    assert found[name].largest == 0


def test_the_exact_scheme_is_that_of_the_codec():
    """Same plain coefficients but for colors that round another way, and as far from them."""
    for bank in ("authors16", "givens128"):
        plain, cipher = [], []
        for i, picture in enumerate(tiles(6)):
            pair = exact.encrypt(picture, bank=bank, quality=75, seed=i)
            codec = read_coefficients(Lu2022(bank=bank).encode(picture))
            for ours, theirs in zip(components(pair[0]), components(codec), strict=True):
                assert ours.shape == theirs.shape
                assert (ours != theirs).mean() < 0.04
            plain.append(leakage.describe(pair[0]))
            cipher.append(leakage.describe(pair[1]))
        control = {row.feature: row for row in leakage.table(plain, cipher, cipher)}
        found = rows(Lu2022(bank=bank), 6)
        assert control["ACH"].raw == pytest.approx(found["ACH"].raw, rel=0.25)


def test_rates():
    rng = np.random.default_rng(3)
    chance = leakage.reidentification(rng.random((200, 200)))
    assert chance.low <= 1 / 200 <= chance.high
    sure = leakage.rate(100, 100)
    assert (sure.value, sure.high) == (1, 1)
    assert 0.95 < sure.low < 1
    shifted = np.roll(np.eye(10) == 0, 1, 1)
    assert leakage.reidentification(shifted).value == 0
