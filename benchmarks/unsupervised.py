"""Search without a network: every scheme on a folder of labelled pictures, by every rule of AP.

The owner encrypts all pictures, each with a nonce of its own; the server takes the features of the
files. Words and classes are learned on the training part (70 % of each class), and each picture of
the test part is searched among the others. What is done is kept in build/unsupervised, so that a
run that was stopped goes on; --fresh begins anew.
"""

import argparse
import json
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.progress import track
from scipy.spatial.distance import cdist

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import data_sets, paper_tables
from benchmarks.sources import LIBRARY, RETRIEVAL, ROOT, digest, sources
from benchmarks.speed import cpu_model
from jpegcrypt.audit.report import rounded
from jpegcrypt.audit.target import OWNER
from jpegcrypt.images import read_image
from jpegcrypt.retrieval.classes import ClassProbabilities
from jpegcrypt.retrieval.folders import LabelledFiles, read_folder, stratified
from jpegcrypt.retrieval.metrics import score
from jpegcrypt.retrieval.words import VisualWords
from jpegcrypt.schemes import load, names

RESULTS = Path(__file__).parent / "results" / "unsupervised.json"
CACHE = ROOT / "build" / "unsupervised"
QUALITY = 75
WORD_PICTURES = 500  # of the training part, from whose local features words are learned
SEED = 2020
HALVES = 4  # of the classes, drawn at random

Features = npt.NDArray[np.float32]


def settings(name: str) -> dict[str, int]:
    """Return the settings that a scheme is measured with: pixel schemes have no quality."""
    return {"quality": QUALITY} if hasattr(load(name), "quality") else {}


def features(name: str, path: Path, serial: int) -> tuple[Features, float, float]:
    """Return what the server computes, and the seconds of owner and server."""
    picture, _ = read_image(path.read_bytes(), background="white")
    if picture.ndim == 2:  # one kind of vector for all
        picture = np.repeat(picture[:, :, None], 3, axis=2)
    scheme = load(name, **settings(name))
    start = time.process_time()
    data = scheme.encrypt(picture, OWNER, serial.to_bytes(16))
    between = time.process_time()
    found = scheme.features(data)
    return found, between - start, time.process_time() - between


class Described:
    """Features of some pictures of a data set, computed in several processes."""

    def __init__(self, name: str, files: LabelledFiles, jobs: int) -> None:
        self.name, self.files, self.jobs = name, files, jobs
        self.owner: list[float] = []
        self.server: list[float] = []

    def __call__(self, indices: npt.NDArray[np.intp]) -> Iterator[Features]:
        parallel = joblib.Parallel(self.jobs, return_as="generator")
        work = (joblib.delayed(features)(self.name, self.files.paths[i], int(i)) for i in indices)
        for found, owner, server in parallel(work):
            self.owner.append(owner)
            self.server.append(server)
            yield found


def descriptors(
    described: Described, train: npt.NDArray[np.intp], test: npt.NDArray[np.intp]
) -> Features:
    """Return a vector for each picture of the test part."""
    scheme = load(described.name)
    if scheme.descriptor == "words":
        some = np.random.default_rng(SEED).permutation(train)[:WORD_PICTURES]
        words = VisualWords(scheme.words, seed=SEED).fit(list(described(np.sort(some))))
        return np.concatenate([words.transform([rows]) for rows in described(test)])
    if scheme.descriptor == "classes":
        labels = described.files.labels[train]
        model = ClassProbabilities(seed=SEED).fit(np.stack(list(described(train))), labels)
        return model.transform(np.stack(list(described(test))))
    return np.stack(list(described(test)))


def measure(name: str, files: LabelledFiles, jobs: int) -> dict[str, Any]:
    """Search with one scheme."""
    scheme = load(name)
    train, test = stratified(files.labels, seed=SEED)
    described = Described(name, files, jobs)
    start = time.process_time()
    vectors = descriptors(described, train, test)
    learned = time.process_time() - start
    start = time.process_time()
    similarity = -cdist(vectors, vectors, scheme.metric)
    search = (time.process_time() - start) / len(test)
    scores = score(similarity, files.labels[test])
    return {
        "scheme": name,
        "settings": settings(name),
        "descriptor": scheme.descriptor,
        "metric": scheme.metric,
        "length": vectors.shape[1],
        "scores": {rule: asdict(value) for rule, value in scores.items()},
        "half_of_the_classes": halved(similarity, files.labels[test]),
        "milliseconds": {
            "encrypt": 1000 * float(np.mean(described.owner)),
            "features": 1000 * float(np.mean(described.server)),
            "query": 1000 * search,
        },
        "seconds": {"all descriptors": learned},
    }


def halved(similarity: Features, labels: npt.NDArray[np.integer]) -> dict[str, float]:
    """Return how many times chance is found among half of the classes, mean of several halves."""
    classes = np.unique(labels)
    rng = np.random.default_rng(SEED)
    times: dict[str, list[float]] = {rule: [] for rule in paper_tables.LIKELY}
    for _ in range(HALVES):
        kept = np.isin(labels, rng.permutation(classes)[: max(2, len(classes) // 2)])
        scores = score(similarity[np.ix_(kept, kept)], labels[kept])
        for rule, found in times.items():
            found.append(scores[rule].mean / scores[rule].chance)
    return {rule: float(np.mean(found)) for rule, found in times.items()}


def few(files: LabelledFiles, most: int | None) -> LabelledFiles:
    """Return the first pictures of each class, or all."""
    if most is None:
        return files
    kept = [np.flatnonzero(files.labels == label)[:most] for label in np.unique(files.labels)]
    return files.take(np.sort(np.concatenate(kept)))


def run(folder: Path, chosen: Sequence[str], most: int | None, jobs: int) -> dict[str, Any]:
    files = few(read_folder(folder), most)
    train, test = stratified(files.labels, seed=SEED)
    versions = {one: version(one) for one in ("jpegcrypt", "numpy", "scikit-learn", "scipy")}
    code = [*sources(LIBRARY), *sources(RETRIEVAL), Path(__file__)]
    known = digest(code, versions, QUALITY, SEED, WORD_PICTURES, files.labels.tolist())
    for path in files.paths:
        known.update(path.read_bytes())
    CACHE.mkdir(parents=True, exist_ok=True)
    rows = []
    for name in track(chosen, description="schemes", console=Console(stderr=True)):
        kept = CACHE / f"{name}-{known.hexdigest()[:16]}.json"
        if not kept.exists():
            partly = kept.with_suffix(".part")
            partly.write_text(json.dumps(rounded(measure(name, files, jobs))), "utf-8")
            partly.rename(kept)
        rows.append(json.loads(kept.read_text("utf-8")))
    return {
        "data": f"{folder.resolve().name} ({len(files)} pictures, {len(files.classes)} classes)",
        "parts": {"train": len(train), "words": min(WORD_PICTURES, len(train)), "test": len(test)},
        "machine": cpu_model(),
        "versions": versions,
        "schemes": rows,
    }


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True, help="folder or name of labelled pictures")
    parser.add_argument("--schemes", nargs="+", choices=names(), default=names(), metavar="ID")
    parser.add_argument("--per-class", type=int, help="pictures of each class at most")
    parser.add_argument("--jobs", type=int, default=1, help="processes (%(default)s)")
    parser.add_argument("--out", type=Path, default=RESULTS, help="file (%(default)s)")
    parser.add_argument("--fresh", action="store_true", help="do not go on with a stopped run")
    options = parser.parse_args(arguments)
    if options.fresh and CACHE.exists():
        shutil.rmtree(CACHE)
    try:
        folder = data_sets.folder_of(options.data)
        found = run(folder, options.schemes, options.per_class, options.jobs)
    except (OSError, ValueError, data_sets.Unusable) as error:
        parser.error(str(error))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    console = Console()
    for row in found["schemes"]:
        full = row["scores"]["full"]
        console.print(f"{row['scheme']:20} mAP {full['mean']:.4f}, chance {full['chance']:.4f}")
    for line in paper_tables.lines(found):
        console.print(line, soft_wrap=True, highlight=False, markup=False)
    console.print(f"stored in {options.out}", soft_wrap=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
