"""Rows of the rate-distortion benchmark: measured, stored, and kept while they are still true.

A row is one picture, one quality, one scheme. It is kept as long as the pixels and the code that
it was measured with are the same; the file is replaced as a whole, so that a killed run leaves one
that the next run goes on from.
"""

import csv
import gzip
import hashlib
import io
import math
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from skimage.metrics import structural_similarity

from benchmarks.photographs import Pixels
from jpegcrypt import atomic
from jpegcrypt.codec.parse import parse

LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # T.871
PEAK = 255


@dataclass(frozen=True, slots=True)
class Row:
    """What a scheme made of a picture at a quality.

    Attributes
    ----------
    picture, scheme : str
    quality : int
    width, height : int
        In pixels.
    size : int
        Of the whole file in bytes.
    payload : int
        Bytes of its entropy-coded data: no headers, tables and markers, and no stuffing.
    psnr, psnr_luma : float
        Against the original in dB, of all RGB samples and of luma; a picture that comes back
        exactly counts as one where a single sample is off by one.
    ssim : float
        Of luma, as scikit-image computes it by default: windows of 7x7.
    code, pixels : str
        Hashes of what it was measured with.
    """

    picture: str
    scheme: str
    quality: int
    width: int
    height: int
    size: int
    payload: int
    psnr: float
    psnr_luma: float
    ssim: float
    code: str
    pixels: str

    @property
    def bpp(self) -> float:
        """Return bits per pixel, of the whole file."""
        return 8 * self.size / (self.width * self.height)

    @property
    def ssim_db(self) -> float:
        """Return SSIM as decibels, -10 lg(1 - SSIM), which rise about evenly with the rate."""
        return -10 * math.log10(1 - self.ssim) if self.ssim < 1 else math.inf


Key = tuple[str, str, int]  # picture, scheme, quality
Rows = dict[Key, Row]


# --- measuring ------------------------------------------------------------------------------------


def measure(name: str, picture: Pixels, quality: int, schemes: Collection[str]) -> list[Row]:
    """Measure some schemes on one picture at one quality."""
    from benchmarks.rate_schemes import schemes as known

    luma = luma_of(picture)
    judged: dict[bytes, tuple[float, float, float]] = {}  # several schemes give the same picture
    rows = []
    for scheme in (known()[one] for one in schemes):
        file, shown = scheme.round_trip(picture, quality)
        digest = hashlib.sha256(shown.tobytes()).digest()
        if digest not in judged:
            shown_luma = luma_of(shown)
            similarity = structural_similarity(luma, shown_luma, data_range=PEAK)
            judged[digest] = psnr(picture, shown), psnr(luma, shown_luma), float(similarity)
        decibel, decibel_luma, similarity = judged[digest]
        rows.append(
            Row(
                picture=name,
                scheme=scheme.name,
                quality=quality,
                width=picture.shape[1],
                height=picture.shape[0],
                size=len(file),
                payload=sum(scan.entropy.size for scan in parse(file).scans),
                psnr=round(decibel, 3),
                psnr_luma=round(decibel_luma, 3),
                ssim=round(similarity, 4),
                code=scheme.code,
                pixels=pixel_hash(picture),
            )
        )
    return rows


def psnr(original: npt.NDArray[Any], shown: npt.NDArray[Any]) -> float:
    """Return the peak signal-to-noise ratio in dB; see `Row` for pictures that are the same."""
    squares = (original.astype(np.float32) - shown) ** 2
    error = float(np.mean(squares, dtype=np.float64))
    return 10 * math.log10(PEAK**2 / max(1 / original.size, error))


def luma_of(picture: Pixels) -> npt.NDArray[np.float32]:
    """Return luma, not rounded, (H, W)."""
    samples = picture.astype(np.float32)
    if picture.ndim == 2:
        return samples
    luma: npt.NDArray[np.float32] = samples @ LUMA
    return luma


def pixel_hash(picture: Pixels) -> str:
    """Return what identifies the pixels, short hexadecimal."""
    return hashlib.sha256(repr(picture.shape).encode() + picture.tobytes()).hexdigest()[:10]


# --- keeping --------------------------------------------------------------------------------------


def load(path: Path) -> Rows:
    """Read the rows of a data set; none if there is no file."""
    if not path.exists():
        return {}
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        if reader.fieldnames != [field.name for field in fields(Row)]:
            return {}  # of another version of this benchmark
        rows = [Row(**{f.name: f.type(record[f.name]) for f in fields(Row)}) for record in reader]  # type: ignore[operator]
    return {(row.picture, row.scheme, row.quality): row for row in rows}


def save(path: Path, rows: Iterable[Row]) -> None:
    """Replace the file of a data set: CSV, compressed; equal rows give equal bytes."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(Row)], lineterminator="\n")
    writer.writeheader()
    ordered = sorted(rows, key=lambda row: (row.scheme, row.quality, row.picture))
    writer.writerows(asdict(row) for row in ordered)
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic.write(
        path, gzip.compress(text.getvalue().encode(), mtime=0), overwrite=True, durable=False
    )
