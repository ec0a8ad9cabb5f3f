"""The structure of files: what is read, what is refused, in which words and at which byte."""

import io
import re
import time
import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

import jpegcrypt
import oracle
import recode
from checks import check_same_pixels, photo, pillow_jpeg
from format_reader import read_picture
from jpegcrypt import ImageTooLarge, JpegError, MalformedJpeg, UnsupportedJpeg, decode
from jpegcrypt.codec.parse import MAX_PIXELS, MAX_SCANS, parse

IMAGE = photo("coffee.png")[80:119, 100:153]
PLAIN = jpegcrypt.encode(IMAGE, effort="fast", quality=80)
SOF0, DHT, SOS, DQT, DRI = 0xC0, 0xC4, 0xDA, 0xDB, 0xDD


def find(data: bytes, marker: int) -> oracle.Segment:
    return next(s for s in oracle.segments(data) if s.marker == marker)


def segment(marker: int, payload: bytes) -> bytes:
    return bytes([0xFF, marker]) + (len(payload) + 2).to_bytes(2) + payload


def patch(data: bytes, marker: int, position: int, value: int) -> bytes:
    """Change a byte of the payload of a segment."""
    at = find(data, marker).start + position
    return data[:at] + bytes([value]) + data[at + 1 :]


def insert(data: bytes, marker: int, extra: bytes) -> bytes:
    """Insert bytes before a segment."""
    at = find(data, marker).offset
    return data[:at] + extra + data[at:]


def remove(data: bytes, marker: int) -> bytes:
    s = find(data, marker)
    return data[: s.offset] + data[s.end :]


# --- what is read -------------------------------------------------------------------------------


def test_segments_are_kept_in_order():
    extra = [(0xE5, b"five"), (0xFE, b"comment"), (0xEF, b""), (0xE5, b"\xff\xd8\xff\xd9" * 9)]
    data = insert(PLAIN, DQT, b"".join(segment(*s) for s in extra))
    found = parse(data).segments
    assert [(s.marker, s.payload) for s in found[1:]] == extra
    assert all(data[s.offset + 1] == s.marker for s in found)
    assert np.array_equal(decode(data), decode(PLAIN))


@pytest.mark.parametrize("marker", [0xE0, DQT, SOF0, DHT, SOS, 0xD9])
def test_fill_bytes(marker):
    """Any marker may be preceded by 0xFF bytes (B.1.1.2)."""
    for n in (1, 2, 500):
        check_same_pixels(insert(PLAIN, marker, b"\xff" * n))


def test_fill_bytes_before_restart_markers():
    data = pillow_jpeg(IMAGE, restart_marker_blocks=2)
    scan = find(data, SOS)
    entropy = re.sub(
        rb"(\xff[\xd0-\xd7])", lambda m: b"\xff\xff" + m[0], data[scan.start : scan.end]
    )
    check_same_pixels(data[: scan.start] + entropy + data[scan.end :])


def test_tables_in_one_segment_or_many():
    """cjpeg writes one table a segment, we write all into one."""
    pieces = []
    for s in oracle.segments(PLAIN):
        payload, step = PLAIN[s.start : s.end], None
        if s.marker == DQT:
            step = [65, 65]
        elif s.marker == DHT:
            sizes = [17 + sum(t) for t in (payload[1:17],)]
            while sum(sizes) < len(payload):
                at = sum(sizes)
                sizes.append(17 + sum(payload[at + 1 : at + 17]))
            step = sizes
        if step is None:
            pieces.append(PLAIN[s.offset : s.end])
            continue
        for size in step:
            pieces.append(segment(s.marker, payload[:size]))
            payload = payload[size:]
        assert not payload
    data = b"".join(pieces)
    assert len(data) == len(PLAIN) + 4 * 4
    check_same_pixels(data)


def test_later_tables_replace_earlier_ones():
    junk = segment(DQT, b"\0" + bytes([99] * 64)) + segment(DHT, b"\0" + bytes(15) + b"\1\0")
    check_same_pixels(insert(PLAIN, DQT, junk))


def test_tables_between_scans():
    """A component keeps the table that stood when its first scan began (B.2.4.1)."""
    data = recode.recode(PLAIN, read_picture(PLAIN), script=recode.SEPARATE)
    last = [s for s in oracle.segments(data) if s.marker == SOS][-1]
    junk = b"".join(segment(DQT, bytes([i]) + bytes([77] * 64)) for i in (0, 1))
    other = data[: last.offset] + junk + data[last.offset :]
    assert np.array_equal(decode(other), decode(data))


def test_restart_interval_is_that_of_the_scan():
    data = insert(PLAIN, SOS, segment(DRI, b"\0\1") + segment(DRI, b"\0\0"))
    check_same_pixels(data)


@pytest.mark.parametrize("trailer", [b"\0", b"garbage", b"\xff\xd8\xff\xd9", bytes(100_000), PLAIN])
def test_what_follows_the_end_is_ignored(trailer):
    """Phones put films and second pictures behind EOI."""
    assert np.array_equal(decode(PLAIN + trailer), decode(PLAIN))


def test_temporary_marker():
    assert np.array_equal(decode(insert(PLAIN, DQT, b"\xff\x01")), decode(PLAIN))


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_bytes_like(kind):
    assert np.array_equal(decode(kind(PLAIN)), decode(PLAIN))


NO_JFIF = remove(PLAIN, 0xE0)
RGB_IDS = NO_JFIF
for i, letter in enumerate(b"RGB"):
    RGB_IDS = patch(patch(RGB_IDS, SOF0, 6 + 3 * i, letter), SOS, 1 + 2 * i, letter)
SHORT = b"Adobe\0\x64\0\0\0\0"  # too short to say anything
ADOBE_RGB, ADOBE_YCC, SHORT_ADOBE = (
    segment(0xEE, payload) for payload in (SHORT + b"\0", SHORT + b"\1", SHORT)
)
SHORT_JFIF = segment(0xE0, b"JFIF\0\1\1")


@pytest.mark.parametrize(
    ("data", "color"),
    [
        (PLAIN, "ycc"),
        (NO_JFIF, "ycc"),
        (RGB_IDS, "rgb"),
        (insert(NO_JFIF, DQT, ADOBE_YCC), "ycc"),
        (insert(NO_JFIF, DQT, ADOBE_RGB), "rgb"),
        (insert(PLAIN, DQT, ADOBE_RGB), "ycc"),  # JFIF wins
        (insert(RGB_IDS, DQT, ADOBE_YCC), "ycc"),
        (insert(NO_JFIF, DQT, ADOBE_RGB + ADOBE_YCC), "ycc"),  # the last one wins
        (insert(NO_JFIF, DQT, ADOBE_YCC + ADOBE_RGB + SHORT_ADOBE), "rgb"),
        (insert(NO_JFIF, DQT, SHORT_ADOBE), "ycc"),
        (insert(RGB_IDS, DQT, SHORT_ADOBE), "rgb"),
        (insert(NO_JFIF, DQT, SHORT_JFIF + ADOBE_RGB), "rgb"),
    ],
)
def test_color(data, color):
    """The order in which libjpeg believes the markers."""
    assert parse(data).color == color
    check_same_pixels(data)


# --- what is refused ----------------------------------------------------------------------------


def cmyk() -> bytes:
    file = io.BytesIO()
    Image.new("CMYK", (9, 9)).save(file, "JPEG")
    return file.getvalue()


UNSUPPORTED = {
    "lossless": (patch(PLAIN, SOF0, -3, 0xC3), r"lossless Huffman coding \(SOF3\)"),
    "hierarchical": (patch(PLAIN, SOF0, -3, 0xC5), r"hierarchical sequential coding"),
    "arithmetic": (patch(PLAIN, SOF0, -3, 0xC9), r"sequential arithmetic coding \(SOF9\)"),
    "progressive arithmetic": (patch(PLAIN, SOF0, -3, 0xCA), r"progressive arithmetic coding"),
    "conditioning": (insert(PLAIN, SOS, segment(0xCC, b"\0\0")), r"arithmetic coding \(DAC\)"),
    "hierarchy": (insert(PLAIN, SOF0, segment(0xDE, bytes(8))), r"hierarchical coding \(DHP\)"),
    "12 bits": (patch(PLAIN, SOF0, 0, 12), "12 bits a sample at byte [0-9]+, expected 8"),
    "CMYK": (cmyk(), r"4 components \(CMYK or YCCK\)"),
    "two components": (
        insert(remove(PLAIN, SOF0), DHT, segment(SOF0, b"\x08\0\x10\0\x10\2\1\x11\0\2\x11\0")),
        "2 components at byte",
    ),
    "DNL": (patch(patch(PLAIN, SOF0, 1, 0), SOF0, 2, 0), r"\(DNL\)"),
}


@pytest.mark.parametrize(("data", "message"), UNSUPPORTED.values(), ids=UNSUPPORTED)
def test_unsupported(data, message):
    with pytest.raises(UnsupportedJpeg, match=message):
        decode(data)


def test_arithmetic_coding_of_jpegtran(tool):
    data = tool("jpegtran", "-arithmetic", data=PLAIN)
    with pytest.raises(UnsupportedJpeg, match="sequential arithmetic coding"):
        decode(data)


MALFORMED: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "found an empty file, expected a JPEG at byte 0"),
    "one byte": (b"\xff", "found a file that begins with 0xFF, expected a JPEG at byte 0"),
    "PNG": (b"\x89PNG\r\n\x1a\n", "found a PNG file, expected a JPEG at byte 0"),
    "BMP": (b"BM1234", "found a BMP file"),
    "GIF": (b"GIF89a", "found a GIF file"),
    "TIFF": (b"II*\0", "found a TIFF file"),
    "WebP": (b"RIFF1234WEBP", "found a RIFF"),
    "text": (b"hello world", "begins with 0x68656C6C"),
    "nothing but SOI": (b"\xff\xd8", "the file ends without EOI at byte 2"),
    "no marker": (b"\xff\xd8hello", "found 0x68, expected a marker at byte 2"),
    "EOI at once": (b"\xff\xd8\xff\xd9", "EOI before a frame header at byte 2"),
    "no scan": (PLAIN[: find(PLAIN, SOS).offset] + b"\xff\xd9", "EOI before every component had"),
    "SOI inside": (insert(PLAIN, DQT, b"\xff\xd8"), "found SOI, expected a segment"),
    "RST outside": (insert(PLAIN, DQT, b"\xff\xd3"), "expected a segment"),
    "reserved marker": (insert(PLAIN, DQT, b"\xff\xbf\0\2"), "expected a segment"),
    "JPGn": (insert(PLAIN, DQT, segment(0xF4, b"")), "unknown marker 0xF4"),
    "length 0": (insert(PLAIN, DQT, b"\xff\xe1\0\0"), "length 0 of the APP1 segment"),
    "length 1": (insert(PLAIN, DQT, b"\xff\xe1\0\1"), "length 1 of the APP1 segment"),
    "length beyond": (PLAIN[:20] + b"\xff\xe1\xff\xff", "the APP1 segment is cut short at byte 20"),
    "second frame": (
        insert(PLAIN, DHT, PLAIN[find(PLAIN, SOF0).offset : find(PLAIN, SOF0).end]),
        "a second frame header",
    ),
    "scan first": (remove(PLAIN, SOF0), "a scan before the frame header"),
    "frame length": (patch(PLAIN, SOF0, 5, 1), "a SOF0 segment of 15 bytes"),
    "width 0": (patch(patch(PLAIN, SOF0, 3, 0), SOF0, 4, 0), "a frame of width 0"),
    "factor 0": (patch(PLAIN, SOF0, 7, 0x20), "sampling or table of component 1 out of range"),
    "factor 5": (patch(PLAIN, SOF0, 7, 0x51), "sampling or table of component 1 out of range"),
    "table 4": (patch(PLAIN, SOF0, 8, 4), "sampling or table of component 1 out of range"),
    "twin ids": (patch(PLAIN, SOF0, 9, 1), "two components with the same identifier"),
    "crowded MCU": (patch(PLAIN, SOF0, 10, 0x33), "14 blocks in an MCU, at most 10"),
    "unknown component": (patch(PLAIN, SOS, 1, 9), "a scan of components that the frame does not"),
    "component twice": (patch(PLAIN, SOS, 3, 1), "a scan of components that the frame does not"),
    "scan length": (patch(PLAIN, SOS, 0, 2), "a SOS segment of 10 bytes"),
    "no components": (patch(PLAIN, SOS, 0, 0), "a SOS segment of 10 bytes"),
    "no such DQT": (patch(PLAIN, SOF0, 8, 3), "no quantization table 3"),
    "no such DC table": (patch(PLAIN, SOS, 2, 0x30), "no DC Huffman table 3"),
    "no such AC table": (patch(PLAIN, SOS, 2, 0x02), "no AC Huffman table 2"),
    "destination": (patch(PLAIN, DHT, 0, 0x07), "a DHT segment with a wrong class"),
    "class": (patch(PLAIN, DHT, 0, 0x20), "a DHT segment with a wrong class"),
    "short DHT": (
        insert(PLAIN, SOS, segment(DHT, b"\0" + bytes(10))),
        "a DHT segment with a wrong",
    ),
    "few symbols": (
        insert(PLAIN, SOS, segment(DHT, b"\0\0\2" + bytes(14) + b"\1")),
        "a DHT segment that is shorter than its counts say",
    ),
    "no prefix code": (
        insert(PLAIN, SOS, segment(DHT, b"\0\3" + bytes(15) + b"\0\1\2")),
        "DC Huffman table 0: the code lengths of a Huffman table make no prefix code",
    ),
    "DC category": (
        insert(PLAIN, SOS, segment(DHT, b"\0\1" + bytes(15) + b"\x10")),
        "DC Huffman table 0: .*DC category is above 15",
    ),
    "DQT precision": (patch(PLAIN, DQT, 0, 0x20), "a DQT segment with a wrong precision"),
    "DQT destination": (patch(PLAIN, DQT, 0, 0x04), "a DQT segment with a wrong precision"),
    "short DQT": (insert(PLAIN, SOS, segment(DQT, bytes(64))), "a DQT segment with a wrong"),
    "step 0": (patch(PLAIN, DQT, 5, 0), "a quantization step of 0 in table 0"),
    "DRI length": (insert(PLAIN, SOS, segment(DRI, b"\0\0\1")), "a DRI segment of 3 bytes"),
    "no restarts": (
        insert(PLAIN, SOS, segment(DRI, b"\0\1")),
        "restart markers that do not follow",
    ),
    "scan twice": (
        PLAIN[:-2] + PLAIN[find(PLAIN, SOS).offset :],
        "a second scan of component 0",
    ),
}


@pytest.mark.parametrize(("data", "message"), MALFORMED.values(), ids=MALFORMED)
def test_malformed(data, message):
    with pytest.raises(MalformedJpeg, match=message) as caught:
        decode(data)
    assert caught.value.offset is not None
    assert 0 <= caught.value.offset <= len(data)
    assert str(caught.value).endswith(f"at byte {caught.value.offset}")


def reorder_restarts(data: bytes) -> bytes:
    return data.replace(b"\xff\xd1", b"\xff\xd2", 1)


def drop_restart(data: bytes) -> bytes:
    return data.replace(b"\xff\xd1", b"", 1)


def double_restart(data: bytes) -> bytes:
    return data.replace(b"\xff\xd1", b"\xff\xd1\xff\xd2", 1)


@pytest.mark.parametrize("damage", [reorder_restarts, drop_restart, double_restart])
def test_damaged_restart_markers(damage: Callable[[bytes], bytes]):
    data = jpegcrypt.encode(IMAGE, restart_interval=2)
    with pytest.raises(MalformedJpeg):
        decode(damage(data))


@pytest.mark.parametrize(
    ("progression", "message"),
    [
        ((0, 5, 0, 0), "a scan with Ss=0, Se=5"),
        ((5, 4, 0, 0), "a scan with Ss=5, Se=4"),
        ((1, 64, 0, 0), "a scan with Ss=1, Se=64"),
        ((0, 0, 0, 14), "Al=14"),
        ((0, 0, 1, 0), "coefficient 0 of component 0 is sent out of turn"),
        ((1, 5, 0, 0), "an AC scan of several components"),
    ],
)
def test_progression(progression, message):
    """The bounds of G.1.1.1, on the first scan of a progressive file."""
    start, end, high, low = progression
    data = pillow_jpeg(IMAGE, progressive=True)
    for position, value in ((7, start), (8, end), (9, high << 4 | low)):
        data = patch(data, SOS, position, value)
    with pytest.raises(MalformedJpeg, match=message):
        decode(data)


# --- limits -------------------------------------------------------------------------------------


def huge(width: int, height: int, size: int = 200) -> bytes:
    """A header that promises far more than the file holds."""
    data = patch(patch(PLAIN, SOF0, 1, height >> 8), SOF0, 2, height & 255)
    data = patch(patch(data, SOF0, 3, width >> 8), SOF0, 4, width & 255)
    return data[: max(size, find(data, SOS).end)]


@pytest.mark.parametrize(
    ("width", "height"), [(65535, 65535), (65535, 2730), (1, 65535), (20000, 8000)]
)
@pytest.mark.parametrize("call", [decode, jpegcrypt.read_coefficients, jpegcrypt.inspect])
def test_huge_frames_fail_at_once(call, width, height):
    data = huge(width, height)
    tracemalloc.start()
    start = time.process_time()
    with pytest.raises(JpegError):
        call(data)
    elapsed = time.process_time() - start
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert elapsed < 0.1
    assert peak < 1 << 20


def test_the_limit_can_be_set():
    with pytest.raises(ImageTooLarge, match="53x39 pixels, more than the limit of 2066") as caught:
        decode(PLAIN, max_pixels=53 * 39 - 1)
    assert "max_pixels" in caught.value.hint
    decode(PLAIN, max_pixels=53 * 39)
    for call in (jpegcrypt.read_coefficients, jpegcrypt.inspect):
        with pytest.raises(ImageTooLarge):
            call(PLAIN, max_pixels=53 * 39 - 1)


def test_the_default_limit_is_that_of_pillow():
    assert Image.MAX_IMAGE_PIXELS is not None
    assert 2 * Image.MAX_IMAGE_PIXELS == MAX_PIXELS


def test_scans_are_counted():
    """Each scan costs a walk over the picture, and may cost next to no bytes."""
    black = jpegcrypt.encode(np.full((8, 8), 128, np.uint8), effort="fast")
    scans = [((0,), 0, 0, 0, 13), *(((0,), k, k, 0, 13) for k in range(1, 64))]
    scans += [((0,), k, k, i + 1, i) for i in range(12, 0, -1) for k in range(64)]
    picture = read_picture(black)
    assert len(scans) > MAX_SCANS
    assert decode(recode.recode(black, picture, script=scans[:MAX_SCANS])).shape == (8, 8)
    with pytest.raises(MalformedJpeg, match=rf"more than {MAX_SCANS} scans"):
        decode(recode.recode(black, picture, script=scans[: MAX_SCANS + 1]))


def test_tables_of_strangers_are_not_kept():
    """Decoding a million files with a million different tables takes no more memory than one."""
    from jpegcrypt.codec import tables

    for cache in (tables.huffman_decoder, tables.quantizer):
        assert cache.cache_info().maxsize is not None
