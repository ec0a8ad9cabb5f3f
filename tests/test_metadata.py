"""Sealed metadata: packs, seals and splits without loss, and notices every change."""

import hmac
import io
import struct
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms, PngImagePlugin

from jpegcrypt.errors import MalformedJpeg, TamperedFile
from jpegcrypt.key import Key
from jpegcrypt.metadata import Metadata, from_segments, open_sealed, seal, to_segments

KEYS = Key(bytes(range(32))).derive(bytes(16))
SMALL = Metadata(comment=b"at the lake", dpi=(300, 72.5))
FULL = Metadata(
    exif=b"II*\0 tiff", xmp=b"<x:xmpmeta/>", icc_profile=bytes(500), comment=b"hi", dpi=(96, 96),
    segments=((0xED, b"Photoshop 3.0\0"), (0xFE, b"")),
    text=(("Title", "lake"), ("Title", "\u6e56")),
)  # fmt: skip

texts = st.none() | st.binary(min_size=1, max_size=300)
resolutions = st.floats(min_value=0, exclude_min=True, allow_infinity=False)
metadatas = st.builds(
    Metadata,
    exif=texts,
    xmp=texts,
    icc_profile=texts,
    comment=texts,
    dpi=st.none() | st.tuples(resolutions, resolutions),
    segments=st.none()
    | st.lists(
        st.tuples(
            st.sampled_from([0xE0, 0xE1, 0xEB, 0xEF, 0xFE]),
            st.binary(max_size=99).map(b"no field of its own".__add__),
        ),
        max_size=5,
    ),
    text=st.none()
    | st.lists(
        st.tuples(
            st.from_regex("[ -~\xa1-\xff]{1,79}", fullmatch=True),
            st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
        ),
        max_size=5,
    ),
)


# --- packing ------------------------------------------------------------------------------------


def test_layout():
    packed = Metadata(exif=b"II", xmp=b"x", icc_profile=b"icc", comment=b"c", dpi=(300, 72)).pack()
    assert packed == (
        b"\1\0\0\0\2II\2\0\0\0\1x\3\0\0\0\3icc\4\0\0\0\1c\5\0\0\0\x10" + struct.pack(">dd", 300, 72)
    )


def test_layout_of_other_segments_and_texts():
    packed = Metadata(
        segments=[(0xFE, b"one"), (0xED, b"")], text=[("Title", "lake"), ("a\xe9", "\u6e56")]
    ).pack()
    assert packed == (
        b"\6\0\0\0\4\xfeone\6\0\0\0\1\xed\7\0\0\0\x0aTitle\0lake\7\0\0\0\6a\xe9\0\xe6\xb9\x96"
    )


@given(metadatas)
def test_pack_round_trip(metadata):
    assert Metadata.unpack(metadata.pack()) == metadata
    assert Metadata(**metadata.keywords()) == metadata


def test_empty():
    assert Metadata().is_empty
    assert Metadata().pack() == b""
    assert Metadata.unpack(b"") == Metadata()
    assert Metadata(exif=b"", xmp=b"", icc_profile=b"", comment=b"").is_empty
    assert Metadata(exif=b"Exif\0\0").is_empty
    assert Metadata(segments=[], text=[]) == Metadata()


@pytest.mark.parametrize("field", ["exif", "xmp", "icc_profile", "comment"])
def test_any_field_makes_it_not_empty(field):
    fields: dict[str, Any] = {field: b"x"}
    assert not Metadata(**fields).is_empty
    assert not Metadata(dpi=(1, 1)).is_empty
    assert not Metadata(segments=[(0xFE, b"")]).is_empty
    assert not Metadata(text=[("Title", "")]).is_empty


def test_the_exif_identifier_is_dropped_from_exif_alone():
    assert Metadata(exif=b"Exif\0\0II*\0") == Metadata(exif=b"II*\0")
    assert Metadata(comment=b"Exif\0\0II*\0").comment == b"Exif\0\0II*\0"


@pytest.mark.parametrize("field", ["exif", "xmp", "icc_profile", "comment"])
def test_text_is_refused(field):
    fields: dict[str, Any] = {field: "text"}
    with pytest.raises(TypeError, match=field):
        Metadata(**fields)


@pytest.mark.parametrize("dpi", [(0, 72), (72, -1), (float("nan"), 72), (72, float("inf"))])
def test_impossible_resolutions_are_refused(dpi):
    with pytest.raises(ValueError, match="dpi"):
        Metadata(dpi=dpi)


NO_SEGMENTS = [
    (0xD8, b""), (0xD9, b""), (0xDA, b"scan"), (0xDB, b""), (0xC0, b""), (0xFD, b""), (0xFF, b""),
    (0, b""), (0xED, bytes(65_534)), (0xE0, b"JFIF\0"), (0xE0, b"JFXX\0\x10"), (0xE1, b"Exif\0\0"),
    (0xE2, b"ICC_PROFILE\0\1\1"), (0xE2, b"MPF\0"), (0xEB, b"jpegcrypt\0"), (0xEB, b"jpegcrypt\1"),
    (0xEE, b"Adobe\0\x64"),
]  # fmt: skip
NO_TEXTS = [
    ("", "x"), ("a" * 80, "x"), ("a\nb", "x"), ("a\0b", "x"), ("\u6e56", "x"), ("a", "x\0y"),
    ("a", "\ud800"),
]  # fmt: skip


@pytest.mark.parametrize("segment", NO_SEGMENTS)
def test_segments_that_are_no_metadata_are_refused(segment):
    with pytest.raises(ValueError, match="segment"):
        Metadata(segments=[segment])
    record = bytes([segment[0]]) + segment[1]
    with pytest.raises(MalformedJpeg, match="sealed metadata is broken"):
        Metadata.unpack(b"\6" + len(record).to_bytes(4) + record)


@pytest.mark.parametrize("pair", NO_TEXTS)
def test_texts_that_png_does_not_hold_are_refused(pair):
    with pytest.raises(ValueError, match=r"text|keyword|surrogates"):
        Metadata(text=[pair])


@pytest.mark.parametrize(
    "fields", [{"segments": [("APP1", b"")]}, {"segments": [(0xE1, "")]}, {"text": [("a", b"")]}]
)
def test_segments_and_texts_of_other_types_are_refused(fields):
    with pytest.raises(TypeError, match="expected"):
        Metadata(**fields)


def test_repr_shows_no_content():
    for metadata in (SMALL, FULL):
        assert repr(metadata) == "Metadata()"


@pytest.mark.parametrize(
    "packed",
    [
        b"\4",
        b"\4\0\0\0",
        b"\4\0\0\0\2c",
        b"\4\xff\xff\xff\xffc",
        b"\0\0\0\0\1c",
        b"\x08\0\0\0\1c",
        b"\4\0\0\0\1c\4\0\0\0\1c",
        b"\5\0\0\0\1c",
        b"\5\0\0\0\x10" + struct.pack(">dd", float("nan"), 72),
        b"\4\0\0\0\1cX",
        b"\6\0\0\0\0",
        b"\6\0\0\0\5\xfeone",
        b"\7\0\0\0\0",
        b"\7\0\0\0\5Title",
        b"\7\0\0\0\3a\0\xff",
        b"\7\0\0\0\5a\0b\0c",
        b"\7\0\0\0\4a\nb\0",
        b"\6\0\0\0\1\xfe" * 2049,
    ],
    ids=[
        "kind",
        "no length",
        "cut",
        "huge",
        "kind 0",
        "kind 8",
        "twice",
        "dpi size",
        "nan",
        "rest",
        "no marker",
        "cut segment",
        "no keyword",
        "no text",
        "no UTF-8",
        "two zeros",
        "bad keyword",
        "too many",
    ],
)
def test_broken_records(packed):
    with pytest.raises(MalformedJpeg, match="sealed metadata is broken"):
        Metadata.unpack(packed)


def test_too_many_records():
    most = Metadata(segments=[(0xFE, b"")] * 2047, comment=b"hi")
    assert Metadata.unpack(most.pack()) == most
    with pytest.raises(ValueError, match=r'2049 pieces of metadata, .* metadata="strip"'):
        replace(most, text=[("Title", "lake")]).pack()


@given(
    st.binary(max_size=60)
    | st.lists(
        st.sampled_from(
            [b"\6", b"\7", b"\0\0\0", b"\1", b"\2", b"\4", b"\xfe", b"\xe1", b"a", b"\0", b"\xff"]
        )
    ).map(b"".join)
)
def test_unpack_raises_nothing_else(packed):
    with suppress(MalformedJpeg):
        Metadata.unpack(packed)


# --- Pillow -------------------------------------------------------------------------------------


def saved_by_pillow(file_format, **options):
    file = io.BytesIO()
    Image.new("RGB", (16, 16)).save(file, file_format, **options)
    return Image.open(file)


def test_from_a_jpeg_of_pillow():
    exif = Image.Exif()
    exif[0x010E] = "at the lake"
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image = saved_by_pillow(
        "JPEG", exif=exif, xmp=b"<x:xmpmeta/>", icc_profile=icc, comment="grüße", dpi=(300, 150)
    )
    metadata = Metadata.from_pillow(image)
    assert metadata == Metadata(
        exif=exif.tobytes().removeprefix(b"Exif\0\0"),
        xmp=b"<x:xmpmeta/>",
        icc_profile=icc,
        comment="grüße".encode(),
        dpi=(300, 150),
    )
    assert metadata.exif is not None
    assert metadata.exif.startswith((b"II*\0", b"MM\0*"))
    assert open_sealed(seal(metadata, KEYS), KEYS) == metadata


def test_from_a_png_of_pillow():
    exif = Image.Exif()
    exif[0x010E] = "at the lake"
    text = PngImagePlugin.PngInfo()
    text.add_itxt("XML:com.adobe.xmp", "<x:xmpmeta/>")
    text.add_text("Comment", "hello")
    metadata = Metadata.from_pillow(saved_by_pillow("PNG", exif=exif, pnginfo=text, dpi=(72, 72)))
    assert metadata.exif == exif.tobytes().removeprefix(b"Exif\0\0")
    assert (metadata.xmp, metadata.comment) == (b"<x:xmpmeta/>", b"hello")
    assert metadata.dpi == pytest.approx((72, 72), abs=0.01)


def segment(marker, payload):
    return bytes([0xFF, marker]) + (len(payload) + 2).to_bytes(2) + payload


def test_other_segments_are_those_that_no_field_holds():
    file = io.BytesIO()
    Image.new("L", (8, 8)).save(file, "JPEG")
    start = [
        (0xE1, b"Exif\0\0II*\0"), (0xE1, b"http://ns.adobe.com/xap/1.0/\0<a/>"),
        (0xE1, b"http://ns.adobe.com/xap/1.0/\0<b/>"), (0xFE, b"one"), (0xFE, b"two"),
        (0xED, b"Photoshop 3.0\0"), (0xFE, b"one"), (0xE0, b"JFXX\0"),
        (0xE0, b"else"), (0xEB, b"JP"), (0xFE, b"two"), (0xEE, b"Adobe\0\x64\0\0\0\0\0"),
    ]  # fmt: skip
    data = file.getvalue()
    data = data[:20] + b"".join(segment(*one) for one in start) + data[20:]
    metadata = Metadata.from_pillow(Image.open(io.BytesIO(data)))
    assert (metadata.exif, metadata.xmp, metadata.comment) == (b"II*\0", b"<b/>", b"two")
    assert metadata.segments == tuple(start[i] for i in (1, 3, 4, 5, 6, 8, 9))


def test_other_text_is_what_no_field_holds():
    text = PngImagePlugin.PngInfo()
    text.add_text("Title", "at the lake\n")
    text.add_itxt("XML:com.adobe.xmp", "<a/>")
    text.add_text("Copyright", "\xa9 me", zip=True)
    text.add_itxt("Author", "\u6e56", "ja", "\u8457\u8005")
    text.add_text("Comment", "hi")
    text.add_text("a" * 80, "a keyword that PNG does not allow")
    text.add_text("Zero", "a\0b")
    image = saved_by_pillow("PNG", pnginfo=text)
    assert Metadata.from_pillow(image) == Metadata(
        xmp=b"<a/>",
        comment=b"hi",
        text=[
            ("Title", "at the lake\n"),
            ("Copyright", "\xa9 me"),
            ("Author", "\u6e56"),
            ("Zero", "ab"),
        ],
    )


@pytest.mark.parametrize("dpi", [(0, 0), (float("nan"), 1), 72, None, "x", (1, 2, 3)])
def test_an_unusable_resolution_is_dropped(dpi):
    image = Image.new("L", (8, 8))
    image.info["dpi"] = dpi
    assert Metadata.from_pillow(image).is_empty


# --- sealing ------------------------------------------------------------------------------------


@given(metadatas)
def test_seal_round_trip(metadata):
    assert open_sealed(seal(metadata, KEYS), KEYS) == metadata


def test_empty_metadata_can_be_sealed():
    assert len(seal(Metadata(), KEYS)) == 28
    assert open_sealed(seal(Metadata(), KEYS), KEYS) == Metadata()


def test_seal_against_the_primitives():
    nonce = hmac.digest(KEYS.expand("metadata nonce"), SMALL.pack(), "sha256")[:12]
    ciphertext = AESGCM(KEYS.expand("metadata")).encrypt(nonce, SMALL.pack(), None)
    assert seal(SMALL, KEYS) == nonce + ciphertext


def test_sealing_hides_and_is_deterministic():
    blob = seal(SMALL, KEYS)
    assert blob == seal(SMALL, KEYS)
    assert b"lake" not in blob
    assert len(blob) == 12 + len(SMALL.pack()) + 16


def test_no_nonce_serves_two_plaintexts():
    blobs = [seal(replace(SMALL, comment=b"%d" % i), KEYS) for i in range(1000)]
    assert len({blob[:12] for blob in blobs}) == 1000


def test_every_flipped_bit_is_noticed():
    blob = seal(SMALL, KEYS)
    for place in range(len(blob)):
        for bit in range(8):
            tampered = bytearray(blob)
            tampered[place] ^= 1 << bit
            with pytest.raises(TamperedFile, match="sealed metadata"):
                open_sealed(bytes(tampered), KEYS)


def test_every_cut_is_noticed():
    blob = seal(SMALL, KEYS)
    for length in range(len(blob)):
        with pytest.raises(TamperedFile):
            open_sealed(blob[:length], KEYS)
    with pytest.raises(TamperedFile):
        open_sealed(blob + b"\0", KEYS)


def test_metadata_of_another_image_or_key_is_refused():
    for other in (
        Key(bytes(range(32))).derive(b"another nonce..."),
        Key(bytes(32)).derive(bytes(16)),
    ):
        with pytest.raises(TamperedFile, match="another image"):
            open_sealed(seal(SMALL, KEYS), other)


# --- segments -----------------------------------------------------------------------------------


def test_one_small_segment():
    assert to_segments(b"abc") == [b"jpegcrypt\1\1\1abc"]
    assert from_segments([b"jpegcrypt\1\1\1abc"]) == b"abc"


@pytest.mark.parametrize("size", [1, 64_999, 65_000, 65_001, 130_000, 200_000, 255 * 65_000])
def test_segment_round_trip(size):
    blob = (bytes(range(256)) * (size // 256 + 1))[:size]
    segments = to_segments(blob)
    assert len(segments) == -(-size // 65_000)
    assert max(map(len, segments)) + 2 <= 65_535
    assert from_segments(segments) == blob


def test_large_metadata_end_to_end():
    metadata = replace(FULL, icc_profile=bytes(range(256)) * 800)
    segments = to_segments(seal(metadata, KEYS))
    assert [segment[:12] for segment in segments] == [
        b"jpegcrypt\1" + bytes((i, 4)) for i in (1, 2, 3, 4)
    ]
    blob = from_segments(segments)
    assert blob is not None
    assert open_sealed(blob, KEYS) == metadata


def test_too_large_metadata_says_what_to_do():
    with pytest.raises(ValueError, match=r'16575001 bytes .* metadata="strip"'):
        to_segments(bytes(255 * 65_000 + 1))


def test_no_segments():
    assert from_segments([]) is None
    assert from_segments([b"", b"JP", b"jpegcrypt\0" + bytes(45)]) is None


def test_segments_of_others_are_passed_over():
    first, second = to_segments(bytes(65_001))
    assert from_segments([b"JP", first, b"jpegcrypt\0", second, b""]) == bytes(65_001)


A, B, C = to_segments(bytes(65_000) + b"b" * 65_000 + b"c")


@pytest.mark.parametrize(
    "segments",
    [
        [B, C],
        [A, C],
        [A, B],
        [A],
        [B],
        [A, A, B, C],
        [A, B, C, C],
        [A, A, C],
        [B, A, C],
        [C, B, A],
        [A, B, C, *to_segments(b"other")],
        [A, B[:10] + b"\2\4" + B[12:], C],
        [b"jpegcrypt\1"],
        [b"jpegcrypt\1\1"],
        [b"jpegcrypt\1\0\0"],
        [b"jpegcrypt\1\1\0x"],
        [A] * 256,
        [b"jpegcrypt\1" + bytes((i % 256, 255)) for i in range(1, 300)],
    ],
)
def test_missing_repeated_or_reordered_segments(segments):
    with pytest.raises(TamperedFile, match=f"the {len(segments)} segments of sealed metadata"):
        from_segments(segments)
