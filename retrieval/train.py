"""Training, from labelled arrays to a checkpoint: one loop for every model.

Whatever a step draws (batch, encryption, dropout) hangs on the seed and the number of the step
alone. So a run that was cut off goes on from its last checkpoint to the same weights, bit for bit,
as one that was not, on the same processor with as many threads. Kernels of GPUs do not promise it.
"""

import csv
import functools
import hashlib
import io
import json
import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import DistributedDataParallelKwargs

from jpegcrypt import atomic
from jpegcrypt.retrieval import checkpoint
from jpegcrypt.retrieval.arrays import PixelArrays, Skipped, load_coefficients, load_pixels
from jpegcrypt.retrieval.batches import Arrays, Batch, take
from jpegcrypt.retrieval.embed import NotFinite, features_of
from jpegcrypt.retrieval.folders import Indices, mark, read_folder
from jpegcrypt.retrieval.losses import total_loss
from jpegcrypt.retrieval.metrics import mean_average_precision
from jpegcrypt.retrieval.models import Network, create, describe, layout
from jpegcrypt.retrieval.recipe import Recipe
from jpegcrypt.retrieval.sampler import pk_batches

_HASHED = 1024  # pictures at a time


class Diverged(ArithmeticError):
    """The loss is no number any more: the run has stopped, its checkpoint is from before."""


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """Labelled pictures.

    Attributes
    ----------
    versions : sequence of PixelArrays or CoefficientArrays
        The same pictures, each time encrypted with other nonces: training draws from all, tests
        are on the first. One is enough.
    labels : int array (n,)
        Indices into `classes`.
    classes : list of str
    names : list of str
        (n,), as `folders.LabelledFiles` has them.
    """

    versions: Sequence[Arrays]
    labels: Indices
    classes: list[str]
    names: list[str]


def read_pictures(
    roots: Sequence[str | os.PathLike[str]],
    domain: Literal["pixels", "coefficients"],
    *,
    cipher_only: bool = True,
    cache: str | os.PathLike[str] | None = None,
) -> tuple[Pictures, list[Skipped]]:
    """Read labelled folders, each of them another encryption of the same pictures.

    Parameters
    ----------
    roots : sequence of paths
        As `read_folder` takes them; with pictures of the same names.
    domain : {"pixels", "coefficients"}
        Of the model.
    cipher_only, cache
        As for `load_pixels`.

    Returns
    -------
    pictures : Pictures
        Those that can be read in every folder.
    skipped : list of Skipped
        The others.

    Raises
    ------
    OSError, ValueError
        If the folders or the sizes of their pictures do not match, or nothing can be used.
    """
    load = load_pixels if domain == "pixels" else load_coefficients
    folders = [read_folder(root) for root in roots]
    first = folders[0]
    for root, folder in zip(roots, folders, strict=True):
        if (folder.classes, folder.names) != (first.classes, first.names):
            apart = min({*folder.names} ^ {*first.names}, default="")
            raise ValueError(
                f"{os.fspath(root)}: {len(folder)} pictures of {len(folder.classes)} classes, "
                f"expected the same pictures as in {os.fspath(roots[0])}, "
                f"which has {len(first)} of {len(first.classes)}"
                + (f"; {apart} is in one of them alone" if apart else "")
            )
        for name, label, other in zip(folder.names, folder.labels, first.labels, strict=True):
            if label != other:
                raise ValueError(
                    f"{os.fspath(root)}: {name} of class {folder.classes[label]}, "
                    f"expected {first.classes[other]} as in {os.fspath(roots[0])}"
                )
    versions: list[Arrays] = [
        load(folder.paths, cipher_only=cipher_only, cache=cache) for folder in folders
    ]
    for root, version in zip(roots, versions, strict=True):
        if _sizes(version) != _sizes(versions[0]):
            raise ValueError(
                f"{os.fspath(root)}: pictures of {_sizes(version)}, "
                f"expected {_sizes(versions[0])} as in {os.fspath(roots[0])}"
            )
    skipped = [one for version in versions for one in version.skipped]
    kept = functools.reduce(np.intersect1d, [version.kept for version in versions])
    if len(kept) == 0:
        raise ValueError("no picture can be used in every folder")
    versions = [
        _rows(version, np.searchsorted(version.kept, kept))
        if len(version.kept) > len(kept)
        else version
        for version in versions
    ]
    names = [first.names[i] for i in kept]
    return Pictures(versions, first.labels[kept], first.classes, names), skipped


def _sizes(arrays: Arrays) -> str:
    sizes = layout(arrays)
    if not isinstance(arrays, PixelArrays):
        sizes["blocks"] = len(arrays.component)
    return ", ".join(f"{name} {size}" for name, size in sizes.items())


def _rows(arrays: Arrays, rows: Indices) -> Arrays:
    levels, kept = arrays.levels[rows], arrays.kept[rows]
    if isinstance(arrays, PixelArrays):
        return replace(arrays, pixels=arrays.pixels[rows], levels=levels, kept=kept)
    coefficients, steps = arrays.coefficients[rows], arrays.steps[rows]
    return replace(arrays, coefficients=coefficients, steps=steps, levels=levels, kept=kept)


@dataclass(frozen=True, slots=True)
class Step:
    """What a step tells who watches: its number of so many, the loss, the last mAP if any."""

    number: int
    total: int
    epoch: int
    loss: float
    mean_average_precision: float | None


def train(
    path: str | os.PathLike[str],
    model: str,
    pictures: Pictures,
    train: Indices,
    test: Indices,
    *,
    recipe: Recipe,
    config: dict[str, Any] | None = None,
    resume: bool = False,
    evaluate_every: int = 5,
    save_every: float = 60.0,
    watch: Callable[[Step], None] | None = None,
) -> Network:
    """Train a model and write it to a file.

    Parameters
    ----------
    path : path
        The checkpoint, written anew as training goes on; the log, a row for each epoch, stands
        beside it with ``.csv`` behind the whole name.
    model : str
        A name that `create` knows.
    pictures : Pictures
    train, test : intp arrays
        Which of them to learn from, and which to measure mAP on. Classes without a picture in
        `train` get no logit.
    recipe : Recipe
    config : dict, optional
        Fields of the model's configuration, besides `classes`.
    resume : bool
        Go on where the checkpoint stopped, if there is one. It must be of the same training; with
        the schedule "steps" the epochs may differ, as long as it has not come to its end.
    evaluate_every : int
        Epochs between measurements of mAP, rule "full"; the last epoch is always measured.
    save_every : float
        Seconds between checkpoints; one is written after every epoch anyway.
    watch : callable, optional
        Called after each step, and after each epoch with its mean loss.

    Returns
    -------
    Network
        Trained, in evaluation mode, on the CPU.

    Raises
    ------
    OSError
        FileExistsError if there is a checkpoint and `resume` is false, or a log and no checkpoint.
    ValueError
        If the checkpoint is of another training or past the last epoch, there are fewer than two
        classes, or the model takes other pictures.
    Diverged
        If the loss is not finite.
    """
    known, targets = np.unique(pictures.labels[train], return_inverse=True)
    classes = [pictures.classes[label] for label in known]
    skips = bool((config or {}).get("stochastic_depth"))  # blocks, whose weights then get no step
    accelerator = Accelerator(
        mixed_precision="no",  # `recipe.precision` alone decides, not the environment
        kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=skips)],
    )
    batches = _Batches(targets, recipe, accelerator.process_index, accelerator.num_processes)
    state: dict[str, Any] = {
        "recipe": json.loads(json.dumps(asdict(recipe))),
        "data": _digest(pictures, train, test, accelerator.num_processes),
        "learned": [mark(pictures.names[i]) for i in train],
        "step": 0,
        "losses": [],
        "seconds": 0.0,
        "history": [],
    }
    own = accelerator.device
    with torch.random.fork_rng([own] if own.type == "cuda" else []):
        torch.manual_seed(recipe.seed)
        network = create(model, classes=len(classes), **(config or {}))
        for version in pictures.versions:
            network.check(version)
        kept = _resume(path, network, state) if resume else None
        if kept is None:
            atomic.check(path, overwrite=False)
            atomic.check(_log(path), overwrite=False)
        else:
            state = kept.training | {"recipe": state["recipe"]}
            network.load_state_dict(kept.network.state_dict())
        rate = recipe.learning_rate
        optimizer = torch.optim.AdamW(network.parameters(), rate, weight_decay=recipe.weight_decay)
        if kept is not None and kept.optimizer:
            groups = optimizer.state_dict()["param_groups"]
            optimizer.load_state_dict({"state": kept.optimizer, "param_groups": groups})
        learner, stepper = accelerator.prepare(network, optimizer)

        def save(*, finished: bool = False) -> None:
            if accelerator.is_main_process:
                checkpoint.save(path, network, classes, state, None if finished else optimizer)
                _write_log(path, state["history"])

        total = recipe.epochs * batches.per_epoch
        if kept is not None:
            _check_end(path, kept, total, batches.per_epoch)
        clock = time.monotonic() - state["seconds"]
        saved = time.monotonic()

        def measured() -> dict[str, float]:
            if not len(test):
                return {}
            try:
                features = features_of(network, pictures.versions[0], test, accelerator.device)
            except NotFinite as error:
                raise Diverged(f"{error}; try a lower rate or a longer warm-up") from error
            return {"mAP": mean_average_precision(features, pictures.labels[test])}

        begun = state["step"] - 1 if state["losses"] else state["step"]  # of an epoch without row
        for epoch in range(begun // batches.per_epoch, recipe.epochs):
            for picked in batches.of(epoch)[state["step"] - epoch * batches.per_epoch :]:
                number = state["step"]
                draw = np.random.default_rng([recipe.seed, number, accelerator.process_index])
                torch.manual_seed(int(draw.integers(2**63)))
                version = pictures.versions[int(draw.integers(len(pictures.versions)))]
                for group in stepper.param_groups:
                    group["lr"] = recipe.rate(number / batches.per_epoch)
                loss, norm = _step(
                    learner,
                    stepper,
                    accelerator,
                    take(version, train[picked], accelerator.device),
                    torch.from_numpy(targets[picked]).to(accelerator.device),
                    recipe,
                )
                if not math.isfinite(norm):
                    what = "gradient" if math.isfinite(loss) else "loss"
                    raise Diverged(
                        f"the {what} is {norm} at step {number + 1} of {total}, epoch {epoch + 1}, "
                        f"with learning rate {recipe.rate(number / batches.per_epoch):.2g} in "
                        f"{recipe.precision}; try a lower rate, a longer warm-up or float32"
                    )
                state["step"] += 1
                state["losses"].append(loss)
                state["seconds"] = time.monotonic() - clock
                if watch:
                    watch(Step(number + 1, total, epoch, loss, _last_map(state["history"])))
                if time.monotonic() - saved >= save_every:
                    save()
                    saved = time.monotonic()
            row = {
                "epoch": epoch + 1,
                "loss": float(np.mean(state["losses"])),
                "learning_rate": recipe.rate((state["step"] - 1) / batches.per_epoch),
            }
            if (epoch + 1) % evaluate_every == 0 or epoch + 1 == recipe.epochs:
                row |= measured()
            state["seconds"] = time.monotonic() - clock
            state["history"].append(row | {"seconds": round(state["seconds"], 1)})
            state["losses"] = []
            if watch:
                watch(Step(state["step"], total, epoch, row["loss"], _last_map(state["history"])))
            save(finished=epoch + 1 == recipe.epochs)
        if kept is not None and kept.optimizer and begun == total:  # it was to go on
            if "mAP" not in state["history"][-1]:
                state["history"][-1] |= measured()
            save(finished=True)
        elif kept is not None and begun == total and accelerator.is_main_process:
            _write_log(path, state["history"])  # which a kill may have kept from being written
    return network.eval().cpu()


class _Batches:
    """The batches of each epoch, shared out among processes."""

    def __init__(self, targets: Indices, recipe: Recipe, process: int, processes: int) -> None:
        self.targets, self.recipe = targets, recipe
        self.process, self.processes = process, processes
        self.per_epoch = len(self.of(0))
        if not self.per_epoch:
            raise ValueError(f"not a batch for each of {processes} processes in an epoch")

    def of(self, epoch: int) -> list[Indices]:
        recipe = self.recipe
        batches = pk_batches(
            self.targets,
            classes=recipe.batch_classes,
            pictures=recipe.batch_pictures,
            seed=recipe.seed,
            epoch=epoch,
        )
        share = len(batches) // self.processes
        return batches[self.process * share : (self.process + 1) * share]


def _step(
    learner: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    accelerator: Accelerator,
    batch: Batch,
    labels: torch.Tensor,
    recipe: Recipe,
) -> tuple[float, float]:
    """Change the weights by one batch, unless that makes them no numbers.

    Returns
    -------
    loss, norm : float
        The norm of the gradient, of which NaN and infinity change nothing; the loss if that is.
    """
    learner.train()
    half = recipe.precision == "bf16"
    with torch.autocast(accelerator.device.type, torch.bfloat16, enabled=half):
        features, logits = learner(batch)
    loss = total_loss(features.float(), logits.float(), labels, recipe)
    value = loss.item()
    if not math.isfinite(value):
        return value, value
    optimizer.zero_grad()
    accelerator.backward(loss)
    norm = float(accelerator.clip_grad_norm_(learner.parameters(), recipe.clip_norm))
    if math.isfinite(norm):
        optimizer.step()
    return value, norm


def _digest(pictures: Pictures, train: Indices, test: Indices, processes: int) -> str:
    """Return what tells one data set and split from another, and one share of it."""
    digest = hashlib.blake2b(str([processes, pictures.classes]).encode(), digest_size=16)
    for part in (train, test, pictures.labels):
        digest.update(np.asarray(part, "<i8").tobytes())
    for version in pictures.versions:
        learned_from = version.pixels if isinstance(version, PixelArrays) else version.coefficients
        for i in range(0, len(learned_from), _HASHED):
            digest.update(np.ascontiguousarray(learned_from[i : i + _HASHED]).data)
        digest.update(np.ascontiguousarray(version.levels).data)
    return digest.hexdigest()


def _resume(
    path: str | os.PathLike[str], network: Network, state: dict[str, Any]
) -> checkpoint.Checkpoint | None:
    if not os.path.exists(path):
        return None
    kept = checkpoint.load(path)
    if state.keys() - kept.training.keys():
        raise ValueError(
            f"{os.fspath(path)}: a model without what its training goes on with; "
            "train into another file"
        )
    for what, here, there in (
        ("model", describe(network), describe(kept.network)),
        ("recipe", state["recipe"], kept.training["recipe"]),
        (
            "data, split or number of processes",
            {"digest": state["data"]},
            {"digest": kept.training["data"]},
        ),
    ):
        differing = [key for key in here | there if here.get(key) != there.get(key)]
        if what == "recipe" and state["recipe"]["schedule"] == "steps":
            differing = [key for key in differing if key != "epochs"]
        if differing:
            told = ", ".join(f"{k} {there.get(k)!r}, now {here.get(k)!r}" for k in differing)
            raise ValueError(
                f"{os.fspath(path)}: a checkpoint of another {what}: {told}; "
                "repeat its settings or train into another file"
            )
    return kept


def _check_end(
    path: str | os.PathLike[str], kept: checkpoint.Checkpoint, total: int, per_epoch: int
) -> None:
    """Refuse to go on behind an end, where the state of the optimizer is gone, or to go back."""
    step = kept.training["step"]
    if step > total or (step < total and not kept.optimizer and step):
        raise ValueError(
            f"{os.fspath(path)}: a checkpoint after {step / per_epoch:g} epochs"
            f"{'' if kept.optimizer else ', finished'}, expected one to end after "
            f"{total / per_epoch:g}; train into another file"
        )


def _last_map(history: list[dict[str, float]]) -> float | None:
    return next((row["mAP"] for row in reversed(history) if "mAP" in row), None)


def _write_log(path: str | os.PathLike[str], history: list[dict[str, float]]) -> None:
    text = io.StringIO()
    columns = ["epoch", "loss", "learning_rate", "mAP", "seconds"]
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    atomic.write(_log(path), text.getvalue().encode(), overwrite=True)


def _log(path: str | os.PathLike[str]) -> str:
    return f"{os.fspath(path)}.csv"
