"""Tables of all schemes beside each other: Table I of lu2022, and Table I of feng2021.

The first has the four histograms of every scheme whose files are JPEGs, and which of them has to be
the same in the plain and in the encrypted file by how the scheme is made. The second has the PSNR
of plain against encrypted pictures for each setting of feng2021.
"""

import json
import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.photographs import Pixels
from jpegcrypt.audit import leakage
from jpegcrypt.audit.histograms import HISTOGRAMS
from jpegcrypt.audit.picture import psnr
from jpegcrypt.audit.target import OWNER, Lu2022, Target, jpeg_schemes, make
from jpegcrypt.codec.coefficients import Coefficients, read_coefficients
from jpegcrypt.errors import FixedKeyWarning
from jpegcrypt.key import Key
from jpegcrypt.schemes import envelope, feng2021, load

ZERO, OTHER, EITHER, NONE = "0", "x", "0 or x", "∞"
BANKS = ("givens128", "authors16")

# The histograms DCC, DCH, ACC, ACH, by construction: 0 where the file shows that of the picture,
# ∞ where it holds no such values in clear. Magnitudes of lisitu2019 stay but for rounded ties.
EXPECTED: dict[str, tuple[str, ...]] = {
    "lu2022": (OTHER, OTHER, OTHER, OTHER),
    "zhang2014": (ZERO, OTHER, ZERO, OTHER),
    "cheng2016_ac": (NONE, NONE, ZERO, OTHER),
    "cheng2016_blockwise": (OTHER, ZERO, OTHER, ZERO),
    "cheng2016_markov": (OTHER, ZERO, OTHER, ZERO),
    "liang2019": (OTHER, OTHER, OTHER, ZERO),
    "lisitu2019": (OTHER, OTHER, OTHER, EITHER),
    "chuman2019": (OTHER, OTHER, OTHER, OTHER),
}

PAPER = Path(__file__).parent / "results" / "leakage" / "paper-feng2021.json"
SIDES = (192, 128)  # of feng2021, or 128x192
FENG2021 = tuple(product((16, 8), (1, 2, 3)))  # P, and M in quarters of the blocks
KEYS = tuple(Key(i.to_bytes(32)) for i in range(10))  # of feng2021


# --- Table I of lu2022 ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AcPart:
    """The AC half of cheng2016_ac, which is a JPEG; its DC half is a string of enciphered codes."""

    quality: int
    name: str = "cheng2016_ac"

    @property
    def settings(self) -> dict[str, str | int]:
        return {"scheme": "cheng2016_ac", "quality": self.quality}

    def encode(self, picture: Pixels) -> bytes:
        return _first_part(load("cheng2016_ac", quality=self.quality).plain(picture))

    def encrypt(self, picture: Pixels, serial: int, *, key: Key = OWNER) -> bytes:
        scheme = load("cheng2016_ac", quality=self.quality)
        return _first_part(scheme.encrypt(picture, key, serial.to_bytes(16)))

    def coefficients(self, data: bytes) -> Coefficients:
        return read_coefficients(data)


def _first_part(data: bytes) -> bytes:
    return envelope.read_parts(data)[0][0]


def targets(quality: int) -> Iterator[tuple[str, Target]]:
    """Yield every scheme with what it is called."""
    for bank in BANKS:
        yield f"lu2022, {bank}", Lu2022(bank=bank, quality=quality)
    yield "cheng2016_ac", AcPart(quality)
    for name in jpeg_schemes():
        if name != "lu2022":
            yield name, make(name, quality=quality)


def histograms(pictures: Sequence[Pixels], qualities: Sequence[int]) -> list[dict[str, Any]]:
    """Return the rows of Table I of lu2022.

    For each histogram the mean distance on raw counts as in the paper, and its ratio to the same
    distance of two different plain files, None where there is no such histogram; then what is
    expected and what was found: 0 if all files are at distance 0, x if none is.
    """
    rows = []
    for quality in qualities:
        for name, target in targets(quality):
            measured = {row.feature: row for row in leakage.measure(target, pictures)}
            expected = EXPECTED.get(str(target.settings["scheme"]))
            found = [measured[one] for one in HISTOGRAMS]
            inside = [cell != NONE for cell in expected or (EITHER,) * len(found)]
            signs = [
                sign(row.zero, len(pictures)) if there else NONE
                for row, there in zip(found, inside, strict=True)
            ]
            rows.append(
                {
                    "scheme": name,
                    "quality": quality,
                    "raw": {
                        row.feature: row.raw if there else None
                        for row, there in zip(found, inside, strict=True)
                    },
                    "raw_leak_ratio": {
                        row.feature: row.raw_leak_ratio if there else None
                        for row, there in zip(found, inside, strict=True)
                    },
                    "expected": None if expected is None else list(expected),
                    "found": signs,
                    "as_expected": None if expected is None else agrees(expected, signs),
                }
            )
    return rows


def sign(zero: int, n: int) -> str:
    """Return 0 if all of n distances are 0, x if none is, else how many.

    Examples
    --------
    >>> sign(5, 5), sign(0, 5), sign(2, 5)
    ('0', 'x', '0 in 2 of 5')
    """
    return ZERO if zero == n else OTHER if zero == 0 else f"0 in {zero} of {n}"


def agrees(expected: Sequence[str], found: Sequence[str]) -> bool:
    """Tell if what was found is what a scheme is expected to show.

    Examples
    --------
    >>> agrees(["0", "0 or x"], ["0", "0 in 2 of 5"]), agrees(["x"], ["0 in 2 of 5"])
    (True, False)
    """
    return all(one in (EITHER, other) for one, other in zip(expected, found, strict=True))


def lines(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield Table I as Markdown."""
    heads = " | ".join(f"{name}, ratio" for name in HISTOGRAMS)
    yield f"| scheme, quality | {heads} | expected | found | |"
    yield f"|---|{'--:|' * len(HISTOGRAMS)}---|---|---|"
    for row in rows:
        cells = [
            NONE if row["raw"][name] is None else f"{row['raw'][name]:.0f}, {ratio:.2f}"
            for name, ratio in row["raw_leak_ratio"].items()
        ]
        expected = ", ".join(row["expected"] or ["not said"])
        verdict = {True: "as expected", False: "**not as expected**", None: ""}[row["as_expected"]]
        yield (
            f"| `{row['scheme']}`, {row['quality']} | {' | '.join(cells)} "
            f"| {expected} | {', '.join(row['found'])} | {verdict} |"
        )


# --- Table I of feng2021 --------------------------------------------------------------------------


def psnr_of_feng2021(pictures: Sequence[Pixels]) -> list[dict[str, Any]]:
    """Return the PSNR of plain against encrypted pictures, all RGB samples, for each setting.

    All pictures have one key, as in the paper, so that the mean of the pictures depends on it: its
    mean and standard deviation over some keys.
    """
    sized = [_resized(picture) for picture in pictures]
    rows = []
    for block, quarters in FENG2021:
        found = [_mean_psnr(sized, key, block, quarters) for key in KEYS]
        chosen = math.prod(SIDES) // block**2 * quarters // 4
        rows.append(
            {"P": block, "M": chosen, "keys": len(KEYS)}
            | {"psnr": float(np.mean(found)), "deviation": float(np.std(found, ddof=1))}
        )
    return rows


def _mean_psnr(pictures: Sequence[Pixels], key: Key, block: int, quarters: int) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FixedKeyWarning)  # as in the paper
        files = [feng2021.encrypt(one, key, block=block, quarters=quarters) for one in pictures]
    return float(
        np.mean([psnr(one, feng2021.read(f)[0]) for one, f in zip(pictures, files, strict=True)])
    )


def _resized(picture: Pixels) -> Pixels:
    """Return RGB of 192x128, or 128x192 if it stands."""
    size = SIDES if picture.shape[1] >= picture.shape[0] else SIDES[::-1]
    return np.asarray(Image.fromarray(picture).convert("RGB").resize(size))


def psnr_lines(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield Table I of feng2021 as Markdown, beside the numbers of the paper."""
    paper = json.loads(PAPER.read_text("utf-8"))
    printed = {row["what"]: row["value"] for row in paper["rows"] if row["table"] == "I"}
    keys = rows[0]["keys"]
    yield f"| feng2021, P, M | PSNR, dB, mean ± sd of {keys} keys | the paper, on {paper['data']} |"
    yield "|---|--:|--:|"
    for row in rows:
        value = printed[f"PSNR, P = {row['P']}, M = {row['M']}"]
        yield f"| {row['P']}, {row['M']} | {row['psnr']:.2f} ± {row['deviation']:.2f} | {value} |"
