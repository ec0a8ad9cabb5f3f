"""Retrieval on encrypted pictures: every model, key mode and ablation, a result file for each run.

A labelled folder is encrypted with a key of the benchmark's own, once for each cipher that a run
asks for; models learn from 70 % and are measured on the rest. Each run leaves a file in
``results/retrieval/`` with its settings, curve, every measure of `jpegcrypt.retrieval.metrics`,
time and machine, and the report there is made anew from all that lie there. A run that was killed
goes on where it stopped, to the same weights; one that has its file is not run again.

--data takes a folder, and --name what to call it in the report. Without it, or with --quick, these
are parts of the photographs that scikit-image carries: enough to see that everything works, and no
measure of how well.
"""

import argparse
import hashlib
import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

sys.path.insert(0, str(Path(__file__).parents[1]))

import jpegcrypt
from benchmarks import paper_sweeps, paper_tables, retrieval_report
from benchmarks.photographs import labelled_crops
from benchmarks.speed import cpu_model
from jpegcrypt import atomic
from jpegcrypt.dataset import encrypt_dataset, list_tasks
from jpegcrypt.images import read_image
from jpegcrypt.key import Key
from jpegcrypt.retrieval import checkpoint, models
from jpegcrypt.retrieval.embed import features_of
from jpegcrypt.retrieval.folders import SPLITS
from jpegcrypt.retrieval.index import similarity
from jpegcrypt.retrieval.metrics import score, unit
from jpegcrypt.retrieval.train import Step, read_pictures, train

RESULTS = Path(__file__).parent / "results" / "retrieval"
SEARCH = RESULTS.with_name("unsupervised.json")  # of the schemes whose server does not learn
WORK = Path(__file__).parents[1] / "build" / "retrieval"
KEY = Key(bytes(range(32)))  # of nobody's pictures
QUALITY = 75
SPLIT_SEED = 2020
OTHER_SPLIT_SEED = 2021  # on whose test part nothing was chosen

PLAIN: dict[str, Any] = {}
NONCE: dict[str, Any] = {"quality": QUALITY, "key_mode": "nonce"}
FIXED: dict[str, Any] = {"quality": QUALITY, "key_mode": "fixed"}
RESIDUAL: dict[str, Any] = NONCE | {"dc": "residual"}


@dataclass(frozen=True)
class Run:
    """One training, and what it is measured on.

    Parameters
    ----------
    name : str
    group : str
        What the command line selects: papers, ours, reference, ablation, sweep, feng2021.
    model : str
    cipher : dict
        Settings of `encrypt_dataset`; empty for plain JPEGs of the same quality.
    config, recipe : dict
        What differs from the model's defaults.
    versions : int
        Encryptions of each training picture.
    split : str
        One of `SPLITS`; behind it the seed, if that is not `SPLIT_SEED`.
    seed : int
    """

    name: str
    group: str
    model: str
    cipher: dict[str, Any]
    config: dict[str, Any] = field(default_factory=dict)
    recipe: dict[str, Any] = field(default_factory=dict)
    versions: int = 1
    split: str = "stratified"
    seed: int = 0

    @property
    def folder(self) -> str:
        """A name for the data set that this cipher makes."""
        return "-".join(f"{k}-{v}" for k, v in sorted(self.cipher.items())) or "plain"


def runs() -> Iterator[Run]:
    """Yield everything there is to run, what matters most first."""
    keys = {"nonce": NONCE, "fixed": FIXED, "plain": PLAIN, "residual": RESIDUAL}
    for key, cipher in keys.items():
        yield Run(f"block_set-{key}", "ours", "block_set", cipher)
    unseen = "unseen-classes"
    for key in ("nonce", "plain"):
        yield Run(f"block_set-{key}-unseen", "ours", "block_set", keys[key], split=unseen)
    for key in ("nonce", "plain"):
        split = f"stratified {OTHER_SPLIT_SEED}"
        yield Run(f"block_set-{key}-other-split", "ours", "block_set", keys[key], split=split)
    for model in ("gmlp", "vit", "resnet"):
        for key in ("nonce", "fixed", "plain"):
            yield Run(f"{model}-{key}", "papers", model, keys[key])
    yield Run("gmlp-nonce-unseen", "papers", "gmlp", NONCE, split=unseen)
    for key in ("nonce", "fixed"):
        yield Run(f"gmlp-{key}-levels", "papers", "gmlp", keys[key], {"levels": True})
    for model in ("dct_histogram", "code_transformer"):  # after DHAN and EViT
        for key in ("nonce", "plain"):
            yield Run(f"{model}-{key}", "reference", model, keys[key])

    def ours(name: str, **changed: Any) -> Run:
        return Run(f"block_set-nonce-{name}", "ablation", "block_set", NONCE, **changed)

    yield ours("no-words", config={"words": 0, "chroma_words": 0})
    yield ours("no-histograms", config={"histograms": False})
    yield ours("no-levels", config={"levels": False})
    yield ours("all-blocks", config={"keep": 1.0})
    yield ours("word-layer", config={"word_layer": 128})
    yield ours("four-encryptions", versions=4)
    yield ours("batchnorm-head", config={"head": "batchnorm"})
    loss = {"triplet": 1.0, "label_smoothing": 0.0}  # lu2022, equations (6) to (9)
    yield ours("batchnorm-head-triplet", config={"head": "batchnorm"}, recipe=loss)
    yield Run("gmlp-nonce-posterior-head", "ablation", "gmlp", NONCE, {"head": "posterior"})

    for dimension in (128, 192, 256, 384):  # lu2022, table III
        for depth in (6, 8, 10, 12):
            config = {"dimension": dimension, "hidden": 2 * dimension, "depth": depth}
            yield Run(f"gmlp-fixed-d{dimension}-l{depth}", "sweep", "gmlp", FIXED, config)
    for patch in (16, 32):  # table IV
        yield Run(f"gmlp-fixed-p{patch}", "sweep", "gmlp", FIXED, {"patch": patch})
    for block in (8, 16):  # feng2021, tables II to IV
        for quarters in (1, 2, 3):
            cipher = {"scheme": "feng2021", "block": block, "quarters": quarters}
            name = f"feng2021-p{block}-q{quarters}"
            for margin in (0.3, 0.5):
                for weight in (0.5, 1.0):
                    recipe = {"margin": margin, "classification": weight}
                    title = f"vit-{name}-m{margin}-a{weight}"
                    yield Run(title, "feng2021", "vit", cipher, {"patch": block}, recipe)
            yield Run(f"resnet-{name}", "feng2021", "resnet", cipher)
    nonce = {"scheme": "feng2021", "block": 16, "quarters": 3, "key_mode": "nonce"}
    recipe = {"margin": 0.5, "classification": 1.0}
    name = "vit-feng2021-p16-q3-m0.5-a1.0-nonce"  # theirs is "fixed", as are all above
    yield Run(name, "feng2021", "vit", nonce, {"patch": 16}, recipe)


def shortened(run: Run) -> Run:
    """Return a run that ends in seconds: tiny, and no measure of the model."""
    sizes: dict[str, dict[str, Any]] = {
        "block_set": {"words": 32, "chroma_words": 16, "hidden": 64, "features": 32},
        "gmlp": {"patch": 16, "dimension": 32, "hidden": 64, "depth": 2},
        "vit": {"patch": 16, "dimension": 32, "heads": 2, "mlp": 64, "depth": 2},
        "resnet": {"blocks": (1, 1), "channels": 8},
        "dct_histogram": {"hidden": 32, "depth": 2, "features": 32},
        "code_transformer": {"dimension": 32, "heads": 2, "mlp": 64, "depth": 2},
    }
    recipe = {"epochs": 3, "warmup": 1, "batch_pictures": 5, "learning_rate": 3e-3}
    return replace(run, config={**run.config, **sizes[run.model]}, recipe={**run.recipe, **recipe})


def make_data(
    source: Path, work: Path, run: Run, tick: Callable[[int, int], object]
) -> tuple[list[Path], int]:
    """Return folders with the pictures as a run wants them, made if they are not there.

    And the number of pictures that could not be encoded.
    """
    _check_source(source, work)
    failed: set[Path] = set()
    if not run.cipher:
        target = work / "plain"
        tasks = list(list_tasks(source, target, ".jpg"))  # as for encrypted ones
        for done, (path, made) in enumerate(tasks, start=1):
            if not made.is_file() or not made.stat().st_size:
                try:
                    pixels, _ = read_image(path.read_bytes(), strip=True)
                except jpegcrypt.JpegcryptError:
                    failed.add(path)
                    continue
                made.parent.mkdir(parents=True, exist_ok=True)
                atomic.write(
                    made, jpegcrypt.encode(pixels, quality=QUALITY), overwrite=True, durable=False
                )
            tick(done, len(tasks))
        return [target], len(failed)
    folders = [work / f"{run.folder}-{version}" for version in range(run.versions)]
    for folder in folders:
        report = encrypt_dataset(source, folder, KEY, progress=tick, **run.cipher)
        failed.update(path for path, _ in report.failed)
    return folders, len(failed)


def _check_source(source: Path, work: Path) -> None:
    """End where the files of a work folder were made of other pictures than these."""
    told = [
        f"{path.relative_to(source).as_posix()} {path.lstat().st_size}"
        for path, _ in list_tasks(source, work, ".jpg")
    ]
    digest = hashlib.sha256("\n".join(told).encode()).hexdigest()
    record = work / "source.sha256"
    if not record.exists():
        work.mkdir(parents=True, exist_ok=True)
        atomic.write(record, digest.encode(), overwrite=False)
    elif record.read_text("ascii") != digest:
        sys.exit(f"{work}: made of other pictures than {source} has; choose another --work")


def measure(
    run: Run, data: str, source: Path, work: Path, watch: Callable[[Step], None], tick: Any
) -> dict[str, Any]:
    """Train, or go on, and return all that a result file holds."""
    began = time.monotonic()
    domain = models.find(run.model).domain
    roots, failed = make_data(source, work, run, tick)
    pictures, skipped = read_pictures(
        roots, domain, cipher_only=bool(run.cipher), cache=work / "cache"
    )
    kind, _, seed = run.split.partition(" ")
    split_seed = int(seed) if seed else SPLIT_SEED
    learn, test = SPLITS[kind](pictures.labels, seed=split_seed)
    recipe = replace(models.recipe(run.model), **run.recipe, seed=run.seed)
    path = work / f"{run.name}-{run.seed}.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    network = train(
        path,
        run.model,
        pictures,
        learn,
        test,
        recipe=recipe,
        config=run.config,
        resume=True,
        watch=watch,
    )
    features = unit(features_of(network, pictures.versions[0], test)).astype(np.float32)
    training = checkpoint.load(path).training
    return {
        "run": asdict(run),
        "recipe": training["recipe"],
        "epochs_of_model": models.recipe(run.model).epochs,
        "model": models.describe(network),
        "parameters": sum(p.numel() for p in network.parameters()),
        "data": {
            "name": data,
            "pictures": len(pictures.labels),
            "classes": len(pictures.classes),
            "left_out": failed + len(skipped),
            "trained_on": len(learn),
            "tested_on": len(test),
            "split_seed": split_seed,
        },
        "scores": {
            measure: asdict(one)
            for measure, one in score(
                lambda rows: similarity(features[rows], features.T), pictures.labels[test]
            ).items()
        },
        "curve": training["history"],
        "seconds": {
            "training": round(training["seconds"], 1),
            "this_call": round(time.monotonic() - began, 1),
        },
        "environment": environment(),
    }


def environment() -> dict[str, Any]:
    """Return what a time hangs on."""
    return {
        "processor": cpu_model(),
        "processors": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "accelerator": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "versions": {name: version(name) for name in ("torch", "numpy", "jpegcrypt")},
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what the command line asks for, and write the report."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, metavar="DIR", help="a labelled folder of pictures")
    parser.add_argument("--name", help="of the data, for the report; the folder's by default")
    parser.add_argument(
        "--group", action="append", help="ours, papers, reference, ablation, sweep, feng2021"
    )
    parser.add_argument("--only", default="", metavar="REGEX", help="runs whose names match")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", dest="recipe")
    parser.add_argument("--list", action="store_true", help="say what would be run")
    parser.add_argument("--quick", action="store_true", help="tiny models, under a minute")
    parser.add_argument("--results", type=Path, help=f"{RESULTS} by default")
    parser.add_argument("--work", type=Path, default=WORK, help="for cipher files and checkpoints")
    options = parser.parse_args(arguments)

    groups = options.group or (["ours", "papers"] if options.quick else ["ours"])
    chosen = [r for r in runs() if r.group in groups and re.search(options.only, r.name)]
    if options.quick:
        chosen = [shortened(r) for r in chosen if r.split == "stratified" and r.cipher != FIXED]
    extra = dict(setting.split("=", 1) for setting in options.recipe)
    changes = {name: json.loads(value) for name, value in extra.items()}
    chosen = [
        replace(run, seed=seed, recipe={**run.recipe, **changes})
        for seed in options.seeds
        for run in chosen
    ]
    if options.list:
        Console().print("\n".join(f"{r.group:9} {r.name} seed {r.seed}" for r in chosen))
        return
    built_in = options.quick or options.data is None
    name = "scikit-image parts" if built_in else options.name or options.data.name
    work = options.work / (re.sub(r"\W+", "-", name) + ("-quick" if options.quick else ""))
    results = options.results or (work / "results" if options.quick else RESULTS)
    source = work / "source" if built_in else options.data
    if built_in and not source.exists():
        labelled_crops(source)
    for run in chosen:
        target = results / f"{name.replace(' ', '-')}-{run.name}-{run.seed}.json"
        if target.exists():
            there = json.loads(target.read_text("utf-8"))
            if there["run"] != json.loads(json.dumps(asdict(run))):
                sys.exit(f"{target}: of other settings; remove it, or choose another --results")
            continue
        result = _with_bar(run, name, source, work)
        target.parent.mkdir(parents=True, exist_ok=True)
        atomic.write(target, (json.dumps(result, indent=1) + "\n").encode(), overwrite=False)
        Console().print(f"{run.name} seed {run.seed}: mAP {result['scores']['full']['mean']:.4f}")
    report = retrieval_report.report(results)
    atomic.write(results / "report.md", report.encode(), overwrite=True)
    search = json.loads(SEARCH.read_text("utf-8"))
    if name == search["data"].partition(" (")[0]:
        sweeps = paper_sweeps.lines(paper_tables.trained_on(name, results))
        for line in (*paper_tables.lines(search, results), "", *sweeps):
            Console().print(line, soft_wrap=True, highlight=False, markup=False)
    Console().print(f"{results / 'report.md'}")


def _with_bar(run: Run, name: str, source: Path, work: Path) -> dict[str, Any]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[said]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        data = progress.add_task(f"{run.folder}", total=None, said="")
        task = progress.add_task(f"{run.name} {run.seed}", total=None, said="")

        def tick(done: int, of: int) -> None:
            progress.update(data, completed=done, total=of)

        def watch(step: Step) -> None:
            found = step.mean_average_precision
            said = f"loss {step.loss:.3f}" + ("" if found is None else f", mAP {found:.4f}")
            progress.update(task, completed=step.number, total=step.total, said=said)

        return measure(run, name, source, work, watch, tick)


if __name__ == "__main__":
    main()
