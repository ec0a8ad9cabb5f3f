"""What the encoder is given: pixels and settings, checked before any work is done."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from jpegcrypt import _core
from jpegcrypt.codec import write as jpeg_write
from jpegcrypt.codec.tables import (
    ANNEX_K_HUFFMAN,
    PRESETS,
    HuffmanTable,
    quality_tables,
    quantizer,
)

ImageLike = npt.NDArray[np.uint8] | Image.Image
Pixels = npt.NDArray[np.uint8]
Effort = Literal["fast", "default", "best"]
TablePreset = Literal["annex-k", "flat"]
QuantizationTables = Sequence[Sequence[int]] | Mapping[int, Sequence[int]] | TablePreset

DEFAULT_QUALITY = 75
MAX_SIDE = 65500  # T.81 allows 65535, but libjpeg, and so most software, opens no more than this
EFFORTS = ("fast", "default", "best")
TRELLIS_LAMBDA = 0.17
RESTART_PIXELS = 1 << 18  # between restart markers, in pictures of four times as many and more
MAX_THREADS = 64


def as_pixels(image: ImageLike) -> Pixels:
    """Return an image as uint8 (H, W) or (H, W, 3) whose rows are contiguous.

    Raises
    ------
    TypeError, ValueError
        With what to do about it.
    """
    if isinstance(image, Image.Image):
        if image.mode not in ("L", "RGB"):
            raise ValueError(
                f"a PIL image of mode {image.mode}, expected L or RGB: "
                'use image.convert("RGB"), or encrypt_file, which converts'
            )
        image = np.asarray(image)
    if not isinstance(image, np.ndarray):
        raise TypeError(f"{type(image).__name__}, expected a uint8 array or a PIL image")
    if image.dtype != np.uint8:
        raise TypeError(
            f"an array of {image.dtype}, expected uint8: scale it to 0..255 and use astype"
        )
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] != 3):
        raise ValueError(
            f"an array of shape {image.shape}, expected (H, W) or (H, W, 3): "
            "take image[:, :, 0] of a single channel, image[:, :, :3] to drop alpha"
        )
    if not (1 <= image.shape[0] <= MAX_SIDE and 1 <= image.shape[1] <= MAX_SIDE):
        raise ValueError(
            f"{image.shape[1]}x{image.shape[0]} pixels, expected 1 to {MAX_SIDE} each way: "
            "libjpeg opens no more"
        )
    contiguous = (3, 1) if image.ndim == 3 else (1,)
    return image if image.strides[1:] == contiguous else np.ascontiguousarray(image)


class Quality(NamedTuple):
    """A preset of quantization tables and the quality that scales it."""

    quality: int
    preset: TablePreset


@dataclass(frozen=True, slots=True)
class Layout:
    """What follows from size and settings alone."""

    frame: _core.Frame
    quantizers: tuple[_core.Quantizer, ...]  # one a component
    segments: bytes  # DQT and SOF0
    identity: bytes  # of the frame and its tables
    restart_interval: int  # MCUs, unless the caller says it


@lru_cache(maxsize=64)
def make_layout(
    width: int, height: int, subsampling: str | None, tables: tuple[bytes, ...] | Quality
) -> Layout:
    """Return the layout of a picture, made once for many.

    Parameters
    ----------
    subsampling : str or None
        None for a gray picture.
    tables : tuple of bytes or Quality
        The bytes of the quantization tables, or what they follow from.
    """
    luma = (1, 1) if subsampling is None else sampling_factors(subsampling)
    sampling = ((1, 1),) if subsampling is None else (luma, (1, 1), (1, 1))
    frame = _core.Frame(width, height, sampling)
    steps = (
        list(quality_tables(tables.quality, tables.preset))
        if isinstance(tables, Quality)
        else [np.frombuffer(table, np.uint16) for table in tables]
    )[: len(sampling)]
    of_components = [steps[min(i, len(steps) - 1)] for i in range(len(sampling))]
    return Layout(
        frame=frame,
        quantizers=tuple(quantizer(table.tobytes()) for table in of_components),
        segments=jpeg_write.frame_segments(frame, steps),
        identity=jpeg_write.frame_identity(frame, of_components),
        restart_interval=_restart_interval(width, height, luma),
    )


def _restart_interval(width: int, height: int, sampling: tuple[int, int]) -> int:
    """Return MCUs between restart markers, whole rows of them, or 0: it is not worth it."""
    if width * height < 4 * RESTART_PIXELS:
        return 0
    columns = -(-width // (8 * sampling[0]))
    row = columns * 64 * sampling[0] * sampling[1]
    return columns * -(-RESTART_PIXELS // row)


class EncoderInput(NamedTuple):
    """A picture and how it is to be encoded, all checked."""

    pixels: Pixels  # (H, W, components)
    layout: Layout
    huffman: tuple[HuffmanTable, ...] | None  # None: to be made for the picture
    trellis_lambda: float  # 0: coefficients are rounded
    restart_interval: int

    @classmethod
    def of(
        cls,
        image: ImageLike,
        quality: int | None,
        subsampling: str,
        qtables: QuantizationTables,
        effort: Effort,
        trellis_lambda: float | None,
        restart_interval: int | None,
    ) -> "EncoderInput":
        """Check the arguments that `encrypt` and `encode` share."""
        pixels = as_pixels(image)
        sampling_factors(subsampling)  # a wrong name is an error for a gray picture, too
        if effort not in EFFORTS:
            raise ValueError(f"unknown effort {effort!r}, expected one of {', '.join(EFFORTS)}")
        color = pixels.ndim == 3
        height, width = pixels.shape[:2]
        tables = _quantization(quality, qtables)
        layout = make_layout(width, height, subsampling if color else None, tables)
        return cls(
            pixels if color else pixels[:, :, None],
            layout,
            None if effort != "fast" else ANNEX_K_HUFFMAN if color else ANNEX_K_HUFFMAN[:2],
            _trellis_lambda(effort, trellis_lambda),
            layout.restart_interval
            if restart_interval is None
            else in_range("restart_interval", restart_interval, 0, 65535),
        )

    def file(
        self, huffman: Sequence[HuffmanTable], scan: _core.Buffer, segments: Iterable[bytes]
    ) -> bytes:
        """Return the file around a scan."""
        scan_start = jpeg_write.scan_segments(tuple(huffman), self.restart_interval)
        return jpeg_write.write_file(segments, self.layout.segments, scan_start, scan)


def _quantization(quality: int | None, qtables: QuantizationTables) -> tuple[bytes, ...] | Quality:
    """Return the bytes of the tables, or the quality and preset that they follow from."""
    if isinstance(qtables, str):
        if qtables not in PRESETS:
            known = ", ".join(PRESETS)
            raise ValueError(f"unknown qtables {qtables!r}, expected one of {known}, or tables")
        number = DEFAULT_QUALITY if quality is None else in_range("quality", quality, 1, 100)
        return Quality(number, qtables)
    if quality is not None:
        raise ValueError("quality and qtables exclude each other")
    given = [qtables[i] for i in sorted(qtables)] if isinstance(qtables, Mapping) else qtables
    if not 1 <= len(given) <= 3:
        raise ValueError(f"{len(given)} quantization tables, expected 1 to 3")
    tables = [np.asarray(table).ravel() for table in given]
    for table in tables:
        if table.dtype.kind not in "iu":
            raise TypeError(f"a quantization table of {table.dtype}, expected integers")
        if table.size != 64 or table.min() < 1 or table.max() > 255:
            raise ValueError("a quantization table has 64 steps of 1 to 255")
    return tuple(table.astype(np.uint16).tobytes() for table in tables)


def _trellis_lambda(effort: str, factor: float | None) -> float:
    if effort != "best":
        if factor is not None:
            raise ValueError(f'trellis_lambda goes with effort "best", not with {effort!r}')
        return 0.0
    if factor is None:
        return TRELLIS_LAMBDA
    if isinstance(factor, bool) or not isinstance(factor, int | float):
        raise TypeError(f"trellis_lambda {factor!r}, expected a number from 0 to 1")
    if not 0 <= factor <= 1:
        raise ValueError(f"trellis_lambda {factor}, expected 0 to 1")
    return float(factor)


def sampling_factors(subsampling: str) -> tuple[int, int]:
    """Return the factors (H, V) of luma for a name such as "4:2:0"."""
    if subsampling not in jpeg_write.SUBSAMPLING:
        known = ", ".join(jpeg_write.SUBSAMPLING)
        raise ValueError(f"unknown subsampling {subsampling!r}, expected one of {known}")
    return jpeg_write.SUBSAMPLING[subsampling]


def in_range(name: str, value: int, low: int, high: int) -> int:
    """Return an integer argument, or raise TypeError or ValueError."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{name} {value!r}, expected an integer of {low} to {high}")
    if not low <= value <= high:
        raise ValueError(f"{name} {value}, expected {low} to {high}")
    return int(value)
