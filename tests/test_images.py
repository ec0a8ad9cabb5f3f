"""Pictures of every kind become gray or RGB of 8 bits, and come back into files with metadata."""

import io
import random
import re
import struct
import tracemalloc
import warnings
import zlib
from dataclasses import replace

import numpy as np
import pytest
from PIL import (
    ExifTags,
    Image,
    ImageCms,
    ImageOps,
    PngImagePlugin,
    TiffImagePlugin,
    TiffTags,
    UnidentifiedImageError,
)

from checks import photo, pillow_pixels
from jpegcrypt import (
    ImageTooLarge,
    JpegcryptError,
    Key,
    MalformedJpeg,
    MetadataWarning,
    UnreadableImage,
    decode,
    encrypt,
    images,
)
from jpegcrypt.api import Opened, open_encrypted
from jpegcrypt.images import find_format, format_of_name, read_image, write_image
from jpegcrypt.metadata import Metadata

RGB_PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
LAB_PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
GRAY_PROFILE = RGB_PROFILE[:16] + b"GRAY" + RGB_PROFILE[20:]
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"/>'


def save(image, format, **options):
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def some_exif(**tags):
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Camera"
    for name, value in tags.items():
        exif[ExifTags.Base[name]] = value
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] = "N"
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.LensModel] = "Lens"
    return exif


def gradient(mode):
    """A picture of 16x8 pixels in which all channels differ."""
    y, x = np.mgrid[:8, :16]
    channels = [x * 16, y * 32, 255 - x * 16, 255 - y * 8][
        : len(Image.new(mode, (1, 1)).getbands())
    ]
    return Image.merge(mode, [Image.fromarray(c.astype(np.uint8)) for c in channels])


# --- pixels ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["PNG", "TIFF", "BMP", "PPM", "JPEG2000", "TGA"])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_gray_and_rgb_come_as_they_are(format, mode):
    image = gradient(mode)
    pixels, _ = read_image(save(image, format))
    assert pixels.dtype == np.uint8
    assert np.array_equal(pixels, np.asarray(image))


def test_one_bit_becomes_gray():
    image = Image.fromarray(np.eye(9, dtype=bool))
    for format in ("PNG", "TIFF", "BMP"):
        pixels, _ = read_image(save(image, format))
        assert np.array_equal(pixels, np.eye(9) * 255)


@pytest.mark.parametrize("mode", ["P", "CMYK", "YCbCr"])
def test_other_colors_become_rgb(mode):
    image = gradient("RGB").convert(mode)
    pixels, _ = read_image(save(image, "PNG" if mode == "P" else "TIFF"))
    assert np.array_equal(pixels, np.asarray(image.convert("RGB")))


@pytest.mark.parametrize(
    "options",
    [
        {}, {"subsampling": "4:4:4"}, {"subsampling": "4:2:2", "optimize": True},
        {"keep_rgb": True}, {"progressive": True}, {"restart_marker_blocks": 2},
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_jpeg_shows_what_pillow_shows(mode, options):
    image = Image.fromarray(photo("coffee.png")[100:151, 200:283]).convert(mode)
    for format in ("JPEG", "MPO"):
        data = save(image, format, **options)
        assert np.array_equal(read_image(data)[0], pillow_pixels(data))


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data.replace(b"\xff\xd1", b"\xff\xd5"),
        lambda data: data[:-600] + b"\xff\0" * 4 + data[-592:],
    ],
    ids=["wrong restart markers", "no code"],
)
def test_a_jpeg_that_pillow_forgives_is_read(damage):
    image = Image.fromarray(photo("coffee.png")[100:151, 200:283])
    data = damage(save(image, "JPEG", restart_marker_blocks=2))
    with pytest.raises(MalformedJpeg):
        decode(data)
    assert np.array_equal(read_image(data)[0], pillow_pixels(data))


def test_cmyk_jpeg_is_not_inverted():
    pixels, _ = read_image(save(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG"))
    assert np.abs(pixels.astype(int) - (255, 0, 0)).max() <= 3


WIDE = np.array([[0, 127, 128, 129, 257, 385, 386, 12850, 32767, 65278, 65406, 65407, 65535]])
NARROW = [[0, 0, 0, 1, 1, 1, 2, 50, 127, 254, 254, 255, 255]]


@pytest.mark.parametrize(
    "data",
    [
        save(Image.fromarray(WIDE.astype(np.uint16)), "PNG"),
        save(Image.fromarray(WIDE.astype(np.uint16)), "TIFF"),
        save(Image.fromarray(WIDE.astype(np.int32)), "TIFF"),
        save(Image.fromarray(WIDE.astype(np.uint16)), "PPM"),
        save(Image.frombytes("I;16B", (13, 1), WIDE.astype(">u2").tobytes()), "TIFF"),
    ],
    ids=["PNG", "TIFF", "TIFF of 32 bits", "PGM", "big-endian TIFF"],
)
def test_gray_of_16_bits_is_scaled(data):
    pixels, _ = read_image(data)
    assert np.array_equal(pixels, NARROW)


def chunk(kind, body):
    checksum = struct.pack(">I", zlib.crc32(kind + body))
    return struct.pack(">I", len(body)) + kind + body + checksum


def png(width, height, depth, color, rows, extra=b""):
    head = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    body = zlib.compress(b"".join(b"\0" + row for row in rows))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + (chunk(b"tRNS", extra) if extra else b"")
        + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    )  # fmt: skip


def test_gray_of_16_bits_is_scaled_in_bands():
    """Beside Pillow's own memory: the pixels, twice while it hands them over, and little else."""
    wide = np.arange(1700 * 1100, dtype=np.uint32).reshape(1100, 1700) * 37 % 65536
    for array, mode in ((wide.astype(np.uint16), "I;16"), (wide.astype(np.int32), "I")):
        image = Image.fromarray(array)
        assert image.mode == mode
        data = save(image, "TIFF")
        tracemalloc.start()
        pixels, _ = read_image(data)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert np.array_equal(pixels, (wide + 128) // 257)
        assert peak < 2 * wide.size + (2 << 20)


def test_a_transparent_gray_in_the_last_band():
    rows = [np.full(50_000, 1000 + i, ">u2").tobytes() for i in range(3)]
    pixels, _ = read_image(png(50_000, 3, 16, 0, rows, extra=b"\x03\xea"), background="white")
    assert pixels[:, 0].tolist() == pixels[:, -1].tolist() == [4, 4, 255]


def test_rgb_of_16_bits_is_scaled():
    rows = [np.array([0, 300, 32768, 65535, 65000, 12850], ">u2").tobytes()]
    pixels, _ = read_image(png(2, 1, 16, 2, rows))
    assert np.abs(pixels.astype(int) - [[[0, 1, 128], [255, 253, 50]]]).max() <= 1


@pytest.mark.parametrize(
    "array",
    [np.array([[-1, 5]], np.int32), np.array([[0, 70000]], np.int32), np.zeros((2, 2), np.float32)],
)
def test_samples_of_unknown_range_are_refused(array):
    with pytest.raises(UnreadableImage, match="16 bits") as caught:
        read_image(save(Image.fromarray(array), "TIFF"))
    assert caught.value.hint == "scale them to 0..255 and save 8 bits"
    assert caught.value.format == "TIFF"


def test_the_preview_in_a_raw_file_is_not_taken_for_the_picture():
    """DNG, NEF and others are TIFF files that begin with a thumbnail (NewSubfileType, bit 0)."""
    with pytest.raises(UnreadableImage, match="a preview of another one") as caught:
        read_image(save(gradient("RGB"), "TIFF", tiffinfo={254: 1}))
    assert caught.value.hint == "develop the raw file first"
    page = save(gradient("RGB"), "TIFF", tiffinfo={254: 2})  # a page of several is whole
    assert read_image(page)[0].shape == np.asarray(gradient("RGB")).shape


def test_the_first_frame_is_taken():
    frames = [Image.new("L", (8, 8), color) for color in (10, 200)]
    for format in ("GIF", "TIFF", "PNG", "WEBP"):
        data = save(frames[0], format, save_all=True, append_images=frames[1:])
        with pytest.warns(
            MetadataWarning, match=f"the {format} file holds further frames or pages"
        ):
            pixels, _ = read_image(data)
        assert np.abs(pixels.astype(int) - 10).max() <= 1


def test_a_broken_exif_in_text_is_text():
    info = PngImagePlugin.PngInfo()
    info.add_text("Raw profile type exif", "\nexif\n 4\n00ff00ff\n")
    data = save(gradient("RGB"), "PNG", pnginfo=info)
    pixels, metadata = read_image(data)
    assert pixels.shape == (8, 16, 3)
    assert metadata.exif is None
    assert [keyword for keyword, _ in metadata.text] == ["Raw profile type exif"]
    assert read_image(data, strip=True)[0].shape == (8, 16, 3)


def tiff(tags, types):
    """A TIFF with tags of types that Pillow would not choose."""
    directory = TiffImagePlugin.ImageFileDirectory_v2()
    directory.tagtype.update(types)
    for tag, value in tags.items():
        directory[tag] = value
    return save(gradient("RGB"), "TIFF", tiffinfo=directory)


def test_text_of_a_tiff_keeps_its_bytes():
    """Whatever they mean: programs write UTF-8 where TIFF has ASCII."""
    texts = {ExifTags.Base.ImageDescription: "Großmutter", ExifTags.Base.Artist: "Zoë"}
    data = tiff(
        {tag: text.encode() for tag, text in texts.items()}, dict.fromkeys(texts, TiffTags.ASCII)
    )
    _, metadata = read_image(data)
    found = Image.Exif()
    found.load(metadata.exif)
    assert {tag: found[tag].encode("latin-1").decode() for tag in texts} == texts
    directory = ExifTags.Base.ExifOffset
    inner = {ExifTags.Base.LensModel: "L~ns"}
    data = tiff({directory: inner}, {directory: TiffTags.LONG}).replace(b"L~ns", b"L\xc3ns")
    found = Image.Exif()
    found.load(read_image(data)[1].exif)
    assert found.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.LensModel] == "L\xc3ns"


@pytest.mark.parametrize(
    ("tag", "value", "kind"),
    [
        ("Artist", TiffImagePlugin.IFDRational(1, 2), TiffTags.RATIONAL),
        ("Orientation", b"\6", TiffTags.BYTE),
    ],
)
def test_a_broken_tag_of_a_tiff_loses_no_others(tag, value, kind):
    number = ExifTags.Base[tag]
    data = tiff({number: value, ExifTags.Base.Make: "Camera"}, {number: kind})
    with pytest.warns(MetadataWarning, match=f"the TIFF file holds a broken {tag}: left out"):
        _, metadata = read_image(data)
    found = Image.Exif()
    found.load(metadata.exif)
    assert dict(found) == {ExifTags.Base.Make: "Camera"}
    read_image(data, strip=True)


def test_a_tiff_without_resolution_gets_none():
    assert read_image(save(gradient("RGB"), "TIFF"))[1].dpi is None
    assert read_image(save(gradient("RGB"), "TIFF", dpi=(1, 1)))[1].dpi == (1, 1)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("exif", [False, True])
def test_an_orientation_in_xmp_turns_nothing(format, exif):
    xmp = b'<x:xmpmeta tiff:Orientation="6"/>'
    options = {"xmp": xmp}
    if format == "PNG":
        options = {"pnginfo": PngImagePlugin.PngInfo()}
        options["pnginfo"].add_itxt("XML:com.adobe.xmp", xmp.decode())
    if format == "TIFF":
        options = {"tiffinfo": {ExifTags.Base.XMLPacket: xmp}}
    if exif and format == "TIFF":
        options["tiffinfo"][ExifTags.Base.Make] = "Camera"
    elif exif:
        options["exif"] = some_exif()
    data = save(gradient("RGB"), format, **options)
    pixels, metadata = read_image(data)
    assert (metadata.exif is not None) == exif
    assert metadata.xmp == xmp
    assert read_image(data, strip=True)[0].shape == pixels.shape == (8, 16, 3)


def test_exif_of_a_tiff_keeps_its_order_of_bytes_and_its_directories():
    """UNICODE text of UserComment goes by the order, and directories lie elsewhere now."""
    directory = ExifTags.Base.ExifOffset
    inner = {ExifTags.Base.LensModel: "Lens", ExifTags.IFD.Interop: {1: "R98"}}
    data = tiff({directory: inner}, {directory: TiffTags.LONG})
    assert data.startswith(b"II")
    found = Image.Exif()
    found.load(read_image(data)[1].exif)
    assert found.endian == "<"
    assert found.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.LensModel] == "Lens"
    assert found.get_ifd(ExifTags.IFD.Interop) == {1: "R98"}


def test_all_tags_that_are_lost_are_told():
    data = save(gradient("RGB"), "TIFF", exif=some_exif(), tiffinfo={33550: (1.0, 2.0, 3.0)})
    with pytest.warns(MetadataWarning, match="the TIFF file holds tag 33550: left out"):
        read_image(data)
    many = {60000 + i: "x" for i in range(7)}
    with pytest.warns(MetadataWarning, match="tag 60004, 2 other tags: left out"):
        read_image(save(gradient("RGB"), "TIFF", tiffinfo=many))


def test_what_is_too_wide_for_a_webp_is_told():
    key = Key.generate()
    wide = open_encrypted(encrypt(np.zeros((8, 16_384), np.uint8), key), key)
    with pytest.raises(ValueError, match="16384x8 pixels, but WebP has room for 16383"):
        write_image(wide, "WEBP")


@pytest.mark.parametrize(("kind", "told"), [(b"c2pa", "c2pa"), (b"\x1b[2J", r"\x1b[2J")])
def test_unknown_chunks_of_a_webp_are_told(kind, told):
    data = save(gradient("RGB"), "WEBP", exif=some_exif())
    body = data[8:] + kind + struct.pack("<I", 3) + b"abc\0"
    with pytest.warns(MetadataWarning, match=f"WEBP file holds chunks {re.escape(told)}: left out"):
        read_image(b"RIFF" + struct.pack("<I", len(body)) + body)


def test_pixels_that_are_not_square_are_told():
    jpeg = bytearray(save(gradient("RGB"), "JPEG"))
    at = jpeg.index(b"JFIF\0") + 7
    jpeg[at : at + 5] = struct.pack(">BHH", 0, 2, 1)  # T.871 10.1: no unit, two to one
    png = save(gradient("RGB"), "PNG")
    png = png[:33] + chunk(b"pHYs", struct.pack(">IIB", 2, 1, 0)) + png[33:]  # behind IHDR
    text = PngImagePlugin.PngInfo()
    text.add_text("aspect", "3:2")
    read_image(save(gradient("RGB"), "PNG", pnginfo=text))  # without a warning
    for name, file in (("JPEG", bytes(jpeg)), ("PNG", png)):
        with pytest.warns(MetadataWarning, match=f"{name} file holds pixels that are not square"):
            read_image(file)


def test_bytes_behind_a_webp_are_told():
    data = save(gradient("RGB"), "WEBP")
    with pytest.warns(MetadataWarning, match="holds 5 bytes behind the picture"):
        read_image(data + b"movie")


# --- transparency ---------------------------------------------------------------------------------

GRAY_TRNS = png(2, 1, 8, 0, [bytes([7, 99])], extra=b"\0\7")
WIDE_TRNS = png(2, 1, 16, 0, [b"\x07\x00\x63\x63"], extra=b"\7\0")


def palette_with_transparency():
    image = gradient("RGB").quantize(4)
    return save(image, "PNG", transparency=0)


TRANSPARENT = {
    "RGBA": save(gradient("RGBA"), "PNG"),
    "LA": save(gradient("LA"), "PNG"),
    "P": palette_with_transparency(),
    "GIF": save(gradient("RGB").quantize(4), "GIF", transparency=0),
    "WebP": save(gradient("RGBA"), "WEBP"),
    "L with a transparent gray": GRAY_TRNS,
    "16 bits with a transparent gray": WIDE_TRNS,
    "RGB with a transparent color": save(gradient("RGB"), "PNG", transparency=(0, 0, 255)),
}


@pytest.mark.parametrize("data", TRANSPARENT.values(), ids=TRANSPARENT)
def test_transparency_needs_a_background(data):
    with pytest.raises(UnreadableImage, match="transparent") as caught:
        read_image(data)
    assert caught.value.hint == "give a background, such as white"
    white, _ = read_image(data, background="white")
    red, _ = read_image(data, background=(255, 0, 0))
    assert not np.array_equal(white, red)
    assert red.ndim == 3


def test_gray_over_gray_stays_gray():
    pixels, _ = read_image(TRANSPARENT["LA"], background="#808080")
    image = np.asarray(gradient("LA")).astype(float)
    expected = (image[..., 0] * image[..., 1] + 128 * (255 - image[..., 1])) / 255
    assert np.abs(pixels - expected).max() <= 1
    assert read_image(GRAY_TRNS, background="black")[0].tolist() == [[0, 99]]
    assert read_image(WIDE_TRNS, background=(5, 5, 5))[0].tolist() == [[5, 99]]


def test_color_shines_through():
    pixels, _ = read_image(TRANSPARENT["RGBA"], background=(0, 100, 200))
    image = np.asarray(gradient("RGBA")).astype(float)
    alpha = image[..., 3:] / 255
    expected = image[..., :3] * alpha + np.array([0, 100, 200]) * (1 - alpha)
    assert np.abs(pixels - expected).max() <= 1


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_alpha_that_hides_nothing_is_dropped(mode):
    image = gradient(mode)
    image.putalpha(255)
    pixels, _ = read_image(save(image, "PNG"))
    assert np.array_equal(pixels, np.asarray(gradient(mode))[..., :-1].squeeze())


@pytest.mark.parametrize("background", ["whitish", "#12345678", (1, 2), (0, 0, 256), (0, 0, 0.5)])
def test_background_is_a_color(background):
    with pytest.raises(ValueError, match="color"):
        read_image(TRANSPARENT["RGBA"], background=background)


# --- metadata -------------------------------------------------------------------------------------


def test_metadata_is_collected():
    options = {
        "exif": some_exif().tobytes(), "xmp": XMP, "icc_profile": RGB_PROFILE, "comment": b"hi",
        "dpi": (300, 300),
    }  # fmt: skip
    _, metadata = read_image(save(gradient("RGB"), "JPEG", **options))
    assert metadata == Metadata(**options)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_orientation_stays_in_exif(format, orientation):
    data = save(gradient("RGB"), format, exif=some_exif(Orientation=orientation))
    pixels, metadata = read_image(data)
    assert pixels.shape == (8, 16, 3)
    exif = Image.Exif()
    exif.load(metadata.exif)
    assert exif[ExifTags.Base.Orientation] == orientation


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_a_stripped_picture_is_turned_upright(format, orientation):
    data = save(gradient("RGB"), format, exif=some_exif(Orientation=orientation))
    pixels, metadata = read_image(data, strip=True)
    assert metadata.is_empty
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        assert np.array_equal(pixels, np.asarray(ImageOps.exif_transpose(image)))


def test_a_picture_is_turned_upright_after_its_conversion():
    wide = np.arange(12, dtype=np.uint16).reshape(3, 4) * 257
    data = save(Image.fromarray(wide), "PNG", exif=some_exif(Orientation=6))
    assert np.array_equal(read_image(data, strip=True)[0], np.rot90(wide // 257, -1))
    data = save(gradient("RGBA"), "PNG", exif=some_exif(Orientation=6))
    with pytest.raises(UnreadableImage, match="transparent") as caught:
        read_image(data, strip=True)
    assert caught.value.format == "PNG"
    assert read_image(data, strip=True, background="white")[0].shape == (16, 8, 3)


@pytest.mark.parametrize(
    "exif", [b"Exif\0\0II", b"Exif\0\0MM\0\x2a\xff\xff\xff\xff", b"Exif\0\0hello"]
)
@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_a_broken_exif_turns_nothing(exif):
    data = save(gradient("RGB"), "JPEG", exif=exif)
    assert read_image(data, strip=True)[0].shape == read_image(data)[0].shape == (8, 16, 3)


def test_a_tiff_is_turned_by_pillow_and_says_so():
    data = save(gradient("RGB"), "TIFF", exif=some_exif(Orientation=6))
    pixels, metadata = read_image(data)
    assert pixels.shape == (16, 8, 3)
    exif = Image.Exif()
    exif.load(metadata.exif)
    assert exif.get(ExifTags.Base.Orientation, 1) == 1


def test_exif_of_a_tiff_describes_the_picture_not_the_file():
    data = save(gradient("RGB"), "TIFF", exif=some_exif().tobytes(), dpi=(300, 300))
    _, metadata = read_image(data)
    exif = Image.Exif()
    exif.load(metadata.exif)
    assert set(exif) == {ExifTags.Base.Make, ExifTags.Base.ExifOffset, ExifTags.Base.GPSInfo}
    assert exif.get_ifd(ExifTags.IFD.GPSInfo) == {ExifTags.GPS.GPSLatitudeRef: "N"}
    assert exif.get_ifd(ExifTags.IFD.Exif) == {ExifTags.Base.LensModel: "Lens"}
    assert metadata.dpi == (300, 300)


@pytest.mark.parametrize("format", ["PNG", "TIFF", "BMP", "GIF"])
def test_no_metadata_gives_none(format):
    assert read_image(save(gradient("L"), format))[1].exif is None


@pytest.mark.parametrize(
    ("mode", "profile", "kept"),
    [
        ("RGB", RGB_PROFILE, True),
        ("L", GRAY_PROFILE, True),
        ("P", RGB_PROFILE, True),
        ("L", RGB_PROFILE, False),
        ("CMYK", RGB_PROFILE[:16] + b"CMYK" + RGB_PROFILE[20:], False),
        ("RGB", LAB_PROFILE, False),
        ("RGB", b"short", False),
    ],
)
def test_a_profile_of_other_colors_is_dropped(mode, profile, kept):
    image = gradient("RGB").quantize(8) if mode == "P" else gradient(mode)
    data = save(image, "TIFF" if mode == "CMYK" else "PNG", icc_profile=profile)
    assert read_image(data)[1].icc_profile == (profile if kept else None)


# --- what cannot be read --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"", "an empty file"),
        (b"PK\3\4 and more", "a ZIP file"),
        (b"hello, world", "begins with 0x68656C6C"),
        (b"\xff\xd8\xff", "begins with 0xFFD8FF"),
        (b"\x89PNG\r\n\x1a\n", "a PNG file"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n", "found EPS"),
        (b"\0\0\1\xb3\x14\x00\xf0" + bytes(20), "found MPEG"),
    ],
)
def test_no_picture(data, found):
    with pytest.raises(UnreadableImage, match=found) as caught:
        read_image(data)
    assert caught.value.format is None


FORMATS = ["PNG", "JPEG", "TIFF", "WEBP", "BMP", "GIF", "PPM", "JPEG2000", "TGA", "QOI"]


@pytest.mark.parametrize("format", FORMATS)
def test_a_cut_file_is_broken(format):
    image = Image.fromarray(np.random.default_rng(1).integers(0, 256, (40, 50, 3), np.uint8))
    data = save(image, format)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's own, on the way
        with pytest.raises(UnreadableImage):
            read_image(data[: len(data) // 2])


@pytest.mark.parametrize("format", FORMATS)
def test_damage_raises_nothing_else(format):
    image = Image.fromarray(np.random.default_rng(1).integers(0, 256, (20, 30, 3), np.uint8))
    exif = some_exif() if format in ("PNG", "JPEG", "TIFF", "WEBP") else None
    data = save(image, format, **{"exif": exif} if exif else {})
    rng = random.Random(format)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(150):
            damaged = bytearray(data)
            for _ in range(rng.randint(1, 4)):
                damaged[rng.randrange(min(len(data), 400))] = rng.randrange(256)
            try:
                pixels, _ = read_image(bytes(damaged), background="white")
            except JpegcryptError:
                continue
            assert pixels.dtype == np.uint8


def test_decompression_bombs(monkeypatch):
    data = save(gradient("RGB"), "PNG")  # 128 pixels
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.warns(Image.DecompressionBombWarning):
        read_image(data)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 50)
    with pytest.raises(ImageTooLarge, match="bomb") as caught:
        read_image(data)
    assert "MAX_IMAGE_PIXELS" in caught.value.hint


def test_a_picture_beyond_the_sides_of_a_jpeg():
    with pytest.raises(ImageTooLarge, match="65536x1 pixels"):
        read_image(save(Image.new("L", (65536, 1)), "PNG"))


def test_an_encrypted_picture_is_not_encrypted_again():
    data = encrypt(np.zeros((8, 8), np.uint8), Key.generate())
    with pytest.raises(JpegcryptError, match="encrypted already"):
        read_image(data)


def test_trouble_of_the_machine_is_not_blamed_on_the_file(monkeypatch):
    def load(self):
        raise MemoryError

    monkeypatch.setattr(images.ImageFile.ImageFile, "load", load)
    with pytest.raises(MemoryError):
        read_image(save(gradient("RGB"), "BMP"))


def test_plugins_that_another_thread_imports_are_waited_for(monkeypatch):
    def hasty(file, real=Image.open):
        monkeypatch.setattr(Image, "open", real)
        raise UnidentifiedImageError

    monkeypatch.setattr(Image, "open", hasty)
    assert read_image(save(gradient("RGB"), "QOI"))[0].shape == (8, 16, 3)


# --- writing --------------------------------------------------------------------------------------

GRAY = np.arange(64, dtype=np.uint8).reshape(8, 8)
COLOR = np.asarray(gradient("RGB"))
FULL = Metadata(
    exif=some_exif().tobytes(), xmp=XMP, icc_profile=RGB_PROFILE, comment=b"Z\xc3\xbcrich",
    dpi=(300, 300),
)  # fmt: skip


def opened(pixels, metadata=FULL, sampling=((2, 2), (1, 1), (1, 1))):
    return Opened(pixels, metadata, sampling)


@pytest.mark.parametrize("pixels", [GRAY, COLOR], ids=["gray", "color"])
@pytest.mark.parametrize("format", ["BMP", "PNG", "PPM", "TIFF", "WEBP"])
def test_every_pixel_is_kept(format, pixels):
    data = write_image(opened(pixels, Metadata()), format)
    with Image.open(io.BytesIO(data)) as image:
        assert image.format == format
        found = np.asarray(image)
    assert np.array_equal(found if found.ndim == pixels.ndim else found[..., 0], pixels)


@pytest.mark.parametrize(
    ("format", "lost", "better"),
    [
        ("JPEG", "text", "PNG"), ("PNG", "IPTC, extended XMP, COM", "JPEG"),
        ("WEBP", "IPTC, extended XMP, COM, text", "JPEG"),
    ],
)  # fmt: skip
def test_other_segments_and_texts_are_told_where_they_have_no_place(format, lost, better):
    extended = b"http://ns.adobe.com/xmp/extension/\0"
    segments = [(0xED, b"Photoshop 3.0\0"), (0xE1, extended), (0xFE, b"one"), (0xE1, extended)]
    metadata = Metadata(comment=b"two", segments=segments, text=[("Title", "lake")])
    with pytest.warns(MetadataWarning) as caught:
        data = write_image(opened(COLOR, metadata), format)
    comment = "comment, " if format == "WEBP" else ""
    text = f"{format} does not carry this {comment}{lost}: left out; {better} carries more"
    assert [str(warning.message) for warning in caught] == [text]
    kept = {
        "JPEG": replace(metadata, text=None), "PNG": replace(metadata, segments=None),
        "WEBP": Metadata(),
    }  # fmt: skip
    assert read_image(data)[1] == kept[format]


@pytest.mark.parametrize("format", ["PNG", "JPEG"])
def test_all_metadata_comes_back(format):
    _, metadata = read_image(write_image(opened(COLOR), format))
    assert metadata.dpi == pytest.approx((300, 300), abs=0.01)
    assert metadata == Metadata(FULL.exif, FULL.xmp, FULL.icc_profile, FULL.comment, metadata.dpi)


@pytest.mark.parametrize(
    ("format", "kept", "lost"),
    [
        ("TIFF", {"icc_profile", "dpi"}, "exif, xmp, comment"),
        ("WEBP", {"exif", "xmp", "icc_profile"}, "comment, dpi"),
        ("BMP", {"dpi"}, "exif, xmp, icc_profile, comment"),
        ("PPM", set(), "exif, xmp, icc_profile, comment, dpi"),
    ],
)
def test_what_a_format_does_not_carry_is_told(format, kept, lost):
    with pytest.warns(UserWarning, match=f"{format} does not carry this {lost}: left out"):
        data = write_image(opened(COLOR), format)
    _, metadata = read_image(data)
    assert {name for name, value in vars(metadata).items() if value is not None} == kept


@pytest.mark.parametrize("format", ["TIFF", "BMP", "PPM"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_where_exif_is_lost_the_picture_is_turned(format, orientation):
    exif = some_exif(Orientation=orientation).tobytes()
    with pytest.warns(MetadataWarning, match="does not carry this exif"):
        data = write_image(opened(COLOR, Metadata(exif=exif)), format)
    upright = Image.fromarray(COLOR)
    upright.info["exif"] = exif
    expected = np.asarray(ImageOps.exif_transpose(upright))
    with Image.open(io.BytesIO(data)) as image:
        assert np.array_equal(np.asarray(image), expected)


def test_metadata_too_large_for_a_segment_is_told():
    large = Metadata(exif=bytes(70_000), xmp=XMP + bytes(70_000), dpi=(70_000, 1), comment=b"hi")
    with pytest.warns(UserWarning, match="JPEG does not carry this exif, xmp, dpi: left out"):
        data = write_image(opened(COLOR, large), "JPEG")
    assert read_image(data)[1] == Metadata(comment=b"hi")


def test_text_that_png_cannot_hold():
    latin = Metadata(comment=b"Z\xfcrich\0")
    assert read_image(write_image(opened(GRAY, latin), "PNG"))[1].comment == "Zürich".encode()
    with pytest.warns(UserWarning, match="PNG does not carry this xmp"):
        write_image(opened(GRAY, Metadata(xmp=b"\xff\xfe<\0x\0")), "PNG")


@pytest.mark.parametrize(
    ("factors", "layer"), [((1, 1), 0), ((2, 1), 1), ((2, 2), 2), ((1, 2), None)]
)
def test_a_jpeg_is_sampled_as_the_encrypted_file(factors, layer):
    data = write_image(opened(COLOR, Metadata(), (factors, (1, 1), (1, 1))), "JPEG", quality=100)
    with Image.open(io.BytesIO(data)) as image:
        assert image.layer[0][1:3] == factors
        assert max(image.quantization[0]) == 1


@pytest.mark.parametrize("name", ["a.gif", "a", "jpg", ".png", "a.png/b"])
def test_a_name_that_says_no_format(name):
    with pytest.raises(ValueError, match=r"expected \.png or one of \.bmp"):
        find_format(name)


def test_names_of_pictures():
    yes = ["a.jpg", "a.PNG", "b/c.tiff", "a.webp", "a.gif", "a.HEIC", "a.dng"]
    no = ["a.txt", "a", ".jpg", "a.mpg", "a.pdf", "a.eps", "Thumbs.db", "a.mp4"]
    assert [name for name in yes + no if format_of_name(name)] == yes


@pytest.mark.parametrize("mode", ["L", "RGB", "P", "RGBA"])
def test_text_of_a_png_is_no_field(mode):
    """Pillow has text, sizes, profiles and transparency in one dictionary."""
    names = ["dpi", "exif", "icc_profile", "transparency", "xmp", "gamma", "comment"]
    plain = Image.new(mode, (8, 8))
    if mode == "RGBA":
        plain.putalpha(255)
    pictures = []
    for text in ({}, dict.fromkeys(names, "12")):
        chunks = PngImagePlugin.PngInfo()
        for name, value in text.items():
            chunks.add_text(name, value)
        file = io.BytesIO()
        plain.save(file, "PNG", pnginfo=chunks, dpi=(300, 300))
        pictures.append(read_image(file.getvalue()))
        read_image(file.getvalue(), strip=True)
    (pixels, without), (same, metadata) = pictures
    np.testing.assert_array_equal(same, pixels)
    assert metadata.text is not None
    assert dict(metadata.text).keys() == set(names) - {"comment"}
    assert metadata.comment == b"12"
    assert (metadata.exif, metadata.xmp, metadata.icc_profile) == (None, None, None)
    assert metadata.dpi == without.dpi


def test_a_transparent_color_outlives_text_of_its_name():
    chunks = PngImagePlugin.PngInfo()
    chunks.add_text("transparency", "12")
    file = io.BytesIO()
    Image.new("L", (8, 8)).save(file, "PNG", transparency=0, pnginfo=chunks)
    data = file.getvalue()
    assert data.index(b"tEXt") < data.index(b"tRNS")
    with pytest.raises(UnreadableImage, match="transparen"):
        read_image(data)
    assert read_image(data, background=(255, 255, 255))[0].min() == 255
