"""The scheme of feng2021: round trips, the paper's settings, what each key mode moves."""

import io
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image

from checks import KEY, photo, psnr
from jpegcrypt import (
    FixedKeyWarning,
    Key,
    MalformedJpeg,
    NotEncrypted,
    TamperedFile,
    UnreadableImage,
    UnsupportedJpeg,
    WrongKey,
    inspect,
)
from jpegcrypt import decode as decode_jpeg
from jpegcrypt import decrypt as decrypt_lu2022
from jpegcrypt import encrypt as encrypt_lu2022
from jpegcrypt.schemes import feng2021
from jpegcrypt.schemes.feng2021 import decrypt, encrypt, read

PICTURE = photo("coffee.png")[100:292, 200:328]  # 192x128, as in the paper


def blocks(pixels: np.ndarray, p: int) -> list[bytes]:
    height, width = pixels.shape[:2]
    grid = pixels.reshape(height // p, p, width // p, p, -1).swapaxes(1, 2)
    return [block.tobytes() for row in grid for block in row]


@pytest.mark.parametrize("quarters", feng2021.QUARTERS)
@pytest.mark.parametrize("block", feng2021.BLOCKS)
def test_a_png_brings_every_pixel_back(block, quarters) -> None:
    data = encrypt(PICTURE, KEY, block=block, quarters=quarters, key_mode="nonce")
    with Image.open(io.BytesIO(data)) as image:
        assert (image.format, image.size) == ("PNG", (128, 192))
        np.testing.assert_array_equal(np.asarray(image), read(data)[0])
    np.testing.assert_array_equal(decrypt(data, KEY), PICTURE)


@pytest.mark.parametrize(("block", "m"), [(8, 96), (16, 24)])
def test_the_other_blocks_are_in_clear(block: int, m: int) -> None:
    cipher, _ = read(encrypt(PICTURE, KEY, block=block, quarters=1, key_mode="content"))
    plain = set(blocks(PICTURE, block))
    assert sum(one not in plain for one in blocks(cipher, block)) == m


@pytest.mark.parametrize(
    ("block", "quarters", "paper"),
    [(16, 1, 9.754), (16, 3, 9.032), (8, 1, 9.814), (8, 3, 9.061)],
)
def test_as_far_from_the_picture_as_in_the_paper(block, quarters, paper: float) -> None:
    """Table I has a mean over Corel-10K; one photograph lies within a few dB of it."""
    cipher, _ = read(encrypt(PICTURE, KEY, block=block, quarters=quarters, key_mode="nonce"))
    assert psnr(PICTURE, cipher) == pytest.approx(paper, abs=3)


@pytest.mark.parametrize("quality", [90, 95, 100])
def test_a_jpeg_brings_the_picture_back_in_part(quality: int) -> None:
    """Clear blocks are as good as in a JPEG; an error of 1 in a substituted value is any error."""
    data = encrypt(PICTURE, KEY, block=8, quarters=1, key_mode="nonce", quality=quality)
    with Image.open(io.BytesIO(data)) as image:
        assert image.format == "JPEG"
    np.testing.assert_array_equal(decode_jpeg(data), read(data)[0])
    back = decrypt(data, KEY)
    plan = feng2021._plan(KEY, read(data)[1], PICTURE.shape)
    substituted = np.zeros(384, bool)
    substituted[plan.permutation[plan.chosen]] = True
    error = np.abs(back.astype(int) - PICTURE).reshape(24, 8, 16, 8, 3).mean(axis=(1, 3, 4)).ravel()
    assert error[~substituted].mean() < 4
    assert error[substituted].mean() > 10 * error[~substituted].mean()


@pytest.fixture
def fixed() -> Iterator[None]:
    with pytest.warns(FixedKeyWarning):
        yield


@pytest.mark.usefixtures("fixed")
def test_fixed_keys_move_all_pictures_alike() -> None:
    one, two = encrypt(PICTURE, KEY), encrypt(255 - PICTURE, KEY)
    assert one == encrypt(PICTURE, KEY)
    plans = [feng2021._plan(KEY, read(data)[1], PICTURE.shape) for data in (one, two)]
    np.testing.assert_array_equal(plans[0].permutation, plans[1].permutation)
    np.testing.assert_array_equal(plans[0].chosen, plans[1].chosen)


def test_a_nonce_moves_blocks_anew_and_keeps_the_colors() -> None:
    data = [encrypt(PICTURE, KEY, key_mode="nonce") for _ in range(2)]
    one, two = (feng2021._plan(KEY, read(d)[1], PICTURE.shape) for d in data)
    assert not np.array_equal(one.permutation, two.permutation)
    assert not np.array_equal(one.chosen, two.chosen)
    np.testing.assert_array_equal(one.substitution, two.substitution)
    same = [encrypt(PICTURE, KEY, key_mode="content") for _ in range(2)]
    assert same[0] == same[1]


def test_the_plan_is_uniform_and_never_changes() -> None:
    keys = KEY.derive(bytes(16))
    plan = feng2021.make_plan(keys, keys, 384, 8, 1)
    assert sorted(plan.permutation) == list(range(384))
    assert all(sorted(table) == list(range(256)) for table in plan.substitution)
    assert len({table.tobytes() for table in plan.substitution}) == 3
    assert len(set(plan.chosen)) == 96
    assert plan.permutation[:4].tolist() == PERMUTATION
    assert plan.substitution[:, 0].tolist() == SUBSTITUTION
    # Each place of a shuffle of 4 holds each index equally often: 5 standard deviations.
    counts = np.zeros((4, 4))
    for i in range(4000):
        shuffled = feng2021._shuffled(i.to_bytes(32, "little"), b"perm", 4)
        counts[np.arange(4), shuffled] += 1
    assert np.abs(counts - 1000).max() < 5 * np.sqrt(4000 * 3 / 16)


PERMUTATION = [76, 96, 220, 302]
SUBSTITUTION = [47, 41, 237]


def test_the_plan_hides_itself() -> None:
    keys = KEY.derive(bytes(16))
    assert repr(feng2021.make_plan(keys, keys, 4, 8, 1)) == "Plan()"


@pytest.mark.parametrize("quality", [None, 95])
def test_what_does_not_fit(quality: int | None) -> None:
    data = encrypt(PICTURE, KEY, key_mode="nonce", quality=quality)
    with pytest.raises(WrongKey, match=KEY.id.hex()):
        decrypt(data, Key.generate())
    cipher, head = read(data)
    cipher[0, 0, 0] ^= 64
    changed = feng2021._write(cipher, head.pack(), quality)
    with pytest.raises(TamperedFile, match="tag does not fit"):
        decrypt(changed, KEY)
    decrypt(changed, KEY, verify=False)
    with pytest.raises(NotEncrypted):
        decrypt(feng2021._write(cipher, b"", None), KEY)
    with pytest.raises((UnreadableImage, MalformedJpeg)):
        decrypt(data[:100], KEY)


def test_a_file_of_another_scheme() -> None:
    with pytest.raises(NotEncrypted, match="scheme 1, expected 2"):
        decrypt(encrypt_lu2022(PICTURE, KEY), KEY)
    data = encrypt(PICTURE, KEY, key_mode="nonce", quality=90)
    with pytest.raises(UnsupportedJpeg, match="scheme feng2021"):
        decrypt_lu2022(data, KEY)
    assert inspect(data).scheme == "feng2021"


@pytest.mark.parametrize(
    ("kind", "text"),
    [({"block": 4}, "8 or 16"), ({"quarters": 5}, "0 to 4"), ({"key_mode": "x"}, "key mode 'x'"),
     ({"quality": 0}, "1 to 100")],
)  # fmt: skip
def test_bad_arguments(kind, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        encrypt(PICTURE, KEY, **{"key_mode": "nonce"} | kind)


def test_pictures_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="multiples of 8"):
        encrypt(PICTURE[:-1], KEY, key_mode="nonce")
    with pytest.raises(ValueError, match="gray"):
        encrypt(PICTURE[:, :, 0], KEY, key_mode="nonce")
