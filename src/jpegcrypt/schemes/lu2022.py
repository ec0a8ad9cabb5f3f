"""Lu, Feng, Li 2022: block rotation, keyed orthogonal transforms, block permutation.

"A Privacy-Preserving and End-to-End-Based Encrypted Image Retrieval Scheme", arXiv 2208.11876,
section II-A. Inside a baseline JPEG encoder each 8x8 block is rotated by 0, 90, 180 or 270 degrees
and transformed by nine matrices of a bank (63 bits of the key stream with a bank of 128): one for
all its rows, then one for each column of frequencies. After quantization the blocks of each
component are permuted. Each component has a key of its own.

Ours by choice, where the paper is silent: the bank (`cipher.bank`), the key derivation
(`key`), uniform permutations (`cipher.plan`), a nonce for each picture, the mean of each component
as its level shift; as an option, DC residuals permuted instead of DC values (``native/dc.c``).
Blocks that only pad the picture to whole MCUs stay out of the permutation: they carry nothing, and
lossless rewriting by other tools replaces them.

What leaks is told in ``docs/threat_model.md``: magnitudes of coefficients up to small rotations,
hence the energy and texture statistics of the blocks, without their places.
"""

from collections.abc import Sequence

from jpegcrypt import _core
from jpegcrypt.cipher.bank import transform_bank
from jpegcrypt.cipher.plan import ComponentPlan, component_plan
from jpegcrypt.codec.decode import decode_planes
from jpegcrypt.codec.parse import JpegFile
from jpegcrypt.codec.tables import HuffmanTable
from jpegcrypt.key import ImageKeys

ID = 1  # in the file header
COMPONENTS = ("Y", "Cb", "Cr")  # in the labels of the component keys


def make_plan(
    keys: ImageKeys, frame: _core.Frame, *, bank: str, dc_residuals: bool
) -> list[ComponentPlan]:
    """Return the plan of each component of a picture.

    Bank, DC mode and size of the component are part of the label of its key: where one nonce serves
    several files (key modes `content` and `fixed`), no key stream is read in two ways.
    """
    use = f"{bank} residual" if dc_residuals else bank
    return [
        component_plan(keys.expand(f"{label} {use} {columns}x{rows}"), rows * columns)
        for label, (rows, columns) in zip(COMPONENTS, frame.block_shapes, strict=False)
    ]


def encrypt(
    planes: _core.Planes,
    keys: ImageKeys,
    frame: _core.Frame,
    quantizers: Sequence[_core.Quantizer],
    *,
    bank: str,
    levels: Sequence[int],
    dc_residuals: bool,
    tables: Sequence[HuffmanTable] | None,
    trellis_lambda: float,
    restart_interval: int,
    message_start: bytes,
    threads: int = 1,
) -> tuple[_core.Buffer, Sequence[HuffmanTable], _core.Buffer]:
    """Encode and encrypt the planes of a picture; see `_core.encode_scan`."""
    scan, huffman, message = _core.encode_scan(
        planes,
        quantizers,
        transform_bank(bank),
        plan=make_plan(keys, frame, bank=bank, dc_residuals=dc_residuals),
        levels=levels,
        dc_residuals=dc_residuals,
        tables=tables,
        trellis_lambda=trellis_lambda,
        restart_interval=restart_interval,
        message_start=message_start,
        threads=threads,
    )
    assert message is not None
    return scan, huffman, message


def decrypt(
    jpeg: JpegFile,
    keys: ImageKeys,
    *,
    bank: str,
    levels: Sequence[int],
    dc_residuals: bool,
    message_start: bytes,
    threads: int = 1,
) -> tuple[_core.Planes, _core.Buffer]:
    """Undo `encrypt` on the coefficients of a parsed file.

    Returns
    -------
    planes : Planes
        Worth looking at only when the tag of `message` has been verified.
    message : Buffer
    """
    planes, message = decode_planes(
        jpeg,
        bank=transform_bank(bank),
        plan=make_plan(keys, jpeg.frame, bank=bank, dc_residuals=dc_residuals),
        levels=levels,
        dc_residuals=dc_residuals,
        message_start=message_start,
        threads=threads,
    )
    assert message is not None
    return planes, message
