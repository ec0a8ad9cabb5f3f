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

from jpegcrypt.retrieval.arrays import PixelArrays
from jpegcrypt.retrieval.batches import Arrays
from jpegcrypt.retrieval.recipe import Recipe

Output = tuple[torch.Tensor, torch.Tensor]  # features (n, features), logits (n, classes)


class Network(nn.Module):
    """What every model is: a configuration, and ``forward(batch) -> (features, logits)``.

    Attributes
    ----------
    domain : {"pixels", "coefficients"}
        What a batch is: `Pixels` or `Blocks`.
    optional : tuple of str
        Sizes in the configuration that may be 0, for none.
    chances : tuple of str
        Of what training leaves out, if the configuration has them.
    config : dataclass
        Everything that `create` needs to build the same model without its weights.

    Raises
    ------
    ValueError
        If a size is less than 1, a list of them empty, a part of the whole outside its range, or
        there are neither 1 nor 3 components.
    """

    domain: ClassVar[Literal["pixels", "coefficients"]]
    optional: ClassVar[tuple[str, ...]] = ()
    chances: ClassVar[tuple[str, ...]] = ("dropout", "input_dropout", "stochastic_depth")

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.config = config
        for name, kind in get_type_hints(type(config)).items():
            value = getattr(config, name)
            sizes = {int: (value,), tuple[int, ...]: value}.get(kind)
            if sizes is not None and min(sizes, default=0) < 1 and name not in self.optional:
                raise ValueError(f"{name} {value}, expected at least 1")
            if name in self.chances and not 0 <= value < 1:
                raise ValueError(f"{name} {value}, expected 0 to below 1")
            if name == "keep" and not 0 < value <= 1:
                raise ValueError(f"keep {value}, expected above 0 to 1")
        if getattr(config, "components", 3) not in (1, 3):
            raise ValueError(f"components {config.components}, expected 1 or 3")

    @property
    def name(self) -> str:
        """What `create` calls this model."""
        return type(self).__module__.rpartition(".")[2]

    def check(self, arrays: Arrays) -> None:
        """Refuse pictures of another size, or with another number of components.

        Raises
        ------
        ValueError
        """
        for name, found in layout(arrays).items():
            expected = getattr(self.config, name, found)
            if found != expected:
                raise ValueError(
                    f"pictures of {name} {found}, expected {expected} as the model {self.name} "
                    "was made for; use pictures like those that it learned from, or train another"
                )


def layout(arrays: Arrays) -> dict[str, int]:
    """Return the sizes of pictures that a configuration may name.

    Examples
    --------
    >>> import numpy as np
    >>> pixels = np.zeros((2, 48, 32, 3), np.uint8)
    >>> layout(PixelArrays(pixels, np.zeros((2, 3), np.uint8), np.arange(2), []))
    {'height': 48, 'width': 32}
    """
    if isinstance(arrays, PixelArrays):
        height, width = arrays.pixels.shape[1:3]
        return {"height": height, "width": width}
    return {"components": arrays.steps.shape[1]}


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
    fields = {k: tuple(v) if isinstance(v, list) else v for k, v in config.items()}  # as of JSON
    return find(name)(_module(name).Config(**fields))


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
