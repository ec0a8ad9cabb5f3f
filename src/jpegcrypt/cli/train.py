"""The command `train`: settings from the command line, a progress bar, and what went wrong."""

import json
import math
import os
import sys
from collections.abc import Sequence
from concurrent.futures import BrokenExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin, get_type_hints

import numpy as np

from jpegcrypt import atomic
from jpegcrypt.cli.retrieval import enough_memory, report, retrieval_extra
from jpegcrypt.cli.terminal import INTERRUPTED, Stop, about, is_terminal, say

if TYPE_CHECKING:
    from jpegcrypt.retrieval.recipe import Recipe
    from jpegcrypt.retrieval.train import Step


def train(
    data: str,
    out: str,
    model: str,
    *,
    again: Sequence[str],
    split: str,
    split_seed: int,
    settings: Sequence[str],
    plain: bool,
    cache: str | None,
    resume: bool,
) -> None:
    """Train a model on labelled folders and write it to a file."""
    if os.path.lexists(out):
        if not resume:
            raise Stop(f"{out}: the file exists", hint="--resume goes on with it")
    elif os.path.lexists(f"{out}.csv"):
        raise Stop(f"{out}.csv: the file exists", hint=f"the log of {out} goes there: move it")
    with about(out):
        atomic.check(out, overwrite=True)
    with retrieval_extra():
        from jpegcrypt.retrieval import folders, models
        from jpegcrypt.retrieval import train as training
    if model not in models.names():
        raise Stop(f"no model {model}", hint=f"one of {', '.join(models.names())}")
    config, recipe = parse(settings, model)
    domain = models.find(model).domain
    try:
        pictures, skipped = training.read_pictures(
            [data, *again], domain, cipher_only=not plain, cache=cache
        )
    except ValueError as error:  # names the file itself
        raise Stop(str(error)) from error
    except (MemoryError, BrokenExecutor):  # of a process that reads pictures
        raise Stop(
            f"{data}: not enough memory for its pictures", hint="--cache keeps them on disk"
        ) from None
    report(skipped)
    if skipped:
        say(f"{len(skipped)} pictures left out")
    found = models.layout(pictures.versions[0])
    config = {k: v for k, v in found.items() if k in models.settings(model)} | config
    with about(data):
        if split == "all":
            learn, test = np.arange(len(pictures.labels)), np.arange(0)
        else:
            learn, test = folders.SPLITS[split](pictures.labels, seed=split_seed)
    classes = len(np.unique(pictures.labels[learn]))
    bar = _Bar()
    try:
        with bar, enough_memory():
            training.train(
                out,
                model,
                pictures,
                learn,
                test,
                recipe=recipe,
                config=config,
                resume=resume,
                watch=bar.show,
            )
    except FileExistsError as error:  # since it was looked for
        raise Stop(
            f"{error.filename or out}: the file exists", hint="train into another"
        ) from error
    except (training.Diverged, ValueError) as error:  # names the file where it is about one
        raise Stop(str(error)) from error
    except KeyboardInterrupt:
        raise Stop(
            "interrupted", hint="the same command with --resume goes on", code=INTERRUPTED
        ) from None
    done = "trained" if bar.moved else "already trained"
    say(f"{out}: {done} on {len(learn)} pictures of {classes} classes{bar.result}")


def parse(settings: Sequence[str], model: str) -> tuple[dict[str, Any], "Recipe"]:
    """Sort settings NAME=VALUE into the model's configuration and its recipe."""
    from jpegcrypt.retrieval import models

    recipe = models.recipe(model)
    for_recipe = get_type_hints(type(recipe))
    for_model = models.settings(model)
    chosen: dict[str, Any] = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        kind = for_model.get(name, for_recipe.get(name))
        if not equals or kind is None:
            known = ", ".join(sorted(for_recipe | for_model))
            raise Stop(
                f"no setting {setting!r} of {model}", hint=f"NAME=VALUE, NAME one of {known}"
            )
        chosen[name] = value(name, text, kind)
    config = {name: value for name, value in chosen.items() if name in for_model}
    try:
        return config, replace(recipe, **{k: v for k, v in chosen.items() if k not in for_model})
    except ValueError as error:
        raise Stop(str(error), hint="--set changes it") from error


def value(name: str, text: str, kind: Any) -> Any:
    """Read the value of a setting, of a type as annotations have it; numbers are not negative."""
    if get_origin(kind) is Literal:
        if text in get_args(kind):
            return text
        raise Stop(f"{name} {text!r}, expected one of {', '.join(get_args(kind))}")
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if kind is bool and isinstance(found, bool):
        return found
    numbers = found if isinstance(found, list) else [found]
    types: tuple[type, ...] = (int, float) if kind is float else (int,)
    end = math.inf if kind is float else 2**31
    if kind is not bool and all(type(one) in types and 0 <= one < end for one in numbers):
        if get_origin(kind) is tuple:
            return tuple(numbers)
        if numbers == [found]:
            return found
    expected = {
        bool: "true or false", int: "a whole number from 0", float: "a number from 0"
    }  # fmt: skip
    raise Stop(f"{name} {text!r}, expected {expected.get(kind, 'whole numbers, such as [40,60]')}")


class _Bar:
    """Progress on a terminal: epoch, loss, mAP and the time left; nothing anywhere else."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self._progress = Progress(
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(),
            TextColumn("{task.completed}/{task.total}"),
            TextColumn("loss {task.fields[loss]:.3f}{task.fields[found]}"),
            TimeRemainingColumn(),
            console=Console(file=sys.stderr),
            disable=not is_terminal(sys.stderr),
        )
        self._task = self._progress.add_task("", total=None, epoch=0, loss=float("nan"), found="")
        self.result = ""
        self.moved = False

    def __enter__(self) -> None:
        self._progress.start()

    def __exit__(self, *error: object) -> None:
        self._progress.stop()

    def show(self, step: "Step") -> None:
        """Show where training is."""
        self.moved = True
        if step.mean_average_precision is not None and math.isfinite(step.mean_average_precision):
            self.result = f", mAP {step.mean_average_precision:.4f}"
        self._progress.update(
            self._task,
            completed=step.number,
            total=step.total,
            epoch=step.epoch + 1,
            loss=step.loss,
            found=self.result,
        )
