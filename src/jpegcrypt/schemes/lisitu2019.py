"""Li, Situ 2019: keyed orthogonal transforms and block permutation, magnitudes counted.

Re-implementation after "Encrypted JPEG image retrieval using histograms of transformed
coefficients", APSIPA ASC 2019, pages 1140-1144. Each block is transformed by matrices that the key
chooses from a bank, instead of by the DCT; then the blocks of each component are permuted. The
server compares histograms of the transformed coefficients.

Ours by choice, where the sources at hand are silent: the bank ``authors16``, one matrix for all
rows of a block and one for each column of frequencies, no rotation; histograms of magnitudes, 17
bins of DC values and six bins of each AC frequency, 395 a component.

What leaks: the magnitude of every coefficient, as the bank does no more to the DCT than to flip
signs (but for rounding); not the place of a block.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from jpegcrypt import _core
from jpegcrypt.cipher.bank import BANKS, transform_bank
from jpegcrypt.cipher.plan import ComponentPlan, component_plan
from jpegcrypt.codec.coefficients import decode_scans
from jpegcrypt.codec.parse import parse
from jpegcrypt.encoder import DEFAULT_QUALITY
from jpegcrypt.key import ImageKeys, Key
from jpegcrypt.schemes import envelope, statistics
from jpegcrypt.schemes.interface import Descriptor, Domain, Features, Metric, Pixels
from jpegcrypt.schemes.quantized import (
    COMPONENTS,
    file_blocks,
    picture_layout,
    quantize,
    show,
    write,
)

BANK = "authors16"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lisitu2019:
    """As the module says; settings as of `quantized.QuantizedScheme`."""

    quality: int = DEFAULT_QUALITY
    subsampling: str = "4:2:0"
    optimize: bool = True

    ID: ClassVar[int] = 8
    domain: ClassVar[Domain] = "transforms"
    is_jpeg: ClassVar[bool] = True
    lossless: ClassVar[bool] = False
    tolerance: ClassVar[float] = 0.01  # ties round by sign
    descriptor: ClassVar[Descriptor] = "features"
    words: ClassVar[int] = 0
    metric: ClassVar[Metric] = "cityblock"

    def plain(self, picture: Pixels) -> bytes:
        """As in `interface.Scheme`: the plain JPEG."""
        return write(*quantize(picture, self.quality, self.subsampling), optimize=self.optimize)

    def encrypt(self, picture: Pixels, key: Key, nonce: bytes) -> bytes:
        """As in `interface.Scheme`."""
        pixels, layout = picture_layout(picture, self.quality, self.subsampling)
        secret = _core.planes_to_coefficients(
            _core.image_to_planes(pixels, layout.frame),
            layout.quantizers,
            transform_bank(BANK),
            plan=make_plan(key.derive(nonce), layout.frame),
        )
        header = envelope.make_header(self.ID, key, nonce, bank=BANKS[BANK])
        return write(layout, secret, optimize=self.optimize, header=header)

    def decrypt(self, data: bytes, key: Key) -> Pixels:
        """As in `interface.Scheme`."""
        jpeg = parse(data)
        header = envelope.open_header(envelope.jpeg_header(jpeg), self.ID, key)
        plan = make_plan(key.derive(header.nonce), jpeg.frame)
        return show(jpeg, decode_scans(jpeg), bank=transform_bank(BANK), plan=plan)

    def features(self, data: bytes) -> Features:
        """Return 64 histograms of magnitudes a component, float32 (395 c,)."""
        parts = []
        for values in statistics.scaled_blocks(data):
            parts.append(statistics.dc_magnitudes(values[:, 0]))
            parts += statistics.column_histograms(np.abs(values[:, 1:]), statistics.AC_MAGNITUDES)
        return np.concatenate(parts)

    def invariants(self, data: bytes) -> Mapping[str, npt.NDArray[Any]]:
        """The sorted magnitudes of each frequency."""
        return {
            f"magnitudes of {c}": np.sort(np.abs(blocks.astype(np.int32)), axis=0)
            for c, blocks in zip(COMPONENTS, file_blocks(data), strict=False)
        }


def make_plan(keys: ImageKeys, frame: _core.Frame) -> list[ComponentPlan]:
    """Return the plan of each component: as for lu2022, but without rotation."""
    plans = [
        component_plan(keys.expand(f"Lisitu2019 {c}"), rows * columns)
        for c, (rows, columns) in zip(COMPONENTS, frame.block_shapes, strict=False)
    ]
    for plan in plans:
        plan.records[:, 9] = 0
    return plans
