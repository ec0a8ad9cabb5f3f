"""Files to files: real pictures, metadata that comes back, sources and outputs that stay whole."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import skimage
from PIL import ExifTags, Image

import jpegcrypt
from checks import KEY, NONCE, PHOTOS
from jpegcrypt import (
    FixedKeyWarning,
    ImageTooLarge,
    JpegcryptError,
    Key,
    MalformedJpeg,
    NotEncrypted,
    TamperedFile,
    UnreadableImage,
    WrongKey,
    decrypt,
    decrypt_file,
    encrypt_file,
    inspect,
)

DATA = Path(skimage.__file__).parent / "data"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def cat(folder):
    """A photograph in the current folder, with a place in its EXIF."""
    with Image.open(DATA / "chelsea.png") as image:
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = 6
        exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] = "N"
        image.save("cat.jpg", quality=95, exif=exif, comment=b"at the lake", dpi=(300, 300))
    return Path("cat.jpg")


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image).astype(int)


def psnr(a, b):
    return 10 * np.log10(255**2 / np.mean((a - b) ** 2))


# --- there and back -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PHOTOS)
def test_photographs(folder, name):
    encrypt_file(DATA / name, "noise.jpg", KEY, quality=90)
    decrypt_file("noise.jpg", "again.png", KEY)
    assert np.array_equal(pixels("again.png"), decrypt(Path("noise.jpg").read_bytes(), KEY))
    assert psnr(pixels("again.png"), pixels(DATA / name)) > 30
    assert psnr(pixels("noise.jpg"), pixels(DATA / name)) < 20


@pytest.mark.parametrize("name", ["camera.png", "coins.png", "text.png", "multipage.tif"])
def test_gray_stays_gray(folder, name):
    encrypt_file(DATA / name, "noise.jpg", KEY, quality=95)
    decrypt_file("noise.jpg", "again.png", KEY)
    with Image.open("noise.jpg") as noise, Image.open("again.png") as again:
        assert noise.mode == again.mode == "L"
    assert psnr(pixels("again.png"), pixels(DATA / name)) > 35


def test_the_name_does_not_tell_the_type(folder):
    shutil.copy(DATA / "coffee.png", "coffee.jpg")
    encrypt_file("coffee.jpg", "noise.bin", KEY, quality=95)
    decrypt_file("noise.bin", "again.png", KEY)
    assert psnr(pixels("again.png"), pixels(DATA / "coffee.png")) > 35


@pytest.mark.parametrize("suffix", ["jpg", "JPEG", "tif", "tiff", "webp", "bmp", "ppm"])
def test_the_extension_says_the_format_to_decrypt_to(cat, suffix):
    encrypt_file(cat, "noise.jpg", KEY, metadata="strip")
    decrypt_file("noise.jpg", "again.png", KEY)
    decrypt_file("noise.jpg", f"again.{suffix}", KEY, quality=100)
    difference = np.abs(pixels("again.png") - pixels(f"again.{suffix}"))
    assert difference.mean() < 1
    assert difference.max() == 0 or suffix.lower() in ("jpg", "jpeg")


@pytest.mark.parametrize("kind", [str, Path, os.fspath])
def test_paths_of_any_kind(cat, kind):
    encrypt_file(kind(cat), kind("noise.jpg"), KEY)
    decrypt_file(kind("noise.jpg"), kind("again.png"), KEY)
    assert Path("again.png").exists()


def test_settings_reach_the_encoder(cat):
    encrypt_file(
        cat, "noise.jpg", KEY, nonce=NONCE, quality=30, subsampling="4:4:4", bank="signs256",
        effort="fast", restart_interval=7,
    )  # fmt: skip
    info = inspect(Path("noise.jpg").read_bytes())
    assert (info.nonce, info.bank, info.sampling[0]) == (NONCE, "signs256", (1, 1))
    with Image.open("noise.jpg") as image:
        assert image.quantization[0][0] == 27  # T.81 Table K.1 at quality 30: 16 * 5 / 3
    assert b"\xff\xdd\0\4\0\7" in Path("noise.jpg").read_bytes()
    encrypt_file(cat, "2.jpg", KEY, key_mode="content", qtables=[[9] * 64])
    encrypt_file(cat, "3.jpg", KEY, key_mode="content", qtables=[[9] * 64])
    assert Path("2.jpg").read_bytes() == Path("3.jpg").read_bytes()
    with pytest.warns(FixedKeyWarning):
        encrypt_file(cat, "4.jpg", KEY, key_mode="fixed")


def test_transparency(folder):
    with pytest.raises(UnreadableImage, match="transparent"):
        encrypt_file(DATA / "horse.png", "noise.jpg", KEY)
    assert os.listdir() == []
    encrypt_file(DATA / "horse.png", "noise.jpg", KEY, background="white")
    decrypt_file("noise.jpg", "again.png", KEY)
    assert (pixels("again.png")[0, 0] > 250).all()


# --- metadata -------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_metadata_comes_back(cat, suffix):
    encrypt_file(cat, "noise.jpg", KEY)
    decrypt_file("noise.jpg", f"again.{suffix}", KEY)
    with Image.open(cat) as source, Image.open(f"again.{suffix}") as again:
        again.load()
        assert again.info["exif"].removeprefix(b"Exif\0\0") == source.info["exif"][6:]
        assert again.getexif()[ExifTags.Base.Orientation] == 6
        assert again.size == source.size
        assert again.info["dpi"] == pytest.approx((300, 300), abs=0.01)
        assert "at the lake" in str(again.info)


def test_metadata_is_sealed(cat):
    encrypt_file(cat, "noise.jpg", KEY)
    assert inspect(Path("noise.jpg").read_bytes()).sealed_metadata > 100
    with Image.open("noise.jpg") as noise:
        assert noise.info.keys() <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
        assert not noise.getexif()
    for secret in (b"at the lake", b"Exif"):
        assert secret not in Path("noise.jpg").read_bytes()


def test_metadata_is_stripped(cat):
    encrypt_file(cat, "noise.jpg", KEY, metadata="strip")
    assert inspect(Path("noise.jpg").read_bytes()).sealed_metadata == 0
    decrypt_file("noise.jpg", "again.png", KEY)
    with Image.open("again.png") as again, Image.open(cat) as source:
        assert not again.getexif()
        assert again.info == {}
        assert again.size == source.size[::-1]
    upright = np.rot90(pixels(cat), -1)  # orientation 6: 90 degrees clockwise to see it
    assert psnr(pixels("again.png"), upright) > 30


def test_lost_metadata_is_told_to_the_caller(cat):
    encrypt_file(cat, "noise.jpg", KEY)
    with pytest.warns(UserWarning, match="BMP does not carry this exif, comment") as caught:
        decrypt_file("noise.jpg", "again.bmp", KEY)
    assert caught[0].filename == __file__


# --- what must not happen -------------------------------------------------------------------------


@pytest.mark.parametrize("function", [encrypt_file, decrypt_file])
@pytest.mark.parametrize("link", ["itself", "./cat.png", "symbolic.png", "hard.png"])
def test_the_source_is_never_the_target(folder, function, link):
    shutil.copy(DATA / "chelsea.png", "cat.png")
    Path("symbolic.png").symlink_to("cat.png")
    Path("hard.png").hardlink_to("cat.png")
    before = Path("cat.png").read_bytes()
    with pytest.raises(ValueError, match="are the same file"):
        function("cat.png", "cat.png" if link == "itself" else link, KEY, overwrite=True)
    assert Path("cat.png").read_bytes() == before


def test_existing_files_stay(cat):
    Path("old.png").write_bytes(b"old")
    with pytest.raises(FileExistsError):
        encrypt_file(cat, "old.png", KEY)
    encrypt_file(cat, "noise.jpg", KEY)
    with pytest.raises(FileExistsError):
        decrypt_file("noise.jpg", "old.png", KEY)
    assert Path("old.png").read_bytes() == b"old"
    decrypt_file("noise.jpg", "old.png", KEY, overwrite=True)
    assert Path("old.png").read_bytes() != b"old"
    assert sorted(os.listdir()) == ["cat.jpg", "noise.jpg", "old.png"]


def noise(*, flip=False, cut=None):
    """An encrypted file, whole or damaged."""
    data = bytearray(jpegcrypt.encrypt(np.full((64, 64), 90, np.uint8), KEY, nonce=NONCE))
    if flip:
        data[data.index(b"\xff\xdb") + 5] ^= 1  # the first quantization step, T.81 B.2.4.1
    return bytes(data[:cut])


FAILURES = {
    "wrong key": (noise(), WrongKey, f"the key given is {Key(bytes(32)).id.hex()}"),
    "tampered": (noise(flip=True), TamperedFile, "changed after encryption"),
    "cut": (noise(cut=-40), MalformedJpeg, r"at byte \d+"),
    "plain": (jpegcrypt.encode(np.zeros((8, 8), np.uint8)), NotEncrypted, "an ordinary JPEG"),
    "PNG": ((DATA / "text.png").read_bytes(), MalformedJpeg, "found a PNG file, expected a JPEG"),
    "empty": (b"", MalformedJpeg, "found an empty file"),
    "missing": (None, FileNotFoundError, "No such file"),
}


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize(("data", "error", "text"), FAILURES.values(), ids=FAILURES)
def test_what_fails_to_decrypt_leaves_no_trace(folder, data, error, text, overwrite):
    if data is not None:
        Path("noise.jpg").write_bytes(data)
    if overwrite:
        Path("again.png").write_bytes(b"old")
    key = Key(bytes(32)) if error is WrongKey else KEY
    with pytest.raises(error, match=text) as caught:
        decrypt_file("noise.jpg", "again.png", key, overwrite=overwrite)
    if isinstance(caught.value, JpegcryptError):
        assert "file: noise.jpg" in caught.value.__notes__
    left = [path.read_bytes() for path in folder.iterdir() if path.name != "noise.jpg"]
    assert left == [b"old"] * overwrite


@pytest.mark.parametrize(
    ("data", "error", "text"),
    [
        (b"", UnreadableImage, "found an empty file"),
        (b"hello", UnreadableImage, "expected an image"),
        ((DATA / "chelsea.png").read_bytes()[:9000], UnreadableImage, "a broken PNG file"),
        (noise(), JpegcryptError, "encrypted already"),
        (None, FileNotFoundError, "No such file"),
    ],
)
def test_what_fails_to_encrypt_leaves_no_trace(folder, data, error, text):
    if data is not None:
        Path("photo.png").write_bytes(data)
    Path("old.jpg").write_bytes(b"old")
    with pytest.raises(error, match=text):
        encrypt_file("photo.png", "noise.jpg", KEY)
    with pytest.raises(error, match=text):
        encrypt_file("photo.png", "old.jpg", KEY, overwrite=True)
    assert Path("old.jpg").read_bytes() == b"old"
    assert set(os.listdir()) - {"photo.png"} == {"old.jpg"}


def test_folders_and_missing_folders(cat):
    Path("folder").mkdir()
    with pytest.raises(IsADirectoryError):
        encrypt_file("folder", "noise.jpg", KEY)
    with pytest.raises(IsADirectoryError):
        encrypt_file(cat, "folder", KEY)
    with pytest.raises(FileNotFoundError, match="no such folder: 'nowhere'"):
        encrypt_file("no matter", "nowhere/noise.jpg", KEY)


def test_no_permission(cat):
    cat.chmod(0)
    if os.access(cat, os.R_OK):
        pytest.skip("this user may do it all")
    with pytest.raises(PermissionError):
        encrypt_file(cat, "noise.jpg", KEY)
    Path("locked").mkdir(0o500)
    with pytest.raises(PermissionError) as caught:
        encrypt_file(DATA / "text.png", "locked/noise.jpg", KEY)
    assert caught.value.filename == "locked/noise.jpg"


def test_a_full_disk(cat, monkeypatch):
    def fsync(_):
        raise OSError(28, "No space left on device")

    Path("old.jpg").write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", fsync)
    for name in ("noise.jpg", "old.jpg"):
        with pytest.raises(OSError, match="No space left") as caught:
            encrypt_file(cat, name, KEY, overwrite=True)
        assert caught.value.filename.endswith(name)
    assert Path("old.jpg").read_bytes() == b"old"
    assert sorted(os.listdir()) == ["cat.jpg", "old.jpg"]


def test_unverified_on_demand_alone(folder):
    Path("noise.jpg").write_bytes(noise(flip=True))
    with pytest.raises(TamperedFile):
        decrypt_file("noise.jpg", "again.png", KEY)
    decrypt_file("noise.jpg", "again.png", KEY, verify=False)
    assert pixels("again.png").shape == (64, 64)


def test_max_pixels(folder):
    Path("noise.jpg").write_bytes(noise())
    with pytest.raises(ImageTooLarge, match="64x64"):
        decrypt_file("noise.jpg", "again.png", KEY, max_pixels=64 * 64 - 1)


@pytest.mark.parametrize(
    ("keywords", "error"),
    [
        ({"metadata": "keep"}, ValueError),
        ({"quality": 101}, ValueError),
        ({"exif": b"II"}, TypeError),
        ({"qualty": 90}, TypeError),
    ],
)
def test_bad_arguments(cat, keywords, error):
    with pytest.raises(error):
        encrypt_file(cat, "noise.jpg", KEY, **keywords)
    assert os.listdir() == ["cat.jpg"]


def test_a_name_without_a_format_is_refused_before_the_work(folder):
    with pytest.raises(ValueError, match=r"no format goes with \.gif"):
        decrypt_file("missing.jpg", "again.gif", KEY)
