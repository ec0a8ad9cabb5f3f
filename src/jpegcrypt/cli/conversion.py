"""One direction of the command: what is done to a file, and how the result is named."""

import logging
import os
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, BinaryIO

from PIL import Image, UnidentifiedImageError

from jpegcrypt.cli.keys import KeyFile, Passphrase
from jpegcrypt.codec.parse import parse, signature
from jpegcrypt.errors import (
    JpegcryptError,
    MalformedJpeg,
    NotEncrypted,
    UnreadableImage,
    WrongKey,
)
from jpegcrypt.files import decrypt_picture, encrypt_picture
from jpegcrypt.header import MAGIC, SEGMENT_MARKER, Header, packed_size
from jpegcrypt.images import FORMATS, format_of_name

_HEAD = 16  # bytes that tell kinds of files apart
_HEADER_WITHIN = 1 << 18  # bytes, for segments that others put before it
_HEADER = re.compile(rb"\xff%c..(%s)" % (SEGMENT_MARKER, re.escape(MAGIC)), re.DOTALL)
_END_WITHIN = 1024
_STARTS = {
    "BMP": re.compile(rb"BM"),
    "JPEG": re.compile(rb"\xff\xd8"),
    "PNG": re.compile(rb"\x89PNG\r\n"),
    "PPM": re.compile(rb"P[56]"),
    "TIFF": re.compile(rb"II\*\0|MM\0\*"),
    "WEBP": re.compile(rb"RIFF....WEBP", re.DOTALL),
}
MADE_ANEW = "delete it, and the same command makes it anew"


@dataclass(frozen=True, slots=True)
class Conversion:
    """What `encrypt` and `decrypt` differ in.

    Attributes
    ----------
    verb : str
        What is done to a file, "encrypted" or "decrypted".
    unlock : callable
        Called once before the first `work`; may ask for a passphrase.
    sniff : callable
        Reads little of an open file, and raises what `work` would if that is of another kind.
    work : callable
        From the content of the one file to that of the other; called from several threads.
    rename : callable
        From the name of the one file to that of the other, without folders.
    is_foreign : callable
        Whether an error only says that a file of that name is no concern of ours.
    check_done : callable
        Raises if the file of that path is not what `work` may have made.
    checks_keys : bool
        Whether that wants the keys unlocked.
    """

    verb: str
    unlock: Callable[[], None]
    sniff: Callable[[BinaryIO], None]
    work: Callable[[bytes], bytes]
    rename: Callable[[str], str]
    is_foreign: Callable[[Exception, str], bool]
    check_done: Callable[[str], None]
    checks_keys: bool


def encryption(keys: KeyFile | Passphrase, options: dict[str, Any]) -> Conversion:
    """Encrypt with the options of `encrypt_picture`."""
    logging.getLogger("PIL").setLevel(logging.CRITICAL)  # what it logs as errors, it raises, too
    return Conversion(
        verb="encrypted",
        unlock=lambda: keys.unlock(to_encrypt=True),
        sniff=_sniff_picture,
        work=lambda data: encrypt_picture(data, keys.new(), **options),
        rename=cipher_name,
        is_foreign=lambda error, name: (
            isinstance(error, UnreadableImage)
            and error.format is None
            and (format_of_name(name) is None or _is_side_file(name))
        ),
        check_done=lambda path: _check_encrypted(path, keys),
        checks_keys=True,
    )


def _check_encrypted(path: str, keys: KeyFile | Passphrase) -> None:
    """Raise unless a file is encrypted with the key and has an end, as its rims tell."""
    with open(path, "rb") as file:
        head = file.read(_HEADER_WITHIN)
        file.seek(max(0, os.fstat(file.fileno()).st_size - _END_WITHIN))
        tail = file.read()
    found = _HEADER.search(head)
    if not found:
        raise NotEncrypted("is there, but is not encrypted", hint=MADE_ANEW)
    payload = head[found.start(1) :]
    header = Header.unpack(payload[: packed_size(payload)], offset=found.start(1))
    if not keys.fit(header):
        raise WrongKey(
            f"is there, but encrypted with the key {header.key_id.hex()}", hint=MADE_ANEW
        )
    if b"\xff\xd9" not in tail:  # EOI; others may add something behind
        raise MalformedJpeg("is there, but cut short", hint=MADE_ANEW)


def decryption(keys: KeyFile | Passphrase, suffix: str, *, max_pixels: int) -> Conversion:
    """Decrypt to the format of a suffix such as ``.png``; larger pictures are refused."""

    def work(data: bytes) -> bytes:
        try:
            key = keys.of(data, max_pixels=max_pixels)
            return decrypt_picture(data, key, FORMATS[suffix], max_pixels=max_pixels)
        except WrongKey as error:
            hint = error.hint or keys.doubt(data, max_pixels=max_pixels)
            raise WrongKey(str(error), hint=hint) from error

    return Conversion(
        verb="decrypted",
        unlock=lambda: keys.unlock(to_encrypt=False),
        sniff=_sniff_jpeg,
        work=work,
        rename=lambda name: plain_name(name, suffix),
        is_foreign=lambda error, name: (
            isinstance(error, MalformedJpeg)
            and error.offset == 0
            and (_format(name) != "JPEG" or _is_side_file(name))
        ),
        check_done=lambda path: _check_decrypted(path, FORMATS[suffix]),
        checks_keys=False,
    )


def _check_decrypted(path: str, format: str) -> None:
    """Raise unless a file is of a format, as its start tells, and not encrypted."""
    with open(path, "rb") as file:
        head = file.read(_HEADER_WITHIN if format == "JPEG" else _HEAD)
    if not _STARTS[format].match(head):
        raise JpegcryptError(
            f"is there, found {signature(head)}, expected a {format}", hint=MADE_ANEW
        )
    if format == "JPEG" and _HEADER.search(head):
        raise JpegcryptError("is there, but is encrypted", hint=MADE_ANEW)


def _is_side_file(name: str) -> bool:
    """Whether it is what macOS puts beside a file where it has no other place (AppleDouble)."""
    return os.path.basename(name).startswith("._")


def _sniff_picture(file: BinaryIO) -> None:
    Image.init()  # Pillow overlooks plugins that another thread is just importing
    try:
        Image.open(file)
    except UnidentifiedImageError as error:
        file.seek(0)
        raise UnreadableImage(
            f"found {signature(file.read(_HEAD))}, expected an image that Pillow reads"
        ) from error
    except Exception:  # a broken picture, or too large: the work will tell
        return


def _sniff_jpeg(file: BinaryIO) -> None:
    head = file.read(_HEAD)
    if not head.startswith(b"\xff\xd8"):
        parse(head)  # says what it is instead


@contextmanager
def limit_pixels(max_pixels: int | None) -> Iterator[None]:
    """Have Pillow refuse larger pictures than so, and open smaller ones without a warning.

    Pillow knows one limit for the whole process; it warns beyond it and refuses from twice as much.
    """
    if max_pixels is None:
        yield
        return
    before = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = Fraction(max_pixels, 2)  # type: ignore[assignment]  # odd limits, too
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            yield
    finally:
        Image.MAX_IMAGE_PIXELS = before


def cipher_name(name: str) -> str:
    """Name an encrypted file: a JPEG keeps its name, anything else gets ``.jpg`` behind.

    Examples
    --------
    >>> cipher_name("a.JPG"), cipher_name("a.png")
    ('a.JPG', 'a.png.jpg')
    """
    return name if _format(name) == "JPEG" else f"{name}.jpg"


def plain_name(name: str, suffix: str) -> str:
    """Name a decrypted file: its own name where that fits the format, or the suffix behind it.

    Examples
    --------
    >>> plain_name("a.png.jpg", ".png"), plain_name("a.jpg", ".png"), plain_name("a.jpg", ".jpg")
    ('a.png', 'a.jpg.png', 'a.jpg')
    """
    if _format(name) == FORMATS[suffix]:
        return name
    original = os.path.splitext(name)[0]
    fits = _format(name) == "JPEG" and _format(original) == FORMATS[suffix]
    return original if fits else name + suffix


def _format(name: str) -> str | None:
    return FORMATS.get(os.path.splitext(name)[1].lower())
