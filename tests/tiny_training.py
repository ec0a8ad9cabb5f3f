"""A training of seconds, for tests; run as a program, in several processes, whole and cut off."""

import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from accelerate.state import PartialState

from jpegcrypt.retrieval import checkpoint
from jpegcrypt.retrieval.arrays import PixelArrays
from jpegcrypt.retrieval.recipe import Recipe
from jpegcrypt.retrieval.train import Pictures, Step, train

RECIPE = Recipe(
    epochs=3, batch_classes=3, batch_pictures=2, learning_rate=1e-3, warmup=1, milestones=(2,)
)
BATCHES = 3  # an epoch
CONFIG: dict[str, Any] = {
    "height": 16,
    "width": 16,
    "dimension": 8,
    "heads": 2,
    "mlp": 16,
    "depth": 1,
}
SPLIT = (np.flatnonzero(np.arange(24) % 3), np.flatnonzero(np.arange(24) % 3 == 0))


class CutOff(Exception):
    """Stands for whatever ends a process."""


def four_classes() -> Pictures:
    """Noise around a color for each of four classes, in two versions."""
    rng = np.random.default_rng(5)
    labels = np.repeat(np.arange(4), 6)
    colors = rng.integers(60, 200, (4, 3))[labels][:, None, None]
    versions = [
        PixelArrays(
            np.clip(colors + rng.normal(0, 20, (24, 16, 16, 3)), 0, 255).astype(np.uint8),
            np.full((24, 3), 128, np.uint8),
            np.arange(24),
            [],
        )
        for _ in range(2)
    ]
    names = [f"{'abcd'[label]}/{i}" for i, label in enumerate(labels)]
    return Pictures(versions, labels, ["a", "b", "c", "d"], names)


def main(folder: Path) -> None:
    recipe = replace(RECIPE, batch_classes=2)  # so that each of two processes has two batches

    def run(name: str, **options: Any) -> Any:
        return train(
            folder / name, "vit", four_classes(), *SPLIT, recipe=recipe, config=CONFIG, **options
        )

    def stop(step: Step) -> None:
        if step.number == 4:  # within the second epoch
            raise CutOff

    network = run("whole")
    first = PartialState().is_main_process
    if not first:
        checkpoint.save(folder / "other process", network, ["a", "b", "c", "d"], {}, None)
    with suppress(CutOff):
        run("resumed", watch=stop, save_every=0)
    if first:
        assert checkpoint.load(folder / "resumed").training["step"] == 3
    run("resumed", resume=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
