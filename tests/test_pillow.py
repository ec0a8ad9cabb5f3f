"""Pillow saves encrypted JPEGs, with the keywords it knows, and refuses what it would ignore."""

import io
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import jpegcrypt.pillow
from checks import KEY, NONCE, photo, psnr
from jpegcrypt import decrypt, inspect, open_encrypted, write


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_save(tmp_path, mode):
    image = Image.fromarray(photo("coffee.png")).convert(mode)
    image.save(tmp_path / "x.jpg", format="JPEGCRYPT", key=KEY, quality=90)
    data = (tmp_path / "x.jpg").read_bytes()
    assert psnr(decrypt(data, KEY), np.asarray(image)) > 33
    with Image.open(tmp_path / "x.jpg") as noise:
        assert (noise.format, noise.mode, noise.size) == ("JPEG", mode, image.size)


def test_keywords_of_pillow_and_ours():
    file, image = io.BytesIO(), Image.fromarray(photo("coffee.png"))
    exif = Image.Exif()
    exif[271] = "Camera"
    image.save(
        file, format="jpegcrypt", key=KEY, nonce=NONCE, subsampling=0, optimize=True, exif=exif,
        comment="at the lake", dpi=(300, 300), icc_profile=b"profile", xmp=b"<x/>",
        restart_marker_rows=1, qtables=[[7] * 64], bank="signs256",
    )  # fmt: skip
    opened = open_encrypted(file.getvalue(), KEY)
    assert opened.metadata == jpegcrypt.Metadata(
        exif=exif.tobytes(), comment=b"at the lake", dpi=(300, 300), icc_profile=b"profile",
        xmp=b"<x/>",
    )  # fmt: skip
    info = inspect(file.getvalue())
    assert (info.nonce, info.bank, info.sampling[0]) == (NONCE, "signs256", (1, 1))


@pytest.mark.parametrize(
    ("given", "saved"), [({}, b"at the lake"), ({"comment": "hi"}, b"hi"), ({"comment": ""}, None)]
)
def test_a_comment_comes_along_as_with_pillow_and_nothing_else(given, saved):
    source, file, plain = io.BytesIO(), io.BytesIO(), io.BytesIO()
    Image.new("RGB", (8, 8)).save(
        source,
        "JPEG",
        comment="at the lake",
        exif=b"Exif\0\0II",
        icc_profile=b"profile",
        dpi=(9, 9),
    )
    image = Image.open(source)
    image.save(file, format="JPEGCRYPT", key=KEY, **given)
    assert open_encrypted(file.getvalue(), KEY).metadata == jpegcrypt.Metadata(comment=saved)
    jpegcrypt.write(plain, image, **given)
    pillow = io.BytesIO()
    image.save(pillow, "JPEG", **given)
    names = ("comment", "exif", "icc_profile")
    plain_info, pillow_info = Image.open(plain).info, Image.open(pillow).info
    assert [plain_info.get(n) for n in names] == [pillow_info.get(n) for n in names]


def test_what_pillow_takes_by_default_is_taken():
    image, file = Image.new("RGB", (8, 8)), io.BytesIO()
    image.save(file, format="JPEGCRYPT", key=KEY, progressive=False, optimize=False)
    assert decrypt(file.getvalue(), KEY).shape == (8, 8, 3)


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({}, TypeError, r"needs key=, a jpegcrypt\.Key, got NoneType"),
        ({"key": b"secret" * 6}, TypeError, "got bytes"),
        ({"key": KEY, "progressive": True}, ValueError, "only baseline"),
        ({"key": KEY, "quality": "keep"}, TypeError, "quality 'keep', expected an integer"),
        (
            {"key": KEY, "qtables": "web_low"},
            ValueError,
            "unknown qtables 'web_low', expected one of annex-k, flat, or tables",
        ),
        ({"key": KEY, "qualty": 90}, TypeError, "'qualty'"),
        ({"key": KEY, "quality": 101}, ValueError, "quality"),
    ],
)
def test_what_is_not_supported_is_refused(tmp_path, options, error, text):
    with pytest.raises(error, match=text) as caught:
        Image.new("RGB", (8, 8)).save(tmp_path / "x.jpg", format="JPEGCRYPT", **options)
    assert "secret" not in str(caught.value)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("mode", ["RGBA", "P", "CMYK", "I;16", "1", "LA", "F"])
def test_other_modes_are_refused(mode):
    with pytest.raises(ValueError, match=f"mode {mode}, expected L or RGB"):
        Image.new(mode, (8, 8)).save(io.BytesIO(), format="JPEGCRYPT", key=KEY)


def test_no_extension_is_taken():
    assert "JPEGCRYPT" not in Image.registered_extensions().values()
    assert "JPEGCRYPT" not in Image.OPEN


def test_importing_jpegcrypt_alone_registers_nothing():
    code = "import jpegcrypt.files; from PIL import Image; Image.init(); print(*Image.SAVE)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "JPEG" in done.stdout
    assert "JPEGCRYPT" not in done.stdout


class Full(io.RawIOBase):
    """A pipe that does not block and takes so many bytes at first."""

    def __init__(self, room: int) -> None:
        self.room, self.taken = room, b""

    def writable(self) -> bool:
        return True

    def write(self, data) -> int | None:
        part = bytes(data[: self.room])
        self.room -= len(part)
        self.taken += part
        return len(part) or None


def test_a_stream_that_takes_a_part_is_an_error():
    image = Image.new("RGB", (40, 30), "teal")
    write(whole := io.BytesIO(), image)
    size = len(whole.getvalue())
    write(stream := Full(size), image)
    assert stream.taken == whole.getvalue()
    with pytest.raises(BlockingIOError, match=f"took 100 of {size} bytes") as caught:
        write(Full(100), image)
    assert caught.value.characters_written == 100
