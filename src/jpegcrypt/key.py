"""The master key: made, stored as a small text file, and turned into one key per image and use.

::

    secret (32 bytes) ── HKDF-Extract, salt = nonce of the image ──> prk
    prk ── HKDF-Expand, info = "jpegcrypt/1 " + label ──> a 32-byte key per component, tag, ...

HKDF is RFC 5869 with SHA-256. Secrets live in buffers that are wiped when they are dropped; copies
that Python or the cryptographic library make on the way are out of reach.
"""

import base64
import codecs
import hashlib
import hmac
import os
import secrets
import unicodedata
import warnings
from datetime import UTC, datetime
from typing import Any, NoReturn, Self

import numpy as np
import numpy.typing as npt
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

from jpegcrypt import atomic
from jpegcrypt.errors import KeyFileError

KEY_SIZE = 32
KEY_ID_SIZE = 8
NONCE_SIZE = 16
SALT_SIZE = 16

_FILE_LIMIT = 64 * 1024
_FILE_PREFIX = b"JPEGCRYPT-KEY-1"  # "1" ends it: base32 has no such digit
_FILE_CHECKSUM = b"jpegcrypt key file 1"
_FILE_HINT = "a key file holds one line that starts with JPEGCRYPT-KEY-1, and # comments"

_SHA256 = hashes.SHA256()


def _extract(salt: bytes, secret: bytes | bytearray) -> bytes:
    return HKDF.extract(_SHA256, salt, secret)


def _expand(prk: bytes | bytearray, info: bytes) -> bytes:
    return HKDFExpand(_SHA256, KEY_SIZE, info).derive(prk)


def _refuse_copy(self: object, protocol: Any) -> NoReturn:
    raise TypeError(f"{type(self).__name__} holds key material: it cannot be pickled or copied")


class _Secret(bytearray):
    """Key material: hidden from repr and str, never pickled or copied, wiped when dropped."""

    def __repr__(self) -> str:
        return "<secret>"

    def __del__(self) -> None:
        self[:] = bytes(len(self))

    __str__ = __repr__
    __reduce_ex__ = _refuse_copy


class Key:
    """A 32-byte master key.

    Keys compare in constant time, hash by their public `id`, and cannot be pickled or copied.
    Neither `repr` nor any error shows the secret.

    Parameters
    ----------
    secret : bytes or bytearray
        Exactly 32 bytes from a cryptographic source. Most users want `generate` or `load`.
    salt : bytes, optional
        The 16 bytes that `from_passphrase` used, to be written beside the image.

    Raises
    ------
    TypeError, ValueError
        If `secret` or `salt` has another type or length.

    Examples
    --------
    >>> Key(bytes(32))
    <Key id=61fd5d007203a81d>
    >>> Key.generate() == Key.generate()
    False
    """

    __slots__ = ("_id", "_salt", "_secret")

    def __init__(self, secret: bytes | bytearray, *, salt: bytes | None = None) -> None:
        _check_size("secret", secret, KEY_SIZE)
        if salt is not None:
            _check_size("salt", salt, SALT_SIZE)
        self._secret = _Secret(secret)
        self._salt = salt
        label = _expand(self._secret, b"jpegcrypt/1 key id")
        self._id = hashlib.sha256(label).digest()[:KEY_ID_SIZE]

    @classmethod
    def generate(cls) -> Self:
        """Make a fresh random key.

        Examples
        --------
        >>> key = Key.generate()
        """
        return cls(secrets.token_bytes(KEY_SIZE))

    @classmethod
    def from_passphrase(cls, text: str, *, salt: bytes) -> Self:
        """Derive a key from a passphrase with Argon2id (64 MiB, 3 passes, 4 lanes).

        Parameters
        ----------
        text : str
            Not empty. Normalized (NFC) first, so that it can be typed on any keyboard.
        salt : bytes
            Exactly 16 random bytes, kept as `salt`: not secret, but needed again.

        Examples
        --------
        >>> Key.from_passphrase("correct horse battery staple", salt=bytes(16))
        <Key id=6a87a560c25c011e>
        """
        if not isinstance(text, str):
            raise TypeError(f"a passphrase is a str, got {type(text).__name__}")
        _check_size("salt", salt, SALT_SIZE)
        try:
            passphrase = unicodedata.normalize("NFC", text).encode()
        except UnicodeEncodeError:
            passphrase = b""  # raised below instead: this error carries the passphrase
        if not passphrase:
            raise ValueError("a passphrase is not empty and has no lone surrogates")
        argon2 = Argon2id(salt=salt, length=KEY_SIZE, iterations=3, lanes=4, memory_cost=64 * 1024)
        return cls(argon2.derive(passphrase), salt=salt)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a key from a text file.

        Warns if other users can open the file (POSIX only).

        Raises
        ------
        KeyFileError
            If the file cannot be read or does not hold exactly one intact key.

        Examples
        --------
        >>> try:
        ...     Key.load("missing.key")
        ... except KeyFileError as error:
        ...     print(error.hint)
        make a key with Key.generate() and keep it with its save()
        """
        path = os.fspath(path)
        if _FILE_PREFIX in os.fsencode(path):
            raise KeyFileError(
                "found a key, expected the name of its file",
                hint="whoever saw this line has the key: make another one",
            )
        try:
            with open(path, "rb") as file:
                mode = os.fstat(file.fileno()).st_mode
                text = file.read(_FILE_LIMIT + 1)
        except OSError as error:
            raise KeyFileError(
                f"failed to read key file {path}: {error.strerror}",
                hint="make a key with Key.generate() and keep it with its save()"
                if isinstance(error, FileNotFoundError)
                else None,
            ) from error
        key = cls(_find_key(text, path))
        if os.name == "posix" and mode & 0o077:
            warnings.warn(
                f"key file {path} is open to other users (mode {mode & 0o777:04o}): chmod 600 it",
                stacklevel=2,
            )
        return key

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the key to a new text file that only its owner can read (mode 0600).

        The salt of a passphrase is not saved.

        Raises
        ------
        KeyFileError
            If the file exists (a key is never overwritten) or cannot be written.

        Examples
        --------
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     key = Key.generate()
        ...     key.save(f"{folder}/album.key")
        ...     Key.load(f"{folder}/album.key") == key
        True
        """
        path = os.fspath(path)
        lines = (
            f"# jpegcrypt key {self.id.hex()}: whoever reads this file can decrypt".encode(),
            f"# created {datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}".encode(),
            _key_line(self._secret),
        )
        try:
            # O_EXCL refuses a symbolic link as well.
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            raise KeyFileError(
                f"failed to create key file {path}: {error.strerror}",
                hint="a key is never overwritten: choose another name"
                if isinstance(error, FileExistsError)
                else None,
            ) from error
        try:
            with open(descriptor, "wb") as file:
                file.write(b"\n".join(lines) + b"\n")
                file.flush()
                os.fsync(file.fileno())
            atomic.sync_folder(path)
        except BaseException as error:
            os.unlink(path)  # whole or not at all
            if not isinstance(error, OSError):
                raise
            raise KeyFileError(f"failed to write key file {path}: {error.strerror}") from error

    @property
    def id(self) -> bytes:
        """Public name of the key: 8 bytes that tell keys apart and tell nothing else."""
        return self._id

    @property
    def salt(self) -> bytes | None:
        """The 16 bytes given to `from_passphrase`; None for any other key."""
        return self._salt

    def derive(self, nonce: bytes) -> "ImageKeys":
        """Derive the keys of one image.

        Parameters
        ----------
        nonce : bytes
            Exactly 16 bytes, different for each image.

        Examples
        --------
        >>> keys = Key(bytes(32)).derive(bytes(16))
        >>> keys.expand("Y") == keys.expand("Cb")
        False
        """
        _check_size("nonce", nonce, NONCE_SIZE)
        return ImageKeys(_extract(nonce, self._secret))

    def content_nonce(self, image: npt.NDArray[np.uint8]) -> bytes:
        """Derive the nonce from the picture: the same pixels give the same 16 bytes.

        It is keyed: to confirm a guess at the picture takes the key, or somebody who encrypts the
        guess with it in this mode.

        Parameters
        ----------
        image : ndarray of uint8
            (H, W) or (H, W, 3), C- or otherwise strided.

        Examples
        --------
        >>> Key(bytes(32)).content_nonce(np.zeros((8, 8), np.uint8)).hex()
        '5850592ee7b8a74bd6f19760cdb72a3c'
        """
        if image.dtype != np.uint8:
            raise TypeError(f"an image is uint8, got {image.dtype}")
        image = image[:, :, None] if image.ndim == 2 else image
        mac = hmac.new(_expand(self._secret, b"jpegcrypt/1 content"), b"uint8", "sha256")
        mac.update(np.array([image.ndim, *image.shape], dtype="<u4").tobytes())
        mac.update(np.ascontiguousarray(image).reshape(-1).data)
        return mac.digest()[:NONCE_SIZE]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Key):
            return NotImplemented
        return hmac.compare_digest(self._secret, other._secret)

    def __hash__(self) -> int:
        return hash(self._id)

    def __repr__(self) -> str:
        return f"<Key id={self._id.hex()}>"

    __reduce_ex__ = _refuse_copy


class ImageKeys:
    """The keys of one image, expanded on demand from the key that `Key.derive` extracted.

    Examples
    --------
    >>> ImageKeys(bytes(32))
    <ImageKeys>
    """

    __slots__ = ("_prk",)

    def __init__(self, prk: bytes | bytearray) -> None:
        _check_size("prk", prk, KEY_SIZE)
        self._prk = _Secret(prk)

    def expand(self, label: str) -> bytes:
        """Return the 32-byte key for one use.

        Parameters
        ----------
        label : str
            "hash", "tag", "metadata", "metadata nonce", or as `schemes.lu2022` names a component.

        Examples
        --------
        >>> len(Key(bytes(32)).derive(bytes(16)).expand("tag"))
        32
        """
        return _expand(self._prk, b"jpegcrypt/1 " + label.encode("ascii"))

    def __repr__(self) -> str:
        return "<ImageKeys>"

    __reduce_ex__ = _refuse_copy


def _check_size(name: str, value: object, size: int) -> None:
    """Refuse what is not exactly `size` bytes, without showing it."""
    if not isinstance(value, bytes | bytearray):
        raise TypeError(f"{name} must be bytes, got {type(value).__name__}")
    if len(value) != size:
        raise ValueError(f"{name} must be exactly {size} bytes, got {len(value)}")


def _key_line(secret: bytes | bytearray) -> bytes:
    """The line of a key file: prefix, then base32 of the secret and 4 bytes of checksum."""
    checksum = hashlib.sha256(_FILE_CHECKSUM + secret).digest()[:4]
    return _FILE_PREFIX + base64.b32encode(secret + checksum).rstrip(b"=")


def _parse_key_line(line: bytes) -> bytes | None:
    """Undo `_key_line`; None unless the line is exactly what it writes."""
    digits = line.removeprefix(_FILE_PREFIX)
    try:
        secret = base64.b32decode(digits + b"=" * (-len(digits) % 8))[:KEY_SIZE]
    except ValueError:
        return None
    return secret if hmac.compare_digest(_key_line(secret), line) else None


def _find_key(text: bytes, path: str) -> bytes:
    """The secret in the text of a key file; errors name lines, never what stands on them."""
    if not text:
        raise KeyFileError(f"key file {path} is empty", hint=_FILE_HINT)
    if len(text) > _FILE_LIMIT:
        raise KeyFileError(f"key file {path} is larger than {_FILE_LIMIT} bytes", hint=_FILE_HINT)
    found: tuple[int, bytes] | None = None
    lines = text.removeprefix(codecs.BOM_UTF8).splitlines()
    for number, line in enumerate(map(bytes.strip, lines), start=1):
        if not line or line.startswith(b"#"):
            continue
        if not line.startswith(_FILE_PREFIX):
            raise KeyFileError(f"line {number} of key file {path} is not a key", hint=_FILE_HINT)
        if found is not None:
            raise KeyFileError(
                f"key file {path} holds two keys, on lines {found[0]} and {number}",
                hint="keep one key a file",
            )
        found = number, line
    if found is None:
        raise KeyFileError(f"key file {path} has no key line", hint=_FILE_HINT)
    secret = _parse_key_line(found[1])
    if secret is None:
        raise KeyFileError(
            f"the key on line {found[0]} of key file {path} is mistyped or cut: wrong checksum",
            hint="copy the whole line again from the original",
        )
    return secret
