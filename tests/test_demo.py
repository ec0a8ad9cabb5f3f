"""The demo does what it shows: files that open as noise, and come back with its key."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("skimage", reason="scikit-image is not installed; the dev extra has it")

from benchmarks import contact_sheet, demo
from benchmarks.photographs import photograph
from jpegcrypt import Key, decrypt


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a user's folder with what such folders hold."""
    folder = tmp_path / "photos"
    (folder / "lake").mkdir(parents=True)
    picture = Image.fromarray(photograph("chelsea"))
    exif = Image.Exif()
    exif[274] = 6
    picture.save(folder / "lake" / "phone.jpg", exif=exif)
    picture.convert("P").save(folder / "[red]palette.gif")
    picture.putalpha(100)
    picture.save(folder / "see-through.png")
    Image.new("L", (1, 40), 7).save(folder / "line.png")
    (folder / "broken.jpg").write_bytes((folder / "lake" / "phone.jpg").read_bytes()[:2000])
    (folder / "empty.png").touch()
    (folder / ".hidden.png").touch()
    return folder


def test_a_folder_of_the_user(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, stored = tmp_path / "out", tmp_path / "table.json"
    arguments = ["--only", "clock", "--photos", str(folder), "--out", str(out)]
    assert demo.main([*arguments, "--json", str(stored)]) == 0
    printed = capsys.readouterr().out
    rows = json.loads(stored.read_text())["photographs"]
    names = ["clock", "[red]palette.gif", "lake/phone.jpg", "line.png", "see-through.png"]
    assert [row["name"] for row in rows] == names
    assert [row["was_jpeg"] for row in rows] == [False, False, True, False, False]
    assert all(name in printed for name in names)
    assert "left out broken.jpg: a broken JPEG file" in printed
    assert "left out empty.png: found an empty file" in printed
    assert ".hidden" not in printed

    key = Key.load(out / "demo.key")
    ciphers, decrypted = sorted(out.glob("*.cipher.jpg")), sorted(out.glob("*.decrypted.png"))
    assert len(ciphers) == len(decrypted) == len(rows)
    sizes = sorted((row["width"], row["height"], row["cipher_bytes"]) for row in rows)
    found = []
    for cipher, png in zip(ciphers, decrypted, strict=True):
        with Image.open(cipher) as image, Image.open(png) as back:
            assert image.format == "JPEG"
            found.append((*image.size, cipher.stat().st_size))
            np.testing.assert_array_equal(np.asarray(back), decrypt(cipher.read_bytes(), key))
    assert sorted(found) == sizes
    phone = next(row for row in rows if row["name"] == "lake/phone.jpg")
    assert (phone["width"], phone["height"]) == (300, 451)  # upright
    with Image.open(out / "contact_sheet.png") as sheet:
        assert sheet.width == 3 * contact_sheet.CELL + 4 * contact_sheet.GAP


def test_the_decrypted_picture_is_as_good_as_a_plain_jpeg(tmp_path: Path) -> None:
    stored, free = tmp_path / "table.json", tmp_path / "free.jpg"
    arguments = ["--only", "chelsea,camera", "--quality", "90", "--out", str(tmp_path / "out")]
    assert demo.main([*arguments, "--json", str(stored), "--free-sheet", str(free)]) == 0
    for row in json.loads(stored.read_text())["photographs"]:
        assert -0.1 < row["decrypted_psnr"] - row["plain_psnr"] < 0.5
        assert 0.9 < row["cipher_bytes"] / row["plain_bytes"] < 1.25
    with Image.open(free) as sheet:
        assert (sheet.format, sheet.mode) == ("JPEG", "RGB")
    with pytest.raises(SystemExit, match="2"):
        demo.main(["--only", "clock", "--free-sheet", str(free)])


def test_the_sheet_shows_noise_in_the_middle(tmp_path: Path) -> None:
    key = demo.demo_key(tmp_path / "demo.key")
    shown = demo.show(("camera", None), tmp_path, 1, key, 75)
    original, seen, decrypted = (np.asarray(p, np.float64).ravel() for p in shown.pictures)
    assert np.corrcoef(original, decrypted)[0, 1] > 0.99
    assert abs(np.corrcoef(original, seen)[0, 1]) < 0.1


def test_a_picture_that_exif_turns_stands_upright_in_all_three(tmp_path: Path) -> None:
    path = tmp_path / "phone.png"
    exif = Image.Exif()
    exif[274] = 6
    Image.new("RGB", (40, 20)).save(path, exif=exif)
    key = demo.demo_key(tmp_path / "demo.key")
    shown = demo.show(("phone.png", path), tmp_path, 1, key, 75)
    assert [picture.size for picture in shown.pictures] == [(20, 40)] * 3
    assert demo.strip(shown).captions[0] == ("phone.png", "20 x 40 pixels")


def test_what_has_been_a_jpeg_is_marked(capsys: pytest.CaptureFixture[str]) -> None:
    assert [demo.load(name, None)[1] for name in ("camera", "retina", "rocket")] == [
        False, True, True,
    ]  # fmt: skip
    row = demo.Row("a", 8, 8, False, 100, 90, 110, 40.0, None, 1, 1)
    jpeg = demo.Row("b", 8, 8, True, 100, 90, 190, 40.0, 40.1, 1, 1)
    assert demo.starred(jpeg) == "b*"
    assert len(demo.sizes([row])) == len(demo.sizes([jpeg])) == 1
    both, fresh = demo.sizes([row, jpeg])
    assert "+50.0%" in both
    assert "+10.0%" in fresh


def test_the_files_of_an_earlier_run_go_and_nothing_else(tmp_path: Path) -> None:
    out = ["--out", str(tmp_path)]
    own = tmp_path / "01-own.cipher.jpg"
    own.touch()
    assert demo.main(["--only", "clock,camera", *out]) == 0
    key = (tmp_path / "demo.key").read_bytes()
    assert (tmp_path / "02-clock.cipher.jpg").exists()
    assert demo.main(["--only", "clock", *out]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {
        own.name, demo.WRITTEN, "demo.key", "01-clock.cipher.jpg", "01-clock.decrypted.png",
        "contact_sheet.png",
    }  # fmt: skip
    assert (tmp_path / "demo.key").read_bytes() == key


def test_a_list_of_files_reaches_no_other_folder(tmp_path: Path) -> None:
    out, outside = tmp_path / "out", tmp_path / "photo.jpg"
    out.mkdir()
    outside.touch()
    (out / demo.WRITTEN).write_text('"../photo.jpg"\n')
    demo.forget(out)
    assert outside.exists()


def test_a_tilde_that_no_shell_has_seen(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    stored = tmp_path / "table.json"
    arguments = ["--only", "clock", "--photos", f"~/{folder.name}", "--out", "~/out"]
    assert demo.main([*arguments, "--json", "~/table.json"]) == 0
    assert len(json.loads(stored.read_text())["photographs"]) == 5


def test_the_key_is_kept_for_the_next_run(tmp_path: Path) -> None:
    path = tmp_path / "demo.key"
    assert demo.demo_key(path) == demo.demo_key(path)


def test_nothing_to_show(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    empty = tmp_path / "photos"
    empty.mkdir()
    out = ["--out", str(tmp_path / "out")]
    with pytest.raises(SystemExit, match="2"):
        demo.main(["--photos", str(tmp_path / "missing"), *out])
    with pytest.raises(SystemExit, match="2"):
        demo.main(["--only", "holiday", *out])
    assert demo.main(["--only", "", "--photos", str(empty), *out]) == 1
    assert "no photograph to show" in capsys.readouterr().out
