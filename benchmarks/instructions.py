"""Instructions per pixel of each stage, counted by Valgrind's callgrind.

Unlike times, these counts are the same on every run. A program that does the operation 1 + N times
is run against one that does it once; the difference, over N pictures, is what one costs. Valgrind
knows no AVX-512: the level is AVX2 or below.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.photographs import mosaic

RESULT = Path(__file__).parent / "results" / "instructions.json"
SIZES = {"192x128": (192, 128), "2 MP": (1920, 1080)}
REPEATS = {"192x128": 20, "2 MP": 3}
CALLS = {
    "encrypt, fast": "jpegcrypt.encrypt(picture, key, effort='fast')",
    "encrypt": "jpegcrypt.encrypt(picture, key)",
    "decrypt": "jpegcrypt.decrypt(file, key)",  # each with Huffman tables that are new to us
}
PROGRAM = """
import sys
import numpy as np
import jpegcrypt
picture, key = np.load(sys.argv[1]), jpegcrypt.Key(bytes(32))
nonces = [bytes([i] * 16) for i in range(int(sys.argv[3]))]
files = [jpegcrypt.encrypt(picture, key, nonce=nonce) for nonce in nonces]
for file in files[: int(sys.argv[2])]:
    {call}
"""
# Stage -> functions of the core; the first that matches counts.
STAGES = {
    "color": r"jc_image_to_planes|jc_planes_to_image|rgb_to|ycc_to|weigh|widen|upsample",
    "blocks": r"forward_block|inverse_block|transform|put_block|jc_put_rows",
    "tokens and message": r"tokenize|encode_batch|jc_encode_blocks",
    "Huffman tables": r"jc_huffman|jc_encode_tables|jc_emit_table",
    "bits": r"emit|write_tokens|jc_encode_bits",
    "stuffing": r"stuff|append|jc_join",
    "entropy decoding": r"decode_block|take_block|start_mcu|jc_decode|jc_walk|refill",
    "shuffle": r"shuffle",
}
# A line of callgrind_annotate: count (share) file:function [object]
LINE = re.compile(r"^\s*([\d,]+) \([^)]*\)\s+(\S*?):(.*)$")


def stage(file: str, function: str) -> str:
    """Return the stage that a function belongs to; `function` may name its shared object."""
    if "/native/" in file or "intrin.h" in file or "_core" in file + function:
        for name, pattern in STAGES.items():
            if re.search(pattern, function):
                return name
        return "binding"
    if re.search(r"cryptography|libcrypto|_hashlib", function):
        return "cryptography"
    if re.search(r"mem(cpy|set|move)", function):
        return "copying and clearing"  # counted by the byte where the processor repeats by itself
    return "Python"


def counts(call: str, picture: Path, times: int, files: int, work: Path) -> Counter[str]:
    """Return the instructions of a program that does the call so many times, by stage.

    It makes so many files before, whatever the times, and gives each call another one.
    """
    out = work / f"{times}.callgrind"
    program = work / "program.py"
    program.write_text(PROGRAM.format(call=call))
    command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", sys.executable]
    # What differs between runs would count as the call's: hashes, and how long idle threads spin.
    environment = os.environ | {"PYTHONHASHSEED": "0", "OPENBLAS_NUM_THREADS": "1"}
    subprocess.run(
        [*command, program, picture, str(times), str(files)],
        check=True,
        capture_output=True,
        env=environment,
    )
    listing = subprocess.run(
        ["callgrind_annotate", "--threshold=100", "--inclusive=no", "--auto=no", out],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    found: Counter[str] = Counter()
    for line in listing.splitlines():
        if match := LINE.match(line):
            number, file, function = match.groups()
            found[stage(file, function)] += int(number.replace(",", ""))
    return found


def measure(size: str, call: str) -> dict[str, float]:
    """Return instructions per pixel by stage."""
    width, height = SIZES[size]
    with TemporaryDirectory() as name:
        work = Path(name)
        picture = work / "picture.npy"
        np.save(picture, mosaic(width, height))
        n = REPEATS[size]
        difference = counts(call, picture, 1 + n, 1 + n, work)
        difference.subtract(counts(call, picture, 1, 1 + n, work))
    return {
        name: round(number / n / (width * height), 3)
        for name, number in difference.most_common()
        if number > 0
    }


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, default=RESULT, help="the result (%(default)s)")
    parser.add_argument("--sizes", default=",".join(SIZES), help="of %(default)s")
    options = parser.parse_args(arguments)
    for tool in ("valgrind", "callgrind_annotate"):
        if shutil.which(tool) is None:
            parser.error(f"{tool} was not found: install Valgrind")
    console = Console()
    rows = []
    for size in options.sizes.split(","):
        for operation, call in CALLS.items():
            rows.append({"size": size, "operation": operation, "stages": measure(size, call)})
            shown = Table(title=f"{operation}, {size}: instructions per pixel")
            shown.add_column("stage")
            shown.add_column("count", justify="right")
            for name, number in rows[-1]["stages"].items():
                shown.add_row(name, f"{number:.2f}")
            shown.add_row("all", f"{sum(rows[-1]['stages'].values()):.2f}", style="bold")
            console.print(shown)
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps({"rows": rows}, indent=1) + "\n", "utf-8")
    console.print(f"stored in {options.json}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
