"""Write a baseline JPEG file around the entropy-coded data of one scan (T.81 Annex B)."""

from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np

from jpegcrypt import _core
from jpegcrypt.codec import markers
from jpegcrypt.codec.tables import ZIGZAG, HuffmanTable, Table

# Factors (H, V) of the luma component; chroma has (1, 1).
SUBSAMPLING = {"4:4:4": (1, 1), "4:2:2": (2, 1), "4:2:0": (2, 2), "4:4:0": (1, 2), "4:1:1": (4, 1)}


def frame_segments(frame: _core.Frame, tables: Sequence[Table]) -> bytes:
    """Return DQT and SOF0.

    Parameters
    ----------
    tables : sequence of uint16 array (64,)
        Distinct quantization tables; component i uses table i, the last one serves the rest.
    """
    dqt = b"".join(
        bytes([i]) + table[ZIGZAG].astype("u1").tobytes() for i, table in enumerate(tables)
    )
    sof = b"\x08" + frame.height.to_bytes(2) + frame.width.to_bytes(2) + bytes([frame.n_components])
    for i, (h, v) in enumerate(frame.sampling):
        sof += bytes([i + 1, h << 4 | v, min(i, len(tables) - 1)])
    return markers.segment(markers.DQT, dqt) + markers.segment(markers.SOF0, sof)


def frame_identity(frame: _core.Frame, tables: Sequence[Table]) -> bytes:
    """Return size, sampling and steps of a frame, the same however its segments are written.

    Parameters
    ----------
    tables : sequence of uint16 array (64,)
        One a component, natural order.
    """
    return _identity(frame, tuple([table.tobytes() for table in tables]))


@lru_cache(maxsize=64)
def _identity(frame: _core.Frame, tables: tuple[bytes, ...]) -> bytes:
    parts = [frame.width.to_bytes(2), frame.height.to_bytes(2), bytes([frame.n_components])]
    for factors, table in zip(frame.sampling, tables, strict=True):
        parts += bytes(factors), np.frombuffer(table, np.uint16).astype(">u2").tobytes()
    return b"".join(parts)


@lru_cache(maxsize=64)
def scan_segments(huffman: tuple[HuffmanTable, ...], restart_interval: int) -> bytes:
    """Return DHT, DRI and SOS.

    Parameters
    ----------
    huffman : tuple of (bytes, bytes)
        As `_core.encode_scan` returns them: AC and DC, first and, with color, second destination.
    """
    dht = b"".join(
        bytes([(1 - i % 2) << 4 | i // 2]) + bits + values
        for i, (bits, values) in enumerate(huffman)
    )
    sos = b"\3\1\0\2\x11\3\x11" if len(huffman) == 4 else b"\1\1\0"
    dri = markers.segment(markers.DRI, restart_interval.to_bytes(2)) if restart_interval else b""
    return markers.segment(markers.DHT, dht) + dri + markers.segment(markers.SOS, sos + b"\0\x3f\0")


def write_file(
    segments: Iterable[bytes], frame: bytes, scan_start: bytes, scan: _core.Buffer
) -> bytes:
    """Return the file: SOI, segments, DQT, SOF0, DHT, DRI, SOS, scan, EOI.

    Parameters
    ----------
    segments : iterable of bytes
        Whole APPn and COM segments, marker included.
    frame, scan_start : bytes
        Of `frame_segments` and `scan_segments`.
    scan : buffer
        Of `_core.encode_scan`.
    """
    return b"".join((b"\xff\xd8", *segments, frame, scan_start, scan, b"\xff\xd9"))


@lru_cache
def jfif_segment(dpi: tuple[float, float] | None = None) -> bytes:
    """Return the JFIF APP0 segment; without `dpi` the density is a 1:1 aspect ratio.

    Examples
    --------
    >>> jfif_segment().hex()
    'ffe000104a46494600010100000100010000'
    """
    x, y = (round(value) for value in dpi) if dpi else (1, 1)
    if not (1 <= x <= 65535 and 1 <= y <= 65535):
        raise ValueError(f"dpi {dpi}, expected 1 to 65535")
    payload = markers.JFIF + bytes([1, 1, bool(dpi)]) + x.to_bytes(2) + y.to_bytes(2) + b"\0\0"
    return markers.segment(markers.APP0, payload)


def exif_segment(exif: bytes) -> bytes:
    """Return the APP1 segment of EXIF data given without its identifier."""
    return markers.segment(markers.APP1, markers.EXIF + exif)


def xmp_segment(xmp: bytes) -> bytes:
    """Return the APP1 segment of an XMP packet."""
    return markers.segment(markers.APP1, markers.XMP + xmp)


def icc_segments(profile: bytes) -> list[bytes]:
    """Return the APP2 segments of an ICC profile, split as ICC.1 Annex B asks."""
    size = markers.MAX_PAYLOAD - len(markers.ICC) - 2
    chunks = [profile[i : i + size] for i in range(0, len(profile), size)]
    if len(chunks) > 255:
        raise ValueError(f"an ICC profile of {len(profile)} bytes, at most {255 * size}")
    return [
        markers.segment(markers.APP2, markers.ICC + bytes([i, len(chunks)]) + chunk)
        for i, chunk in enumerate(chunks, start=1)
    ]


def comment_segment(comment: bytes) -> bytes:
    """Return the COM segment."""
    return markers.segment(markers.COM, comment)
