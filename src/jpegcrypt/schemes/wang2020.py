"""Wang, Xia, Fei, Xiao 2020: AES on small units, random mapping of the cipher, bags of words.

Re-implementation after "An AES-based secure image retrieval scheme using random mapping and BOW in
cloud computing", IEEE Access 8, pages 61138-61147. Pictures are encrypted by AES; the server maps
the encrypted data at random to local features, clusters them into visual words, and compares bags
of those.

Ours by choice, where the sources at hand are silent: AES-128 in ECB mode on units of 4x4 pixels of
a channel, under a key that the data set shares, so that equal units look equal in all pictures,
which is all that a search can build on; a fixed hash maps a unit to 64 signs, of which the mean
over a 16x16 block is its local feature; 500 words, L1. Nothing depends on the nonce.

What leaks: which units of 4x4 pixels are equal, within a picture and among all pictures, hence flat
areas and the outline of what they surround.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from jpegcrypt.schemes.envelope import Channels
from jpegcrypt.schemes.interface import Descriptor, Features, Metric, Pixels
from jpegcrypt.schemes.pixels import PixelScheme, Streams, file_channels, from_blocks, to_blocks

UNIT = 4  # 4x4 bytes make a block of AES
SIDE = 16
BITS = 64

# The finalizer of SplitMix64: any hash would do, this one is a formula.
_MULTIPLIERS = np.array([0xBF58476D1CE4E5B9, 0x94D049BB133111EB], np.uint64)
_INCREMENT = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wang2020(PixelScheme):
    """As the module says."""

    ID: ClassVar[int] = 13
    BLOCK: ClassVar[int] = SIDE
    descriptor: ClassVar[Descriptor] = "words"
    words: ClassVar[int] = 500
    metric: ClassVar[Metric] = "cityblock"

    def scramble(self, channels: Pixels, streams: Streams) -> Channels:
        """Encrypt each unit."""
        return _each_unit(channels, _cipher(streams).encryptor().update)

    def unscramble(self, channels: Channels, streams: Streams) -> Pixels:
        """Undo `scramble`."""
        return _each_unit(channels.astype(np.uint8), _cipher(streams).decryptor().update)

    def features(self, data: bytes) -> Features:
        """Return the mean signs of the units of each 16x16 block, float32 (n, 64)."""
        blocks = to_blocks(file_channels(data, SIDE, np.uint8), SIDE)
        n, c = blocks.shape[:2]
        units = to_blocks(blocks.reshape(n * c, SIDE, SIDE), UNIT).reshape(-1, n * c, UNIT**2)
        hashes = _hash(units).reshape(-1, n, c).transpose(1, 0, 2).reshape(n, -1)
        bits = np.unpackbits(hashes[:, :, None].astype("<u8").view(np.uint8), axis=2)
        signs: Features = (2 * bits.mean(1, dtype=np.float32) - 1).astype(np.float32)
        return signs

    def invariants(self, data: bytes) -> Mapping[str, npt.NDArray[Any]]:
        """How many units are equal, sorted."""
        units = to_blocks(file_channels(data, SIDE, np.uint8), UNIT).reshape(-1, UNIT**2)
        _, counts = np.unique(units.view(np.uint64), axis=0, return_counts=True)
        return {"equal units": np.sort(counts)}


def _cipher(streams: Streams) -> Cipher[modes.ECB]:
    return Cipher(algorithms.AES128(streams.shared_key("units")[:16]), modes.ECB())


def _each_unit(channels: Pixels, step: Any) -> Pixels:
    units = to_blocks(channels, UNIT)
    done = np.frombuffer(step(units.tobytes()), np.uint8).reshape(units.shape)
    return from_blocks(done, channels.shape)


def _hash(units: Pixels) -> npt.NDArray[np.uint64]:
    """Return 64 bits for each unit, (..., 16) to (...)."""
    words = np.ascontiguousarray(units).view("<u8").astype(np.uint64)
    return _mix(words[..., 0] ^ _mix(words[..., 1]))


def _mix(z: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    z = z + _INCREMENT
    z = (z ^ z >> np.uint64(30)) * _MULTIPLIERS[0]
    z = (z ^ z >> np.uint64(27)) * _MULTIPLIERS[1]
    return z ^ z >> np.uint64(31)
