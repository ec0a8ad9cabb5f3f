"""Zhang, Cheng 2014: DCT coefficients of equal frequency permuted across blocks, histograms
searched.

Re-implementation after "Histogram-based retrieval for encrypted JPEG images", ChinaSIP 2014, pages
446-449. The quantized coefficients of each component and each frequency, DC included, are permuted
across the blocks. The histogram of each frequency stays, so the server compares histograms: 33 bins
of DC values and nine bins of each AC frequency, 600 a component.

Ours by choice, where the sources at hand are silent: permutations of their own for all 64
frequencies of each component, drawn anew for each picture; the bins; equal weights of the
histograms.

What leaks: every histogram of coefficients, hence color, brightness and texture statistics of the
whole picture, exactly. Positions do not leak. Files grow, as blocks no longer end early.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from jpegcrypt.cipher.permutation import permute_columns, unpermute_columns
from jpegcrypt.cipher.stream import KeyStream
from jpegcrypt.schemes import statistics
from jpegcrypt.schemes.interface import Descriptor, Domain, Features, Metric
from jpegcrypt.schemes.quantized import COMPONENTS, Blocks, QuantizedScheme, file_blocks


@dataclass(frozen=True, slots=True, kw_only=True)
class Zhang2014(QuantizedScheme):
    """As the module says."""

    ID: ClassVar[int] = 3
    domain: ClassVar[Domain] = "coefficients"
    descriptor: ClassVar[Descriptor] = "features"
    words: ClassVar[int] = 0
    metric: ClassVar[Metric] = "cityblock"

    def scramble(self, blocks: Blocks, stream: KeyStream) -> Blocks:
        """Permute each frequency across the blocks."""
        return permute_columns(blocks, stream)

    def unscramble(self, blocks: Blocks, stream: KeyStream) -> Blocks:
        """Undo `scramble`."""
        return unpermute_columns(blocks, stream)

    def features(self, data: bytes) -> Features:
        """Return 64 histograms a component, float32 (600 c,)."""
        parts = []
        for values in statistics.scaled_blocks(data):
            parts.append(statistics.dc_histogram(values[:, 0]))
            parts += statistics.column_histograms(values[:, 1:], statistics.AC_EDGES)
        return np.concatenate(parts)

    def invariants(self, data: bytes) -> Mapping[str, npt.NDArray[Any]]:
        """The sorted coefficients of each frequency."""
        return {
            f"coefficients of {c}": np.sort(blocks, axis=0)
            for c, blocks in zip(COMPONENTS, file_blocks(data), strict=False)
        }
