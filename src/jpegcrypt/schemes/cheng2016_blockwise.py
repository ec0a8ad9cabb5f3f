"""Cheng, Zhang, Yu, Zhang 2016: additional bits enciphered, AC codes of blocks moved, blocks
compared.

Re-implementation after "Encrypted JPEG image retrieval using block-wise feature comparison",
Journal of Visual Communication and Image Representation 40, pages 111-117. The additional bits of
DC differences and AC values go through a stream cipher; the AC codes of a block move as a whole to
another block of the component. No code changes, so the file keeps its size but for byte stuffing.
The server compares pictures block by block.

Ours by choice, where the sources at hand are silent: nearly all of it. DC codes stay in place. The
feature of a block is the number of AC values that are not zero, the sum of their categories, the
position of the last one, and how many are of category 1, 2, 3 and 4; two pictures compare by how
often each of 256 typical blocks occurs, as comparing all blocks with all takes too long for a
search.

What leaks: the code of each DC difference in its place, hence a rough outline of the picture; the
zero pattern and the categories of each block, without its place.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from jpegcrypt.cipher.additional_bits import category, xor_additional_bits
from jpegcrypt.cipher.permutation import permutation
from jpegcrypt.cipher.stream import KeyStream
from jpegcrypt.schemes import statistics
from jpegcrypt.schemes.interface import Descriptor, Domain, Features, Metric
from jpegcrypt.schemes.quantized import (
    COMPONENTS,
    Blocks,
    QuantizedScheme,
    dc_differences,
    dc_values,
    file_blocks,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cheng2016Blockwise(QuantizedScheme):
    """As the module says."""

    ID: ClassVar[int] = 5
    domain: ClassVar[Domain] = "codes"
    descriptor: ClassVar[Descriptor] = "words"
    words: ClassVar[int] = 256
    metric: ClassVar[Metric] = "cityblock"

    def scramble(self, blocks: Blocks, stream: KeyStream) -> Blocks:
        """Move the AC codes, then encipher all additional bits."""
        secret = blocks[permutation(stream, len(blocks))]
        secret[:, 0] = dc_differences(blocks)
        secret = xor_additional_bits(secret, stream)
        secret[:, 0] = dc_values(secret)
        return secret

    def unscramble(self, blocks: Blocks, stream: KeyStream) -> Blocks:
        """Undo `scramble`."""
        order = permutation(stream, len(blocks))
        coded = blocks.copy()
        coded[:, 0] = dc_differences(blocks)
        coded = xor_additional_bits(coded, stream)
        plain = np.empty_like(blocks)
        plain[order] = coded
        plain[:, 0] = dc_values(coded)
        return plain

    def features(self, data: bytes) -> Features:
        """Return what the blocks of all components tell, float32 (n, 7)."""
        ac = np.concatenate([category(blocks[:, 1:]) for blocks in file_blocks(data)])
        last = ((ac != 0) * np.arange(1, 64)).max(1)
        counts = [(ac == size).sum(1) for size in (1, 2, 3, 4)]
        rows = np.stack([(ac != 0).sum(1), ac.sum(1), last, *counts], 1)
        return rows.astype(np.float32)

    def invariants(self, data: bytes) -> Mapping[str, npt.NDArray[Any]]:
        """The categories of AC values, blocks in lexical order; of DC differences, in place."""
        result = {}
        for c, blocks in zip(COMPONENTS, file_blocks(data), strict=False):
            result[f"AC codes of {c}"] = statistics.sorted_rows(category(blocks[:, 1:]))
            result[f"DC codes of {c}"] = category(dc_differences(blocks))
        return result
