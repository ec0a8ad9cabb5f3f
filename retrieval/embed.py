"""Files through a model: one feature a picture."""

import math
import os
import tempfile
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from jpegcrypt.retrieval import metrics
from jpegcrypt.retrieval.arrays import PixelArrays, Skipped, load_coefficients, load_pixels
from jpegcrypt.retrieval.batches import Arrays, take
from jpegcrypt.retrieval.checkpoint import identify, load
from jpegcrypt.retrieval.folders import Indices, LabelledFiles, mark
from jpegcrypt.retrieval.index import Features, Index
from jpegcrypt.retrieval.models import Network

BATCH = 20  # pictures at a time: what a layer makes of them stays in a processor's cache
GPU_BATCH = 200
VALUES = 1 << 23  # samples or coefficients at a time: models take some 50 bytes for each


class NotFinite(ValueError):
    """Features that are no numbers: the training of the model went wrong."""


class Embedded(NamedTuple):
    """Features of files.

    Attributes
    ----------
    features : float32 array (n, d)
        Of length 1.
    kept : intp array (n,)
        Which of the files each row is.
    skipped : list of Skipped
        The others.
    """

    features: Features
    kept: Indices
    skipped: list[Skipped]


def embed(
    network: Network,
    files: Sequence[str | os.PathLike[str]],
    *,
    cipher_only: bool = True,
    device: torch.device | str = "cpu",
) -> Embedded:
    """Return the features of pictures of one size.

    Parameters
    ----------
    network : Network
        From `checkpoint.load_model`.
    files : sequence of paths
    cipher_only : bool
        Leave out what carries no jpegcrypt header.
    device : device
        Where the model is to run.

    Raises
    ------
    ValueError
        If no file can be used, or the model takes pictures of another size; NotFinite if it gives
        no numbers.
    """
    # On disk for the while: a large archive does not fit into memory.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as cache:
        read = load_pixels if network.domain == "pixels" else load_coefficients
        arrays: Arrays = read(files, cipher_only=cipher_only, cache=cache)
        features = features_of(network, arrays, np.arange(len(arrays.kept)), device)
        kept, skipped = arrays.kept, arrays.skipped
        del arrays
    return Embedded(metrics.unit(features).astype(np.float32), kept, skipped)


def features_of(
    network: Network, arrays: Arrays, indices: Indices, device: torch.device | str = "cpu"
) -> Features:
    """Return the features of some pictures, float32 (n, d), as the model gives them.

    Raises
    ------
    ValueError
        If the model takes pictures of another size; NotFinite if it gives no numbers.
    """
    network.check(arrays)
    network = network.to(device).eval()
    batch = _batch(arrays, device)
    with torch.inference_mode():
        features = [
            network(take(arrays, indices[i : i + batch], device))[0].float().cpu()
            for i in range(0, len(indices), batch)
        ]
    found: Features = torch.cat(features).numpy()
    if not np.isfinite(found).all():
        raise NotFinite(f"the model {network.name} gives features that are no numbers")
    return found


def _batch(arrays: Arrays, device: torch.device | str) -> int:
    most = BATCH if torch.device(device).type == "cpu" else GPU_BATCH
    pictures = arrays.pixels if isinstance(arrays, PixelArrays) else arrays.coefficients
    return min(most, max(1, VALUES // math.prod(pictures.shape[1:])))


def make_index(
    model: str | os.PathLike[str],
    files: LabelledFiles,
    *,
    cipher_only: bool = True,
    device: torch.device | str = "cpu",
) -> tuple[Index, list[Skipped]]:
    """Embed files with the model in a file.

    Parameters
    ----------
    files : LabelledFiles
        Labels of -1 and no classes where nobody knows.

    Returns
    -------
    index : Index
    skipped : list of Skipped

    Raises
    ------
    OSError, ValueError
    """
    kept = load(model)
    told = "learned" in kept.training
    known = set(kept.training.get("learned", ()))
    found = embed(kept.network, files.paths, cipher_only=cipher_only, device=device)
    used = files.take(found.kept)
    index = Index(
        found.features,
        [os.fspath(path) for path in used.paths],
        used.labels,
        used.classes,
        np.array([not told or mark(name) in known for name in used.names], bool),
        identify(kept.network),
    )
    return index, found.skipped
