"""Speed of encrypt, decrypt, encode and decode against Pillow, as ratios.

One run in one process: rounds of all pictures in random order, in each round all operations in
random order, so that a busy moment of the machine hits everybody. Each round has a picture, a key
and files of its own: those that come again would find their Huffman tables in our caches. A ratio
is the time of the rival over ours: above 1 we are faster. Quality 75, 4:2:0, one thread. Then what
`scaling` measures.
"""

import argparse
import importlib.util
import io
import json
import os
import platform
import random
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from PIL import Image
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1]))

import jpegcrypt
from benchmarks.photographs import Pixels, mosaic
from benchmarks.scaling import Figure, figures
from jpegcrypt import _core
from jpegcrypt.batch import processors

RESULTS = Path(__file__).parent / "results" / "speed"  # a file for each level of instructions
SIZES = {"192x128": (192, 128), "512x384": (512, 384), "2 MP": (1920, 1080), "12 MP": (4000, 3000)}
QUALITY = 75
TOLERANCE = 0.25  # of a ratio

SAVE, SAVE_OPTIMIZED, LOAD = "Pillow save", "Pillow save, optimize", "Pillow open + load"
# Operation -> the rival it is compared with.
OURS = {
    "encrypt, fast": SAVE,
    "encrypt": SAVE_OPTIMIZED,
    "encrypt, best": SAVE,
    "decrypt": LOAD,
    "encode, fast": SAVE,
    "encode": SAVE_OPTIMIZED,
    "encode, best": SAVE,
    "decode": LOAD,
}
RIVALS = {
    "Pillow save + AES-256-GCM": SAVE,
    "simplejpeg encode": SAVE,
    "simplejpeg decode": LOAD,
}

# What the ratios are measured against: the least that we accept, and what we aim at.
Target = tuple[float, float]
BEST: Target = (0.05, 0.5)  # the least is ten times the trellis of mozjpeg
RATIO_TARGETS: dict[str, dict[tuple[str, str], Target]] = {
    "avx512": {
        ("192x128", "encrypt, fast"): (1.8, 2.4),
        ("512x384", "encrypt, fast"): (1.4, 1.7),
        ("2 MP", "encrypt, fast"): (1.2, 1.5),
        ("12 MP", "encrypt, fast"): (1.2, 1.5),
        ("192x128", "encrypt"): (2.5, 4.0),
        ("512x384", "encrypt"): (2.5, 3.0),
        ("2 MP", "encrypt"): (2.5, 3.0),
        ("12 MP", "encrypt"): (2.5, 3.0),
        ("2 MP", "encrypt, best"): BEST,
        ("2 MP", "encode, best"): BEST,
        ("192x128", "decrypt"): (2.0, 2.5),
        ("2 MP", "decrypt"): (1.3, 1.5),
        ("12 MP", "decrypt"): (1.3, 1.5),
    },
    "avx2": {
        ("192x128", "encrypt, fast"): (1.5, 2.0),
        ("512x384", "encrypt, fast"): (1.15, 1.35),
        ("2 MP", "encrypt, fast"): (1.0, 1.2),
        ("12 MP", "encrypt, fast"): (1.0, 1.2),
        ("192x128", "encrypt"): (2.0, 4.0),
        ("512x384", "encrypt"): (2.0, 3.0),
        ("2 MP", "encrypt"): (2.0, 3.0),
        ("12 MP", "encrypt"): (2.0, 3.0),
        ("2 MP", "encrypt, best"): BEST,
        ("2 MP", "encode, best"): BEST,
        ("192x128", "decrypt"): (1.8, 2.2),
        ("2 MP", "decrypt"): (1.2, 1.4),
        ("12 MP", "decrypt"): (1.2, 1.4),
    },
}
# By the start of the name of a figure; memory is to stay below.
FIGURE_TARGETS: dict[str, Target] = {
    "encrypt_many": (1.8, 1.95),
    "decrypt_many": (1.8, 1.95),
    "encrypt 12 MP": (1.5, 1.85),
    "encode 12 MP": (1.5, 1.85),
    "decrypt 12 MP": (1.4, 1.6),
    "decode 12 MP": (1.4, 1.6),
    "encrypt FOLDER": (1.3, 1.8),
    "memory": (4.0, 2.0),
}


@dataclass(frozen=True)
class Timing:
    """What one operation took on one picture; ratios are None for what others are compared with."""

    size: str
    operation: str
    runs: int
    min_ms: float
    median_ms: float
    rival: str | None
    ratio_of_minima: float | None
    median_ratio: float | None  # of the ratios in each round: both meet the same busy machine


def operations(picture: Pixels) -> dict[str, Callable[[], object]]:
    """Return what is timed, by name, on one picture and on files made of it here."""
    image = Image.fromarray(picture)
    key = jpegcrypt.Key.generate()
    aes = AESGCM(bytes(32))

    def save(optimize: bool = False) -> bytes:
        file = io.BytesIO()
        image.save(file, "JPEG", quality=QUALITY, optimize=optimize)
        return file.getvalue()

    plain, cipher = save(), jpegcrypt.encrypt(picture, key, quality=QUALITY)
    timed: dict[str, Callable[[], object]] = {
        SAVE: save,
        SAVE_OPTIMIZED: lambda: save(optimize=True),
        LOAD: lambda: Image.open(io.BytesIO(plain)).load(),
        "encrypt, fast": lambda: jpegcrypt.encrypt(picture, key, quality=QUALITY, effort="fast"),
        "encrypt": lambda: jpegcrypt.encrypt(picture, key, quality=QUALITY),
        "encrypt, best": lambda: jpegcrypt.encrypt(picture, key, quality=QUALITY, effort="best"),
        "decrypt": lambda: jpegcrypt.decrypt(cipher, key),
        "encode, fast": lambda: jpegcrypt.encode(picture, quality=QUALITY, effort="fast"),
        "encode": lambda: jpegcrypt.encode(picture, quality=QUALITY),
        "encode, best": lambda: jpegcrypt.encode(picture, quality=QUALITY, effort="best"),
        "decode": lambda: jpegcrypt.decode(plain),
        "Pillow save + AES-256-GCM": lambda: aes.encrypt(os.urandom(12), save(), None),
    }
    if importlib.util.find_spec("simplejpeg"):
        import simplejpeg

        timed["simplejpeg encode"] = lambda: simplejpeg.encode_jpeg(
            picture, quality=QUALITY, colorsubsampling="420"
        )
        timed["simplejpeg decode"] = lambda: simplejpeg.decode_jpeg(plain)
    return timed


def measure(sizes: dict[str, tuple[int, int]], seconds: float) -> list[Timing]:
    """Time everything, spending about so many seconds on each picture."""
    pictures = {size: mosaic(*shape) for size, shape in sizes.items()}
    for picture in pictures.values():  # the first calls fill caches, ours and the machine's
        names = list(calls := operations(picture))
        run_round(calls)
    rounds: list[str] = []
    for size, picture in pictures.items():
        began = time.perf_counter()
        run_round(operations(moved(picture)))
        each = time.perf_counter() - began
        rounds += [size] * min(500, max(5, round(seconds / each)))
    random.shuffle(rounds)
    times: dict[tuple[str, str], list[float]] = {}
    for size in rounds:
        for name, duration in run_round(operations(moved(pictures[size]))).items():
            times.setdefault((size, name), []).append(duration)
    return [
        summary(times, size, name, (OURS | RIVALS).get(name)) for size in sizes for name in names
    ]


def moved(picture: Pixels) -> Pixels:
    """Return another picture of the same parts: this one, cut at a random place and swapped."""
    height, width = picture.shape[:2]
    return np.roll(picture, (random.randrange(height), random.randrange(width)), axis=(0, 1))


def run_round(calls: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Return the seconds that each call took, made in random order."""
    durations = {}
    for name in random.sample(list(calls), len(calls)):
        start = time.perf_counter()
        calls[name]()
        durations[name] = time.perf_counter() - start
    return durations


def summary(
    times: dict[tuple[str, str], list[float]], size: str, name: str, rival: str | None
) -> Timing:
    own, other = times[size, name], times[size, rival] if rival else None
    return Timing(
        size=size,
        operation=name,
        runs=len(own),
        min_ms=round(1000 * min(own), 4),
        median_ms=round(1000 * median(own), 4),
        rival=rival,
        ratio_of_minima=round(min(other) / min(own), 3) if other else None,
        median_ratio=(
            round(median(a / b for a, b in zip(other, own, strict=True)), 3) if other else None
        ),
    )


def cpu_model() -> str:
    """Return the name of the processor, as far as the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(
            line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")
        )
    except (OSError, StopIteration):
        pass
    try:
        command = ["sysctl", "-n", "machdep.cpu.brand_string"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return platform.processor() or "unknown"


def report(timings: list[Timing], found: list[Figure]) -> dict[str, Any]:
    """Return what is stored: the machine, the versions, the numbers."""
    libraries = ["jpegcrypt", "numpy", "pillow", "cryptography"]
    if any(timing.operation.startswith("simplejpeg") for timing in timings):
        libraries.append("simplejpeg")
    return {
        "machine": platform.machine(),
        "system": platform.system(),
        "cpu": cpu_model(),
        "simd": _core.simd_level(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in libraries},
        "quality": QUALITY,
        "subsampling": "4:2:0",
        "processors": processors(),
        "timings": [asdict(timing) for timing in timings],
        "figures": [asdict(figure) for figure in found],
    }


def target(figure: dict[str, Any]) -> Target | None:
    """Return the target of a stored figure."""
    starts = (name for name in FIGURE_TARGETS if figure["name"].startswith(name))
    return next((FIGURE_TARGETS[name] for name in starts), None)


def verdict(value: float, goal: Target | None) -> str:
    """Say how a value stands to its target; one whose aim is the lower number is to stay below."""
    if goal is None:
        return ""
    least, aim = goal
    sign = 1 if aim >= least else -1
    if sign * value >= sign * aim:
        return "aim met"
    return "met" if sign * value >= sign * least else "missed"


def table(timings: list[Timing]) -> Table:
    shown = Table(
        title=f"Speed, {_core.simd_level()} kernels",
        caption="ratios: time of the rival over ours. Fast and best against Pillow save; encrypt "
        "and encode against Pillow save, optimize; decrypt and decode against Pillow open + load",
    )
    for heading in (
        "picture",
        "operation",
        "min ms",
        "median ms",
        "ratio of\nminima",
        "median\nratio",
        "least",
        "aim",
        "",
    ):
        left = heading in ("picture", "operation")
        shown.add_column(heading, justify="left" if left else "right", no_wrap=left)
    previous = None
    for timing in timings:
        if timing.size != previous:
            shown.add_section()
        ratio = timing.median_ratio
        ratios = (
            "-" if ratio is None else f"{ratio:.2f}x"
            for ratio in (timing.ratio_of_minima, timing.median_ratio)
        )
        goal = RATIO_TARGETS.get(_core.simd_level(), {}).get((timing.size, timing.operation))
        shown.add_row(
            timing.size if timing.size != previous else "",
            timing.operation,
            f"{timing.min_ms:.3f}",
            f"{timing.median_ms:.3f}",
            *ratios,
            *(("", "") if goal is None else (f"{value:.2f}x" for value in goal)),
            "" if ratio is None else verdict(ratio, goal),
            style="bold" if timing.operation in OURS else None,
        )
        previous = timing.size
    return shown


def figure_table(found: list[Figure]) -> Table:
    shown = Table(title="Many pictures, threads, folders, memory")
    for heading in ("what", "against", "value", "least", "aim", ""):
        shown.add_column(heading, justify="left" if heading in ("what", "against") else "right")
    for figure in found:
        goal = target(asdict(figure))
        cells = ("", "") if goal is None else (f"{value:g}" for value in goal)
        shown.add_row(
            figure.name,
            figure.against,
            f"{figure.value:.2f} {figure.unit}",
            *cells,
            verdict(figure.value, goal),
        )
    return shown


def regressions(
    now: list[Timing], committed: dict[str, Any], tolerance: float = TOLERANCE
) -> list[str]:
    """Return a line for each of our operations that became slower.

    Both ratios must have fallen by more than the tolerance: one of them does on a busy machine.
    """
    before = {(row["size"], row["operation"]): row for row in committed["timings"]}
    lines = []
    for timing in now:
        old = before.get((timing.size, timing.operation))
        if timing.operation not in OURS or old is None:
            continue
        names = ("ratio_of_minima", "median_ratio")
        pairs = [(getattr(timing, name), old[name]) for name in names]
        if all(ratio < then * (1 - tolerance) for ratio, then in pairs):
            (_, _), (ratio, then) = pairs
            lines.append(
                f"{timing.operation} on {timing.size}: {ratio:.2f}x {timing.rival}, was {then:.2f}x"
            )
    return lines


def check(now: list[Timing], committed: dict[str, Any], tolerance: float, console: Console) -> int:
    """Compare with the committed result; 0 fine, 1 slower, 2 not comparable."""
    if committed["simd"] != _core.simd_level():
        console.print(
            f"not compared: the committed result was made with {committed['simd']}, "
            f"this machine runs {_core.simd_level()}"
        )
        return 2
    slower = regressions(now, committed, tolerance)
    for line in slower:
        console.print(f"slower by more than {tolerance:.0%}: {line}")
    return 1 if slower else 0


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds: under a minute")
    parser.add_argument(
        "--check",
        action="store_true",
        help="compare with the committed result and store nothing; exit 1 if a ratio is lower",
    )
    parser.add_argument(
        "--tolerance", type=float, default=TOLERANCE, help="of --check (%(default)s)"
    )
    parser.add_argument("--sizes", default=",".join(SIZES), help="of %(default)s")
    parser.add_argument(
        "--folder", type=Path, help="JPEGs for `encrypt FOLDER`; made from photographs by default"
    )
    parser.add_argument("--no-scaling", action="store_true", help="the ratios of single calls only")
    parser.add_argument(
        "--json",
        type=Path,
        default=RESULTS / f"{_core.simd_level()}.json",
        help="the result (%(default)s)",
    )
    options = parser.parse_args(arguments)
    if options.check and not options.json.exists():
        parser.error(f"{options.json} does not exist, nothing to compare with")
    unknown = set(options.sizes.split(",")) - SIZES.keys()
    if unknown:
        parser.error(f"unknown size {', '.join(sorted(unknown))}, expected {', '.join(SIZES)}")

    console = Console()
    if not console.is_terminal:
        console = Console(width=110)  # whole numbers in a log
    timings = measure(
        {size: SIZES[size] for size in options.sizes.split(",")}, 2 if options.quick else 20
    )
    console.print(table(timings))
    found = [] if options.no_scaling else figures(quick=options.quick, folder=options.folder)
    console.print(figure_table(found))
    if options.check:
        committed = json.loads(options.json.read_text("utf-8"))
        return check(timings, committed, options.tolerance, console)
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(report(timings, found), indent=1) + "\n", "utf-8")
    console.print(f"stored in {options.json}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
