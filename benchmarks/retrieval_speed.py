"""How fast cipher files become features, and what training a model would cost.

Embedding is `jpegcrypt.retrieval.embed.embed`, from disk to vectors. The weights are fresh, which
changes nothing about the time. Each round starts its processes anew, as a command would. Wall time
is of the machine as it was; processor time, of all processes together, tells more where others work
beside it. A training is as many steps as the model's recipe has, of which a few are measured. The
result goes into ``results/retrieval/speed/``.
"""

import argparse
import json
import resource
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from joblib.externals.loky import get_reusable_executor
from rich.console import Console

sys.path.insert(0, str(Path(__file__).parents[1]))

import jpegcrypt
from benchmarks.photographs import labelled_crops
from benchmarks.retrieval import NONCE, RESULTS, WORK, Run, environment, make_data
from benchmarks.retrieval_report import fastest
from jpegcrypt import atomic
from jpegcrypt.retrieval import models
from jpegcrypt.retrieval.arrays import load_coefficients, load_pixels
from jpegcrypt.retrieval.batches import Arrays, take
from jpegcrypt.retrieval.embed import embed
from jpegcrypt.retrieval.folders import read_folder, stratified
from jpegcrypt.retrieval.losses import total_loss

ROUNDS = 3
STEPS = 3


def measure(model: str, source: Path, work: Path, pictures: int | None) -> dict[str, Any]:
    """Encrypt a labelled folder, unless that is done, embed its files, and train some steps."""
    run = Run(f"{model}-nonce", "speed", model, NONCE)
    (root, *_), _ = make_data(source, work, run, lambda done, of: None)
    files = read_folder(root)
    learn, _ = stratified(files.labels)
    files = files.take(np.arange(len(files))[:pictures])
    network = models.create(model, classes=len(files.classes))
    rounds = []
    for _ in range(ROUNDS):
        began, worked = time.monotonic(), processor_seconds()
        found = embed(network, files.paths)
        seconds = time.monotonic() - began
        get_reusable_executor().shutdown(wait=True)  # only ended processes tell their time
        rounds.append({"seconds": seconds, "processor_seconds": processor_seconds() - worked})
    height, width = jpegcrypt.decode(files.paths[0].read_bytes()).shape[:2]
    return {
        "model": model,
        "pictures": len(found.features),
        "size": f"{max(height, width)}x{min(height, width)}",
        "rounds": rounds,
        "training": training(network, files.paths, len(learn)),
        "environment": environment(),
    }


def training(network: models.Network, paths: Sequence[Path], learned_from: int) -> dict[str, Any]:
    """Return processor seconds of a step, the best of some, and how many steps a training has."""
    recipe = models.recipe(network.name)
    size = recipe.batch_classes * recipe.batch_pictures
    load = load_pixels if network.domain == "pixels" else load_coefficients
    arrays: Arrays = load(paths[:size])
    labels = torch.arange(len(arrays.kept)) % network.config.classes
    network.train()
    seconds = []
    for _ in range(STEPS):
        worked = time.process_time()
        features, logits = network(take(arrays, np.arange(len(labels))))
        torch.autograd.backward(total_loss(features, logits, labels, recipe))
        seconds.append(time.process_time() - worked)
    return {
        "step_processor_seconds": min(seconds),
        "steps": round(recipe.epochs * learned_from / size),
        "epochs": recipe.epochs,
        "batch": len(labels),
    }


def processor_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, write the result, and say it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, metavar="DIR", help="a labelled folder of pictures")
    parser.add_argument("--model", default="block_set", choices=models.names())
    parser.add_argument(
        "--pictures", type=int, metavar="N", help="embed the first N; all if left out"
    )
    parser.add_argument("--results", type=Path, default=RESULTS / "speed")
    parser.add_argument("--work", type=Path, default=WORK, help="for cipher files")
    options = parser.parse_args(arguments)

    name = "scikit-image-parts" if options.data is None else options.data.name
    work = options.work / name
    source = work / "source" if options.data is None else options.data
    if options.data is None and not source.exists():
        labelled_crops(source)
    found = {"data": name, **measure(options.model, source, work, options.pictures)}
    options.results.mkdir(parents=True, exist_ok=True)
    target = options.results / f"{name}-{options.model}.json"
    atomic.write(target, (json.dumps(found, indent=1) + "\n").encode(), overwrite=True)
    Console().print(f"{options.model}: {told(found)}")


def told(found: dict[str, Any]) -> str:
    """Return the result in words."""
    rate, cost = fastest(found)
    return f"{rate:.0f} pictures of {found['size']} a second, {cost:.2f} ms of processor time each"


if __name__ == "__main__":
    main()
