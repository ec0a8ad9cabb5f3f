"""Size and quality of encrypted and plain JPEGs: rows, curves and a report.

Every scheme of `rate_schemes` at every quality on every picture; each data set leaves its rows in
``results/rate_distortion/``, and the report there is made anew from all rows that lie there. A run
that was killed goes on where it stopped; rows are measured again when the code or the picture that
they came from has changed. --data takes folders, or names of folders in the one that JPEGCRYPT_DATA
names, and scikit-image for the photographs that it carries.
"""

import argparse
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import joblib
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import data_sets, rate_report
from benchmarks.data_sets import DataSet, Unusable
from benchmarks.photographs import Pixels
from benchmarks.rate_rows import Rows, load, measure, pixel_hash, save
from benchmarks.rate_schemes import DIFFERENCE_QUALITIES, Scheme, schemes

RESULTS = Path(__file__).parent / "results" / "rate_distortion"
QUICK = Path(__file__).parents[1] / "build" / "rate_distortion"
QUICK_PICTURES = 3
SAVE_EVERY = 10  # seconds; what a killed run loses at most


@dataclass(frozen=True)
class Task:
    """What is to be measured on one picture at one quality."""

    picture: str
    pixels: Pixels
    quality: int
    schemes: tuple[str, ...]

    def run(self) -> Rows:
        rows = measure(self.picture, self.pixels, self.quality, self.schemes)
        return {(row.picture, row.scheme, row.quality): row for row in rows}


def plan(
    data: DataSet, known: dict[str, Scheme], quick: bool, stored: Rows
) -> Iterator[tuple[Rows, Task | None]]:
    """Yield for each picture and quality the rows to keep, and what is left to measure."""
    qualities = sorted({quality for scheme in known.values() for quality in scheme.qualities})
    for name, picture in data:
        pixels = pixel_hash(picture)
        for quality in DIFFERENCE_QUALITIES if quick else qualities:
            wanted = [scheme for scheme in known.values() if quality in scheme.qualities]
            kept = {
                key: stored[key]
                for scheme in wanted
                if (key := (name, scheme.name, quality)) in stored
                and (stored[key].code, stored[key].pixels) == (scheme.code, pixels)
            }
            left = tuple(s.name for s in wanted if (name, s.name, quality) not in kept)
            yield kept, Task(name, picture, quality, left) if left else None


def run(data: DataSet, path: Path, *, quick: bool, jobs: int, console: Console) -> int:
    """Complete the rows of a data set; return how many were measured."""
    stored = load(path)
    rows: Rows = {}
    tasks = []
    installed = {name: scheme for name, scheme in schemes().items() if scheme.installed}
    for kept, task in plan(data, installed, quick, stored):
        rows |= kept
        tasks += [task] if task else []
    if not tasks and rows == stored:
        return 0
    measured, saved = 0, time.monotonic()
    columns = TextColumn(data.name), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task(data.name, total=len(rows) + sum(len(t.schemes) for t in tasks))
        progress.advance(bar, len(rows))
        parallel = joblib.Parallel(jobs, return_as="generator")
        try:
            for found in parallel(joblib.delayed(task.run)() for task in tasks):
                rows |= found
                measured += len(found)
                progress.advance(bar, len(found))
                if time.monotonic() - saved > SAVE_EVERY:
                    save(path, rows.values())
                    saved = time.monotonic()
        finally:
            save(path, rows.values())
    return measured


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--data",
        nargs="+",
        default=[data_sets.default_name()],
        help="folders or names (cid22 where it is at hand, else scikit-image)",
    )
    parser.add_argument(
        "--pictures", type=int, help=f"of each set at most, at even distances ({data_sets.MOST})"
    )
    parser.add_argument(
        "--allow-jpeg-sources",
        action="store_true",
        help="measure pictures that have been JPEGs, which flatters the plain ones",
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help=f"{QUICK_PICTURES} pictures of a set, fewer qualities: under a minute, stored apart",
    )
    parser.add_argument("--out", type=Path, help=f"folder of the results ({RESULTS})")
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1), help="processes")
    options = parser.parse_args(arguments)
    if options.jobs < 1 or (options.pictures is not None and options.pictures < 1):
        parser.error("--jobs and --pictures are 1 or more")
    out: Path = options.out or (QUICK if options.quick else RESULTS)
    most = options.pictures or (QUICK_PICTURES if options.quick else data_sets.MOST)
    console = Console()
    try:
        found = [
            data_sets.find(name, most=most, allow_jpeg_sources=options.allow_jpeg_sources)
            for name in options.data
        ]
        for data in found:
            path = out / f"{data.name}.csv.gz"
            measured = run(data, path, quick=options.quick, jobs=options.jobs, console=console)
            rate_report.remember(out, data)
            console.print(f"{data.name}: {measured:,} rows measured, {len(load(path)):,} in all")
    except Unusable as error:
        parser.error(str(error))
    for line in rate_report.write(out):
        console.print(line, soft_wrap=True, highlight=False)
    console.print(f"stored in {out}", soft_wrap=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
