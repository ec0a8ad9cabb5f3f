"""Xu, Gong, Xiong, Xu, Wang, Shi 2017: split by an orthogonal matrix, one half enciphered.

Re-implementation after "A privacy-preserving content-based image retrieval method in cloud
environment", Journal of Visual Communication and Image Representation 43, pages 164-172. A picture
is divided into two components by a random orthogonal matrix; one is encrypted by AES, the other
stays in clear for the server to take features from.

Ours by choice, where the abstract is silent: 8x8 blocks of each channel as vectors of 64,
level-shifted by 128; one public matrix from Gaussian values: whoever gets features out of the clear
half knows its rows, and with them the space of the others, so all secrecy is that of AES. Of the 64
rows the first 32 make the enciphered half, the others the half in clear. Products are kept as
16-bit integers, 31 to the unit: their errors of 1/62 add up to 8/62 at most in a pixel, so the very
pixels come back. The server projects the clear half back; features are a histogram of hue,
saturation and value (8 x 3 x 3) of what it then sees, and histograms of the means and deviations of
its blocks; Euclidean distance. The paper's features are not known, and ours are not tuned to its
numbers. AES-256 in counter mode is the stream of `cipher.stream`.

A file is a container of parts (`envelope`): size, the enciphered half, the half in clear; both
halves little-endian int16, 32 products a block, channel by channel.

What leaks: half of the picture. The projection shows it as if under strong noise.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from PIL import Image

from jpegcrypt.cipher.stream import KeyStream
from jpegcrypt.encoder import as_pixels
from jpegcrypt.errors import MalformedJpeg
from jpegcrypt.key import Key
from jpegcrypt.schemes import envelope, statistics
from jpegcrypt.schemes.interface import Descriptor, Domain, Features, Metric, Pixels
from jpegcrypt.schemes.pixels import (
    Streams,
    from_blocks,
    from_channels,
    to_blocks,
    to_channels,
    whole,
)

SIDE = 8
SIZE = SIDE**2
HALF = SIZE // 2
UNIT = 31  # products are at most 8 * 128 in magnitude: 31 times that fits 16 bits

_Matrix = npt.NDArray[np.float64]
_Halves = npt.NDArray[np.int16]  # (vectors, 32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Xu2017:
    """As the module says."""

    ID: ClassVar[int] = 12
    domain: ClassVar[Domain] = "pixels"
    is_jpeg: ClassVar[bool] = False
    lossless: ClassVar[bool] = True
    tolerance: ClassVar[float] = 0.0
    descriptor: ClassVar[Descriptor] = "features"
    words: ClassVar[int] = 0
    metric: ClassVar[Metric] = "euclidean"

    def plain(self, picture: Pixels) -> bytes:
        """As in `interface.Scheme`: both halves in clear."""
        pixels = as_pixels(picture)
        first, second = _split(pixels)
        size = envelope.size_text(pixels.shape).encode()
        return envelope.write_parts([size, first.tobytes(), second.tobytes()])

    def encrypt(self, picture: Pixels, key: Key, nonce: bytes) -> bytes:
        """As in `interface.Scheme`."""
        pixels = as_pixels(picture)
        header = envelope.make_header(self.ID, key, nonce)
        first, second = _split(pixels)
        size = envelope.size_text(pixels.shape).encode()
        secret = _xor(first.tobytes(), key, nonce)
        return envelope.write_parts([size, secret, second.tobytes()], header)

    def decrypt(self, data: bytes, key: Key) -> Pixels:
        """As in `interface.Scheme`."""
        parts, payload = envelope.read_parts(data)
        header = envelope.open_header(payload, self.ID, key)
        shape, secret, second = _read(parts)
        first = np.frombuffer(_xor(secret, key, header.nonce), "<i2").reshape(second.shape)
        return _join(np.concatenate([first, second], axis=1), _matrix(), shape)

    def features(self, data: bytes) -> Features:
        """Return histograms of what the clear half shows, float32 (104,), or (48,) of gray."""
        shape, _, second = _read(envelope.read_parts(data)[0])
        seen = _join(second, _matrix()[HALF:], shape)
        if seen.ndim == 2:
            colors = np.bincount(seen.ravel() >> 4, minlength=16)
        else:
            hue, saturation, value = (
                np.asarray(c).astype(np.intp) for c in Image.fromarray(seen).convert("HSV").split()
            )
            bins = (hue >> 5) * 9 + saturation * 3 // 256 * 3 + value * 3 // 256
            colors = np.bincount(bins.ravel(), minlength=72)
        blocks = to_blocks(to_channels(seen, SIDE), SIDE).reshape(-1, SIZE)
        means = np.bincount((blocks.mean(1) / 16).astype(np.intp), minlength=16)
        deviations = np.bincount((blocks.std(1) / 8).astype(np.intp), minlength=16)  # 127.5 at most
        parts = [statistics.normalized(counts) for counts in (colors, means, deviations)]
        return np.concatenate(parts)

    def invariants(self, data: bytes) -> Mapping[str, npt.NDArray[Any]]:
        """The half in clear."""
        return {"clear half": _read(envelope.read_parts(data)[0])[2]}


@cache
def _matrix() -> _Matrix:
    """Return the orthogonal matrix: the Q of Gaussian values (Box and Muller), R positive."""
    stream = KeyStream(bytes(32))  # public, as its key is
    uniform = (stream.read(8 * SIZE**2).view("<u4").astype(np.float64) + 0.5) / (1 << 32)
    radius, angle = uniform.reshape(2, -1)
    gaussian = np.sqrt(-2 * np.log(radius)) * np.cos(2 * np.pi * angle)
    q, r = np.linalg.qr(gaussian.reshape(SIZE, SIZE))
    matrix: _Matrix = (q * np.sign(np.diag(r))).T
    return matrix


def _split(pixels: Pixels) -> tuple[_Halves, _Halves]:
    """Return both halves of the products of all blocks, little-endian int16 (vectors, 32)."""
    vectors = to_blocks(to_channels(pixels, SIDE), SIDE).reshape(-1, SIZE).astype(np.float64) - 128
    products = np.rint(vectors @ (UNIT * _matrix()).T).astype("<i2")
    return np.ascontiguousarray(products[:, :HALF]), np.ascontiguousarray(products[:, HALF:])


def _join(products: _Halves, rows: _Matrix, shape: tuple[int, int, int]) -> Pixels:
    """Project products back by the rows that they come from, all 64 or the clear ones."""
    vectors = products @ (rows / UNIT) + 128
    n_channels, height, width = shape
    blocks = np.clip(np.rint(vectors), 0, 255).astype(np.uint8)
    padded = n_channels, whole(height, SIDE), whole(width, SIDE)
    return from_channels(from_blocks(blocks.reshape(-1, n_channels, SIDE, SIDE), padded), shape)


def _read(parts: list[bytes]) -> tuple[tuple[int, int, int], bytes, _Halves]:
    """Return the shape, the enciphered half, and the half in clear; checks all sizes."""
    shape = envelope.shape_of(parts[0].decode("ascii", "replace"))
    n = shape[0] * whole(shape[1], SIDE) * whole(shape[2], SIDE) // SIZE
    if [len(part) for part in parts[1:]] != [2 * HALF * n] * 2:
        raise MalformedJpeg(f"found parts of other sizes than two of {2 * HALF * n} bytes")
    return shape, parts[1], np.frombuffer(parts[2], "<i2").reshape(n, HALF)


def _xor(data: bytes, key: Key, nonce: bytes) -> bytes:
    stream = Streams("Xu2017", key, nonce).picture("half")
    return (np.frombuffer(data, np.uint8) ^ stream.read(len(data))).tobytes()
