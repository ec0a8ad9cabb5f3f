"""Marker codes (T.81 Table B.1) and the segments that JFIF, EXIF, XMP and ICC put behind them."""

import re
from collections.abc import Iterator

SOF0, SOF1, SOF2 = 0xC0, 0xC1, 0xC2
DHT, DAC = 0xC4, 0xCC
RST0, RST7 = 0xD0, 0xD7
SOI, EOI, SOS, DQT, DNL, DRI, DHP, EXP = 0xD8, 0xD9, 0xDA, 0xDB, 0xDC, 0xDD, 0xDE, 0xDF
APP0, APP1, APP2, APP11, APP13, APP14, APP15 = 0xE0, 0xE1, 0xE2, 0xEB, 0xED, 0xEE, 0xEF
COM = 0xFE
TEM = 0x01

MAX_PAYLOAD = 65533  # a 16-bit length that counts itself

JFIF = b"JFIF\0"
JFXX = b"JFXX\0"  # a thumbnail, JFIF 1.02
EXIF = b"Exif\0\0"
XMP = b"http://ns.adobe.com/xap/1.0/\0"
EXTENDED_XMP = b"http://ns.adobe.com/xmp/extension/\0"
ICC = b"ICC_PROFILE\0"
MPF = b"MPF\0"  # offsets of further pictures behind EOI, CIPA DC-007
PHOTOSHOP = b"Photoshop 3.0\0"  # image resources, IPTC among them
ADOBE = b"Adobe"

# Frames that this codec does not read, and what they are.
UNSUPPORTED_FRAMES = {
    0xC3: "lossless Huffman coding (SOF3)",
    0xC5: "hierarchical sequential coding (SOF5)",
    0xC6: "hierarchical progressive coding (SOF6)",
    0xC7: "hierarchical lossless coding (SOF7)",
    0xC8: "a JPEG extension (SOF8)",
    0xC9: "sequential arithmetic coding (SOF9)",
    0xCA: "progressive arithmetic coding (SOF10)",
    0xCB: "lossless arithmetic coding (SOF11)",
    0xCD: "hierarchical arithmetic coding (SOF13)",
    0xCE: "hierarchical progressive arithmetic coding (SOF14)",
    0xCF: "hierarchical lossless arithmetic coding (SOF15)",
    DAC: "arithmetic coding (DAC)",
    DHP: "hierarchical coding (DHP)",
    EXP: "hierarchical coding (EXP)",
}


def name(marker: int) -> str:
    """Return the name of a marker code, such as ``APP11``.

    Examples
    --------
    >>> name(0xEB), name(0xDB), name(0x02)
    ('APP11', 'DQT', '0x02')
    """
    if APP0 <= marker <= APP15:
        return f"APP{marker - APP0}"
    if 0xC0 <= marker <= 0xCF and marker not in (DHT, 0xC8, DAC):
        return f"SOF{marker - 0xC0}"
    return _NAMES.get(marker, f"0x{marker:02X}")


_NAMES = {
    DHT: "DHT", DAC: "DAC", SOI: "SOI", EOI: "EOI", SOS: "SOS", DQT: "DQT", DNL: "DNL",
    DRI: "DRI", DHP: "DHP", EXP: "EXP", COM: "COM", TEM: "TEM", 0xC8: "JPG",
}  # fmt: skip


def segment(marker: int, payload: bytes) -> bytes:
    """Return a marker segment: marker, length, payload.

    Examples
    --------
    >>> segment(0xFE, b"hi").hex()
    'fffe00046869'
    """
    if len(payload) > MAX_PAYLOAD:
        raise ValueError(
            f"{len(payload)} bytes for one {name(marker)} segment, at most {MAX_PAYLOAD}"
        )
    return bytes([0xFF, marker]) + (len(payload) + 2).to_bytes(2, "big") + payload


def walk(data: bytes) -> Iterator[tuple[int, int]]:
    r"""Yield each marker of a JPEG up to EOI and the offset behind its segment.

    What stands between segments is passed over, be it entropy-coded data or damage.

    Examples
    --------
    >>> [(name(marker), end) for marker, end in walk(b"\xff\xd8\xff\xfe\0\3x\xff\xd9behind")]
    [('COM', 7), ('EOI', 9)]
    """
    position = 2
    while found := _MARKER.search(data, position):
        marker, position = found[0][1], found.end()
        if marker != EOI:
            position += max(2, int.from_bytes(data[position : position + 2]))
        yield marker, position
        if marker == EOI:
            return


_MARKER = re.compile(rb"\xff[\xc0-\xcf\xd9-\xfe]")  # no stuffed zero, TEM, RSTn, SOI, fill byte
