"""Speed beyond one call: many pictures, threads in one picture, whole folders, memory.

What is compared takes turns, in random order within each round; a ratio is that of the least times.
"""

import gc
import multiprocessing
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image

import jpegcrypt
from benchmarks.photographs import Pixels, mosaic
from jpegcrypt.batch import processors
from jpegcrypt.encoder import Effort

QUALITY = 75
ONE = "one thread"
LARGE = (4000, 3000)  # 12 MP


@dataclass(frozen=True)
class Figure:
    """One result.

    Attributes
    ----------
    name : str
        What was measured.
    value : float
    unit : {"x", "B/px"}
        How many times as fast, or bytes of memory a pixel.
    against : str
        What it is faster than.
    """

    name: str
    value: float
    unit: str
    against: str = ""


def figures(*, quick: bool, folder: Path | None = None) -> list[Figure]:
    """Measure all of it; `folder` holds the JPEGs to encrypt, by default made from photographs."""
    found = []
    if processors() > 1:
        found.append(machine(1 if quick else 10))
        small, large = (100, 4) if quick else (1000, 50)
        found += many("192x128", [mosaic(192, 128, seed=i % 50) for i in range(small)], quick)
        found += many("2 MP", [mosaic(1920, 1080, seed=i % 4) for i in range(large)], quick)
        found += one_picture(quick)
    found += folders(200 if quick else 2000, folder, quick)
    return found + memory()


def ratio(slow: Callable[[], object], fast: Callable[[], object], rounds: int) -> float:
    """Return the least time of one over that of the other."""
    least = {slow: float("inf"), fast: float("inf")}
    for _ in range(rounds):
        for call in random.sample([slow, fast], 2):
            start = time.perf_counter()
            call()
            least[call] = min(least[call], time.perf_counter() - start)
    return round(least[slow] / least[fast], 3)


def machine(seconds: float) -> Figure:
    """Compare two processes with one: what a second thread could gain here at best."""
    alone, both = [], []
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        pool.map(encode_for, [0.1, 0.1], chunksize=1)
        for _ in range(5):
            alone.append(pool.apply(encode_for, (seconds / 5,)))
            both.append(sum(pool.map(encode_for, [seconds / 5] * 2, chunksize=1)))
    most = round(max(both) / max(alone), 3)
    return Figure("this machine, encode 512x384", most, "x", "one process")


def encode_for(seconds: float) -> int:
    """Return how many pictures were encoded in this time."""
    picture = mosaic(512, 384)
    count, end = 0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        jpegcrypt.encode(picture)
        count += 1
    return count


def many(size: str, pictures: list[Pixels], quick: bool) -> list[Figure]:
    """Compare two threads with one in `encrypt_many` and `decrypt_many`."""
    key = jpegcrypt.Key.generate()
    files = [jpegcrypt.encrypt(picture, key, quality=QUALITY) for picture in pictures]

    def encrypt(threads: int) -> None:
        for result in jpegcrypt.encrypt_many(pictures, key, threads=threads, quality=QUALITY):
            result.unwrap()

    def decrypt(threads: int) -> None:
        for result in jpegcrypt.decrypt_many(files, key, threads=threads):
            result.unwrap()

    rounds = 2 if quick else 15
    return [
        Figure(f"{name}, {size}", ratio(partial(call, 1), partial(call, 2), rounds), "x", ONE)
        for name, call in (("encrypt_many", encrypt), ("decrypt_many", decrypt))
    ]


def one_picture(quick: bool) -> list[Figure]:
    """Compare two threads with one in a single large picture."""
    key = jpegcrypt.Key.generate()
    picture = mosaic(*LARGE)
    cipher, plain = jpegcrypt.encrypt(picture, key), jpegcrypt.encode(picture)
    calls: dict[str, Callable[[int], object]] = {
        "encrypt": lambda threads: jpegcrypt.encrypt(picture, key, threads=threads),
        "encode": lambda threads: jpegcrypt.encode(picture, threads=threads),
        "decrypt": lambda threads: jpegcrypt.decrypt(cipher, key, threads=threads),
        "decode": lambda threads: jpegcrypt.decode(plain, threads=threads),
    }
    rounds = 5 if quick else 20
    return [
        Figure(
            f"{name} 12 MP, 2 threads", ratio(partial(call, 1), partial(call, 2), rounds), "x", ONE
        )
        for name, call in calls.items()
    ]


def folders(n: int, source: Path | None, quick: bool) -> list[Figure]:
    """Compare `jpegcrypt encrypt FOLDER` with Pillow saving the files again, one process each."""
    with TemporaryDirectory() as name:
        work = Path(name)
        pictures = work / "pictures"
        pictures.mkdir()
        if source is None:
            for i in range(n):
                Image.fromarray(mosaic(192, 128, seed=i % 50)).save(pictures / f"{i:04}.jpg")
        else:
            for i, path in enumerate(sorted(source.rglob("*.jpg"))[:n]):
                (pictures / f"{i:04}.jpg").write_bytes(path.read_bytes())
        key = work / "key"
        jpegcrypt.Key.generate().save(key)
        turn = 0

        def run(*command: str | Path) -> None:
            nonlocal turn
            turn += 1
            words = [word if word != "TARGET" else work / str(turn) for word in command]
            subprocess.run([sys.executable, *words], check=True, stderr=subprocess.DEVNULL)

        def encrypt(effort: Effort) -> None:
            options = ("--key", key, "--jobs", "1", "--effort", effort, "--quality", str(QUALITY))
            run("-m", "jpegcrypt", "encrypt", *options, pictures, "TARGET")

        def resave() -> None:
            run(Path(__file__).with_name("resave.py"), pictures, "TARGET", str(QUALITY))

        rounds = 2 if quick else 5
        efforts: tuple[Effort, ...] = ("fast", "default")
        return [
            Figure(
                f"encrypt FOLDER of {len(list(pictures.iterdir()))}, {effort}",
                ratio(resave, partial(encrypt, effort), rounds),
                "x",
                "Pillow loop",
            )
            for effort in efforts
        ]


# ---- Memory ----


def memory() -> list[Figure]:
    """Return the peak of memory beyond input and output at 12 MP, where Linux tells it.

    The median of three processes: where large pages lie changes it.
    """
    if not Path("/proc/self/clear_refs").exists():
        return []
    secret = bytes(32)  # a Key does not travel to other processes
    file = jpegcrypt.encrypt(mosaic(*LARGE), jpegcrypt.Key(secret))
    found = []
    for name, threads in (("encrypt", 1), ("encrypt", 2), ("decrypt", 1), ("decrypt", 2)):
        context = multiprocessing.get_context("spawn")
        given = file if name == "decrypt" else None
        peaks = []
        for _ in range(3):
            with context.Pool(1) as pool:
                peaks.append(pool.apply(peak, (secret, given, threads)))
        plural = "" if threads == 1 else "s"
        found.append(
            Figure(f"memory, {name} 12 MP, {threads} thread{plural}", median(peaks), "B/px")
        )
    return found


def peak(secret: bytes, file: bytes | None, threads: int) -> float:
    """Return how far memory rose in this process to decrypt a file, or to encrypt a picture."""
    key = jpegcrypt.Key(secret)
    jpegcrypt.decrypt(jpegcrypt.encrypt(np.zeros((64, 64, 3), np.uint8), key), key)  # imports
    if file is None:
        picture = mosaic(*LARGE)
        size, extra = rise(lambda: len(jpegcrypt.encrypt(picture, key, threads=threads)))
    else:
        size, extra = rise(lambda: jpegcrypt.decrypt(file, key, threads=threads).nbytes)
    return round((extra - size) / (LARGE[0] * LARGE[1]), 2)


def rise(call: Callable[[], int]) -> tuple[int, int]:
    """Return what a call returns, and by how many bytes memory rose meanwhile at most."""
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
    before = _status("VmRSS")
    returned = call()
    return returned, _status("VmHWM") - before


def _status(name: str) -> int:
    """Return a line of this process's memory in bytes."""
    match = re.search(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert match is not None
    return 1024 * int(match[1])
