"""Search encrypted pictures without the key, as the last step of the demo.

Parts of the photographs inside the scikit-image wheel, each photograph a class, are encrypted with
``demo.key``, a fresh nonce each. The server's half sees nothing but those files: it learns from
some and searches among the others. ``search.png`` shows what it found, as the server sees it and
with the key. It takes PyTorch; where that is missing, this says how to get it.
"""

import argparse
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image
from rich.console import Console

sys.path.insert(0, str(Path(__file__).parents[1]))

import jpegcrypt
from benchmarks.contact_sheet import Strip, contact_sheet, thumbnail
from benchmarks.demo import OUT, demo_key, home
from benchmarks.photographs import FULL_FRAME, labelled_crops
from jpegcrypt.dataset import encrypt_dataset
from jpegcrypt.retrieval.folders import read_folder, stratified

PER_CLASS = 20
EPOCHS = 6
SIZES = {"words": 32, "chroma_words": 16, "hidden": 64, "features": 32}  # for a few pictures
SHOWN = ("chelsea", "rocket")  # classes with a query on the sheet
K = 5
MISSING = (
    "search left out: it takes {name}, which is not installed; "
    "`make demo-search` installs PyTorch and shows it"
)


@dataclass(frozen=True)
class Found:
    """A query, and the files that are most similar, with cosines."""

    query: Path
    results: list[tuple[Path, float]]


def server(cipher: Path, model: Path, epochs: int) -> tuple[list[Found], float, float]:
    """Learn and search, without a key: what was found for SHOWN, mAP, and mAP by chance."""
    import torch

    from jpegcrypt.retrieval.embed import make_index
    from jpegcrypt.retrieval.models import recipe
    from jpegcrypt.retrieval.train import read_pictures, train

    torch.set_num_threads(1)  # so small a model gains nothing from more
    files = read_folder(cipher)
    known, others = stratified(files.labels)
    pictures, _ = read_pictures([cipher], "coefficients")
    short = replace(recipe("block_set"), epochs=epochs, warmup=1, batch_pictures=5)
    train(model, "block_set", pictures, known, others, recipe=short, config=SIZES)

    index, _ = make_index(model, files.take(others))
    found = []
    for name in SHOWN:
        query = index.labels.tolist().index(index.classes.index(name))
        similarity, places = index.search(index.features[[query]], K + 1)
        pairs = zip(places[0].tolist(), similarity[0].tolist(), strict=True)
        others_found = [(Path(index.paths[i]), cosine) for i, cosine in pairs if i != query]
        found.append(Found(Path(index.paths[query]), others_found[:K]))
    score = index.evaluate(*index.split())["test"]["full"]
    return found, score.mean, score.chance


def sheet(found: list[Found], key: jpegcrypt.Key) -> Image.Image:
    """Return two rows a query: what the server sees, and the same with the key."""
    strips = []
    for one in found:
        paths = [one.query, *(path for path, _ in one.results)]
        data = [path.read_bytes() for path in paths]
        cosines = ["", *(f"cosine {cosine:.3f}" for _, cosine in one.results)]
        seen = [thumbnail(Image.fromarray(jpegcrypt.decode(d))) for d in data]
        plain = [thumbnail(Image.fromarray(jpegcrypt.decrypt(d, key))) for d in data]
        strips.append(Strip(seen, [("what the server sees", cosine) for cosine in cosines]))
        strips.append(Strip(plain, [("decrypted", path.parent.name) for path in paths]))
    headings = ("query", *(f"found {rank}" for rank in range(1, K + 1)))
    footer = ["Found among encrypted pictures, by a server without the key."]
    return contact_sheet(headings, strips, footer)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--out", type=home, default=OUT, help="where the picture goes (%(default)s)"
    )
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="of training (%(default)s)")
    options = parser.parse_args(arguments)
    console = Console(stderr=False)
    start = time.perf_counter()
    options.out.mkdir(parents=True, exist_ok=True)
    key = demo_key(options.out / "demo.key")
    with tempfile.TemporaryDirectory() as folder:
        plain, cipher = Path(folder, "plain"), Path(folder, "cipher")
        labelled_crops(plain, per_class=PER_CLASS)
        encrypt_dataset(plain, cipher, key)
        try:
            found, mean, chance = server(cipher, Path(folder, "model"), options.epochs)
        except ModuleNotFoundError as error:
            if error.name not in {"torch", "accelerate", "safetensors", "joblib"}:
                raise
            console.print(MISSING.format(name=error.name), soft_wrap=True)
            return 0
        path = options.out / "search.png"
        sheet(found, key).save(path, optimize=True)
    console.print(
        f"search without the key, {PER_CLASS * len(FULL_FRAME)} pictures of {len(FULL_FRAME)} "
        f"photographs: mAP {mean:.2f}, by chance {chance:.2f}, "
        f"{time.perf_counter() - start:.0f} s",
        soft_wrap=True,
    )
    console.print(f"query and top {K}: {path}", soft_wrap=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
