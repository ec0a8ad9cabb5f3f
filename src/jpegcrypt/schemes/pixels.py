"""Schemes that change pixels and write a PNG, from which the very pixels come back.

::

    picture ── pad to whole blocks ──> channels ── prepare ── scramble (keys) ──> channels ──> PNG
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, TypeVar

import numpy as np
import numpy.typing as npt

from jpegcrypt.cipher.stream import KeyStream
from jpegcrypt.encoder import as_pixels
from jpegcrypt.errors import UnreadableImage
from jpegcrypt.key import NONCE_SIZE, Key
from jpegcrypt.schemes import envelope
from jpegcrypt.schemes.envelope import Channels
from jpegcrypt.schemes.interface import Domain, Pixels

_DATA_SET = bytes(NONCE_SIZE)  # the nonce of what all pictures share
_Sample = TypeVar("_Sample", np.uint8, np.uint16, np.int32)


class Streams:
    """The key streams of a picture, by the label of their use."""

    def __init__(self, scheme: str, key: Key, nonce: bytes) -> None:
        self._scheme = scheme
        self._picture, self._shared = key.derive(nonce), key.derive(_DATA_SET)

    def picture(self, label: str) -> KeyStream:
        """Return a stream of this picture alone."""
        return KeyStream(self._picture.expand(f"{self._scheme} picture {label}"))

    def shared(self, label: str) -> KeyStream:
        """Return a stream that the whole data set shares."""
        return KeyStream(self.shared_key(label))

    def shared_key(self, label: str) -> bytes:
        """Return a key of 32 bytes that the whole data set shares."""
        return self._shared.expand(f"{self._scheme} shared {label}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelScheme(ABC):
    """A scheme that says what happens to the channels of a picture, and how to undo it."""

    BLOCK: ClassVar[int]  # pictures are padded to multiples of it
    ID: ClassVar[int]
    SAMPLE: ClassVar[npt.DTypeLike] = np.uint8  # of an encrypted file
    domain: ClassVar[Domain] = "pixels"
    is_jpeg: ClassVar[bool] = False
    lossless: ClassVar[bool] = True
    tolerance: ClassVar[float] = 0.0

    def prepare(self, channels: Pixels) -> Pixels:
        """Do what needs no key, uint8 (c, H, W)."""
        return channels

    def finish(self, channels: Pixels) -> Pixels:
        """Undo `prepare`."""
        return channels

    @abstractmethod
    def scramble(self, channels: Pixels, streams: Streams) -> Channels:
        """Encrypt channels, uint8 (c, H, W) with whole blocks."""

    @abstractmethod
    def unscramble(self, channels: Channels, streams: Streams) -> Pixels:
        """Undo `scramble`."""

    def plain(self, picture: Pixels) -> bytes:
        """As in `interface.Scheme`."""
        pixels = as_pixels(picture)
        channels = self.prepare(to_channels(pixels, self.BLOCK))
        return envelope.write_png(channels, envelope.size_text(pixels.shape))

    def encrypt(self, picture: Pixels, key: Key, nonce: bytes) -> bytes:
        """As in `interface.Scheme`."""
        pixels = as_pixels(picture)
        header = envelope.make_header(self.ID, key, nonce)
        channels = self.prepare(to_channels(pixels, self.BLOCK))
        secret = self.scramble(channels, Streams(type(self).__name__, key, nonce))
        return envelope.write_png(secret, envelope.size_text(pixels.shape), header)

    def decrypt(self, data: bytes, key: Key) -> Pixels:
        """As in `interface.Scheme`; a broken PNG raises `UnreadableImage`."""
        channels, size, payload = envelope.read_png(data)
        header = envelope.open_header(payload, self.ID, key)
        shape = _checked_shape(channels, size, self.BLOCK, self.SAMPLE)
        streams = Streams(type(self).__name__, key, header.nonce)
        return from_channels(self.finish(self.unscramble(channels, streams)), shape)


def to_channels(pixels: Pixels, block: int) -> Pixels:
    """Return (c, H, W), padded to whole blocks by repeating the last row and column."""
    channels = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
    rest = [(0, -side % block) for side in channels.shape[1:]]
    return np.pad(channels, [(0, 0), *rest], mode="edge")


def from_channels(channels: Pixels, shape: tuple[int, int, int]) -> Pixels:
    """Undo `to_channels` for channels, height and width."""
    n_channels, height, width = shape
    pixels = channels[:, :height, :width]
    return np.ascontiguousarray(pixels[0] if n_channels == 1 else pixels.transpose(1, 2, 0))


def whole(side: int, block: int) -> int:
    """Return a side rounded up to whole blocks."""
    return -(-side // block) * block


def file_channels(data: bytes, block: int, sample: type[_Sample]) -> npt.NDArray[_Sample]:
    """Return the channels (c, H, W) of a file, as `BLOCK` and `SAMPLE` of its scheme say.

    A plain file has 8 bits, which become those of the scheme.

    Raises
    ------
    UnreadableImage, ImageTooLarge
    """
    channels, size, payload = envelope.read_png(data)
    _checked_shape(channels, size, block, np.uint8 if payload is None else sample)
    return channels.astype(sample, copy=False)


def _checked_shape(
    channels: Channels, size: str, block: int, sample: npt.DTypeLike
) -> tuple[int, int, int]:
    """Return the true shape of channels, after making sure that they could hold it."""
    shape = envelope.shape_of(size)
    height, width = (whole(side, block) for side in shape[1:])
    if channels.dtype != sample or channels.shape[1:] != (height, width):
        raise UnreadableImage(
            f"a PNG of {channels.shape[2]}x{channels.shape[1]} {channels.dtype} samples, "
            f"expected {width}x{height} {np.dtype(sample)} for a picture of {size}",
            format="PNG",
        )
    return shape


def to_blocks(channels: npt.NDArray[_Sample], side: int) -> npt.NDArray[_Sample]:
    """Return blocks in raster order, (n, c, side, side), as a copy."""
    c, height, width = channels.shape
    grid = channels.reshape(c, height // side, side, width // side, side)
    return np.ascontiguousarray(grid.transpose(1, 3, 0, 2, 4)).reshape(-1, c, side, side)


def from_blocks(blocks: npt.NDArray[_Sample], shape: tuple[int, ...]) -> npt.NDArray[_Sample]:
    """Undo `to_blocks`, for channels of a shape (c, H, W)."""
    c, height, width = shape
    side = blocks.shape[-1]
    grid = blocks.reshape(height // side, width // side, c, side, side)
    return np.ascontiguousarray(grid.transpose(2, 0, 3, 1, 4)).reshape(shape)


def value_counts(values: Pixels) -> npt.NDArray[np.intp]:
    """Count the 256 values along the last axis: (..., m) to (..., 256)."""
    rows = values.reshape(-1, values.shape[-1])
    bins = rows + 256 * np.arange(len(rows))[:, None]
    counts = np.bincount(bins.ravel(), minlength=256 * len(rows))
    return counts.reshape(*values.shape[:-1], 256)
