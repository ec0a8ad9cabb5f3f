"""Parse a JPEG file: marker segments to a frame, its tables and its scans (T.81 Annex B).

Nothing is decoded here, but everything that decoding relies on is checked: sizes, factors, tables,
the progression of scans. Hostile files are bounded by `MAX_PIXELS`, by `MAX_SCANS`, and by the
least number of bits that a block takes.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple, TypeVar

from jpegcrypt import _core
from jpegcrypt.codec import markers
from jpegcrypt.codec.tables import HuffmanTable, Table, huffman_decoder, table_from_zigzag
from jpegcrypt.errors import ImageTooLarge, MalformedJpeg, UnsupportedJpeg

MAX_PIXELS = 2 * (1024**3 // 4 // 3)  # where Pillow calls an image a decompression bomb
MAX_SCANS = 256  # encoders write about 10
MAX_VISITS = 64  # of each block by all scans, where they are many; encoders need about 10
FEW_VISITS = 1 << 24  # a second's work, allowed in any case
MAX_SEGMENTS = 4096  # of any kind: a profile of the largest size has 255

MAX_TABLES = 64  # of a segment; 4 or 8 have a place of their own

_FILL_BYTES = re.compile(b"\xff+")  # B.1.1.2
_CACHED = 64  # segments of other people's files come without end
Read = TypeVar("Read")


class Segment(NamedTuple):
    """An APPn or COM segment: marker code, payload, offset of the marker in the file."""

    marker: int
    payload: bytes
    offset: int


class Scan(NamedTuple):
    """A scan: its components as indices into the frame, its tables, its entropy-coded data."""

    components: tuple[int, ...]
    dc: tuple[_core.HuffmanDecoder | None, ...]
    ac: tuple[_core.HuffmanDecoder | None, ...]
    progression: tuple[int, int, int, int] | None  # Ss, Se, Ah, Al
    restart_interval: int
    entropy: _core.EntropyData


@dataclass(slots=True)
class JpegFile:
    """What a JPEG file says before anything is decoded.

    Attributes
    ----------
    frame : Frame
    color : str
        "gray", "ycc" or "rgb".
    tables : list of uint16 array (64,)
        Quantization steps of each component, natural order.
    scans : list of Scan
    segments : list of Segment
        APPn and COM, in file order.
    """

    frame: _core.Frame
    color: str
    tables: list[Table]
    scans: list[Scan]
    segments: list[Segment]


def parse(data: bytes | bytearray | memoryview, *, max_pixels: int = MAX_PIXELS) -> JpegFile:
    """Parse a baseline, extended sequential or progressive Huffman-coded JPEG of 8 bits.

    Parameters
    ----------
    data : bytes-like
        The whole file; what follows EOI is ignored.
    max_pixels : int
        Larger frames are refused before anything is allocated.

    Raises
    ------
    MalformedJpeg, UnsupportedJpeg, ImageTooLarge, TypeError
    """
    if not isinstance(data, bytes | bytearray | memoryview):
        raise TypeError(f"{type(data).__name__}, expected the bytes of a file")
    return _Parser(bytes(data), max_pixels).run()


def signature(data: bytes) -> str:
    """Say what a file that is no JPEG looks like, for an error text."""
    if not data:
        return "an empty file"
    for magic, kind in _SIGNATURES.items():
        if data.startswith(magic):
            return f"a {kind} file"
    return f"a file that begins with 0x{data[:4].hex().upper()}"


_SIGNATURES = {
    b"\x89PNG": "PNG", b"GIF8": "GIF", b"BM": "BMP", b"RIFF": "RIFF (WebP, AVI)",
    b"II*\0": "TIFF", b"MM\0*": "TIFF", b"%PDF": "PDF", b"PK\x03\x04": "ZIP",
    b"\0\0\0\x0cjP": "JPEG 2000", b"\xff\x4f\xff\x51": "JPEG 2000", b"\xff\x0a": "JPEG XL",
}  # fmt: skip


@dataclass(slots=True)
class _Parser:
    data: bytes
    max_pixels: int
    at: int = 0  # offset of what is being read, for error texts
    quantization: dict[int, Table] = field(default_factory=dict)
    huffman: dict[tuple[int, int], HuffmanTable] = field(default_factory=dict)  # (class, id)
    restart_interval: int = 0
    header: "FrameHeader | None" = None
    progressive: bool = False
    tables: list[Table | None] = field(default_factory=list)
    precision: list[list[int]] = field(default_factory=list)  # Al so far; -1: not yet sent
    scans: list[Scan] = field(default_factory=list)
    segments: list[Segment] = field(default_factory=list)
    n_segments: int = 0
    visits: int = 0  # of blocks, by all scans

    def run(self) -> JpegFile:
        data = self.data
        if not data.startswith(b"\xff\xd8"):
            raise MalformedJpeg(f"found {signature(data)}, expected a JPEG", offset=0)
        position = 2
        while True:
            position, marker = self._next_marker(position)
            self.n_segments += 1
            if marker == markers.EOI:
                return self._finish()
            if self.n_segments > MAX_SEGMENTS:
                raise self._error(f"more than {MAX_SEGMENTS} segments")
            if marker == markers.TEM:
                continue
            if markers.RST0 <= marker <= markers.SOI or marker < 0xC0:
                raise self._error(f"found {markers.name(marker)}, expected a segment")
            length = int.from_bytes(data[position : position + 2])
            payload = data[position + 2 : position + length]
            if position + 2 > len(data) or position + length > len(data):
                raise self._error(f"the {markers.name(marker)} segment is cut short")
            if length < 2:
                raise self._error(f"length {length} of the {markers.name(marker)} segment")
            position += length
            if marker == markers.SOS:
                position = self._scan(payload, position)
            else:
                self._segment(marker, payload)

    def _error(self, message: str) -> MalformedJpeg:
        return MalformedJpeg(message, offset=self.at)

    def _checked(self, read: Callable[..., Read], *segment: object) -> Read:
        try:
            return read(*segment)
        except ValueError as error:
            raise self._error(str(error)) from None

    def _next_marker(self, position: int) -> tuple[int, int]:
        data = self.data
        self.at = position
        if position >= len(data):
            raise MalformedJpeg(
                "the file ends without EOI", offset=len(data), hint="the file is cut short"
            )
        if data[position] != 0xFF:
            raise self._error(f"found 0x{data[position]:02X}, expected a marker")
        fill = _FILL_BYTES.match(data, position)
        position = fill.end() if fill else position
        if position >= len(data):
            raise MalformedJpeg("the file ends in a marker", offset=len(data))
        return position + 1, data[position]

    def _segment(self, marker: int, payload: bytes) -> None:
        if markers.APP0 <= marker <= markers.APP15 or marker == markers.COM:
            self.segments.append(Segment(marker, payload, self.at))
        elif marker == markers.DQT:
            self.quantization.update(self._checked(read_quantization, payload))
        elif marker == markers.DHT:
            self.huffman.update(self._checked(read_huffman, payload))
        elif marker == markers.DRI:
            if len(payload) != 2:
                raise self._error(f"a DRI segment of {len(payload)} bytes, expected 2")
            self.restart_interval = int.from_bytes(payload)
        elif marker in (markers.SOF0, markers.SOF1, markers.SOF2):
            self._frame(marker, payload)
        elif marker in markers.UNSUPPORTED_FRAMES:
            raise UnsupportedJpeg(
                f"found {markers.UNSUPPORTED_FRAMES[marker]} at byte {self.at}, expected baseline, "
                "extended sequential or progressive Huffman coding"
            )
        elif marker == markers.DNL:
            raise UnsupportedJpeg(f"the height comes behind the scan (DNL) at byte {self.at}")
        else:
            raise self._error(f"unknown marker {markers.name(marker)}")

    def _frame(self, marker: int, payload: bytes) -> None:  # B.2.2
        if self.header is not None:
            raise self._error("a second frame header")
        if len(payload) < 6 or len(payload) != 6 + 3 * payload[5]:
            raise self._error(f"a {markers.name(marker)} segment of {len(payload)} bytes")
        height, width = int.from_bytes(payload[1:3]), int.from_bytes(payload[3:5])
        if payload[0] != 8:
            raise UnsupportedJpeg(f"{payload[0]} bits a sample at byte {self.at}, expected 8")
        if payload[5] not in (1, 3):
            kind = " (CMYK or YCCK)" if payload[5] == 4 else ""
            raise UnsupportedJpeg(
                f"{payload[5]} components{kind} at byte {self.at}, expected 1 or 3"
            )
        if not height:
            raise UnsupportedJpeg(f"the height comes behind the scan (DNL), byte {self.at}")
        if not width:
            raise self._error("a frame of width 0")
        if width * height > self.max_pixels:
            raise ImageTooLarge(
                f"a frame of {width}x{height} pixels, more than the limit of {self.max_pixels}",
                hint="if you trust the file, raise max_pixels",
            )
        self.header = self._checked(read_frame, payload)
        self.progressive = marker == markers.SOF2
        self.tables = [None] * payload[5]
        self.precision = [[-1] * 64 if self.progressive else [-1] for _ in range(payload[5])]

    def _scan(self, payload: bytes, position: int) -> int:  # B.2.3
        if self.header is None:
            raise self._error("a scan before the frame header")
        if len(self.scans) == MAX_SCANS:
            raise self._error(f"more than {MAX_SCANS} scans")
        components, dc, ac, progression = self._checked(read_scan, payload, self.header)
        start, end, high, low = progression
        self._progress(components, start, end, high, low)
        for c in components:
            if self.tables[c] is None:
                table = self.quantization.get(self.header.tables[c])
                if table is None:
                    raise self._error(f"no quantization table {self.header.tables[c]}")
                self.tables[c] = table
        needs_dc = not self.progressive or (start == 0 and high == 0)
        needs_ac = not self.progressive or start > 0
        entropy = _core.EntropyData(self.data, position)
        self.scans.append(
            Scan(
                components,
                tuple([self._decoder(0, table) if needs_dc else None for table in dc]),
                tuple([self._decoder(1, table) if needs_ac else None for table in ac]),
                progression if self.progressive else None,
                self.restart_interval,
                entropy,
            )
        )
        self._check_size(components, (2 if not self.progressive else int(start == 0)), entropy)
        return entropy.end

    def _decoder(self, kind: int, table: int) -> _core.HuffmanDecoder:
        if (kind, table) not in self.huffman:
            raise self._error(f"no {'AC' if kind else 'DC'} Huffman table {table}")
        try:
            return huffman_decoder(self.huffman[kind, table], kind == 0)
        except ValueError as error:
            raise self._error(f"{'AC' if kind else 'DC'} Huffman table {table}: {error}") from None

    def _progress(
        self, components: tuple[int, ...], start: int, end: int, high: int, low: int
    ) -> None:
        """Check that a scan brings what is still missing, and nothing twice (G.1.1.1)."""
        if not self.progressive:  # as libjpeg, whatever the header says of Ss, Se, Ah and Al
            for c in components:
                if self.precision[c][0] >= 0:
                    raise self._error(f"a second scan of component {c}")
                self.precision[c][0] = 0
            return
        if start > end or end > 63 or low > 13 or (start == 0) != (end == 0):
            raise self._error(f"a scan with Ss={start}, Se={end}, Ah={high}, Al={low}")
        if start > 0 and len(components) > 1:
            raise self._error("an AC scan of several components")
        for c in components:
            precision = self.precision[c]
            if start > 0 and precision[0] < 0:
                raise self._error(f"AC coefficients of component {c} before its DC")
            for k in range(start, end + 1):
                if high != max(precision[k], 0) or (precision[k] >= 0) != (high > 0):
                    raise self._error(f"coefficient {k} of component {c} is sent out of turn")
                if high and low != high - 1:
                    raise self._error(f"a refinement scan from bit {high} to bit {low}")
                precision[k] = low

    def _check_size(
        self, components: tuple[int, ...], bits: int, entropy: _core.EntropyData
    ) -> None:
        """Fail before allocating if the data cannot hold so many bits for each block."""
        assert self.header is not None
        sizes = self.header.blocks
        blocks = sum([sizes[c] for c in components])
        self.visits += blocks
        if self.visits > max(FEW_VISITS, MAX_VISITS * sum(sizes)):
            raise self._error(f"scans that visit the blocks more than {MAX_VISITS} times")
        if blocks * bits > entropy.size * 8:
            raise MalformedJpeg(
                f"{entropy.size} bytes of entropy-coded data for {blocks} blocks",
                offset=entropy.end,
                hint="the file is cut short" if entropy.end == len(self.data) else None,
            )

    def _finish(self) -> JpegFile:
        if self.header is None:
            raise self._error("EOI before a frame header")
        tables = [table for table in self.tables if table is not None]
        if len(tables) != len(self.tables):
            raise self._error("EOI before every component had its scan")
        color = "gray" if len(tables) == 1 else self._color(self.header.ids)
        return JpegFile(self.header.frame, color, tables, self.scans, self.segments)

    def _color(self, ids: bytes) -> str:
        """Color space as libjpeg decides it: by JFIF, Adobe's last marker, or the identifiers."""
        for marker, payload in ((s.marker, s.payload) for s in self.segments):
            if marker == markers.APP0 and payload.startswith(markers.JFIF) and len(payload) >= 14:
                return "ycc"
        for marker, payload in ((s.marker, s.payload) for s in reversed(self.segments)):
            if marker == markers.APP14 and payload.startswith(markers.ADOBE) and len(payload) >= 12:
                return "ycc" if payload[11] else "rgb"
        return "rgb" if ids == b"RGB" else "ycc"


# ---- Segments, most of which many files have in common ----


@lru_cache(_CACHED)
def read_quantization(payload: bytes) -> tuple[tuple[int, Table], ...]:
    """Return the destinations and tables of a DQT segment (B.2.4.1); ValueError if it is bad."""
    found: list[tuple[int, Table]] = []
    i = 0
    while i < len(payload):
        wide, table = payload[i] >> 4, payload[i] & 15
        size = 128 if wide else 64
        if len(found) == MAX_TABLES:
            raise ValueError(f"a DQT segment of more than {MAX_TABLES} tables")
        if wide > 1 or table > 3 or len(payload) < i + 1 + size:
            raise ValueError("a DQT segment with a wrong precision, destination or length")
        try:
            found.append((table, table_from_zigzag(payload[i + 1 : i + 1 + size])))
        except ValueError as error:
            raise ValueError(f"{error} in table {table}") from None
        i += 1 + size
    return tuple(found)


@lru_cache(_CACHED)
def read_huffman(payload: bytes) -> tuple[tuple[tuple[int, int], HuffmanTable], ...]:
    """Return the (class, destination) and tables of a DHT segment (B.2.4.2); ValueError if bad."""
    found: list[tuple[tuple[int, int], HuffmanTable]] = []
    i = 0
    while i < len(payload):
        bits = payload[i + 1 : i + 17]
        values = payload[i + 17 : i + 17 + sum(bits)]
        kind, table = payload[i] >> 4, payload[i] & 15
        if len(found) == MAX_TABLES:
            raise ValueError(f"a DHT segment of more than {MAX_TABLES} tables")
        if kind > 1 or table > 3 or len(bits) < 16 or sum(bits) > 256:
            raise ValueError("a DHT segment with a wrong class, destination or length")
        if len(values) != sum(bits):
            raise ValueError("a DHT segment that is shorter than its counts say")
        found.append(((kind, table), (bits, values)))
        i += 17 + len(values)
    return tuple(found)


class FrameHeader(NamedTuple):
    """What a SOF segment says of the components: one entry for each."""

    frame: _core.Frame
    ids: bytes
    tables: bytes
    blocks: tuple[int, ...]  # MCU padding not counted


@lru_cache(_CACHED)
def read_frame(payload: bytes) -> FrameHeader:
    """Read a SOF segment of the right length and size (B.2.2); ValueError if the rest is bad."""
    ids, factors, tables = payload[6::3], payload[7::3], payload[8::3]
    sampling = [(factor >> 4, factor & 15) for factor in factors]
    for i, (h, v), table in zip(ids, sampling, tables, strict=True):
        if not (1 <= h <= 4 and 1 <= v <= 4) or table > 3:
            raise ValueError(f"sampling or table of component {i} out of range")
    if len(set(ids)) != len(ids):
        raise ValueError("two components with the same identifier")
    frame = _core.Frame(int.from_bytes(payload[3:5]), int.from_bytes(payload[1:3]), sampling)
    return FrameHeader(frame, ids, tables, tuple(map(math.prod, frame.block_shapes)))


class ScanHeader(NamedTuple):
    """What a SOS segment says: of each component its index, its tables; Ss, Se, Ah, Al."""

    components: tuple[int, ...]
    dc: tuple[int, ...]
    ac: tuple[int, ...]
    progression: tuple[int, int, int, int]


@lru_cache(_CACHED)
def read_scan(payload: bytes, header: FrameHeader) -> ScanHeader:
    """Read a SOS segment (B.2.3); ValueError if it is bad."""
    if not payload or not 1 <= payload[0] <= 3 or len(payload) != 4 + 2 * payload[0]:
        raise ValueError(f"a SOS segment of {len(payload)} bytes")
    ids, tables = payload[1:-3:2], payload[2:-3:2]
    if not set(ids) <= set(header.ids) or len(set(ids)) != payload[0]:
        raise ValueError("a scan of components that the frame does not have")
    components = tuple(map(header.ids.index, ids))
    if len(components) > 1:
        blocks = sum(math.prod(header.frame.sampling[c]) for c in components)
        if blocks > 10:
            raise ValueError(f"{blocks} blocks in an MCU, at most 10")
    return ScanHeader(
        components,
        tuple(table >> 4 for table in tables),
        tuple(table & 15 for table in tables),
        (payload[-3], payload[-2], payload[-1] >> 4, payload[-1] & 15),
    )
