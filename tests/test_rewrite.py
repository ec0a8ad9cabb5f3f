"""Lossless rewriting by other tools keeps a file decryptable: to the same pixels, verified."""

import itertools
from typing import Any

import numpy as np
import pytest

import oracle
import recode
from checks import KEY, NONCE, SAMPLINGS, check_valid, components, on_disk, photo
from format_reader import Picture, read_picture
from jpegcrypt import NotEncrypted, UnsupportedJpeg, encrypt, open_encrypted, read_coefficients
from jpegcrypt.metadata import Metadata

SIZES = [(64, 64), (65, 71), (1, 1), (7, 9), (17, 100), (33, 47)]
METADATA: dict[str, Any] = {"exif": b"II*\0" + bytes(99), "comment": b"at the lake"}
JPEGTRAN = {
    "-optimize": ["-optimize"],
    "-progressive": ["-progressive"],
    "-restart 1": ["-restart", "1"],
    "-restart 3B": ["-restart", "3B"],
    "-progressive -restart": ["-progressive", "-restart", "2B"],
}
RECODED = {
    "one scan": {},
    "one scan a component": {"script": recode.SEPARATE},
    "progressive": {"script": recode.PROGRESSIVE},
    "restarts": {"restart_interval": 2},
    "progressive, restarts": {"script": recode.PROGRESSIVE, "restart_interval": 3},
    "16-bit tables and codes": {"wide_tables": True, "code_length": 16},
    "other component ids": {"ids": (7, 0, 200)},
}
all_kinds = pytest.mark.parametrize("subsampling", [*SAMPLINGS, "gray"])


def cipher_files(subsampling: str) -> list[bytes]:
    files = []
    for (height, width), bank in zip(
        SIZES, itertools.cycle(("givens128", "signs256")), strict=False
    ):
        image = photo("coffee.png")[150 : 150 + height, 200 : 200 + width]
        kind: dict[str, Any] = {"subsampling": subsampling}
        if subsampling == "gray":
            image, kind = image[:, :, 1], {}
        for dc in ("permuted", "residual"):
            kind |= {"bank": bank, "dc": dc, "effort": "fast"}
            files.append(encrypt(image, KEY, nonce=NONCE, **kind, **METADATA))
    return files


def check_rewritten(data: bytes, other: bytes) -> None:
    """Another file, the same coefficients, verified, the same pixels and metadata."""
    assert other != data
    for a, b in zip(
        components(read_coefficients(data)), components(read_coefficients(other)), strict=True
    ):
        assert np.array_equal(a, b)
    before, after = open_encrypted(data, KEY), open_encrypted(other, KEY)
    assert np.array_equal(before.pixels, after.pixels)
    assert before.metadata == after.metadata == Metadata(**METADATA)


# --- without tools ------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", RECODED.values(), ids=RECODED)
@all_kinds
def test_recoded(subsampling, settings):
    for data in cipher_files(subsampling):
        other = recode.recode(data, read_picture(data), **settings)
        check_rewritten(data, other)
        check_valid(other)


@all_kinds
def test_padding_blocks_do_not_count(subsampling):
    """Each tool fills the blocks that only pad the picture as it likes; no one ever sees them."""
    for data in cipher_files(subsampling):
        picture = read_picture(data)
        blocks = [np.pad(b, ((0, 3), (0, 3), (0, 0), (0, 0)), "reflect") for b in picture.blocks]
        padded = Picture(**(vars(picture) | {"blocks": blocks}))
        if subsampling != "gray":  # a single component has no padding blocks
            check_rewritten(data, recode.recode(data, padded))


@pytest.mark.parametrize("flags", [[], ["+OPTIMIZE_CODING"]])
@pytest.mark.parametrize("version", ["6b", "9e", "turbo210", "mozjpeg403"])
def test_written_by_libjpeg(version, flags):
    """read_dct and write_dct of jpeglib, in several libjpegs; APP11 segments travel along."""
    jpeglib = pytest.importorskip("jpeglib")
    for subsampling in SAMPLINGS:
        for data in cipher_files(subsampling):
            with on_disk(data) as path, jpeglib.version(version):
                jpeg = jpeglib.read_dct(path)
                jpeg.load()
                jpeg.write_dct(path, flags=flags)
                with open(path, "rb") as file:
                    check_rewritten(data, file.read())


# --- jpegtran -----------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", JPEGTRAN.values(), ids=JPEGTRAN)
@all_kinds
def test_jpegtran(tool, subsampling, arguments):
    for data in cipher_files(subsampling):
        other = tool("jpegtran", "-copy", "all", *arguments, data=data)
        check_rewritten(data, other)


def test_there_and_back(tool):
    """Rewritten again and again."""
    (data, *_) = cipher_files("4:2:0")
    other = data
    for arguments in JPEGTRAN.values():
        other = tool("jpegtran", "-copy", "all", *arguments, data=other)
        check_rewritten(data, other)


def test_arithmetic_coding_is_refused_in_plain_words(tool):
    (data, *_) = cipher_files("4:2:0")
    other = tool("jpegtran", "-copy", "all", "-arithmetic", data=data)
    with pytest.raises(UnsupportedJpeg, match="sequential arithmetic coding"):
        open_encrypted(other, KEY)


def test_stripped_segments_are_missed(tool):
    (data, *_) = cipher_files("4:2:0")
    other = tool("jpegtran", "-copy", "none", "-optimize", data=data)
    with pytest.raises(NotEncrypted) as caught:
        open_encrypted(other, KEY)
    assert "-copy all" in caught.value.hint
    assert not [s for s in oracle.segments(other) if s.marker == 0xEB]
