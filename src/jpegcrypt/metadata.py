"""Sealed metadata: what a picture file says besides pixels travels encrypted in the file.

EXIF, XMP, ICC profile, comment and resolution have a field each; the other APPn and COM segments of
a JPEG are kept whole, the other text chunks of a PNG as keyword and text.

::

    Metadata ── pack ──> plaintext ── seal ──> blob ── to_segments ──> APP11 payloads
    Metadata <── unpack ── plaintext <── open_sealed ── blob <── from_segments ── APP11 payloads

The blob is AES-256-GCM under a key of this image alone: 12 bytes nonce, ciphertext, 16 bytes tag.
The nonce is an HMAC of the plaintext: sealing is deterministic, and two plaintexts under one key
(key modes `content` and `fixed`) do not share a nonce.
"""

import hmac
import math
import re
import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from PIL import ExifTags, Image

from jpegcrypt.codec import markers
from jpegcrypt.errors import MalformedJpeg, TamperedFile
from jpegcrypt.key import ImageKeys

Segment = tuple[int, bytes]  # marker code and payload
Text = tuple[str, str]  # keyword and text

_KINDS = {
    1: "exif", 2: "xmp", 3: "icc_profile", 4: "comment", 5: "dpi", 6: "segments", 7: "text",
}  # fmt: skip
_RECORD = struct.Struct(">BI")  # kind, length of what follows
_DPI = struct.Struct(">dd")
_MAX_RECORDS = 2048  # half of the segments that our parser takes, and more than tools write

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
    segments : sequence of (int, bytes), optional
        Marker code and payload of other APPn and COM segments of a JPEG, in file order, such as
        those of IPTC and extended XMP. Those that say how pixels are coded are refused.
    text : sequence of (str, str), optional
        Other text chunks of a PNG: keyword, of 1 to 79 Latin-1 characters, and text.

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
    segments: Sequence[Segment] | None = field(default=None, repr=False)
    text: Sequence[Text] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        for name in ("exif", "xmp", "icc_profile", "comment"):
            value = getattr(self, name)
            if not isinstance(value, bytes | None):
                raise TypeError(f"{name} must be bytes, got {type(value).__name__}")
            if name == "exif" and value:
                value = value.removeprefix(markers.EXIF)
            object.__setattr__(self, name, value or None)
        if self.dpi is not None:
            x, y = map(float, self.dpi)
            if not (0 < x < math.inf and 0 < y < math.inf):
                raise ValueError(f"dpi must be two positive numbers, got {x} and {y}")
            object.__setattr__(self, "dpi", (x, y))
        if self.segments is not None:
            segments = tuple([_checked_segment(*segment) for segment in self.segments])
            object.__setattr__(self, "segments", segments or None)
        if self.text is not None:
            text = tuple([_checked_text(*pair) for pair in self.text])
            object.__setattr__(self, "text", text or None)

    @classmethod
    def from_pillow(cls, image: Image.Image) -> Self:
        """Collect the metadata that Pillow read with an image; text becomes UTF-8.

        Examples
        --------
        >>> Metadata.from_pillow(Image.new("L", (8, 8))).is_empty
        True
        """
        info = image.info
        xmp = _as_bytes(info.get("xmp"))
        comment = _as_bytes(info.get("comment", info.get("Comment")))  # PNG writes it large
        return cls(
            exif=_as_bytes(info.get("exif")),
            xmp=xmp,
            icc_profile=_as_bytes(info.get("icc_profile")),
            comment=comment,
            dpi=_as_dpi(info.get("dpi")) if _tells_resolution(image) else None,
            segments=_other_segments(image, xmp, comment),
            text=_other_text(image, xmp, comment),
        )

    def keywords(self) -> dict[str, Any]:
        """Return the fields that are there by name, as `encrypt` takes them.

        Examples
        --------
        >>> Metadata(comment=b"at the lake").keywords()
        {'comment': b'at the lake'}
        """
        fields = ((name, getattr(self, name)) for name in _KINDS.values())
        return {name: value for name, value in fields if value is not None}

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to seal."""
        return not self.keywords()

    def pack(self) -> bytes:
        """Return all fields as records: kind (1 byte), length (4 bytes, big-endian), content.

        Raises
        ------
        ValueError
            If there are more than 2048.
        """
        packed = bytearray()
        n_records = 0
        for kind, name in _KINDS.items():
            value = getattr(self, name)
            if value is None:
                continue
            for item in value if name in _REPEATED else [value]:
                content = _PACK.get(name, bytes)(item)
                packed += _RECORD.pack(kind, len(content)) + content
                n_records += 1
        if n_records > _MAX_RECORDS:
            raise ValueError(
                f"{n_records} pieces of metadata, at most {_MAX_RECORDS} are sealed: "
                'leave some out, or use metadata="strip"'
            )
        return bytes(packed)

    @classmethod
    def unpack(cls, packed: bytes) -> Self:
        """Read the records that `pack` wrote.

        Raises
        ------
        MalformedJpeg
            If a record is unknown, repeated, cut or impossible, or one of too many.
        """
        fields: dict[str, Any] = {}
        position = n_records = 0
        try:
            while position < len(packed):
                kind, length = _RECORD.unpack_from(packed, position)
                position += _RECORD.size
                content = packed[position : position + length]
                position += length
                name = _KINDS[kind]
                n_records += 1
                if len(content) != length or n_records > _MAX_RECORDS:
                    raise ValueError
                value = _UNPACK.get(name, bytes)(content)
                if name in _REPEATED:
                    fields.setdefault(name, []).append(value)
                elif name in fields:
                    raise ValueError
                else:
                    fields[name] = value
            return cls(**fields)
        except (struct.error, LookupError, ValueError) as error:
            raise MalformedJpeg(
                f"sealed metadata is broken before byte {position} of {len(packed)}"
            ) from error


# --- other segments and texts ---------------------------------------------------------------------


def is_keyword(text: str) -> bool:
    """Tell whether PNG allows a keyword of a text chunk, but for the places of its spaces (11.3.3).

    Examples
    --------
    >>> is_keyword("Title"), is_keyword("")
    (True, False)
    """
    return re.fullmatch("[ -~\xa1-\xff]{1,79}", text) is not None


# Segments that have a field of their own, that say how pixels are coded or shown in small, that
# point behind the end, and those of encrypted files.
_NOT_OTHERS: dict[int, tuple[bytes, ...]] = {
    markers.APP0: (markers.JFIF, markers.JFXX),
    markers.APP1: (markers.EXIF,),
    markers.APP2: (markers.ICC, markers.MPF),
    markers.APP11: (b"jpegcrypt",),
    markers.APP14: (markers.ADOBE,),
}


def _is_other(marker: int, payload: bytes) -> bool:
    return not payload.startswith(_NOT_OTHERS.get(marker, ()))


def _checked_segment(marker: int, payload: bytes) -> Segment:
    kinds = type(marker).__name__, type(payload).__name__
    if kinds != ("int", "bytes"):
        raise TypeError(f"a segment of {' and '.join(kinds)}, expected a marker code and bytes")
    if not (markers.APP0 <= marker <= markers.APP15 or marker == markers.COM):
        raise ValueError(f"a segment {marker:#x}, expected APPn (0xe0 to 0xef) or COM (0xfe)")
    if len(payload) > markers.MAX_PAYLOAD:
        raise ValueError(
            f"a segment of {len(payload)} bytes, expected at most {markers.MAX_PAYLOAD}"
        )
    if not _is_other(marker, payload):
        raise ValueError(
            f"an {markers.name(marker)} segment that has a field of its own, or codes pixels"
        )
    return marker, payload


def _checked_text(keyword: str, text: str) -> Text:
    kinds = type(keyword).__name__, type(text).__name__
    if kinds != ("str", "str"):
        raise TypeError(f"text of {' and '.join(kinds)}, expected two str")
    if not is_keyword(keyword):
        raise ValueError(f"keyword {keyword!r}, expected 1 to 79 printable Latin-1 characters")
    if "\0" in text:
        raise ValueError(f"text of {keyword!r} with a zero character, which ends a text of PNG")
    text.encode()  # half a character raises a ValueError, too
    return keyword, text


def _other_segments(
    image: Image.Image, xmp: bytes | None, comment: bytes | None
) -> Sequence[Segment]:
    """Return the segments before the first scan that no field holds."""
    found = [
        (markers.COM if name == "COM" else markers.APP0 + int(name[3:]), payload)
        for name, payload in getattr(image, "applist", ())
    ]
    others = [segment for segment in found if _is_other(*segment)]
    for held in ((markers.APP1, markers.XMP + (xmp or b"")), (markers.COM, comment)):
        if held in others:  # Pillow reads the last of several
            del others[-1 - others[::-1].index(held)]
    return others


def _other_text(image: Image.Image, xmp: bytes | None, comment: bytes | None) -> Sequence[Text]:
    """Return the text of a PNG that no field holds."""
    found: dict[str, str] = getattr(image, "text", {})
    held = {"XML:com.adobe.xmp": xmp, "comment": comment, "Comment": comment}
    return [
        (keyword, str(text).replace("\0", ""))
        for keyword, text in found.items()
        if is_keyword(keyword) and held.get(keyword) != text.encode()
    ]


def _pack_text(pair: Text) -> bytes:
    return pair[0].encode("latin-1") + b"\0" + pair[1].encode()


def _unpack_text(content: bytes) -> Text:
    keyword, text = content.split(b"\0", 1)
    return keyword.decode("latin-1"), text.decode()


_REPEATED = ("segments", "text")  # a record each
_PACK: dict[str, Callable[[Any], bytes]] = {
    "dpi": lambda dpi: _DPI.pack(*dpi),
    "segments": lambda segment: bytes([segment[0]]) + segment[1],
    "text": _pack_text,
}
_UNPACK: dict[str, Callable[[bytes], Any]] = {
    "dpi": _DPI.unpack,
    "segments": lambda content: (content[0], content[1:]),
    "text": _unpack_text,
}


# --- sealing --------------------------------------------------------------------------------------


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


def _tells_resolution(image: Image.Image) -> bool:
    """Whether a resolution is not the 1 dpi that Pillow makes up for a TIFF without one."""
    both = {ExifTags.Base.XResolution, ExifTags.Base.YResolution}
    return both <= set(getattr(image, "tag_v2", both))


def _as_dpi(value: Any) -> tuple[float, float] | None:
    """The resolution, or None for what files write that know none: zeros, 0/0, infinities."""
    if value is None:
        return None
    try:
        return Metadata(dpi=value).dpi
    except (TypeError, ValueError):
        return None
