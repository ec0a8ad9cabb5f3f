"""The carriers of schemes that write no JPEG, as hostile files fill them."""

import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image

from checks import KEY, NONCE, photo
from jpegcrypt import ImageTooLarge, UnreadableImage
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
def test_parts_of_blocks_are_refused(scheme):
    side, own = scheme.BLOCK + 1, np.dtype(scheme.SAMPLE)
    check_refused(scheme, gray_png(scheme, side, own), f"a PNG of {side}x{side} {own} samples")
