"""The carriers of schemes that write no JPEG, as hostile files fill them."""

import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image

from checks import KEY, NONCE, photo
from jpegcrypt import ImageTooLarge, MalformedJpeg, UnreadableImage
from jpegcrypt.schemes import envelope, feng2021, load

PICTURE = photo("coffee.png")[40:72, 60:108]


def chunk(kind: bytes, payload: bytes) -> bytes:
    body = kind + payload
    return struct.pack(">I", len(payload)) + body + struct.pack(">I", zlib.crc32(body))


def huge_png(side: int) -> bytes:
    """Return a header alone, RGB of 8 bits, before next to no pixels."""
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    data = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(10))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + data


@pytest.mark.parametrize(
    "read",
    [
        lambda data: feng2021.decrypt(data, KEY),
        feng2021.read,
        lambda data: load("liu2017").decrypt(data, KEY),
        load("liu2017").features,
        load("xia2020_lbp").invariants,
    ],
)
@pytest.mark.parametrize("side", [14_000, 20_000, 2**31 - 1])  # Pillow warns, refuses, refuses
def test_a_huge_header(read, side) -> None:
    with pytest.raises(ImageTooLarge, match=f"{side}x{side} pixels, more than the limit of"):
        read(huge_png(side))


def test_max_pixels_is_the_only_limit_of_a_png(monkeypatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)  # which everything in the process shares
    data = feng2021.encrypt(PICTURE, KEY, key_mode="nonce")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.array_equal(feng2021.decrypt(data, KEY, max_pixels=PICTURE[..., 0].size), PICTURE)
        scheme = load("liu2017")
        assert np.array_equal(scheme.decrypt(scheme.encrypt(PICTURE, KEY, NONCE), KEY), PICTURE)
    with pytest.raises(ImageTooLarge, match="48x32 pixels, more than the limit of 1535"):
        feng2021.decrypt(data, KEY, max_pixels=PICTURE[..., 0].size - 1)


every_pixel_scheme = pytest.mark.parametrize(
    "scheme",
    [
        pytest.param(load(name), id=name)
        for name in ("liu2017", "wang2020", "xia2019_boew", "xia2020_lbp")
    ],
)


def gray_png(scheme, side, sample, *, encrypted=True):
    """Return a PNG that says to be a picture as large as a block."""
    channels = np.full((1, side, side), np.iinfo(sample).max // 2, sample)
    header = envelope.make_header(scheme.ID, KEY, NONCE) if encrypted else b""
    return envelope.write_png(channels, f"{scheme.BLOCK}x{scheme.BLOCK}x1", header)


def check_refused(scheme, data, text):
    for read in (lambda data: scheme.decrypt(data, KEY), scheme.features, scheme.invariants):
        with pytest.raises(UnreadableImage, match=text):
            read(data)


@every_pixel_scheme
def test_samples_of_another_type_are_refused(scheme):
    """Or values would be cut, or point behind a table."""
    own, side = np.dtype(scheme.SAMPLE), scheme.BLOCK
    other = np.dtype(np.uint8 if own == np.uint16 else np.uint16)
    text = f"{other} samples, expected {side}x{side} {own} for"
    check_refused(scheme, gray_png(scheme, side, other), text)
    plain = gray_png(scheme, side, np.dtype(np.uint16), encrypted=False)
    with pytest.raises(UnreadableImage, match=f"uint16 samples, expected {side}x{side} uint8 for"):
        scheme.features(plain)


@every_pixel_scheme
def test_a_chunk_that_trips_pillow(scheme):
    """A color profile behind the pixels without a name ends in an IndexError there."""
    data = gray_png(scheme, scheme.BLOCK, np.dtype(scheme.SAMPLE))
    at = data.rindex(b"IEND") - 4
    check_refused(scheme, data[:at] + chunk(b"iCCP", b"") + data[at:], "a broken PNG")


def test_files_too_large_to_be_read_again(monkeypatch):
    monkeypatch.setattr(envelope, "MAX_PIXELS", 2000)
    for name in ("xia2020_lbp", "zhang2014"):  # with 3 planes, one below another; as it is
        scheme = load(name)
        scheme.encrypt(np.zeros((24, 24, 3), np.uint8), KEY, bytes(16))
        with pytest.raises(ValueError, match="expected at most 2000 in all"):
            scheme.encrypt(np.zeros((48, 48, 3), np.uint8), KEY, bytes(16))


def test_tall_pictures_as_one_gray_picture():
    with pytest.raises(ValueError, match=r"1x44000 pixels: .* have 16x66000, expected at most"):
        load("chuman2019").encrypt(np.zeros((44000, 1, 3), np.uint8), KEY, bytes(16))


@pytest.mark.parametrize("name", ["cheng2016_ac", "xia2019", "xu2017"])
def test_a_part_that_is_missing(name):
    """Cut between two parts, a colored picture does not open as a gray one."""
    scheme = load(name)
    data = scheme.encrypt(PICTURE, KEY, NONCE)
    parts, header = envelope.read_parts(data)
    assert envelope.write_parts(parts, header) == data
    cut = data[: -4 - len(parts[-1])]
    at = data.index(header) + len(header)
    with pytest.raises(MalformedJpeg, match="0 parts, expected at least 1"):
        envelope.read_parts(data[:at] + b"\0" + data[at + 1 :])
    for read in (lambda data: scheme.decrypt(data, KEY), scheme.features, scheme.invariants):
        for broken in (cut, data + bytes(4)):
            with pytest.raises(MalformedJpeg, match=f"found .* parts, expected {len(parts)}"):
                read(broken)


def test_comments_of_others():
    """A comment in front does not hide the size; a size that does not fit is a broken file."""
    scheme, picture = load("chuman2019"), np.zeros((40, 40, 3), np.uint8)
    data = scheme.encrypt(picture, KEY, bytes(16))
    other = data[:2] + b"\xff\xfe\0\5abc" + data[2:]
    assert np.array_equal(scheme.decrypt(other, KEY), scheme.decrypt(data, KEY))
    with pytest.raises(MalformedJpeg, match="expected a gray one of"):
        scheme.decrypt(data.replace(b"40x40x3", b"40x99x3"), KEY)


@every_pixel_scheme
def test_parts_of_blocks_are_refused(scheme):
    side, own = scheme.BLOCK + 1, np.dtype(scheme.SAMPLE)
    check_refused(scheme, gray_png(scheme, side, own), f"a PNG of {side}x{side} {own} samples")
