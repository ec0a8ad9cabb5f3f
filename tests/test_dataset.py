"""Data sets of cipher files: the tree, the settings, going on where it stopped."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import jpegcrypt.retrieval
from checks import KEY
from jpegcrypt import FixedKeyWarning, Key, decrypt, inspect
from jpegcrypt.dataset import RECORD, encrypt_dataset
from jpegcrypt.schemes import feng2021


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for name, shape in {"a/1.png": (32, 48), "a/2.jpg": (48, 32), "b/sub/1.bmp": (48, 32)}.items():
        path = tmp_path / "plain" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        colors = rng.integers(0, 256, (shape[0] // 16, shape[1] // 16, 3), dtype=np.uint8)
        Image.fromarray(colors.repeat(16, axis=0).repeat(16, axis=1)).save(path)
    (tmp_path / "plain" / "notes.txt").write_text("no picture")
    (tmp_path / "plain" / "b" / "broken.jpg").write_bytes(b"\xff\xd8 no more")
    return tmp_path / "plain"


def files(root: Path) -> list[str]:
    return sorted(p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file())


def test_the_tree_is_mirrored(plain: Path, tmp_path: Path) -> None:
    cipher, steps = tmp_path / "cipher", []
    report = jpegcrypt.retrieval.encrypt_dataset(
        plain, cipher, KEY, quality=90, bank="signs256", progress=lambda *done: steps.append(done)
    )
    assert files(cipher) == [RECORD, "a/1.jpg", "a/2.jpg", "b/sub/1.jpg"]
    assert (report.written, report.there_already) == (3, 0)
    assert [path.name for path, _ in report.failed] == ["broken.jpg"]
    assert steps == [(1, 4), (2, 4), (3, 4), (4, 4)]
    data = (cipher / "a/1.jpg").read_bytes()
    assert (inspect(data).bank, inspect(data).width) == ("signs256", 48)
    with Image.open(plain / "a/1.png") as image:
        error = np.abs(decrypt(data, KEY).astype(int) - np.asarray(image.convert("RGB")))
    assert error.mean() < 5


@pytest.mark.parametrize(("quality", "suffix"), [(None, ".png"), (95, ".jpg")])
def test_feng2021_at_the_size_of_the_paper(plain: Path, tmp_path: Path, quality, suffix) -> None:
    cipher = tmp_path / "cipher"
    with pytest.warns(FixedKeyWarning) as warned:
        encrypt_dataset(
            plain, cipher, KEY, scheme="feng2021", size=(192, 128), block=16, quality=quality
        )
    assert len(warned) == 1
    lying, standing = (cipher / f"a/{i}{suffix}" for i in (1, 2))
    assert feng2021.read(lying.read_bytes())[0].shape == (128, 192, 3)
    assert feng2021.decrypt(standing.read_bytes(), KEY).shape == (192, 128, 3)


def test_it_goes_on_where_it_stopped(plain: Path, tmp_path: Path) -> None:
    cipher = tmp_path / "cipher"
    encrypt_dataset(plain, cipher, KEY)
    (cipher / "a/1.jpg").unlink()
    (cipher / "a/2.jpg").write_bytes(b"")  # as a power cut may leave it
    kept = (cipher / "b/sub/1.jpg").read_bytes()
    report = encrypt_dataset(plain, cipher, KEY)
    assert (report.written, report.there_already, len(report.failed)) == (2, 1, 1)
    assert (cipher / "b/sub/1.jpg").read_bytes() == kept
    assert decrypt((cipher / "a/2.jpg").read_bytes(), KEY).shape == (48, 32, 3)


def test_odd_entries_do_not_stop_the_others(plain: Path, tmp_path: Path) -> None:
    (plain / "a/album.jpg").mkdir()
    (plain / "a/album.jpg/3.png").symlink_to("../1.png")
    (plain / "a/0.png").symlink_to("nowhere.png")
    (plain / "a/loop.png").symlink_to("loop.png")
    if hasattr(os, "mkfifo"):
        os.mkfifo(plain / "a/pipe.jpg")
    report = encrypt_dataset(plain, tmp_path / "cipher", KEY)
    assert report.written == 4
    failed = {path.name: text for path, text in report.failed}
    assert failed.keys() == {"0.png", "loop.png", "broken.jpg"}
    assert failed["0.png"] == "cannot be read: No such file or directory"


def test_links_to_folders_are_followed_out_of_the_tree_alone(plain: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(plain / "b", elsewhere / "c")
    (plain / "c").symlink_to(elsewhere / "c")
    (plain / "d").symlink_to(elsewhere / "c")  # a second way there
    (plain / "b/up").symlink_to("..")
    (plain / "b/above").symlink_to(tmp_path)
    (plain / "b/beside").symlink_to("../a")
    (elsewhere / "c/round").symlink_to(plain)
    report = encrypt_dataset(plain, tmp_path / "cipher", KEY)
    assert report.written == 4
    assert files(tmp_path / "cipher")[1:] == ["a/1.jpg", "a/2.jpg", "b/sub/1.jpg", "c/sub/1.jpg"]


def test_many_links_take_no_longer(plain: Path, tmp_path: Path) -> None:
    for i in range(12):
        for j in range(12):
            (plain / f"{i}").mkdir(exist_ok=True)
            (plain / f"{i}/{j}").symlink_to(f"../{j}")
    assert encrypt_dataset(plain, tmp_path / "cipher", KEY).written == 3


def test_a_folder_that_cannot_be_read_stops_it(plain: Path, tmp_path: Path, monkeypatch) -> None:
    scan = os.scandir

    def refused(path):
        if Path(path).name == "b":
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refused)
    with pytest.raises(PermissionError):
        encrypt_dataset(plain, tmp_path / "cipher", KEY)


def test_a_folder_that_cannot_be_written_stops_it(plain: Path, tmp_path: Path, monkeypatch) -> None:
    synced = []
    monkeypatch.setattr(os, "sync", lambda: synced.append("all"))
    (tmp_path / "cipher" / "b").mkdir(parents=True)
    (tmp_path / "cipher" / "b" / "sub").touch()
    with pytest.raises(FileExistsError):
        encrypt_dataset(plain, tmp_path / "cipher", KEY)
    assert files(tmp_path / "cipher") == [RECORD, "a/1.jpg", "a/2.jpg", "b/sub"]
    assert synced == ["all"]


@pytest.mark.parametrize(
    ("key", "change", "text"),
    [
        (Key(bytes(32)), {}, "made with key id"),
        (KEY, {"quality": 50}, "made with quality None, now it is 50"),
        (KEY, {"scheme": "feng2021", "key_mode": "nonce"}, "made with key_mode None"),
    ],
)
def test_a_data_set_is_of_one_kind(plain: Path, tmp_path: Path, key: Key, change, text) -> None:
    encrypt_dataset(plain, tmp_path / "cipher", KEY)
    before = files(tmp_path / "cipher")
    with pytest.raises(ValueError, match=text):
        encrypt_dataset(plain, tmp_path / "cipher", key, **change)
    assert files(tmp_path / "cipher") == before


def test_the_record_holds_no_secret(plain: Path, tmp_path: Path) -> None:
    encrypt_dataset(plain, tmp_path / "cipher", KEY)
    record = json.loads((tmp_path / "cipher" / RECORD).read_text())
    assert record == {"scheme": "lu2022", "key id": KEY.id.hex(), "size": None}


def test_what_does_not_fit(plain: Path, tmp_path: Path) -> None:
    cipher = tmp_path / "cipher"
    with pytest.raises(ValueError, match="lies in"):
        encrypt_dataset(plain, plain / "a" / "cipher", KEY)
    with pytest.raises(ValueError, match="unknown scheme 'aes'"):
        encrypt_dataset(plain, cipher, KEY, scheme="aes")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="colour"):
        encrypt_dataset(plain, cipher, KEY, colour=1)
    for sealed in ({"comment": b"at the lake"}, {"exif": b"II*\0"}, {"text": [("Author", "me")]}):
        with pytest.raises(TypeError, match="unexpected keyword"):  # would be written down in clear
            encrypt_dataset(plain, cipher, KEY, **sealed)
    with pytest.raises(TypeError, match="a nonce serves one picture"):
        encrypt_dataset(plain, cipher, KEY, nonce=bytes(16))
    with pytest.raises(NotADirectoryError, match="expected a folder"):
        encrypt_dataset(tmp_path / "missing", cipher, KEY)
    (cipher / "a").mkdir(parents=True)
    (cipher / "a/2.jpg").write_bytes((plain / "a/2.jpg").read_bytes())
    with pytest.raises(ValueError, match=r"2\.jpg is there, and no record of what made it"):
        encrypt_dataset(plain, cipher, KEY)
    shutil.rmtree(cipher)
    (plain / "a/1.bmp").touch()
    with pytest.raises(ValueError, match="rename one"):
        encrypt_dataset(plain, cipher, KEY)
    assert not cipher.exists()
