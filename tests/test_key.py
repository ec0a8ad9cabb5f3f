"""The master key: derivation against RFC 5869, the key file error by error, and no leaks."""

import base64
import copy
import hashlib
import hmac
import os
import pickle
import struct
import traceback
import tracemalloc
import warnings

import numpy as np
import pytest

from jpegcrypt import key as key_module
from jpegcrypt.errors import KeyFileError
from jpegcrypt.key import ImageKeys, Key

SECRET = bytes(range(32))
NONCE = bytes(range(0x40, 0x50))
KEY_LINE = b"JPEGCRYPT-KEY-1AAAQEAYEAUDAOCAJBIFQYDIOB4IBCEQTCQKRMFYYDENBWHA5DYPSK25JFM"
LABELS = ("Y", "Cb", "Cr", "hash", "tag", "metadata", "metadata nonce")

posix = pytest.mark.skipif(os.name != "posix", reason="POSIX file modes")


# --- derivation ---------------------------------------------------------------------------------


def hmac_sha256(key, message):
    return hmac.new(key, message, hashlib.sha256).digest()


def expand(prk, info):
    """HKDF-Expand to 32 bytes is one block: T(1) = HMAC(prk, info | 0x01)."""
    return hmac_sha256(prk, info + b"\1")


@pytest.mark.parametrize(
    ("ikm", "salt", "info", "prk", "okm"),
    [
        pytest.param(
            b"\x0b" * 22,
            bytes(range(13)),
            bytes(range(0xF0, 0xFA)),
            "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5",
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf",
            id="A.1",
        ),
        pytest.param(
            bytes(range(0x50)),
            bytes(range(0x60, 0xB0)),
            bytes(range(0xB0, 0x100)),
            "06a6b88c5853361a06104c9ceb35b45cef760014904671014a193f40c15fc244",
            "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c",
            id="A.2",
        ),
        pytest.param(
            b"\x0b" * 22,
            b"",
            b"",
            "19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04",
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d",
            id="A.3",
        ),
    ],
)
def test_rfc_5869(ikm, salt, info, prk, okm):
    """The first 32 bytes of the output do not depend on its length (RFC 5869, 2.3)."""
    assert key_module._extract(salt, ikm).hex() == prk
    assert key_module._expand(bytes.fromhex(prk), info).hex() == okm


@pytest.mark.parametrize("label", LABELS)
def test_labels_against_an_independent_hkdf(label):
    prk = hmac_sha256(NONCE, SECRET)
    assert Key(SECRET).derive(NONCE).expand(label) == expand(prk, b"jpegcrypt/1 " + label.encode())


def test_frozen_vectors():
    keys = Key(SECRET).derive(NONCE)
    assert {label: keys.expand(label).hex() for label in LABELS} == {
        "Y": "846494c1c6f8b7d23ff20051da8234ab328a4110d1be60b87ff569d6a69cb179",
        "Cb": "8db3399dd6f832b3a140f86df783c82e96947956747f05b0b3c199ec8ae02577",
        "Cr": "0388b263c8d44853ff9ac59d5c8a1644f079592214bafbd584edcf12f052f648",
        "hash": "c047ce5349169d734bd1aecb8724bb6e437562354b04599ed9d74531f9dd68cf",
        "tag": "ebf24ce2802f9d3a0d41c7cef7f7ef2a258f43c07a0fe253789c3cf059e7e711",
        "metadata": "e5d0eac07e10e1d4c8d86ba74b496ce83cb1efca4d70cb29afc973e51cc85934",
        "metadata nonce": "0f8f096935b5864a12ac43094cc5ce1bca5869d4584fc1c22cdededdb955e1d9",
    }
    assert Key(SECRET).id.hex() == "0d6a1b5be9e7b3f4"


def test_key_id_against_an_independent_hkdf():
    assert Key(SECRET).id == hashlib.sha256(expand(SECRET, b"jpegcrypt/1 key id")).digest()[:8]


def test_every_label_nonce_and_key_gives_other_keys():
    seen = [
        Key(secret).derive(nonce).expand(label)
        for secret in (SECRET, bytes(32))
        for nonce in (NONCE, bytes(16))
        for label in LABELS
    ]
    assert len(set(seen)) == len(seen) == 4 * len(LABELS)


@pytest.mark.parametrize("size", [0, 12, 15, 17, 32])
def test_derive_wants_a_nonce_of_16_bytes(size):
    with pytest.raises(ValueError, match=f"nonce must be exactly 16 bytes, got {size}"):
        Key(SECRET).derive(bytes(size))


def test_derive_wants_bytes():
    with pytest.raises(TypeError, match="nonce must be bytes, got str"):
        Key(SECRET).derive("x" * 16)


# --- nonce from content -------------------------------------------------------------------------

IMAGE = np.arange(2 * 4 * 3, dtype=np.uint8).reshape(2, 4, 3)


def test_content_nonce_against_an_independent_hmac():
    message = b"uint8" + struct.pack("<4I", 3, 2, 4, 3) + bytes(range(24))
    expected = hmac_sha256(expand(SECRET, b"jpegcrypt/1 content"), message)[:16]
    assert Key(SECRET).content_nonce(IMAGE) == expected


def test_content_nonce_frozen():
    image = np.arange(6, dtype=np.uint8).reshape(2, 3)
    assert Key(SECRET).content_nonce(image).hex() == "26043c532bb09b23314c779526bf5176"


def test_content_nonce_ignores_strides():
    padded = np.zeros((4, 8, 3), np.uint8)
    padded[::2, ::2] = IMAGE
    strided = padded[::2, ::2]
    assert not strided.flags.c_contiguous
    for same in (strided, np.asfortranarray(IMAGE), IMAGE[::-1].copy()[::-1]):
        assert Key(SECRET).content_nonce(same) == Key(SECRET).content_nonce(IMAGE)


def test_content_nonce_depends_on_all_else():
    changed = IMAGE.copy()
    changed[-1, -1, -1] ^= 1
    images = (IMAGE, changed, IMAGE.reshape(4, 2, 3), IMAGE.reshape(4, 6))
    nonces = [Key(SECRET).content_nonce(image) for image in images]
    nonces.append(Key(bytes(32)).content_nonce(IMAGE))
    assert len(set(nonces)) == 5


def test_content_nonce_of_gray_does_not_depend_on_a_third_axis():
    gray = IMAGE.reshape(4, 6)
    assert Key(SECRET).content_nonce(gray) == Key(SECRET).content_nonce(gray[:, :, None])


def test_content_nonce_wants_uint8():
    with pytest.raises(TypeError, match="int16"):
        Key(SECRET).content_nonce(IMAGE.astype(np.int16))


# --- construction -------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 16, 31, 33])
def test_secret_is_32_bytes(size):
    with pytest.raises(ValueError, match=f"secret must be exactly 32 bytes, got {size}"):
        Key(bytes(size))


@pytest.mark.parametrize("secret", ["x" * 32, 32, None, [0] * 32, memoryview(bytes(32))])
def test_secret_is_bytes(secret):
    with pytest.raises(TypeError, match="secret must be bytes"):
        Key(secret)


@pytest.mark.parametrize("salt", [b"", bytes(15), bytes(17)])
def test_salt_is_16_bytes(salt):
    with pytest.raises(ValueError, match="salt"):
        Key(SECRET, salt=salt)
    with pytest.raises(ValueError, match="salt"):
        Key.from_passphrase("x", salt=salt)


def test_a_bytearray_is_copied():
    secret = bytearray(SECRET)
    key = Key(secret)
    secret[:] = bytes(32)
    assert key == Key(SECRET)


def test_generate_is_random():
    assert len({Key.generate().id for _ in range(100)}) == 100


def test_attributes_are_read_only():
    key = Key(SECRET)
    with pytest.raises(AttributeError):
        key.id = bytes(8)
    with pytest.raises(AttributeError):
        key.salt = bytes(16)
    with pytest.raises(AttributeError):
        key.note = "x"


def test_equality_and_hash():
    assert Key(SECRET) == Key(bytearray(SECRET), salt=bytes(16))
    assert hash(Key(SECRET)) == hash(Key(SECRET))
    assert Key(SECRET) != Key(SECRET[::-1])
    assert Key(SECRET) != SECRET
    assert Key.__eq__(Key(SECRET), SECRET) is NotImplemented
    assert len({Key(SECRET), Key(SECRET), Key(bytes(32))}) == 2


def test_equality_is_decided_in_constant_time(monkeypatch):
    compared = []
    monkeypatch.setattr("hmac.compare_digest", lambda a, b: compared.append((bytes(a), bytes(b))))
    Key(SECRET).__eq__(Key(bytes(32)))
    assert compared == [(SECRET, bytes(32))]


# --- passphrases --------------------------------------------------------------------------------


def test_passphrase_against_the_reference_argon2():
    """Expected: the C reference code through argon2-cffi (t=3, m=64 MiB, p=4, version 1.3)."""
    secret = "a417f21fc56d9b43491798102bc197a145f7baa8fce5521ea118896e09317a90"
    composed, decomposed = "Z\u00fcrich, nachts", "Zu\u0308rich, nachts"
    salt = bytes(range(16))
    key = Key.from_passphrase(composed, salt=salt)
    assert key == Key(bytes.fromhex(secret))
    assert key == Key.from_passphrase(decomposed, salt=salt)
    assert key.salt == salt


def test_passphrase_and_salt_matter():
    ids = {
        Key.from_passphrase(text, salt=salt).id
        for text, salt in [("a", bytes(16)), ("A", bytes(16)), ("a", bytes(15) + b"\1")]
    }
    assert len(ids) == 3


@pytest.mark.parametrize("text", ["", "ab\ud800cd"])
def test_impossible_passphrases(text):
    with pytest.raises(ValueError, match="passphrase") as caught:
        Key.from_passphrase(text, salt=bytes(16))
    assert not isinstance(caught.value, UnicodeError)


def test_passphrase_is_text():
    with pytest.raises(TypeError, match="bytes"):
        Key.from_passphrase(b"secret", salt=bytes(16))


def test_the_salt_has_no_default():
    with pytest.raises(TypeError):
        Key.from_passphrase("x")


# --- the key file -------------------------------------------------------------------------------


def write_key(path, text):
    path.write_bytes(text)
    path.chmod(0o600)
    return path


def test_the_key_line_is_what_the_format_says():
    checksum = hashlib.sha256(b"jpegcrypt key file 1" + SECRET).digest()[:4]
    assert b"JPEGCRYPT-KEY-1" + base64.b32encode(SECRET + checksum)[:58] == KEY_LINE


def test_save_writes_comments_and_one_key_line(tmp_path):
    Key(SECRET).save(tmp_path / "a.key")
    first, second, *rest = (tmp_path / "a.key").read_bytes().split(b"\n")
    assert first.startswith(b"# jpegcrypt key 0d6a1b5be9e7b3f4")
    assert second.startswith(b"# created 20")
    assert second.endswith(b"Z")
    assert rest == [KEY_LINE, b""]


@pytest.mark.parametrize("as_path", [str, lambda path: path], ids=["str", "Path"])
def test_save_then_load(tmp_path, as_path):
    key = Key.generate()
    key.save(as_path(tmp_path / "a.key"))
    assert Key.load(as_path(tmp_path / "a.key")) == key


def test_a_passphrase_key_is_saved_without_its_salt(tmp_path):
    key = Key(SECRET, salt=b"public salt 1234")
    key.save(tmp_path / "a.key")
    assert Key.load(tmp_path / "a.key") == key
    assert Key.load(tmp_path / "a.key").salt is None


@pytest.mark.parametrize(
    "text",
    [
        KEY_LINE,
        KEY_LINE + b"\n",
        b"# mine\r\n\r\n  " + KEY_LINE + b" \r\n# \xe9nd\r\n",
        b"\xef\xbb\xbf" + KEY_LINE + b"\r\n",
        b"\n" * 10_000 + KEY_LINE,
        b"#" * (64 * 1024 - 1 - len(KEY_LINE)) + b"\n" + KEY_LINE,
    ],
    ids=["bare", "newline", "crlf and comments", "BOM", "blank lines", "exactly 64 KiB"],
)
def test_load_is_patient(tmp_path, text):
    with warnings.catch_warnings(action="error"):
        assert Key.load(write_key(tmp_path / "a.key", text)) == Key(SECRET)


BAD_FILES = {
    "empty": (b"", "is empty"),
    "blank": (b"\n \n", "has no key line"),
    "comments only": (b"# created today\n", "has no key line"),
    "commented key": (b"#" + KEY_LINE, "has no key line"),
    "two keys": (KEY_LINE + b"\n# and\n" + KEY_LINE, "holds two keys, on lines 1 and 3"),
    "hex": (b"# mine\n" + SECRET.hex().encode(), "line 2 of key file .* is not a key"),
    "raw": (SECRET, "is not a key"),
    "next version": (KEY_LINE.replace(b"KEY-1", b"KEY-2"), "line 1 .* is not a key"),
    "no prefix": (KEY_LINE[15:], "is not a key"),
    "lower-case prefix": (KEY_LINE.lower(), "is not a key"),
    "utf-16": (KEY_LINE.decode().encode("utf-16"), "is not a key"),
    "something after the key": (KEY_LINE + b"\nx", "line 2 .* is not a key"),
    "prefix only": (KEY_LINE[:15], "line 1 .* mistyped or cut"),
    "cut": (KEY_LINE[:-1], "mistyped or cut"),
    "cut in half": (KEY_LINE[:40], "mistyped or cut"),
    "longer": (KEY_LINE + b"A", "mistyped or cut"),
    "much longer": (KEY_LINE + KEY_LINE[15:], "mistyped or cut"),
    "padded": (KEY_LINE + b"======", "mistyped or cut"),
    "lower case": (KEY_LINE[:15] + KEY_LINE[15:].lower(), "mistyped or cut"),
    "gap": (KEY_LINE[:30] + b" " + KEY_LINE[30:], "mistyped or cut"),
    "not base32": (KEY_LINE[:30] + b"1" + KEY_LINE[31:], "mistyped or cut"),
    "not ascii": (KEY_LINE[:30] + b"\xe9" + KEY_LINE[31:], "mistyped or cut"),
    "too large": (b"#" * (64 * 1024 - len(KEY_LINE)) + b"\n" + KEY_LINE, "larger than 65536 bytes"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_key_files(tmp_path, name):
    text, message = BAD_FILES[name]
    with pytest.raises(KeyFileError, match=message) as caught:
        Key.load(write_key(tmp_path / "a.key", text))
    assert str(tmp_path / "a.key") in str(caught.value)
    assert caught.value.hint
    check_hides_secret(everything_about(caught.value))


def test_any_single_mistyped_character_is_found(tmp_path):
    """All of base32 at all 58 places, with those that change only the two spare bits at the end."""
    accepted = 0
    for place in range(15, len(KEY_LINE)):
        for digit in b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567":
            line = bytearray(KEY_LINE)
            line[place] = digit
            if key_module._parse_key_line(bytes(line)) is not None:
                accepted += 1
                assert line == KEY_LINE
    assert accepted == 58


def test_swapped_neighbors_are_found():
    for place in range(15, len(KEY_LINE) - 1):
        line = bytearray(KEY_LINE)
        line[place : place + 2] = line[place : place + 2][::-1]
        assert line == KEY_LINE or key_module._parse_key_line(bytes(line)) is None


def test_a_large_file_is_not_read_whole(tmp_path):
    path = write_key(tmp_path / "a.key", b"")
    os.truncate(path, 10_000_000)
    tracemalloc.start()
    try:
        with pytest.raises(KeyFileError, match="larger than 65536 bytes"):
            Key.load(path)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_missing_key_file(tmp_path):
    with pytest.raises(KeyFileError, match="No such file") as caught:
        Key.load(tmp_path / "a.key")
    assert "Key.generate()" in str(caught.value.hint)


def test_a_key_in_the_place_of_its_file():
    for text in (KEY_LINE.decode(), f"# album\n{KEY_LINE.decode()}", f"./{KEY_LINE.decode()}"):
        with pytest.raises(KeyFileError, match="found a key, expected the name") as caught:
            Key.load(text)
        check_hides_secret(everything_about(caught.value))


def test_directory_as_key_file(tmp_path):
    with pytest.raises(KeyFileError, match="failed to read key file"):
        Key.load(tmp_path)


def test_unreadable_key_file(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    write_key(tmp_path / "a.key", KEY_LINE)
    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(KeyFileError, match=r"failed to read .*: Permission denied$"):
        Key.load(tmp_path / "a.key")


@posix
@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_saved_keys_belong_to_their_owner(tmp_path, umask):
    before = os.umask(umask)
    try:
        Key(SECRET).save(tmp_path / "a.key")
    finally:
        os.umask(before)
    assert (tmp_path / "a.key").stat().st_mode & 0o777 == 0o600
    with warnings.catch_warnings(action="error"):
        Key.load(tmp_path / "a.key")


@posix
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o620, 0o777])
def test_an_open_key_file_warns(tmp_path, mode):
    path = write_key(tmp_path / "a.key", KEY_LINE)
    path.chmod(mode)
    with pytest.warns(UserWarning, match=f"open to other users \\(mode {mode:04o}\\)") as caught:
        assert Key.load(path) == Key(SECRET)
    assert caught[0].filename == __file__
    check_hides_secret(str(caught[0].message))


def test_save_never_overwrites(tmp_path):
    path = tmp_path / "a.key"
    path.write_bytes(b"precious")
    with pytest.raises(KeyFileError, match="exists") as caught:
        Key(SECRET).save(path)
    assert "never overwritten" in str(caught.value.hint)
    assert path.read_bytes() == b"precious"
    check_hides_secret(everything_about(caught.value))


@posix
def test_save_follows_no_symbolic_link(tmp_path):
    (tmp_path / "a.key").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(KeyFileError, match="exists"):
        Key(SECRET).save(tmp_path / "a.key")
    assert not (tmp_path / "elsewhere").exists()


def test_save_into_a_missing_folder(tmp_path):
    with pytest.raises(KeyFileError, match="failed to create key file") as caught:
        Key(SECRET).save(tmp_path / "missing" / "a.key")
    assert caught.value.hint is None


def test_a_failed_save_leaves_nothing(tmp_path, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(KeyFileError, match="No space left") as caught:
        Key(SECRET).save(tmp_path / "a.key")
    assert list(tmp_path.iterdir()) == []
    check_hides_secret(everything_about(caught.value))


# --- secrecy ------------------------------------------------------------------------------------

PRINTABLE = b"(a printable secret of 32 bytes)"


def traces(secret):
    """Ten-character pieces of the forms in which a secret could show, enough to know it by."""
    base32 = base64.b32encode(secret).decode()
    forms = (
        secret.hex(),
        secret.hex().upper(),
        base32,
        base32.lower(),
        base64.b64encode(secret).decode(),
        secret.decode("latin-1"),
        repr(secret)[2:-1],
        str(list(secret))[1:-1],
    )
    return {form[i : i + 10] for form in forms for i in range(len(form) - 9)}


def check_hides_secret(text, secret=SECRET):
    assert text
    assert [trace for trace in traces(secret) if trace in text] == []


def everything_about(error):
    """All that a log could print of an error and of those behind it."""
    lines = traceback.format_exception(error)
    while error is not None:
        lines += [repr(error), str(error), repr(error.args), repr(vars(error))]
        lines.append(repr(getattr(error, "object", None)))  # a UnicodeError keeps the whole text
        error = error.__cause__ or error.__context__
    return "\n".join(lines)


def test_the_search_finds_what_it_should():
    for text in (SECRET.hex(), repr(SECRET), KEY_LINE.decode(), str(bytearray(SECRET))):
        with pytest.raises(AssertionError):
            check_hides_secret(f"key: {text}")
    with pytest.raises(AssertionError):
        check_hides_secret(everything_about(UnicodeDecodeError("ascii", SECRET, 0, 1, "odd")))


@pytest.mark.parametrize("secret", [SECRET, PRINTABLE])
def test_repr_str_and_format_hide_the_secret(secret):
    key = Key(secret)
    assert repr(key) == str(key) == f"{key}" == f"<Key id={key.id.hex()}>"
    keys = key.derive(NONCE)
    assert repr(keys) == str(keys) == "<ImageKeys>"
    for shown in (key, keys, key._secret, keys._prk):
        for text in (repr(shown), str(shown), f"{shown}", f"{[shown]}"):
            check_hides_secret(text, secret)
            check_hides_secret(text, hmac_sha256(NONCE, secret))
    assert not hasattr(key, "__dict__")


@pytest.mark.parametrize(
    "misuse",
    [
        lambda: Key(PRINTABLE[:31]),
        lambda: Key(PRINTABLE + b"!"),
        lambda: Key(PRINTABLE.decode()),  # type: ignore[arg-type]
        lambda: Key(PRINTABLE).derive(b"short"),
        lambda: Key(PRINTABLE).derive(None),  # type: ignore[arg-type]
        lambda: Key(PRINTABLE).derive(NONCE).expand("\u00e9"),
        lambda: Key(PRINTABLE).content_nonce(np.zeros(3)),  # type: ignore[arg-type]
        lambda: Key(PRINTABLE) < Key(PRINTABLE),  # type: ignore[operator]
        lambda: pickle.dumps(Key(PRINTABLE)),
        lambda: ImageKeys(PRINTABLE + b"!"),
        lambda: Key.from_passphrase(PRINTABLE.decode() + "\ud800", salt=bytes(16)),
        lambda: Key.from_passphrase(PRINTABLE.decode(), salt=b"short"),
        lambda: Key.from_passphrase(PRINTABLE, salt=bytes(16)),  # type: ignore[arg-type]
    ],
)
def test_errors_hide_the_secret(misuse):
    with pytest.raises((TypeError, ValueError)) as caught:
        misuse()
    check_hides_secret(everything_about(caught.value), PRINTABLE)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_keys_are_not_pickled(protocol):
    for holder in (Key(SECRET), Key(SECRET).derive(NONCE), Key(SECRET)._secret):
        with pytest.raises(TypeError, match="holds key material"):
            pickle.dumps({"key": [holder]}, protocol)


@pytest.mark.parametrize("copier", [copy.copy, copy.deepcopy])
def test_keys_are_not_copied(copier):
    for holder in (Key(SECRET), Key(SECRET).derive(NONCE), Key(SECRET)._secret):
        with pytest.raises(TypeError, match="holds key material"):
            copier(holder)


def test_secrets_are_wiped_when_dropped(monkeypatch):
    wiped = []

    class Spy(key_module._Secret):
        def __del__(self):
            before = bytes(self)
            super().__del__()
            wiped.append((before, bytes(self)))

    monkeypatch.setattr(key_module, "_Secret", Spy)
    key = Key(SECRET)
    keys = key.derive(NONCE)
    assert wiped == []
    del key
    assert wiped == [(SECRET, bytes(32))]
    del keys
    assert wiped[1:] == [(hmac_sha256(NONCE, SECRET), bytes(32))]


def test_a_refused_key_has_nothing_to_wipe():
    with warnings.catch_warnings(action="error"), pytest.raises(ValueError, match="32 bytes"):
        Key(b"short")
