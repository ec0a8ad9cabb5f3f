"""Liu, Shen, Xia, Sun 2017: differences of pixels substituted and moved, their histograms searched.

Re-implementation after "A content-based image retrieval scheme using an encrypted difference
histogram in cloud computing", Information 8(3) 96. R, G and B become differences of neighboring
pixels, which are encrypted by replacing values and scrambling positions. The server compares the
histograms of the encrypted differences by their Euclidean distance.

Ours by choice, where the abstract is silent: "order" differences, of each pixel to the one before
it in raster order, modulo 256; one permutation of the 256 values for each channel, which the data
set shares, or histograms could not be compared; places drawn anew for each picture, the same for
all channels.

What leaks: how often each difference occurs, under another name that serves the whole data set. The
commonest name is that of 0 or near, so the names soon fall to statistics.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from jpegcrypt.cipher.permutation import inverse, permutation
from jpegcrypt.schemes import statistics
from jpegcrypt.schemes.envelope import Channels
from jpegcrypt.schemes.interface import Descriptor, Features, Metric, Pixels
from jpegcrypt.schemes.pixels import PixelScheme, Streams, file_channels, value_counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Liu2017(PixelScheme):
    """As the module says."""

    ID: ClassVar[int] = 9
    BLOCK: ClassVar[int] = 1
    descriptor: ClassVar[Descriptor] = "features"
    words: ClassVar[int] = 0
    metric: ClassVar[Metric] = "euclidean"

    def prepare(self, channels: Pixels) -> Pixels:
        """Return differences modulo 256, the first one to 0."""
        flat = channels.reshape(len(channels), -1)
        return np.diff(flat, prepend=np.uint8(0), axis=1).reshape(channels.shape)

    def finish(self, channels: Pixels) -> Pixels:
        """Undo `prepare`."""
        flat = channels.reshape(len(channels), -1)
        return np.cumsum(flat, axis=1, dtype=np.uint8).reshape(channels.shape)

    def scramble(self, channels: Pixels, streams: Streams) -> Channels:
        """Replace values, then scramble positions."""
        order = permutation(streams.picture("places"), channels[0].size)
        secret = np.empty_like(channels)
        for c, plane in enumerate(channels):
            table = permutation(streams.shared(f"values {c}"), 256).astype(np.uint8)
            secret[c] = table[plane.ravel()[order]].reshape(plane.shape)
        return secret

    def unscramble(self, channels: Channels, streams: Streams) -> Pixels:
        """Undo `scramble`."""
        order = permutation(streams.picture("places"), channels[0].size)
        plain = np.empty(channels.shape, np.uint8)
        for c, plane in enumerate(channels):
            table = inverse(permutation(streams.shared(f"values {c}"), 256)).astype(np.uint8)
            plain[c].ravel()[order] = table[plane.ravel()]
        return plain

    def features(self, data: bytes) -> Features:
        """Return a histogram of differences a channel, float32 (256 c,)."""
        return np.concatenate([statistics.normalized(row) for row in _counts(data)])

    def invariants(self, data: bytes) -> Mapping[str, npt.NDArray[Any]]:
        """The sorted histogram of each channel."""
        return {f"counts of {c}": np.sort(row) for c, row in enumerate(_counts(data))}


def _counts(data: bytes) -> npt.NDArray[np.intp]:
    channels = file_channels(data, Liu2017.BLOCK, np.uint8)
    return value_counts(channels.reshape(len(channels), -1))
