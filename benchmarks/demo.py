"""Encrypt and decrypt real photographs, and show what becomes of them.

The photographs are those inside the scikit-image wheel; --photos adds a folder. Each one goes
through a file: ``*.cipher.jpg`` is the encrypted JPEG, to be opened in any viewer, and
``*.decrypted.png`` what comes back with the key in ``demo.key``. ``contact_sheet.png`` shows all of
them: original, what everyone sees, decrypted. Only pixels are compared: each photograph is turned
as its EXIF asks, and metadata is left out. The files of an earlier run go, the key stays.
"""

import argparse
import io
import json
import math
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1]))

import jpegcrypt
from benchmarks.contact_sheet import MOST, Strip, contact_sheet, thumbnail
from benchmarks.photographs import COLOR, FREE, GRAY, JPEG_BORN, Pixels, photograph
from jpegcrypt.images import read_image

OUT = Path(__file__).parents[1] / "demo"
WRITTEN = ".files"  # names of all that a run wrote into its folder, a JSON string a line
REPEATS = 3

T = TypeVar("T")
Source = tuple[str, Path | None]


@dataclass(frozen=True)
class Row:
    """What the table says of one photograph. PSNR in dB against the original, None if equal."""

    name: str
    width: int
    height: int
    was_jpeg: bool
    plain_bytes: int
    plain_optimized_bytes: int
    cipher_bytes: int
    plain_psnr: float | None
    decrypted_psnr: float | None
    encrypt_ms: float
    decrypt_ms: float


@dataclass(frozen=True)
class Shown:
    """A photograph, what everyone sees of it, and what comes back."""

    row: Row
    pictures: tuple[Image.Image, Image.Image, Image.Image]


def photographs(folder: Path | None, only: list[str] | None, out: Path) -> Iterator[Source]:
    """Yield name and file of each photograph; no file for those of scikit-image."""
    for name in [*COLOR, *GRAY]:
        if only is None or name in only:
            yield name, None
    for path in sorted(folder.rglob("*")) if folder is not None else ():
        hidden = any(part.startswith(".") for part in path.relative_to(folder or path).parts)
        if path.is_file() and not hidden and out.resolve() not in path.resolve().parents:
            yield path.relative_to(folder or path).as_posix(), path


def load(name: str, path: Path | None) -> tuple[Pixels, bool]:
    """Return the upright pixels, and if they have been a JPEG."""
    if path is None:
        return photograph(name), name in JPEG_BORN
    data = path.read_bytes()
    pixels, _ = read_image(data, background="white", strip=True)
    return pixels, data.startswith(b"\xff\xd8")


def show(source: Source, out: Path, number: int, key: jpegcrypt.Key, quality: int) -> Shown:
    """Take one photograph through all steps, its files in `out`."""
    name, path = source
    # Numbered: a folder may hold the names of scikit-image again.
    stem = f"{number:02d}-{name.replace('/', '_')[-50:]}"
    picture, was_jpeg = load(name, path)
    plain = save_plain(picture, quality)
    cipher, encrypt_ms = timed(lambda: jpegcrypt.encrypt(picture, key, quality=quality))
    cipher_path = remember(out / f"{stem}.cipher.jpg")
    cipher_path.write_bytes(cipher)
    stored = cipher_path.read_bytes()
    decrypted, decrypt_ms = timed(lambda: jpegcrypt.decrypt(stored, key))
    Image.fromarray(decrypted).save(remember(out / f"{stem}.decrypted.png"))
    row = Row(
        name=name,
        width=picture.shape[1],
        height=picture.shape[0],
        was_jpeg=was_jpeg,
        plain_bytes=len(plain),
        plain_optimized_bytes=len(save_plain(picture, quality, optimize=True)),
        cipher_bytes=len(stored),
        plain_psnr=psnr(picture, np.asarray(Image.open(io.BytesIO(plain)))),
        decrypted_psnr=psnr(picture, decrypted),
        encrypt_ms=round(encrypt_ms, 2),
        decrypt_ms=round(decrypt_ms, 2),
    )
    with Image.open(cipher_path) as seen:  # by Pillow, as by any viewer
        pictures = (
            thumbnail(Image.fromarray(picture)),
            thumbnail(seen),
            thumbnail(Image.fromarray(decrypted)),
        )
    return Shown(row, pictures)


def save_plain(picture: Pixels, quality: int, *, optimize: bool = False) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=quality, optimize=optimize)
    return file.getvalue()


def timed(call: Callable[[], T]) -> tuple[T, float]:
    """Return the result and the milliseconds of the quickest of a few calls."""
    durations = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        result = call()
        durations.append(time.perf_counter() - start)
    return result, 1000 * min(durations)


def psnr(a: Pixels, b: Pixels) -> float | None:
    error = float(np.mean((a.astype(np.float64) - b) ** 2))
    return round(10 * math.log10(255**2 / error), 3) if error else None


def printable(text: str) -> str:
    """Replace what a terminal or a font may not have: file names can hold anything."""
    return text.encode("utf-8", "replace").decode()


def decibels(value: float | None) -> str:
    return "equal" if value is None else f"{value:.2f}"


def table(rows: list[Row], quality: int) -> Table:
    shown = Table(
        title=f"quality {quality}, 4:2:0",
        caption="plain: Pillow's JPEG at the same quality. PSNR in dB, against the original",
        box=box.SIMPLE_HEAD,
        padding=0,
    )
    shown.add_column("photograph", overflow="fold")
    for above, below in (
        ("", "pixels"), ("plain", "bytes"), ("cipher", "bytes"), ("plain", "PSNR"),
        ("decrypted", "PSNR"), ("encrypt", "ms"), ("decrypt", "ms"),
    ):  # fmt: skip
        shown.add_column(f"{above}\n{below}", justify="right", no_wrap=True)
    for row in rows:
        shown.add_row(
            escape(printable(starred(row))),
            f"{row.width}x{row.height}",
            f"{row.plain_bytes:,}",
            f"{row.cipher_bytes:,}",
            decibels(row.plain_psnr),
            decibels(row.decrypted_psnr),
            f"{row.encrypt_ms:.1f}",
            f"{row.decrypt_ms:.1f}",
        )
    return shown


def sizes(rows: list[Row]) -> list[str]:
    """Return what the encryption costs in bytes, over all photographs and over fresh ones."""
    fresh = [row for row in rows if not row.was_jpeg]
    lines = [f"cipher bytes {overhead(rows)}"]
    if fresh and len(fresh) < len(rows):
        lines.append(f"without those marked *: {overhead(fresh)}")
    return lines


def overhead(rows: list[Row]) -> str:
    cipher = sum(row.cipher_bytes for row in rows)
    plain = sum(row.plain_bytes for row in rows)
    optimized = sum(row.plain_optimized_bytes for row in rows)
    return (
        f"over plain bytes: {cipher / plain - 1:+.1%}; "
        f"over Pillow's with optimize=True: {cipher / optimized - 1:+.1%}"
    )


JPEG_NOTE = (
    "* has been a JPEG: saved as plain JPEG again it falls on its own block grid and loses little, "
    "while turned and transformed blocks lose as any fresh picture does"
)


# ---- Contact sheet ----

HEADINGS = ("original", "what everyone sees", "decrypted")


def sheet_of(shown: list[Shown], quality: int) -> Image.Image:
    footer = [
        f"Quality {quality}, 4:2:0. Plain JPEG: Pillow's, at the same quality. "
        "PSNR: against the original."
    ]
    if any(one.row.was_jpeg for one in shown):
        footer.append("* has been a JPEG before, which flatters the plain JPEG.")
    return contact_sheet(HEADINGS, [strip(one) for one in shown], footer)


def strip(one: Shown) -> Strip:
    row = one.row
    captions = (
        (starred(row), f"{row.width} x {row.height} pixels"),
        (f"{row.cipher_bytes:,} bytes", f"plain JPEG {row.plain_bytes:,} bytes"),
        (f"PSNR {unit(row.decrypted_psnr)}", f"plain JPEG {unit(row.plain_psnr)}"),
    )
    return Strip(one.pictures, captions)


def unit(value: float | None) -> str:
    return "infinite" if value is None else f"{value:.2f} dB"


def starred(row: Row) -> str:
    return row.name + ("*" if row.was_jpeg else "")


# ---- All of it ----


def remember(path: Path) -> Path:
    """Note a file that is about to be written, for `forget` of a later run."""
    with (path.parent / WRITTEN).open("a", encoding="ascii") as file:
        file.write(json.dumps(path.name) + "\n")
    return path


def forget(out: Path) -> None:
    """Remove what earlier runs wrote into the folder, and nothing else."""
    if (out / WRITTEN).exists():
        for line in (out / WRITTEN).read_text("ascii").splitlines():
            (out / Path(json.loads(line)).name).unlink(missing_ok=True)
        (out / WRITTEN).unlink()


def home(text: str) -> Path:
    """Return a path; make hands on a tilde that no shell has seen."""
    return Path(os.path.expanduser(text))


def demo_key(path: Path) -> jpegcrypt.Key:
    """Return the key of earlier runs, or a fresh one."""
    if path.exists():
        return jpegcrypt.Key.load(path)
    key = jpegcrypt.Key.generate()
    key.save(path)
    return key


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=home, help="a folder of your own; all below it is tried")
    parser.add_argument("--quality", type=int, default=75, help="1 to 100 (%(default)s)")
    parser.add_argument("--only", help="photographs of scikit-image, comma separated; or 'free'")
    parser.add_argument("--out", type=home, default=OUT, help="where the files go (%(default)s)")
    parser.add_argument("--json", type=home, help="store the table here, too")
    parser.add_argument(
        "--free-sheet", type=home,
        help="store a sheet of the photographs that are free to copy here, too, as JPEG",
    )  # fmt: skip
    options = parser.parse_args(arguments)
    if options.photos is not None and not options.photos.is_dir():
        parser.error(f"{options.photos} is not a folder")
    only = None if options.only is None else list(filter(None, options.only.split(",")))
    if only == ["free"]:
        only = list(FREE)
    if only is not None and set(only) - {*COLOR, *GRAY}:
        parser.error(f"--only takes {', '.join([*COLOR, *GRAY])}, or free")
    if options.free_sheet and only is not None and not set(only) & {*FREE}:
        parser.error(f"--free-sheet shows {', '.join(FREE)}")

    console = Console(stderr=False)
    options.out.mkdir(parents=True, exist_ok=True)
    forget(options.out)
    key = demo_key(options.out / "demo.key")
    shown: list[Shown] = []
    left_out: list[str] = []
    sources = photographs(options.photos, only, options.out)
    for number, (name, path) in enumerate(sources, start=1):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Pillow's, about odd files
                shown.append(show((name, path), options.out, number, key, options.quality))
        # Whatever a folder holds: Pillow's plugins raise nearly everything on a broken file.
        except Exception as error:
            left_out.append(f"{name}: {str(error) or type(error).__name__}")

    rows = [one.row for one in shown]
    if rows:
        console.print(table(rows, options.quality))
        for line in sizes(rows):
            console.print(line, soft_wrap=True)
        if any(row.was_jpeg for row in rows):
            console.print(JPEG_NOTE)
    for line in left_out:
        console.print(f"left out {escape(printable(line))}", style="yellow", soft_wrap=True)
    if not rows:
        console.print("no photograph to show")
        return 1
    sheet = options.out / "contact_sheet.png"
    sheet_of(shown, options.quality).save(remember(sheet), optimize=True)
    if options.free_sheet:
        free = sheet_of([one for one in shown if one.row.name in FREE], options.quality)
        free.save(options.free_sheet, "JPEG", quality=90, subsampling="4:4:4", optimize=True)
    if options.json:
        result = {"quality": options.quality, "subsampling": "4:2:0"}
        stored = result | {"photographs": [asdict(row) for row in rows]}
        options.json.write_text(json.dumps(stored, indent=1) + "\n", "utf-8")
    console.print(f"contact sheet: {sheet}", soft_wrap=True)
    if len(shown) > MOST:
        console.print(f"it shows {MOST} photographs, {len(shown) - MOST} more did not fit")
    return 0


if __name__ == "__main__":
    sys.exit(main())
