"""Quantization and Huffman tables of ITU-T T.81 Annex K, and the quality scale of the IJG."""

from functools import cache, lru_cache

import numpy as np
import numpy.typing as npt

from jpegcrypt import _core

_CACHED = 64  # tables of other people's files come without end

Table = npt.NDArray[np.uint16]  # 64 steps in natural order
HuffmanTable = tuple[bytes, bytes]  # BITS (16 counts) and HUFFVAL of B.2.4.2

# Figure A.6: zig-zag position -> natural (row-major) index.
ZIGZAG = np.array(
    sorted(range(64), key=lambda i: (s := i // 8 + i % 8, i // 8 if s % 2 else i % 8)), np.intp
)

# Tables K.1 and K.2.
LUMINANCE = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ],
    np.uint16,
).ravel()
CHROMINANCE = np.array(
    [
        [17, 18, 24, 47, 99, 99, 99, 99],
        [18, 21, 26, 66, 99, 99, 99, 99],
        [24, 26, 56, 99, 99, 99, 99, 99],
        [47, 66, 99, 99, 99, 99, 99, 99],
        *[[99] * 8] * 4,
    ],
    np.uint16,
).ravel()


# What a quality scales: luminance and chrominance table. "flat" spends bits for the squared error
# alone, where Annex K weighs what the eye sees.
_FLAT = np.full(64, 16, np.uint16)
PRESETS = {"annex-k": (LUMINANCE, CHROMINANCE), "flat": (_FLAT, _FLAT)}


def quality_scale(table: Table, quality: int) -> Table:
    """Scale a table by the IJG rule: 50 leaves it, 1 is coarsest, 100 makes every step 1.

    Examples
    --------
    >>> quality_scale(LUMINANCE, 75)[:4].tolist()
    [8, 6, 5, 8]
    """
    if not 1 <= quality <= 100:
        raise ValueError(f"quality {quality}, expected 1 to 100")
    percent = 5000 // quality if quality < 50 else 200 - 2 * quality
    return np.clip((table.astype(np.int64) * percent + 50) // 100, 1, 255).astype(np.uint16)


@cache
def quality_tables(quality: int, preset: str = "annex-k") -> tuple[Table, Table]:
    """Return the luminance and chrominance table of a quality, read-only.

    Parameters
    ----------
    preset : {"annex-k", "flat"}

    Examples
    --------
    >>> [int(table.max()) for table in quality_tables(100)]
    [1, 1]
    """
    luminance, chrominance = PRESETS[preset]
    tables = quality_scale(luminance, quality), quality_scale(chrominance, quality)
    for table in tables:
        table.flags.writeable = False
    return tables


@lru_cache(maxsize=_CACHED)
def quantizer(steps: bytes) -> _core.Quantizer:
    """Return the kernels' form of a table given as the bytes of its uint16 array."""
    return _core.Quantizer(np.frombuffer(steps, np.uint16))


@lru_cache(maxsize=_CACHED)
def huffman_decoder(table: HuffmanTable, is_dc: bool) -> _core.HuffmanDecoder:
    """Return the decoder of a Huffman table; ValueError if it makes no prefix code."""
    return _core.HuffmanDecoder(*table, is_dc)


@lru_cache(_CACHED)
def table_from_zigzag(steps: bytes) -> Table:
    """Return a table from the 64 or 128 bytes of a DQT segment (B.2.4.1), read-only.

    Raises
    ------
    ValueError
        If a step is 0.

    Examples
    --------
    >>> table_from_zigzag(bytes(range(1, 65)))[:3].tolist()
    [1, 2, 6]
    """
    table = np.empty(64, np.uint16)
    table[ZIGZAG] = np.frombuffer(steps, np.uint8 if len(steps) == 64 else ">u2")
    if not table.all():
        raise ValueError("a quantization step of 0")
    table.flags.writeable = False
    return table


# Tables K.3 to K.6, in the order of the encoder's tokens.
_DC_VALUES = bytes(range(12))
_AC_LUMINANCE = bytes.fromhex(
    "01020300041105122131410613516107227114328191a1082342b1c11552d1f02433627282090a161718191a25262728"
    "292a3435363738393a434445464748494a535455565758595a636465666768696a737475767778797a83848586878889"
    "8a92939495969798999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae1e2"
    "e3e4e5e6e7e8e9eaf1f2f3f4f5f6f7f8f9fa"
)
_AC_CHROMINANCE = bytes.fromhex(
    "000102031104052131061241510761711322328108144291a1b1c109233352f0156272d10a162434e125f11718191a"
    "262728292a35363738393a434445464748494a535455565758595a636465666768696a737475767778797a8283848586"
    "8788898a92939495969798999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9"
    "dae2e3e4e5e6e7e8e9eaf2f3f4f5f6f7f8f9fa"
)
ANNEX_K_HUFFMAN: tuple[HuffmanTable, HuffmanTable, HuffmanTable, HuffmanTable] = (
    (bytes([0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 125]), _AC_LUMINANCE),
    (bytes([0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0]), _DC_VALUES),
    (bytes([0, 2, 1, 2, 4, 4, 3, 4, 7, 5, 4, 4, 0, 1, 2, 119]), _AC_CHROMINANCE),
    (bytes([0, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0]), _DC_VALUES),
)
