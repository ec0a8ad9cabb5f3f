"""Files to files: real pictures, metadata that comes back, sources and outputs that stay whole."""

import io
import os
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
import skimage
from PIL import ExifTags, Image, PngImagePlugin

import jpegcrypt
from checks import KEY, NONCE, PHOTOS, pillow_pixels
from jpegcrypt import (
    FixedKeyWarning,
    FormerJpegWarning,
    ImageTooLarge,
    JpegcryptError,
    Key,
    MalformedJpeg,
    MetadataWarning,
    NotEncrypted,
    TamperedFile,
    UnreadableImage,
    WrongKey,
    decrypt,
    decrypt_file,
    encrypt_file,
    inspect,
)
from jpegcrypt.codec.markers import APP1, XMP, segment
from jpegcrypt.former_jpeg import luma_steps

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


@pytest.mark.filterwarnings("ignore:.*PNG does not carry this APP12")  # of an old Photoshop
@pytest.mark.parametrize("name", PHOTOS)
def test_photographs(folder, name):
    encrypt_file(DATA / name, "noise.jpg", KEY, quality=90)
    decrypt_file("noise.jpg", "again.png", KEY)
    assert np.array_equal(pixels("again.png"), decrypt(Path("noise.jpg").read_bytes(), KEY))
    assert psnr(pixels("again.png"), pixels(DATA / name)) > 30
    assert psnr(pixels("noise.jpg"), pixels(DATA / name)) < 20


@pytest.mark.filterwarnings("ignore:.*the TIFF file holds further frames")
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


@pytest.mark.parametrize(
    ("old", "settings", "shows"),
    [
        (75, {"quality": 90}, True),
        (90, {"quality": 95}, True),
        (90, {"quality": 92}, False),
        (75, {}, False),
        (95, {}, False),
        (50, {}, True),
        (75, {"quality": 90, "bank": "signs256"}, False),
        (75, {"qtables": [[1] * 64]}, True),
    ],
)
def test_a_former_jpeg_of_lower_quality_is_warned_of(cat, old, settings, shows):
    with Image.open(cat) as image:
        image.save("former.jpg", quality=old, progressive=True)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        encrypt_file("former.jpg", "noise.jpg", KEY, **settings)
    assert [one.category for one in caught] == [FormerJpegWarning] * shows
    if shows:
        assert "take bank signs256" in str(caught[0].message)
        assert caught[0].filename == __file__


def test_the_steps_of_luma_are_those_that_count(cat):
    with Image.open(cat) as image:
        image.save("a.jpg", quality=75)
        image.save("rgb.jpg", quality=75, keep_rgb=True)
        image.convert("CMYK").save("cmyk.jpg", quality=75)
    data = Path("a.jpg").read_bytes()
    steps = luma_steps(data)
    with Image.open("a.jpg") as image:
        assert steps == sum(image.quantization[0])
    assert [luma_steps(Path(name).read_bytes()) for name in ("rgb.jpg", "cmyk.jpg")] == [None, None]
    # The same tables, called 1 and 0: in DQT, B.2.4.1, and in the frame, B.2.2.
    other = bytearray(data)
    for table in (0, 1):
        at = data.index(b"\xff\xdb\0\x43" + bytes([table]))
        other[at + 4] = 1 - table
    frame = data.index(b"\xff\xc0")
    for component in range(3):
        other[frame + 12 + 3 * component] ^= 1
    assert luma_steps(bytes(other)) == steps


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


IPTC = b"Photoshop 3.0\x008BIM\x04\x04\0\0\0\0\0\x0e\x1c\x02\x78\0\x09a caption"
EXTENDED_XMP = b"http://ns.adobe.com/xmp/extension/\0" + bytes(40) + b"<extended/>"
SRGB_PRIMARIES = [31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000]


@pytest.fixture
def album(cat):
    """The photograph with what programs put into its file."""
    data = cat.read_bytes()
    segments = [
        segment(0xED, IPTC), segment(0xE1, EXTENDED_XMP), segment(0xFE, b"first comment"),
        segment(0xE5, b"maker" + bytes(range(256)) * 200),
    ]  # fmt: skip
    cat.write_bytes(data[:20] + b"".join(segments) + data[20:])  # behind JFIF
    return cat


def test_other_segments_of_a_jpeg_come_back(album, tool):
    encrypt_file(album, "noise.jpg", KEY)
    noise = Path("noise.jpg").read_bytes()
    for secret in (b"a caption", b"<extended/>", b"first comment", b"maker"):
        assert secret in album.read_bytes()
        assert secret not in noise
    pillow_pixels(noise)
    decrypt_file("noise.jpg", "again.jpg", KEY)
    with Image.open(album) as source, Image.open("again.jpg") as again:
        assert again.format == "JPEG"
        assert sorted(again.applist) == sorted(source.applist)
        assert [p for name, p in again.applist if name == "COM"] == [
            b"first comment", b"at the lake"
        ]  # fmt: skip
        assert again.info["photoshop"] == {0x0404: b"\x1c\x02\x78\0\x09a caption"}
    encrypt_file("again.jpg", "noise2.jpg", KEY, subsampling="4:4:4")
    opened = [jpegcrypt.open_encrypted(Path(name).read_bytes(), KEY)
              for name in ("noise.jpg", "noise2.jpg")]  # fmt: skip
    assert opened[0].metadata == opened[1].metadata
    for name in ("noise.jpg", "again.jpg"):
        tool("djpeg", "-strict", data=Path(name).read_bytes())


def test_text_of_a_png_comes_back(folder):
    text = PngImagePlugin.PngInfo()
    pairs = {"Title": "Z\xfcrich\nsee", "Author": "\u6e56\U0001f41f", "Copyright": "\xa9 me"}
    for keyword, value in pairs.items():
        text.add_text(keyword, value)
    text.add_text("Warning", "squeezed", zip=True)
    text.add_itxt("Description", "behind the pixels")
    text.chunks[-1] = (*text.chunks[-1][:2], True)
    Image.new("RGB", (20, 10), "teal").save("titled.png", pnginfo=text)
    encrypt_file("titled.png", "noise.jpg", KEY)
    for secret in (b"rich", b"squeezed", b"behind", "\u6e56".encode()):
        assert secret not in Path("noise.jpg").read_bytes()
    decrypt_file("noise.jpg", "again.png", KEY)
    with Image.open("titled.png") as source, Image.open("again.png") as again:
        assert again.text == pairs | {"Warning": "squeezed", "Description": "behind the pixels"}
        assert list(again.text) == list(source.text)
    for pair in ("Title\0Z\xfcrich\nsee", "Copyright\0\xa9 me"):
        assert b"tEXt" + pair.encode("latin-1") in Path("again.png").read_bytes()


def test_further_pictures_of_a_jpeg_are_lost_and_told(album):
    with Image.open(album) as image:
        image.save("several.jpg", "MPO", save_all=True, append_images=[image.copy()])
    data = Path("several.jpg").read_bytes()
    size = len(data) - data.index(b"\xff\xd9") - 2
    with pytest.warns(
        MetadataWarning, match=f"the MPO file holds {size:,} bytes behind the picture"
    ):
        encrypt_file("several.jpg", "noise.jpg", KEY)
    assert b"MPF\0" in data
    metadata = jpegcrypt.open_encrypted(Path("noise.jpg").read_bytes(), KEY).metadata
    assert metadata.segments is None


def test_of_several_xmp_packets_the_last_counts(folder):
    packets = [segment(APP1, XMP + body) for body in (b"<a/>", b"<b/>")]
    data = io.BytesIO()
    Image.new("L", (16, 16)).save(data, "JPEG")
    Path("two.jpg").write_bytes(b"\xff\xd8" + b"".join(packets) + data.getvalue()[2:])
    encrypt_file("two.jpg", "noise.jpg", KEY)
    decrypt_file("noise.jpg", "again.jpg", KEY)
    with Image.open("two.jpg") as source, Image.open("again.jpg") as again:
        assert again.info["xmp"] == source.info["xmp"] == b"<b/>"
        assert [p for name, p in again.applist if name == "APP1"] == [
            p for name, p in source.applist if name == "APP1"
        ]


def test_nothing_of_it_is_left_after_a_strip(album):
    encrypt_file(album, "noise.jpg", KEY, metadata="strip")
    assert inspect(Path("noise.jpg").read_bytes()).sealed_metadata == 0
    decrypt_file("noise.jpg", "again.jpg", KEY)
    with Image.open("again.jpg") as again:
        assert [name for name, _ in again.applist] == ["APP0"]


def test_a_plain_jpeg_and_another_cipher_file_from_what_was_sealed(album):
    encrypt_file(album, "noise.jpg", KEY)
    opened = jpegcrypt.open_encrypted(Path("noise.jpg").read_bytes(), KEY)
    assert len(opened.metadata.segments) == 4
    again = jpegcrypt.encrypt(opened.pixels, KEY, **opened.metadata.keywords())
    assert jpegcrypt.open_encrypted(again, KEY).metadata == opened.metadata
    plain = jpegcrypt.encode(opened.pixels, **opened.metadata.keywords())
    Path("plain.jpg").write_bytes(plain)
    with Image.open("plain.jpg") as image:
        assert jpegcrypt.Metadata.from_pillow(image) == opened.metadata


@pytest.mark.parametrize(
    "source", ["video", "padding", "late comment", "profile", "PNG", "TIFF", "stripped"]
)
def test_what_cannot_be_kept_is_told_to_the_caller(cat, source):
    jpeg = cat.read_bytes()
    png, tiff = io.BytesIO(), io.BytesIO()
    text = PngImagePlugin.PngInfo()
    text.add_text("Author", "one")
    text.add_text("Author", "two")
    text.add(b"caBX", b"from where it is")
    Image.new("L", (8, 8)).save(png, "PNG", pnginfo=text)
    Image.new("L", (8, 8)).save(tiff, "TIFF", tiffinfo={33723: b"IPTC", 269: "lake"})
    scan_end = jpeg.rindex(b"\xff\xd9")
    data, found = {
        "video": (jpeg + bytes(8) + b"mp4" * 1000, ["3,008 bytes behind the picture"]),
        "padding": (jpeg + bytes(8), []),
        "late comment": (
            jpeg[:scan_end] + segment(0xFE, b"late") + jpeg[scan_end:],
            ["1 APPn or COM segments behind a scan"],
        ),
        "profile": (
            jpeg[:20] + segment(0xE2, b"ICC_PROFILE\0\1\2half") + jpeg[20:],
            ["a broken color profile"],
        ),
        "PNG": (
            png.getvalue() + b"zip",
            ["1 text chunks that are repeated, broken or behind further frames", "chunks caBX",
             "3 bytes behind the picture"],
        ),
        "TIFF": (tiff.getvalue(), ["DocumentName", "IPTCNAA"]),
        "stripped": (jpeg + b"mp4", []),
    }[source]  # fmt: skip
    Path("source").write_bytes(data)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        encrypt_file(
            "source", "noise.jpg", KEY, metadata="strip" if source == "stripped" else "seal"
        )
    kind = "PNG" if source == "PNG" else "TIFF" if source == "TIFF" else "JPEG"
    expected = [f"source: the {kind} file holds {', '.join(found)}: left out"] if found else []
    assert [str(warning.message) for warning in caught] == expected
    assert all(warning.category is MetadataWarning for warning in caught)
    assert all(warning.filename == __file__ for warning in caught)


@pytest.mark.parametrize(
    ("chunks", "lost"),
    [
        ({b"gAMA": [45454], b"cHRM": SRGB_PRIMARIES}, None),
        ({b"gAMA": [55556], b"cHRM": SRGB_PRIMARIES}, "gAMA"),
        ({b"gAMA": [45455], b"cHRM": [31270, 32900, 68000, 32000, *SRGB_PRIMARIES[4:]]}, "cHRM"),
        ({b"gAMA": [100000, 0], b"quAL": []}, "gAMA, quAL"),
        ({b"gAMA": [100000], b"sRGB": [0]}, None),
        ({b"gAMA": [100000], b"cICP": [0x010D0001]}, None),
        ({b"sRGB": [0], b"cICP": [0x09100001]}, "cICP"),
        ({b"cICP": []}, "cICP"),
    ],
)
def test_colors_of_a_png_that_are_not_srgb_are_told(tmp_path, chunks, lost):
    info = PngImagePlugin.PngInfo()
    for kind, numbers in chunks.items():
        info.add(kind, b"".join(number.to_bytes(4) for number in numbers))
    source = tmp_path / "source.png"
    Image.new("RGB", (8, 8)).save(source, pnginfo=info)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        encrypt_file(source, tmp_path / "noise.jpg", KEY)
    expected = [f"{source}: the PNG file holds chunks {lost}: left out"] if lost else []
    assert [str(warning.message) for warning in caught] == expected


def test_every_file_is_warned_about(cat):
    video = cat.read_bytes() + b"a video"
    names = ["one.jpg", "two.jpg"]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")  # shows equal warnings of one line once
        for name in names:
            Path(name).write_bytes(video)
            encrypt_file(name, f"noise-{name}", KEY)
            encrypt_file("cat.jpg", f"noise-cat-{name}", KEY)
    assert [str(warning.message).split(":")[0] for warning in caught] == names


def test_the_name_of_another_format_is_refused(cat):
    for name in ("noise.png", "noise.TIF"):
        with pytest.raises(ValueError, match="but it becomes a JPEG: name it noise"):
            encrypt_file(cat, name, KEY)
    for name in ("noise.JPEG", "noise", "noise.bin"):
        encrypt_file(cat, name, KEY)
    assert sorted(os.listdir()) == ["cat.jpg", "noise", "noise.JPEG", "noise.bin"]


@pytest.mark.parametrize("suffix", ["png", "jpg"])
@pytest.mark.parametrize(
    "segment",
    [(0xEB, b"jpegcrypt\0"), (0xEE, b"Adobe\0d\0\0\0\0\0"), (0xDA, b""), (0xC0, bytes(9))],
)
def test_what_must_not_be_written_is_refused(cat, monkeypatch, segment, suffix):
    record = bytes([segment[0]]) + segment[1]
    hostile = b"\6" + len(record).to_bytes(4) + record
    with monkeypatch.context() as patched:
        patched.setattr(jpegcrypt.Metadata, "pack", lambda self: hostile)
        encrypt_file(cat, "noise.jpg", KEY)
    with pytest.raises(MalformedJpeg, match="sealed metadata is broken"):
        decrypt_file("noise.jpg", f"again.{suffix}", KEY)
    assert sorted(os.listdir()) == ["cat.jpg", "noise.jpg"]


def test_more_than_can_be_sealed_is_refused(cat):
    data = cat.read_bytes()
    cat.write_bytes(data[:20] + segment(0xFE, b"") * 3000 + data[20:])
    with pytest.raises(ValueError, match=r'pieces of metadata, .* metadata="strip"'):
        encrypt_file(cat, "noise.jpg", KEY)
    encrypt_file(cat, "noise.jpg", KEY, metadata="strip")


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
