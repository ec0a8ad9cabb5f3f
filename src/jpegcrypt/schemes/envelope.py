r"""The header of an encrypted file in its three carriers: JPEG, PNG, and a container of our own.

The header is that of `jpegcrypt.header`; its tag is zero, as these schemes authenticate nothing.
PNG holds it in hexadecimal in a text chunk. The container is for what no picture format holds:

::

    magic "jpegcrypt parts\0"     16 bytes
    header                       59 bytes, or as many zeros in a plain file
    for each part: its length    4 bytes, big-endian
                   the part      as many bytes as it says
"""

import io
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, PngImagePlugin

from jpegcrypt.codec.markers import segment
from jpegcrypt.codec.parse import MAX_PIXELS, JpegFile
from jpegcrypt.errors import ImageTooLarge, MalformedJpeg, NotEncrypted, WrongKey
from jpegcrypt.header import (
    DC_MODES,
    KEY_MODES,
    PNG_KEYWORD,
    SEGMENT_MARKER,
    Header,
    is_header,
)
from jpegcrypt.key import Key

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


def write_png(
    channels: npt.NDArray[np.uint8] | npt.NDArray[np.uint16], header: bytes = b""
) -> bytes:
    """Write channels (c, H, W) as a PNG: 8 bits as gray or RGB, 16 bits as gray, stacked."""
    if channels.dtype == np.uint8:
        pixels = (
            channels[0] if len(channels) == 1 else np.ascontiguousarray(channels.transpose(1, 2, 0))
        )
        image = Image.fromarray(pixels)
    else:
        image = Image.fromarray(channels.reshape(-1, channels.shape[2]))
    info = PngImagePlugin.PngInfo()
    if header:
        info.add_text(PNG_KEYWORD, header.hex())
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=1, pnginfo=info)  # noise does not get smaller by effort
    return file.getvalue()


def read_png(
    data: bytes,
) -> tuple[npt.NDArray[np.uint8] | npt.NDArray[np.uint16], bytes | None]:
    """Undo `write_png`: the channels and the payload of the header; 16 bits as one channel."""
    try:
        with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
            if image.width * image.height > MAX_PIXELS:
                raise ImageTooLarge(f"{image.width}x{image.height} pixels, at most {MAX_PIXELS}")
            image.load()
            pixels = np.asarray(image)
            text = image.info.get(PNG_KEYWORD)
    except (OSError, SyntaxError, ValueError) as error:
        raise MalformedJpeg(f"found no intact PNG: {error}") from error
    if pixels.ndim not in (2, 3) or pixels.dtype not in (np.uint8, np.uint16):
        raise MalformedJpeg(f"found a PNG of mode {image.mode}, expected gray or RGB")
    try:
        payload = None if text is None else bytes.fromhex(text)
    except ValueError as error:
        raise MalformedJpeg(f"found a {PNG_KEYWORD} text that is not hexadecimal") from error
    return (pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)), payload


# --- Container ----------------------------------------------------------------------------------


def write_parts(parts: Sequence[bytes], header: bytes = b"") -> bytes:
    """Write parts one behind another.

    Examples
    --------
    >>> read_parts(write_parts([b"Y", b""]))
    ([b'Y', b''], None)
    """
    sized = (piece for part in parts for piece in (len(part).to_bytes(4), part))
    return b"".join((_PARTS, header or _NO_HEADER, *sized))


def read_parts(data: bytes) -> tuple[list[bytes], bytes | None]:
    """Undo `write_parts`: the parts and the payload of the header."""
    at = len(_PARTS) + len(_NO_HEADER)
    if not data.startswith(_PARTS) or len(data) < at:
        raise MalformedJpeg("found no container of parts", offset=0)
    payload = data[len(_PARTS) : at]
    parts = []
    while at < len(data):
        size = int.from_bytes(data[at : at + 4])
        if at + 4 + size > len(data):
            raise MalformedJpeg(f"found a part of {size} bytes that goes beyond the end", offset=at)
        parts.append(data[at + 4 : at + 4 + size])
        at += 4 + size
    return parts, None if payload == _NO_HEADER else payload
