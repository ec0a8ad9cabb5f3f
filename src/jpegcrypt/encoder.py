"""What the encoder is given: pixels and settings, checked before any work is done."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

from jpegcrypt import _core
from jpegcrypt.codec import write as jpeg_write
from jpegcrypt.codec.tables import ANNEX_K_HUFFMAN, HuffmanTable, Table, quality_tables, quantizer

ImageLike = npt.NDArray[np.uint8] | Image.Image
Pixels = npt.NDArray[np.uint8]
Effort = Literal["fast", "default"]
QuantizationTables = Sequence[Sequence[int]] | Mapping[int, Sequence[int]]

DEFAULT_QUALITY = 75
MAX_SIDE = 65500  # T.81 allows 65535, but libjpeg, and so most software, opens no more than this
EFFORTS = ("fast", "default")


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


@dataclass(frozen=True, slots=True)
class Layout:
    """What follows from size and settings alone."""

    frame: _core.Frame
    tables: tuple[Table, ...]  # one a component
    quantizers: tuple[_core.Quantizer, ...]
    segments: bytes  # DQT and SOF0


@lru_cache(maxsize=64)
def make_layout(
    width: int, height: int, sampling: tuple[tuple[int, int], ...], steps: tuple[bytes, ...]
) -> Layout:
    """Return the layout of a picture, made once for many; `steps` are the bytes of the tables."""
    frame = _core.Frame(width, height, sampling)
    distinct = [np.frombuffer(table, np.uint16) for table in steps[: len(sampling)]]
    tables = tuple(distinct[min(i, len(distinct) - 1)] for i in range(len(sampling)))
    return Layout(
        frame=frame,
        tables=tables,
        quantizers=tuple(quantizer(table.tobytes()) for table in tables),
        segments=jpeg_write.frame_segments(frame, distinct),
    )


@dataclass(frozen=True, slots=True)
class EncoderInput:
    """A picture and how it is to be encoded, all checked."""

    pixels: Pixels  # (H, W, components)
    layout: Layout
    huffman: tuple[HuffmanTable, ...] | None  # None: to be made for the picture
    restart_interval: int

    @classmethod
    def of(
        cls,
        image: ImageLike,
        quality: int | None,
        subsampling: str,
        qtables: QuantizationTables | None,
        effort: Effort,
        restart_interval: int,
    ) -> "EncoderInput":
        """Check the arguments that `encrypt` and `encode` share."""
        pixels = as_pixels(image)
        color = pixels.ndim == 3
        luma = sampling_factors(subsampling)  # a wrong name is an error for a gray picture, too
        sampling = (luma, (1, 1), (1, 1)) if color else ((1, 1),)
        if effort not in EFFORTS:
            raise ValueError(f"unknown effort {effort!r}, expected one of {', '.join(EFFORTS)}")
        steps = tuple(table.tobytes() for table in _quantization(quality, qtables))
        return cls(
            pixels=pixels if color else pixels[:, :, None],
            layout=make_layout(pixels.shape[1], pixels.shape[0], sampling, steps),
            huffman=ANNEX_K_HUFFMAN[: 4 if color else 2] if effort == "fast" else None,
            restart_interval=in_range("restart_interval", restart_interval, 0, 65535),
        )

    def file(
        self, huffman: Sequence[HuffmanTable], scan: bytes, segments: Sequence[bytes]
    ) -> bytes:
        """Return the file around a scan."""
        return jpeg_write.write_file(
            self.layout.segments,
            huffman,
            scan,
            segments=segments,
            restart_interval=self.restart_interval,
        )


def _quantization(quality: int | None, qtables: QuantizationTables | str | None) -> list[Table]:
    if qtables is None:
        if quality is None:
            quality = DEFAULT_QUALITY
        return list(quality_tables(in_range("quality", quality, 1, 100)))
    if quality is not None:
        raise ValueError("quality and qtables exclude each other")
    if isinstance(qtables, str):  # a preset of Pillow
        raise TypeError(f"qtables {qtables!r}, expected 1 to 3 tables of 64 steps")
    given = [qtables[i] for i in sorted(qtables)] if isinstance(qtables, Mapping) else qtables
    if not 1 <= len(given) <= 3:
        raise ValueError(f"{len(given)} quantization tables, expected 1 to 3")
    tables = [np.asarray(table).ravel() for table in given]
    for table in tables:
        if table.dtype.kind not in "iu":
            raise TypeError(f"a quantization table of {table.dtype}, expected integers")
        if table.size != 64 or table.min() < 1 or table.max() > 255:
            raise ValueError("a quantization table has 64 steps of 1 to 255")
    return [table.astype(np.uint16) for table in tables]


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
