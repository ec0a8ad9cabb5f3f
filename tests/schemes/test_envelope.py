"""The carriers of schemes that write no JPEG, as hostile files fill them."""

import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image

from checks import KEY, NONCE, photo
from jpegcrypt import ImageTooLarge
from jpegcrypt.schemes import feng2021, load

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
