"""A training in several processes, whole and cut off, as `retrieval/test_train.py` starts it."""

import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from accelerate.state import PartialState
from retrieval.test_train import CONFIG, RECIPE, SPLIT, CutOff, four_classes

from jpegcrypt.retrieval import checkpoint
from jpegcrypt.retrieval.train import train


def main(folder: Path) -> None:
    recipe = replace(RECIPE, batch_classes=2)  # so that each process has two batches an epoch

    def run(name, **options):
        return train(
            folder / name, "vit", four_classes(), *SPLIT, recipe=recipe, config=CONFIG, **options
        )

    def stop(step) -> None:
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
