"""Search of encrypted pictures by content, installed as ``jpegcrypt.retrieval``.

This package reads cipher files as any server would: through ``jpegcrypt.codec``, without a key.
Importing it loads neither PyTorch nor any other dependency of the ``retrieval`` extra.

`encrypt_dataset`, which makes the files, needs a key. It belongs to the owner's side,
``jpegcrypt.dataset``, and is imported from there when the owner asks for it by name; nothing in
this package does.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jpegcrypt.dataset import encrypt_dataset

__all__ = ["encrypt_dataset"]


def __getattr__(name: str) -> object:
    """Hand over `encrypt_dataset` when it is first asked for."""
    if name in __all__:
        return getattr(import_module("jpegcrypt.dataset"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
