"""Every test of the command has a folder to itself."""

import shutil
from pathlib import Path

import pytest
import skimage

from transcripts import jpegcrypt

DATA = Path(skimage.__file__).parent / "data"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """The current folder, with a key file and a photograph."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("JPEGCRYPT_PASSPHRASE", raising=False)
    jpegcrypt("keygen album.key")
    shutil.copy(DATA / "coffee.png", "coffee.png")
    return tmp_path
