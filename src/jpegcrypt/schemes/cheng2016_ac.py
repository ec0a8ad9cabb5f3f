"""Cheng, Zhang, Yu 2016: DC codes enciphered, AC coefficients permuted; AC histograms searched.

Re-implementation after "AC-coefficient histogram-based retrieval for encrypted JPEG images",
Multimedia Tools and Applications 75, pages 13791-13803. DC coefficients go through a stream cipher;
AC coefficients are permuted across the blocks, each frequency of each component by itself. The
histogram of each AC frequency stays, and the server compares those.

Ours by choice, where the abstract is silent: the stream cipher takes the entropy-coded DC data of a
component, Huffman codes and all, so the result is no JPEG any more but a container of parts
(`envelope`): a JPEG whose DC values are zero (a bit a block), then the enciphered DC data of each
component, coded by itself in raster order with the luminance DC table of Annex K. Nine bins an AC
frequency, 567 a component; the L1 distance.

What leaks: every histogram of AC coefficients, exactly, hence the texture statistics of the whole
picture; how long the DC data is. Positions do not leak.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from jpegcrypt import _core
from jpegcrypt.cipher.permutation import permute_columns, unpermute_columns
from jpegcrypt.cipher.stream import KeyStream
from jpegcrypt.codec.coefficients import decode_scans
from jpegcrypt.codec.parse import parse
from jpegcrypt.codec.tables import ANNEX_K_HUFFMAN, huffman_decoder
from jpegcrypt.encoder import DEFAULT_QUALITY
from jpegcrypt.errors import MalformedJpeg
from jpegcrypt.key import Key
from jpegcrypt.schemes import envelope, statistics
from jpegcrypt.schemes.interface import Descriptor, Domain, Features, Metric, Pixels
from jpegcrypt.schemes.quantized import (
    COMPONENTS,
    component_streams,
    file_blocks,
    quantize,
    show,
    write,
)

Coefficients = npt.NDArray[np.int16]  # (rows, columns, 64), natural order


@dataclass(frozen=True, slots=True, kw_only=True)
class Cheng2016Ac:
    """As the module says; settings as of `quantized.QuantizedScheme`."""

    quality: int = DEFAULT_QUALITY
    subsampling: str = "4:2:0"
    optimize: bool = True

    ID: ClassVar[int] = 4
    domain: ClassVar[Domain] = "coefficients"
    is_jpeg: ClassVar[bool] = False
    lossless: ClassVar[bool] = False
    tolerance: ClassVar[float] = 0.0
    descriptor: ClassVar[Descriptor] = "features"
    words: ClassVar[int] = 0
    metric: ClassVar[Metric] = "cityblock"

    def plain(self, picture: Pixels) -> bytes:
        """As in `interface.Scheme`."""
        layout, coefficients = quantize(picture, self.quality, self.subsampling)
        dc = [_encode_dc(array) for array in coefficients]
        for array in coefficients:
            array[:, :, 0] = 0
        return envelope.write_parts([write(layout, coefficients, optimize=self.optimize), *dc])

    def encrypt(self, picture: Pixels, key: Key, nonce: bytes) -> bytes:
        """As in `interface.Scheme`."""
        layout, coefficients = quantize(picture, self.quality, self.subsampling)
        header = envelope.make_header(self.ID, key, nonce)
        streams = component_streams(type(self).__name__, key.derive(nonce), layout.frame)
        dc, ac = [], []
        for array, stream in zip(coefficients, streams, strict=True):
            dc.append(_xor(_encode_dc(array), stream))
            array[:, :, 0] = 0
            ac.append(permute_columns(array.reshape(-1, 64), stream).reshape(array.shape))
        return envelope.write_parts([write(layout, ac, optimize=self.optimize), *dc], header)

    def decrypt(self, data: bytes, key: Key) -> Pixels:
        """As in `interface.Scheme`."""
        parts, payload = envelope.read_parts(data)
        header = envelope.open_header(payload, self.ID, key)
        jpeg = parse(parts[0])
        if len(parts) != 1 + jpeg.frame.n_components:
            raise MalformedJpeg(f"found {len(parts)} parts, expected a JPEG and its DC data")
        streams = component_streams(type(self).__name__, key.derive(header.nonce), jpeg.frame)
        coefficients = []
        for array, dc, stream in zip(decode_scans(jpeg), parts[1:], streams, strict=True):
            values = _decode_dc(_xor(dc, stream), array.shape[:2])
            plain = unpermute_columns(array.reshape(-1, 64), stream).reshape(array.shape)
            plain[:, :, 0] = values
            coefficients.append(plain)
        return show(jpeg, coefficients)

    def features(self, data: bytes) -> Features:
        """Return 63 histograms a component, float32 (567 c,)."""
        parts: list[Features] = []
        for values in statistics.scaled_blocks(_jpeg_part(data)):
            parts += statistics.column_histograms(values[:, 1:], statistics.AC_EDGES)
        return np.concatenate(parts)

    def invariants(self, data: bytes) -> Mapping[str, npt.NDArray[Any]]:
        """The sorted coefficients of each AC frequency."""
        return {
            f"AC coefficients of {c}": np.sort(blocks[:, 1:], axis=0)
            for c, blocks in zip(COMPONENTS, file_blocks(_jpeg_part(data)), strict=False)
        }


def _jpeg_part(data: bytes) -> bytes:
    return envelope.read_parts(data)[0][0]


def _xor(data: bytes, stream: KeyStream) -> bytes:
    return (np.frombuffer(data, np.uint8) ^ stream.read(len(data))).tobytes()


def _encode_dc(coefficients: Coefficients) -> bytes:
    """Return the codes of the DC differences of a component in raster order."""
    frame = _dc_frame(coefficients.shape[:2])
    tables = ANNEX_K_HUFFMAN[:2]
    scan, _ = _core.encode_coefficients(frame, [coefficients], tables=tables, dc_only=True)
    return bytes(scan)


def _decode_dc(data: bytes, shape: tuple[int, ...]) -> Coefficients:
    """Undo `_encode_dc`: the DC values (rows, columns)."""
    coefficients = np.zeros((*shape, 64), np.int16)
    decoder = huffman_decoder(ANNEX_K_HUFFMAN[1], True)
    _core.decode_scan(
        _dc_frame(shape),
        _core.EntropyData(data, 0),
        (0,),
        (decoder,),
        (None,),
        [coefficients],
        progression=(0, 0, 0, 0),
    )
    return coefficients[:, :, 0]


def _dc_frame(shape: tuple[int, ...]) -> _core.Frame:
    """Return a frame of one component with so many rows and columns of blocks."""
    rows, columns = shape
    width, height = (min(8 * n, 0xFFFF) for n in (columns, rows))  # the last block may be cut
    return _core.Frame(width, height, [(1, 1)])
