"""What README.md shows runs, what it measures is current, what it links is there."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jpegcrypt import inspect

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.M | re.S)


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a working folder with the photographs that the README speaks of."""
    monkeypatch.chdir(tmp_path)
    y, x = np.mgrid[0:60, 0:90]
    picture = np.stack([x * 2, y * 3, x + y], axis=2).astype(np.uint8)
    exif = Image.Exif()
    exif[0x010E] = "at the lake"
    Image.fromarray(picture).save("holiday.jpg", quality=95, exif=exif)
    (tmp_path / "photos" / "lake").mkdir(parents=True)
    Image.fromarray(picture).save("photos/lake/one.png")
    Image.fromarray(picture[:, :, 0]).save("photos/two.jpg")
    return tmp_path


def test_the_python_blocks_run(photos: Path) -> None:
    names: dict[str, object] = {}
    for block in blocks("python"):
        exec(compile(block, "README.md", "exec"), names)
    with open("noise2.jpg", "rb") as file, open("noise3.jpg", "rb") as other:
        assert inspect(file.read()).sealed_metadata > 0
        assert inspect(other.read()).sealed_metadata == 0
    with Image.open("again.png") as again, Image.open("holiday.jpg") as holiday:
        assert again.size == holiday.size
        assert again.getexif()[0x010E] == "at the lake"
        difference = np.asarray(again, np.float64) - np.asarray(holiday)
        assert abs(difference).mean() < 3
        noise = names["what_everyone_sees"]
        assert isinstance(noise, np.ndarray)
        assert np.abs(noise.astype(float) - np.asarray(holiday)).mean() > 30


def test_the_commands_run(photos: Path) -> None:
    (commands,) = [block for block in blocks("sh") if block.startswith("jpegcrypt ")]
    environment = os.environ | {"JPEGCRYPT_PASSPHRASE": "correct horse battery staple"}
    for line in commands.splitlines():
        words = shlex.split(line, comments=True)
        assert words[0] == "jpegcrypt"
        done = subprocess.run(
            [sys.executable, "-m", *words], env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{line}\n{done.stderr}"
    for decrypted, original in [
        ("photos-again/lake/one.png", "photos/lake/one.png"),
        ("two.png", "holiday.jpg"),
    ]:
        with Image.open(decrypted) as again, Image.open(original) as before:
            assert again.size == before.size


def test_make_has_the_targets() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for target in re.findall(r"`?\bmake ([a-z-]+)", README):
        assert re.search(rf"^{target}:", makefile, re.M), target


def test_the_figures_are_current() -> None:
    from benchmarks import readme_figures

    assert readme_figures.with_figures(README) == README, "run: python benchmarks/readme_figures.py"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", document.read_text("utf-8")):
        if not target.startswith("https://"):
            assert (document.parent / target).exists(), target


def test_the_picture_is_small() -> None:
    path = ROOT / "docs" / "contact_sheet.jpg"
    assert path.stat().st_size < 400_000
    with Image.open(path) as sheet:
        assert sheet.format == "JPEG"
        assert sheet.width > 600


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_modules_that_documents_name_exist(document: Path) -> None:
    text = document.read_text("utf-8")
    for name in set(re.findall(r"`((?:tests|benchmarks|native|codec|cipher|docs)/[\w./]+)`", text)):
        folders = (ROOT, ROOT / "src" / "jpegcrypt")
        assert any((folder / name).exists() for folder in folders), name
    for name in set(re.findall(r"\b(\w+\.(?:py|pyx|c))\b", text)):
        found = [*(ROOT / "src").rglob(name), *(ROOT / "retrieval").rglob(name)]
        assert found or [*(ROOT / "tests").rglob(name), *(ROOT / "benchmarks").glob(name)], name
