"""The library on files: any picture to an encrypted JPEG, and back to a picture."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, Unpack

from jpegcrypt import atomic
from jpegcrypt.api import encrypt, open_encrypted
from jpegcrypt.codec.parse import MAX_PIXELS
from jpegcrypt.errors import JpegcryptError
from jpegcrypt.former_jpeg import BANK, warn_if_it_shows
from jpegcrypt.images import (
    Background,
    find_format,
    format_of_name,
    read_image,
    warning_about,
    write_image,
)
from jpegcrypt.key import Key
from jpegcrypt.settings import EncoderSettings

FilePath = str | os.PathLike[str]
MetadataMode = Literal["seal", "strip"]


def encrypt_file(
    src: FilePath,
    dst: FilePath,
    key: Key,
    *,
    metadata: MetadataMode = "seal",
    background: Background | None = None,
    overwrite: bool = False,
    nonce: bytes | None = None,
    **settings: Unpack[EncoderSettings],
) -> None:
    """Encrypt a picture file into a JPEG that any viewer opens and sees as noise.

    The type of `src` is told by its content. Gray stays gray; palettes and CMYK become RGB; 16
    bits become 8; of several frames the first is taken. A picture that EXIF turns stays as it is
    stored, and its EXIF says so when it is decrypted; stripped of EXIF it is turned upright first.

    Parameters
    ----------
    src : path
        Whatever Pillow opens.
    dst : path
        In a folder that exists, and without the extension of another format, as it becomes a
        JPEG. The file appears whole or not at all; where there are no hard links (FAT), a kill at
        the wrong moment may leave an empty one.
    key : Key
    metadata : {"seal", "strip"}
        EXIF, XMP, color profile, comment, resolution, all other APPn and COM segments of a JPEG
        (IPTC, extended XMP) and text chunks of a PNG: sealed in the file, or left out, the picture
        then being turned as its EXIF asks for. Not sealed are a thumbnail of JFIF and what says
        how the pixels were coded. A `MetadataWarning` tells what else a JPEG, PNG, TIFF or WebP
        loses, such as the video of a motion photo.
    background : color name or (r, g, b), optional
        What shines through a transparent picture, which is refused without.
    overwrite : bool
        True replaces `dst` if it exists, never `src`.
    nonce, **settings
        As for `encrypt`: quality, subsampling, qtables, bank, dc, key_mode, effort,
        trellis_lambda, restart_interval. A `FormerJpegWarning` tells of a JPEG whose own quality
        is so much lower that it gives transforms of the bank away.

    Raises
    ------
    UnreadableImage, ImageTooLarge
        About `src`, which a note of the error names.
    JpegcryptError
        If `src` is encrypted already.
    OSError
        FileExistsError among others; what was at `dst` is as before.
    TypeError, ValueError
        For bad arguments, also if `src` and `dst` are the same file.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from jpegcrypt import Key, decrypt_file
    >>> from PIL import Image
    >>> key = Key.generate()
    >>> with TemporaryDirectory() as folder:
    ...     Image.new("RGB", (40, 30), "teal").save(f"{folder}/photo.png")
    ...     encrypt_file(f"{folder}/photo.png", f"{folder}/noise.jpg", key, quality=90)
    ...     decrypt_file(f"{folder}/noise.jpg", f"{folder}/again.png", key)
    ...     with Image.open(f"{folder}/again.png") as image:
    ...         image.size
    (40, 30)
    """
    check_target(src, dst, overwrite=overwrite)
    check_jpeg_name(dst)
    with naming(src):
        data = encrypt_picture(
            read_file(src),
            key,
            metadata=metadata,
            background=background,
            nonce=nonce,
            **settings,
        )
    atomic.write(dst, data, overwrite=overwrite)


def decrypt_file(
    src: FilePath,
    dst: FilePath,
    key: Key,
    *,
    overwrite: bool = False,
    verify: bool = True,
    quality: int = 95,
    max_pixels: int = MAX_PIXELS,
) -> None:
    """Decrypt a file that `encrypt_file` made, with its metadata.

    Parameters
    ----------
    src, dst : path
        The extension of `dst` says the format: .png (recommended), .tif, .webp, .bmp and .ppm keep
        every pixel, .jpg loses a little. JPEG carries all metadata but the text chunks of a PNG;
        PNG all but the other segments of a JPEG, such as IPTC; TIFF the profile and the resolution;
        WebP EXIF, XMP and the profile; BMP the resolution; PPM none. A `MetadataWarning` tells
        what is left out.
    key : Key
    overwrite : bool
        True replaces `dst` if it exists, never `src`.
    verify, max_pixels
        As for `decrypt`.
    quality : int
        Of a .jpg, whose chroma is sampled as in `src`.

    Raises
    ------
    WrongKey, NotEncrypted, TamperedFile, MalformedJpeg, UnsupportedJpeg, ImageTooLarge
        About `src`, which a note of the error names.
    OSError
        FileExistsError among others; what was at `dst` is as before.
    TypeError, ValueError
        For bad arguments, also if `src` and `dst` are the same file, or the format of `dst` has no
        room for so many pixels.
    """
    format = find_format(os.fspath(dst))
    check_target(src, dst, overwrite=overwrite)
    with naming(src):
        data = decrypt_picture(
            read_file(src),
            key,
            format,
            verify=verify,
            quality=quality,
            max_pixels=max_pixels,
        )
    atomic.write(dst, data, overwrite=overwrite)


def encrypt_picture(
    data: bytes,
    key: Key,
    *,
    metadata: MetadataMode = "seal",
    background: Background | None = None,
    nonce: bytes | None = None,
    **settings: Unpack[EncoderSettings],
) -> bytes:
    """As `encrypt_file`, from the bytes of the one file to those of the other."""
    if metadata not in ("seal", "strip"):
        raise ValueError(f'metadata {metadata!r}, expected "seal" or "strip"')
    pixels, sealed = read_image(data, background=background, strip=metadata == "strip")
    encrypted = encrypt(pixels, key, nonce=nonce, **sealed.keywords(), **settings)
    warn_if_it_shows(data, encrypted, settings.get("bank", BANK))
    return encrypted


def decrypt_picture(
    data: bytes,
    key: Key,
    format: str,
    *,
    verify: bool = True,
    quality: int = 95,
    max_pixels: int = MAX_PIXELS,
) -> bytes:
    """As `decrypt_file`, from the bytes of the one file to those of the other."""
    picture = open_encrypted(data, key, verify=verify, max_pixels=max_pixels)
    return write_image(picture, format, quality=quality)


def read_file(path: FilePath) -> bytes:
    """Return the content of a file, in as few calls of the system as it takes."""
    with open(os.fspath(path), "rb", buffering=0) as file:
        return file.read()


def check_jpeg_name(dst: FilePath) -> None:
    """Refuse a name that tells another format than JPEG."""
    name = os.fspath(dst)
    format = format_of_name(name)
    if format not in ("JPEG", None):
        raise ValueError(
            f"{name}: the name of a {format}, but it becomes a JPEG: name it {name}.jpg"
        )


def check_target(src: FilePath, dst: FilePath, *, overwrite: bool) -> None:
    """Refuse a target that is the source, by whatever name, or must not be replaced."""
    if os.path.exists(src) and os.path.exists(dst) and os.path.samefile(src, dst):
        raise ValueError(f"{os.fspath(src)} and {os.fspath(dst)} are the same file")
    atomic.check(dst, overwrite=overwrite)


@contextmanager
def naming(src: FilePath) -> Iterator[None]:
    """Note the name of the file in errors and warnings about it."""
    try:
        with warning_about(os.fspath(src)):
            yield
    except JpegcryptError as error:
        error.add_note(f"file: {os.fspath(src)}")
        raise
