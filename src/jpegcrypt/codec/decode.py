"""Decode a parsed JPEG to pixels, with a plan or as any viewer does."""

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from jpegcrypt import _core
from jpegcrypt.codec.coefficients import decode_scans
from jpegcrypt.codec.parse import JpegFile
from jpegcrypt.codec.tables import quantizer


class BlockPlan(Protocol):
    """What is done to the blocks of one component; `cipher.plan` makes it, the core applies it."""

    @property
    def records(self) -> npt.NDArray[np.uint8]:
        """Matrix indices and rotation of each block, (n, 16)."""

    @property
    def permutation(self) -> npt.NDArray[np.uint32]:
        """Which block goes where, (n,)."""


def decode_planes(
    jpeg: JpegFile,
    *,
    bank: _core.TransformBank | None = None,
    plan: Sequence[BlockPlan] | None = None,
    levels: Sequence[int] | None = None,
    dc_residuals: bool = False,
    message_start: bytes | None = None,
    threads: int = 1,
) -> tuple[_core.Planes, _core.Buffer | None]:
    """Decode all scans to sample planes and, behind `message_start`, to what the tag authenticates.

    One sequential scan of all components in their order, as most files have, goes straight to
    samples; anything else, and DC residuals, by way of coefficient arrays.
    """
    quantizers = [quantizer(table.tobytes()) for table in jpeg.tables]
    scan = jpeg.scans[0]
    sequential = scan.progression is None and not dc_residuals
    if sequential and scan.components == tuple(range(jpeg.frame.n_components)):
        return _core.decode_to_planes(
            jpeg.frame,
            scan.entropy,
            scan.dc,
            scan.ac,
            quantizers,
            restart_interval=scan.restart_interval,
            bank=bank,
            plan=plan,
            levels=levels,
            message_start=message_start,
            threads=threads,
        )
    return _core.coefficients_to_planes(
        jpeg.frame,
        decode_scans(jpeg),
        quantizers,
        bank=bank,
        plan=plan,
        levels=levels,
        dc_residuals=dc_residuals,
        message_start=message_start,
    )


def planes_to_image(
    jpeg: JpegFile, planes: _core.Planes, *, threads: int = 1
) -> npt.NDArray[np.uint8]:
    """Upsample and convert to uint8 (height, width, 3), or (height, width) for a gray file."""
    frame = jpeg.frame
    shape = frame.height, frame.width, frame.n_components
    image = _core.new_bytes(math.prod(shape)).reshape(shape)
    _core.planes_to_image(frame, planes, image, is_rgb=jpeg.color == "rgb", threads=threads)
    return image[:, :, 0] if frame.n_components == 1 else image
