"""Chuman, Sirichotedumrong, Kiya 2019: grayscale-based encryption then compression.

Re-implementation after "Encryption-then-compression systems using grayscale-based image encryption
for JPEG images", IEEE Transactions on Information Forensics and Security 14(6), pages 1515-1525
(arXiv 1811.00236), with subsampled chroma as in arXiv 1812.06799. Y, Cb and Cr become one gray
picture; its 8x8 blocks are permuted, rotated and mirrored in one of eight ways, and half of them
inverted (p to 255 - p); the result is compressed as an ordinary gray JPEG.

Ours by choice: chroma is halved by the mean of 2x2 pixels, and the two planes stand side by side
below Y; the luminance table of Annex K for all; a comment in the file tells the size. No search was
proposed with it: our features are a histogram of the energies of the blocks.

What leaks: each block with its texture, up to eight positions and a sign. Jigsaw solvers
that also turn and invert pieces were made for such pictures (Chuman, Kurihara, Kiya 2018); the one
of the audit does not, so its failure says little. The texture statistics are in clear.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from PIL import Image

from jpegcrypt.cipher.permutation import permutation
from jpegcrypt.cipher.stream import KeyStream
from jpegcrypt.codec.decode import decode_planes, planes_to_image
from jpegcrypt.codec.markers import COM
from jpegcrypt.codec.parse import JpegFile, parse
from jpegcrypt.encoder import DEFAULT_QUALITY, MAX_SIDE, as_pixels
from jpegcrypt.errors import MalformedJpeg, UnsupportedJpeg
from jpegcrypt.key import ImageKeys, Key
from jpegcrypt.schemes import envelope, statistics
from jpegcrypt.schemes.interface import Descriptor, Domain, Features, Metric, Pixels
from jpegcrypt.schemes.pixels import from_blocks, from_channels, to_blocks, to_channels, whole
from jpegcrypt.schemes.quantized import quantize, write

SIDE = 8
MCU = 16  # pixels of the picture that share 8x8 chroma samples
BINS = 64  # of energies


@dataclass(frozen=True, slots=True, kw_only=True)
class Chuman2019:
    """As the module says.

    Parameters
    ----------
    quality : int
        1 to 100, scales the luminance table of T.81 Annex K.
    optimize : bool
        Make Huffman tables for the picture, else use those of Annex K.
    """

    quality: int = DEFAULT_QUALITY
    optimize: bool = True

    ID: ClassVar[int] = 15
    domain: ClassVar[Domain] = "pixels"
    is_jpeg: ClassVar[bool] = True
    lossless: ClassVar[bool] = False
    tolerance: ClassVar[float] = 0.2
    descriptor: ClassVar[Descriptor] = "features"
    words: ClassVar[int] = 0
    metric: ClassVar[Metric] = "cityblock"

    def plain(self, picture: Pixels) -> bytes:
        """As in `interface.Scheme`: the gray picture of all components."""
        pixels = as_pixels(picture)
        return self._write(_to_gray(pixels), pixels.shape)

    def encrypt(self, picture: Pixels, key: Key, nonce: bytes) -> bytes:
        """As in `interface.Scheme`."""
        pixels = as_pixels(picture)
        header = envelope.make_header(self.ID, key, nonce)
        secret = _scramble(_to_gray(pixels), key.derive(nonce))
        return self._write(secret, pixels.shape, header)

    def decrypt(self, data: bytes, key: Key) -> Pixels:
        """As in `interface.Scheme`."""
        jpeg = parse(data)
        header = envelope.open_header(envelope.jpeg_header(jpeg), self.ID, key)
        shape = _shape(jpeg)
        gray = planes_to_image(jpeg, decode_planes(jpeg)[0])
        return _from_gray(_unscramble(gray, key.derive(header.nonce)), shape)

    def _write(self, gray: Pixels, shape: tuple[int, ...], header: bytes = b"") -> bytes:
        layout, coefficients = quantize(gray, self.quality, "4:4:4")
        comment = envelope.size_text(shape).encode()
        return write(layout, coefficients, optimize=self.optimize, header=header, comment=comment)

    def features(self, data: bytes) -> Features:
        """Return a histogram of the energies of the blocks, float32 (64,)."""
        bins = np.minimum(np.log2(1 + _energies(data)) * 5, BINS - 1).astype(np.intp)
        return statistics.normalized(np.bincount(bins, minlength=BINS))

    def invariants(self, data: bytes) -> Mapping[str, npt.NDArray[Any]]:
        """The sorted energies of the blocks: roots of the summed squares of AC values."""
        return {"energies": np.sort(_energies(data))}


def _energies(data: bytes) -> npt.NDArray[np.float64]:
    values, *others = statistics.scaled_blocks(data)
    if others:
        raise UnsupportedJpeg(f"{1 + len(others)} components, expected 1 as chuman2019 writes them")
    energies: npt.NDArray[np.float64] = np.sqrt((values[:, 1:].astype(np.float64) ** 2).sum(1))
    return energies


# --- one gray picture ---------------------------------------------------------------------------


def _to_gray(pixels: Pixels) -> Pixels:
    """Put Cb and Cr, halved each way, side by side below Y, (H + H / 2, W) of whole blocks.

    Raises
    ------
    ValueError
        If that is larger than a JPEG may be.
    """
    height, width = _gray_size(pixels.shape)
    if max(height, width) > MAX_SIDE:
        raise ValueError(
            f"{pixels.shape[1]}x{pixels.shape[0]} pixels: all components as one gray picture have "
            f"{width}x{height}, expected at most {MAX_SIDE} each way"
        )
    if pixels.ndim == 2:
        return np.pad(pixels, [(0, -side % SIDE) for side in pixels.shape], mode="edge")
    luma, *chroma = to_channels(np.asarray(Image.fromarray(pixels).convert("YCbCr")), MCU)
    halves = [np.asarray(Image.fromarray(plane).reduce(2)) for plane in chroma]
    return np.concatenate([luma, np.concatenate(halves, axis=1)])


def _gray_size(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return height and width of the gray picture for a picture (H, W) or (H, W, 3)."""
    block = SIDE if len(shape) == 2 else MCU
    height, width = (whole(side, block) for side in shape[:2])
    return (height if len(shape) == 2 else height + height // 2), width


def _from_gray(gray: Pixels, shape: tuple[int, int, int]) -> Pixels:
    """Undo `_to_gray`, with chroma between samples in a straight line."""
    if shape[0] == 1:
        return from_channels(gray[None], shape)
    height, width = (whole(side, MCU) for side in shape[1:])
    luma, chroma = gray[:height], gray[height:]
    planes = [Image.fromarray(np.ascontiguousarray(luma))]
    for plane in np.split(chroma, 2, axis=1):
        half = Image.fromarray(np.ascontiguousarray(plane))
        planes.append(half.resize((width, height), Image.Resampling.BILINEAR))
    picture = np.asarray(Image.merge("YCbCr", planes).convert("RGB"))
    return np.ascontiguousarray(picture[: shape[1], : shape[2]])


def _shape(jpeg: JpegFile) -> tuple[int, int, int]:
    """Return channels, height and width of the picture that a gray JPEG holds."""
    comments = [
        one.payload.decode("ascii", "replace") for one in jpeg.segments if one.marker == COM
    ]
    shape = envelope.shape_of(next(filter(envelope.is_size, comments), "".join(comments[:1])))
    expected = _gray_size(shape[1:] if shape[0] == 1 else (*shape[1:], shape[0]))
    if jpeg.frame.n_components != 1 or (jpeg.frame.height, jpeg.frame.width) != expected:
        raise MalformedJpeg(
            f"a JPEG of {jpeg.frame.width}x{jpeg.frame.height}, expected a gray one of "
            f"{expected[1]}x{expected[0]} for a picture of {shape[2]}x{shape[1]}"
        )
    return shape


# --- blocks -------------------------------------------------------------------------------------


def _scramble(gray: Pixels, keys: ImageKeys) -> Pixels:
    """Permute, rotate and mirror, invert."""
    order, state, inverted = make_plan(keys, gray.size // SIDE**2)
    blocks = to_blocks(gray[None], SIDE)[order, 0]
    for s in range(8):
        of_state = np.rot90(blocks[state == s], s % 4, axes=(1, 2))
        blocks[state == s] = of_state[:, :, ::-1] if s >= 4 else of_state
    blocks[inverted] ^= 255
    return from_blocks(blocks[:, None], (1, *gray.shape)).reshape(gray.shape)


def _unscramble(gray: Pixels, keys: ImageKeys) -> Pixels:
    """Undo `_scramble`."""
    order, state, inverted = make_plan(keys, gray.size // SIDE**2)
    blocks = to_blocks(gray[None], SIDE)[:, 0]
    blocks[inverted] ^= 255
    for s in range(8):
        of_state = blocks[state == s]
        of_state = of_state[:, :, ::-1] if s >= 4 else of_state
        blocks[state == s] = np.rot90(of_state, -(s % 4), axes=(1, 2))
    plain = np.empty_like(blocks)
    plain[order] = blocks
    return from_blocks(plain[:, None], (1, *gray.shape)).reshape(gray.shape)


def make_plan(
    keys: ImageKeys, n: int
) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
    """Return the permutation of the blocks, the state 0..7 of each, and whether it is inverted."""
    stream = KeyStream(keys.expand("Chuman2019"))
    order, bits = permutation(stream, n), stream.read(n)
    return order, bits & np.uint8(7), bits >= 128
