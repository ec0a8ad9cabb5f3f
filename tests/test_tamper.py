"""Changed files are refused, or decrypt to the very picture that was encrypted; nothing else."""

import io
import itertools
from collections import Counter
from typing import Any

import numpy as np
import pytest
from PIL import Image

import jpegcrypt
import oracle
import recode
from checks import KEY, NONCE, components, photo, pillow_jpeg, refusal
from format_reader import Picture, read_picture
from jpegcrypt import (
    JpegcryptError,
    Key,
    MalformedJpeg,
    NotEncrypted,
    TamperedFile,
    UnsupportedJpeg,
    WrongKey,
    decrypt,
    encrypt,
    inspect,
    open_encrypted,
    read_coefficients,
)

IMAGE = photo("coffee.png")[200:219, 300:325]
SALTED = Key(bytes(range(32)), salt=bytes(range(16)))

FILES = {
    "4:2:0": (encrypt(IMAGE, KEY, nonce=NONCE, quality=60), KEY),
    "gray": (encrypt(IMAGE[:, :, 1], KEY, nonce=NONCE, effort="fast"), KEY),
    "residuals": (encrypt(IMAGE[:, :, 1], KEY, nonce=NONCE, effort="best", dc="residual"), KEY),
    "salt, metadata, restarts": (
        encrypt(
            IMAGE[:, :16],
            SALTED,
            nonce=NONCE,
            quality=40,
            subsampling="4:4:4",
            restart_interval=2,
            comment=b"at the lake",
        ),
        SALTED,
    ),
}
all_files = pytest.mark.parametrize(("data", "key"), FILES.values(), ids=FILES)
DATA, _ = FILES["4:2:0"]

APP11, DQT, SOF0, DHT, SOS = 0xEB, 0xDB, 0xC0, 0xC4, 0xDA


def coefficients(data: bytes) -> list[Any]:
    c = read_coefficients(data)
    return [array.tolist() for array in (*components(c), c.qt)]


# --- every bit ----------------------------------------------------------------------------------


def regions(data: bytes) -> dict[int, str]:
    """Name the part of the file that each byte belongs to; what is not named is only framing."""
    names: dict[int, str] = {}
    for s in oracle.segments(data):
        payload = data[s.start : s.end]
        fields: dict[str, range] = {}
        if s.marker == APP11 and payload.startswith(b"jpegcrypt\0"):
            fields = {
                "magic": range(10),
                "version": range(10, 11),
                "header": range(11, 59),
                "flags": range(18, 19),
                "salt": range(59, 75),
            }
        elif s.marker == APP11:
            fields = {"metadata": range(len(payload))}
        elif s.marker == DQT:
            fields = {"steps": range(len(payload)), "table": range(0, len(payload), 65)}
        elif s.marker == SOF0:
            fields = {"size": range(1, 5)}
        elif s.marker == SOS:
            fields = {"coefficients": range(4 + 2 * payload[0], len(payload))}
        for name, places in fields.items():
            names |= {s.start + i: name for i in places if s.start + i < s.end}
    return names


@all_files
def test_every_bit(data, key):
    """Flip each bit of a file: whose part it is decides how it is refused."""
    names = regions(data)
    pixels, known = decrypt(data, key), coefficients(data)
    silent: Counter[str] = Counter()
    for at, bit in itertools.product(range(len(data)), range(8)):
        flipped = bytearray(data)
        flipped[at] ^= 1 << bit
        name = names.get(at, "framing")
        error = refusal(decrypt, flipped, key)
        if error is None:
            silent[name] += 1
            assert np.array_equal(decrypt(flipped, key), pixels)
            assert coefficients(flipped) == known
        elif name in ("header", "salt", "metadata"):
            assert type(error) is TamperedFile
        elif name == "magic":
            assert type(error) in (NotEncrypted, TamperedFile)
        elif name == "version":
            assert type(error) is UnsupportedJpeg
        elif name == "flags":
            assert type(error) is MalformedJpeg
        elif name == "steps":
            assert type(error) is (MalformedJpeg if flipped[at] == 0 else TamperedFile)
        elif name == "coefficients":
            unreadable = refusal(read_coefficients, flipped)
            assert type(error) is (type(unreadable) if unreadable else TamperedFile)
        assert not isinstance(error, WrongKey)
    # What may change unnoticed codes nothing: density in JFIF, names of tables and components,
    # padding bits and padding blocks, whose coefficients no decoder shows.
    assert silent.keys() <= {"framing", "coefficients"}
    assert silent["coefficients"] < 0.25 * 8 * list(names.values()).count("coefficients")


@all_files
def test_every_byte_replaced(data, key):
    """The same with whole bytes."""
    pixels = decrypt(data, key)
    for at, value in itertools.product(range(len(data)), (0x00, 0x01, 0x7F, 0xD9, 0xFF)):
        changed = data[:at] + bytes([value]) + data[at + 1 :]
        if refusal(decrypt, changed, key) is None:
            assert np.array_equal(decrypt(changed, key), pixels)


# --- cuts, insertions, other orders -------------------------------------------------------------


@all_files
def test_truncated_at_every_byte(data, key):
    for size in range(len(data)):
        for function in (
            lambda cut: decrypt(cut, key),
            jpegcrypt.decode,
            read_coefficients,
            inspect,
        ):
            error = refusal(function, data[:size])
            assert type(error) is MalformedJpeg
            assert error.offset is not None
            assert 0 <= error.offset <= size


@all_files
def test_every_byte_removed_or_doubled(data, key):
    pixels = decrypt(data, key)
    for at in range(len(data)):
        for changed in (data[:at] + data[at + 1 :], data[:at] + data[at : at + 1] + data[at:]):
            if refusal(decrypt, changed, key) is None:
                assert np.array_equal(decrypt(changed, key), pixels)


@pytest.mark.parametrize("trailer", [b"\0", b"garbage" * 100, DATA, pillow_jpeg(IMAGE)])
def test_garbage_at_the_end(trailer):
    assert np.array_equal(decrypt(DATA + trailer, KEY), decrypt(DATA, KEY))


def pieces(data: bytes) -> list[bytes]:
    found = list(oracle.segments(data))
    return [data[s.offset : s.end] for s in found]


@all_files
def test_segments_removed_doubled_or_swapped(data, key):
    pixels, parts = decrypt(data, key), pieces(data)
    verdicts = {}
    for i, j in itertools.product(range(1, len(parts) - 1), repeat=2):
        swapped = parts.copy()
        swapped[i], swapped[j] = swapped[j], swapped[i]
        for kind, changed in (
            ("removed", parts[:i] + parts[i + 1 :]),
            ("doubled", [*parts[:j], parts[i], *parts[j:]]),
            ("swapped", swapped),
        ):
            error = refusal(decrypt, b"".join(changed), key)
            verdicts[kind, parts[i][1]] = error
            if error is None:
                assert np.array_equal(decrypt(b"".join(changed), key), pixels)
    assert type(verdicts["removed", DQT]) is MalformedJpeg
    assert type(verdicts["doubled", SOF0]) is MalformedJpeg
    assert type(verdicts["doubled", APP11]) is TamperedFile


def app11(data: bytes) -> list[bytes]:
    return [part for part in pieces(data) if part[1] == APP11]


def with_app11(data: bytes, segments: list[bytes]) -> bytes:
    """Put other APP11 segments in the place of a file's own."""
    kept = [part for part in pieces(data) if part[1] != APP11]
    return b"".join([*kept[:2], *segments, *kept[2:]])


def test_headers_of_other_files():
    other = encrypt(255 - IMAGE, KEY, nonce=NONCE, quality=60)  # even with the same nonce
    newer = encrypt(IMAGE, KEY, quality=60)
    assert with_app11(DATA, app11(DATA)) == DATA
    for source in (other, newer):
        with pytest.raises(TamperedFile, match="the tag does not fit"):
            decrypt(with_app11(DATA, app11(source)), KEY)
    with pytest.raises(TamperedFile, match="2 jpegcrypt headers in one file"):
        decrypt(with_app11(DATA, app11(DATA) + app11(other)), KEY)
    with pytest.raises(NotEncrypted, match="no jpegcrypt header"):
        decrypt(with_app11(DATA, []), KEY)


def test_metadata_of_other_files():
    big = encrypt(IMAGE, KEY, nonce=NONCE, exif=bytes(150_000), comment=b"at the lake")
    small = encrypt(IMAGE, KEY, nonce=NONCE, comment=b"on the hill")
    head, *chunks = app11(big)
    assert len(chunks) == 3
    for changed in (
        [head, *app11(small)[1:]],
        [head],
        [head, *chunks[:2]],
        [head, *chunks[::-1]],
        [head, *chunks, chunks[0]],
        [head, *chunks, *app11(small)[1:]],
    ):
        with pytest.raises(TamperedFile):
            open_encrypted(with_app11(big, changed), KEY)
        with pytest.raises(TamperedFile):
            decrypt(with_app11(big, changed), KEY)
    moved = with_app11(big, [*chunks, head])  # only the order among the chunks says something
    assert open_encrypted(moved, KEY).metadata.comment == b"at the lake"
    foreign = b"\xff\xeb\0\x06JP\0\0"
    assert decrypt(with_app11(DATA, [foreign, *app11(DATA), foreign]), KEY).shape == IMAGE.shape


# --- coefficients and geometry, written anew ----------------------------------------------------


def test_every_coefficient_counts():
    """Add one to each coefficient of a block in turn, and to one of every other block."""
    picture = read_picture(DATA)
    assert decrypt(recode.recode(DATA, picture), KEY).shape == IMAGE.shape
    rng = np.random.default_rng(4)
    places = [(0, 0, 1, v, u) for v, u in itertools.product(range(8), repeat=2)]
    for c, blocks in enumerate(picture.blocks):
        for y, x in itertools.product(*map(range, blocks.shape[:2])):
            places.append((c, y, x, *rng.integers(0, 8, 2)))
    for c, *place in places:
        changed = [blocks.copy() for blocks in picture.blocks]
        changed[c][tuple(place)] += 1
        with pytest.raises(TamperedFile, match="the tag does not fit"):
            decrypt(recode.recode(DATA, rebuilt(picture, blocks=changed)), KEY)


def rebuilt(picture: Picture, **changes: object) -> Picture:
    return Picture(**(vars(picture) | changes))


def swap_blocks(p: Picture) -> Picture:
    luma = p.blocks[0].copy()
    luma[[0, 1]] = luma[[1, 0]]
    return rebuilt(p, blocks=[luma, *p.blocks[1:]])


def swap_chroma(p: Picture) -> Picture:
    return rebuilt(p, blocks=[p.blocks[0], p.blocks[2], p.blocks[1]])


def negate(p: Picture) -> Picture:
    return rebuilt(p, blocks=[-p.blocks[0], *p.blocks[1:]])


def transpose(p: Picture) -> Picture:
    return rebuilt(p, blocks=[p.blocks[0].swapaxes(2, 3).copy(), *p.blocks[1:]])


def make_gray(p: Picture) -> Picture:
    return rebuilt(p, blocks=p.blocks[:1], steps=p.steps[:1], sampling=p.sampling[:1])


def crop(p: Picture) -> Picture:
    return rebuilt(p, width=p.width - 1)


def extend(p: Picture) -> Picture:
    return rebuilt(p, height=p.height + 1)


def double_steps(p: Picture) -> Picture:
    return rebuilt(p, steps=[2 * steps for steps in p.steps])


def other_factors(p: Picture) -> Picture:
    return rebuilt(p, sampling=[(1, 1)] * 3, blocks=[p.blocks[0]] * 3)


@pytest.mark.parametrize(
    "change",
    [
        swap_blocks,
        swap_chroma,
        negate,
        transpose,
        make_gray,
        crop,
        extend,
        double_steps,
        other_factors,
    ],
)
def test_pictures_written_anew(change):
    with pytest.raises(TamperedFile):
        decrypt(recode.recode(DATA, change(read_picture(DATA))), KEY)


def test_recompressed_and_resized():
    """What a server does to pictures; the hint says what to do."""
    with Image.open(io.BytesIO(DATA)) as shown:
        exif = b"".join(app11(DATA))
        for changed in (shown, shown.resize((20, 20)), shown.transpose(Image.Transpose.ROTATE_90)):
            plain = pillow_jpeg(np.asarray(changed))
            with pytest.raises(TamperedFile) as caught:
                decrypt(plain[:2] + exif + plain[2:], KEY)
            assert "get the original file" in caught.value.hint


# --- keys ---------------------------------------------------------------------------------------


@all_files
def test_wrong_key(data, key):
    for other in (Key(bytes(32)), Key.generate()):
        with pytest.raises(WrongKey) as caught:
            decrypt(data, other)
        assert key.id.hex() in str(caught.value)
        assert other.id.hex() in str(caught.value)


def test_a_key_id_that_was_changed_to_another():
    """Neither the true key nor the other one is fooled."""
    other = Key(bytes(32))
    changed = DATA.replace(KEY.id, other.id)
    with pytest.raises(TamperedFile, match="the key id in the header was changed"):
        decrypt(changed, KEY)
    with pytest.raises(TamperedFile, match="the tag does not fit"):
        decrypt(changed, other)


def test_a_scheme_of_the_future_is_told_from_a_changed_one():
    """Only who holds the key can write a scheme that is believed."""
    at = DATA.index(b"jpegcrypt\0") + 11
    with pytest.raises(TamperedFile):
        decrypt(DATA[:at] + b"\x09" + DATA[at + 1 :], KEY)


# --- what is no cipher file ---------------------------------------------------------------------


def test_plain_jpeg():
    for data in (pillow_jpeg(IMAGE), jpegcrypt.encode(IMAGE), pillow_jpeg(IMAGE, progressive=True)):
        for function in (lambda data: decrypt(data, KEY), inspect):
            with pytest.raises(NotEncrypted, match="an ordinary JPEG"):
                function(data)


def png() -> bytes:
    file = io.BytesIO()
    Image.fromarray(IMAGE).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"", "an empty file"),
        (bytes(1), "begins with 0x00"),
        (png(), "a PNG file"),
        (b"GIF89a....", "a GIF file"),
        (b"hello world", "begins with 0x68656C6C"),
        (bytes(10_000), "begins with 0x00000000"),
        (b"\xff\xd8" + bytes(10_000), "expected a marker"),
    ],
)
def test_no_jpeg(data, found):
    for function in (lambda data: decrypt(data, KEY), inspect, jpegcrypt.decode, read_coefficients):
        with pytest.raises(MalformedJpeg, match=found) as caught:
            function(data)
        assert caught.value.offset is not None
        assert isinstance(caught.value, JpegcryptError)
