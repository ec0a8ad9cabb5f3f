"""Golden files: those of every released version open, and this version writes its own again."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from make_vectors import (
    DESCRIPTIONS,
    VECTORS,
    encrypt_described,
    folder_of_this_version,
    key_of,
    metadata_of,
)

from checks import DECODERS
from format_reader import decrypt as independent_decrypt
from format_reader import key_from_passphrase
from jpegcrypt import Key, Metadata, WrongKey, decode, decrypt, inspect, open_encrypted


def load(folder: Path) -> list[dict[str, Any]]:
    vectors: list[dict[str, Any]] = json.loads((folder / "vectors.json").read_text("utf-8"))[
        "vectors"
    ]
    return vectors


FOLDERS = sorted(VECTORS.iterdir())
CASES = [(folder, vector) for folder in FOLDERS for vector in load(folder)]
CURRENT = [vector for folder, vector in CASES if folder == folder_of_this_version()]

every_file = pytest.mark.parametrize(
    ("folder", "vector"), CASES, ids=[f"{folder.name}/{vector['name']}" for folder, vector in CASES]
)


def sha256(data: bytes | np.ndarray) -> str:
    return hashlib.sha256(data if isinstance(data, bytes) else data.tobytes()).hexdigest()


def read(folder: Path, vector: dict[str, Any]) -> bytes:
    return (folder / f"{vector['name']}.jpg").read_bytes()


@every_file
def test_opens(folder, vector):
    data = read(folder, vector)
    assert sha256(data) == vector["file"]
    opened = open_encrypted(data, key_of(vector))
    assert sha256(opened.pixels) == vector["decrypted"]
    assert opened.pixels.shape[:2] == (vector["height"], vector["width"])
    assert opened.metadata == Metadata(**metadata_of(vector))
    with pytest.raises(WrongKey):
        decrypt(data, Key.generate())


@every_file
def test_is_what_it_says(folder, vector):
    info, settings = inspect(read(folder, vector)), vector["settings"]
    assert info.key_mode == settings.get("key_mode", "nonce")
    assert info.bank == settings.get("bank", "givens128")
    assert (info.width, info.height) == (vector["width"], vector["height"])
    assert info.key_id == key_of(vector).id
    assert info.salt == (bytes.fromhex(vector["salt"]) if "salt" in vector else None)
    if "nonce" in settings:
        assert info.nonce.hex() == settings["nonce"]


@every_file
def test_shows_the_same_to_everyone(folder, vector):
    data = read(folder, vector)
    assert sha256(decode(data)) == vector["shown"]
    for name in ("Pillow", "simplejpeg", "imagecodecs"):
        assert sha256(DECODERS[name](data)) == vector["shown"]


@every_file
def test_opens_with_another_implementation(folder, vector):
    """The one in format_reader.py, written from docs/format.md."""
    if "key" in vector:
        secret = bytes.fromhex(vector["key"])
    else:
        secret = key_from_passphrase(vector["passphrase"], bytes.fromhex(vector["salt"]))
    pixels, metadata = independent_decrypt(read(folder, vector), secret)
    assert sha256(pixels) == vector["decrypted"]
    assert metadata == metadata_of(vector)


@pytest.mark.parametrize("vector", CURRENT, ids=[vector["name"] for vector in CURRENT])
def test_is_written_again(vector):
    """A change of the encoder shows here. If it is wanted, and this version is not released yet,
    `make vectors` writes the files anew."""
    data = encrypt_described(vector)
    assert sha256(data) == vector["file"]
    assert data == read(folder_of_this_version(), vector)


def test_the_folders_hold_what_they_list():
    for folder in FOLDERS:
        listed = {f"{vector['name']}.jpg" for vector in load(folder)} | {"vectors.json"}
        assert {path.name for path in folder.iterdir()} == listed
        assert sum(path.stat().st_size for path in folder.iterdir()) < 100_000


def test_the_list_is_current():
    digests = {"file", "decrypted", "shown"}
    assert [
        {name: value for name, value in vector.items() if name not in digests} for vector in CURRENT
    ] == DESCRIPTIONS
