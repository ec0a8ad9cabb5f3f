"""The scheme of Lu et al. (2022) in exact arithmetic, with each of its steps on or off: a control.

The codec rounds in fixed point, where a value half way between two steps may go another way than
its negative: about one block in ten thousand. What is a property of the scheme and no accident of
rounding, such as a distance of exactly zero, is measured here: float64 and symmetric rounding, on
the samples of the plain picture.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from jpegcrypt.audit.target import Pixels
from jpegcrypt.cipher.bank import dct_matrix, matrices
from jpegcrypt.codec.coefficients import Blocks, Coefficients
from jpegcrypt.codec.tables import quality_tables

Float = npt.NDArray[np.floating[Any]]

TIE = 9  # decimals that decide; float64 has an error of some 1e-13 here


def planes(picture: Pixels) -> list[Float]:
    """Return the level-shifted samples of each component at 4:2:0, (rows, columns, 8, 8) each.

    The last row and column are repeated to whole blocks, as the codec does.
    """
    image = Image.fromarray(picture)
    bands = [image] if picture.ndim == 2 else list(image.convert("YCbCr").split())
    return [
        to_blocks(np.asarray(band.reduce(2) if i else band)).astype(np.float64) - 128
        for i, band in enumerate(bands)
    ]


def to_blocks(plane: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the blocks of a plane, its last row and column repeated, (rows, columns, 8, 8)."""
    height, width = plane.shape
    padded = np.pad(plane, ((0, -height % 8), (0, -width % 8)), "edge")
    return padded.reshape(len(padded) // 8, 8, -1, 8).swapaxes(1, 2)


def rotate(samples: Float, turns: npt.NDArray[np.integer]) -> Float:
    """Turn each block (n, 8, 8) by as many right angles, clockwise."""
    turned = np.empty_like(samples)
    for quarter in range(4):
        chosen = turns % 4 == quarter
        turned[chosen] = np.rot90(samples[chosen], -quarter, (1, 2))
    return turned


def transform(
    samples: Float, row: npt.NDArray[np.integer], column: npt.NDArray[np.integer], bank: Float
) -> Float:
    """Transform blocks (n, 8, 8): Z[:, u] = M_c(u) X M_r^T, indices (n,) and (n, 8)."""
    rows_done = samples @ bank[row].swapaxes(1, 2)
    # Column matrices (n, 8 columns, 8, 8) times the columns (n, 8 columns, 8).
    done: Float = np.einsum("ncij,njc->nic", bank[column], rows_done)
    return done


def inverse_transform(
    values: Float, row: npt.NDArray[np.integer], column: npt.NDArray[np.integer], bank: Float
) -> Float:
    """Undo `transform`, as the matrices are orthogonal: X = [M_c(u)^T Z[:, u]] M_r."""
    columns_done = np.einsum("ncji,njc->nic", bank[column], values)
    done: Float = columns_done @ bank[row]
    return done


def quantize(values: Float, table: npt.NDArray[np.integer]) -> Blocks:
    """Round to steps, halves to even, so the same for a value and its negative."""
    return np.clip(np.rint(np.round(values / table, TIE)), -1023, 1023).astype(np.int16)


def encrypt(
    picture: Pixels,
    *,
    bank: str,
    quality: int,
    seed: int,
    rotation: bool = True,
    permutation: bool = True,
) -> tuple[Coefficients, Coefficients]:
    """Return the plain and the encrypted coefficients of a picture.

    Random choices come from a seed, not from a key: a control needs no secret.

    Examples
    --------
    >>> from jpegcrypt.audit.histograms import absolute, dcc
    >>> picture = np.arange(64 * 64, dtype=np.uint8).reshape(64, 64)
    >>> plain, cipher = encrypt(picture, bank="authors16", quality=75, seed=1)
    >>> bool((absolute(dcc)(plain) == absolute(dcc)(cipher)).all())
    True
    """
    rng = np.random.default_rng(seed)
    dct, choices = dct_matrix(), matrices(bank)
    plain, cipher = [], []
    parts = planes(picture)
    tables = [quality_tables(quality)[min(i, 1)].reshape(8, 8) for i in range(len(parts))]
    for blocks, steps in zip(parts, tables, strict=True):
        shape, n = blocks.shape, blocks.shape[0] * blocks.shape[1]
        samples = blocks.reshape(n, 8, 8)
        none, none8 = np.zeros(n, np.int64), np.zeros((n, 8), np.int64)
        plain.append(quantize(transform(samples, none, none8, dct[None]), steps).reshape(shape))
        if rotation:
            samples = rotate(samples, rng.integers(0, 4, n))
        row, column = rng.integers(0, len(choices), n), rng.integers(0, len(choices), (n, 8))
        done = quantize(transform(samples, row, column, choices), steps)
        cipher.append(done[rng.permutation(n) if permutation else slice(None)].reshape(shape))
    sampling = ((2, 2), (1, 1), (1, 1)) if len(parts) == 3 else ((1, 1),)
    height, width = picture.shape[:2]
    Y, *chroma = zip(plain, cipher, strict=True)
    Cb, Cr = chroma or ((None, None), (None, None))
    first, second = (
        Coefficients(Y[i], Cb[i], Cr[i], np.stack(tables), sampling, width, height)
        for i in range(2)
    )
    return first, second


def render(blocks: npt.NDArray[Any], table: npt.NDArray[np.integer]) -> Pixels:
    """Return quantized blocks (rows, columns, 8, 8) as the gray picture that a decoder shows."""
    dct = dct_matrix()
    samples = dct.T @ (blocks * table.astype(np.float64)) @ dct
    rows, columns = blocks.shape[:2]
    shifted = np.clip(np.rint(samples + 128), 0, 255).astype(np.uint8)
    picture: Pixels = shifted.swapaxes(1, 2).reshape(8 * rows, 8 * columns)
    return picture


def in_place(blocks: npt.NDArray[Any], permutation: npt.NDArray[np.integer]) -> npt.NDArray[Any]:
    """Put cipher blocks (rows, columns, ...) where they belong: a permutation undone."""
    flat = blocks.reshape(len(permutation), *blocks.shape[2:])
    plain = np.empty_like(flat)
    plain[permutation] = flat
    return plain.reshape(blocks.shape)
