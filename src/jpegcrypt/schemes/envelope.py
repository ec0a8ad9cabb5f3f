r"""The header of an encrypted file in its three carriers: JPEG, PNG, and a container of our own.

The header is that of `jpegcrypt.header`; its tag is zero, as these schemes authenticate nothing.
PNG holds it in hexadecimal in a text chunk, and the true size in another. The container is for what
no picture format holds:

::

    magic "jpegcrypt parts\0"     16 bytes
    header                       59 bytes, 75 with a salt, or 59 zeros in a plain file
    number of parts              1 byte
    for each part: its length    4 bytes, big-endian
                   the part      as many bytes as it says
"""

import io
import re
import struct
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, PngImagePlugin

from jpegcrypt.codec.markers import segment
from jpegcrypt.codec.parse import MAX_PIXELS, JpegFile
from jpegcrypt.errors import (
    ImageTooLarge,
    JpegcryptError,
    MalformedJpeg,
    NotEncrypted,
    UnreadableImage,
    WrongKey,
)
from jpegcrypt.header import (
    DC_MODES,
    KEY_MODES,
    PNG_KEYWORD,
    SEGMENT_MARKER,
    Header,
    is_header,
    packed_size,
)
from jpegcrypt.key import Key

SIZE_KEYWORD = "jpegcrypt size"  # of a text chunk
_SIZE = re.compile(r"(\d{1,5})x(\d{1,5})x([13])")
_PARTS = b"jpegcrypt parts\0"
_NO_HEADER = bytes(59)


def make_header(scheme: int, key: Key, nonce: bytes, *, bank: int = 0) -> bytes:
    """Return the payload of the header."""
    return Header(
        scheme=scheme,
        bank=bank,
        key_mode=KEY_MODES["nonce"],
        dc=DC_MODES["permuted"],
        levels=bytes([128] * 3),
        key_id=key.id,
        nonce=nonce,
        tag=bytes(16),
        salt=key.salt,
    ).pack()


def open_header(payload: bytes | None, scheme: int, key: Key) -> Header:
    """Return the header of a payload if it is of this scheme and key.

    Raises
    ------
    NotEncrypted, WrongKey, MalformedJpeg
    """
    if payload is None:
        raise NotEncrypted("no jpegcrypt header in the file")
    header = Header.unpack(payload)
    if header.scheme != scheme:
        raise NotEncrypted(f"a file of scheme {header.scheme}, expected scheme {scheme}")
    if header.key_id != key.id:
        raise WrongKey(f"the file names key {header.key_id.hex()}, the one given is {key.id.hex()}")
    return header


def check_readable(height: int, width: int) -> None:
    """Refuse to write a file of more pixels than are read without being asked to.

    Raises
    ------
    ValueError
    """
    if height * width > MAX_PIXELS:
        raise ValueError(
            f"a file of {width}x{height} pixels, expected at most {MAX_PIXELS} in all, the most "
            "that decryption reads"
        )


# --- JPEG ---------------------------------------------------------------------------------------


def jpeg_segment(payload: bytes) -> bytes:
    """Return the APP11 segment of a header."""
    return segment(SEGMENT_MARKER, payload)


def jpeg_header(jpeg: JpegFile) -> bytes | None:
    """Return the payload of the header of a JPEG, None if it has none."""
    for one in jpeg.segments:
        if one.marker == SEGMENT_MARKER and is_header(one.payload):
            return one.payload
    return None


# --- PNG ----------------------------------------------------------------------------------------

Channels = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]  # (c, H, W)

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GRAY, _RGB = 0, 2  # color types
_NO_FILTER, _SUB = 0, 1  # filter types


def write_png(channels: Channels, size: str, header: bytes = b"") -> bytes:
    """Write channels as a PNG: 8 bits as gray or RGB, 16 bits as gray, one below another.

    Parameters
    ----------
    channels : uint8 or uint16 array (c, H, W)
    size : str
        Of `size_text`.
    header : bytes
        Its payload, if there is one.

    Raises
    ------
    ValueError
        If it would be too large to be read again.
    """
    if channels.dtype == np.uint16:
        pixels = channels.reshape(-1, channels.shape[2])
    else:
        pixels = channels[0] if len(channels) == 1 else channels.transpose(1, 2, 0)
    check_readable(*pixels.shape[:2])
    text = PngImagePlugin.PngInfo()
    text.add_text(SIZE_KEYWORD, size)
    if header:
        text.add_text(PNG_KEYWORD, header.hex())
        return _noise_png(np.ascontiguousarray(pixels), text)
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(file, "PNG", pnginfo=text)
    return file.getvalue()


def _noise_png(pixels: npt.NDArray[Any], text: PngImagePlugin.PngInfo) -> bytes:
    """Write a PNG without searching for matches and filters: noise has neither.

    Pillow tries five filters on each row, which takes most of the time of a scheme. One does for
    all: none at 8 bits; at 16 the difference to the left, as blocks have a range of their own.
    """
    height, width = pixels.shape[:2]
    depth, color = 8 * pixels.itemsize, _RGB if pixels.ndim == 3 else _GRAY
    rows = pixels.astype(pixels.dtype.newbyteorder(">")).view(np.uint8).reshape(height, -1)
    filtered = np.empty((height, 1 + rows.shape[1]), np.uint8)
    filtered[:, 0] = _SUB if depth == 16 else _NO_FILTER
    filtered[:, 1:] = rows
    if depth == 16:
        filtered[:, 3:] -= rows[:, :-2]
    deflate = zlib.compressobj(level=1, strategy=zlib.Z_HUFFMAN_ONLY)
    file = io.BytesIO()
    file.write(_SIGNATURE)
    PngImagePlugin.putchunk(
        file, b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    )
    for kind, data, *_ in text.chunks:
        PngImagePlugin.putchunk(file, kind, data)
    PngImagePlugin.putchunk(file, b"IDAT", deflate.compress(filtered.data) + deflate.flush())
    PngImagePlugin.putchunk(file, b"IEND")
    return file.getvalue()


def load_png(data: bytes, max_pixels: int = MAX_PIXELS) -> PngImagePlugin.PngImageFile:
    """Decode a PNG, with what stands behind its pixels.

    Raises
    ------
    UnreadableImage, ImageTooLarge
    """
    try:
        # Image.open has a limit of its own, a global of Pillow, beside max_pixels.
        image = PngImagePlugin.PngImageFile(io.BytesIO(data))
        if image.width * image.height > max_pixels:
            raise ImageTooLarge(
                f"a PNG of {image.width}x{image.height} pixels, "
                f"more than the limit of {max_pixels}",
                hint="if you trust the file, raise max_pixels",
            )
        image.load()
    except (JpegcryptError, MemoryError, Warning):
        raise
    except Exception as error:  # whatever Pillow meets in a broken PNG
        raise UnreadableImage(f"a broken PNG: {error}", format="PNG") from error
    return image


def png_header(image: PngImagePlugin.PngImageFile) -> bytes | None:
    """Return the payload of the header of a PNG, None if it has none.

    Raises
    ------
    UnreadableImage
        If it is not hexadecimal.
    """
    text = image.info.get(PNG_KEYWORD)
    try:
        return None if text is None else bytes.fromhex(text)
    except ValueError as error:
        raise UnreadableImage(f"a PNG with a broken header: {error}", format="PNG") from None


def read_png(data: bytes) -> tuple[Channels, str, bytes | None]:
    """Undo `write_png`: channels (c, H, W), text of the size, payload of the header.

    Raises
    ------
    NotEncrypted
        If no scheme wrote the PNG this way: it does not tell its true size.
    UnreadableImage, ImageTooLarge
    """
    image = load_png(data)
    if SIZE_KEYWORD not in image.info:
        raise NotEncrypted(f"a PNG without a text {SIZE_KEYWORD!r}, which all schemes write")
    pixels, size, payload = np.array(image), str(image.info[SIZE_KEYWORD]), png_header(image)
    n_channels, _, _ = shape_of(size)
    if pixels.ndim == 3 and pixels.shape[2] == n_channels and pixels.dtype == np.uint8:
        return pixels.transpose(2, 0, 1), size, payload
    if (
        pixels.ndim == 2
        and len(pixels) % n_channels == 0
        and (pixels.dtype == np.uint16 or (pixels.dtype == np.uint8 and n_channels == 1))
    ):
        return pixels.reshape(n_channels, -1, pixels.shape[1]), size, payload
    raise UnreadableImage(
        f"a PNG of {pixels.dtype} {pixels.shape} that holds no picture of {size}", format="PNG"
    )


def size_text(shape: tuple[int, ...]) -> str:
    """Return the true size of a picture, which files of whole blocks carry beside the pixels.

    Examples
    --------
    >>> size_text((20, 30)), shape_of("30x20x3")
    ('30x20x1', (3, 20, 30))
    """
    return f"{shape[1]}x{shape[0]}x{1 if len(shape) == 2 else shape[2]}"


def is_size(text: str) -> bool:
    """Tell whether a text has the form of `size_text`."""
    return _SIZE.fullmatch(text) is not None


def shape_of(size: str) -> tuple[int, int, int]:
    """Undo `size_text`: channels, height, width.

    Raises
    ------
    UnreadableImage
    """
    match = _SIZE.fullmatch(size)
    width, height, n_channels = map(int, match.groups()) if match else (0, 0, 0)
    if width == 0 or height == 0:
        raise UnreadableImage(f"found the size {size!r}, expected WxHx1 or WxHx3")
    return n_channels, height, width


# --- Container ----------------------------------------------------------------------------------


def write_parts(parts: Sequence[bytes], header: bytes = b"") -> bytes:
    """Write parts one behind another.

    Examples
    --------
    >>> read_parts(write_parts([b"Y", b""]))
    ([b'Y', b''], None)
    """
    sized = (piece for part in parts for piece in (len(part).to_bytes(4), part))
    return b"".join((_PARTS, header or _NO_HEADER, bytes([len(parts)]), *sized))


def read_parts(data: bytes) -> tuple[list[bytes], bytes | None]:
    """Undo `write_parts`: the parts and the payload of the header.

    Raises
    ------
    NotEncrypted
        If the data is no such container.
    MalformedJpeg
        If it is broken.
    """
    if not data.startswith(_PARTS):
        raise NotEncrypted(f"found a file that begins with {data[:16]!r}, expected {_PARTS!r}")
    at = len(_PARTS) + packed_size(data[len(_PARTS) :])
    if len(data) <= at:
        raise MalformedJpeg(f"found a container of {len(data)} bytes, expected {at} and parts")
    payload, count = data[len(_PARTS) : at], data[at]
    if count == 0:
        raise MalformedJpeg("found a container of 0 parts, expected at least 1", offset=at)
    at += 1
    parts = []
    while at < len(data):
        size = int.from_bytes(data[at : at + 4])
        if at + 4 + size > len(data):
            raise MalformedJpeg(f"found a part of {size} bytes that goes beyond the end", offset=at)
        parts.append(data[at + 4 : at + 4 + size])
        at += 4 + size
    if len(parts) != count:
        raise MalformedJpeg(f"found {len(parts)} parts, expected {count}", offset=at)
    return parts, None if payload == _NO_HEADER else payload
