"""Schemes that change the quantized coefficients of a baseline JPEG, each component by itself.

::

    picture ── quantize ──> coefficients ── to_blocks ──> blocks ── scramble (key stream) ──> blocks
            ── from_blocks ──> coefficients ── write ──> JPEG

Decryption goes back the same way from the coefficients of the file, so it returns exactly what a
plain JPEG of the same settings shows.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from jpegcrypt import _core
from jpegcrypt.cipher.bank import dct_bank
from jpegcrypt.cipher.stream import KeyStream
from jpegcrypt.codec.coefficients import coded_order, decode_scans
from jpegcrypt.codec.decode import planes_to_image
from jpegcrypt.codec.parse import JpegFile, parse
from jpegcrypt.codec.tables import ANNEX_K_HUFFMAN, ZIGZAG, quantizer
from jpegcrypt.codec.write import comment_segment, jfif_segment, scan_segments, write_file
from jpegcrypt.encoder import (
    DEFAULT_QUALITY,
    Layout,
    Quality,
    as_pixels,
    in_range,
    make_layout,
    sampling_factors,
)
from jpegcrypt.key import ImageKeys, Key
from jpegcrypt.schemes import envelope
from jpegcrypt.schemes.interface import Domain, Pixels

Coefficients = Sequence[
    npt.NDArray[np.int16]
]  # (rows, columns, 64), one a component, natural order
Blocks = npt.NDArray[np.int16]  # (n, 64): blocks in coded order, coefficients in zig-zag order

COMPONENTS = ("Y", "Cb", "Cr")
_NATURAL = np.argsort(ZIGZAG)  # natural index -> zig-zag position


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantizedScheme(ABC):
    """A scheme that says what happens to the blocks of one component, and how to undo it.

    Parameters
    ----------
    quality : int
        1 to 100, scales the tables of T.81 Annex K.
    subsampling : str
        Of the chroma, such as "4:2:0".
    optimize : bool
        Make Huffman tables for the picture, else use those of Annex K.
    """

    quality: int = DEFAULT_QUALITY
    subsampling: str = "4:2:0"
    optimize: bool = True

    ID: ClassVar[int]
    domain: ClassVar[Domain]
    is_jpeg: ClassVar[bool] = True
    lossless: ClassVar[bool] = False
    tolerance: ClassVar[float] = 0.0

    @abstractmethod
    def scramble(self, blocks: Blocks, stream: KeyStream) -> Blocks:
        """Encrypt the blocks of a component, int16 (n, 64), coded order, zig-zag order."""

    @abstractmethod
    def unscramble(self, blocks: Blocks, stream: KeyStream) -> Blocks:
        """Undo `scramble`."""

    def plain(self, picture: Pixels) -> bytes:
        """As in `interface.Scheme`: the plain JPEG."""
        return write(*quantize(picture, self.quality, self.subsampling), optimize=self.optimize)

    def encrypt(self, picture: Pixels, key: Key, nonce: bytes) -> bytes:
        """As in `interface.Scheme`."""
        layout, coefficients = quantize(picture, self.quality, self.subsampling)
        secret = self._each(self.scramble, coefficients, layout.frame, key.derive(nonce))
        header = envelope.make_header(self.ID, key, nonce)
        return write(layout, secret, optimize=self.optimize, header=header)

    def decrypt(self, data: bytes, key: Key) -> Pixels:
        """As in `interface.Scheme`."""
        jpeg = parse(data)
        header = envelope.open_header(envelope.jpeg_header(jpeg), self.ID, key)
        keys = key.derive(header.nonce)
        return show(jpeg, self._each(self.unscramble, decode_scans(jpeg), jpeg.frame, keys))

    def _each(
        self,
        step: Callable[[Blocks, KeyStream], Blocks],
        coefficients: Coefficients,
        frame: _core.Frame,
        keys: ImageKeys,
    ) -> Coefficients:
        """Apply a step to the blocks of each component, with a key stream of its own."""
        streams = component_streams(type(self).__name__, keys, frame)
        blocks = map(step, to_blocks(frame, coefficients), streams)
        return from_blocks(frame, list(blocks))


def component_streams(scheme: str, keys: ImageKeys, frame: _core.Frame) -> list[KeyStream]:
    """Return the key stream of each component."""
    return [KeyStream(keys.expand(f"{scheme} {c}")) for c in COMPONENTS[: frame.n_components]]


def to_blocks(frame: _core.Frame, coefficients: Coefficients) -> list[Blocks]:
    """Return the blocks of each component, (n, 64), in coded order and zig-zag order."""
    return [
        array.reshape(-1, 64)[_order(frame, c)].take(ZIGZAG, axis=1)
        for c, array in enumerate(coefficients)
    ]


def from_blocks(frame: _core.Frame, blocks: Sequence[Blocks]) -> Coefficients:
    """Undo `to_blocks`."""
    coefficients = []
    for c, (component, shape) in enumerate(zip(blocks, frame.block_shapes, strict=True)):
        array = np.empty(component.shape, np.int16)
        array[_order(frame, c)] = component.take(_NATURAL, axis=1)
        coefficients.append(array.reshape(*shape, 64))
    return coefficients


def _order(frame: _core.Frame, c: int) -> npt.NDArray[np.intp]:
    return coded_order(*frame.block_shapes[c], *frame.sampling[c])


def file_blocks(data: bytes) -> list[Blocks]:
    """Return the blocks of each component of a file."""
    jpeg = parse(data)
    return to_blocks(jpeg.frame, decode_scans(jpeg))


def dc_differences(blocks: Blocks) -> Blocks:
    """Return the differences of DC values (F.1.1.5.1), modulo 2**16, (n,)."""
    return np.diff(blocks[:, 0], prepend=np.int16(0))


def dc_values(coded: Blocks) -> Blocks:
    """Undo `dc_differences` on blocks that hold them in place of DC values.

    Enciphered differences may add up beyond the 11 bits of a DC value, where viewers show black or
    white, and beyond 16 bits, where everyone wraps; the differences stay.
    """
    return np.cumsum(coded[:, 0], dtype=np.int16)


# --- between pictures, coefficients and files ---------------------------------------------------


def picture_layout(picture: Pixels, quality: int, subsampling: str) -> tuple[Pixels, Layout]:
    """Return the pixels (H, W, components) of a picture and the layout of its JPEG."""
    in_range("quality", quality, 1, 100)
    sampling_factors(subsampling)
    pixels = as_pixels(picture)
    height, width = pixels.shape[:2]
    envelope.check_readable(height, width)
    color = pixels.ndim == 3
    layout = make_layout(width, height, subsampling if color else None, Quality(quality, "annex-k"))
    return pixels if color else pixels[:, :, None], layout


def quantize(picture: Pixels, quality: int, subsampling: str) -> tuple[Layout, Coefficients]:
    """Return the layout and the coefficients of the plain JPEG of a picture."""
    pixels, layout = picture_layout(picture, quality, subsampling)
    planes = _core.image_to_planes(pixels, layout.frame)
    return layout, _core.planes_to_coefficients(planes, layout.quantizers, dct_bank())


def write(
    layout: Layout,
    coefficients: Coefficients,
    *,
    optimize: bool,
    header: bytes = b"",
    comment: bytes = b"",
) -> bytes:
    """Write a baseline JPEG from coefficients, with the payload of a header if there is one."""
    huffman = None if optimize else ANNEX_K_HUFFMAN[: 4 if len(coefficients) == 3 else 2]
    scan, tables = _core.encode_coefficients(layout.frame, coefficients, tables=huffman)
    segments = [jfif_segment()]
    if header:
        segments.append(envelope.jpeg_segment(header))
    if comment:
        segments.append(comment_segment(comment))
    return write_file(segments, layout.segments, scan_segments(tuple(tables), 0), scan)


def show(jpeg: JpegFile, coefficients: Coefficients, **plan: Any) -> Pixels:
    """Return the picture of coefficients; `plan` is what `_core.coefficients_to_planes` takes."""
    quantizers = [quantizer(table.tobytes()) for table in jpeg.tables]
    planes, _ = _core.coefficients_to_planes(jpeg.frame, coefficients, quantizers, **plan)
    return planes_to_image(jpeg, planes)
