"""The JPEG scan bit by bit, and the cipher of lu2022 in float64: slow, plain, nothing of jpegcrypt.

Keys, plan and tag are those of `format_reader`; where that one repeats the fixed-point arithmetic
of the format, this one computes what it approximates.
"""

import functools
import itertools
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from format_reader import component_label, image_keys, plan, read_header, read_picture

# --- JPEG: segments and symbols (T.81 Annexes B, C, F) ------------------------------------------

COMPONENTS = ("Y", "Cb", "Cr")
STANDALONE = {0x01, *range(0xD0, 0xDA)}  # TEM, RSTn, SOI, EOI
ZIGZAG = sorted(
    itertools.product(range(8), repeat=2),
    key=lambda vu: (sum(vu), vu[0] if sum(vu) % 2 else vu[1]),
)  # (v, u): odd diagonals run down to the left, even ones up to the right


class Segment(NamedTuple):
    """A marker with what follows: payload is `data[start:end]`, entropy-coded data included."""

    marker: int
    offset: int
    start: int
    end: int


def segments(data: bytes) -> Iterator[Segment]:
    """Walk over the markers of a valid file."""
    position = 0
    while position < len(data):
        assert data[position] == 0xFF, position
        marker, offset = data[position + 1], position
        position += 2
        start = end = position
        if marker not in STANDALONE:
            start, end = position + 2, position + int.from_bytes(data[position : position + 2])
        if marker == 0xDA:
            while data[end] != 0xFF or data[end + 1] in {0, *range(0xD0, 0xD8)}:
                end += 1
        yield Segment(marker, offset, start, end)
        if marker == 0xD9:
            return
        position = end


def payloads(data: bytes, marker: int) -> list[bytes]:
    return [data[s.start : s.end] for s in segments(data) if s.marker == marker]


def huffman_tables(data: bytes) -> dict[int, dict[str, int]]:
    """Return, for each Tc << 4 | Th, the symbol of each code written as a string of bits."""
    tables: dict[int, dict[str, int]] = {}
    for payload in payloads(data, 0xC4):
        while payload:
            bits, code, codes = payload[1:17], 0, {}
            values = iter(payload[17 : 17 + sum(bits)])
            for length, count in enumerate(bits, 1):
                for _ in range(count):
                    codes[f"{code:0{length}b}"] = next(values)
                    code += 1
                assert code < 1 << length, "the code of all ones is reserved"
                code <<= 1
            tables[payload[0]] = codes
            payload = payload[17 + sum(bits) :]
    return tables


@dataclass
class Symbols:
    """What the only scan of a baseline file holds.

    `histogram` counts (table, symbol); `blocks` lists (component, 64 coefficients in zig-zag
    order) as coded, MCU padding included; `bits` counts all bits but padding of intervals.
    """

    histogram: Counter[tuple[int, int]]
    blocks: list[tuple[int, list[int]]]
    bits: int


def read_symbols(data: bytes) -> Symbols:
    """Decode one interleaved baseline scan bit by bit."""
    tables = huffman_tables(data)
    (frame,), (scan,) = payloads(data, 0xC0), payloads(data, 0xDA)
    n = frame[5]
    height, width = int.from_bytes(frame[1:3]), int.from_bytes(frame[3:5])
    factors = [(frame[7 + 3 * c] >> 4, frame[7 + 3 * c] & 15) for c in range(n)]
    if n == 1:
        factors = [(1, 1)]
    mcus = -(-width // (8 * max(h for h, _ in factors))) * -(
        -height // (8 * max(v for _, v in factors))
    )
    interval = next((int.from_bytes(p) for p in payloads(data, 0xDD)), 0) or mcus
    entropy, intervals = scan[4 + 2 * n :], []
    for i in itertools.count():
        part, _, rest = entropy.partition(bytes([0xFF, 0xD0 + i % 8]))
        plain = b"\1" + part.replace(b"\xff\0", b"\xff")  # the 1 keeps leading zeros
        intervals.append(f"{int.from_bytes(plain):b}"[1:])
        if not rest:
            break
        entropy = rest
    assert len(intervals) == -(-mcus // interval)

    result = Symbols(Counter(), [], 0)
    for i, bits in enumerate(intervals):
        at, prediction = 0, [0] * n

        def symbol(table: int, bits: str = bits) -> int:
            nonlocal at
            end = next(e for e in range(at + 1, at + 17) if bits[at:e] in tables[table])
            found = tables[table][bits[at:end]]
            result.histogram[table, found] += 1
            at = end
            return found

        def value(size: int, bits: str = bits) -> int:
            nonlocal at
            text, at = bits[at : at + size], at + size
            return int(text or "0", 2) - (0 if text.startswith("1") else (1 << size) - 1)

        for _ in range(min(interval, mcus - i * interval)):
            for c, (h, v) in enumerate(factors):
                destinations = scan[2 + 2 * c]
                for _ in range(h * v):
                    block, k = [0] * 64, 1
                    prediction[c] += value(symbol(destinations >> 4))
                    block[0] = prediction[c]
                    while k < 64 and (run_size := symbol(0x10 | destinations & 15)) != 0:
                        k += run_size >> 4
                        block[k] = value(run_size & 15) if run_size & 15 else 0
                        k += 1
                    result.blocks.append((c, block))
        result.bits += at
        assert set(bits[at:]) <= {"1"}
        assert len(bits) - at < 8
    return result


# --- banks --------------------------------------------------------------------------------------


def dct() -> np.ndarray:
    return np.array(
        [
            [
                math.sqrt((1 if i == 0 else 2) / 8) * math.cos(math.pi * (2 * n + 1) * i / 16)
                for n in range(8)
            ]
            for i in range(8)
        ]
    )


@functools.cache
def matrix(bank: int, byte: int) -> np.ndarray:
    """The matrix that a byte of the key stream chooses from the bank with this id in the file."""
    m, k = dct(), byte % (256 if bank == 3 else 128)
    if bank == 1:
        angles = zip((23, 43, 67, 89, 109, 121), (90, 35, 121, 62, 8, 103), strict=True)
        for j, (alpha, beta) in enumerate(angles, 1):
            theta = 0.35 * ((alpha * k + beta) % 128 - 63.5) / 63.5
            turn = np.eye(8)
            turn[j, j] = turn[j + 1, j + 1] = math.cos(theta)
            turn[j, j + 1], turn[j + 1, j] = -math.sin(theta), math.sin(theta)
            m = turn @ m
        signs = [(k ^ k >> 6) & 1] + [k >> i & 1 for i in range(7)]
    elif bank == 2:
        signs = [k >> {0: 6, 4: 6, 2: 5, 6: 5, 1: 3, 7: 3, 3: 1, 5: 1}[i] & 1 for i in range(8)]
    else:
        signs = [k >> i & 1 for i in range(8)]
    return np.array([-row if sign else row for sign, row in zip(signs, m, strict=True)])


# --- blocks -------------------------------------------------------------------------------------


def component_blocks(image: np.ndarray, sampling: Sequence[tuple[int, int]]) -> list[np.ndarray]:
    """Return the samples of each component, rounded, as blocks (n, 8, 8) in raster order."""
    height, width = image.shape[:2]
    if image.ndim == 2:
        planes = [image.astype(float)]
    else:
        r, g, b = np.moveaxis(image.astype(float), 2, 0)
        planes = [
            0.299 * r + 0.587 * g + 0.114 * b,
            -0.168735892 * r - 0.331264108 * g + 0.5 * b + 128,
            0.5 * r - 0.418687589 * g - 0.081312411 * b + 128,
        ]
    h_max, v_max = (max(f[i] for f in sampling) for i in range(2))
    blocks = []
    for samples, (h, v) in zip(planes, sampling, strict=True):
        x, y = h_max // h, v_max // v  # pixels of a sample
        rows, columns = -(-height // (8 * y)), -(-width // (8 * x))
        padded = np.pad(
            samples, ((0, rows * 8 * y - height), (0, columns * 8 * x - width)), mode="edge"
        )
        mean = padded.reshape(rows * 8, y, columns * 8, x).mean((1, 3))
        tiles = np.rint(mean).clip(0, 255).reshape(rows, 8, columns, 8)
        blocks.append(tiles.swapaxes(1, 2).reshape(-1, 8, 8))
    return blocks


def encrypt_blocks(blocks: np.ndarray, key: bytes, bank: int) -> np.ndarray:
    """Return the cipher coefficients of one component before quantization, (n, 8, 8)."""
    out = np.empty(blocks.shape)
    for o, (record, source) in enumerate(zip(*plan(key, len(blocks)), strict=True)):
        x = np.rot90(blocks[source] - 128, -(record[9] & 3))  # clockwise
        y = x @ matrix(bank, record[0]).T
        for u in range(8):
            out[o, :, u] = matrix(bank, record[1 + u]) @ y[:, u]
    return out


def level_shifts(steps: np.ndarray, level: int, n: int, key: bytes, bank: int) -> np.ndarray:
    """What the level shift takes from the DC value of each cipher block, in steps, (n,)."""
    shift = int(np.sign(level - 128)) * int(8 * abs(level - 128) / steps[0, 0] + 0.5)
    signs = [np.sign(matrix(bank, r[0])[0, 0] * matrix(bank, r[1])[0, 0]) for r in plan(key, n)[0]]
    out: np.ndarray = shift * np.array(signs)
    return out


def wrapped(dc: np.ndarray, near: np.ndarray | int, steps: np.ndarray) -> np.ndarray:
    """DC values of the same meaning, nearest to others: moved by whole ranges of values."""
    values = 2 * min(1023, int(1024 / steps[0, 0] + 0.5)) + 1
    out: np.ndarray = dc - values * np.rint((dc - near) / values)
    return out


def reconstruct(blocks: np.ndarray, full_resolution: bool) -> np.ndarray:
    """Quantized values to where in their step they are taken to lie: AC 1/16 nearer to zero."""
    shrink = np.full((8, 8), 1 / 16 if full_resolution else 0)
    shrink[0, 0] = 0
    out: np.ndarray = blocks - np.sign(blocks) * shrink
    return out


def decrypt_blocks(coefficients: np.ndarray, key: bytes, bank: int) -> np.ndarray:
    """Undo `encrypt_blocks` on dequantized coefficients: samples, not yet rounded."""
    out = np.empty(coefficients.shape)
    for o, (record, source) in enumerate(zip(*plan(key, len(coefficients)), strict=True)):
        y = np.empty((8, 8))
        for u in range(8):
            y[:, u] = matrix(bank, record[1 + u]).T @ coefficients[o, :, u]
        out[source] = np.rot90(y @ matrix(bank, record[0]), record[9] & 3) + 128
    return out.clip(0, 255)


def widen(plane: np.ndarray, factor: int, axis: int) -> np.ndarray:
    """Upsample along an axis: 3/4 near and 1/4 far sample for 2, repetition for others."""
    if factor != 2:
        return plane.repeat(factor, axis)
    last = plane.shape[axis] - 1
    indices = np.arange(last + 1)
    before = 0.75 * plane + 0.25 * plane.take((indices - 1).clip(0), axis)
    after = 0.75 * plane + 0.25 * plane.take((indices + 1).clip(None, last), axis)
    wide = np.stack([before, after], axis + 1)
    shape = list(plane.shape)
    shape[axis] *= 2
    return wide.reshape(shape)


def decrypt(data: bytes, secret: bytes) -> np.ndarray:
    """Return the decrypted picture in float64, (H, W) or (H, W, 3); verify nothing."""
    head, picture = read_header(data)[0], read_picture(data)
    keys = image_keys(secret, head.nonce)
    h_max, v_max = np.max(picture.sampling, axis=0)
    planes = []
    for label, blocks, table, level, (h, v) in zip(
        COMPONENTS, picture.blocks, picture.steps, head.levels, picture.sampling, strict=False
    ):
        rows, columns = blocks.shape[:2]
        full = (h, v) == (h_max, v_max)
        key = keys(component_label(label, head, blocks))
        cipher = (reconstruct(blocks, full) * table).reshape(-1, 8, 8)
        shifts = level_shifts(table, level, rows * columns, key, head.bank)
        dc = blocks[:, :, 0, 0].ravel() + shifts
        cipher[:, 0, 0] = wrapped(dc, 0, table) * table[0, 0]
        samples = np.rint(decrypt_blocks(cipher, key, head.bank))
        plane = samples.reshape(rows, columns, 8, 8).swapaxes(1, 2)
        plane = plane.reshape(rows * 8, columns * 8)
        plane = plane[: -(-picture.height * v // v_max), : -(-picture.width * h // h_max)]
        plane = widen(widen(plane, v_max // v, 0), h_max // h, 1)
        planes.append(plane[: picture.height, : picture.width])
    if len(planes) == 1:
        return planes[0]
    y, cb, cr = planes[0], planes[1] - 128, planes[2] - 128
    rgb = [y + 1.402 * cr, y - 0.344136286 * cb - 0.714136286 * cr, y + 1.772 * cb]
    return np.stack(rgb, 2).clip(0, 255)


def encrypt(image: np.ndarray, data: bytes, secret: bytes) -> list[np.ndarray]:
    """Return the coefficients that a file made from `image` should hold, before quantization and
    before DC values are wrapped.

    The file gives nonce, bank, level shifts and sampling; (n, 8, 8) of each component, in raster
    order.
    """
    head, picture = read_header(data)[0], read_picture(data)
    keys = image_keys(secret, head.nonce)
    out = []
    for label, blocks, found, table, level in zip(
        COMPONENTS,
        component_blocks(image, picture.sampling),
        picture.blocks,
        picture.steps,
        head.levels,
        strict=False,
    ):
        key = keys(component_label(label, head, found))
        exact = encrypt_blocks(blocks, key, head.bank)
        exact[:, 0, 0] -= level_shifts(table, level, len(blocks), key, head.bank) * table[0, 0]
        out.append(exact)
    return out
