"""Somebody who has docs/format.md and nothing else decrypts our files, to the same pixels."""

import io
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from PIL import Image

import jpegcrypt
from jpegcrypt import Key, Metadata, decrypt, encrypt
from jpegcrypt.encoder import Effort

reader = pytest.importorskip(
    "format_reader", reason="jpeglib is not installed; the dev extra has it"
)

SECRET = bytes(range(32))
KEY = Key(SECRET)
SAMPLINGS = ("4:4:4", "4:2:2", "4:2:0", "4:4:0", "4:1:1")


def picture(height: int, width: int, *, seed: int = 7) -> np.ndarray:
    """Smooth color with some noise: coefficients of every size."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    smooth = np.stack([x * 3, y * 4, (x + y) * 2], axis=2) % 256
    return np.clip(smooth + rng.normal(0, 20, smooth.shape), 0, 255).astype(np.uint8)


def test_the_reader_imports_nothing_of_ours() -> None:
    source = Path(reader.__file__).read_text("utf-8")
    assert re.findall(r"^(?:from|import) jpegcrypt", source, re.M) == []
    code = "import sys, format_reader; print('jpegcrypt' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(reader.__file__).parent,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("subsampling", SAMPLINGS)
@pytest.mark.parametrize("size", [(1, 1), (5, 3), (8, 40), (37, 51), (64, 48)])
def test_pixels_are_equal(subsampling: str, size: tuple[int, int]) -> None:
    data = encrypt(picture(*size), KEY, quality=85, subsampling=subsampling)
    pixels, _ = reader.decrypt(data, SECRET)
    np.testing.assert_array_equal(pixels, decrypt(data, KEY))


@pytest.mark.parametrize("subsampling", SAMPLINGS)
@pytest.mark.parametrize("effort", ["fast", "best"])
@pytest.mark.parametrize("quality", [1, 75, 100])
def test_dc_residuals(subsampling: str, effort: Effort, quality: int) -> None:
    image = picture(37, 51)
    data = encrypt(
        image, KEY, dc="residual", quality=quality, subsampling=subsampling, effort=effort
    )
    pixels, _ = reader.decrypt(data, SECRET)
    np.testing.assert_array_equal(pixels, decrypt(data, KEY))


@pytest.mark.parametrize("bank", ["givens128", "authors16", "signs256"])
@pytest.mark.parametrize("quality", [1, 50, 100])
def test_banks_and_qualities(bank: str, quality: int) -> None:
    data = encrypt(picture(40, 56), KEY, quality=quality, bank=bank)
    pixels, _ = reader.decrypt(data, SECRET)
    np.testing.assert_array_equal(pixels, decrypt(data, KEY))


@pytest.mark.parametrize(
    "image",
    [
        picture(33, 20)[:, :, 0],
        np.full((17, 9), 255, np.uint8),
        np.zeros((24, 24), np.uint8),
        np.indices((24, 24)).sum(axis=0).astype(np.uint8) % 2 * 255,
    ],
    ids=["gray", "white", "black", "checker"],
)
@pytest.mark.parametrize("dc", ["permuted", "residual"])
def test_gray_and_saturated(image: np.ndarray, dc: Literal["permuted", "residual"]) -> None:
    data = encrypt(image, KEY, quality=100, dc=dc)
    pixels, _ = reader.decrypt(data, SECRET)
    np.testing.assert_array_equal(pixels, decrypt(data, KEY))


@pytest.mark.parametrize(
    ("subsampling", "h", "v"),
    [("4:4:4", 1, 1), ("4:2:2", 2, 1), ("4:2:0", 2, 2), ("4:4:0", 1, 2), ("4:1:1", 4, 1)],
)
def test_the_way_in(subsampling: str, h: int, v: int) -> None:
    """Color, permutation, rotation, transform, quantization: coefficients of the cipher file."""
    image = picture(48, 64)
    data = encrypt(image, KEY, quality=90, subsampling=subsampling)
    header, _ = reader.read_header(data)
    keys, bank = reader.image_keys(SECRET, header.nonce), reader.fixed_point(1)
    file = reader.read_picture(data)
    planes = reader.from_rgb(image, h, v)
    assert list(header.levels) == [int(np.mean(plane) + 0.5) for plane in planes]
    for label, level, plane, steps, found in zip(
        ("Y", "Cb", "Cr"), header.levels, planes, file.steps, file.blocks, strict=True
    ):
        rows, columns = found.shape[:2]
        assert plane.shape == (8 * rows, 8 * columns)
        records, permutation = reader.plan(
            keys(reader.component_label(label, header, found)), rows * columns
        )
        plain = plane.reshape(rows, 8, columns, 8).swapaxes(1, 2).reshape(-1, 8, 8)
        cipher = reader.forward_blocks(plain[permutation], steps.astype(int), records, bank)
        cipher[:, 0, 0] = reader.encrypt_dc(cipher[:, 0, 0], int(steps[0, 0]), level, records, bank)
        np.testing.assert_array_equal(cipher, found.reshape(-1, 8, 8))


@pytest.mark.skipif(shutil.which("jpegtran") is None, reason="jpegtran is not installed")
@pytest.mark.parametrize("rewrite", ["-optimize", "-progressive", "-restart 1"])
def test_a_lossless_rewrite(rewrite: str) -> None:
    data = encrypt(picture(37, 51), KEY, effort="fast", comment=b"hi")
    done = subprocess.run(
        ["jpegtran", "-copy", "all", *rewrite.split()], input=data, capture_output=True, check=True
    )
    assert done.stdout != data
    pixels, metadata = reader.decrypt(done.stdout, SECRET)
    np.testing.assert_array_equal(pixels, decrypt(data, KEY))
    assert metadata == {"comment": b"hi"}


def test_metadata_of_more_than_one_segment() -> None:
    exif = bytes(range(256)) * 300
    data = encrypt(
        picture(16, 16),
        KEY,
        exif=exif,
        xmp=b"<x/>",
        icc_profile=b"icc",
        comment=b"hi",
        dpi=(300, 72),
        segments=[(0xFE, b"one"), (0xED, b"")],
        text=[("a\xe9", "\u6e56")],
    )
    _, metadata = reader.decrypt(data, SECRET)
    assert metadata == {
        "exif": exif,
        "xmp": b"<x/>",
        "icc_profile": b"icc",
        "comment": b"hi",
        "dpi": (300.0, 72.0),
        "segments": [(0xFE, b"one"), (0xED, b"")],
        "text": [("a\xe9", "\u6e56")],
    }
    assert Metadata(**metadata) == jpegcrypt.open_encrypted(data, KEY).metadata


def test_keys(tmp_path: Path) -> None:
    key = Key.generate()
    key.save(tmp_path / "album.key")
    secret = reader.key_from_file((tmp_path / "album.key").read_text())
    assert Key(secret) == key
    assert reader.key_id(secret) == key.id


def test_a_passphrase() -> None:
    salt = bytes(range(16))
    key = Key.from_passphrase("Z\u00fcrich see", salt=salt)
    data = encrypt(picture(16, 24), key)
    header, _ = reader.read_header(data)
    assert header.salt == salt
    secret = reader.key_from_passphrase("Zu\u0308rich see", header.salt)
    np.testing.assert_array_equal(reader.decrypt(data, secret)[0], decrypt(data, key))


def test_what_must_be_refused() -> None:
    data = encrypt(picture(16, 24), KEY)
    plain = io.BytesIO()
    Image.new("RGB", (8, 8)).save(plain, "JPEG")
    with pytest.raises(reader.Refused, match="another key"):
        reader.decrypt(data, bytes(32))
    with pytest.raises(reader.Refused, match="0 headers"):
        reader.decrypt(plain.getvalue(), SECRET)
    header, _ = reader.read_header(data)
    with pytest.raises(reader.Refused, match="tag"):
        reader.decrypt(data.replace(header.tag, bytes(16)), SECRET)
