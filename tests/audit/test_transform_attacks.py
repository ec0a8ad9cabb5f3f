"""What gives the transforms of the key away: the picture's own past, and further encryptions."""

import numpy as np
import pytest

from checks import tiles
from jpegcrypt.api import decode, encode
from jpegcrypt.audit import columns
from jpegcrypt.audit.attacks import altered_copy, former_jpeg, re_encryption
from jpegcrypt.audit.target import Lu2022
from jpegcrypt.cipher.bank import BANKS, dct_matrix, matrices
from jpegcrypt.codec.coefficients import read_coefficients

SIGNS = [bank for bank in BANKS if bank != "givens128"]


def by_name(outcome):
    return {measure.name: measure for measure in outcome.measures}


# --- first columns ------------------------------------------------------------------------------


@pytest.mark.parametrize(("bank", "different"), [("givens128", 128), ("authors16", 16)])
def test_transforms_are_counted_once(bank, different):
    assert columns.transforms(bank).sizes.sum() == different


@pytest.mark.parametrize("bank", BANKS)
def test_a_kind_holds_what_differs_by_signs(bank):
    known = columns.transforms(bank)
    for matrix, kind in zip(matrices(bank), known.kind, strict=True):
        mixing = (matrix @ dct_matrix().T)[1:, 1:]
        assert np.allclose(np.abs(mixing.T @ known.mixing[kind]), np.eye(7), atol=1e-8)


@pytest.mark.parametrize("bank", BANKS)
def test_the_right_transform_gives_the_plain_column(bank):
    picture = tiles(1)[0]
    target = Lu2022(bank=bank, quality=95)
    data = target.encrypt(picture, 0)
    values, steps = columns.undone(target, data)
    (plan, *_), known = target.plan(data), columns.transforms(bank)
    upright = plan.records[:, 9] % 2 == 0  # not transposed
    kind = known.kind[plan.records[:, 1].astype(int) % len(known.kind)]
    mine = values[np.arange(len(kind)), kind][upright]
    c = read_coefficients(target.encode(picture))
    plain = (c.Y * c.qt[0].astype(float)).reshape(-1, 8, 8)[plan.permutation, 1:, 0][upright]
    assert np.abs(np.abs(mine) - np.abs(plain)).max() < 2.5 * steps.max()
    assert np.abs(np.abs(mine) - np.abs(plain)).mean() < 0.5 * steps.mean()


@pytest.mark.parametrize("bank", BANKS)
def test_what_is_found_is_counted(bank):
    target, known = Lu2022(bank=bank), columns.transforms(bank)
    data = target.encrypt(tiles(1)[0], 0)
    truth = known.kind[target.plan(data)[0].records[:, 1].astype(int) % len(known.kind)]
    one_of = np.arange(len(known.mixing)) != truth[:, None]
    share, chance = columns.found(target, data, one_of.astype(float))
    assert share == pytest.approx((1 / known.sizes[truth]).mean())
    assert columns.found(target, data, np.zeros(one_of.shape)) == (pytest.approx(chance), chance)
    if len(known.mixing) > 1:
        assert columns.found(target, data, -one_of.astype(float))[0] == 0


# --- a former JPEG ------------------------------------------------------------------------------


def test_a_former_jpeg_gives_the_transforms_of_givens128_away():
    (outcome,) = former_jpeg.run(Lu2022(quality=95), tiles(2))
    found = by_name(outcome)
    assert outcome.verdict == "works"
    assert found["first columns found, quality 75 before"].value > 0.3
    assert found["first columns found, picture as it is"].value < 0.05
    assert found["old quality told, 75"].value == 1


def test_the_default_quality_hides_a_former_one_like_it():
    (outcome,) = former_jpeg.run(Lu2022(), tiles(2))
    found = by_name(outcome)
    assert outcome.verdict == "fails"
    assert found["first columns found, quality 75 before"].value < 0.05


@pytest.mark.parametrize("bank", SIGNS)
def test_every_bank_tells_the_old_quality(bank):
    (outcome,) = former_jpeg.run(Lu2022(bank=bank, quality=95), tiles(2))
    for name, measure in by_name(outcome).items():
        if name.startswith("old quality"):
            assert (measure.value, measure.chance) == (1, name.endswith("90")), name


def test_no_old_quality_is_that_of_the_file():
    """Whose own grid all values lie on."""
    target = Lu2022(bank="signs256", quality=75)
    values, steps = columns.undone(target, target.encrypt(tiles(1)[0], 0))
    assert former_jpeg.told_quality(target, values, steps) < 75
    assert former_jpeg.told_quality(Lu2022(quality=30), values, steps) == 0  # none comes to mind


def test_values_on_the_grid_fit_it():
    steps = np.ones(7)
    before = decode(encode(tiles(1)[0], quality=50))
    target = Lu2022(bank="signs256", quality=98)
    values, _ = columns.undone(target, target.encrypt(before, 0))
    fits = [former_jpeg.surprise(values, steps, target.bank, one).sum() for one in (40, 50, 60)]
    assert min(fits) == fits[1]


# --- many encryptions ---------------------------------------------------------------------------


def test_encryptions_of_one_picture_add_up():
    (outcome,) = re_encryption.run(Lu2022(quality=95), tiles(1))
    shares = [measure.value for measure in outcome.measures]
    assert shares == sorted(shares, reverse=True)  # eight files, four, two
    assert shares[0] > 0.3
    assert shares[-1] < shares[0] / 2


def test_encryptions_under_one_nonce_add_nothing():
    (outcome,) = re_encryption.run(Lu2022(key_mode="content", quality=95), tiles(1))
    for measure in outcome.measures:
        assert measure.value == pytest.approx(measure.chance)


# --- an altered copy ----------------------------------------------------------------------------


@pytest.mark.parametrize("bank", BANKS)
def test_where_a_known_picture_was_altered_shows(bank):
    (outcome,) = altered_copy.run(Lu2022(bank=bank), tiles(2))
    altered, placed = outcome.measures
    assert outcome.verdict == "works"
    assert placed.value > 0.7
    assert altered.chance < 0.1


def page(picture: np.ndarray) -> np.ndarray:
    """White paper with a picture in a corner."""
    white = np.full((128, 192, 3), 255, np.uint8)
    white[:32, :48] = picture[:32, :48]
    return white


def test_white_paper_hides_where_it_was_written_on():
    picture = tiles(1)[0]
    sheet, written = page(picture), np.full((128, 192, 3), 255, np.uint8)
    written[56:72, 64:112] = picture[56:72, 64:112]  # two rows of six blocks
    (outcome,) = altered_copy.run(Lu2022(), [sheet, written])
    altered, _ = outcome.measures
    assert altered.chance == 12 / 384
    assert altered.low < 0.1  # any of the white blocks may have been written on
    assert altered.high > 0.5  # but where writing is gone shows


def test_what_is_equal_was_not_altered():
    (outcome,) = altered_copy.run(Lu2022(), [np.full((64, 64, 3), 90, np.uint8)] * 2)
    altered, placed = outcome.measures
    assert (altered.value, altered.chance) == (0, 0)
    assert 0 <= placed.value <= 1


def test_an_altered_part_covers_whole_units():
    altered = altered_copy.part(np.zeros((128, 192, 3), np.uint8))
    assert altered.sum() == (2 * 16) * (3 * 16)
    rows, columns_ = np.nonzero(altered)
    assert (rows.min() % 16, columns_.min() % 16) == (0, 0)
    assert altered_copy.part(np.zeros((20, 40), np.uint8)).sum() == 16 * 16
