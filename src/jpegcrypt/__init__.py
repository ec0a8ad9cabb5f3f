"""Encrypt a photo into an ordinary JPEG, and get it back.

Start with `Key.generate`, `encrypt_file` and `decrypt_file`; `encrypt` and `decrypt` do the same in
memory. `write` is a drop-in JPEG writer with Pillow's keywords. What the encryption does not hide
is told in ``docs/threat_model.md``.

Files written by a released version open in every later one.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jpegcrypt.api import (
        CipherInfo,
        decode,
        decrypt,
        encode,
        encrypt,
        inspect,
        open_encrypted,
        write,
    )
    from jpegcrypt.batch import BatchResult, decrypt_many, encrypt_many
    from jpegcrypt.codec.coefficients import Coefficients, read_coefficients
    from jpegcrypt.errors import (
        FixedKeyWarning,
        FormerJpegWarning,
        ImageTooLarge,
        JpegcryptError,
        JpegError,
        KeyFileError,
        MalformedJpeg,
        MetadataWarning,
        NotEncrypted,
        TamperedFile,
        UnreadableImage,
        UnsupportedJpeg,
        WrongKey,
    )
    from jpegcrypt.files import decrypt_file, encrypt_file
    from jpegcrypt.key import Key
    from jpegcrypt.metadata import Metadata

    __version__: str

__all__ = [
    "BatchResult",
    "CipherInfo",
    "Coefficients",
    "FixedKeyWarning",
    "FormerJpegWarning",
    "ImageTooLarge",
    "JpegError",
    "JpegcryptError",
    "Key",
    "KeyFileError",
    "MalformedJpeg",
    "Metadata",
    "MetadataWarning",
    "NotEncrypted",
    "TamperedFile",
    "UnreadableImage",
    "UnsupportedJpeg",
    "WrongKey",
    "decode",
    "decrypt",
    "decrypt_file",
    "decrypt_many",
    "encode",
    "encrypt",
    "encrypt_file",
    "encrypt_many",
    "inspect",
    "open_encrypted",
    "read_coefficients",
    "write",
]

_HOMES = ("errors", "key", "metadata", "codec.coefficients", "api", "files", "batch")


def _import(name: str) -> object:
    """Import a public name when it is first used: ``jpegcrypt --help`` does not wait for NumPy."""
    if name in __all__:
        for home in _HOMES:
            module = import_module(f"jpegcrypt.{home}")
            if hasattr(module, name):
                return globals().setdefault(name, getattr(module, name))
    if name == "__version__":
        return globals().setdefault(name, import_module("importlib.metadata").version("jpegcrypt"))
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


if not TYPE_CHECKING:  # type checkers are to know a wrong name from a right one
    __getattr__ = _import


def __dir__() -> list[str]:
    return sorted(globals().keys() | {*__all__, "__version__"})
