"""Sealed metadata: EXIF, XMP, ICC profile, comment and resolution travel encrypted in the file.

::

    Metadata ── pack ──> plaintext ── seal ──> blob ── to_segments ──> APP11 payloads
    Metadata <── unpack ── plaintext <── open_sealed ── blob <── from_segments ── APP11 payloads

The blob is AES-256-GCM under a key of this image alone: 12 bytes nonce, ciphertext, 16 bytes tag.
The nonce is an HMAC of the plaintext: sealing is deterministic, and two plaintexts under one key
(key modes `content` and `fixed`) do not share a nonce.
"""

import hmac
import math
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from PIL import Image

from jpegcrypt.errors import MalformedJpeg, TamperedFile
from jpegcrypt.key import ImageKeys

_KINDS = {1: "exif", 2: "xmp", 3: "icc_profile", 4: "comment", 5: "dpi"}
_RECORD = struct.Struct(">BI")  # kind, length of what follows
_DPI = struct.Struct(">dd")
_EXIF_IDENTIFIER = b"Exif\0\0"

_GCM_NONCE_SIZE = 12
_GCM_TAG_SIZE = 16

_MAGIC = b"jpegcrypt\1"
_CHUNK_SIZE = 65_000  # and 12 bytes before it: a segment holds 65,533 (T.81 B.1.1.4)
_MAX_CHUNKS = 255


@dataclass(frozen=True)
class Metadata:
    """What an image file carries besides pixels; None where it carries nothing.

    The repr shows no content: EXIF tells where its owner lives.

    Parameters
    ----------
    exif : bytes, optional
        TIFF structure, with or without "Exif" and two zero bytes before it; stored without.
    xmp, icc_profile, comment : bytes, optional
        Raw payloads without the identifiers of their segments.
    dpi : tuple of float, optional
        Horizontal and vertical resolution, positive.

    Examples
    --------
    >>> Metadata().is_empty
    True
    >>> metadata = Metadata(comment=b"at the lake", dpi=(300, 300))
    >>> Metadata.unpack(metadata.pack()) == metadata
    True
    """

    exif: bytes | None = field(default=None, repr=False)
    xmp: bytes | None = field(default=None, repr=False)
    icc_profile: bytes | None = field(default=None, repr=False)
    comment: bytes | None = field(default=None, repr=False)
    dpi: tuple[float, float] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        for name in ("exif", "xmp", "icc_profile", "comment"):
            value = getattr(self, name)
            if not isinstance(value, bytes | None):
                raise TypeError(f"{name} must be bytes, got {type(value).__name__}")
            if name == "exif" and value:
                value = value.removeprefix(_EXIF_IDENTIFIER)
            object.__setattr__(self, name, value or None)
        if self.dpi is not None:
            x, y = map(float, self.dpi)
            if not (0 < x < math.inf and 0 < y < math.inf):
                raise ValueError(f"dpi must be two positive numbers, got {x} and {y}")
            object.__setattr__(self, "dpi", (x, y))

    @classmethod
    def from_pillow(cls, image: Image.Image) -> Self:
        """Collect the metadata that Pillow read with an image; text becomes UTF-8.

        Examples
        --------
        >>> Metadata.from_pillow(Image.new("L", (8, 8))).is_empty
        True
        """
        info = image.info
        return cls(
            exif=_as_bytes(info.get("exif")),
            xmp=_as_bytes(info.get("xmp")),
            icc_profile=_as_bytes(info.get("icc_profile")),
            comment=_as_bytes(info.get("comment", info.get("Comment"))),  # PNG writes it large
            dpi=_as_dpi(info.get("dpi")),
        )

    def keywords(self) -> dict[str, Any]:
        """Return the fields by name, as `encrypt` takes them.

        Examples
        --------
        >>> Metadata(comment=b"at the lake").keywords()["comment"]
        b'at the lake'
        """
        return {name: getattr(self, name) for name in _KINDS.values()}

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to seal."""
        return not any((self.exif, self.xmp, self.icc_profile, self.comment, self.dpi))

    def pack(self) -> bytes:
        """Return all fields as records: kind (1 byte), length (4 bytes, big-endian), content."""
        packed = bytearray()
        for kind, name in _KINDS.items():
            value = getattr(self, name)
            if value is not None:
                content = _DPI.pack(*value) if name == "dpi" else value
                packed += _RECORD.pack(kind, len(content)) + content
        return bytes(packed)

    @classmethod
    def unpack(cls, packed: bytes) -> Self:
        """Read the records that `pack` wrote.

        Raises
        ------
        MalformedJpeg
            If a record is unknown, repeated, cut or impossible.
        """
        fields: dict[str, Any] = {}
        position = 0
        try:
            while position < len(packed):
                kind, length = _RECORD.unpack_from(packed, position)
                position += _RECORD.size
                content = packed[position : position + length]
                position += length
                name = _KINDS[kind]
                if len(content) != length or name in fields:
                    raise ValueError
                fields[name] = _DPI.unpack(content) if name == "dpi" else content
            return cls(**fields)
        except (struct.error, KeyError, ValueError) as error:
            raise MalformedJpeg(
                f"sealed metadata is broken before byte {position} of {len(packed)}"
            ) from error


def seal(metadata: Metadata, keys: ImageKeys) -> bytes:
    """Encrypt metadata under the keys of its image.

    Returns
    -------
    bytes
        Nonce (12 bytes), ciphertext, tag (16 bytes); its length tells that of the metadata.

    Examples
    --------
    >>> from jpegcrypt.key import Key
    >>> keys = Key.generate().derive(bytes(16))
    >>> open_sealed(seal(Metadata(comment=b"at the lake"), keys), keys).comment
    b'at the lake'
    """
    plaintext = metadata.pack()
    nonce = hmac.digest(keys.expand("metadata nonce"), plaintext, "sha256")[:_GCM_NONCE_SIZE]
    return nonce + AESGCM(keys.expand("metadata")).encrypt(nonce, plaintext, None)


def open_sealed(blob: bytes, keys: ImageKeys) -> Metadata:
    """Undo `seal`.

    Raises
    ------
    TamperedFile
        If the blob is not what `seal` returned under these keys.
    """
    try:
        if len(blob) < _GCM_NONCE_SIZE + _GCM_TAG_SIZE:
            raise InvalidTag
        nonce, ciphertext = blob[:_GCM_NONCE_SIZE], blob[_GCM_NONCE_SIZE:]
        plaintext = AESGCM(keys.expand("metadata")).decrypt(nonce, ciphertext, None)
    except InvalidTag as error:
        raise TamperedFile(
            f"the sealed metadata ({len(blob)} bytes) was changed or belongs to another image"
        ) from error
    return Metadata.unpack(plaintext)


def to_segments(blob: bytes) -> list[bytes]:
    r"""Cut a sealed blob into payloads of APP11 segments.

    Each is "jpegcrypt", a byte 1, its index from 1, the number of segments, and a chunk.

    Raises
    ------
    ValueError
        If the blob needs more than 255 segments (16.6 MB).

    Examples
    --------
    >>> to_segments(b"abc")
    [b'jpegcrypt\x01\x01\x01abc']
    """
    count = -(-len(blob) // _CHUNK_SIZE)
    if count > _MAX_CHUNKS:
        raise ValueError(
            f"{len(blob)} bytes of sealed metadata, at most {_MAX_CHUNKS * _CHUNK_SIZE} fit: "
            'leave some out, or use metadata="strip"'
        )
    return [
        _segment_start(index, count) + blob[(index - 1) * _CHUNK_SIZE : index * _CHUNK_SIZE]
        for index in range(1, count + 1)
    ]


def from_segments(payloads: Iterable[bytes]) -> bytes | None:
    """Join the sealed blob from the APP11 payloads of a file, in file order.

    Returns
    -------
    bytes or None
        None if no payload is ours. Payloads of others are passed over.

    Raises
    ------
    TamperedFile
        If segments of ours are missing, repeated or out of order.

    Examples
    --------
    >>> from_segments([b"JP of another kind", *to_segments(b"abc")])
    b'abc'
    """
    ours = [payload for payload in payloads if payload.startswith(_MAGIC)]
    if not ours:
        return None
    count = len(ours)
    size = len(_segment_start(1, 1))
    if count > _MAX_CHUNKS or any(
        payload[:size] != _segment_start(index, count) for index, payload in enumerate(ours, 1)
    ):
        raise TamperedFile(
            f"the {count} segments of sealed metadata are not whole, in order and each there once"
        )
    return b"".join(payload[size:] for payload in ours)


def _segment_start(index: int, count: int) -> bytes:
    return _MAGIC + bytes((index, count))


def _as_bytes(value: str | bytes | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value


def _as_dpi(value: Any) -> tuple[float, float] | None:
    """The resolution, or None for what files write that know none: zeros, 0/0, infinities."""
    if value is None:
        return None
    try:
        return Metadata(dpi=value).dpi
    except (TypeError, ValueError):
        return None
