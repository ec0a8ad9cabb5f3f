"""Cipher files are ordinary JPEGs: decoders that nobody here wrote open them, and agree."""

import numpy as np
import pytest

import jpegcrypt
from checks import (
    DECODERS,
    KEY,
    NONCE,
    SAMPLINGS,
    TURBO_FAMILY,
    check_same_coefficients,
    components,
    on_disk,
    photo,
    pillow_jpeg,
)
from jpegcrypt import encrypt
from jpegcrypt.cipher.bank import BANKS

IMAGE = photo("astronaut.png")[37:240, 91:408]  # 203 x 317, odd both ways
SETTINGS = {
    "default": {},
    "quality 100": {"quality": 100},
    "quality 1": {"quality": 1},
    "authors16": {"bank": "authors16", "quality": 90},
    "signs256": {"bank": "signs256", "effort": "fast"},
    "best": {"effort": "best"},
    "residuals": {"dc": "residual", "effort": "best", "quality": 98},
    "restarts": {"restart_interval": 5, "quality": 95},
    "metadata": {"exif": bytes(80_000), "comment": b"hi"},
}
GRAY_DECODERS = [name for name in DECODERS if "kornia" not in name]  # that one has no gray

all_decoders = pytest.mark.parametrize("name", DECODERS)
all_settings = pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)


@pytest.fixture
def silent(capfd):
    """Nothing is written to standard output or error: libjpeg's way to warn."""
    yield
    assert capfd.readouterr() == ("", "")


def difference(name: str, data: bytes) -> int:
    theirs = DECODERS[name](data)
    ours = jpegcrypt.decode(data)
    assert theirs.shape == ours.shape
    assert theirs.dtype == np.uint8
    return int(np.abs(theirs.astype(int) - ours).max())


@all_settings
@all_decoders
@pytest.mark.usefixtures("silent")
def test_full_chroma(name, settings):
    data = encrypt(IMAGE, KEY, nonce=NONCE, subsampling="4:4:4", **settings)
    assert difference(name, data) <= (0 if name in TURBO_FAMILY else 4)


@all_settings
@pytest.mark.parametrize("name", GRAY_DECODERS)
@pytest.mark.usefixtures("silent")
def test_gray(name, settings):
    data = encrypt(IMAGE[:, :, 1], KEY, nonce=NONCE, **settings)
    assert difference(name, data) <= (0 if name in TURBO_FAMILY else 4)


@pytest.mark.parametrize("subsampling", ["4:2:2", "4:2:0", "4:4:0", "4:1:1"])
@all_decoders
@pytest.mark.usefixtures("silent")
def test_subsampled(name, subsampling):
    """Upsampling filters differ between decoders; those of libjpeg-turbo show the same pixels."""
    data = encrypt(IMAGE, KEY, nonce=NONCE, subsampling=subsampling)
    off = difference(name, data)
    # libjpeg-turbo 2.1 repeats rows at 4:4:0, 3.0 interpolates.
    if name in TURBO_FAMILY and (subsampling != "4:4:0" or name != "jpeglib turbo210"):
        assert off == 0


@pytest.mark.parametrize("version", ["6b", "7", "8d", "9e", "turbo120", "turbo210", "mozjpeg403"])
@pytest.mark.parametrize("subsampling", [*SAMPLINGS, "gray"])
@pytest.mark.usefixtures("silent")
def test_coefficients_in_every_libjpeg(version, subsampling):
    jpeglib = pytest.importorskip("jpeglib")
    image = IMAGE[:, :, 0] if subsampling == "gray" else IMAGE
    kind = {} if subsampling == "gray" else {"subsampling": subsampling}
    for bank in BANKS:
        data = encrypt(image, KEY, nonce=NONCE, bank=bank, restart_interval=7, **kind)
        ours = components(check_same_coefficients(data))
        with on_disk(data) as path, jpeglib.version(version):
            theirs = components(jpeglib.read_dct(path))
        for a, b in zip(ours, theirs, strict=True):
            assert np.array_equal(a, b)


@all_decoders
def test_a_damaged_file_is_noticed(name, capfd):
    """The checks above are awake: half a file raises, prints, or shows another picture."""
    data = encrypt(IMAGE, KEY, nonce=NONCE, subsampling="4:4:4")
    damaged = data[: len(data) // 2]
    try:
        shown = DECODERS[name](damaged)
    except (OSError, ValueError, AttributeError, AssertionError, RuntimeError):
        return  # OpenCV returns None
    assert "".join(capfd.readouterr()) or not np.array_equal(shown, jpegcrypt.decode(data))


# --- checkers of whole files, where they are installed ------------------------------------------

CIPHER = encrypt(IMAGE, KEY, nonce=NONCE, exif=bytes(80_000))


def test_djpeg(tool):
    assert tool("djpeg", "-strict", data=CIPHER).startswith(b"P6\n317 203\n255\n")


def test_jpeginfo(tool):
    for data in (CIPHER, pillow_jpeg(IMAGE)):
        assert b" OK " in tool("jpeginfo", "-c", "-", data=data)


def test_exiftool(tool):
    """It knows no segment of ours, and says so; nothing else, in bounded memory.

    A payload that begins with "JP" in APP11 would be a JPEG XT box to it, of absurd length.
    """
    report = tool("exiftool", "-validate", "-warning", "-error", "-a", "-s3", "-", data=CIPHER)
    summary, *warnings = report.decode().splitlines()
    assert summary == "3 Warnings (all minor)"
    assert all(line.startswith("[minor] Unknown APP11") for line in warnings)
