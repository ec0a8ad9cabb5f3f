"""Liang, Zhang, Cheng 2019: DC values and additional bits enciphered, AC codes moved; codes
counted.

Re-implementation after "Huffman-code based retrieval for encrypted JPEG images", Journal of Visual
Communication and Image Representation 61, pages 149-156. DC values go through a stream cipher, so
do the additional bits of AC codes; the AC codes of a block move as a whole to another block of the
component. The Huffman codes stay what they are, so the server counts them: how often each of the 12
DC categories and of the 162 AC codes occurs, 174 a component.

Ours by choice, where the sources at hand are silent: DC values are enciphered as 11-bit offsets
from -1024, which makes them uniform and their differences long, the growth that others report of
this scheme; the L1 distance of normalized counts.

What leaks: the count of every AC code, the zero pattern and the sizes of each block, without its
place. The DC categories tell nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from jpegcrypt.cipher.additional_bits import category, xor_additional_bits, xor_offsets
from jpegcrypt.cipher.permutation import permutation
from jpegcrypt.cipher.stream import KeyStream
from jpegcrypt.schemes import statistics
from jpegcrypt.schemes.interface import Descriptor, Domain, Features, Metric
from jpegcrypt.schemes.quantized import COMPONENTS, Blocks, QuantizedScheme, file_blocks


@dataclass(frozen=True, slots=True, kw_only=True)
class Liang2019(QuantizedScheme):
    """As the module says."""

    ID: ClassVar[int] = 7
    domain: ClassVar[Domain] = "codes"
    descriptor: ClassVar[Descriptor] = "features"
    words: ClassVar[int] = 0
    metric: ClassVar[Metric] = "cityblock"

    def scramble(self, blocks: Blocks, stream: KeyStream) -> Blocks:
        """Encipher DC values, move the AC codes, encipher the additional bits of those."""
        secret = blocks[permutation(stream, len(blocks))]
        secret[:, 0] = xor_offsets(blocks[:, 0], stream)
        secret[:, 1:] = xor_additional_bits(secret[:, 1:], stream)
        return secret

    def unscramble(self, blocks: Blocks, stream: KeyStream) -> Blocks:
        """Undo `scramble`."""
        order = permutation(stream, len(blocks))
        dc = xor_offsets(blocks[:, 0], stream)
        plain = np.empty_like(blocks)
        plain[order, 1:] = xor_additional_bits(blocks[:, 1:], stream)
        plain[:, 0] = dc
        return plain

    def features(self, data: bytes) -> Features:
        """Return the shares of Huffman codes, float32 (174 c,)."""
        return statistics.symbol_histograms(file_blocks(data))

    def invariants(self, data: bytes) -> Mapping[str, npt.NDArray[Any]]:
        """The categories of the AC values of a block, for each block, in lexical order."""
        return {
            f"AC codes of {c}": statistics.sorted_rows(category(blocks[:, 1:]))
            for c, blocks in zip(COMPONENTS, file_blocks(data), strict=False)
        }
