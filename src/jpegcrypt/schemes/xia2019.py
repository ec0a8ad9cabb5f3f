"""Xia, Lu, Qiu, Shim, Chen, Jeon 2019: AC values and chroma substituted and moved, DC enciphered.

Re-implementation after "A privacy-preserving image retrieval based on AC-coefficients and color
histograms in cloud environment", Computers, Materials & Continua 58(1), pages 27-43. A picture
becomes Y, Cb, Cr; Y goes through the DCT. DC coefficients go through a stream cipher; AC
coefficients and the chroma get other values by permutations of the values, and other places. The
server compares a histogram of AC values and two of chroma by their Manhattan distance.

Ours by choice, where the abstract is silent: chroma at full resolution; DC values as 11-bit
offsets; the permutation of AC values takes those from -200 to 200 but zero, which stays for the
sake of runs, and leaves what lies beyond; one histogram of all AC values, 403 bins with those
beyond. Values are replaced alike in the whole data set, or histograms could not be compared; places
are drawn anew for each picture. A file is a container of parts (`envelope`): a gray JPEG of Y, then
raw Cb and Cr.

What leaks: how often values occur, under other names that serve the whole data set; which
coefficients are zero, without their place.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from PIL import Image

from jpegcrypt.cipher.additional_bits import xor_offsets
from jpegcrypt.cipher.permutation import (
    inverse,
    permutation,
    permute_columns,
    unpermute_columns,
)
from jpegcrypt.cipher.stream import KeyStream
from jpegcrypt.codec.coefficients import decode_scans
from jpegcrypt.codec.parse import parse
from jpegcrypt.encoder import DEFAULT_QUALITY, as_pixels
from jpegcrypt.errors import MalformedJpeg
from jpegcrypt.key import NONCE_SIZE, Key
from jpegcrypt.schemes import envelope, statistics
from jpegcrypt.schemes.interface import Descriptor, Domain, Features, Metric, Pixels
from jpegcrypt.schemes.quantized import (
    Blocks,
    file_blocks,
    from_blocks,
    quantize,
    show,
    to_blocks,
    write,
)

LIMIT = 200  # of the AC values that are replaced
CHROMA = ("Cb", "Cr")


@dataclass(frozen=True, slots=True, kw_only=True)
class Xia2019:
    """As the module says; settings as of `quantized.QuantizedScheme`."""

    quality: int = DEFAULT_QUALITY
    optimize: bool = True

    ID: ClassVar[int] = 10
    domain: ClassVar[Domain] = "coefficients"
    is_jpeg: ClassVar[bool] = False
    lossless: ClassVar[bool] = False
    tolerance: ClassVar[float] = 0.0
    descriptor: ClassVar[Descriptor] = "features"
    words: ClassVar[int] = 0
    metric: ClassVar[Metric] = "cityblock"

    def plain(self, picture: Pixels) -> bytes:
        """As in `interface.Scheme`."""
        luma, *chroma = _channels(picture)
        jpeg = write(*quantize(luma, self.quality, "4:4:4"), optimize=self.optimize)
        return envelope.write_parts([jpeg, *(plane.tobytes() for plane in chroma)])

    def encrypt(self, picture: Pixels, key: Key, nonce: bytes) -> bytes:
        """As in `interface.Scheme`."""
        luma, *chroma = _channels(picture)
        header = envelope.make_header(self.ID, key, nonce)
        layout, coefficients = quantize(luma, self.quality, "4:4:4")
        secret = _scramble(to_blocks(layout.frame, coefficients)[0], *_streams(key, nonce, "Y"))
        jpeg = write(layout, from_blocks(layout.frame, [secret]), optimize=self.optimize)
        parts = [jpeg]
        for c, plane in zip(CHROMA, chroma, strict=False):
            parts.append(_replace(plane.ravel(), *_streams(key, nonce, c)).tobytes())
        return envelope.write_parts(parts, header)

    def decrypt(self, data: bytes, key: Key) -> Pixels:
        """As in `interface.Scheme`."""
        parts, payload = envelope.read_parts(data)
        header = envelope.open_header(payload, self.ID, key)
        jpeg = parse(parts[0])
        frame, nonce = jpeg.frame, header.nonce
        shape = frame.height, frame.width
        if frame.n_components != 1 or [len(p) for p in parts[1:]] not in (
            [],
            [shape[0] * shape[1]] * 2,
        ):
            raise MalformedJpeg("found parts of other sizes than a gray JPEG and its chroma have")
        blocks = _unscramble(to_blocks(frame, decode_scans(jpeg))[0], *_streams(key, nonce, "Y"))
        planes = [show(jpeg, from_blocks(frame, [blocks]))]
        for c, part in zip(CHROMA, parts[1:], strict=False):
            plane = _put_back(np.frombuffer(part, np.uint8), *_streams(key, nonce, c))
            planes.append(plane.reshape(shape))
        return _picture(planes)

    def features(self, data: bytes) -> Features:
        """Return the histogram of AC values, then those of chroma, float32 (403 + 256 c,)."""
        parts, _ = envelope.read_parts(data)
        ac = np.clip(file_blocks(parts[0])[0][:, 1:], -LIMIT - 1, LIMIT + 1) + (LIMIT + 1)
        counts = [np.bincount(ac.ravel(), minlength=2 * LIMIT + 3)]
        counts += [_counts(part) for part in parts[1:]]
        return np.concatenate([statistics.normalized(count) for count in counts])

    def invariants(self, data: bytes) -> Mapping[str, npt.NDArray[Any]]:
        """How many coefficients of each AC frequency are zero; sorted histograms of chroma."""
        parts, _ = envelope.read_parts(data)
        result = {"zeros of Y": (file_blocks(parts[0])[0][:, 1:] == 0).sum(0)}
        for c, part in zip(CHROMA, parts[1:], strict=False):
            result[f"counts of {c}"] = np.sort(_counts(part))
        return result


def _channels(picture: Pixels) -> list[Pixels]:
    """Return Y, Cb, Cr, or the picture itself if it is gray, (H, W) each."""
    pixels = as_pixels(picture)
    if pixels.ndim == 2:
        return [pixels]
    return [np.asarray(c) for c in Image.fromarray(pixels).convert("YCbCr").split()]


def _picture(channels: list[Pixels]) -> Pixels:
    """Undo `_channels`."""
    if len(channels) == 1:
        return channels[0]
    planes = [Image.fromarray(channel) for channel in channels]
    return np.array(Image.merge("YCbCr", planes).convert("RGB"))


def _streams(key: Key, nonce: bytes, c: str) -> tuple[KeyStream, KeyStream]:
    """Return the key streams of a component: for values, which the data set shares, for places."""
    values = key.derive(bytes(NONCE_SIZE)).expand(f"Xia2019 values {c}")
    return KeyStream(values), KeyStream(key.derive(nonce).expand(f"Xia2019 places {c}"))


# --- Y ------------------------------------------------------------------------------------------


def _scramble(blocks: Blocks, values: KeyStream, places: KeyStream) -> Blocks:
    secret = np.empty_like(blocks)
    secret[:, 0] = xor_offsets(blocks[:, 0], places)
    secret[:, 1:] = permute_columns(_replace_ac(blocks[:, 1:], _ac_order(values)), places)
    return secret


def _unscramble(blocks: Blocks, values: KeyStream, places: KeyStream) -> Blocks:
    plain = np.empty_like(blocks)
    plain[:, 0] = xor_offsets(blocks[:, 0], places)
    plain[:, 1:] = _replace_ac(unpermute_columns(blocks[:, 1:], places), inverse(_ac_order(values)))
    return plain


def _ac_order(values: KeyStream) -> npt.NDArray[np.uint32]:
    return permutation(values, 2 * LIMIT)


def _replace_ac(ac: Blocks, order: npt.NDArray[np.uint32]) -> Blocks:
    """Permute the alphabet -200..-1, 1..200."""
    alphabet = np.delete(np.arange(-LIMIT, LIMIT + 1), LIMIT)
    table = np.arange(-1 << 15, 1 << 15, dtype=np.int16)
    table[alphabet + (1 << 15)] = alphabet[order]
    return table[ac.astype(np.int32) + (1 << 15)]


# --- chroma -------------------------------------------------------------------------------------


def _replace(plane: Pixels, values: KeyStream, places: KeyStream) -> Pixels:
    table = permutation(values, 256).astype(np.uint8)
    return table[plane][permutation(places, plane.size)]


def _put_back(plane: Pixels, values: KeyStream, places: KeyStream) -> Pixels:
    table = inverse(permutation(values, 256)).astype(np.uint8)
    plain = np.empty_like(plane)
    plain[permutation(places, plane.size)] = table[plane]
    return plain


def _counts(part: bytes) -> npt.NDArray[np.intp]:
    return np.bincount(np.frombuffer(part, np.uint8), minlength=256)
