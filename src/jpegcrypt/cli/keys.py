"""Where the command takes its key from: a file, or a passphrase that the terminal is asked for."""

import functools
import getpass
import os
import threading
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from jpegcrypt.cli.terminal import Stop

if TYPE_CHECKING:
    from jpegcrypt import Key
    from jpegcrypt.header import Header

VARIABLE = "JPEGCRYPT_PASSPHRASE"


def key_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options ``--key`` and ``--passphrase``, as one argument `keys`."""

    @click.option("--key", "key_file", metavar="KEYFILE", help="Key made by `jpegcrypt keygen`.")
    @click.option(
        "--passphrase",
        is_flag=True,
        help=f"Ask for a passphrase instead, or take it from the variable {VARIABLE}.",
    )
    @functools.wraps(command)
    def with_keys(key_file: str | None, passphrase: bool, **options: Any) -> None:
        if (key_file is not None) == passphrase:
            found = "both --key and --passphrase" if passphrase else "no key"
            raise click.UsageError(f"{found}, expected --key KEYFILE or --passphrase")
        command(keys=Passphrase() if key_file is None else KeyFile(key_file), **options)

    return with_keys


class KeyFile:
    """The key in a file."""

    _key: "Key"

    def __init__(self, path: str) -> None:
        self.path = path

    def spare(self, target: str) -> None:
        """Refuse to write to the key file itself."""
        both = os.path.exists(target) and os.path.exists(self.path)
        if both and os.path.samefile(target, self.path):
            raise Stop(f"{target}: is the key file", hint="write to another file")

    def unlock(self, *, to_encrypt: bool) -> None:
        """Load the key."""
        from jpegcrypt.errors import KeyFileError
        from jpegcrypt.key import Key

        try:
            self._key = Key.load(self.path)
        except KeyFileError as error:
            hint = error.hint
            if isinstance(error.__cause__, FileNotFoundError):  # a new key decrypts nothing
                hint = f"jpegcrypt keygen {self.path} makes one" if to_encrypt else None
            raise Stop(str(error), hint=hint) from error

    def new(self) -> "Key":
        """Return the key to encrypt with."""
        return self._key

    def fit(self, header: "Header") -> bool:
        """Tell whether it is the key of a file."""
        return header.key_id == self._key.id

    def of(self, data: bytes, **limit: int) -> "Key":
        """Return the key to decrypt a file with; `limit` is that of `inspect`."""
        return self._key

    def doubt(self, data: bytes, **limit: int) -> str | None:
        """Say what may be wrong if it is not the key of a file."""
        from jpegcrypt.api import inspect

        salt = inspect(data, **limit).salt
        return "the file wants a passphrase: --passphrase" if salt else None


class Passphrase:
    """Keys from one passphrase: a fresh salt for what is encrypted, those of files to decrypt."""

    def __init__(self) -> None:
        self._text = ""
        self._keys: dict[bytes, Key] = {}
        self._salt = os.urandom(16)
        self._lock = threading.Lock()

    def spare(self, target: str) -> None:
        """Do nothing: there is no file to spare."""

    def unlock(self, *, to_encrypt: bool) -> None:
        """Take the passphrase from the environment, or ask, twice where a typo would be fatal."""
        text = os.environ.get(VARIABLE)
        if text == "":
            raise Stop(f"the variable {VARIABLE} is empty", hint="unset it to be asked")
        if text is None:
            text = _ask("passphrase: ")
            if to_encrypt and _ask("again: ") != text:
                raise Stop("the two passphrases differ")
        elif any("\ud800" <= c <= "\udfff" for c in text):  # what os.environ makes of other bytes
            raise Stop(f"the variable {VARIABLE} is not UTF-8", hint="unset it to be asked")
        self._text = text

    def new(self) -> "Key":
        """Return the key to encrypt with; all files of one run share its salt."""
        return self._derive(self._salt)

    def fit(self, header: "Header") -> bool:
        """Tell whether it is the passphrase of a file."""
        return header.salt is not None and header.key_id == self._derive(header.salt).id

    def of(self, data: bytes, **limit: int) -> "Key":
        """Return the key to decrypt a file with; `limit` is that of `inspect`."""
        from jpegcrypt.api import inspect
        from jpegcrypt.errors import WrongKey

        salt = inspect(data, **limit).salt
        if salt is None:
            raise WrongKey(
                "the file was encrypted with a key file, not with a passphrase",
                hint="give that file: --key KEYFILE",
            )
        return self._derive(salt)

    def doubt(self, data: bytes, **limit: int) -> str | None:
        """Say what may be wrong if it is not the key of a file."""
        return "the passphrase is mistyped, or that of other files"

    def _derive(self, salt: bytes) -> "Key":
        from jpegcrypt.key import Key

        with self._lock:  # Argon2 takes 64 MiB and most of a second: once for each salt
            if salt not in self._keys:
                self._keys[salt] = Key.from_passphrase(self._text, salt=salt)
            return self._keys[salt]


def _ask(prompt: str) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("error", getpass.GetPassWarning)
        try:
            text = getpass.getpass(prompt)
        except (getpass.GetPassWarning, EOFError):
            raise Stop(
                "no terminal to ask for the passphrase", hint=f"set the variable {VARIABLE}"
            ) from None
        except UnicodeDecodeError:
            raise Stop("the passphrase is not UTF-8") from None
    if not text:
        raise Stop("the passphrase is empty")
    return text
