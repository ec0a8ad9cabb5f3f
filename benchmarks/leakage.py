"""What leaks, and which attacks work: every bank, key mode and DC mode, and all other schemes.

Tables are about the pictures of --data (a folder of Corel-1K: 10 of each class), or else about
parts of the photographs of scikit-image. Attacks that show pictures work on those photographs, at
192x128 as in the paper; attacks that need many files take the middle of the data. Everything is
seeded. What is done is kept in build/leakage, so that a run that was stopped goes on; --fresh
begins anew. The tables of all schemes, which `leakage_schemes` makes, take a minute; --schemes
makes no others.
"""

import argparse
import json
import shutil
import string
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from importlib.metadata import version
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from rich.console import Console
from rich.progress import Progress

sys.path.insert(0, str(Path(__file__).parents[1]))

import jpegcrypt
from benchmarks import leakage_schemes
from benchmarks.photographs import FULL_FRAME, Pixels, photograph
from benchmarks.sources import BENCHMARKS, LIBRARY, ROOT, digest, sources
from jpegcrypt.audit import columns, exact, leakage, report
from jpegcrypt.audit.attacks import (
    altered_copy,
    chosen_plaintext,
    file_level,
    former_jpeg,
    jigsaw,
    key_schedule,
    known_plaintext,
    many_pictures,
    outline,
    randomness,
    re_encryption,
    replacement,
    smoothness,
)
from jpegcrypt.audit.data import choose, same_size
from jpegcrypt.audit.keyspace import blocks, bounds
from jpegcrypt.audit.outcome import Outcome
from jpegcrypt.audit.target import ATTACKER, Lu2022
from jpegcrypt.images import read_image

RESULTS = Path(__file__).parent / "results" / "leakage"
CACHE = ROOT / "build" / "leakage"

BANKS = ("givens128", "signs256", "authors16")
KEY_MODES = ("nonce", "content", "fixed")
DC_MODES = ("permuted", "residual")
QUALITIES = (75, 90)  # the attacks take the first
SOURCE_QUALITIES = (75, 90, 95)  # of files whose pictures were JPEGs, or are encrypted again
PAGES = ("givens128-nonce-permuted", "authors16-fixed-permuted")  # kept with their figures
PAGE = "page"

PICTURES, QUICK_PICTURES = 100, 8
# The first and the last are shown in reports: free to copy by the docstrings of skimage.data.
SHOWN = ("chelsea", "coffee", "stereo_motorcycle", "rocket", "astronaut")
SIZE, LARGE = (192, 128), (384, 256)
LETTERS = string.ascii_uppercase + string.digits + " "
MARGIN, SHIFTS = 16, (4, 24)  # pixels at the corner, from which copies are cut, and further
CROWD = (5, 10, 25, 50, 100, 200, 500)  # files under one key


def fitted(name: str, size: tuple[int, int]) -> Pixels:
    """Return the middle of a photograph, scaled to fill a size."""
    image = Image.fromarray(photograph(name))
    scale = max(size[0] / image.width, size[1] / image.height)
    image = image.resize((round(image.width * scale), round(image.height * scale)))
    left, top = (image.width - size[0]) // 2, (image.height - size[1]) // 2
    return np.ascontiguousarray(image.crop((left, top, left + size[0], top + size[1])))


def tiles(count: int) -> list[Pixels]:
    """Return different parts of photographs, for who has no other pictures."""
    rng = np.random.default_rng(0)
    found = []
    for i in range(count):
        source = photograph(FULL_FRAME[i % len(FULL_FRAME)])
        y, x = (int(rng.integers(side - 255)) for side in source.shape[:2])
        found.append(source[y : y + 256, x : x + 256].copy())
    return found


def load(folder: Path | None, count: int) -> list[Pixels]:
    if folder is None:
        return tiles(count)
    paths = choose(folder, (".jpg", ".jpeg", ".png", ".tif", ".bmp"), count)
    return [read_image(path.read_bytes(), background="white")[0] for path in paths]


# --- the parts of a run -------------------------------------------------------------------------


def tables(target: Lu2022, pictures: Sequence[Pixels]) -> dict[str, Any]:
    """Leakage table, and what encryption costs on these pictures."""
    rows = leakage.measure(target, pictures)
    plain, cipher, slower = 0, 0, []
    for serial, picture in enumerate(pictures):
        before = time.process_time()
        plain += len(target.encode(picture))
        between = time.process_time()
        cipher += len(target.encrypt(picture, serial))
        slower.append((time.process_time() - between) / (between - before))
    return {
        "settings": dict(target.settings),
        "leakage": [asdict(row) for row in rows],
        "bytes_over_plain": cipher / plain,
        "time_over_plain": median(slower),
        "attacks": [report.outcome_as_data(leakage.reidentified(rows, len(pictures)))],
    }


def attacks(target: Lu2022, pictures: Sequence[Pixels]) -> list[Outcome]:
    """Every attack; what shows pictures shows photographs that are free."""
    photographs = [fitted(name, SIZE) for name in SHOWN]
    crowd = [*crowd_of(pictures), photographs[-1]]
    found = [
        *known_plaintext.run(target, photographs),
        *chosen_plaintext.run(target, photographs),
        *many_pictures.run(target, crowd),
        *altered_copy.run(target, photographs),
        *smoothness.run(target, photographs),
        *file_level.run(target, crowd),
    ]
    for attack in (outline, jigsaw, replacement, randomness):
        found += attack.run(target, photographs)
    return found


def crowd_of(pictures: Sequence[Pixels]) -> list[Pixels]:
    """Return a part from the middle of all pictures, upright ones lying, as large as photographs.

    It is the upper left corner of the middle that `same_size` cuts out.
    """
    width, height = SIZE
    return [part[:height, :width].copy() for part in same_size(laid_down(pictures))]


def laid_down(pictures: Sequence[Pixels]) -> list[Pixels]:
    """Return pictures with upright ones transposed."""
    return [p if p.shape[1] >= p.shape[0] else p.swapaxes(0, 1) for p in pictures]


def one_configuration(
    target: Lu2022, pictures: Sequence[Pixels], *, with_page: bool
) -> dict[str, Any]:
    """Measure and attack one configuration; its page, if wanted, is `PAGE` of what is found."""
    found = tables(target, pictures)
    if target.quality == QUALITIES[0]:
        outcomes = attacks(target, pictures)
        found["attacks"] += [report.outcome_as_data(outcome) for outcome in outcomes]
        if with_page:
            rows = [row_of(row) for row in found["leakage"]]
            first = leakage.reidentified(rows, len(pictures))
            whole = report.Report(
                target, "the benchmark", len(pictures), SIZE, rows, [first, *outcomes]
            )
            found[PAGE] = report.to_html(whole)
    return found


def row_of(row: dict[str, Any]) -> leakage.Row:
    rates = {name: leakage.Rate(**row[name]) for name in ("naive", "own_key")}
    return leakage.Row(**row | rates)


def one_known_picture() -> list[dict[str, Any]]:
    """Known plaintext with fixed keys and a single picture of 384x256: each photograph in turn."""
    found = []
    for bank, quality in product(("authors16", "givens128"), (50, 75)):
        target = Lu2022(bank=bank, key_mode="fixed", quality=quality)
        for name, other in zip(SHOWN, (*SHOWN[1:], SHOWN[0]), strict=True):
            if bank != "authors16" and (quality != 75 or name not in SHOWN[:2]):
                continue  # half a minute each
            pictures = [fitted(name, LARGE), fitted(other, LARGE)]
            (outcome,) = known_plaintext.run(target, pictures)
            found.append(
                {"bank": bank, "quality": quality, "picture": name}
                | {measure.name: measure.value for measure in outcome.measures}
            )
    return found


def transforms_told(*, quick: bool) -> list[dict[str, Any]]:
    """What former JPEGs and further encryptions tell of transforms, by bank and quality."""
    names, qualities = (SHOWN[:1], SOURCE_QUALITIES[:1]) if quick else (SHOWN, SOURCE_QUALITIES)
    photographs = [fitted(name, SIZE) for name in names]
    found = []
    for bank, quality in product(BANKS, qualities):
        target = Lu2022(bank=bank, quality=quality)
        kinds = len(columns.transforms(bank).mixing)
        for attack in (former_jpeg, re_encryption) if kinds > 1 else (former_jpeg,):
            (outcome,) = attack.run(target, photographs)
            found.append(
                {"bank": bank, "quality": quality, "kinds": kinds} | report.outcome_as_data(outcome)
            )
    return found


def copies(pictures: Sequence[Pixels]) -> list[dict[str, Any]]:
    """How often the files of pictures are found by copies that are not the same to the pixel."""
    width, height = (side + MARGIN + max(SHIFTS) for side in SIZE)
    lying = [p for p in laid_down(pictures) if p.shape[1] >= width and p.shape[0] >= height]
    if len(lying) < 2:
        return []
    made: dict[str, Callable[[Pixels], Pixels]] = {
        "the picture itself": cut,
        "saved as a JPEG of quality 30": lambda p: jpegcrypt.decode(
            jpegcrypt.encode(cut(p), quality=30)
        ),
        "halved and enlarged again": lambda p: cut(halved(p)),
    }
    for shift in SHIFTS:
        made[f"cut {shift} pixels elsewhere"] = lambda p, shift=shift: cut(p, shift)  # type: ignore[misc]
    target = Lu2022()
    files = [target.encrypt(cut(p), i) for i, p in enumerate(lying)]
    cipher = [leakage.describe_encrypted(target, data) for data in files]
    found = []
    for name, copy in made.items():
        copied = [copy(p) for p in lying]
        plain = [leakage.describe_plain(target, target.encode(p)) for p in copied]
        own = [
            leakage.describe_encrypted(target, target.encrypt(p, i, key=ATTACKER))
            for i, p in enumerate(copied)
        ]
        rows = leakage.table(plain, cipher, own)
        found.append(
            {"copy": name, "pictures": len(lying)}
            | {row.feature: asdict(row.own_key) for row in rows}
        )
    return found


def cut(picture: Pixels, shift: int = 0) -> Pixels:
    """Cut `SIZE` out of a picture, from a corner near its own, or further in."""
    first = MARGIN + shift
    return np.ascontiguousarray(picture[first : first + SIZE[1], first : first + SIZE[0]])


def halved(picture: Pixels) -> Pixels:
    """Return a picture after a time at half its size."""
    image = Image.fromarray(picture)
    small = image.resize((image.width // 2, image.height // 2))
    return np.asarray(small.resize(image.size))


def letters() -> list[dict[str, Any]]:
    """How many blocks of a page of text are told by who knows its font, without their places."""
    text = "".join(np.random.default_rng(0).choice([*LETTERS], SIZE[0] * SIZE[1] // 128).tolist())
    page, alphabet = written(text, SIZE[0] // 8), written(LETTERS, len(LETTERS))
    # The same block may stand in several letters: each is called by its first place.
    entries = exact.to_blocks(alphabet).reshape(-1, 64)
    _, first, alike = np.unique(entries, axis=0, return_index=True, return_inverse=True)
    name = first[alike.reshape(-1)]
    halves = np.arange(len(name)).reshape(2, -1)  # upper and lower, by letter
    letter = np.array([LETTERS.index(one) for one in text]).reshape(-1, SIZE[0] // 8)
    plain = name[halves[:, letter]].swapaxes(0, 1).reshape(-1)
    found = []
    for bank in BANKS:
        target = Lu2022(bank=bank)
        data = target.encrypt(page, 0)
        cost = known_plaintext.costs(known_plaintext.known(target, alphabet, data)[0], bank)
        truth = plain[target.plan(data)[0].permutation]
        cheapest = cost <= cost.min(1, keepdims=True)
        hits = (cheapest * (name == truth[:, None])).sum(1) / cheapest.sum(1)
        black = truth != name[LETTERS.index(" ")]  # not only white
        chance = np.bincount(truth[black]).max() / black.sum()
        found.append({"bank": bank, "blocks": float(hits[black].mean()), "chance": float(chance)})
    return found


def written(text: str, columns: int) -> Pixels:
    """Return text as a gray picture, a letter in two blocks, one above the other."""
    font = ImageFont.load_default_imagefont()
    image = Image.new("L", (8 * columns, 16 * -(-len(text) // columns)), 255)
    for i, one in enumerate(text):
        ImageDraw.Draw(image).text((8 * (i % columns) + 1, 16 * (i // columns) + 2), one, 0, font)
    return np.asarray(image)


def exact_zeros(pictures: Sequence[Pixels]) -> list[dict[str, Any]]:
    """Largest distances of the published scheme in exact arithmetic, with and without rotation."""
    found = []
    for quality, rotation in product(QUALITIES, (True, False)):
        pairs = [
            [
                leakage.describe(c)
                for c in exact.encrypt(
                    picture, bank="authors16", quality=quality, seed=i, rotation=rotation
                )
            ]
            for i, picture in enumerate(pictures)
        ]
        plain, cipher = zip(*pairs, strict=True)
        largest = {row.feature: row.largest for row in leakage.table(plain, cipher, cipher)}
        found.append(
            {"quality": quality, "rotation": rotation}
            | {name: largest[name] for name in ("DCC", "|DCC|", "ACC", "|ACC|", "DCH", "ACH")}
        )
    return found


def crowds(pictures: Sequence[Pixels]) -> list[dict[str, Any]]:
    """How many files of one fixed key tell how many neighbors."""
    parts = crowd_of(pictures)
    found = []
    for bank, dc in product(("givens128", "authors16"), DC_MODES):
        for count in (n for n in CROWD if n <= len(parts)):
            target = Lu2022(bank=bank, key_mode="fixed", dc=dc)  # type: ignore[arg-type]
            (outcome,) = many_pictures.run(target, parts[:count])
            near, error = outcome.measures
            found.append(
                {"bank": bank, "dc": dc, "files": count, "neighbors": near.value}
                | {"chance": near.chance, "error": error.value}
            )
    return found


# --- a run --------------------------------------------------------------------------------------


def units(
    pictures: Sequence[Pixels], many: Sequence[Pixels], *, quick: bool
) -> dict[str, Callable[[], Any]]:
    """Return what is to be done, by name."""
    work: dict[str, Callable[[], Any]] = {
        "exact": lambda: exact_zeros(pictures),
        "key_schedule": lambda: [
            report.outcome_as_data(outcome) for outcome in key_schedule.run(Lu2022(), pictures)
        ],
    }
    if not quick:
        work["one_known_picture"] = one_known_picture
    work["transforms_told"] = lambda: transforms_told(quick=quick)
    work["letters"] = letters
    work["copies"] = lambda: copies(pictures)
    work["crowds"] = lambda: crowds(many)
    for quality, dc, bank, key_mode in product(QUALITIES, DC_MODES, BANKS, KEY_MODES):
        name = f"{bank}-{key_mode}-{dc}"
        first = quality == QUALITIES[0]
        if not first and key_mode != KEY_MODES[0]:
            continue  # one file looks the same in every key mode
        if quick and not (first and dc == DC_MODES[0]):
            continue
        target = Lu2022(bank=bank, key_mode=key_mode, dc=dc, quality=quality)  # type: ignore[arg-type]
        with_page = name in PAGES and first
        work[f"{name}-{quality}"] = lambda target=target, with_page=with_page: one_configuration(  # type: ignore[misc]
            target, pictures, with_page=with_page
        )
    return work


def done(
    work: dict[str, Callable[[], Any]], pictures: Sequence[Pixels], *, quick: bool
) -> dict[str, Any]:
    """Do all units that are not yet done with these pictures, and return what each found."""
    known = digest([*sources(LIBRARY), *sources(BENCHMARKS)], quick)
    for picture in pictures:
        known.update(picture.tobytes())
    found: dict[str, Any] = {}
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("leakage", total=len(work))
        for unit, do in work.items():
            progress.update(task, description=unit)
            kept = CACHE / f"{unit}-{known.hexdigest()[:16]}.json"
            if not kept.exists():
                partly = kept.with_suffix(".part")
                partly.write_text(json.dumps(report.rounded(do())), "utf-8")
                partly.rename(kept)
            found[unit] = json.loads(kept.read_text("utf-8"))
            progress.advance(task)
    return found


def run(
    folder: Path | None, pictures: Sequence[Pixels], name: str, *, quick: bool
) -> tuple[dict[str, str], dict[str, Any]]:
    """Measure and attack every configuration of lu2022; return the pages of some, and all."""
    many = pictures if quick or folder is None else load(folder, max(CROWD))
    work = units(pictures, many, quick=quick)
    found = done(work, [*pictures, *many], quick=quick)
    configurations = [found[unit] for unit in work if "-" in unit]
    pages = {
        name: one.pop(PAGE)
        for name in PAGES
        if (one := found.get(f"{name}-{QUALITIES[0]}")) is not None
    }
    return pages, {
        "data": f"{name} ({len(pictures)} pictures)",
        "attacked": {"photographs": list(SHOWN), "size": list(SIZE)},
        "versions": {
            one: version(one) for one in ("jpegcrypt", "numpy", "scipy", "scikit-image", "pillow")
        },
        "key_space": {"size": list(SIZE), "bits": report.rounded(bounds(blocks(*SIZE)))},
        "configurations": configurations,
        **{unit: found[unit] for unit in work if "-" not in unit},
    }


def run_schemes(pictures: Sequence[Pixels], name: str, *, quick: bool) -> dict[str, Any]:
    """Make the tables of all schemes."""
    qualities = QUALITIES[:1] if quick else QUALITIES
    work: dict[str, Callable[[], Any]] = {
        "histograms": lambda: leakage_schemes.histograms(pictures, qualities),
        "psnr_of_feng2021": lambda: leakage_schemes.psnr_of_feng2021(pictures),
    }
    found = done(work, pictures, quick=quick)
    return {"data": f"{name} ({len(pictures)} pictures)"} | found


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="a folder of pictures, such as Corel-1K")
    parser.add_argument("--name", help="what the result calls the data (the name of the folder)")
    parser.add_argument("--out", type=Path, default=RESULTS, help="for the results (%(default)s)")
    parser.add_argument("--quick", action="store_true", help="a look in under a minute")
    parser.add_argument("--schemes", action="store_true", help="the tables of all schemes alone")
    parser.add_argument("--fresh", action="store_true", help="do not go on with a stopped run")
    options = parser.parse_args(arguments)
    if options.data is not None and not options.data.is_dir():
        parser.error(f"{options.data} is not a folder")
    name = options.name or ("scikit-image" if options.data is None else options.data.resolve().name)
    if options.fresh and CACHE.exists():
        shutil.rmtree(CACHE)
    CACHE.mkdir(parents=True, exist_ok=True)
    options.out.mkdir(parents=True, exist_ok=True)
    pictures = load(options.data, QUICK_PICTURES if options.quick else PICTURES)
    side_by_side = run_schemes(pictures, name, quick=options.quick)
    text = json.dumps(side_by_side, separators=(",", ":")).replace('{"scheme"', '\n{"scheme"')
    (options.out / "schemes.json").write_text(text + "\n", "utf-8")
    for line in leakage_schemes.lines(side_by_side["histograms"]):
        Console().print(line, soft_wrap=True, highlight=False)
    if not options.schemes:
        pages, found = run(options.data, pictures, name, quick=options.quick)
        text = json.dumps(found, separators=(",", ":")).replace('{"settings"', '\n{"settings"')
        (options.out / "leakage.json").write_text(text + "\n", "utf-8")
        for page, text in pages.items():
            (options.out / f"{page}.html").write_text(text, "utf-8")
    Console().print(f"stored in {options.out}", soft_wrap=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
