"""Quantized coefficients of a JPEG, as arrays."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from jpegcrypt import _core
from jpegcrypt.codec.parse import MAX_PIXELS, JpegFile, parse

Blocks = npt.NDArray[np.int16]  # (rows, columns, 8, 8)


@dataclass(frozen=True, slots=True, eq=False)
class Coefficients:
    """Quantized coefficients in natural order, under the field's known names.

    Attributes
    ----------
    Y : int16 array (rows, columns, 8, 8)
        Blocks of the first component; [..., v, u] with v the vertical frequency. Blocks that only
        pad the picture to whole MCUs are left out.
    Cb, Cr : int16 array (rows, columns, 8, 8) or None
        Of the other two; None for a gray picture.
    qt : uint16 array (components, 8, 8)
        Quantization steps of each component.
    sampling : tuple of (int, int)
        Factors (H, V) of each component.
    width, height : int
        Size in pixels.
    """

    Y: Blocks
    Cb: Blocks | None
    Cr: Blocks | None
    qt: npt.NDArray[np.uint16]
    sampling: tuple[tuple[int, int], ...]
    width: int
    height: int


def read_coefficients(data: bytes, *, max_pixels: int = MAX_PIXELS) -> Coefficients:
    """Read the quantized coefficients of a JPEG, without dequantizing or decrypting.

    Parameters
    ----------
    data : bytes
        A baseline, extended sequential or progressive file of 8 bits, gray or three components.
    max_pixels : int
        Larger pictures are refused.

    Raises
    ------
    MalformedJpeg, UnsupportedJpeg, ImageTooLarge

    Examples
    --------
    >>> import jpegcrypt
    >>> gray = np.full((20, 30), 200, np.uint8)
    >>> coefficients = read_coefficients(jpegcrypt.encode(gray, quality=100))
    >>> coefficients.Y.shape, int(coefficients.Y[0, 0, 0, 0])
    ((3, 4, 8, 8), 576)
    """
    jpeg = parse(data, max_pixels=max_pixels)
    arrays: list[Blocks | None] = [
        blocks.reshape(*blocks.shape[:2], 8, 8) for blocks in decode_scans(jpeg)
    ]
    Y, Cb, Cr = arrays if len(arrays) == 3 else (arrays[0], None, None)
    assert Y is not None
    return Coefficients(
        Y,
        Cb,
        Cr,
        np.stack(jpeg.tables).reshape(-1, 8, 8),
        jpeg.frame.sampling,
        jpeg.frame.width,
        jpeg.frame.height,
    )


def decode_scans(jpeg: JpegFile) -> Sequence[npt.NDArray[np.int16]]:
    """Decode all scans into int16 arrays (rows, columns, 64), one a component."""
    arrays = [np.zeros((*shape, 64), np.int16) for shape in jpeg.frame.block_shapes]
    for scan in jpeg.scans:
        _core.decode_scan(
            jpeg.frame,
            scan.entropy,
            scan.components,
            scan.dc,
            scan.ac,
            arrays,
            restart_interval=scan.restart_interval,
            progression=scan.progression,
        )
    return arrays


def coded_order(rows: int, columns: int, h: int, v: int) -> npt.NDArray[np.intp]:
    """Return the raster index of each block of a component in an interleaved scan (A.2.3), (n,).

    Parameters
    ----------
    h, v : int
        Sampling factors: blocks of the component in an MCU, across and down.

    Examples
    --------
    >>> coded_order(2, 4, 2, 2).tolist()
    [0, 1, 4, 5, 2, 3, 6, 7]
    """
    row, column = np.divmod(np.arange(rows * columns), columns)
    order: npt.NDArray[np.intp] = np.lexsort((column % h, row % v, column // h, row // v))
    return order
