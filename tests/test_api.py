"""The public functions in memory: arguments, key modes, metadata, drop-in writer, inspection."""

import inspect as introspection
import io
import threading
import tracemalloc
import warnings

import numpy as np
import pytest
from PIL import Image

import jpegcrypt
import oracle
from checks import KEY, NONCE, SAMPLINGS, check_valid, photo, pillow_jpeg, pillow_pixels, psnr
from jpegcrypt import (
    FixedKeyWarning,
    ImageTooLarge,
    Key,
    Metadata,
    WrongKey,
    decode,
    decrypt,
    decrypt_many,
    encode,
    encrypt,
    inspect,
    open_encrypted,
    read_coefficients,
    write,
)

IMAGE = photo("coffee.png")[100:165, 100:223]
GRAY = IMAGE[:, :, 1].copy()
METADATA = {
    "exif": b"II*\0" + bytes(30),
    "xmp": b"<x:xmpmeta/>",
    "icc_profile": bytes(range(200)),
    "comment": b"at the lake",
    "dpi": (300.0, 72.0),
}


# --- the shape of the interface -----------------------------------------------------------------


def test_public_names_are_sorted_and_exist():
    assert sorted(jpegcrypt.__all__) == jpegcrypt.__all__
    for name in jpegcrypt.__all__:
        assert getattr(jpegcrypt, name).__doc__


@pytest.mark.parametrize(
    ("function", "positional"),
    [
        (encrypt, ["image", "key"]),
        (decrypt, ["data", "key"]),
        (open_encrypted, ["data", "key"]),
        (encode, ["image"]),
        (decode, ["data"]),
        (inspect, ["data"]),
        (read_coefficients, ["data"]),
        (write, ["dst", "image", "key"]),
    ],
)
def test_everything_after_the_data_is_keyword_only(function, positional):
    parameters = introspection.signature(function).parameters.values()
    found = [p.name for p in parameters if p.kind is not introspection.Parameter.KEYWORD_ONLY]
    assert found == positional


@pytest.mark.parametrize("function", [encrypt, decrypt, open_encrypted])
def test_unknown_keywords(function):
    with pytest.raises(TypeError, match="unexpected keyword argument 'qualty'"):
        function(IMAGE, KEY, qualty=90)


def test_unknown_keywords_of_the_writer():
    for keyword in ("smooth", "keep_rgb", "streamtype", "qualty"):
        with pytest.raises(TypeError, match=f"unexpected keyword argument '{keyword}'"):
            write(io.BytesIO(), IMAGE, **{keyword: 1})


# --- pictures -----------------------------------------------------------------------------------


@pytest.mark.parametrize("image", [IMAGE, GRAY, Image.fromarray(IMAGE), Image.fromarray(GRAY)])
def test_arrays_and_pil_images(image):
    decrypted = decrypt(encrypt(image, KEY, quality=95, subsampling="4:4:4"), KEY)
    assert decrypted.dtype == np.uint8
    assert decrypted.shape == np.asarray(image).shape
    assert psnr(decrypted, np.asarray(image)) > 38


@pytest.mark.parametrize(
    ("image", "error", "message"),
    [
        (IMAGE.astype(float), TypeError, "float64, expected uint8: scale it to 0..255"),
        (IMAGE.astype(np.uint16), TypeError, "uint16, expected uint8"),
        (GRAY > 100, TypeError, "bool, expected uint8"),
        (IMAGE[None], ValueError, r"shape \(1, 65, 123, 3\), expected \(H, W\) or \(H, W, 3\)"),
        (GRAY[:, :, None], ValueError, r"take image\[:, :, 0\] of a single channel"),
        (np.zeros((5, 5, 4), np.uint8), ValueError, r"image\[:, :, :3\] to drop alpha"),
        (np.zeros((5, 5, 2), np.uint8), ValueError, "shape"),
        (np.zeros(9, np.uint8), ValueError, "shape"),
        (np.zeros((0, 9), np.uint8), ValueError, "9x0 pixels, expected 1 to 65500 each way"),
        (np.zeros((9, 0, 3), np.uint8), ValueError, "0x9 pixels"),
        (np.zeros((1, 65536), np.uint8), ValueError, "65536x1 pixels"),
        (Image.new("RGBA", (4, 4)), ValueError, "mode RGBA, expected L or RGB: use image.convert"),
        (Image.new("P", (4, 4)), ValueError, "mode P"),
        (Image.new("I;16", (4, 4)), ValueError, "mode I;16"),
        (Image.new("CMYK", (4, 4)), ValueError, "mode CMYK"),
        ([[1, 2], [3, 4]], TypeError, "list, expected a uint8 array or a PIL image"),
        ("photo.jpg", TypeError, "str, expected"),
        (None, TypeError, "NoneType, expected"),
    ],
)
def test_what_is_no_picture(image, error, message):
    for function in (encode, lambda image: encrypt(image, KEY)):
        with pytest.raises(error, match=message):
            function(image)


# --- settings -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"quality": 0}, "quality 0, expected 1 to 100"),
        ({"quality": 101}, "quality 101, expected 1 to 100"),
        ({"quality": -5}, "expected 1 to 100"),
        ({"quality": 75, "qtables": [[1] * 64]}, "quality and qtables exclude each other"),
        ({"qtables": []}, "0 quantization tables, expected 1 to 3"),
        ({"qtables": [[1] * 64] * 4}, "4 quantization tables, expected 1 to 3"),
        ({"qtables": [[1] * 63]}, "a quantization table has 64 steps of 1 to 255"),
        ({"qtables": [[0] * 64]}, "a quantization table has 64 steps of 1 to 255"),
        ({"qtables": [[256] * 64]}, "a quantization table has 64 steps of 1 to 255"),
        ({"subsampling": "4:2:1"}, "unknown subsampling '4:2:1', expected one of 4:4:4, 4:2:2"),
        ({"subsampling": ""}, "unknown subsampling ''"),
        (
            {"effort": "best of all"},
            "unknown effort 'best of all', expected one of fast, default, best",
        ),
        ({"trellis_lambda": 0.1}, "trellis_lambda goes with effort \"best\", not with 'default'"),
        ({"effort": "best", "trellis_lambda": 1.5}, "trellis_lambda 1.5, expected 0 to 1"),
        ({"qtables": "steep"}, "unknown qtables 'steep', expected one of annex-k, flat"),
        ({"restart_interval": -1}, "restart_interval -1, expected 0 to 65535"),
        ({"restart_interval": 65536}, "restart_interval 65536, expected 0 to 65535"),
        ({"dpi": (0, 300)}, "dpi must be two positive numbers"),
    ],
)
def test_bad_settings(settings, message):
    for function in (encode, lambda image, **kind: encrypt(image, KEY, **kind)):
        for image in (IMAGE, GRAY):
            with pytest.raises(ValueError, match=message):
                function(image, **settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"bank": "dct"}, "unknown bank 'dct', expected one of givens128, authors16, signs256"),
        (
            {"key_mode": "random"},
            "unknown key mode 'random', expected one of nonce, content, fixed",
        ),
        ({"dc": "plain"}, "unknown dc 'plain', expected one of permuted, residual"),
        ({"nonce": b"short"}, "nonce must be exactly 16 bytes"),
        ({"nonce": bytes(17)}, "nonce must be exactly 16 bytes"),
        ({"nonce": NONCE, "key_mode": "content"}, 'a nonce goes with key_mode "nonce"'),
        ({"nonce": NONCE, "key_mode": "fixed"}, 'a nonce goes with key_mode "nonce"'),
    ],
)
def test_bad_settings_of_the_cipher(settings, message):
    with pytest.raises(ValueError, match=message):
        encrypt(IMAGE, KEY, **settings)


@pytest.mark.parametrize("name", ["exif", "xmp", "icc_profile", "comment"])
def test_metadata_is_bytes(name):
    for function in (encode, lambda image, **kind: encrypt(image, KEY, **kind)):
        with pytest.raises(TypeError, match=f"{name} must be bytes, got str"):
            function(IMAGE, **{name: "text"})


def test_defaults():
    assert encode(IMAGE) == encode(IMAGE, quality=75, subsampling="4:2:0", effort="default")
    c = read_coefficients(encrypt(IMAGE, KEY))
    assert c.sampling == ((2, 2), (1, 1), (1, 1))
    assert np.array_equal(c.qt, read_coefficients(encode(IMAGE, quality=75)).qt)


# --- key modes ----------------------------------------------------------------------------------


def test_a_fresh_nonce_for_each_file():
    infos = [inspect(encrypt(GRAY, KEY)) for _ in range(20)]
    assert {info.key_mode for info in infos} == {"nonce"}
    assert len({info.nonce for info in infos}) == 20


def test_a_given_nonce():
    first, second = (encrypt(IMAGE, KEY, nonce=NONCE) for _ in range(2))
    assert first == second
    assert inspect(first).nonce == NONCE


def test_content():
    """Equal pictures give equal files; anything else about the picture gives another nonce."""
    data = encrypt(IMAGE, KEY, key_mode="content")
    assert data == encrypt(np.asfortranarray(IMAGE), KEY, key_mode="content")
    assert data == encrypt(Image.fromarray(IMAGE), KEY, key_mode="content")
    assert inspect(data).key_mode == "content"
    changed = IMAGE.copy()
    changed[0, 0, 0] ^= 1
    others = [changed, GRAY, IMAGE[:64], IMAGE.reshape(123, 65, 3)]
    nonces = {inspect(encrypt(other, KEY, key_mode="content")).nonce for other in others}
    nonces |= {inspect(encrypt(IMAGE, Key(bytes(32)), key_mode="content")).nonce}
    assert len(nonces | {inspect(data).nonce}) == 6


def test_content_is_that_of_what_is_encrypted(monkeypatch):
    """An array that another thread fills meanwhile must not lend its nonce to the next picture."""
    image, wanted = IMAGE.copy(), encrypt(IMAGE, KEY, key_mode="content")
    real = Key.content_nonce

    def nonce(self, pixels):
        found = real(self, pixels)
        image[:] = 0
        return found

    monkeypatch.setattr(Key, "content_nonce", nonce)
    assert encrypt(image, KEY, key_mode="content") == wanted
    assert not image.any()


def test_fixed_warns_where_it_is_called():
    with pytest.warns(FixedKeyWarning, match="one key stream for all pictures") as caught:
        data = encrypt(IMAGE, KEY, key_mode="fixed")
    assert caught[0].filename == __file__
    assert inspect(data).nonce == bytes(16)
    assert inspect(data).key_mode == "fixed"
    with pytest.warns(FixedKeyWarning):
        assert encrypt(IMAGE, KEY, key_mode="fixed") == data
    assert decrypt(data, KEY).shape == IMAGE.shape


def test_passphrase():
    """The salt travels in the header, so the passphrase alone opens the file."""
    key = Key.from_passphrase("correct horse battery staple", salt=bytes(range(16)))
    data = encrypt(GRAY, key)
    salt = inspect(data).salt
    assert salt == key.salt
    assert inspect(encrypt(GRAY, KEY)).salt is None
    again = Key.from_passphrase("correct horse battery staple", salt=salt)
    assert decrypt(data, again).shape == GRAY.shape
    with pytest.raises(WrongKey):
        decrypt(data, Key.from_passphrase("wrong", salt=salt))


# --- metadata -----------------------------------------------------------------------------------


@pytest.mark.parametrize("image", [IMAGE, GRAY])
def test_sealed_metadata(image):
    data = encrypt(image, KEY, **METADATA)
    opened = open_encrypted(data, KEY)
    assert opened.metadata == Metadata(**METADATA)
    assert np.array_equal(opened.pixels, decrypt(data, KEY))
    for secret in METADATA.values():
        assert not isinstance(secret, bytes) or secret not in data
    with Image.open(io.BytesIO(data)) as file:
        assert not file.getexif()
        assert file.info.keys() <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}


def test_metadata_of_many_segments():
    exif = np.random.default_rng(2).bytes(300_000)
    data = encrypt(GRAY, KEY, exif=exif)
    assert len(oracle.payloads(data, 0xEB)) == 1 + 5
    assert open_encrypted(data, KEY).metadata.exif == exif
    check_valid(data)


def test_the_header_is_small():
    """Under 64 bytes, as other tools leave alone; no metadata, no second segment."""
    (payload,) = oracle.payloads(encrypt(IMAGE, KEY), 0xEB)
    assert len(payload) + 4 < 64


# --- inspection ---------------------------------------------------------------------------------


@pytest.mark.parametrize("subsampling", SAMPLINGS)
@pytest.mark.parametrize("bank", ["givens128", "authors16", "signs256"])
@pytest.mark.parametrize("dc", ["permuted", "residual"])
def test_inspect(bank, dc, subsampling):
    info = inspect(encrypt(IMAGE, KEY, bank=bank, dc=dc, nonce=NONCE, subsampling=subsampling))
    assert info.dc == dc
    assert (info.scheme, info.bank, info.key_mode) == ("lu2022", bank, "nonce")
    assert (info.width, info.height) == (123, 65)
    assert (info.key_id, info.nonce, info.salt) == (KEY.id, NONCE, None)
    factors = dict(zip(SAMPLINGS, [(1, 1), (2, 1), (2, 2), (1, 2), (4, 1)], strict=True))
    assert info.sampling == (factors[subsampling], (1, 1), (1, 1))
    assert info.sealed_metadata == 0
    luma = Image.fromarray(IMAGE).convert("L")
    assert abs(info.levels[0] - np.asarray(luma).mean()) < 1.5
    assert len(info.levels) == 3


def test_inspect_counts_sealed_metadata():
    info = inspect(encrypt(IMAGE, KEY, comment=b"x" * 100))
    assert info.sealed_metadata == 12 + 5 + 100 + 16


def test_nothing_shows_the_key():
    secret = bytes(range(200, 232))
    data = encrypt(IMAGE, Key(secret), **METADATA)
    assert secret not in data
    assert secret.hex() not in repr(inspect(data)) + repr(open_encrypted(data, Key(secret)))
    assert b"at the lake" not in data


def test_nothing_shows_the_pixels():
    flat = np.full((8, 8), 123, np.uint8)
    data = encrypt(flat, KEY)
    opened, result = open_encrypted(data, KEY), next(decrypt_many([data], KEY))
    assert repr(opened).startswith("Opened(metadata=")
    assert repr(result) == "BatchResult(index=0, error=None)"
    assert "123" not in f"{opened} {result}"


# --- verification -------------------------------------------------------------------------------


def test_verify_false_shows_what_was_changed():
    data = bytearray(encrypt(GRAY, KEY))
    (table,) = (s for s in oracle.segments(bytes(data)) if s.marker == 0xDB)
    data[table.start + 1] += 1
    with pytest.raises(jpegcrypt.TamperedFile):
        decrypt(bytes(data), KEY)
    shown = decrypt(bytes(data), KEY, verify=False)
    assert 25 < psnr(shown, GRAY) < psnr(decrypt(encrypt(GRAY, KEY), KEY), GRAY)


def test_verify_false_shows_the_picture_without_metadata_that_were_changed():
    data = bytearray(encrypt(GRAY, KEY, comment=b"at the lake"))
    *_, sealed = (s for s in oracle.segments(bytes(data)) if s.marker == 0xEB)
    data[sealed.end - 1] ^= 1
    with pytest.raises(jpegcrypt.TamperedFile):
        open_encrypted(bytes(data), KEY)
    opened = open_encrypted(bytes(data), KEY, verify=False)
    assert opened.metadata.is_empty
    assert psnr(opened.pixels, GRAY) > 30


def test_the_limit_of_pixels():
    data = encrypt(IMAGE, KEY)
    for function in (decrypt, open_encrypted):
        with pytest.raises(ImageTooLarge):
            function(data, KEY, max_pixels=IMAGE.size // 3 - 1)
        function(data, KEY, max_pixels=IMAGE.size // 3)


# --- the drop-in writer -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"quality": 33},
        {"quality": 90, "subsampling": 0},
        {"subsampling": 1},
        {"subsampling": "4:4:4"},
        {"optimize": True},
        {"restart_marker_blocks": 3},
        {"restart_marker_rows": 1},
        {"restart_marker_rows": 2, "subsampling": "4:2:2", "optimize": True},
        {"qtables": [[5] * 64, [9] * 64]},
        {"qtables": {0: [5] * 64, 1: [9] * 64}},
        {"dpi": (72, 72)},
        {"comment": "text", "exif": Image.Exif(), "icc_profile": b"profile", "xmp": b"<x/>"},
    ],
)
@pytest.mark.parametrize("image", [Image.fromarray(IMAGE), Image.fromarray(GRAY)])
def test_writes_what_pillow_writes(image, settings):
    ours, theirs = io.BytesIO(), io.BytesIO()
    write(ours, image, **settings)
    image.save(theirs, "JPEG", **settings)
    with Image.open(ours) as a, Image.open(theirs) as b:
        assert a.quantization == b.quantization
        assert a.info == b.info
        if image.mode == "RGB":  # the factors of a single component say nothing
            assert a.layer == b.layer
    a, b = ours.getvalue(), theirs.getvalue()
    assert oracle.payloads(a, 0xDD) == oracle.payloads(b, 0xDD)
    assert len(a) < 1.01 * len(b)
    assert (
        psnr(pillow_pixels(a), np.asarray(image)) > psnr(pillow_pixels(b), np.asarray(image)) - 0.1
    )


def test_writes_encrypted_with_a_key():
    file = io.BytesIO()
    write(file, Image.fromarray(IMAGE), KEY, quality=85, comment="hello", bank="signs256")
    assert inspect(file.getvalue()).bank == "signs256"
    assert open_encrypted(file.getvalue(), KEY).metadata.comment == b"hello"


def test_writes_to_a_path_and_replaces(tmp_path):
    path = tmp_path / "picture.jpg"
    path.write_bytes(b"old")
    write(path, GRAY)
    assert path.read_bytes() == encode(GRAY)
    write(str(path), GRAY, KEY, nonce=NONCE)
    assert path.read_bytes() == encrypt(GRAY, KEY, nonce=NONCE)
    assert [p.name for p in tmp_path.iterdir()] == ["picture.jpg"]


def test_a_bad_picture_leaves_the_old_file(tmp_path):
    path = tmp_path / "picture.jpg"
    path.write_bytes(b"old")
    with pytest.raises(TypeError):
        write(path, GRAY.astype(float))
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["picture.jpg"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"restart_marker_blocks": 1, "restart_marker_rows": 1}, "exclude each other"),
        ({"bank": "signs256"}, "bank, dc, key_mode and nonce need a key"),
        ({"dc": "residual"}, "need a key"),
        ({"key_mode": "content"}, "need a key"),
        ({"nonce": NONCE}, "need a key"),
        ({"subsampling": 3}, "subsampling 3, expected 0 to 2"),
    ],
)
def test_bad_settings_of_the_writer(settings, message):
    with pytest.raises(ValueError, match=message):
        write(io.BytesIO(), IMAGE, **settings)


def test_optimize_means_at_least_default():
    files = [io.BytesIO() for _ in range(3)]
    write(files[0], IMAGE, effort="fast")
    write(files[1], IMAGE, effort="fast", optimize=True)
    write(files[2], IMAGE)
    fast, optimized, default = (file.getvalue() for file in files)
    assert optimized == default
    assert len(default) < len(fast)


# --- resources ----------------------------------------------------------------------------------


def test_inputs_are_left_alone():
    image, data = IMAGE.copy(), bytearray(encrypt(IMAGE, KEY))
    before = bytes(data)
    encrypt(image, KEY)
    decrypt(data, KEY)
    decode(data)
    assert np.array_equal(image, IMAGE)
    assert bytes(data) == before


def test_results_are_writable_and_whole():
    for pixels in (decrypt(encrypt(IMAGE, KEY), KEY), decode(encode(GRAY))):
        assert pixels.flags.writeable
        assert pixels.flags.c_contiguous


def test_no_memory_is_kept():
    """A thousand pictures with tables of their own leave nothing behind."""
    rng = np.random.default_rng(0)

    def work(n: int) -> None:
        for _ in range(n):
            image = rng.integers(0, 256, (16, 16), np.uint8)
            decrypt(encrypt(image, KEY, qtables=[rng.integers(1, 256, 64)]), KEY)

    work(200)
    tracemalloc.start()
    work(300)
    first, _ = tracemalloc.get_traced_memory()
    work(300)
    second, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert second - first < 100_000


def test_the_lock_is_released():
    """While one thread encrypts, others run."""
    image = np.resize(photo("astronaut.png"), (3000, 3000, 3))
    ticks, done = 0, threading.Event()

    def work() -> None:
        encrypt(image, KEY)
        done.set()

    thread = threading.Thread(target=work)
    thread.start()
    while not done.wait(0.001):
        ticks += 1
    thread.join()
    assert ticks > 10


def test_no_warning_and_no_print(capfd):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        decrypt(encrypt(IMAGE, KEY, **METADATA), KEY)
        decode(pillow_jpeg(IMAGE, progressive=True))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("bad", [3, 10**12, "photo.jpg", None, np.zeros(4, np.uint8)])
def test_files_are_bytes(bad):
    for function in (decode, inspect, read_coefficients, lambda data: decrypt(data, KEY)):
        with pytest.raises(TypeError, match="expected the bytes of a file"):
            function(bad)


def test_a_pillow_image_has_the_same_limits():
    for size in ((65501, 1), (1, 65501)):
        with pytest.raises(ValueError, match="expected 1 to 65500 each way"):
            encode(Image.new("L", size))


@pytest.mark.parametrize("bad", ["secret", bytes(32), None])
def test_a_key_is_a_key(bad):
    for function in (encrypt, decrypt):
        with pytest.raises(TypeError, match=r"expected a jpegcrypt\.Key") as caught:
            function(np.zeros((8, 8), np.uint8), bad)
        assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "settings",
    [{"quality": 75.5}, {"quality": True}, {"restart_interval": 2.5}, {"qtables": [[1.5] * 64]}],
)
def test_settings_are_integers(settings):
    with pytest.raises(TypeError, match=r"expected .*integer"):
        encode(np.zeros((8, 8), np.uint8), **settings)
