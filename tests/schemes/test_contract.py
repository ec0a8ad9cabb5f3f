"""Every scheme keeps the contract of `schemes.interface`."""

import contextlib
import io
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from scipy.spatial.distance import cdist

import jpegcrypt
from checks import KEY, NONCE, Pixels, check_same_coefficients, patterns, photo, psnr, refusal
from jpegcrypt import (
    JpegcryptError,
    Key,
    MalformedJpeg,
    NotEncrypted,
    UnreadableImage,
    UnsupportedJpeg,
    WrongKey,
)
from jpegcrypt.schemes import load, lu2022, name_of, names
from jpegcrypt.schemes.interface import Scheme
from jpegcrypt.schemes.quantized import QuantizedScheme, file_blocks
from jpegcrypt.schemes.statistics import ac_symbols

OTHER_KEY = Key(bytes(range(1, 33)))
OTHER_NONCE = bytes(range(16))
PICTURE = photo("coffee.png")[40:165, 60:263]


def pictures() -> Iterator[tuple[str, Pixels]]:
    """Yield what pushes a scheme to its limits: odd sizes, gray, extreme values."""
    yield "color", PICTURE
    yield "gray", PICTURE[:, :, 1]
    for height, width in ((1, 1), (1, 40), (23, 1), (17, 49)):
        yield f"{width}x{height}", PICTURE[:height, :width]
        yield f"{width}x{height} gray", PICTURE[:height, :width, 0]
    for name in ("white", "extremes", "noise", "saturated checker"):
        yield name, patterns(41, 67)[name]


NONCE_DECIDES_NOTHING = [load("wang2020")]

every_scheme = pytest.mark.parametrize("scheme", [pytest.param(load(n), id=n) for n in names()])
every_picture = pytest.mark.parametrize(
    "picture", [pytest.param(picture, id=name) for name, picture in pictures()]
)


@every_scheme
@every_picture
def test_the_picture_comes_back(scheme: Scheme, picture: Pixels) -> None:
    back = scheme.decrypt(scheme.encrypt(picture, KEY, NONCE), KEY)
    assert back.dtype == np.uint8
    assert back.shape == picture.shape
    if scheme.lossless:
        assert np.array_equal(back, picture)
    elif isinstance(scheme, QuantizedScheme):  # exact on coefficients
        assert np.array_equal(back, jpegcrypt.decode(scheme.plain(picture)))
    else:  # as good as a plain JPEG
        reference = jpegcrypt.decode(
            jpegcrypt.encode(picture)
        )  # of the quality that is the default
        assert psnr(back, picture) >= min(psnr(reference, picture) - 1.0, 40)


@every_scheme
@pytest.mark.parametrize("how", ["gray", "4:2:0", "4:4:4", "chroma finer than luma"])
def test_files_of_strangers_do_not_stop_a_server(scheme: Scheme, how: str) -> None:
    data = jpegcrypt.encode(
        PICTURE[..., 0] if how == "gray" else PICTURE, subsampling=how if ":" in how else "4:2:0"
    )
    if how.startswith("chroma"):  # what was Y becomes the second component
        at = data.index(b"\xff\xc0") + 10
        data = data[: at + 1] + b"\x11" + data[at + 2 : at + 4] + b"\x22" + data[at + 5 :]
    for read in (scheme.features, scheme.invariants):
        with contextlib.suppress(JpegcryptError):
            read(data)


@every_scheme
def test_the_salt_of_a_passphrase_is_in_the_file(scheme: Scheme) -> None:
    salt = b"public salt 1234"
    data = scheme.encrypt(PICTURE, Key(bytes(range(32)), salt=salt), NONCE)
    assert salt in data or salt.hex().encode() in data
    back = scheme.decrypt(data, Key(bytes(range(32))))
    assert np.array_equal(back, scheme.decrypt(scheme.encrypt(PICTURE, KEY, NONCE), KEY))


@every_scheme
@every_picture
def test_invariants_hold(scheme: Scheme, picture: Pixels) -> None:
    plain = scheme.invariants(scheme.plain(picture))
    encrypted = scheme.invariants(scheme.encrypt(picture, KEY, NONCE))
    assert plain
    assert plain.keys() == encrypted.keys()
    for name, array in plain.items():
        assert near(array, encrypted[name], scheme.tolerance), name


def near(one: np.ndarray, other: np.ndarray, tolerance: float) -> bool:
    """Tell whether arrays are equal, or as near as the scheme states."""
    if tolerance == 0 or one.shape != other.shape:
        return np.array_equal(one, other)
    return bool(np.linalg.norm(one - other) <= tolerance * np.linalg.norm(one) + 1e-9)


@every_scheme
def test_invariants_tell_pictures_apart(scheme: Scheme) -> None:
    """Or the test above could not fail."""
    one = scheme.invariants(scheme.encrypt(PICTURE, KEY, NONCE))
    other = scheme.invariants(scheme.encrypt(PICTURE[::-1] // 2 + 9, KEY, NONCE))
    for name, array in one.items():
        assert not near(array, other[name], scheme.tolerance), name


@every_scheme
def test_key_and_nonce_decide_the_file(scheme: Scheme) -> None:
    data = scheme.encrypt(PICTURE, KEY, NONCE)
    assert scheme.encrypt(PICTURE.copy(), KEY, NONCE) == data
    tail = len(data) // 2  # behind the header
    assert data[-tail:] != scheme.plain(PICTURE)[-tail:]
    assert data[-tail:] != scheme.encrypt(PICTURE, OTHER_KEY, NONCE)[-tail:]
    other = scheme.encrypt(PICTURE, KEY, OTHER_NONCE)
    if scheme in NONCE_DECIDES_NOTHING:
        assert data.replace(NONCE.hex().encode(), b"") != other
    else:
        assert data[-tail:] != other[-tail:]


@every_scheme
def test_files_that_do_not_open(scheme: Scheme) -> None:
    data = scheme.encrypt(PICTURE, KEY, NONCE)
    with pytest.raises(WrongKey):
        scheme.decrypt(data, OTHER_KEY)
    with pytest.raises(NotEncrypted):
        scheme.decrypt(scheme.plain(PICTURE), KEY)
    for broken in (b"", b"no picture", data[:10], data[: len(data) // 2]):
        error = refusal(scheme.decrypt, broken, KEY)
        assert isinstance(error, MalformedJpeg | NotEncrypted | UnreadableImage)


@every_scheme
def test_files_of_others_are_not_encrypted_by_this_scheme(scheme: Scheme) -> None:
    start = scheme.encrypt(PICTURE, KEY, NONCE)[:2]
    for kind in ("PNG", "JPEG"):
        file = io.BytesIO()
        Image.fromarray(PICTURE).save(file, kind)
        data = file.getvalue()
        if start in (data[:2], b"jp"):  # of the same format, or a container of our own
            expected: tuple[type[JpegcryptError], ...] = (NotEncrypted,)
        else:
            expected = (MalformedJpeg, UnreadableImage)
        assert isinstance(refusal(scheme.decrypt, data, KEY), expected)


def test_features_of_the_transition_matrices_are_those_of_the_plain_file() -> None:
    scheme = load("cheng2016_markov")
    plain = scheme.features(scheme.plain(PICTURE))
    for nonce in (NONCE, OTHER_NONCE):
        assert np.array_equal(scheme.features(scheme.encrypt(PICTURE, KEY, nonce)), plain)


@every_scheme
def test_the_scheme_of_a_file_is_named(scheme: Scheme) -> None:
    """By `inspect`, and by `jpegcrypt.decrypt`, which opens files of lu2022 only."""
    name = name_of(scheme.ID)
    assert name is not None
    assert type(load(name)) is type(scheme)
    if not scheme.is_jpeg:
        return
    data = scheme.encrypt(PICTURE, KEY, NONCE)
    assert jpegcrypt.inspect(data).scheme == name
    with pytest.raises(UnsupportedJpeg, match=f"a file of scheme {name}, expected lu2022"):
        jpegcrypt.decrypt(data, KEY)


@every_scheme
def test_settings_that_are_none(scheme: Scheme) -> None:
    if not hasattr(scheme, "quality"):
        pytest.skip("the scheme has no quality")
    for quality, kind in ((True, TypeError), (75.5, TypeError), ("75", TypeError), (0, ValueError)):
        with pytest.raises(kind, match="quality"):
            replace(scheme, quality=quality).encrypt(PICTURE, KEY, NONCE)  # type: ignore[type-var]


@every_scheme
def test_changed_files_are_refused_or_decrypt(scheme: Scheme) -> None:
    """With errors of ours, whatever was changed."""
    data = scheme.encrypt(PICTURE[:30, :50], KEY, NONCE)
    rng = np.random.default_rng(0)
    for i in range(150):
        changed = bytearray(data)
        # Headers are short, and so are the ends of parts: half of the changes go there.
        end = min(len(data), 700) if i % 2 else len(data)
        for place in rng.integers(0, end, rng.integers(1, 4)):
            changed[place] = rng.integers(256)
        if i % 10 == 0:
            del changed[rng.integers(len(changed)) :]
        if changed.startswith(b"\x89PNG") and b"tEXtjpegcrypt\0" in changed and i % 3:
            changed = bytearray(png_again(bytes(changed)))
        for step in (scheme.features, scheme.invariants, lambda file: scheme.decrypt(file, KEY)):
            refusal(step, bytes(changed))


@every_scheme
def test_another_key_shows_another_picture(scheme: Scheme) -> None:
    """Under a header that claims the right one."""
    data = scheme.encrypt(PICTURE, OTHER_KEY, NONCE)
    data = data.replace(OTHER_KEY.id, KEY.id)
    data = data.replace(OTHER_KEY.id.hex().encode(), KEY.id.hex().encode())
    if data.startswith(b"\x89PNG"):  # whose chunks have check sums
        data = png_again(data)
    if refusal(scheme.decrypt, data, KEY) is None:
        assert psnr(scheme.decrypt(data, KEY), PICTURE) < 25


def png_again(data: bytes) -> bytes:
    """Return a PNG whose text chunk was changed, with the check sum that it should have."""
    import zlib

    at = data.index(b"tEXtjpegcrypt\0")
    size = int.from_bytes(data[at - 4 : at])
    crc = zlib.crc32(data[at : at + 4 + size]).to_bytes(4)
    return data[: at + 4 + size] + crc + data[at + 8 + size :]


@every_scheme
@every_picture
def test_the_file_is_what_it_claims(scheme: Scheme, picture: Pixels) -> None:
    data = scheme.encrypt(picture, KEY, NONCE)
    if scheme.is_jpeg:
        check_same_coefficients(data)
        with Image.open(io.BytesIO(data)) as image:
            assert image.format == "JPEG"
            image.load()
    elif data.startswith(b"\x89PNG"):
        with Image.open(io.BytesIO(data)) as image:
            image.load()
    else:
        assert data.startswith(b"jpegcrypt parts\0")
    if not scheme.is_jpeg:
        assert isinstance(refusal(jpegcrypt.decode, data), MalformedJpeg)


@every_scheme
def test_features_find_the_picture(scheme: Scheme) -> None:
    """The server finds the same picture under another nonce among other pictures."""
    gallery = [photo(name)[100:180, 60:160] for name in ("chelsea.png", "rocket.jpg", "ihc.png")]
    query = scheme.features(scheme.encrypt(PICTURE, KEY, NONCE))
    found = [scheme.features(scheme.encrypt(PICTURE, KEY, OTHER_NONCE))]
    found += [
        scheme.features(scheme.encrypt(p, KEY, bytes([i] * 16))) for i, p in enumerate(gallery)
    ]
    assert query.dtype == np.float32
    assert np.isfinite(query).all()
    if scheme.descriptor == "words":
        assert query.ndim == 2
        query, *found = (rows.mean(0) for rows in (query, *found))
    assert query.ndim == 1
    distances = cdist(query[None], np.stack(found), scheme.metric)[0]
    assert distances.argmin() == 0


@every_scheme
def test_bad_arguments(scheme: Scheme) -> None:
    with pytest.raises((TypeError, ValueError)):
        scheme.encrypt(PICTURE.astype(np.float32), KEY, NONCE)
    with pytest.raises(ValueError, match="nonce"):
        scheme.encrypt(PICTURE, KEY, NONCE[1:])


def test_ids_are_unique() -> None:
    ids = [load(name).ID for name in names()]
    assert len({lu2022.ID, *ids}) == 1 + len(ids)


def test_an_unknown_scheme() -> None:
    with pytest.raises(ValueError, match=r"unknown scheme 'rot13', expected one of .*zhang2014"):
        load("rot13")


# --- which histograms of Table I of Lu et al. (2022) stay ----------------------------------------


def stays(scheme: Scheme) -> set[str]:
    """Return which of DCC, DCH, ACC, ACH are the same for the plain and the encrypted file."""
    same: list[dict[str, list[np.ndarray]]] = []
    for data in (scheme.plain(PICTURE), scheme.encrypt(PICTURE, KEY, NONCE)):
        blocks = file_blocks(data)
        same.append(
            {
                "DCC": [np.sort(b[:, 0]) for b in blocks],
                "ACC": [np.sort(b[:, 1:], axis=None) for b in blocks],
                "DCH": [
                    np.bincount(np.frexp(np.abs(np.diff(b[:, 0], prepend=np.int16(0)) * 1.0))[1])
                    for b in blocks
                ],
                "ACH": [ac_symbols(b) for b in blocks],
            }
        )
    plain, encrypted = same
    return {
        name
        for name in plain
        if all(np.array_equal(a, b) for a, b in zip(plain[name], encrypted[name], strict=True))
    }


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("zhang2014", {"DCC", "ACC"}),
        ("cheng2016_blockwise", {"DCH", "ACH"}),
        ("cheng2016_markov", {"DCH", "ACH"}),
        ("liang2019", {"ACH"}),
        ("lisitu2019", {"ACH"}),
    ],
)
def test_histograms_that_stay(name: str, expected: set[str]) -> None:
    assert stays(load(name)) == expected
