"""The whole cipher: equal to a second implementation, as good as JPEG, unrelated between keys."""

import itertools
from collections import Counter
from typing import Any

import numpy as np
import pytest
from PIL import Image

import oracle
from checks import (
    KEY,
    NONCE,
    PHOTOS,
    SAMPLINGS,
    check_round_trip,
    components,
    patterns,
    photo,
    pillow_jpeg,
    pillow_pixels,
    psnr,
)
from jpegcrypt import Key, decode, decrypt, encode, encrypt, read_coefficients
from jpegcrypt.cipher import plan
from jpegcrypt.cipher.bank import BANKS
from jpegcrypt.encoder import EFFORTS, TRELLIS_LAMBDA
from jpegcrypt.schemes import lu2022

SECRET = bytes(range(32))  # of checks.KEY
SIGN_BANKS = ("authors16", "signs256")


# --- against the oracle -------------------------------------------------------------------------


@pytest.mark.parametrize("quality", [30, 75, 100])
@pytest.mark.parametrize("bank", BANKS)
@pytest.mark.parametrize("subsampling", [*SAMPLINGS, "gray"])
def test_coefficients_equal_the_oracle(subsampling, bank, quality):
    """Fixed point moves a coefficient by at most 0.15; a sample that rounds the other way, 0.35.

    So a quantized value is that of float64, or its neighbor where float64 is near a tie.
    """
    image = photo("coffee.png")[40:141, 60:215]
    if subsampling == "gray":
        image, subsampling = image[:, :, 1], "4:2:0"
    kind = {"quality": quality, "bank": bank, "subsampling": subsampling}
    data = encrypt(image, KEY, nonce=NONCE, **kind)
    c = read_coefficients(data)
    slack = 0.15 if image.ndim == 2 else 0.5
    for ours, steps, exact in zip(
        components(c), c.qt, oracle.encrypt(image, data, SECRET), strict=True
    ):
        ours = ours.reshape(-1, 8, 8).astype(float)
        ours[:, 0, 0] = oracle.wrapped(ours[:, 0, 0], exact[:, 0, 0] / steps[0, 0], steps)
        assert (np.abs(ours * steps - exact) <= steps / 2 + slack).all()
        off = np.abs(ours - np.rint(exact / steps))
        assert off.max() <= 1
        assert off.mean() <= (0.05 if quality == 100 else 0.005)


@pytest.mark.parametrize("quality", [30, 100])
@pytest.mark.parametrize("bank", BANKS)
@pytest.mark.parametrize("subsampling", [*SAMPLINGS, "gray"])
def test_the_oracle_decrypts(subsampling, bank, quality):
    """Within a level of gray; in blue a level of Y and 1.772 times a level and a half of Cb (half
    from rounding after upsampling), and the last rounding."""
    image = photo("coffee.png")[40:141, 60:215]
    if subsampling == "gray":
        image, subsampling = image[:, :, 1], "4:2:0"
    data = encrypt(image, KEY, nonce=NONCE, quality=quality, bank=bank, subsampling=subsampling)
    error = np.abs(oracle.decrypt(data, SECRET) - decrypt(data, KEY))
    assert error.max() <= (1 if image.ndim == 2 else 1 + 1.772 * 1.5 + 0.5)
    assert (error > 1.5).mean() < 0.01


def test_the_oracle_is_not_blind():
    """With another secret it finds other coefficients and another picture."""
    image = photo("coffee.png")[40:104, 60:124, 1]
    data = encrypt(image, KEY, nonce=NONCE)
    c = read_coefficients(data)
    (exact,) = oracle.encrypt(image, data, bytes(32))
    assert np.abs(c.Y.reshape(-1, 8, 8) - np.rint(exact / c.qt[0])).max() > 5
    assert psnr(oracle.decrypt(data, bytes(32)), image) < 18  # the mean is in the header
    assert psnr(oracle.decrypt(data, SECRET), image) > 30


@pytest.mark.parametrize("bank", SIGN_BANKS)
def test_sign_banks_keep_magnitudes(bank):
    """Each cipher block holds the AC magnitudes of its plain block, or of its transpose (2 of 4
    rotations): what these two banks leave in clear."""
    image = photo("coffee.png")[:128, :128, 1]
    flat = {"qtables": [[8] * 64]}
    plain = np.abs(read_coefficients(encode(image, **flat)).Y.reshape(-1, 8, 8))
    cipher = np.abs(read_coefficients(encrypt(image, KEY, bank=bank, nonce=NONCE, **flat)).Y)
    keys = KEY.derive(NONCE)
    component = plan.component_plan(keys.expand(f"Y {bank} 16x16"), len(plain))
    source = plain[component.permutation]
    turned = component.records[:, 9] & 1 == 1
    source[turned] = source[turned].swapaxes(1, 2)
    cipher = cipher.reshape(-1, 8, 8)
    source[:, 0, 0] = cipher[:, 0, 0]
    assert (source == cipher).mean() > 0.995  # but for rounding of ties


# --- quality ------------------------------------------------------------------------------------


def loss(image: np.ndarray, subsampling: str, quality: int, bank: str = "givens128") -> float:
    """Return how many dB Pillow's JPEG is better than our decrypted picture, mean of three nonces.

    From nonce to nonce it varies by 0.01 to 0.04 dB, standard deviation.
    """
    kind: dict[str, Any] = {"quality": quality, "subsampling": subsampling}
    theirs = psnr(pillow_pixels(pillow_jpeg(image, **kind)), image)
    files = [encrypt(image, KEY, bank=bank, nonce=bytes([i] * 16), **kind) for i in range(3)]
    return theirs - float(np.mean([psnr(decrypt(data, KEY), image) for data in files]))


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:0"])
@pytest.mark.parametrize("quality", [50, 75, 90, 100])
@pytest.mark.parametrize("bank", BANKS)
def test_photographs(bank, quality, subsampling):
    """As good as JPEG on each photograph; on average the default bank is better.

    Its rotations compact a little less, 0.06 dB by theory, more where a picture has flat areas;
    decryption wins that back, because it puts values where in their step they are likely to lie.
    """
    losses = [loss(photo(name), subsampling, quality, bank) for name in PHOTOS]
    limit = 0.3 if quality == 100 else 0.1
    assert max(losses) <= limit
    assert np.mean(losses) <= 0


GRAPH = "Performance-Graph.png"  # thin lines on a flat ground, where any rotation costs


def cid22(data_folder, every: int) -> dict[str, np.ndarray]:
    images = {}
    for path in sorted(data_folder("cid22").glob("*.png"))[::every]:
        with Image.open(path) as file:
            images[path.name] = np.asarray(file.convert("RGB"))
    return images


@pytest.mark.parametrize(
    "every", [pytest.param(1, marks=pytest.mark.exhaustive, id="all"), pytest.param(12, id="a few")]
)
@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:0"])
@pytest.mark.parametrize("quality", [50, 75, 90])
def test_cid22(data_folder, quality, subsampling, every):
    """Uncompressed sources, photographs and graphs."""
    images = cid22(data_folder, every)
    losses = {name: loss(image, subsampling, quality) for name, image in images.items()}
    assert np.mean(list(losses.values())) <= 0
    assert losses.pop(GRAPH, 0) <= 0.22
    assert max(losses.values()) <= 0.1


# --- every size, extreme pictures ---------------------------------------------------------------


@pytest.mark.parametrize("subsampling", [*SAMPLINGS, "gray"])
def test_every_size(subsampling):
    """From 1x1 to 40x40; quality, bank, effort, restarts, picture and DC mode take turns."""
    kinds = itertools.cycle(
        itertools.product(
            (1, 50, 100), BANKS, EFFORTS, (0, 1, 3), (False, True), ("permuted", "residual")
        )
    )
    names = itertools.cycle(patterns(1, 1))
    for height, width in itertools.product(range(1, 41), repeat=2):
        quality, bank, effort, interval, natural, dc = next(kinds)
        image = patterns(height, width)[next(names)]
        if natural:
            image = photo("coffee.png")[200 : 200 + height, 200 : 200 + width]
        kind = {"quality": quality, "bank": bank, "effort": effort, "restart_interval": interval}
        kind["dc"] = dc
        if subsampling == "gray":
            check_round_trip(image[:, :, 1], **kind)
        else:
            check_round_trip(image, subsampling=subsampling, **kind)


@pytest.mark.exhaustive
@pytest.mark.parametrize("quality", [1, 50, 100])
@pytest.mark.parametrize("subsampling", [*SAMPLINGS, "gray"])
def test_every_size_in_every_quality(subsampling, quality):
    """All of 1x1 to 40x40; the picture takes turns."""
    names = itertools.cycle(patterns(1, 1))
    for height, width in itertools.product(range(1, 41), repeat=2):
        image = patterns(height, width)[next(names)]
        if subsampling == "gray":
            check_round_trip(image[:, :, 1], quality=quality)
        else:
            check_round_trip(image, subsampling=subsampling, quality=quality)


@pytest.mark.parametrize(
    ("height", "width"), [(1, 4099), (4099, 1), (131, 517), (8, 65500), (1023, 769)]
)
def test_long_sizes(height, width):
    image = np.resize(photo("astronaut.png"), (height, width, 3))
    for subsampling in SAMPLINGS:
        check_round_trip(image, subsampling=subsampling)


@pytest.mark.parametrize("bank", BANKS)
@pytest.mark.parametrize("quality", [1, 50, 100])
@pytest.mark.parametrize("name", patterns(1, 1))
def test_extreme_pictures(name, quality, bank):
    """Values stay within +-1023, so DC differences stay within 11 bits."""
    for subsampling, effort, dc in zip(
        SAMPLINGS,
        itertools.cycle(("default", "best")),
        itertools.cycle(("permuted", "permuted", "residual")),
        strict=False,
    ):
        kind = {"quality": quality, "bank": bank, "subsampling": subsampling}
        data = check_round_trip(patterns(53, 70)[name], effort=effort, dc=dc, **kind)
        for table, codes in oracle.huffman_tables(data).items():
            assert max(s & 15 for s in codes.values()) <= (11 if table < 0x10 else 10)
    check_round_trip(patterns(53, 70, 1)[name], quality=quality, bank=bank)


@pytest.mark.parametrize("bank", BANKS)
def test_the_clamp_costs_half_a_level(bank):
    """Black and white blocks reach 1024 at step 1, where a JPEG coefficient ends at 1023."""
    for level in (0, 255):
        image = np.full((64, 64), level, np.uint8)
        assert np.array_equal(decrypt(check_round_trip(image, quality=100, bank=bank), KEY), image)


def saturated(mean: int, rng: np.random.Generator) -> np.ndarray:
    """Blocks of 0 and 255 and noise of both, so many that their mean is `mean`."""
    flat = rng.random((8, 9)) < mean / 255
    image = np.kron(flat, np.ones((8, 8), bool))
    image[:32] = rng.random((32, 72)) < mean / 255
    return np.where(image, 255, 0).astype(np.uint8)


@pytest.mark.parametrize("mean", [3, 60, 128, 200, 252])
@pytest.mark.parametrize("dc", ["permuted", "residual"])
@pytest.mark.parametrize("effort", ["default", "best"])
def test_saturated_blocks_far_from_the_mean(mean, dc, effort):
    """DC values wrap where a level shift takes them out of range, and come back exactly."""
    rng = np.random.default_rng(mean)
    gray = saturated(mean, rng)
    color = np.stack([gray, saturated(255 - mean, rng), gray], 2)
    for quality in (30, 96, 98, 100):
        data = check_round_trip(gray, quality=quality, dc=dc, effort=effort)
        if effort == "default":
            assert (
                np.abs(decrypt(data, KEY).astype(int) - gray).mean()
                <= 40 * (100 - quality) / 70 + 1
            )
        check_round_trip(color, quality=quality, dc=dc, effort=effort, subsampling="4:4:4")


# --- compression --------------------------------------------------------------------------------


def cost(data: bytes, pixels: np.ndarray, image: np.ndarray, bit: float) -> float:
    return float(((pixels.astype(float) - image) ** 2).sum()) + bit * 8 * len(data)


@pytest.mark.parametrize("quality", [25, 75, 95])
@pytest.mark.parametrize("name", PHOTOS)
def test_best_is_smaller_at_less_cost(name, quality):
    """Squared error + lambda * bits, with the lambda that the trellis took."""
    image = photo(name)[:256, :256, 1]
    plain = encode(image, quality=quality)
    c = read_coefficients(plain)
    alive = c.Y != 0
    alive[:, :, 0, 0] = False
    steps = np.broadcast_to(c.qt[0].astype(float) ** 2, alive.shape)
    bit = TRELLIS_LAMBDA * steps[alive].mean()
    best = encode(image, quality=quality, effort="best")
    assert len(best) < 0.97 * len(plain)
    assert cost(best, decode(best), image, bit) < cost(plain, decode(plain), image, bit)
    for dc in ("permuted", "residual"):
        files = [
            encrypt(image, KEY, nonce=NONCE, quality=quality, dc=dc, effort=effort)
            for effort in ("default", "best")
        ]
        assert len(files[1]) < 0.97 * len(files[0])
        rounded, chosen = (cost(data, decrypt(data, KEY), image, bit) for data in files)
        assert chosen < rounded


@pytest.mark.parametrize("name", sorted(set(PHOTOS) - {"hubble_deep_field.jpg"}))
def test_residuals_are_smaller(name):
    """Where neighbors are alike; stars on black are not."""
    image = photo(name)
    sizes = [len(encrypt(image, KEY, dc=dc, effort="best")) for dc in ("permuted", "residual")]
    assert sizes[1] < sizes[0]


def test_a_larger_lambda_makes_a_smaller_file():
    image = photo("astronaut.png")
    files = [
        encrypt(image, KEY, nonce=NONCE, effort="best", trellis_lambda=factor)
        for factor in (0, 0.05, TRELLIS_LAMBDA, 0.5, 1)
    ]
    sizes = [len(data) for data in files]
    losses = [psnr(decrypt(data, KEY), image) for data in files]
    assert sizes == sorted(sizes, reverse=True)
    assert losses == sorted(losses, reverse=True)
    assert files[0] == encrypt(image, KEY, nonce=NONCE)  # nothing but rounding is left


# --- nothing is used twice, nothing is related --------------------------------------------------


def test_no_key_stream_is_used_twice(monkeypatch):
    """All streams of several files and components, cut into AES blocks: no block comes again.

    Within a stream, reads follow one another, so no bit of it serves two purposes
    (tests/cipher/test_plan.py shows which bit serves which).
    """
    streams: list[bytearray] = []

    class Recorder(plan.KeyStream):
        def __init__(self, key):
            super().__init__(key)
            streams.append(bytearray())

        def read(self, n: int) -> np.ndarray:
            chunk: np.ndarray = super().read(n)
            streams[-1] += chunk.tobytes()
            return chunk

    monkeypatch.setattr(plan, "KeyStream", Recorder)
    image = photo("coffee.png")[:96, :128]
    for key, n in itertools.product((KEY, Key(bytes(32))), range(3)):
        encrypt(image, key, nonce=bytes([n] * 16))
    assert len(streams) == 2 * 3 * 3
    blocks = [bytes(s[i : i + 16]) for s in streams for i in range(0, len(s) - 15, 16)]
    assert len(blocks) > 18 * 48
    assert len(set(blocks)) == len(blocks)


def block_bytes(data: bytes) -> list[list[bytes]]:
    return [
        [block.tobytes() for block in array.reshape(-1, 64)]
        for array in components(read_coefficients(data))
    ]


@pytest.mark.parametrize("quality", [10, 75])
@pytest.mark.parametrize("other", ["nonce", "key"])
def test_unrelated(other, quality):
    """Two nonces, or two keys: blocks at the same place are equal as often as chance has it.

    Flat areas make equal blocks. If block values are a(v) times in one file and b(v) times in the
    other, and places are independent, sum(a b) / n places agree on average.
    """
    image = photo("astronaut.png")
    first = encrypt(image, KEY, nonce=NONCE, quality=quality)
    if other == "nonce":
        second = encrypt(image, KEY, nonce=bytes(16), quality=quality)
    else:
        second = encrypt(image, Key(bytes(32)), nonce=NONCE, quality=quality)
    for a, b in zip(block_bytes(first), block_bytes(second), strict=True):
        counts_a, counts_b = Counter(a), Counter(b)
        chance = sum(counts_a[value] * counts_b[value] for value in counts_a) / len(a)
        equal = sum(x == y for x, y in zip(a, b, strict=True))
        assert abs(equal - chance) <= 5 * np.sqrt(chance) + 5
    for a, b in zip(
        components(read_coefficients(first)), components(read_coefficients(second)), strict=True
    ):
        both = (a != 0) & (b != 0)
        agree = (np.sign(a) == np.sign(b))[both].mean()
        assert abs(agree - 0.5) <= 5 * 0.5 / np.sqrt(both.sum())


def test_dc_modes_are_unrelated():
    """Under one nonce, too: a DC value and a residual of one place are not of one block."""
    image = photo("coffee.png")[:200, :320]
    files = [encrypt(image, KEY, key_mode="content", dc=dc) for dc in ("permuted", "residual")]
    a, b = (read_coefficients(data).Y.reshape(-1, 64)[:, 1:] for data in files)
    busy = np.count_nonzero(a, axis=1) > 5
    assert busy.sum() > 300
    assert not (a == b).all(axis=1)[busy].any()


def test_components_are_unrelated():
    """Y, Cb and Cr of one file have plans of their own."""
    keys = KEY.derive(NONCE)
    plans = [
        plan.component_plan(keys.expand(f"{label} givens128 40x25"), 1000)
        for label in lu2022.COMPONENTS
    ]
    for a, b in itertools.combinations(plans, 2):
        assert (a.permutation == b.permutation).sum() < 10  # one is expected
        assert (a.records == b.records).mean() < 0.006  # 1 / 256


def test_what_everyone_sees_is_noise():
    """The shown picture has nothing of the original: its PSNR is that of unrelated pictures."""
    for name in ("astronaut.png", "coffee.png"):
        image = photo(name)
        shown = pillow_pixels(encrypt(image, KEY, nonce=NONCE))
        other = pillow_pixels(encrypt(image, Key(bytes(32)), nonce=NONCE))
        assert psnr(shown, image) < 14
        assert psnr(shown, other) < 14
