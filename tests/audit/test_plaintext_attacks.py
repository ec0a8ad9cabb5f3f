"""Known and chosen plaintext: they break fixed keys of every bank, and nothing else."""

import numpy as np
import pytest
from PIL import Image

from checks import photo, tiles
from jpegcrypt.audit import exact
from jpegcrypt.audit.attacks import chosen_plaintext, known_plaintext
from jpegcrypt.audit.attacks.known_plaintext import smooth_dc
from jpegcrypt.audit.picture import psnr, ssim
from jpegcrypt.audit.target import ATTACKER, OWNER, Lu2022
from jpegcrypt.cipher.bank import BANKS, matrices
from jpegcrypt.cipher.plan import component_plan

PLACED, LOOKS = "luma blocks placed, known picture", "the same, up to blocks that look alike"
NEXT, PSNR = "luma blocks placed, next picture", "PSNR of the next picture"
TRANSFORMS = "luma transforms found, next picture"


def by_name(outcome):
    return {measure.name: measure for measure in outcome.measures}


def picture_384x256(name: str) -> np.ndarray:
    image = Image.fromarray(photo(name))
    scale = max(384 / image.width, 256 / image.height)
    image = image.resize((round(image.width * scale), round(image.height * scale)))
    return np.ascontiguousarray(np.asarray(image)[:256, :384])


@pytest.mark.parametrize("dc", ["permuted", "residual"])
@pytest.mark.parametrize("bank", BANKS)
def test_the_exact_transform_is_that_of_the_codec(bank, dc):
    """Rotation clockwise, row matrix first, then one matrix a column: else no attack could work."""
    picture = tiles(1)[0]
    target = Lu2022(bank=bank, dc=dc, quality=95)
    data = target.encrypt(picture, 0)
    for pair, plan in zip(
        known_plaintext.known(target, picture, data), target.plan(data), strict=True
    ):
        choices = matrices(bank)
        records = plan.records.astype(int)
        blocks = exact.rotate(pair.samples[plan.permutation].astype(float), records[:, 9])
        rows, columns = records[:, 0] % len(choices), records[:, 1:9] % len(choices)
        mine = exact.transform(blocks, rows, columns, choices) / pair.steps
        assert np.abs(mine - pair.cipher).mean() < 0.35
        assert (np.abs(mine - pair.cipher) < 1.5).mean() > 0.98
        assert (np.abs(mine - pair.cipher)[:, 0, 0] < 0.01).mean() > 0.9


@pytest.mark.parametrize(("quality", "share"), [(50, 0.95), (75, 0.99)])
def test_one_known_picture_places_the_blocks(quality, share):
    """With fixed keys and the authors' bank; the next picture is seen."""
    pictures = [picture_384x256("motorcycle_left.png"), picture_384x256("chelsea.png")]
    target = Lu2022(bank="authors16", key_mode="fixed", quality=quality)
    (outcome,) = known_plaintext.run(target, pictures)
    found = by_name(outcome)
    assert found[PLACED].value >= share
    assert found[LOOKS].value >= found[PLACED].value
    assert found[NEXT].value == found[PLACED].value  # the plan is the same
    assert found[PSNR].value > found[PSNR].chance + 8
    assert outcome.verdict == "works"


@pytest.mark.parametrize("key_mode", ["nonce", "content"])
@pytest.mark.parametrize("bank", ["authors16", "givens128"])
def test_a_nonce_leaves_nothing_of_it(bank, key_mode):
    target = Lu2022(bank=bank, key_mode=key_mode)
    for attack in (known_plaintext, chosen_plaintext):
        (outcome,) = attack.run(target, tiles(2, 64, 96))
        found = by_name(outcome)
        if attack is known_plaintext:
            assert found[PLACED].value > 0.5  # it does explain the file it learned from
        assert found[NEXT].value < 0.06
        assert abs(found[PSNR].value - found[PSNR].chance) < 2
        assert outcome.verdict == "fails"


@pytest.mark.parametrize("dc", ["permuted", "residual"])
@pytest.mark.parametrize("bank", BANKS)
def test_chosen_pictures_give_everything(bank, dc):
    target = Lu2022(bank=bank, dc=dc, key_mode="fixed")
    (outcome,) = chosen_plaintext.run(target, tiles(2))
    found = by_name(outcome)
    assert found[NEXT].value == 1
    assert found[TRANSFORMS].value > (0.7 if bank == "signs256" else 0.98)
    assert found[PSNR].value > found[PSNR].perfect - (6 if bank == "signs256" else 0.5)


@pytest.mark.parametrize("gray", [False, True])
@pytest.mark.parametrize("dc", ["permuted", "residual"])
@pytest.mark.parametrize("bank", BANKS)
def test_ac_values_in_place_show_the_picture(bank, dc, gray):
    picture = tiles(1)[0]
    picture = np.ascontiguousarray(picture[:, :, 1]) if gray else picture
    target = Lu2022(bank=bank, dc=dc)
    data = target.encrypt(picture, 0)
    seen, wrong = (
        ssim(picture, target.decrypt(data, plan, carried=smooth_dc(target, data, plan)))
        for plan in (target.plan(data), target.plan(data, key=ATTACKER))
    )
    assert seen > 0.45
    assert wrong < 0.1


def test_smooth_dc_values_help_where_residuals_add_up():
    target = Lu2022(bank="signs256", dc="residual", key_mode="fixed")
    known, picture = tiles(2)
    data = target.encrypt(picture, 1)
    pairs = known_plaintext.known(target, known, target.encrypt(known, 0))
    plan = [known_plaintext.recover([pair], target.bank) for pair in pairs]
    as_it_is = target.decrypt(data, plan)
    seen = known_plaintext.opened(target, data, plan, picture)
    assert psnr(picture, seen) > psnr(picture, as_it_is) + 2


def test_more_known_pictures_know_more():
    target = Lu2022(bank="authors16", key_mode="fixed")
    one, four = known_plaintext.run(target, tiles(5))
    for name in (NEXT, PSNR, TRANSFORMS):
        assert by_name(four)[name].value > by_name(one)[name].value
    assert by_name(four)[NEXT].value > 0.99


def test_gray_pictures():
    pictures = [np.ascontiguousarray(picture[:, :, 1]) for picture in tiles(2)]
    target = Lu2022(bank="signs256", key_mode="fixed")
    (outcome,) = chosen_plaintext.run(target, pictures)
    assert by_name(outcome)[NEXT].value == 1


def test_the_score_is_not_blind():
    """The true plan scores 1, an unrelated one scores chance."""
    truth, other = (component_plan(bytes([i]) * 32, 400) for i in range(2))
    for bank in BANKS:
        assert known_plaintext.placed(truth, truth) == 1
        assert known_plaintext.transforms_found(truth, truth, bank) == 1
        assert known_plaintext.placed(other, truth) < 0.02
        assert known_plaintext.transforms_found(other, truth, bank) < 0.1


def test_content_keys_change_with_a_pixel_and_printed_digests_do_not():
    picture = photo("coffee.png")  # large enough for NumPy to leave out its inside
    assert chosen_plaintext.changed_by_one_pixel(Lu2022(key_mode="content"), picture) > 0.9
    assert chosen_plaintext.changed_by_one_pixel(Lu2022(key_mode="fixed"), picture) == 0
    assert chosen_plaintext.collides_when_printed(picture)
    assert not chosen_plaintext.collides_when_printed(picture[:16, :16])
    other = picture.copy()
    other[100, 100, 0] ^= 1
    assert OWNER.content_nonce(picture) != OWNER.content_nonce(other)
