"""Cheng, Zhang, Yu, Li 2016: additional bits enciphered and moved, transition matrices learned
from.

Re-implementation after "A Markov process-based retrieval for encrypted JPEG images", EURASIP
Journal on Information Security 2016:1. A stream cipher and a permutation work on the additional
bits of DC differences and AC values; the codes stay, so the file keeps its size but for byte
stuffing. The server sees the category of each AC value and each DC difference, takes probabilities
of transitions within blocks, between neighboring blocks and between components, and lets a support
vector machine turn them into a probability for each class: their distance ranks.

Ours by choice, where the abstract is silent: additional bits move among values of the same
component, frequency and category; states are categories up to 5, so a matrix has 6 x 6 values;
transitions run along the zig-zag order from frequency 1 to 63, to the right and to the lower block
at the first 20 frequencies, and from Y to Cb and Cb to Cr at equal frequency and place (with the
first luma block of an MCU). DC takes no part: what enciphered differences add up to is noise. 396
values; of a gray picture the 108 that there are.

What leaks: the category of every coefficient in its place, hence an outline of the picture.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from jpegcrypt.cipher.additional_bits import category, xor_additional_bits
from jpegcrypt.cipher.permutation import permute_groups
from jpegcrypt.cipher.stream import KeyStream
from jpegcrypt.codec.coefficients import decode_scans
from jpegcrypt.codec.parse import parse
from jpegcrypt.codec.tables import ZIGZAG
from jpegcrypt.errors import UnsupportedJpeg
from jpegcrypt.schemes.interface import Descriptor, Domain, Features, Metric
from jpegcrypt.schemes.quantized import (
    COMPONENTS,
    Blocks,
    QuantizedScheme,
    dc_differences,
    dc_values,
    file_blocks,
)

STATES = 6
NEIGHBOR_FREQUENCIES = 20

_States = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cheng2016Markov(QuantizedScheme):
    """As the module says."""

    ID: ClassVar[int] = 6
    domain: ClassVar[Domain] = "codes"
    descriptor: ClassVar[Descriptor] = "classes"
    words: ClassVar[int] = 0
    metric: ClassVar[Metric] = "euclidean"

    def scramble(self, blocks: Blocks, stream: KeyStream) -> Blocks:
        """Move values among those of equal category, then encipher their additional bits."""
        coded = blocks.copy()
        coded[:, 0] = dc_differences(blocks)
        places, groups = _groups(coded)
        coded[places] = permute_groups(coded[places], groups, stream)
        coded = xor_additional_bits(coded, stream)
        coded[:, 0] = dc_values(coded)
        return coded

    def unscramble(self, blocks: Blocks, stream: KeyStream) -> Blocks:
        """Undo `scramble`."""
        coded = blocks.copy()
        coded[:, 0] = dc_differences(blocks)
        places, groups = _groups(coded)
        order = permute_groups(np.arange(len(groups)), groups, stream)  # what was moved where
        values = xor_additional_bits(coded, stream)[places]
        coded[places] = values[np.argsort(order)]
        coded[:, 0] = dc_values(coded)
        return coded

    def features(self, data: bytes) -> Features:
        """Return the transition matrices of a file, float32 (396,), or (108,) without color."""
        jpeg = parse(data)
        grids = [
            np.minimum(category(array[:, :, ZIGZAG[1:]]), STATES - 1)
            for array in decode_scans(jpeg)
        ]
        matrices = []
        for grid in grids:
            near = grid[:, :, :NEIGHBOR_FREQUENCIES]
            matrices.append(_transitions(grid[:, :, :-1], grid[:, :, 1:]))
            matrices.append(_transitions(near[:, :-1], near[:, 1:]))
            matrices.append(_transitions(near[:-1], near[1:]))
        if len(grids) == 3:
            h, v = jpeg.frame.sampling[0]
            first = grids[0][::v, ::h]
            if not first.shape == grids[1].shape == grids[2].shape:
                raise UnsupportedJpeg("components sampled otherwise than Y and two of one size")
            matrices += [_transitions(first, grids[1]), _transitions(grids[1], grids[2])]
        return np.concatenate(matrices).astype(np.float32)

    def invariants(self, data: bytes) -> Mapping[str, npt.NDArray[Any]]:
        """The categories of all AC values and of all DC differences, in place."""
        result = {}
        for c, blocks in zip(COMPONENTS, file_blocks(data), strict=False):
            result[f"AC codes of {c}"] = category(blocks[:, 1:])
            result[f"DC codes of {c}"] = category(dc_differences(blocks))
        return result


def _groups(coded: Blocks) -> tuple[tuple[npt.NDArray[np.intp], ...], npt.NDArray[np.int16]]:
    """Return where values are not zero, and the group of each: its frequency and its category."""
    places = np.nonzero(coded)
    groups = places[1].astype(np.int16) << 4 | category(coded[places])
    return places, groups


def _transitions(before: _States, after: _States) -> npt.NDArray[np.float64]:
    """Return how likely each state follows each; rows have a sum of 1, or of 0 without any."""
    pairs = before.astype(np.intp) * STATES + after
    counts = np.bincount(pairs.ravel(), minlength=STATES**2).reshape(STATES, STATES)
    rows: npt.NDArray[np.float64] = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    return rows.ravel()
