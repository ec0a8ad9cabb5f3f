"""A model in a file: weights, what builds it again, and what its training goes on with.

One safetensors file, which holds tensors and text, and runs no code when it is read. The tensors
are those of the model, ``model.*``, and until training has ended those of the optimizer,
``optimizer.*``. The text under ``jpegcrypt`` is JSON: the model by name and configuration, the
names of the classes, and the state of the training.
"""

import hashlib
import json
import os
from dataclasses import dataclass
from typing import Any

import safetensors
import safetensors.torch
import torch

from jpegcrypt import atomic
from jpegcrypt.retrieval.models import Network, create, describe

_TEXT = "jpegcrypt"
_MODEL, _OPTIMIZER = "model.", "optimizer."


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a file holds.

    Attributes
    ----------
    network : Network
        In evaluation mode, on the CPU.
    classes : list of str
        What the logits stand for.
    training : dict
        Plain data, as `train` left it.
    optimizer : dict
        From the number of a parameter to its tensors; empty once training has ended.
    """

    network: Network
    classes: list[str]
    training: dict[str, Any]
    optimizer: dict[int, dict[str, torch.Tensor]]


def save(
    path: str | os.PathLike[str],
    network: Network,
    classes: list[str],
    training: dict[str, Any],
    optimizer: torch.optim.Optimizer | None = None,
) -> None:
    """Write a checkpoint, whole or not at all; one that is there is replaced.

    Parameters
    ----------
    training : dict
        Plain data.
    optimizer : Optimizer, optional
        Left out, the file is smaller and its training cannot go on.
    """
    tensors = {_MODEL + name: value for name, value in network.state_dict().items()}
    if optimizer is not None:
        for number, state in optimizer.state_dict()["state"].items():
            tensors |= {f"{_OPTIMIZER}{number}.{name}": value for name, value in state.items()}
    text = {"model": describe(network), "classes": classes, "training": training}
    data = safetensors.torch.save(
        {name: value.detach().cpu().contiguous() for name, value in tensors.items()},
        metadata={_TEXT: json.dumps(text)},
    )
    atomic.write(path, data, overwrite=True)


def load(path: str | os.PathLike[str]) -> Checkpoint:
    """Read a checkpoint.

    Raises
    ------
    OSError
        If it cannot be read.
    ValueError
        If it is no checkpoint, or of a model that is not here.
    """
    path = os.fspath(path)
    with open(path, "rb"):
        pass  # an OSError with the name: safetensors raises its own
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            text = json.loads((file.metadata() or {})[_TEXT])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        network = create(**text["model"])
        network.load_state_dict(
            {
                name.removeprefix(_MODEL): value
                for name, value in tensors.items()
                if name.startswith(_MODEL)
            }
        )
        optimizer: dict[int, dict[str, torch.Tensor]] = {}
        for name, value in tensors.items():
            if name.startswith(_OPTIMIZER):
                _, number, key = name.split(".")
                optimizer.setdefault(int(number), {})[key] = value
        training = dict(text["training"])
        if not all(isinstance(one, str) for one in training.get("learned", ())):
            raise TypeError("learned from something without a name")
        return Checkpoint(network.eval(), list(text["classes"]), training, optimizer)
    except Exception as error:  # whatever a file holds in place of what `save` wrote
        reason = str(error).partition("\n")[0]
        raise ValueError(
            f"{path}: not a model that jpegcrypt trained ({type(error).__name__}: {reason})"
        ) from error


def load_model(path: str | os.PathLike[str]) -> Network:
    """Read a model to use it: in evaluation mode, on the CPU.

    Raises
    ------
    OSError, ValueError
        As `load`.
    """
    return load(path).network


def identify(network: Network) -> str:
    """Return what tells a model from others: a hash of its configuration and weights, 32 digits."""
    digest = hashlib.blake2b(json.dumps(describe(network)).encode(), digest_size=16)
    for name, value in sorted(network.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
