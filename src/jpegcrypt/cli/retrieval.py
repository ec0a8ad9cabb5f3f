"""The commands of the server's side: embed, search, evaluate. No key comes near them."""

import json
import os
import re
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from jpegcrypt import atomic
from jpegcrypt.cli.terminal import FAILED, Stop, about, printable, say

if TYPE_CHECKING:
    from jpegcrypt.retrieval.arrays import Skipped
    from jpegcrypt.retrieval.folders import Indices, LabelledFiles
    from jpegcrypt.retrieval.index import Index

_EXTRA = {"torch", "accelerate", "safetensors", "joblib"}
_LISTED = 20


@contextmanager
def _stop() -> Iterator[None]:
    """End the command with what is wrong; the errors of retrieval name the file themselves."""
    try:
        yield
    except ValueError as error:
        raise Stop(str(error)) from error


@contextmanager
def enough_memory() -> Iterator[None]:
    """Say so where there is not; PyTorch has no exception of its own for that on a CPU."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        killed = isinstance(error, BrokenExecutor)  # a process that reads pictures
        known = killed or isinstance(error, MemoryError)
        if not known and not _OUT_OF_MEMORY.search(str(error)):
            raise
        raise Stop("not enough memory for this model and pictures of this size") from error


_OUT_OF_MEMORY = re.compile("out of memory|not enough memory|can't allocate memory", re.IGNORECASE)


@contextmanager
def retrieval_extra() -> Iterator[None]:
    """Say what to install where the retrieval extra is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name not in _EXTRA:
            raise
        raise Stop(
            f"this needs {error.name}, which is not installed",
            hint="pip install 'jpegcrypt[retrieval]'",
        ) from error


def embed(
    data: tuple[str, ...], index: str, model: str, *, device: str, plain: bool, overwrite: bool
) -> None:
    """Write the features of pictures to an index."""
    with retrieval_extra():
        from jpegcrypt.retrieval.embed import make_index
    _check(device)
    with about(index):
        atomic.check(index, overwrite=overwrite)
    files = _files(data)
    with _stop(), enough_memory():
        made, skipped = make_index(model, files, cipher_only=not plain, device=device)
    with about(index):
        made.save(index, overwrite=overwrite)
    report(skipped)
    say(f"{len(made)} embedded" + (f", {len(skipped)} left out" if skipped else ""))
    if skipped:
        raise click.exceptions.Exit(FAILED)


def search(index: str, query: str, model: str, k: int, *, plain: bool, as_json: bool) -> None:
    """Print the pictures of an index that are most similar to a query."""
    with retrieval_extra():
        from jpegcrypt.retrieval.checkpoint import identify, load_model
        from jpegcrypt.retrieval.embed import embed as embed_files
    found = _load(index)
    with _stop(), enough_memory():
        network = load_model(model)
        if identify(network) != found.model:
            raise Stop(f"{index}: made with another model than {model}", hint="embed anew with it")
        embedded = embed_files(network, [query], cipher_only=not plain)
    similarity, places = found.search(embedded.features, k)
    results = [
        {"path": found.paths[place], "similarity": round(float(value), 4)}
        for place, value in zip(places[0], similarity[0], strict=True)
    ]
    if as_json:
        click.echo(json.dumps([{"query": query, "results": results}], indent=1))
        return
    for result in results:
        click.echo(f"{result['similarity']:.4f}  {printable(str(result['path']))}")


def evaluate(
    index: str, rankings: str | None, *, every: bool, as_json: bool, overwrite: bool
) -> None:
    """Print every measure of an index side by side, with its chance line."""
    if rankings is not None:
        with about(rankings):
            atomic.check(rankings, overwrite=overwrite)
    found = _load(index)
    with about(index):
        learned, new = found.split(every=every)
        if not every and not len(learned):
            say("the model learned from none of these pictures, as their names tell")
        galleries = found.evaluate(learned, new)
    if rankings is not None:
        text = json.dumps(_rankings(found, new), indent=1)
        with about(rankings):
            atomic.write(rankings, text.encode(), overwrite=overwrite)
    if as_json:
        stored: dict[str, Any] = {
            gallery: {
                measure: {"mean": one.mean, "chance": one.chance, "ties_last": one.ties_last}
                for measure, one in scores.items()
            }
            for gallery, scores in galleries.items()
        }
        told = {"learned": int(found.learned.sum()), "queries": len(new), "gallery": stored}
        click.echo(json.dumps(told, indent=1))
        return
    for gallery, scores in galleries.items():
        title = f"{len(learned)} pictures that the model learned from"
        if gallery == "test":
            title = f"{len(new)} pictures" + (" that it did not learn from" if len(learned) else "")
        click.echo(f"gallery: {title}\n{'':14} {'mean':>8} {'chance':>8} {'ties last':>10}")
        for measure, one in scores.items():
            click.echo(f"{measure:14} {one.mean:8.4f} {one.chance:8.4f} {one.ties_last:10.4f}")


def _rankings(index: "Index", queries: "Indices") -> list[Any]:
    """Return the ten best of the test pictures for the first query of each class."""
    from jpegcrypt.retrieval.index import similarity
    from jpegcrypt.retrieval.metrics import draw

    order, _ = draw(len(queries))  # of equally similar ones, as they are scored
    _, first = np.unique(index.labels[queries], return_index=True)
    features = index.features[queries]
    listed = []
    for i in first:
        cosines = similarity(features, features[i])
        cosines[i] = -np.inf  # the query itself
        ranks = np.argsort(-cosines[order], kind="stable")[: min(10, len(queries) - 1)]
        listed.append(
            {
                "query": index.paths[queries[i]],
                "class": index.classes[index.labels[queries[i]]],
                "results": [
                    {
                        "path": index.paths[queries[j]],
                        "similarity": round(float(cosines[j]), 4),
                        "hit": bool(index.labels[queries[j]] == index.labels[queries[i]]),
                    }
                    for j in order[ranks]
                ],
            }
        )
    return listed


def _check(device: str) -> None:
    import torch

    try:
        torch.empty(1, device=device).cpu()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = re.split(r"[.\n]", str(error))[0]
        raise Stop(
            f"device {device}: {reason}", hint="cpu, or cuda where PyTorch has it"
        ) from error


def _load(index: str) -> "Index":
    from jpegcrypt.retrieval.index import Index

    with _stop():
        return Index.load(index)


def _files(data: tuple[str, ...]) -> "LabelledFiles":
    """Return a labelled folder, or files and folders whose classes nobody knows."""
    from jpegcrypt.retrieval.folders import NoClasses, read_files, read_folder

    if len(data) == 1 and (os.path.isdir(data[0]) or data[0].lower().endswith(".csv")):
        with _stop():
            try:
                return read_folder(data[0])
            except NoClasses as error:
                say(f"warning: {error}; embedded without classes")
    return read_files(data)


def report(skipped: list["Skipped"]) -> None:
    """Say which files were left out, and why."""
    for one in skipped[:_LISTED]:
        say(f"{one.path}: {one.reason}")
    if len(skipped) > _LISTED:
        say(f"... and {len(skipped) - _LISTED} more")
