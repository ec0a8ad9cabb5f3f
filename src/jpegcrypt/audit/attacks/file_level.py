"""The file around the coefficients: length, tables, metadata, and whether changes are noticed.

Has: the encrypted files, and the plain ones as candidates. Metric: how often the length of a file
picks the right one of N candidates, by rank; how alike lengths run; whether planted metadata shows
in clear; how many changed bits of coefficients pass. Chance: 1 in N, 0.
"""

from collections.abc import Callable, Sequence

import numpy as np
from scipy.stats import spearmanr

from jpegcrypt import api
from jpegcrypt.audit.leakage import reidentification
from jpegcrypt.audit.outcome import Measure, Outcome
from jpegcrypt.audit.target import ATTACKER, OWNER, Lu2022, Pixels, Target
from jpegcrypt.codec import markers
from jpegcrypt.codec.parse import parse
from jpegcrypt.errors import JpegcryptError

SECRET = b"a secret of the audit"
PLANTED = {
    "exif": b"Exif\0\0" + SECRET,
    "xmp": SECRET,
    "icc_profile": SECRET,
    "comment": SECRET,
}
FLIPS = 64


def lengths(target: Target, pictures: Sequence[Pixels]) -> tuple[float, float]:
    """Return re-identification by length (own key), and the correlation with plain lengths."""
    plain, cipher, own = (
        np.array([len(data) for data in files], np.float64)
        for files in (
            [target.encode(picture) for picture in pictures],
            [target.encrypt(picture, i) for i, picture in enumerate(pictures)],
            [target.encrypt(picture, i, key=ATTACKER) for i, picture in enumerate(pictures)],
        )
    )
    hits = reidentification(np.abs(cipher[:, None] - own[None]))
    return hits.value, float(spearmanr(plain, cipher).statistic)


def metadata_in_clear(data: bytes) -> bool:
    """Tell whether the planted metadata, or any at all, can be read off a file."""
    return SECRET in data or any(s.marker in (0xE1, 0xE2, 0xFE) for s in parse(data).segments)


def flips_accepted(data: bytes, decrypt: Callable[[bytes], object], seed: int = 0) -> float:
    """Return the share of single changed bits of the scan that `decrypt` takes without an error."""
    rng = np.random.default_rng(seed)
    accepted = 0
    header = data.rindex(bytes([0xFF, markers.SOS])) + 2  # coded data has no markers but RSTn
    start = header + int.from_bytes(data[header : header + 2])
    for position in rng.integers(start, len(data) - 2, FLIPS):
        changed = bytearray(data)
        changed[position] ^= 1 << rng.integers(8)
        try:
            decrypt(bytes(changed))
        except JpegcryptError:
            continue
        accepted += 1
    return accepted / FLIPS


def run(target: Target, pictures: Sequence[Pixels]) -> list[Outcome]:
    """Compare lengths of all pictures, and look into the file of the first."""
    hits, alike = lengths(target, pictures)
    measures = [
        Measure("right file found by its length", hits, 1 / len(pictures), 1),
        Measure("lengths, plain and encrypted, correlation", alike, 0, 1),
    ]
    if isinstance(target, Lu2022):
        data = target.encrypt(pictures[0], len(pictures), metadata=PLANTED)
        passed = flips_accepted(data, lambda changed: api.decrypt(changed, OWNER))
        measures += [
            Measure("metadata in clear", float(metadata_in_clear(data)), 0, 1),
            Measure("changed bits accepted", passed, 0, 1),
        ]
    return [Outcome("file_level", f"{len(pictures)} files and their candidates", measures)]
