"""Types of the compiled core; what each name does is told in ``_core.pyx``."""

from collections.abc import Sequence
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt
import typing_extensions

_HuffmanTable = tuple[bytes, bytes]  # BITS (16 counts) and HUFFVAL

class _ComponentPlan(Protocol):
    @property
    def records(self) -> npt.NDArray[np.uint8]: ...  # (n, 16)
    @property
    def permutation(self) -> npt.NDArray[np.uint32]: ...  # (n,)

def simd_level() -> str: ...

class Frame:
    def __init__(self, width: int, height: int, sampling: Sequence[tuple[int, int]]) -> None: ...
    @property
    def width(self) -> int: ...
    @property
    def height(self) -> int: ...
    @property
    def n_components(self) -> int: ...
    @property
    def sampling(self) -> tuple[tuple[int, int], ...]: ...
    @property
    def block_shapes(self) -> tuple[tuple[int, int], ...]: ...

class TransformBank:
    def __init__(self, matrices: npt.NDArray[np.int16]) -> None: ...

class Quantizer:
    def __init__(self, table: npt.NDArray[np.uint16]) -> None: ...

class HuffmanDecoder:
    def __init__(self, bits: bytes, values: bytes, is_dc: bool) -> None: ...

class Buffer(typing_extensions.Buffer):
    def __len__(self) -> int: ...

class Planes:
    means: tuple[int, ...]
    def __new__(cls, frame: Frame) -> Self: ...

class EntropyData:
    def __init__(self, data: bytes | bytearray | memoryview, start: int) -> None: ...
    @property
    def end(self) -> int: ...
    @property
    def size(self) -> int: ...

def new_bytes(size: int) -> npt.NDArray[np.uint8]: ...  # (size,)
def shuffle(permutation: npt.NDArray[np.uint32], i: int, draws: npt.NDArray[np.uint8]) -> int: ...
def image_to_planes(image: npt.NDArray[np.uint8], frame: Frame, *, threads: int = 1) -> Planes: ...
def encode_scan(
    planes: Planes,
    quantizers: Sequence[Quantizer],
    bank: TransformBank,
    *,
    plan: Sequence[_ComponentPlan] | None = None,
    levels: Sequence[int] | None = None,
    dc_residuals: bool = False,
    tables: Sequence[_HuffmanTable] | None = None,
    trellis_lambda: float = 0.0,
    restart_interval: int = 0,
    message_start: bytes | None = None,
    threads: int = 1,
) -> tuple[Buffer, Sequence[_HuffmanTable], Buffer | None]: ...
def encode_coefficients(
    frame: Frame,
    coefficients: Sequence[npt.NDArray[np.int16]],
    *,
    tables: Sequence[_HuffmanTable] | None = None,
    dc_only: bool = False,
    threads: int = 1,
) -> tuple[Buffer, Sequence[_HuffmanTable]]: ...
def planes_to_coefficients(
    planes: Planes,
    quantizers: Sequence[Quantizer],
    bank: TransformBank,
    *,
    plan: Sequence[_ComponentPlan] | None = None,
    levels: Sequence[int] | None = None,
) -> list[npt.NDArray[np.int16]]: ...
def decode_scan(
    frame: Frame,
    entropy: EntropyData,
    components: Sequence[int],
    dc: Sequence[HuffmanDecoder | None],
    ac: Sequence[HuffmanDecoder | None],
    coefficients: Sequence[npt.NDArray[np.int16]],
    *,
    restart_interval: int = 0,
    progression: tuple[int, int, int, int] | None = None,
) -> None: ...
def decode_to_planes(
    frame: Frame,
    entropy: EntropyData,
    dc: Sequence[HuffmanDecoder | None],
    ac: Sequence[HuffmanDecoder | None],
    quantizers: Sequence[Quantizer],
    *,
    restart_interval: int = 0,
    bank: TransformBank | None = None,
    plan: Sequence[_ComponentPlan] | None = None,
    levels: Sequence[int] | None = None,
    message_start: bytes | None = None,
    threads: int = 1,
) -> tuple[Planes, Buffer | None]: ...
def coefficients_to_planes(
    frame: Frame,
    coefficients: Sequence[npt.NDArray[np.int16]],
    quantizers: Sequence[Quantizer],
    *,
    bank: TransformBank | None = None,
    plan: Sequence[_ComponentPlan] | None = None,
    levels: Sequence[int] | None = None,
    dc_residuals: bool = False,
    message_start: bytes | None = None,
) -> tuple[Planes, Buffer | None]: ...
def planes_to_image(
    frame: Frame,
    planes: Planes,
    image: npt.NDArray[np.uint8],
    *,
    is_rgb: bool = False,
    threads: int = 1,
) -> None: ...
