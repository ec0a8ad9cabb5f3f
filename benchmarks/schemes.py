"""All schemes side by side: size, what comes back, speed, and which histograms stay.

Every scheme encrypts the color pictures of --data, cut to whole blocks, at one quality, 4:2:0 where
it is a JPEG. Sizes are over the plain JPEG of the same quality. Files that are JPEGs go through the
tables of `audit.leakage`. Times are processor time, the least of three, on a mosaic of photographs;
no scheme may encrypt less than 5 megapixels a second.
"""

import argparse
import json
import platform
import sys
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track

sys.path.insert(0, str(Path(__file__).parents[1]))

import jpegcrypt
from benchmarks import data_sets
from benchmarks.photographs import Pixels, mosaic
from benchmarks.rate_schemes import with_pillow
from benchmarks.speed import cpu_model
from jpegcrypt.audit import leakage
from jpegcrypt.audit.picture import psnr
from jpegcrypt.audit.report import rounded
from jpegcrypt.audit.target import OWNER, Compared, Lu2022, Target
from jpegcrypt.schemes import feng2021, load, names

RESULTS = Path(__file__).parent / "results" / "schemes.json"
PICTURES = 40
QUALITY = 75
TIMED = (1920, 1088)
NONCE = bytes(16)
HISTOGRAMS = ("DCC", "DCH", "ACC", "ACH")

Encrypt = Callable[[Pixels, int], bytes]
Decrypt = Callable[[bytes], Pixels]


def least(call: Callable[[], object]) -> float:
    times = []
    for _ in range(3):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return min(times)


def row(
    encrypt: Encrypt, decrypt: Decrypt, target: Target | None, pictures: Sequence[Pixels]
) -> dict[str, Any]:
    """Measure one scheme; `target` if its files are JPEGs."""
    plain = [len(jpegcrypt.encode(picture, quality=QUALITY)) for picture in pictures]
    files = [encrypt(picture, i) for i, picture in enumerate(pictures)]
    back = [psnr(p, decrypt(file)) for p, file in zip(pictures, files, strict=True)]
    large = mosaic(*TIMED)
    file = encrypt(large, len(pictures))
    pixels = large.shape[0] * large.shape[1] / 1e6
    found: dict[str, Any] = {
        "bytes_over_plain": sum(map(len, files)) / sum(plain),
        "psnr": float(np.mean(back)),
        "encrypt_mp_s": pixels / least(lambda: encrypt(large, len(pictures))),
        "decrypt_mp_s": pixels / least(lambda: decrypt(file)),
    }
    if target is not None:
        rows = {one.feature: one for one in leakage.measure(target, pictures)}
        found["same_histogram"] = {name: rows[name].zero / len(pictures) for name in HISTOGRAMS}
        found["raw_leak_ratio"] = {name: rows[name].raw_leak_ratio for name in HISTOGRAMS}
        best = max(rows.values(), key=lambda one: one.own_key.value)
        found["found_again"] = {"by": best.feature, "rate": best.own_key.value}
    return found


def compared(name: str, pictures: Sequence[Pixels]) -> dict[str, Any]:
    """Measure a scheme of `jpegcrypt.schemes`."""
    scheme = load(name)
    about = {
        "scheme": name,
        "domain": scheme.domain,
        "is_jpeg": scheme.is_jpeg,
        "lossless": scheme.lossless,
    }
    return about | row(
        lambda picture, i: scheme.encrypt(picture, OWNER, i.to_bytes(16)),
        lambda data: scheme.decrypt(data, OWNER),
        Compared(name) if scheme.is_jpeg else None,
        pictures,
    )


def lu2022(bank: str, pictures: Sequence[Pixels]) -> dict[str, Any]:
    """Measure the scheme of this project, with a bank."""
    target = Lu2022(bank=bank)
    about = {"scheme": f"lu2022, {bank}", "domain": "transforms", "is_jpeg": True}
    return (about | {"lossless": False}) | row(
        target.encrypt, lambda data: jpegcrypt.decrypt(data, OWNER), target, pictures
    )


def permuted_and_substituted(pictures: Sequence[Pixels]) -> dict[str, Any]:
    """Measure feng2021 with the setting that its paper finds most with."""
    about = {"scheme": "feng2021", "domain": "pixels", "is_jpeg": False, "lossless": True}
    return about | row(
        lambda picture, _: feng2021.encrypt(picture, OWNER, key_mode="content"),
        lambda data: feng2021.decrypt(data, OWNER),
        None,
        pictures,
    )


def in_blocks(picture: Pixels, side: int) -> Pixels:
    """Return the part of a picture that is whole blocks."""
    height, width = (length // side * side for length in picture.shape[:2])
    return np.ascontiguousarray(picture[:height, :width])


def run(data: data_sets.DataSet) -> dict[str, Any]:
    pictures = [in_blocks(picture, 8) for _, picture in data if picture.ndim == 3]
    work: list[Callable[[], dict[str, Any]]] = [
        *(lambda bank=bank: lu2022(bank, pictures) for bank in ("givens128", "authors16")),
        lambda: permuted_and_substituted(pictures),
        *(lambda name=name: compared(name, pictures) for name in names()),
    ]
    console = Console(stderr=True)
    rows = [do() for do in track(work, description="schemes", console=console)]
    large = mosaic(*TIMED)
    pixels = large.shape[0] * large.shape[1] / 1e6
    return {
        "data": f"{data.name} ({len(pictures)} pictures)",
        "quality": QUALITY,
        "timed": list(TIMED),
        "machine": cpu_model(),
        "python": platform.python_version(),
        "versions": {one: version(one) for one in ("jpegcrypt", "numpy", "pillow")},
        "pillow_save_mp_s": pixels / least(lambda: with_pillow(large, QUALITY)),
        "schemes": rows,
    }


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--data",
        default=data_sets.default_name(),
        help="folder or name of a data set (cid22 where it is at hand, else scikit-image)",
    )
    parser.add_argument("--pictures", type=int, default=PICTURES, help="at most (%(default)s)")
    parser.add_argument("--out", type=Path, default=RESULTS, help="file (%(default)s)")
    options = parser.parse_args(arguments)
    if options.pictures < 2:
        parser.error("--pictures is 2 or more")
    try:
        found = run(data_sets.find(options.data, most=options.pictures))
    except data_sets.Unusable as error:
        parser.error(str(error))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(rounded(found), indent=1) + "\n", "utf-8")
    Console().print(f"stored in {options.out}", soft_wrap=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
