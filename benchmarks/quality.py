"""Quality and size of encrypted pictures against Pillow's JPEG, over a folder of lossless ones.

For each quality and sampling: PSNR of the decrypted picture minus that of Pillow's JPEG, both
against the original, and the bytes of all files over Pillow's. The key is fixed and the nonces come
from the pictures, so that a run repeats exactly. --data takes any folder; without it, these are the
photographs of scikit-image that never were a JPEG.
"""

import argparse
import io
import json
import math
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
from PIL import Image
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1]))

import jpegcrypt
from benchmarks.photographs import COLOR, GRAY, JPEG_BORN, Pixels, photograph
from jpegcrypt.images import read_image

RESULT = Path(__file__).parent / "results" / "quality.json"
QUALITIES = (50, 75, 90, 100)
SUBSAMPLINGS = ("4:2:0", "4:4:4")
LOSSLESS = (".png", ".tif", ".tiff", ".bmp", ".ppm", ".pgm")
NOTICEABLE = 0.1  # dB


@dataclass(frozen=True)
class Measured:
    """One picture at one setting; the difference in dB, above 0 where ours is better."""

    name: str
    difference: float
    plain_bytes: int
    plain_optimized_bytes: int
    cipher_bytes: int


@dataclass(frozen=True)
class Summary:
    """All pictures at one setting. Differences in dB, ratios of all bytes together."""

    quality: int
    subsampling: str
    mean: float
    worst: float
    worst_picture: str
    worse_by_a_tenth: int  # pictures that lose more than 0.1 dB
    better_by_a_tenth: int
    bytes_over_plain: float
    bytes_over_optimized: float


def pictures(folder: Path | None) -> Iterator[tuple[str, Pixels]]:
    """Yield name and pixels of each picture."""
    if folder is None:
        for name in [*COLOR, *GRAY]:
            if name not in JPEG_BORN:
                yield name, photograph(name)
        return
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in LOSSLESS:
            yield path.name, read_image(path.read_bytes(), background="white")[0]


def measure(name: str, picture: Pixels, quality: int, subsampling: str) -> Measured:
    def plain(optimize: bool) -> bytes:
        file = io.BytesIO()
        Image.fromarray(picture).save(
            file, "JPEG", quality=quality, subsampling=subsampling, optimize=optimize
        )
        return file.getvalue()

    # Bytes and PSNR change a little with key and nonce; these two are always the same.
    key = jpegcrypt.Key(bytes(32))
    cipher = jpegcrypt.encrypt(
        picture, key, quality=quality, subsampling=subsampling, key_mode="content"
    )
    jpeg = plain(optimize=False)
    shown = np.asarray(Image.open(io.BytesIO(jpeg)))
    return Measured(
        name=name,
        difference=difference(picture, jpegcrypt.decrypt(cipher, key), shown),
        plain_bytes=len(jpeg),
        plain_optimized_bytes=len(plain(optimize=True)),
        cipher_bytes=len(cipher),
    )


def difference(original: Pixels, ours: Pixels, theirs: Pixels) -> float:
    """Return the PSNR of ours minus that of theirs.

    An exact picture counts as one where a single value is off by one: its PSNR would be infinite.
    """
    a, b = (
        max(1 / original.size, float(np.mean((original.astype(np.float64) - picture) ** 2)))
        for picture in (ours, theirs)
    )
    return 10 * math.log10(b / a)


def summary(measured: list[Measured], quality: int, subsampling: str) -> Summary:
    differences = [one.difference for one in measured]
    worst = min(measured, key=lambda one: one.difference)
    cipher = sum(one.cipher_bytes for one in measured)
    return Summary(
        quality=quality,
        subsampling=subsampling,
        mean=round(sum(differences) / len(differences), 4),
        worst=round(worst.difference, 4),
        worst_picture=worst.name,
        worse_by_a_tenth=sum(d < -NOTICEABLE for d in differences),
        better_by_a_tenth=sum(d > NOTICEABLE for d in differences),
        bytes_over_plain=round(cipher / sum(one.plain_bytes for one in measured), 4),
        bytes_over_optimized=round(cipher / sum(one.plain_optimized_bytes for one in measured), 4),
    )


def table(summaries: list[Summary], title: str) -> Table:
    shown = Table(
        title=title,
        caption="dB: PSNR of the decrypted picture minus that of Pillow's JPEG",
    )
    for heading in (
        "setting", "mean", "worst", "picture", "below\n-0.1", "above\n+0.1", "bytes,\nplain",
        "bytes,\noptimized",
    ):  # fmt: skip
        left = heading in ("setting", "picture")
        shown.add_column(heading, justify="left" if left else "right", no_wrap=heading != "picture")
    for one in summaries:
        shown.add_row(
            f"{one.quality}, {one.subsampling}",
            f"{one.mean:+.3f}",
            f"{one.worst:+.3f}",
            one.worst_picture,
            str(one.worse_by_a_tenth),
            str(one.better_by_a_tenth),
            f"{one.bytes_over_plain - 1:+.1%}",
            f"{one.bytes_over_optimized - 1:+.1%}",
        )
    return shown


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="a folder of lossless pictures")
    parser.add_argument("--name", help="what the result calls the data (the name of the folder)")
    parser.add_argument("--json", type=Path, default=RESULT, help="the result (%(default)s)")
    options = parser.parse_args(arguments)
    if options.data is not None and not options.data.is_dir():
        parser.error(f"{options.data} is not a folder")
    settings = [(quality, sampling) for sampling in SUBSAMPLINGS for quality in QUALITIES]
    measured: dict[tuple[int, str], list[Measured]] = {setting: [] for setting in settings}
    for name, picture in pictures(options.data):
        for setting in settings:
            measured[setting].append(measure(name, picture, *setting))
    count = len(measured[settings[0]])
    if not count:
        parser.error(f"no lossless picture ({', '.join(LOSSLESS)}) in {options.data}")
    name = options.name or ("scikit-image" if options.data is None else options.data.resolve().name)
    title = f"{name} ({count} pictures)"
    summaries = [summary(measured[setting], *setting) for setting in settings]
    Console().print(table(summaries, title))
    stored = {
        "data": title,
        "versions": {library: version(library) for library in ("jpegcrypt", "pillow")},
        "settings": [asdict(one) for one in summaries],
    }
    options.json.write_text(json.dumps(stored, indent=1) + "\n", "utf-8")
    Console().print(f"stored in {options.json}", soft_wrap=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
