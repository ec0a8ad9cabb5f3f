"""The networks, one file each: a decoded cipher file goes in, a feature for searching comes out.

A file ``name.py`` has the class ``Name``, its ``Config``, and ``RECIPE``, the training that goes
with it. ``create`` finds them by the name of the file: a new model is a new file, and nothing else.
"""

from dataclasses import asdict
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType
from typing import Any, ClassVar, Literal, get_type_hints

import torch
from torch import nn

from jpegcrypt.retrieval.recipe import Recipe

Output = tuple[torch.Tensor, torch.Tensor]  # features (n, features), logits (n, classes)


class Network(nn.Module):
    """What every model is: a configuration, and ``forward(batch) -> (features, logits)``.

    Attributes
    ----------
    domain : {"pixels", "coefficients"}
        What a batch is: `Pixels` or `Blocks`.
    config : dataclass
        Everything that `create` needs to build the same model without its weights.
    """

    domain: ClassVar[Literal["pixels", "coefficients"]]

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.config = config

    @property
    def name(self) -> str:
        """What `create` calls this model."""
        return type(self).__module__.rpartition(".")[2]


def names() -> list[str]:
    """Return the models there are.

    Examples
    --------
    >>> "gmlp" in names()
    True
    """
    return sorted(module.name for module in iter_modules(__path__))


def find(name: str) -> type[Network]:
    """Return the class of a model.

    Examples
    --------
    >>> find("block_set").domain
    'coefficients'
    """
    found: type[Network] = getattr(_module(name), name.title().replace("_", ""))
    return found


def settings(name: str) -> dict[str, Any]:
    """Return the fields of a model's configuration that may be chosen, with their types.

    Examples
    --------
    >>> settings("gmlp")["patch"], "classes" in settings("gmlp")
    (<class 'int'>, False)
    """
    types = get_type_hints(_module(name).Config)
    del types["classes"]
    return types


def create(name: str, **config: Any) -> Network:
    """Build a model with fresh weights, drawn from the global generator of PyTorch.

    Parameters
    ----------
    name : str
        One of `names`.
    **config
        Fields of the model's `Config`; `classes`, the size of the logits, is always needed.

    Raises
    ------
    ValueError
        If there is no such model, or the sizes do not go together.
    TypeError
        For a field that the model does not have.

    Examples
    --------
    >>> model = create("gmlp", classes=50, depth=2)
    >>> model.domain, model.config.features
    ('pixels', 128)
    """
    return find(name)(_module(name).Config(**config))


def recipe(name: str) -> Recipe:
    """Return the training that goes with a model.

    Examples
    --------
    >>> recipe("vit").epochs
    60
    """
    found: Recipe = _module(name).RECIPE
    return found


def describe(network: Network) -> dict[str, Any]:
    """Return name and configuration as plain data; ``create(**describe(network))`` is its twin."""
    return {"name": network.name, **asdict(network.config)}


def _module(name: str) -> ModuleType:
    if name not in names():
        raise ValueError(f"no model {name!r}, expected one of {', '.join(names())}")
    return import_module(f"{__name__}.{name}")
